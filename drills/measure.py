"""How long it took and how much was lost: RTO by its phases, and RPO. Pure; seconds throughout.

The RTO begins with the failure and ends with the cut-over. Detection and decision are common to all paths of a
scenario; the times of a path's own phases are its stopwatch's, as if it had begun when the response was decided.

The RTO at the 95th percentile replaces the modelled durations within a path's phases by their 95th percentiles.
What a store loads after it answers holds nothing up.
Durations that overlap ran side by side: such a group lasts as long as the one that ends last, so it is the group's
length that is replaced, each duration keeping its start. A duration that outlasts its phase did not hold it up and is
left alone. Where nothing was modelled, as in real accounts, there is no such figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drills.history import Event
from drills.model import PHASES, Endpoint, Phases

FULL_SPEED = "full_speed"
"""The last word of the modelled operation by which a restored store loads what it answers with already."""
AVAILABLE, LOADED, UNLOADED = "endpoint.available", "endpoint.loaded", "endpoint.unloaded"
"""The events that tell of a restored store that it answers, that all of it was read, and why it was not."""


@dataclass(frozen=True, slots=True)
class Response:
    """When a scenario's failure began, when it was detected, and when the response was decided."""

    failed: datetime
    detected: datetime
    decided: datetime


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one path, as far as it got. ``assumed``: a modelled duration in it rests on an assumption."""

    phases: Phases
    rto_seconds: float | None
    rto_p95_seconds: float | None
    assumed: bool
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Modelled:
    """One modelled duration: when it began on the clock, and its seconds."""

    began: datetime
    seconds: float
    p95_seconds: float
    assumed: bool

    def starts_after(self, origin: datetime) -> float:
        return (self.began - origin).total_seconds()


def measure(response: Response, events: Sequence[Event], *, cut_over: bool) -> Measured:
    """Measure one path by its ``phase`` and ``modelled`` events; ``cut_over``: whether it got through to the end."""
    spans = {event.text("phase"): event for event in events if event.kind == "phase"}
    seconds = {name: _span_seconds(event) for name, event in spans.items() if name in PHASES}
    seconds["detect"] = (response.detected - response.failed).total_seconds()
    seconds["decide"] = (response.decided - response.detected).total_seconds()
    modelled = [_modelled_in(events, event) for event in spans.values()]
    rto = rto_p95 = None
    if cut_over:
        rto = (spans["cut_over"].moment("ended") - response.failed).total_seconds()
        if any(modelled):
            rto_p95 = rto + sum(map(stretch_seconds, modelled))
    return Measured(
        phases=Phases(**seconds),
        rto_seconds=rto,
        rto_p95_seconds=rto_p95,
        assumed=any(duration.assumed for durations in modelled for duration in durations),
        endpoint=_endpoint(response, events, spans),
    )


def _endpoint(response: Response, events: Sequence[Event], spans: Mapping[str, Event]) -> Endpoint | None:
    """When it answered, was verified and was at full speed, where an ``endpoint.available`` event tells of it.

    What loads lazily does so from when it answers first, for as long as was modelled; in real accounts until all of it
    had been read, which a path is at once it has been cut over.
    """
    told = _first(events, AVAILABLE)
    if told is None:
        return None

    def ended(phase: str) -> float | None:
        return (spans[phase].moment("ended") - response.failed).total_seconds() if phase in spans else None

    available = full_speed = ended("restore")
    if told.data.get("loads_lazily"):
        read = _first(events, LOADED)
        # The stopwatch's, as the ends of phases are.
        loaded = (
            _modelled_loading(response, events, spans.get("restore"))
            if read is None
            else (read.moment("ended") - response.failed).total_seconds()
        )
        full_speed = None if loaded is None or available is None else max(available, loaded)
    return Endpoint(available, ended("verify"), full_speed)


def _first(events: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in events if event.kind == kind), None)


def _modelled_loading(response: Response, events: Sequence[Event], restore: Event | None) -> float | None:
    """Durations are on the clock and phases on the stopwatch, from which the clock may have moved away."""
    if restore is None:
        return None
    ends = [
        event.moment("began") + timedelta(seconds=event.number("seconds"))
        for event in events
        if event.kind == "modelled" and event.data.get("phase") == "restore" and _is_loading(event)
    ]
    if not ends:
        return None
    behind = restore.at - restore.moment("ended")
    return (max(ends) - behind - response.failed).total_seconds()


def _is_loading(event: Event) -> bool:
    return str(event.data.get("operation", "")).rpartition(".")[2] == FULL_SPEED


def _span_seconds(event: Event) -> float:
    return (event.moment("ended") - event.moment("began")).total_seconds()


def _modelled_in(events: Iterable[Event], phase: Event) -> list[Modelled]:
    """The modelled durations that ended within a phase. The event of a phase is written when the phase ends."""
    found = []
    for event in events:
        if event.kind == "modelled" and event.text("phase") == phase.text("phase") and not _is_loading(event):
            duration = Modelled(
                event.moment("began"),
                event.number("seconds"),
                event.number("p95_seconds"),
                bool(event.data.get("assumed")),
            )
            # Times are kept to the microsecond and seconds are not, so that the last one may end half of one late.
            if duration.starts_after(phase.at) + duration.seconds < 1e-5:
                found.append(duration)
    return found


def stretch_seconds(durations: Sequence[Modelled]) -> float:
    """How much longer a phase lasts when each of its durations takes its 95th percentile."""
    stretch = 0.0
    for group in _side_by_side(durations):
        origin = group[0].began
        really = max(duration.starts_after(origin) + duration.seconds for duration in group)
        at_p95 = max(duration.starts_after(origin) + duration.p95_seconds for duration in group)
        stretch += at_p95 - really
    return stretch


def _side_by_side(durations: Sequence[Modelled]) -> list[list[Modelled]]:
    """Groups of durations that overlap, directly or through others; one that begins as another ends does not."""
    groups: list[list[Modelled]] = []
    ends = 0.0
    for duration in sorted(durations, key=lambda one: (one.began, one.seconds, one.p95_seconds)):
        if groups and duration.starts_after(groups[-1][0].began) < ends - 1e-5:
            groups[-1].append(duration)
        else:
            groups.append([duration])
            ends = 0.0
        ends = max(ends, duration.starts_after(groups[-1][0].began) + duration.seconds)
    return groups


def rpo_seconds(failed_us: int, first_lost_us: int | None) -> float:
    """Failure minus the newest moment up to which every acknowledged write survived; zero when all before it did.

    Both in microseconds since the epoch; ``first_lost_us`` is when the first lost write was acknowledged.
    """
    if first_lost_us is None:
        return 0.0
    return max(0, failed_us - first_lost_us) / 1_000_000
