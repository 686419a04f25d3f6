"""Batches of a shard's records, and what a function's answer says about one.

Source: Lambda developer guide, Using Lambda with Amazon DynamoDB: Configuring partial batch response.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

PAYLOAD_BYTES = 6_000_000
"""A batch ends below 6 MB. Source: Lambda developer guide, quotas: invocation payload."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the function gets it."""

    sequence: int
    at: datetime
    raw: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one lane. ``end``: the sequence number to go on from; ``attempts`` were made already."""

    records: tuple[Record, ...]
    end: int
    attempts: int = 0
    """Invocations that count against the limit of retries."""
    failures: int = 0
    """All invocations that failed, for the time until the next."""

    @property
    def event(self) -> bytes:
        return b'{"Records":[%b]}' % b",".join(record.raw for record in self.records)

    def halves(self) -> tuple[Batch, Batch]:
        """Split in two; a split does not count as a retry."""
        middle = len(self.records) // 2
        first, second = self.records[:middle], self.records[middle:]
        return Batch(first, second[0].sequence, self.attempts, self.failures), Batch(second, self.end, self.attempts)

    def rest_from(self, index: int) -> Batch:
        """Without the records before ``index``, which are done."""
        if index == 0:
            return self
        return Batch(self.records[index:], self.end)

    def tried(self, *, counts: bool = True) -> Batch:
        return replace(self, attempts=self.attempts + counts, failures=self.failures + 1)


def first_failure(batch: Batch, payload: bytes) -> int | None:
    """The index of the first record that the answer reports as failed, None where there is none.

    Nothing, null and an empty list are success. An identifier that is empty, unknown or missing fails the whole batch.
    """
    answer = orjson.loads(payload) if payload else None
    if not isinstance(answer, dict) or not answer.get("batchItemFailures"):
        return None
    listed: Any = answer["batchItemFailures"]
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        return 0
    positions = {str(record.sequence): index for index, record in enumerate(batch.records)}
    found = [positions.get(str(one.get("itemIdentifier")), 0) if isinstance(one, dict) else 0 for one in listed]
    return min(found)
