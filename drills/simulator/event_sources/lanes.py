"""One lane of one shard: reads it in order, hands batches to the function, and retries what failed.

A shard has as many lanes as the parallelization factor says; each has the keys of some hashes, so that the records of
one item stay in order. Source: Lambda developer guide, Using Lambda with Amazon DynamoDB.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from drills.simulator.dynamodb.shards import Shard
from drills.simulator.dynamodb.stream_records import record_json
from drills.simulator.event_sources.batches import PAYLOAD_BYTES, Batch, Record

if TYPE_CHECKING:
    from drills.clock import Event
    from drills.simulator.event_sources.feeds import Feed

POLL_EVERY = timedelta(seconds=0.25)
RECORDS_PER_POLL = 1000
RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 60.0
"""Between attempts at a batch: doubling. AWS does not publish it."""
BLOCKED_SECONDS = 60.0
"""Until a source that may not be read is looked at again. AWS does not publish it."""


class Lane:
    """Some of the keys of one shard."""

    def __init__(self, feed: Feed, shard: Shard, number: int, position: int) -> None:
        self.feed = feed
        self.shard = shard
        self.number = number
        self.position = position
        """The checkpoint: every record before this sequence number is done with."""
        self._parts: list[Batch] = []
        """What failed, cut as bisection says, in order; before anything else is read."""
        self._due: Event | None = None
        self._busy = False
        self._next_poll = feed.clock.now()
        self._window_ends = feed.clock.now()
        self._gathering = False

    # --- When

    def wake(self) -> None:
        """There is, or may be, something to read."""
        if self._busy:
            return
        if self._due is not None:
            if self._gathering and self._is_full():
                self._schedule(self.feed.poll_seconds)
            return
        self._schedule(self.feed.poll_seconds)

    def _schedule(self, seconds: float) -> None:
        if self._due is not None:
            self._due.cancel()
        clock = self.feed.clock
        at = max(clock.now() + timedelta(seconds=seconds), self._next_poll)
        self._due = clock.call_at(at, self._turn)

    def stop(self) -> None:
        """Nothing more of this lane happens; what was in flight is forgotten, the checkpoint is not."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._parts.clear()
        self._gathering = False

    # --- What there is

    def has_work(self) -> bool:
        self._skim()
        return bool(self._parts) or bool(self.shard.sequences and self.shard.sequences[-1] >= self.position)

    def finished(self) -> bool:
        """Whether the shard is closed and nothing of it is left for this lane."""
        return self.shard.ending is not None and not self._busy and not self.has_work()

    def _mine(self, index: int) -> bool:
        return self.shard.hashes[index] % self.feed.lanes == self.number

    def _skim(self) -> None:
        """Move the checkpoint over records that are other lanes'."""
        if self.feed.lanes == 1 or self._parts:
            return
        sequences = self.shard.sequences
        for index in range(self.shard.index_of(self.position), len(sequences)):
            if self._mine(index):
                return
            self.position = sequences[index] + 1

    def _is_full(self) -> bool:
        waiting = len(self.shard.sequences) - self.shard.index_of(self.position)
        return waiting >= self.feed.settings.batch_size

    # --- One turn

    def _turn(self) -> None:
        self._due = None
        feed = self.feed
        if self._busy or not feed.runs or not feed.may_begin(self.shard):
            return
        feed.stream.refresh(feed.clock.now())
        wait = feed.blocked_seconds() if self.has_work() else None
        if wait is None:
            self._busy = True
            try:
                wait = self._work()
            finally:
                self._busy = False
        self._next_poll = feed.clock.now() + POLL_EVERY
        if not feed.runs:
            return
        if wait is not None and wait >= 0:
            self._schedule(wait)
        elif self.has_work():
            self._schedule(0.0)
        elif self.finished():
            feed.wake_all()

    def _work(self) -> float | None:
        """Hand over what is there. Seconds to wait when a batch has to wait, None when all of a poll is handed over."""
        left = RECORDS_PER_POLL
        while self.feed.runs and (self._parts or left > 0):
            if self._parts:
                batch: Batch | None = self._parts.pop(0)
            else:
                batch = self._gather()
                if batch is not None:
                    seconds = self._waits_to_fill(batch)
                    if seconds > 0:
                        return seconds
                    left -= len(batch.records)
            if batch is None:
                return None
            batch = self._without_expired(batch)
            if not batch.records:
                self._done(batch)
                continue
            wait = self._hand_over(batch)
            if wait is not None:
                return wait
        return None

    def _gather(self) -> Batch | None:
        """The next records of this lane that pass the filters; None when there are none."""
        shard, settings = self.shard, self.feed.settings
        found: list[Record] = []
        size, end = 0, self.position
        for index in range(shard.index_of(self.position), len(shard.sequences)):
            if len(found) == settings.batch_size:
                break
            sequence, change = shard.sequences[index], shard.changes[index]
            if self._mine(index):
                raw, _ = record_json(self.feed.stream, sequence, change, for_function=True)
                if self._passes(raw):
                    if found and size + len(raw) > PAYLOAD_BYTES:
                        break
                    size += len(raw) + 1
                    found.append(Record(sequence, change.at, raw))
            end = sequence + 1
        if not found:
            self.position = max(self.position, end)
            return None
        return Batch(tuple(found), end)

    def _passes(self, raw: bytes) -> bool:
        filters = self.feed.settings.filters
        if not filters:
            return True
        record = orjson.loads(raw)
        return any(one.fits(record) for one in filters)

    def _waits_to_fill(self, batch: Batch) -> float:
        """Seconds for which the batch may still fill; 0 when its time has come."""
        settings, now = self.feed.settings, self.feed.clock.now()
        if settings.window_seconds == 0 or len(batch.records) >= settings.batch_size or self.shard.ending is not None:
            self._gathering = False
            return 0.0
        if not self._gathering:
            self._gathering = True
            self._window_ends = now + timedelta(seconds=settings.window_seconds)
        left = (self._window_ends - now).total_seconds()
        if left <= 0:
            self._gathering = False
        return max(0.0, left)

    def _without_expired(self, batch: Batch) -> Batch:
        """Give up the records at the front that are too old for the mapping, and forget those the stream lost."""
        kept = next((n for n, r in enumerate(batch.records) if r.sequence > self.shard.trimmed_through), None)
        if kept is None:
            return Batch((), batch.end)
        batch = batch if kept == 0 else Batch(batch.records[kept:], batch.end, batch.attempts, batch.failures)
        age = self.feed.settings.record_age_seconds
        if age < 0:
            return batch
        horizon = self.feed.clock.now() - timedelta(seconds=age)
        old = next((n for n, r in enumerate(batch.records) if r.at > horizon), len(batch.records))
        if old == 0:
            return batch
        end = batch.end if old == len(batch.records) else batch.records[old].sequence
        self.feed.give_up(self.shard, Batch(batch.records[:old], end, batch.attempts, batch.failures), None)
        return Batch(batch.records[old:], batch.end, batch.attempts, batch.failures)

    # --- One batch

    def _done(self, batch: Batch) -> None:
        self.position = max(self.position, batch.end)

    def _hand_over(self, batch: Batch) -> float | None:
        """Invoke the function once. Seconds until the next attempt when it must come again."""
        verdict = self.feed.invoke(batch)
        if verdict.succeeded:
            self._done(batch)
            return None
        if verdict.blocked:
            self._parts.insert(0, batch.tried(counts=False))
            return _delay(batch)
        settings = self.feed.settings
        if verdict.first_failure is not None:
            rest = batch.rest_from(verdict.first_failure)
            self.position = max(self.position, rest.records[0].sequence)
            return self._again([rest.tried()], verdict.payload)
        if settings.bisect and len(batch.records) > 1:
            first, second = batch.halves()
            self._parts[:0] = [first.tried(counts=False), second]
            return _delay(batch)
        return self._again([batch.tried()], verdict.payload)

    def _again(self, parts: list[Batch], payload: bytes | None) -> float | None:
        """Retry, or give the first part up where it has been retried enough."""
        first, retries = parts[0], self.feed.settings.retries
        if 0 <= retries < first.attempts:
            self.feed.give_up(self.shard, first, payload)
            self._done(first)
            return None
        self._parts[:0] = parts
        return _delay(first)


def _delay(batch: Batch) -> float:
    return float(min(LONGEST_RETRY_SECONDS, RETRY_SECONDS * 2 ** min(batch.failures, 10)))
