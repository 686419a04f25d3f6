"""Brings over what a table held before its stream was copied, and closes gaps: no race, no gap, resumable.

Every item is read consistently and written on the condition that nothing of this stream was applied to it: the
stream's own records are newer than the backfill, whichever comes first. An item deleted or changed meanwhile is
therefore never brought back or made stale. When something was copied before this stream, items that the source has no
more are removed from the copy in the end, under the same condition.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from drills.clock import Clock
from drills.handlers.stream_copy import STATE_ROW, Applier, Change, Item, Retryable, aside_document, transactions
from drills.stream_copy.images import change_at_beginning, keys_of, record_of
from drills.stream_copy.model import Clients, StreamCopy
from drills.stream_copy.rows import BackfillState, SegmentState, forget_gap, read_row

Progress = Callable[["Backfill"], None]
KEYS_PER_READ = 100
"""Source: DynamoDB API reference, BatchGetItem."""
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Backfill:
    """What a backfill has done so far, or in all. Items: ``overtaken`` ones were newer in the copy already."""

    label: str
    read: int = 0
    written: int = 0
    removed: int = 0
    set_aside: int = 0

    @property
    def overtaken(self) -> int:
        return self.read - self.written - self.set_aside


def backfill(
    copy: StreamCopy,
    clients: Clients,
    clock: Clock,
    label: str,
    *,
    workers: int = 4,
    segments: int = 16,
    progress: Progress = lambda so_far: None,
) -> Backfill:
    """Bring the whole source into the copy as of the beginning of stream ``label``, as ``deploy`` returned it.

    Interrupted at any point, the next call with the same label goes on where this one was; a finished one does
    nothing. Memory: one page (1 MB) per worker. ``progress`` is called after every page, from any worker.
    """
    return _Run(copy, clients, clock, label, workers, progress).run(segments)


class _Run:
    def __init__(
        self, copy: StreamCopy, clients: Clients, clock: Clock, label: str, workers: int, progress: Progress
    ) -> None:
        self.copy = copy
        self.clock = clock
        self.workers = workers
        self.progress = progress
        self.source = clients("production", "dynamodb")
        self.vault = clients("vault", "dynamodb")
        self.s3 = clients("vault", "s3")
        self.applier = Applier(self.vault, copy.copy_table, copy.marker_table, copy.options.tombstone_hours)
        self.so_far = Backfill(label)
        self.lock = threading.Lock()
        self.label = label

    def run(self, segments: int) -> Backfill:
        state = self._begin(segments)
        if state.finished_at is not None:
            return self.so_far
        description = self.vault.describe_table(TableName=self.copy.copy_table)["Table"]
        self.key_names = [part["AttributeName"] for part in description["KeySchema"]]
        self._each_segment(state, "copy", self._copy_page, self.source, self.copy.source_table)
        if not state.first:
            # An invocation that still served an older stream must have ended before its leavings are removed.
            over = state.started_at + timedelta(seconds=self.copy.options.timeout_seconds)
            self.clock.sleep((over - self.clock.now()).total_seconds())
            self._each_segment(state, "remove", self._remove_page, self.vault, self.copy.copy_table)
        replace(state, finished_at=self.clock.now()).write(self.vault, self.copy.marker_table)
        forget_gap(self.vault, self.copy.marker_table, self.label)
        return self.so_far

    def _begin(self, segments: int) -> BackfillState:
        table = self.copy.marker_table
        known = BackfillState.read(self.vault, table)
        if known is not None and known.label == self.label:
            return known
        if known is not None and known.label > self.label:
            raise ValueError(
                f"{self.copy.copy_table} was backfilled for the stream {known.label}, newer than {self.label}. "
                "Backfill with the label of the table's present stream."
            )
        newest = read_row(self.vault, table, STATE_ROW).get("newest_version", {"S": self.label})["S"]
        first = known is None and newest.startswith(self.label)
        state = BackfillState(self.label, segments, self.clock.now(), None, first)
        state.write(self.vault, table)
        return state

    def _each_segment(
        self,
        state: BackfillState,
        phase: str,
        work: Callable[[Sequence[Item]], None],
        client: Any,
        table: str,
    ) -> None:
        def one(segment: int) -> None:
            row_id = SegmentState.row_id(self.label, segment, phase)
            known = SegmentState.read(self.vault, self.copy.marker_table, row_id)
            if known.done:
                return
            for items, last_key in _pages(client, table, segment, state.segments, known.last_key):
                work(items)
                reached = SegmentState(last_key is None, last_key)
                reached.write(self.vault, self.copy.marker_table, row_id)
                self.progress(self.so_far)

        if self.workers == 1:
            for segment in range(state.segments):
                one(segment)
            return
        with ThreadPoolExecutor(self.workers) as pool:
            # Every result is asked for, so that the first failure of any segment is raised.
            list(pool.map(one, range(state.segments)))

    def _copy_page(self, items: Sequence[Item]) -> None:
        changes = (change_at_beginning(self.label, keys_of(item, self.key_names), item) for item in items)
        written = sum(self._apply(chunk) for chunk in transactions(changes))
        self._count(read=len(items), written=written)

    def _remove_page(self, items: Sequence[Item]) -> None:
        leftovers = [keys_of(item, self.key_names) for item in items]
        for start in range(0, len(leftovers), KEYS_PER_READ):
            keys = leftovers[start : start + KEYS_PER_READ]
            old = self._without_newer_marker(keys)
            there = {_identity(found) for found in self._get(self.source, self.copy.source_table, old)}
            gone = [key for key in old if _identity(key) not in there]
            changes = (change_at_beginning(self.label, key, None) for key in gone)
            self._count(removed=sum(self._apply(chunk) for chunk in transactions(changes)))

    def _without_newer_marker(self, keys: Sequence[Item]) -> list[Item]:
        by_marker = {change_at_beginning(self.label, key, None).marker: key for key in keys}
        wanted = [{"id": {"S": marker}} for marker in by_marker]
        for row in self._get(self.vault, self.copy.marker_table, wanted):
            if row.get("version", {"S": ""})["S"].partition("#")[0] >= self.label:
                del by_marker[row["id"]["S"]]
        return list(by_marker.values())

    def _get(self, client: Any, table: str, keys: Sequence[Item]) -> Iterator[Mapping[str, Any]]:
        """The items there are of these keys; whole, since a key's name may be a reserved word."""
        names = sorted(
            {name for key in keys for name in key} | ({"version"} if table == self.copy.marker_table else set())
        )
        request: dict[str, Any] = {
            "Keys": list(keys),
            "ConsistentRead": True,
            "ProjectionExpression": ", ".join(f"#n{index}" for index in range(len(names))),
            "ExpressionAttributeNames": {f"#n{index}": name for index, name in enumerate(names)},
        }
        for attempt in range(ROUNDS):
            if not request["Keys"]:
                return
            answer = client.batch_get_item(RequestItems={table: request})
            yield from answer["Responses"].get(table, [])
            request = {**request, "Keys": answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])}
            if request["Keys"]:
                self.clock.sleep(0.1 * 2**attempt)
        raise Retryable(f"{table} left {len(request['Keys'])} keys unread after {ROUNDS} attempts")

    def _apply(self, changes: Sequence[Change]) -> int:
        for attempt in range(ROUNDS):
            try:
                return self.applier.apply(changes, self._poisoned)
            except Retryable:
                if attempt == ROUNDS - 1:
                    raise
                self.clock.sleep(0.2 * 2**attempt)
        return 0

    def _poisoned(self, change: Change, error: Exception) -> None:
        stream = (
            f"arn:aws:dynamodb:{self.copy.source_region}:{self.copy.source_account}"
            f":table/{self.copy.source_table}/stream/{self.label}"
        )
        record = record_of(change, stream)
        folder = f"{self.copy.aside_prefix}{self.copy.source_table}/{self.label.replace(':', '-')}"
        self.s3.put_object(
            Bucket=self.copy.bucket,
            Key=f"{folder}/{record['eventID']}.json",
            Body=json.dumps(aside_document(record, error), ensure_ascii=False, indent=1).encode(
                "utf-8", "surrogatepass"
            ),
            ContentType="application/json",
        )
        self.applier.mark_set_aside(change.marker, change.version)
        self._count(set_aside=1)

    def _count(self, *, read: int = 0, written: int = 0, removed: int = 0, set_aside: int = 0) -> None:
        with self.lock:
            now = self.so_far
            self.so_far = Backfill(
                now.label, now.read + read, now.written + written, now.removed + removed, now.set_aside + set_aside
            )


def _identity(key: Mapping[str, Any]) -> str:
    return change_at_beginning("", key, None).marker


def _pages(
    client: Any, table: str, segment: int, segments: int, after: Mapping[str, Any] | None
) -> Iterator[tuple[Sequence[Item], Mapping[str, Any] | None]]:
    """Pages of one segment of a consistent scan, each with the key to go on from."""
    request: dict[str, Any] = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": segments,
        "ConsistentRead": True,
    }
    while True:
        answer = client.scan(**request, **({"ExclusiveStartKey": after} if after else {}))
        after = answer.get("LastEvaluatedKey")
        yield answer["Items"], after
        if after is None:
            return
