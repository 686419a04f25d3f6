"""Copies one table into another, whoever owns either: parallel scan, batch write, values byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock
from drills.errors import ProtectionError
from drills.handlers.stream_copy import Item
from drills.stream_copy.images import size_bytes

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


def refill(
    source: Any,
    source_table: str,
    target: Any,
    target_table: str,
    clock: Clock,
    *,
    workers: int = 8,
    progress: Callable[[int], None] = lambda copied: None,
) -> int:
    """Copy all items; returns how many. ``source`` and ``target`` are DynamoDB clients of their accounts.

    Raises ProtectionError when the target goes on refusing. ``progress`` is told the count of each page.
    """

    def one(segment: int) -> int:
        copied = 0
        for items in _pages(source, source_table, segment, workers):
            for batch in batches(items):
                _write(target, target_table, batch, clock)
            copied += len(items)
            progress(len(items))
        return copied

    if workers == 1:
        return one(0)
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(one, range(workers)))


def _pages(client: Any, table: str, segment: int, segments: int) -> Iterator[Sequence[Item]]:
    request: dict[str, Any] = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": segments,
        "ConsistentRead": True,
    }
    while True:
        answer = client.scan(**request)
        yield answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Cut items to what one batch write takes."""
    batch: list[Item] = []
    size = 0
    for item in items:
        item_bytes = size_bytes(item)
        if batch and (len(batch) == ITEMS_PER_BATCH or size + item_bytes > BYTES_PER_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item_bytes
    if batch:
        yield batch


def _write(target: Any, table: str, batch: Sequence[Item], clock: Clock) -> None:
    requests: list[Any] = [{"PutRequest": {"Item": item}} for item in batch]
    for attempt in range(ROUNDS):
        try:
            answer = target.batch_write_item(RequestItems={table: requests})
            requests = answer.get("UnprocessedItems", {}).get(table, [])
        except ClientError as error:
            if error.response["Error"]["Code"] not in THROTTLED:
                raise
        if not requests:
            return
        clock.sleep(min(LONGEST_WAIT_SECONDS, 0.1 * 2**attempt))
    raise ProtectionError(
        f"{table} refused {len(requests)} items {ROUNDS} times over; expected it to take them within minutes. "
        "Raise its write capacity (warm throughput for an on-demand table) and restore again."
    )
