"""The workload: seeds a store, then writes until it is stopped. Every acknowledged write goes into the ledger."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock, microseconds
from drills.ledger import Ledger
from drills.model import Location, Write, WriteKind
from drills.records import RecordMaker, make_records
from drills.stores import Outgoing, Refused, StoreKind
from drills.world_site import WorldSite

REJECTIONS_BELOW = 500
"""An HTTP status below this is AWS's word that nothing was written; from here on nobody knows."""


@dataclass
class LiveKeys:
    """Keys that exist now, each with the number of the record it was made from; random choice in constant time."""

    _keys: list[str] = field(default_factory=list)
    _at: dict[str, int] = field(default_factory=dict)
    _number: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str, number: int) -> None:
        if key not in self._at:
            self._at[key] = len(self._keys)
            self._keys.append(key)
        self._number[key] = number

    def remove(self, key: str) -> None:
        at = self._at.pop(key)
        del self._number[key]
        last = self._keys.pop()
        if last != key:
            self._keys[at] = last
            self._at[last] = at

    def pick(self, rng: random.Random) -> tuple[str, int]:
        key = self._keys[rng.randrange(len(self._keys))]
        return key, self._number[key]


@dataclass
class Sent:
    """How many writes were sent, seeding aside, and what became of them."""

    due: int = 0
    acknowledged: int = 0
    rejected: int = 0
    unanswered: int = 0


class StoreWorkload:
    """The writes to one store. Deterministic by seed and clock."""

    def __init__(self, site: WorldSite, kind: StoreKind, at: Location, seed: int, started: datetime) -> None:
        self.site = site
        self.kind = kind
        self.at = at
        self.ledger = Ledger()
        self.live = LiveKeys()
        self.sent = Sent()
        self._rng = random.Random(f"{seed}/{site.store.name}/workload")
        self._maker: RecordMaker = make_records(site.store.records, seed, started)
        self._sequence = 0
        self._records_made = 0

    def seed(self, count: int) -> None:
        """Write the records that exist before anything is protected, and enter them into the ledger."""
        sent = microseconds(self.site.clock.now())
        writes = [self._put(number, self._maker.record(number), sent) for number in range(count)]
        self._records_made = count
        self.kind.seed(self.site, self.at, map(self._outgoing, range(count), writes))
        acknowledged = microseconds(self.site.clock.now())
        for number, write in enumerate(writes):
            self.ledger.append(_acknowledged(write, acknowledged))
            self.live.add(write.key, number)

    def _outgoing(self, number: int, write: Write) -> Outgoing:
        assert write.item is not None
        # Made anew rather than kept: all bodies together may be more than memory holds.
        payload = self._payload(self._maker.record(number)) if self.kind.sends_payload else None
        return Outgoing(write.key, write.item, payload)

    def _payload(self, record: dict[str, object]) -> Any:
        return self.kind.payload(self.site.store.config, record) if self.kind.sends_payload else None

    def arrivals(self, seconds: float) -> list[float]:
        """When writes arrive within so many seconds: at random, as users come, so that a failure may meet one."""
        count = int(self.site.store.workload.writes_per_minute * seconds / 60)
        return [self._rng.uniform(0, seconds) for _ in range(count)]

    def write_once(self) -> None:
        """Send one write, drawn from the mix, and enter what became of it into the ledger."""
        write, number, payload = self._draw(microseconds(self.site.clock.now()))
        self.sent.due += 1
        try:
            self.kind.write(self.site, self.at, write, payload)
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the write may have arrived.
            if _rejected(error):
                self.sent.rejected += 1
            else:
                self.sent.unanswered += 1
                self._enter(write, number)
        else:
            self.sent.acknowledged += 1
            self._enter(_acknowledged(write, microseconds(self.site.clock.now())), number)

    def _enter(self, write: Write, number: int) -> None:
        self.ledger.append(write)
        if write.kind == "put":
            self.live.add(write.key, number)
        elif write.acknowledged_us is not None:
            self.live.remove(write.key)

    def _draw(self, sent_us: int) -> tuple[Write, int, Any]:
        """The next write, the number of the record it is made from, and its payload."""
        mix = self.site.store.workload
        weights = [mix.inserts, mix.updates, mix.deletes, mix.erasures] if len(self.live) else [1, 0, 0, 0]
        choice = self._rng.choices(("insert", "update", "delete", "erase"), weights)[0]
        if choice == "insert":
            number = self._records_made
            self._records_made += 1
            record = self._maker.record(number)
            return self._put(number, record, sent_us), number, self._payload(record)
        key, number = self.live.pick(self._rng)
        if choice == "update":
            record = self._maker.changed(self._maker.record(number), self._rng)
            return self._put(number, record, sent_us), number, self._payload(record)
        kind: WriteKind = "erase" if choice == "erase" else "delete"
        self._sequence += 1
        return Write(self._sequence, key, kind, None, sent_us, None), number, None

    def _put(self, number: int, record: dict[str, object], sent_us: int) -> Write:
        config = self.site.store.config
        self._sequence += 1
        return Write(
            sequence=self._sequence,
            key=self.kind.key_of(config, record),
            kind="put",
            item=self.kind.encode(config, record),
            sent_us=sent_us,
            acknowledged_us=None,
            expires_at=self.kind.expires_at(config, record),
        )


def _rejected(error: Exception) -> bool:
    """Whether AWS said that nothing was written. After a retry nobody knows: an earlier try may have arrived."""
    if isinstance(error, Refused):
        return True
    if not isinstance(error, ClientError):
        return False
    about = error.response["ResponseMetadata"]
    return int(about["HTTPStatusCode"]) < REJECTIONS_BELOW and not about.get("RetryAttempts", 0)


def _acknowledged(write: Write, at_us: int) -> Write:
    return Write(write.sequence, write.key, write.kind, write.item, write.sent_us, at_us, write.expires_at)


def write_for(workloads: list[StoreWorkload], seconds: float, clock: Clock) -> None:
    """Let every store's workload write at its rate for this long, interleaved in time."""
    begun = clock.now()
    for at_seconds, workload in _in_turn(workloads, seconds):
        due = begun + timedelta(seconds=at_seconds)
        clock.sleep((due - clock.now()).total_seconds())
        workload.write_once()
    clock.sleep((begun + timedelta(seconds=seconds) - clock.now()).total_seconds())


def _in_turn(workloads: list[StoreWorkload], seconds: float) -> Iterator[tuple[float, StoreWorkload]]:
    turns = [(at, index) for index, workload in enumerate(workloads) for at in workload.arrivals(seconds)]
    for at_seconds, index in sorted(turns):
        yield at_seconds, workloads[index]
