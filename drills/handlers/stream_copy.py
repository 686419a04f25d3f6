"""The Lambda function that copies a DynamoDB table, change by change, into another account.

Deployed behind the table's stream with partial batch responses (``ReportBatchItemFailures``). Every change is written
in one transaction with a *marker* that holds the version last applied to that item, on the condition that the marker
is older. So duplicates, retries, reordering between shards and restarts never make an item stale or bring it back.

What is permanently wrong about one record is *set aside*, readable, in a bucket of the vault account, and never blocks
its shard; what may pass (throttling, an outage, missing permission) is reported back so that Lambda delivers it again.

Settings come from the environment; see ``Settings``. Uses nothing but the standard library and boto3.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import cached_property
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

Reason = Literal["overtaken", "permanent", "passing"]
Item = Mapping[str, Mapping[str, Any]]
"""Attribute values as the low-level client takes them: numbers as their own text, binary as bytes."""

LOG = logging.getLogger("drills.stream_copy")
METRIC_NAMESPACE = "drills/stream-copy"
SEQUENCE_DIGITS = 40
CHANGES_PER_TRANSACTION = 50
"""Two actions a change. Source: DynamoDB API reference, TransactWriteItems: up to 100 actions."""
BYTES_PER_TRANSACTION = 3_500_000
"""Below the 4 MB of a transaction, which also counts the markers. Source: as above."""
LARGEST_ITEM_BYTES = 400 * 1024
ATTEMPTS = 4
MARGIN_SECONDS = 10.0
"""What is left of the function's time must be enough for one transaction with its retries."""
CONTINUITY_SECONDS = 23 * 3600
"""A stream keeps 24 h: a copy that was not seen at work for longer than this may have missed records."""
STATE_ROW = "state"

NEWER = "(attribute_not_exists(#version) OR #version < :v) AND (attribute_not_exists(#aside) OR #aside <= :v)"
"""True where nothing newer was applied or set aside."""
MARKER_NAMES = {"#version": "version", "#aside": "aside"}

PERMANENT_ERRORS = frozenset(
    {"ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException"}
)
PERMANENT_REASONS = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})


class Retryable(Exception):
    """This did not work now and may work later: Lambda must deliver the record again."""


class Poison(Exception):
    """Something permanent about one record: it is set aside."""


# --- Versions, keys and values -------------------------------------------------------------------------------------


def version_of(stream_label: str, sequence: str) -> str:
    """``label#sequence``, comparable as text: a re-enabled stream is newer than all of the one before it."""
    return f"{stream_label}#{sequence.zfill(SEQUENCE_DIGITS)}"


def marker_id(keys: Item) -> str:
    """The marker of the item with these key attributes: a digest, because a key may be as long as a key can be."""
    canonical = [[name, *_canonical_key(keys[name])] for name in sorted(keys)]
    return hashlib.sha256(json.dumps(canonical, separators=(",", ":")).encode()).hexdigest()


def _canonical_key(value: Mapping[str, Any]) -> tuple[str, str]:
    ((kind, content),) = value.items()
    if kind == "N":
        number = Decimal(content).normalize(Context(prec=SEQUENCE_DIGITS))
        return kind, "0" if number == 0 else str(number)
    if kind == "B":
        return kind, base64.b64encode(content).decode()
    return kind, content


def value_from_event(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An attribute value of a Lambda event → the client's: binary comes as base64 text, the rest stays as it is."""
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64decode(content, validate=True)}
        case "BS":
            return {"BS": [base64.b64decode(member, validate=True) for member in content]}
        case "L":
            return {"L": [value_from_event(member) for member in content]}
        case "M":
            return {"M": {name: value_from_event(member) for name, member in content.items()}}
        case _:
            return value


def item_from_event(image: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: value_from_event(value) for name, value in image.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the stream, understood. ``image`` is None for a deletion; ``earlier`` is what it made needless."""

    position: int
    version: str
    keys: Item
    image: Item | None
    marker: str
    source_at: int
    size_bytes: int
    record: Mapping[str, Any]
    earlier: Change | None = None


def change_of(record: Mapping[str, Any], position: int) -> Change:
    """Raises whatever a malformed record provokes; the caller sets it aside."""
    data = record["dynamodb"]
    keys = item_from_event(data["Keys"])
    deleted = record["eventName"] == "REMOVE"
    if not deleted and "NewImage" not in data:
        raise Poison("no NewImage: the stream's view type must be NEW_IMAGE or NEW_AND_OLD_IMAGES")
    return Change(
        position=position,
        version=version_of(stream_label(record), data["SequenceNumber"]),
        keys=keys,
        image=None if deleted else item_from_event(data["NewImage"]),
        marker=marker_id(keys),
        source_at=int(data.get("ApproximateCreationDateTime", 0)),
        size_bytes=int(data.get("SizeBytes", LARGEST_ITEM_BYTES)),
        record=record,
    )


def stream_label(record: Mapping[str, Any]) -> str:
    """The label at the end of ``arn:…:table/<name>/stream/<label>``."""
    return str(record["eventSourceARN"]).rpartition("/")[2]


def waves(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Changes in the order of their item, no item twice in a wave. Puts that the next put replaces are left out."""
    by_marker: dict[str, list[Change]] = {}
    for change in changes:
        queue = by_marker.setdefault(change.marker, [])
        if queue and queue[-1].image is not None and change.image is not None:
            queue[-1] = replace(change, earlier=queue[-1])
        else:
            queue.append(change)
    depth = max(map(len, by_marker.values()), default=0)
    for level in range(depth):
        yield [queue[level] for queue in by_marker.values() if level < len(queue)]


def transactions(wave: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut a wave to what fits into one transaction."""
    chunk: list[Change] = []
    size = 0
    for change in wave:
        if chunk and (len(chunk) == CHANGES_PER_TRANSACTION or size + change.size_bytes > BYTES_PER_TRANSACTION):
            yield chunk
            chunk, size = [], 0
        chunk.append(change)
        size += change.size_bytes
    if chunk:
        yield chunk


# --- Applying ------------------------------------------------------------------------------------------------------


def write_actions(
    copy_table: str, marker_table: str, *, keys: Item, image: Item | None, marker: str, version: str, expires_at: int
) -> list[dict[str, Any]]:
    """The two actions of one change: the item, and its marker on the condition that it is older.

    ``expires_at``: epoch seconds at which the marker of a deletion may go; unused for a put.
    """
    row: dict[str, Any] = {"id": {"S": marker}, "version": {"S": version}}
    if image is None:
        row["expires_at"] = {"N": str(expires_at)}
        item_action: dict[str, Any] = {"Delete": {"TableName": copy_table, "Key": keys}}
    else:
        item_action = {"Put": {"TableName": copy_table, "Item": image}}
    marker_action = {
        "TableName": marker_table,
        "Item": row,
        "ConditionExpression": NEWER,
        "ExpressionAttributeNames": MARKER_NAMES,
        "ExpressionAttributeValues": {":v": {"S": version}},
    }
    return [item_action, {"Put": marker_action}]


class Applier:
    """Writes changes to the copy, conditionally. Used by the function, the backfill and the redrive alike."""

    def __init__(self, client: Any, copy_table: str, marker_table: str, tombstone_hours: float = 72.0) -> None:
        self._client = client
        self._copy_table = copy_table
        self._marker_table = marker_table
        self._tombstone_seconds = int(tombstone_hours * 3600)

    def apply(self, changes: Sequence[Change], on_poison: Callable[[Change, Exception], None]) -> int:
        """Apply changes of different items; returns how many were written, the others having been overtaken.

        Raises Retryable when some of them must come again; those that went through stay.
        """
        written = 0
        pending = list(changes)
        for attempt in range(ATTEMPTS):
            try:
                self._transact(pending)
                return written + len(pending)
            except ClientError as error:
                reasons = _reasons(error, len(pending))
                if reasons is None:
                    if error.response["Error"]["Code"] not in PERMANENT_ERRORS:
                        raise Retryable(str(error)) from error
                    return written + self._split(pending, on_poison, error)
                blamed = list(zip(pending, reasons, strict=True))
                for change in [change for change, why in blamed if why == "permanent"]:
                    if len(pending) == 1:
                        on_poison(change, error)
                    else:
                        written += self.apply([change], on_poison)
                pending = [change for change, why in blamed if why == "passing"]
                if not pending:
                    return written
                if len(pending) == len(blamed):
                    _back_off(attempt, pending[0].version)
            except ParamValidationError as error:
                return written + self._split(pending, on_poison, error)
            except BotoCoreError as error:
                raise Retryable(f"{type(error).__name__}: {error}") from error
            except Exception as error:  # noqa: BLE001 - whatever one record provokes must not block its shard.
                return written + self._split(pending, on_poison, error)
        return written + self._one_by_one(pending, on_poison)

    def _one_by_one(self, pending: list[Change], on_poison: Callable[[Change, Exception], None]) -> int:
        if len(pending) == 1:
            raise Retryable(f"the transaction for {pending[0].version} was cancelled {ATTEMPTS} times")
        return sum(self.apply([change], on_poison) for change in pending)

    def _split(self, changes: list[Change], on_poison: Callable[[Change, Exception], None], error: Exception) -> int:
        """Narrow down which change the whole transaction was refused for."""
        if len(changes) == 1:
            on_poison(changes[0], error)
            return 0
        middle = len(changes) // 2
        return self.apply(changes[:middle], on_poison) + self.apply(changes[middle:], on_poison)

    def _transact(self, changes: Iterable[Change]) -> None:
        expires_at = int(time.time()) + self._tombstone_seconds
        actions: list[dict[str, Any]] = []
        for change in changes:
            actions += write_actions(
                self._copy_table,
                self._marker_table,
                keys=change.keys,
                image=change.image,
                marker=change.marker,
                version=change.version,
                expires_at=expires_at,
            )
        self._client.transact_write_items(TransactItems=actions)

    def mark_set_aside(self, marker: str, version: str) -> None:
        """From now on nothing older than this is applied to the item, and its marker does not expire."""
        try:
            self._client.update_item(
                TableName=self._marker_table,
                Key={"id": {"S": marker}},
                UpdateExpression="SET #aside = :v REMOVE expires_at",
                ConditionExpression=NEWER,
                ExpressionAttributeNames=MARKER_NAMES,
                ExpressionAttributeValues={":v": {"S": version}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def _reasons(error: ClientError, count: int) -> list[Reason] | None:
    """Per change, what stands in its way; None when the error was not a cancellation."""
    response: Mapping[str, Any] = error.response
    listed = response.get("CancellationReasons", [])
    if response["Error"]["Code"] != "TransactionCanceledException" or len(listed) != 2 * count:
        return None
    codes = [reason.get("Code", "None") for reason in listed]
    return [_reason({codes[2 * index], codes[2 * index + 1]}) for index in range(count)]


def _reason(codes: set[str]) -> Reason:
    if "ConditionalCheckFailed" in codes:
        return "overtaken"
    return "permanent" if codes & PERMANENT_REASONS else "passing"


def _back_off(attempt: int, version: str) -> None:
    # Spread by the version rather than at random, so that a simulated run repeats exactly.
    spread = int(hashlib.sha256(version.encode()).hexdigest()[:4], 16) / 0xFFFF
    time.sleep(0.05 * 2**attempt * (0.5 + spread))


# --- The function --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settings:
    """What the function needs to know, each from the environment variable of the same name, ``DRILLS_…``."""

    copy_table: str
    marker_table: str
    vault_account: str
    vault_region: str
    vault_role_arn: str
    external_id: str
    aside_bucket: str
    aside_prefix: str
    stream_label: str
    """Records of a stream before this one are dropped: the backfill for this label covers them."""
    tombstone_hours: str = "72"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        names = cls.__dataclass_fields__
        given = {name: environment[variable] for name in names if (variable := f"DRILLS_{name.upper()}") in environment}
        return cls(**given)

    def as_environment(self) -> dict[str, str]:
        return {f"DRILLS_{name.upper()}": getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Vault:
    """Clients with the vault role's credentials, until they expire."""

    session: boto3.Session
    expires_at: datetime

    @cached_property
    def dynamodb(self) -> Any:
        return self.session.client("dynamodb", config=CLIENT_CONFIG)

    @cached_property
    def s3(self) -> Any:
        """Made when the first record is set aside: a client costs more than a batch."""
        return self.session.client("s3", config=CLIENT_CONFIG)


_vaults: dict[Settings, Vault] = {}
_own_clients: dict[tuple[str, str], Any] = {}
"""By service and the access key they were made with."""
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=10, max_pool_connections=4
)


def vault(settings: Settings) -> Vault:
    """The vault's clients, from the role that trusts this function; kept between invocations."""
    known = _vaults.get(settings)
    if known is not None and known.expires_at - datetime.now(UTC) > timedelta(minutes=5):
        return known
    answer = own_client("sts").assume_role(
        RoleArn=settings.vault_role_arn, RoleSessionName="drills-stream-copy", ExternalId=settings.external_id
    )["Credentials"]
    session = boto3.Session(
        answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], region_name=settings.vault_region
    )
    _vaults[settings] = Vault(session, answer["Expiration"])
    return _vaults[settings]


def own_client(service: str) -> Any:
    """A client with the function's own role, made once."""
    key = (service, os.environ.get("AWS_ACCESS_KEY_ID", ""))
    if key not in _own_clients:
        # A session of its own: the process-wide default one would keep the credentials of an earlier environment.
        _own_clients[key] = boto3.Session().client(service, config=CLIENT_CONFIG)  # type: ignore[call-overload]
    return _own_clients[key]


class Copier:
    """One invocation: a batch of one shard's records."""

    def __init__(self, settings: Settings, clients: Vault, function: str, seconds_left: Callable[[], float]) -> None:
        self._settings = settings
        self._clients = clients
        self._function = function
        self._seconds_left = seconds_left
        self._applier = Applier(
            clients.dynamodb, settings.copy_table, settings.marker_table, float(settings.tombstone_hours)
        )
        self._set_aside = 0

    def copy(self, records: Sequence[Mapping[str, Any]]) -> int | None:
        """Apply a batch. Returns the position of the first record that must come again, None when all is done."""
        done: set[int] = set()
        newest: Change | None = None
        try:
            changes = self._understand(records, done)
            for wave in waves(changes):
                for chunk in transactions(wave):
                    if self._seconds_left() < MARGIN_SECONDS:
                        raise Retryable("the function's time is nearly over")
                    self._applier.apply(chunk, self._poisoned)
                    for change in chunk:
                        done.update(_positions(change))
                        newest = max(newest or change, change, key=lambda one: one.version)
        except Retryable as error:
            LOG.warning("%d of %d records to come again: %s", len(records) - len(done), len(records), error)
        if newest is not None:
            self._tell_state(newest)
        if self._set_aside:
            self._tell_alarm()
        return next((position for position in range(len(records)) if position not in done), None)

    def _understand(self, records: Sequence[Mapping[str, Any]], done: set[int]) -> list[Change]:
        changes = []
        for position, record in enumerate(records):
            try:
                if stream_label(record) < self._settings.stream_label:
                    done.add(position)
                    continue
                changes.append(change_of(record, position))
            except Exception as error:  # noqa: BLE001 - a record that cannot be understood must not block its shard.
                self._store_aside(record, error)
                self._mark_if_named(record)
                done.add(position)
        return changes

    def _mark_if_named(self, record: Mapping[str, Any]) -> None:
        try:
            data = record["dynamodb"]
            marker = marker_id(item_from_event(data["Keys"]))
            version = version_of(stream_label(record), data["SequenceNumber"])
        except Exception:  # noqa: BLE001 - a record that does not even name its item has no marker.
            return
        self._mark(marker, version)

    def _mark(self, marker: str, version: str) -> None:
        try:
            self._applier.mark_set_aside(marker, version)
        except (ClientError, BotoCoreError) as failure:
            raise Retryable(f"could not mark {version} as set aside: {failure}") from failure

    def _poisoned(self, change: Change, error: Exception) -> None:
        if change.earlier is not None:
            self._applier.apply([change.earlier], self._poisoned)
        self._store_aside(change.record, error)
        self._mark(change.marker, change.version)

    def _store_aside(self, record: Mapping[str, Any], error: Exception) -> None:
        body = json.dumps(aside_document(record, error), ensure_ascii=False, indent=1, default=str)
        try:
            self._clients.s3.put_object(
                Bucket=self._settings.aside_bucket,
                Key=aside_key(self._settings.aside_prefix, record),
                Body=body.encode("utf-8", "surrogatepass"),
                ContentType="application/json",
                ExpectedBucketOwner=self._settings.vault_account,
            )
        except (ClientError, BotoCoreError) as failure:
            raise Retryable(f"could not set a record aside: {failure}") from failure
        self._set_aside += 1
        LOG.error("set aside %s: %s: %s", aside_key("", record), type(error).__name__, error)

    def _tell_alarm(self) -> None:
        dimensions = [{"Name": "FunctionName", "Value": self._function}]
        data = {"MetricName": "RecordsSetAside", "Value": self._set_aside, "Unit": "Count", "Dimensions": dimensions}
        try:
            own_client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=[data])
        except (ClientError, BotoCoreError) as failure:
            # The records are safe and the vault counts them; holding the shard up for a metric would help nobody.
            LOG.error("could not tell the alarm of %d records set aside: %s", self._set_aside, failure)

    def _tell_state(self, newest: Change) -> None:
        try:
            tell_state(self._clients.dynamodb, self._settings.marker_table, newest)
        except (ClientError, BotoCoreError) as failure:
            LOG.warning("could not write the state of the copy: %s", failure)


def _positions(change: Change) -> Iterator[int]:
    one: Change | None = change
    while one is not None:
        yield one.position
        one = one.earlier


def aside_key(prefix: str, record: Mapping[str, Any]) -> str:
    """``<prefix><table>/<stream label>/<sequence>.json``, or a digest of the record where it has none of these."""
    try:
        table = str(record["eventSourceARN"]).split("/")[1]
        label = stream_label(record).replace(":", "-")
        return f"{prefix}{table}/{label}/{record['dynamodb']['SequenceNumber'].zfill(SEQUENCE_DIGITS)}.json"
    except Exception:  # noqa: BLE001 - the record may be anything.
        digest = hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()
        return f"{prefix}unreadable/{digest}.json"


def aside_document(record: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """What is set aside: why, the item as people read it, and the record itself, complete."""
    data = record.get("dynamodb", {}) if isinstance(record, Mapping) else {}
    return {
        "reason": f"{type(error).__name__}: {error}",
        "set_aside_at": datetime.now(UTC).isoformat(),
        "item": data.get("NewImage") if isinstance(data, Mapping) else None,
        "record": record,
    }


def tell_state(client: Any, marker_table: str, newest: Change) -> None:
    """Write how far the copy has come, so that the vault alone can tell. One call; two after a long silence."""
    now = datetime.now(UTC)
    try:
        answer = client.update_item(
            TableName=marker_table,
            Key={"id": {"S": STATE_ROW}},
            UpdateExpression="SET newest_version = :v, newest_source_at = :t, seen_at = :now",
            ConditionExpression="attribute_not_exists(newest_version) OR newest_version < :v",
            ExpressionAttributeValues={
                ":v": {"S": newest.version},
                ":t": {"N": str(newest.source_at)},
                ":now": {"N": str(int(now.timestamp()))},
            },
            ReturnValues="UPDATED_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return
    _tell_silence(client, marker_table, answer, now)


def _tell_silence(client: Any, marker_table: str, answer: Mapping[str, Any], now: datetime) -> None:
    seen_before = int(answer.get("Attributes", {}).get("seen_at", {"N": "0"})["N"])
    if seen_before and now.timestamp() - seen_before > CONTINUITY_SECONDS:
        client.update_item(
            TableName=marker_table,
            Key={"id": {"S": STATE_ROW}},
            UpdateExpression="SET unseen_from = if_not_exists(unseen_from, :from), unseen_to = :to",
            ExpressionAttributeValues={":from": {"N": str(seen_before)}, ":to": {"N": str(int(now.timestamp()))}},
        )


def tell_seen(client: Any, marker_table: str) -> None:
    """Note that the copy is at work though nothing was written: tells a quiet table from a copy that stopped."""
    now = datetime.now(UTC)
    answer = client.update_item(
        TableName=marker_table,
        Key={"id": {"S": STATE_ROW}},
        UpdateExpression="SET seen_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(now.timestamp()))}},
        ReturnValues="UPDATED_OLD",
    )
    _tell_silence(client, marker_table, answer, now)


def heartbeat(settings: Settings, function_arn: str) -> bool:
    """On a schedule: tell the vault that the function is still fed. False, and nothing told, when it is not."""
    mappings = own_client("lambda").list_event_source_mappings
    fed = any(
        mapping["State"] in ("Enabled", "Enabling", "Updating")
        and mapping["EventSourceArn"].endswith(settings.stream_label)
        for mapping in mappings(FunctionName=function_arn)["EventSourceMappings"]
    )
    if fed:
        tell_seen(vault(settings).dynamodb, settings.marker_table)
    return fed


def handler(event: Mapping[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Entry point. Answers with the first record that must come again; Lambda then repeats it and those after it."""
    settings = Settings.from_environment(os.environ)
    if event.get("drills") == "heartbeat":
        heartbeat(settings, str(context.invoked_function_arn))
        return {"batchItemFailures": []}
    records: list[dict[str, Any]] = event["Records"]
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 60_000)
    function = str(getattr(context, "function_name", "stream-copy"))
    try:
        copier = Copier(settings, vault(settings), function, lambda: remaining() / 1000)
    except (ClientError, BotoCoreError) as error:
        LOG.warning("the vault cannot be reached: %s", error)
        first: int | None = 0
    else:
        first = copier.copy(records)
    if first is None:
        return {"batchItemFailures": []}
    # What failed may have been the credentials: the next attempt begins with new ones.
    _vaults.pop(settings, None)
    return {"batchItemFailures": [{"itemIdentifier": _identifier(records[first])}]}


def _identifier(record: Mapping[str, Any]) -> str:
    # An empty identifier makes Lambda repeat the whole batch, which is right for a record without a number.
    return str(record.get("dynamodb", {}).get("SequenceNumber", ""))
