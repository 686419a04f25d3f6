"""Which events of a history count, where something was begun anew: what came before that mark does not.

A scenario that is run anew says ``scenario.restarted``, an attempt that is tried again ``attempt.restarted``. The marks
themselves stay: they say that it was so, and why.
"""

from __future__ import annotations

from collections.abc import Sequence

from drills.history import Event

SCENARIO, ATTEMPT = "scenario.restarted", "attempt.restarted"
Key = tuple[str, str, str]


def in_force(events: Sequence[Event]) -> list[Event]:
    """The events that count, in order."""
    restarted = {str(event.data.get("scenario")): event.sequence for event in events if event.kind == SCENARIO}
    counting = [event for event in events if event.sequence >= restarted.get(str(event.data.get("scenario")), 0)]
    again = {key_of(event): event.sequence for event in counting if event.kind == ATTEMPT}
    begun: dict[Key, int] = {}
    for event in counting:
        if event.kind == "attempt.started":
            begun.setdefault(key_of(event), event.sequence)
    return [
        event
        for event in counting
        if event.kind == ATTEMPT
        # What tells of a protection before its attempt stays.
        or not begun.get(key_of(event), event.sequence + 1) <= event.sequence < again.get(key_of(event), 0)
    ]


def key_of(event: Event) -> Key:
    """The scenario, the store and the protection that an event tells of; empty where it tells of none."""
    return (
        str(event.data.get("scenario", "")),
        str(event.data.get("store", "")),
        str(event.data.get("protection", "")),
    )
