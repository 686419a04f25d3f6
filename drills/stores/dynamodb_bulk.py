"""Reading and writing many items: page by page, and batch by batch until all of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock
from drills.errors import ProtectionError
from drills.stores.dynamodb_items import Item, item_bytes

ITEMS_PER_BATCH = 25
BYTES_PER_BATCH = 14_000_000
"""Below the 16 MB of a request. Source: DynamoDB API reference, BatchWriteItem."""
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
    }
)
ROUNDS = 12
LONGEST_WAIT_SECONDS = 20.0


def scan_pages(client: Any, table: str, segment: int = 0, segments: int = 1, **more: Any) -> Iterator[Sequence[Item]]:
    """The items of a table, or of one segment of it, consistently read. ``more`` goes into each Scan."""
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, **more}
    if segments > 1:
        request |= {"Segment": segment, "TotalSegments": segments}
    while True:
        answer = client.scan(**request)
        yield answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut items, or keys, to what one batch write takes."""
    batch: list[Item] = []
    size = 0
    for item in items:
        bytes_ = item_bytes(item)
        if batch and (len(batch) == ITEMS_PER_BATCH or size + bytes_ > BYTES_PER_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += bytes_
    if batch:
        yield batch


def put_all(client: Any, table: str, items: Iterable[Item], clock: Clock) -> int:
    """Put items into a table; returns how many. Raises ProtectionError when the table goes on refusing."""
    written = 0
    for batch in batches(items):
        write_batch(client, table, [{"PutRequest": {"Item": item}} for item in batch], clock)
        written += len(batch)
    return written


def delete_all(client: Any, table: str, keys: Iterable[Item], clock: Clock) -> int:
    """Delete keys from a table, whether they exist or not; returns how many. Raises as ``put_all``."""
    deleted = 0
    for batch in batches(keys):
        write_batch(client, table, [{"DeleteRequest": {"Key": key}} for key in batch], clock)
        deleted += len(batch)
    return deleted


def write_batch(client: Any, table: str, requests: Sequence[Mapping[str, Any]], clock: Clock) -> None:
    """Send one batch until all of it is stored."""
    left = list(requests)
    for attempt in range(ROUNDS):
        try:
            answer = client.batch_write_item(RequestItems={table: left})
            left = answer.get("UnprocessedItems", {}).get(table, [])
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                raise
        if not left:
            return
        clock.sleep(min(LONGEST_WAIT_SECONDS, 0.1 * 2**attempt))
    raise ProtectionError(
        f"{table} refused {len(left)} items {ROUNDS} times over; expected it to take them within minutes. "
        "Raise its write capacity (warm throughput for an on-demand table) and try again."
    )
