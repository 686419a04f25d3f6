"""Writing changes to the copy, each with its marker, on the condition that nothing newer was written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from .changes import Change, Item
from .errors import Retryable

Reason = Literal["overtaken", "permanent", "passing"]
ATTEMPTS = 4
NEWER = "(attribute_not_exists(#version) OR #version < :v) AND (attribute_not_exists(#aside) OR #aside <= :v)"
"""True where nothing newer was applied or set aside."""
MARKER_NAMES = {"#version": "version", "#aside": "aside"}
PERMANENT_ERRORS = frozenset(
    {"ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException"}
)
PERMANENT_REASONS = frozenset({"ValidationError", "ItemCollectionSizeLimitExceeded"})


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
