"""A stream's records: shards by hash of the partition key, closed and continued by children, trimmed after 24 hours.

A record is kept as the table's own change: its images are the table's bytes, and JSON is made on reading.
Source: DynamoDB developer guide, Change data capture for DynamoDB Streams; DynamoDB Streams API reference.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from drills.simulator.dynamodb.rows import KeyPart
    from drills.simulator.dynamodb.table import Change, SimulatedTable

RETENTION = timedelta(hours=24)
HASHES = 1 << 32
FIRST_SEQUENCE = 10**20
TRIM_EVERY = 4096


@dataclass(slots=True)
class StreamSettings:
    """How streams are cut into shards. AWS does not publish it: four hours is what is seen; the rest is chosen."""

    shards: int = 4
    """Open shards of a new stream."""
    shard_hours: float = 4.0
    """After this long a shard is closed and its children take over."""
    children: int = 1
    """Children of a closed shard: 1 continues it, 2 split its keys."""


class Sequences:
    """Sequence numbers for all streams: later is greater, across shards and across re-enabled streams."""

    def __init__(self) -> None:
        self.coming = FIRST_SEQUENCE

    def take(self) -> int:
        taken = self.coming
        self.coming += 1
        return taken


def hash_of(part: KeyPart) -> int:
    """0 to 2³²−1 for a partition key's value; equal numbers have equal hashes."""
    if isinstance(part, str):
        return crc32(part.encode())
    if isinstance(part, bytes):
        return crc32(part)
    return hash(part) * 2654435761 % HASHES


class Shard:
    """The records of one range of hashes, oldest first, in three parallel lists."""

    __slots__ = (
        "changes",
        "closed",
        "created",
        "ending",
        "hashes",
        "high",
        "id",
        "low",
        "parent",
        "sequences",
        "starting",
        "trimmed_through",
    )

    def __init__(self, starting: int, parent: Shard | None, low: int, high: int, created: datetime) -> None:
        self.id = f"shardId-{starting:020d}-{crc32(b'%d/%d' % (starting, low)):08x}"
        self.parent = None if parent is None else parent.id
        self.low = low
        self.high = high
        self.created = created
        self.closed: datetime | None = None
        self.starting = starting
        self.ending: int | None = None
        self.trimmed_through = starting - 1
        self.changes: list[Change] = []
        self.sequences: list[int] = []
        self.hashes = array("I")

    def append(self, sequence: int, hashed: int, change: Change) -> None:
        self.sequences.append(sequence)
        self.hashes.append(hashed)
        self.changes.append(change)
        if not len(self.changes) % TRIM_EVERY:
            self.trim(change.at - RETENTION)

    def close(self, ending: int, at: datetime) -> None:
        self.ending = ending
        self.closed = at

    def trim(self, horizon: datetime) -> None:
        """Drop the records that are 24 hours old."""
        if not self.changes or self.changes[0].at > horizon:
            return
        count = bisect_right(self.changes, horizon, key=lambda change: change.at)
        self.trimmed_through = self.sequences[count - 1]
        del self.changes[:count], self.sequences[:count], self.hashes[:count]

    def index_of(self, sequence: int) -> int:
        """Where the first record with this sequence number or a later one lies."""
        return bisect_left(self.sequences, sequence)

    def ends_before(self, sequence: int) -> bool:
        """Whether the shard is closed and has nothing from this sequence number on."""
        return self.ending is not None and (not self.sequences or self.sequences[-1] < sequence)


class Stream:
    """One stream of a table. A re-enabled stream is another one.

    ``listeners`` are told the shard after each new record.
    """

    def __init__(
        self,
        table: SimulatedTable,
        label: str,
        view_type: str,
        now: datetime,
        settings: StreamSettings,
        sequences: Sequences,
    ) -> None:
        self.table_name = table.name
        self.account = table.account_id
        self.region = table.region_name
        self.key_schema = list(table.schema)
        self.key_names = list(table.table_key_attrs)
        self.label = label
        self.arn = f"{table.table_arn}/stream/{label}"
        self.view_type = view_type
        self.created = now
        self.disabled: datetime | None = None
        self.listeners: list[Callable[[Stream, Shard], None]] = []
        self.shards: dict[str, Shard] = {}
        self._settings = settings
        self._sequences = sequences
        self._open: list[Shard] = []
        self._lows: list[int] = []
        self._rotation = now
        count = max(1, settings.shards)
        bounds = [HASHES * number // count for number in range(count + 1)]
        self._become([self._child(None, low, high, now) for low, high in pairwise(bounds)], now)

    @property
    def status(self) -> str:
        return "ENABLED" if self.disabled is None else "DISABLED"

    @property
    def latest(self) -> int:
        """The sequence number that the next record will have at least."""
        return self._sequences.coming

    def observe(self, change: Change) -> None:
        """Take in a change of the table."""
        if change.at >= self._rotation:
            self.refresh(change.at)
        hashed = hash_of(change.key[0])
        shard = self._open[bisect_right(self._lows, hashed) - 1]
        shard.append(self._sequences.take(), hashed, change)
        for listener in self.listeners:
            listener(self, shard)

    def refresh(self, now: datetime) -> None:
        """Bring shards to what they are now: old ones closed and continued, what is 24 hours old gone."""
        while self.disabled is None and now >= self._rotation:
            self._rotate(self._rotation)
        horizon = now - RETENTION
        for shard in list(self.shards.values()):
            shard.trim(horizon)
            if shard.closed is not None and shard.closed <= horizon:
                del self.shards[shard.id]

    def disable(self, now: datetime) -> None:
        """No more records; what is there stays readable for 24 hours."""
        self.refresh(now)
        self.disabled = now
        for shard in self._open:
            shard.close(self._sequences.take(), now)
        self._open = []

    def gone(self, now: datetime) -> bool:
        return self.disabled is not None and self.disabled <= now - RETENTION

    def _rotate(self, at: datetime) -> None:
        # After a long quiet time the shards in between hold nothing and nobody can tell that they were there.
        children: list[Shard] = []
        for shard in self._open:
            shard.close(self._sequences.take(), at)
            parts = self._settings.children if shard.high - shard.low >= self._settings.children else 1
            bounds = [shard.low + (shard.high - shard.low) * part // parts for part in range(parts + 1)]
            children += [self._child(shard, low, high, at) for low, high in pairwise(bounds)]
        self._become(children, at)

    def _child(self, parent: Shard | None, low: int, high: int, at: datetime) -> Shard:
        return Shard(self._sequences.take(), parent, low, high, at)

    def _become(self, shards: list[Shard], at: datetime) -> None:
        self._open = shards
        self._lows = [shard.low for shard in shards]
        self.shards.update((shard.id, shard) for shard in shards)
        self._rotation = at + timedelta(hours=self._settings.shard_hours)

    def children_of(self, shard_id: str) -> Iterator[Shard]:
        return (shard for shard in self.shards.values() if shard.parent == shard_id)
