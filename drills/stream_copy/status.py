"""How old and how whole a copy is: from the vault alone, and from both sides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock
from drills.handlers.stream_copy import CONTINUITY_SECONDS, STATE_ROW
from drills.stores.dynamodb_recovery import recovery_window
from drills.stream_copy.drift import drift
from drills.stream_copy.isolation import exposed
from drills.stream_copy.model import Clients, StreamCopy
from drills.stream_copy.production_side import describe_source, feeds, queue_url
from drills.stream_copy.rows import BackfillState, covered_by, moment, read_row

WINDOW_SLACK = timedelta(minutes=5)
"""How much later than it was asked for a recovery window may begin."""


@dataclass(frozen=True, slots=True)
class VaultState:
    """What the vault knows by itself, production gone or not."""

    newest_version: str | None
    """``label#sequence`` of the newest record applied, None before the first."""
    newest_source_at: datetime | None
    """When that record was written at the source; to the second."""
    seen_at: datetime | None
    """When the copy was last seen at work, be it on a quiet table."""
    unseen: tuple[datetime, datetime] | None
    """A silence so long that the stream may have dropped records meanwhile."""
    backfill: BackfillState | None
    set_aside: int
    """Records set aside and not yet redriven, counted up to 1,000."""

    @property
    def as_of(self) -> datetime | None:
        """As of when the live copy is: its newest record, or the backfill where nothing came since."""
        known = [
            self.newest_source_at,
            self.backfill.finished_at and self.backfill.started_at if self.backfill else None,
        ]
        return max((time for time in known if time is not None), default=None)


@dataclass(frozen=True, slots=True)
class Status:
    """Both sides together. ``gaps``: why something may be missing, each asking for ``repair`` and a backfill."""

    vault: VaultState
    gaps: tuple[str, ...]
    lag_seconds: float
    """How long the oldest record that is still to be applied has waited; 0 when there is none."""
    given_up: int
    """Messages in the failure queue."""
    feed: str
    """State of the event source mapping, ``missing`` where there is none."""
    unprotected: tuple[str, ...]
    """What is not as it should be about the copy's own protection."""
    drift: tuple[str, ...]
    """What is no longer as it was deployed."""
    exposed: tuple[str, ...]
    """Roles of the vault by which production could destroy the copy."""


def vault_state(copy: StreamCopy, clients: Clients) -> VaultState:
    """From the vault's tables and bucket alone."""
    dynamodb = clients("vault", "dynamodb")
    row = read_row(dynamodb, copy.marker_table, STATE_ROW)
    silence = moment(row, "unseen_from"), moment(row, "unseen_to")
    listed = clients("vault", "s3").list_objects_v2(Bucket=copy.bucket, Prefix=copy.aside_prefix)
    return VaultState(
        newest_version=row["newest_version"]["S"] if "newest_version" in row else None,
        newest_source_at=moment(row, "newest_source_at"),
        seen_at=moment(row, "seen_at"),
        unseen=(silence[0], silence[1]) if silence[0] and silence[1] else None,
        backfill=BackfillState.read(dynamodb, copy.marker_table),
        set_aside=int(listed["KeyCount"]),
    )


def status(copy: StreamCopy, clients: Clients, clock: Clock) -> Status:
    """From both sides. Reads only."""
    vault = vault_state(copy, clients)
    source = describe_source(copy, clients)
    mappings = feeds(copy, clients)
    given_up = _given_up(copy, clients)
    gaps = _gaps(vault, source, mappings, clock)
    if given_up:
        gaps.append(f"{given_up} batches were given up; their records are in the stream for 24 h at most")
    return Status(
        vault=vault,
        gaps=tuple(gaps),
        lag_seconds=_lag_seconds(copy, clients, clock, source, vault),
        given_up=given_up,
        feed=mappings[0]["State"] if mappings else "missing",
        unprotected=_unprotected(copy, clients, clock, vault.backfill),
        drift=drift(copy, clients, source),
        exposed=exposed(copy, clients),
    )


def _gaps(vault: VaultState, source: Any, mappings: list[dict[str, Any]], clock: Clock) -> list[str]:
    gaps = []
    label = source.get("LatestStreamLabel", "")
    done = vault.backfill
    if not source.get("StreamSpecification", {}).get("StreamEnabled"):
        gaps.append("the stream is off: what is written now is not copied")
    if done is None or done.finished_at is None:
        gaps.append("no backfill was ever finished: what the table held before is not copied")
    elif done.label != label:
        gaps.append(
            f"the stream is {label or 'gone'}, but the copy was backfilled for {done.label}: it was off between"
        )
    if [m["EventSourceArn"] for m in mappings] != [source.get("LatestStreamArn")]:
        gaps.append("the function is not fed from the table's present stream")
    elif mappings[0]["State"] not in ("Enabled", "Enabling", "Updating", "Creating"):
        gaps.append(_stopped(vault, mappings[0]["State"], clock))
    if vault.unseen is not None and (done is None or not covered_by(done.label, vault.unseen[1])):
        gaps.append(
            f"the copy was not seen at work from {vault.unseen[0]:%Y-%m-%d %H:%M} to {vault.unseen[1]:%Y-%m-%d %H:%M}, "
            "longer than a stream keeps its records"
        )
    return gaps


def _stopped(vault: VaultState, state: str, clock: Clock) -> str:
    seen = vault.seen_at
    if seen is not None and clock.now() - seen < timedelta(seconds=CONTINUITY_SECONDS):
        left_hours = 24 - (clock.now() - seen).total_seconds() / 3600
        return f"the event source mapping is {state}; records are lost in {left_hours:.0f} h unless it is enabled"
    return f"the event source mapping is {state} and was so for longer than a stream keeps its records"


def _given_up(copy: StreamCopy, clients: Clients) -> int:
    url = queue_url(copy, clients)
    if url is None:
        return 0
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = clients("production", "sqs").get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    return sum(int(counts.get(name, 0)) for name in wanted)


def _lag_seconds(copy: StreamCopy, clients: Clients, clock: Clock, source: Any, vault: VaultState) -> float:
    """How long the oldest record numbered after the newest applied one has waited."""
    arn = source.get("LatestStreamArn")
    if not arn or not source.get("StreamSpecification", {}).get("StreamEnabled"):
        return 0.0
    streams = clients("production", "dynamodbstreams")
    label, _, number = (vault.newest_version or "").partition("#")
    applied = int(number) if label == source.get("LatestStreamLabel") and number else -1
    waiting: list[datetime] = []
    for shard in _shards(streams, arn):
        ending = shard["SequenceNumberRange"].get("EndingSequenceNumber")
        if ending is not None and int(ending) <= applied:
            continue
        first = _first_after(streams, arn, shard["ShardId"], applied)
        if first is not None:
            waiting.append(first)
    if not waiting:
        return 0.0
    return max(0.0, (clock.now() - min(waiting)).total_seconds())


def _shards(streams: Any, arn: str) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = []
    request: dict[str, Any] = {"StreamArn": arn}
    while True:
        found = streams.describe_stream(**request)["StreamDescription"]
        shards += found["Shards"]
        if "LastEvaluatedShardId" not in found:
            return shards
        request["ExclusiveStartShardId"] = found["LastEvaluatedShardId"]


def _first_after(streams: Any, arn: str, shard: str, applied: int) -> datetime | None:
    """When the first record with a greater number than ``applied`` was written, None when there is none."""
    place = {"StreamArn": arn, "ShardId": shard}
    try:
        if applied < 0:
            iterator = streams.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")
        else:
            iterator = streams.get_shard_iterator(
                **place, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=str(applied)
            )
    except ClientError as error:
        # The number is another shard's, or is trimmed by now: all that this shard still has comes after it or is older.
        if error.response["Error"]["Code"] not in ("TrimmedDataAccessException", "ValidationException"):
            raise
        iterator = streams.get_shard_iterator(**place, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=iterator["ShardIterator"], Limit=1)["Records"]
    for record in records:
        if int(record["dynamodb"]["SequenceNumber"]) > applied:
            at: datetime = record["dynamodb"]["ApproximateCreationDateTime"]
            return at.astimezone(UTC)
    return None


def _unprotected(copy: StreamCopy, clients: Clients, clock: Clock, backfilled: BackfillState | None) -> tuple[str, ...]:
    dynamodb = clients("vault", "dynamodb")
    weak = [
        f"{table} is not protected from deletion"
        for table in (copy.copy_table, copy.marker_table)
        if not dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled")
    ]
    window = recovery_window(dynamodb, copy.copy_table)
    days = copy.options.recovery_period_days
    if window is None:
        weak.append(f"{copy.copy_table} has no point-in-time recovery: an erase that is copied cannot be undone")
    elif window.period_days < days:
        weak.append(f"point-in-time recovery of {copy.copy_table} reaches back {window.period_days} days, not {days}")
    elif backfilled is not None:
        # Recovery is on before anything is copied. Turned off, be it for a minute, it loses what it held.
        needed = max(backfilled.started_at, clock.now() - timedelta(days=days)) + WINDOW_SLACK
        if window.earliest > needed:
            weak.append(
                f"point-in-time recovery of {copy.copy_table} was off: it begins at {window.earliest:%Y-%m-%d %H:%M}"
            )
    return tuple(weak)
