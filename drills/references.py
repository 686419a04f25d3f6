"""References from one store to another: whether what a restored record names is there among what else was restored.

Two stores come back as of two moments. A record of the newer state may name what the older one does not have yet, and a
record of the older state may name what the newer one has no longer: such a reference is *torn* by the skew between the
recovery points. Nobody can restore it from these points, so that it is held against the objectives: each torn
reference lost one write, that of the named record or that which let go of it, and this write may be no older at the
failure than its store's RPO objective. What became of a reference that names nothing, by the two ledgers:

========  ==========================================================================================================
broken    the named record was written before its store's recovery point and not deleted since, so that it must be
          there whenever the reference was written; or the referring record is nothing that was ever written
before    the reference named nothing at the failure either: the application had left it so
erased    the named record was there, and a person's erasure made since was made again after the restore
torn      everything else
========  ==========================================================================================================

Broken references fail ``references``; torn ones older than the objective fail ``references.torn``. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import orjson

from drills.differences import LONGEST, shortened
from drills.durations import written
from drills.findings import counted, moment_text
from drills.model import JSON, Finding, Observed, Reference, Verdict, Write

NAMED = 5
"""How many references a finding names."""


@dataclass(frozen=True, slots=True)
class Restored:
    """One of the two stores as it was restored. Moments are microseconds since the epoch.

    ``before_us``: writes acknowledged before this moment must be there. ``inventory`` and ``ledger`` are read once at
    most, and the ledger only when a reference names nothing.
    """

    store: str
    as_of_us: int
    before_us: int
    rpo_objective_seconds: float
    inventory: Iterable[Observed]
    ledger: Iterable[Write]


@dataclass(frozen=True, slots=True)
class _Loose:
    """One reference that names nothing."""

    key: str
    item: bytes
    name: str


@dataclass(slots=True)
class _Tally:
    broken: list[_Loose] = field(default_factory=list)
    before: int = 0
    erased: int = 0
    torn: list[tuple[float, float, _Loose]] = field(default_factory=list)
    """Each with the age of its lost write at the failure and the objective for it, in seconds."""


def reference_findings(
    reference: Reference, subject: str, referring: Restored, named: Restored, failed_us: int
) -> list[Finding]:
    """The findings on one reference between two restored stores; ``failed_us`` is when the failure began."""
    there = {name for record in named.inventory for name in key_names(record.key)}
    loose: list[_Loose] = []
    count = 0
    for record in referring.inventory:
        for name in names_in(orjson.loads(record.item), reference.attribute):
            count += 1
            if name not in there:
                loose.append(_Loose(record.key, record.item, name))
    tally = _tallied(reference, loose, referring, named, failed_us) if loose else _Tally()
    return _told(subject, tally, count, referring, named)


def _tallied(
    reference: Reference, loose: Sequence[_Loose], referring: Restored, named: Restored, failed_us: int
) -> _Tally:
    keys, names = {one.key for one in loose}, {one.name for one in loose}
    of_referring = _by(((write.key, write) for write in referring.ledger), keys)
    of_named = _by(((name, write) for write in named.ledger for name in key_names(write.key)), names)
    tally = _Tally()
    for one in loose:
        history = _History(of_referring.get(one.key, []), of_named.get(one.name, []), one, reference.attribute)
        if history.broken(named.before_us):
            tally.broken.append(one)
            continue
        if history.erased(named.before_us):
            tally.erased += 1
            continue
        there = _alive(_at(history.named, failed_us))
        lost = history.named_later(named.before_us) if there else history.let_go(failed_us)
        if lost is None or lost.acknowledged_us is None:
            tally.before += 1
        else:
            age_seconds = max(0, failed_us - lost.acknowledged_us) / 1_000_000
            objective = (named if there else referring).rpo_objective_seconds
            tally.torn.append((age_seconds, objective, one))
    return tally


def _by(writes: Iterable[tuple[str, Write]], wanted: set[str]) -> Mapping[str, list[Write]]:
    found: dict[str, list[Write]] = {}
    for name, write in writes:
        if name in wanted:
            found.setdefault(name, []).append(write)
    return found


@dataclass(frozen=True, slots=True)
class _History:
    """The writes of a referring record and of what it names, both oldest first."""

    referring: Sequence[Write]
    named: Sequence[Write]
    loose: _Loose
    attribute: str

    def broken(self, before_us: int) -> bool:
        """Whether the named record must be there, or the reference was never written."""
        if all(write.item != self.loose.item for write in self.referring):
            return True
        settled = _at(self.named, before_us)
        later = self.named[self.named.index(settled) + 1 :] if settled else ()
        return _alive(settled) and all(write.item is not None for write in later)

    def erased(self, before_us: int) -> bool:
        """Whether the last that became of the named record is an erasure from after its store's recovery point."""
        last = next((write for write in reversed(self.named) if write.acknowledged_us is not None), None)
        return last is not None and last.kind == "erase" and (last.acknowledged_us or 0) >= before_us

    def named_later(self, before_us: int) -> Write | None:
        """The first write of the named record that its store's recovery point is too old for."""
        return next((w for w in self.named if w.acknowledged_us is not None and w.acknowledged_us >= before_us), None)

    def let_go(self, failed_us: int) -> Write | None:
        """The first write after the one that was restored, if by the failure the record named this no more."""
        last = _at(self.referring, failed_us)
        if last is None or (
            last.item is not None and self.loose.name in names_in(orjson.loads(last.item), self.attribute)
        ):
            return None
        shown = max(n for n, write in enumerate(self.referring) if write.item == self.loose.item)
        return next((write for write in self.referring[shown + 1 :] if write.acknowledged_us is not None), None)


def _at(writes: Sequence[Write], moment_us: int) -> Write | None:
    """The last write that was acknowledged before the moment."""
    return next((w for w in reversed(writes) if w.acknowledged_us is not None and w.acknowledged_us < moment_us), None)


def _alive(write: Write | None) -> bool:
    # What carries a time to live may have gone by itself, and is never missed.
    return write is not None and write.item is not None and write.expires_at is None


# --- Words ---------------------------------------------------------------------------------------------------------


def _told(subject: str, tally: _Tally, count: int, referring: Restored, named: Restored) -> list[Finding]:
    apart = abs(referring.as_of_us - named.as_of_us) / 1_000_000
    skew = (
        f"recovery points {written(apart)} apart ({referring.store} as of {moment_text(referring.as_of_us)}, "
        f"{named.store} as of {moment_text(named.as_of_us)})"
    )
    resolved = count - len(tally.broken) - len(tally.torn) - tally.before - tally.erased
    parts = [f"{resolved:,} of {counted(count, 'reference')} resolve"]
    if tally.broken:
        parts.append(f"{len(tally.broken):,} broken: {_named(tally.broken)}")
    if tally.before:
        parts.append(f"{tally.before:,} named nothing at the failure either")
    if tally.erased:
        parts.append(f"{tally.erased:,} named what was erased since")
    if tally.torn:
        parts.append(f"{len(tally.torn):,} torn by the skew")
    verdict: Verdict = "fail" if tally.broken else "pass" if count else "unknown"
    expected = "every reference resolves whose ends were both written before the recovery points"
    found = [Finding("references", verdict, subject, expected, "; ".join([*parts, skew]), count)]
    if tally.torn:
        found.append(_torn(subject, tally, skew, referring, named))
    return found


def _torn(subject: str, tally: _Tally, skew: str, referring: Restored, named: Restored) -> Finding:
    ages = sorted(tally.torn, key=lambda one: one[0] - one[1], reverse=True)
    over = [one for age, objective, one in ages if age > objective]
    oldest = max(age for age, _, _ in ages)
    objectives = {one.store: one.rpo_objective_seconds for one in (referring, named)}
    return Finding(
        check="references.torn",
        verdict="fail" if over else "pass",
        subject=subject,
        expected="nothing torn that is older than its store's RPO objective: "
        + ", ".join(f"{store} {written(seconds)}" for store, seconds in objectives.items()),
        observed=f"{counted(len(ages), 'reference')} torn, the oldest by a write lost from {written(oldest)} before "
        f"the failure: {_named(over or [one for _, _, one in ages])}; {skew}",
        records_covered=len(ages),
    )


def _named(loose: Sequence[_Loose]) -> str:
    texts = [f"{shortened(one.key, LONGEST)} → {shortened(one.name[2:], LONGEST)}" for one in loose[:NAMED]]
    more = len(loose) - len(texts)
    return ", ".join(texts) + (f" and {more:,} more" if more > 0 else "")


# --- Values as names -----------------------------------------------------------------------------------------------


def names_in(item: JSON, attribute: str) -> list[str]:
    """What an attribute of a canonical record names: one value, or those of a list or set; nothing for null.

    ``attribute`` is a name, or a path of names with dots, into a column of ``jsonb`` too. Values are plain JSON, or are
    typed as in DynamoDB. The names are comparable texts: ``t:`` before a text, ``n:`` before a number, ``b:`` before
    binary data.
    """
    return list(_names(_attribute(item, attribute)))


def _attribute(item: JSON, path: str) -> JSON:
    if not isinstance(item, Mapping):
        return None
    if path in item:
        return item[path]
    first, dot, rest = path.partition(".")
    inner = _opened(item.get(first)) if dot else None
    if not isinstance(inner, Mapping):
        return None
    return _attribute(inner["M"] if set(inner) == {"M"} else inner, rest)


def _opened(value: JSON) -> JSON:
    """A column of ``jsonb`` is one text in its record; what it says where that is an object."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def _names(value: JSON) -> Iterator[str]:
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in ("S", "N", "B"):
            yield _name(kind, inner)
        elif kind in ("SS", "NS", "BS"):
            yield from (_name(kind[0], one) for one in inner)
        elif kind == "L":
            yield from (name for one in inner for name in _names(one))
    elif isinstance(value, list):
        yield from (name for one in value for name in _names(one))
    elif isinstance(value, str):
        yield _name("S", value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield _name("N", value)


def _name(kind: str, value: JSON) -> str:
    if kind == "N":
        try:
            return f"n:{Decimal(str(value)).normalize():f}"
        except InvalidOperation:
            return f"n:{value}"
    return f"{'b' if kind == 'B' else 't'}:{value}"


def key_names(key: str) -> list[str]:
    """What must be named to mean this key: the text itself, or the one value of a key that is a JSON object."""
    if key.startswith("{"):
        try:
            parts = orjson.loads(key)
        except ValueError:
            parts = None
        if isinstance(parts, dict) and len(parts) == 1:
            return list(_names(next(iter(parts.values()))))
    return [f"t:{key}"]
