"""The workload: seeds a store, then writes until it is stopped. Every acknowledged write goes into the ledger."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock, microseconds
from drills.ledger import Ledger
from drills.live_keys import LiveKeys
from drills.model import Location, Reference, Write, WriteKind
from drills.not_allowed import not_allowed
from drills.records import RecordMaker, make_records
from drills.references import key_names
from drills.referring import Names, Referring
from drills.stores import Outgoing, Refused, StoreKind
from drills.world_site import WorldSite

REJECTIONS_BELOW = 500
"""An HTTP status below this is AWS's word that nothing was written; from here on nobody knows."""
AHEAD = 50
"""Among how many of a store's next records one is looked for that a record of another store names."""


@dataclass
class Sent:
    """How many writes were sent, seeding aside, and what became of them."""

    due: int = 0
    acknowledged: int = 0
    rejected: int = 0
    unanswered: int = 0
    forbidden: str = ""
    """AWS's words for the first write that it refused for want of permission."""


class StoreWorkload:
    """The writes to one store. Deterministic by seed and clock."""

    def __init__(self, site: WorldSite, kind: StoreKind, at: Location, seed: int, started: datetime) -> None:
        self.site = site
        self.kind = kind
        self.at = at
        self.ledger = Ledger()
        self.live = LiveKeys()
        self.sent = Sent()
        self.names: Names | None = None
        self.refers: list[tuple[Referring, StoreWorkload]] = []
        self._rng = random.Random(f"{seed}/{site.store.name}/workload")
        self._maker: RecordMaker = make_records(site.store.records, seed, started)
        self._sequence = 0
        self._records_made = 0

    def seed(self, count: int) -> None:
        """Write the records that exist before anything is protected, and enter them into the ledger."""
        sent = microseconds(self.site.clock.now())
        made: list[tuple[str, bytes, int | None]] = []
        records = self._made(count, made)
        self.kind.seed(self.site, self.at, records)
        # What a kind did not take of them was to be there all the same.
        deque(records, maxlen=0)
        acknowledged = microseconds(self.site.clock.now())
        self._records_made = count
        for number, (key, item, expires_at) in enumerate(made):
            self._sequence += 1
            self.ledger.append(Write(self._sequence, key, "put", item, sent, acknowledged, expires_at))
            self.live.add(key, number)

    def _made(self, count: int, made: list[tuple[str, bytes, int | None]]) -> Iterator[Outgoing]:
        """The first records as they are sent. Payloads are not kept: together they may be more than memory holds."""
        config, outgoing, expires_at = self.site.store.config, self.kind.outgoing, self.kind.expires_at
        for number in range(count):
            record = self._maker.record(number)
            one = outgoing(config, record)
            made.append((one.key, one.item, expires_at(config, record)))
            yield one

    def arrivals(self, seconds: float) -> list[float]:
        """When writes arrive within so many seconds: at random, as users come, so that a failure may meet one."""
        count = int(self.site.store.workload.writes_per_minute * seconds / 60)
        return [self._rng.uniform(0, seconds) for _ in range(count)]

    def gap_seconds(self, pace: float) -> float | None:
        """How long until the next write arrives at this part of the rate, at random; None for never."""
        per_second = self.site.store.workload.writes_per_minute * pace / 60
        return self._rng.expovariate(per_second) if per_second > 0 else None

    def write_once(self) -> None:
        """Send one write, drawn from the mix, and enter what became of it into the ledger.

        What a new record names is written before it; where that is refused, so is the record, without asking AWS.
        """
        choice = self._choice()
        if choice != "insert" or self._named_first():
            self._send(choice)

    def _send(self, choice: str) -> None:
        write, payload, number = self._draw(choice, microseconds(self.site.clock.now()))
        self.sent.due += 1
        try:
            self.kind.write(self.site, self.at, write, payload)
        except Exception as error:  # noqa: BLE001 - whatever a client raises, the write may have arrived.
            if _rejected(error):
                self.sent.rejected += 1
                if not_allowed(error):
                    self.sent.forbidden = self.sent.forbidden or str(error)
                if choice == "insert" and self.names is not None:
                    self.names.gone.update(key_names(write.key))
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
        self._tell(write, number)

    def _tell(self, write: Write, number: int) -> None:
        """Those who name this store's records, and those whose records it names, learn of a write."""
        if write.item is not None:
            if self.names is not None:
                self.names.put(write.key, number)
            for referring, _ in self.refers:
                referring.put(write.key, write.item)
        elif write.acknowledged_us is not None:
            if self.names is not None:
                self.names.remove(write.key)
            for referring, _ in self.refers:
                referring.remove(write.key)

    def refer(self, attribute: str, named: StoreWorkload) -> None:
        """From now on this store's records name only records of ``named`` that are there, as far as it has such."""
        if named.names is None:
            named.names = Names()
            for key in named.live:
                named.names.put(key, named.live.number(key))
        referring = Referring(attribute, named.names)
        self.refers.append((referring, named))
        for write in self.ledger:
            if write.item is not None and write.key in self.live:
                referring.put(write.key, write.item)

    def _named_first(self) -> bool:
        """Write what the next record names and is not there yet. False when that could not be written."""
        for _ in range(AHEAD if self.refers else 0):
            missing = self._missing(self._maker.record(self._records_made))
            if not any(named.has_lost(name) for named, name in missing):
                return all(named.write_up_to(name) for named, name in missing)
            # Nobody orders what was deleted before: the next record takes this one's turn.
            self._skip()
        return True

    def _missing(self, record: dict[str, object]) -> list[tuple[StoreWorkload, str]]:
        item = self.kind.encode(self.site.store.config, record)
        return [(named, name) for referring, named in self.refers for name in referring.missing(item)]

    def _skip(self) -> None:
        if self.names is not None:
            record = self._maker.record(self._records_made)
            self.names.gone.update(key_names(self.kind.key_of(self.site.store.config, record)))
        self._records_made += 1

    def has_lost(self, name: str) -> bool:
        """Whether a record of this name is not there and will not be written any more."""
        return self.names is not None and name in self.names.gone

    def write_up_to(self, name: str) -> bool:
        """Write the next records up to the one of this name, if it comes soon; False when it could not be written."""
        names, config = self.names, self.site.store.config
        assert names is not None
        keys = (self.kind.key_of(config, self._maker.record(self._records_made + n)) for n in range(AHEAD))
        if not any(name in key_names(key) for key in keys):
            # Not a name that this workload gives: the estate's records name what its data never have.
            return True
        while not names.has(name) and name not in names.gone:
            if not self._named_first():
                return False
            self._send("insert")
        return names.has(name)

    def _choice(self) -> str:
        mix = self.site.store.workload
        weights = [mix.inserts, mix.updates, mix.deletes, mix.erasures] if len(self.live) else [1, 0, 0, 0]
        choice = self._rng.choices(("insert", "update", "delete", "erase"), weights)[0]
        if choice in ("delete", "erase") and self.names is not None and not len(self.names.free):
            return "update"
        return choice

    def _draw(self, choice: str, sent_us: int) -> tuple[Write, Any, int]:
        """The next write, its payload, and the number of the record it is made from."""
        if choice == "insert":
            number = self._records_made
            self._records_made += 1
            return *self._put(self._maker.record(number), sent_us), number
        # What another store's record names is not deleted.
        among = self.live if choice == "update" or self.names is None else self.names.free
        key, number = among.pick(self._rng)
        if choice == "update":
            return *self._put(self._maker.changed(self._maker.record(number), self._rng), sent_us), number
        kind: WriteKind = "erase" if choice == "erase" else "delete"
        self._sequence += 1
        return Write(self._sequence, key, kind, None, sent_us, None), None, number

    def _put(self, record: dict[str, object], sent_us: int) -> tuple[Write, Any]:
        """The write that puts a record, and its payload."""
        config = self.site.store.config
        self._sequence += 1
        sent = self.kind.outgoing(config, record)
        write = Write(
            sequence=self._sequence,
            key=sent.key,
            kind="put",
            item=sent.item,
            sent_us=sent_us,
            acknowledged_us=None,
            expires_at=self.kind.expires_at(config, record),
        )
        return write, sent.payload


def link(workloads: Sequence[StoreWorkload], references: Sequence[Reference]) -> None:
    """Let the workloads of stores that name each other's records know of it. Both must have been seeded."""
    by_store = {workload.site.store.name: workload for workload in workloads}
    for reference in references:
        referring, named = by_store.get(reference.store), by_store.get(reference.to)
        # What names its own store could wait for itself without an end.
        if referring is not None and named is not None and not _leads_to(named, referring):
            referring.refer(reference.attribute, named)


def _leads_to(start: StoreWorkload, end: StoreWorkload) -> bool:
    return start is end or any(_leads_to(named, end) for _, named in start.refers)


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
