"""The ledger against what was read back: what became of every key. Pure; streams what was read.

**What may be there.** The writes of a key took effect in the order of the ledger: acknowledged ones for certain, the
others (indeterminate) perhaps. So a key ends as its last acknowledged write left it (absent when there is none), or as
one of the indeterminate writes after that left it. A put whose time to live ran out before what had expired was purged
leaves the key absent; one whose time ran out only by the end of the reading may be there or not. *Expected* are the
keys that must be there.

**What became of it.** With O the value that was read, compared byte by byte in its canonical form, or absence:

=============  ==================================================================================================
recovered      the key must be there and O is what its last acknowledged write put
lost           the key must be there and is absent
stale          O is what an earlier write put, and the key has not been deleted since
resurrected    the key was deleted, erased or has expired, and O is what a write before that put
corrupt        O is nothing that was ever written to that key
indeterminate  O is explained by an indeterminate write alone, or the key may be there or not and O is one of the two
=============  ==================================================================================================

A key that must be absent and is absent is in no class: there is no record of it to count.

**What survived.** O shows the newest write of its key that it can come from; absence shows a delete, an erasure, a put
that may have expired, or the time before the first write. Acknowledged writes of the key after the one that is shown
are lost. A write that was superseded by one that survived is not lost; a corrupt value shows none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from drills.model import Observed, RecordClass, RecordCounts, Write

Why = Literal["erased", "expired"]


class Expectations:
    """A ledger by key. A key that was written once, which is nearly every key, costs no list."""

    def __init__(self, ledger: Iterable[Write]) -> None:
        self.by_key: dict[str, Write | list[Write]] = {}
        self.writes_acknowledged = 0
        by_key = self.by_key
        for write in ledger:
            self.writes_acknowledged += write.acknowledged_us is not None
            before = by_key.get(write.key)
            if before is None:
                by_key[write.key] = write
            elif isinstance(before, list):
                before.append(write)
            else:
                by_key[write.key] = [before, write]

    def of(self, key: str) -> Sequence[Write]:
        """The writes of one key, oldest first."""
        writes = self.by_key.get(key, [])
        return writes if isinstance(writes, list) else [writes]


@dataclass(frozen=True, slots=True)
class Reading:
    """When a store was purged of what had expired, and when the reading of it ended. Microseconds since the epoch."""

    purged_us: int
    ended_us: int

    def is_gone(self, write: Write) -> bool:
        """Whether what it put must have been purged."""
        return write.expires_at is not None and write.expires_at * 1_000_000 <= self.purged_us

    def may_be_gone(self, write: Write) -> bool:
        """Whether what it put may have been removed by its time to live."""
        return write.expires_at is not None and write.expires_at * 1_000_000 <= self.ended_us


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one key. ``record_class`` is None where there is no record to count.

    ``why`` tells an erased or expired record that is back; an erased one is told even when it came back corrupt.
    ``first_lost_us`` is when the first of its lost writes was acknowledged. ``deleted``: its last acknowledged write
    deleted or erased it. ``erased``, ``expired``: it must be absent for that reason.
    """

    record_class: RecordClass | None
    must_be_there: bool
    writes_lost: int = 0
    first_lost_us: int | None = None
    why: Why | None = None
    deleted: bool = False
    erased: bool = False
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Deviation:
    """One key that did not come back as it should. Values are canonical JSON, None for absence."""

    key: str
    record_class: RecordClass
    expected: bytes | None
    observed: bytes | None
    why: Why | None
    first_lost_us: int | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of all keys; ``deviations`` in the order of their keys.

    ``keys``: how many keys were compared; ``deleted``, ``erased``, ``expired``: how many of them must be absent for
    that reason; ``read_twice``: how many records the reading gave more than once.
    """

    counts: RecordCounts
    deviations: tuple[Deviation, ...]
    writes_lost: int
    first_lost_us: int | None
    keys: int
    deleted: int
    erased: int
    expired: int
    read_twice: int


def verify(expected: Expectations, observed: Iterable[Observed], reading: Reading) -> Verification:
    """Compare what was read with the ledger. Equal bytes are settled first; only what differs is looked at closely."""
    by_key = expected.by_key
    unseen = set(by_key)
    tally = _Tally(reading)
    ended_us = reading.ended_us
    recovered = 0
    for record in observed:
        key = record.key
        writes = by_key.get(key)
        if writes is None:
            tally.add(key, (), record.item)
            continue
        if key not in unseen:
            tally.read_twice += 1
            continue
        unseen.discard(key)
        last = writes[-1] if isinstance(writes, list) else writes
        if (
            last.item == record.item
            and last.acknowledged_us is not None
            and (last.expires_at is None or last.expires_at * 1_000_000 > ended_us)
        ):
            recovered += 1
        else:
            tally.add(key, writes if isinstance(writes, list) else (writes,), record.item)
    for key in unseen:
        tally.add(key, expected.of(key), None)
    return tally.closed(recovered)


def outcome(writes: Sequence[Write], observed: bytes | None, reading: Reading) -> Outcome:
    """What became of one key, by its writes, oldest first, and what was read (see the head of this module)."""
    settled = _last_acknowledged(writes)
    final = writes[settled] if settled >= 0 else None
    shown = _newest_shown(writes, observed, reading)
    lost = [write.acknowledged_us for write in writes[shown + 1 :] if write.acknowledged_us is not None]
    ends = [write for write in writes[max(settled, 0) :] if write is final or write.acknowledged_us is None]
    may_be_there = any(write.item is not None and not reading.is_gone(write) for write in ends)
    may_be_absent = final is None or any(write.item is None or reading.may_be_gone(write) for write in ends)
    erased = _is_erased(writes)
    record_class: RecordClass | None
    why: Why | None = None
    if observed is None:
        record_class = "lost" if not may_be_absent else "indeterminate" if may_be_there else None
    elif shown < 0:
        record_class = "corrupt"
    elif reading.is_gone(writes[shown]):
        record_class, why = "resurrected", "expired"
    elif final is not None and final.item == observed:
        record_class = "indeterminate" if may_be_absent else "recovered"
    elif shown > settled:
        record_class = "indeterminate"
    else:
        record_class = "resurrected" if final is None or final.item is None or reading.is_gone(final) else "stale"
    if erased and record_class in ("corrupt", "resurrected"):
        why = "erased"
    return Outcome(
        record_class=record_class,
        must_be_there=not may_be_absent,
        writes_lost=len(lost),
        first_lost_us=min(lost, default=None),
        why=why,
        deleted=final is not None and final.item is None,
        erased=erased,
        expired=final is not None and final.item is not None and not may_be_there,
    )


def _last_acknowledged(writes: Sequence[Write]) -> int:
    for index in range(len(writes) - 1, -1, -1):
        if writes[index].acknowledged_us is not None:
            return index
    return -1


def _newest_shown(writes: Sequence[Write], observed: bytes | None, reading: Reading) -> int:
    """The index of the newest write whose effect was read; -1 for the time before the first, or for no write at all."""
    for index in range(len(writes) - 1, -1, -1):
        write = writes[index]
        if write.item == observed or (observed is None and reading.may_be_gone(write)):
            return index
    return -1


def _is_erased(writes: Sequence[Write]) -> bool:
    """Whether an acknowledged erasure stands: nothing that was acknowledged has been put since."""
    for write in reversed(writes):
        if write.acknowledged_us is not None and write.kind != "delete":
            return write.kind == "erase"
    return False


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


@dataclass(slots=True)
class _Tally:
    """Adds up the outcomes of the keys that are not simply recovered."""

    reading: Reading
    classes: Counter[RecordClass] = field(default_factory=Counter)
    deviations: list[Deviation] = field(default_factory=list)
    expected: int = 0
    keys: int = 0
    deleted: int = 0
    erased: int = 0
    expired: int = 0
    writes_lost: int = 0
    first_lost_us: int | None = None
    read_twice: int = 0

    def add(self, key: str, writes: Sequence[Write], observed: bytes | None) -> None:
        found = outcome(writes, observed, self.reading)
        self.keys += 1
        self.expected += found.must_be_there
        self.deleted += found.deleted
        self.erased += found.erased
        self.expired += found.expired
        self.writes_lost += found.writes_lost
        self.first_lost_us = _earlier(self.first_lost_us, found.first_lost_us)
        if found.record_class is None:
            return
        self.classes[found.record_class] += 1
        if found.record_class not in ("recovered", "indeterminate"):
            settled = _last_acknowledged(writes)
            expected = None if settled < 0 or found.expired else writes[settled].item
            self.deviations.append(
                Deviation(key, found.record_class, expected, observed, found.why, found.first_lost_us)
            )

    def closed(self, recovered: int) -> Verification:
        """The whole, with the keys that were simply recovered."""
        classes = self.classes
        return Verification(
            counts=RecordCounts(
                expected=self.expected + recovered,
                recovered=classes["recovered"] + recovered,
                lost=classes["lost"],
                stale=classes["stale"],
                corrupt=classes["corrupt"],
                resurrected=classes["resurrected"],
                indeterminate=classes["indeterminate"],
            ),
            deviations=tuple(sorted(self.deviations, key=lambda deviation: deviation.key)),
            writes_lost=self.writes_lost,
            first_lost_us=self.first_lost_us,
            keys=self.keys + recovered,
            deleted=self.deleted,
            erased=self.erased,
            expired=self.expired,
            read_twice=self.read_twice,
        )
