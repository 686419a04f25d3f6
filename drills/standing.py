"""How far a drill had come when it was cut off, by its history alone: what stands, and what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from drills.history import Event, canonical
from drills.in_force import ATTEMPT, SCENARIO, in_force
from drills.model import Estate, Store
from drills.redaction import MASK

CLEANED_UP = "cleaned_up"
"""The event by which ``drills cleanup`` says that it begins to delete what a drill made."""
How = Literal["finished", "not_begun", "broken", "anew", "go_on"]
"""``broken`` by an error of its own, of which only the clean-up is missing; ``anew`` from its beginning; ``go_on`` with
the attempts that have not ended."""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt that began. ``ended``: nothing of it is missing; ``cut_over``: it got that far; ``began``: the first
    time; ``again``: how often it was begun again; ``changed``: earlier tries changed what they had not made."""

    protection: str
    ended: bool
    cut_over: bool
    began: datetime
    again: int
    changed: bool


@dataclass(frozen=True, slots=True)
class StoreStanding:
    """One store of a scenario whose response was decided: the events that tell of it, and its attempts."""

    name: str
    provisioned: Event
    settings: Event
    ledger: Event
    tries: Mapping[str, Try]


@dataclass(frozen=True, slots=True)
class Standing:
    """One scenario. ``runs``: how often it was begun. ``last`` is its last event, None where it has none. ``why`` it
    is to be run anew, if it is.

    The rest is known only where it is to go on: when it failed and when the response was decided, its stores, and the
    failures that were enforced.
    """

    label: str
    how: How
    runs: int
    last: Event | None
    why: str = ""
    failed: datetime | None = None
    decided: datetime | None = None
    stores: tuple[StoreStanding, ...] = ()
    enforced: tuple[Event, ...] = ()

    @property
    def interrupted(self) -> tuple[str, Try] | None:
        """The store and the attempt that had begun and not ended. There is one at most, as they take turns."""
        return next(((store.name, one) for store in self.stores for one in store.tries.values() if not one.ended), None)

    def to_try(self, estate: Estate) -> list[tuple[str, str]]:
        """Stores and protections whose attempts have not ended, in order."""
        by_name = {store.name: store for store in self.stores}
        return [
            (store.name, use.name)
            for store in estate.stores
            if store.name in by_name
            for use in store.protections
            if not ((one := by_name[store.name].tries.get(use.name)) is not None and one.ended)
        ]


def standing_of(events: Sequence[Event], label: str, estate: Estate) -> Standing:
    """How far one scenario had come. ``events`` are the whole history."""
    every = [event for event in events if event.data.get("scenario") == label]
    own = in_force(every)
    runs = 1 + sum(event.kind == SCENARIO for event in every)
    kinds = {event.kind for event in own}
    last = own[-1] if own else None
    if "cleanup" in kinds:
        return Standing(label, "finished", runs, last)
    if not own:
        return Standing(label, "not_begun", runs, last)
    if "error" in kinds:
        return Standing(label, "broken", runs, last)
    failed, decided = _last(own, "failure.began"), _last(own, "decided")
    # A store that cannot be where the drill runs was never made, and has no attempts.
    made = {str(event.data.get("store")) for event in own if event.kind == "store.provisioned"}
    stores = [_store(own, store) for store in estate.stores if store.name in made]
    known = [store for store in stores if store is not None]
    if failed is None or decided is None or len(known) < len(stores):
        return Standing(label, "anew", runs, last, "it had been cut off before its response was decided")
    # What was masked in the history is not known any more, and cannot be put back.
    if any(MASK.encode() in canonical(dict(store.settings.data)) for store in known):
        return Standing(label, "anew", runs, last, "a setting of its stores was masked in the history")
    found = Standing(
        label=label,
        how="go_on",
        runs=runs,
        last=last,
        failed=failed.at,
        decided=decided.at,
        stores=tuple(known),
        enforced=tuple(event for event in own if event.kind == "failure.enforced"),
    )
    cleaned = any(event.kind == CLEANED_UP and event.sequence > own[0].sequence for event in events)
    if cleaned and found.to_try(estate):
        return Standing(label, "anew", runs, last, "what it would be restored from was deleted by `drills cleanup`")
    return found


def _store(own: Sequence[Event], store: Store) -> StoreStanding | None:
    """None where something is missing without which its attempts cannot go on."""
    mine = [event for event in own if event.data.get("store") == store.name]
    provisioned, settings, ledger = (_last(mine, kind) for kind in ("store.provisioned", "settings.expected", "ledger"))
    if provisioned is None or settings is None or ledger is None:
        return None
    tries = (_try(mine, use.name) for use in store.protections)
    return StoreStanding(
        store.name, provisioned, settings, ledger, {one.protection: one for one in tries if one is not None}
    )


def _try(mine: Sequence[Event], protection: str) -> Try | None:
    """None where it has not begun."""
    own = [event for event in mine if event.data.get("protection") == protection]
    marks = [event for event in own if event.kind == ATTEMPT]
    begun = _last(own, "attempt.started")
    # Nothing is to be tried of what is not asked for, or cannot be done where the drill runs.
    skipped = _last(own, "skipped") or _last(own, "capability.missing")
    if begun is None and skipped is None and not marks:
        return None
    cut_over = _phase_ended(own, "cut_over") and any(
        event.kind == "check" and event.mapping("finding").get("check") == "cut_over" for event in own
    )
    none = _last(own, "point.none") is not None and _phase_ended(own, "find_point")
    return Try(
        protection=protection,
        ended=cut_over or none or skipped is not None or _last(own, "attempt.failed") is not None,
        cut_over=cut_over,
        began=marks[0].moment("began") if marks else own[-1].at if begun is None else begun.at,
        again=len(marks),
        changed=any(mark.data.get("changed") for mark in marks),
    )


def _phase_ended(events: Sequence[Event], phase: str) -> bool:
    return any(event.kind == "phase" and event.data.get("phase") == phase for event in events)


def _last(events: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in reversed(events) if event.kind == kind), None)
