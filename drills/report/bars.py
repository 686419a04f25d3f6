"""The phases of each attempt as a stacked bar against the objective: geometry only, drawn by the template.

All attempts of a cell share one scale, so that their bars can be compared by eye. Places and widths are percent of the
drawing's width; text keeps its size on every screen that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from drills.durations import written
from drills.model import PHASES, Attempt, Cell
from drills.report.words import phase_name

ROOM = 1.03
"""The scale ends a little behind the longest duration."""
PERCENT_PER_LETTER = 1.05
"""How wide a letter is on a page of ordinary width."""
NUMBER_PERCENT = 2.5
"""The least width that a phase's number needs."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One phase. ``label`` is empty where there is no room for words, ``number`` None where there is none at all."""

    phase: str
    x: float
    width: float
    label: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the bar's scale, with its label; ``anchor`` keeps the label inside the drawing."""

    x: float
    label: str
    anchor: Literal["start", "end"]


@dataclass(frozen=True, slots=True)
class Bar:
    attempt: Attempt
    title: str
    description: str
    segments: tuple[Segment, ...]
    objective: Mark
    p95: Mark | None
    end: Mark | None


def bars(cell: Cell, label: str) -> tuple[Bar, ...]:
    """A bar for each attempt that had a recovery point and took any time; ``label`` says what kind of durations these
    are. An attempt without one only shares the others' first phases, which its row of the table tells."""
    drawn = [attempt for attempt in cell.attempts if attempt.recovery_point is not None and _total(attempt) > 0]
    longest = max((_longest(attempt) for attempt in drawn), default=0.0)
    scale = max(longest, cell.rto_objective_seconds, 1e-9) * ROOM
    return tuple(_bar(cell, attempt, scale, label) for attempt in drawn)


def _longest(attempt: Attempt) -> float:
    return max(_total(attempt), attempt.rto_seconds or 0.0, attempt.rto_p95_seconds or 0.0)


def _total(attempt: Attempt) -> float:
    return sum(seconds or 0.0 for _, seconds in attempt.phases.items())


def _bar(cell: Cell, attempt: Attempt, scale: float, label: str) -> Bar:
    objective = cell.rto_objective_seconds
    p95 = attempt.rto_p95_seconds
    total = _total(attempt)
    return Bar(
        attempt=attempt,
        title=f"Phases of {attempt.protection} after {cell.scenario} of {cell.store}, {label}",
        description=_description(cell, attempt, label),
        segments=tuple(_segments(attempt, scale)),
        objective=_mark(objective, scale, f"objective {written(objective)}"),
        p95=None if p95 is None else _mark(p95, scale, f"p95 {written(p95)}"),
        end=None if attempt.rto_seconds is not None else _mark(total, scale, f"stopped after {written(total)}"),
    )


def _mark(seconds: float, scale: float, label: str) -> Mark:
    x = _percent(seconds, scale)
    return Mark(x, label, "start" if x < 60 else "end")


def _segments(attempt: Attempt, scale: float) -> Iterator[Segment]:
    began = 0.0
    for number, (phase, seconds) in enumerate(attempt.phases.items(), start=1):
        if not seconds:
            continue
        width = _percent(seconds, scale)
        words = f"{phase_name(phase)} {written(seconds)}"
        label = words if width >= PERCENT_PER_LETTER * len(words) else ""
        yield Segment(phase, _percent(began, scale), width, label, number if width >= NUMBER_PERCENT else None)
        began += seconds


def _percent(seconds: float, scale: float) -> float:
    return round(100 * seconds / scale, 3)


def _description(cell: Cell, attempt: Attempt, label: str) -> str:
    parts = [f"{phase_name(phase)} {written(s)}" for phase, s in attempt.phases.items() if s is not None]
    missing = [phase_name(phase) for phase in PHASES if getattr(attempt.phases, phase) is None]
    reached = f"in all {written(attempt.rto_seconds)} {label}" if attempt.rto_seconds is not None else "not cut over"
    text = f"{', '.join(parts)}; {reached}; the objective is {written(cell.rto_objective_seconds)}."
    return text if not missing else f"{text} Not reached: {', '.join(missing)}."
