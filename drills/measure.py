"""How long it took and how much was lost: RTO by its phases, and RPO. Pure; seconds throughout.

The RTO begins with the failure and ends with the cut-over. Detection and decision are common to all paths of a
scenario; the times of a path's own phases are its stopwatch's, as if it had begun when the response was decided.

The RTO at the 95th percentile replaces the modelled durations within a path's phases by their 95th percentiles.
Durations that overlap ran side by side: such a group lasts as long as the one that ends last, so it is the group's
length that is replaced, each duration keeping its start. A duration that outlasts its phase did not hold it up and is
left alone. Where nothing was modelled, as in real accounts, there is no such figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from drills.history import Event
from drills.model import PHASES, Phases


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
    )


def _span_seconds(event: Event) -> float:
    return (event.moment("ended") - event.moment("began")).total_seconds()


def _modelled_in(events: Iterable[Event], phase: Event) -> list[Modelled]:
    """The modelled durations that ended within a phase. The event of a phase is written when the phase ends."""
    found = []
    for event in events:
        if event.kind == "modelled" and event.text("phase") == phase.text("phase"):
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
