"""What is said of a drill that was cut off and gone on with: what was begun anew, and what that proves.

An attempt whose interrupted try had made things of its own only is tried again as if nothing had been: they are removed
first. One that had changed what was there before, such as a bucket being rolled back in place, cannot be put back to
where it began. What fails then may have failed by the interruption and is unknown; and its time counts from when it was
tried for the first time, the time in between included, so that an objective that is met was met in truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from drills.history import Event
from drills.in_force import ATTEMPT, SCENARIO
from drills.model import Finding

CHECK = "resumed"
EXPECTED = "tried in one go, or again from nothing"
NAMED = 3


def resumptions(events: Sequence[Event]) -> Iterable[Finding]:
    """Each time that the drill was gone on with, and each scenario that was run anew."""
    for event in events:
        if event.kind == "drill.resumed":
            seen = f"cut off after {_at(event.moment('cut_off'))} and gone on with at {_at(event.at)}"
            yield Finding(CHECK, "pass", "", "every step done, in however many goes", seen)
        elif event.kind == SCENARIO:
            seen = f"run anew under new names at {_at(event.at)}: {event.text('reason')}"
            yield Finding(CHECK, "pass", event.text("scenario"), "every step done in one go", seen)


def resumed_findings(
    findings: Sequence[Finding],
    store: str,
    events: Sequence[Event],
    resumed: Sequence[Event],
    decided: datetime | None,
) -> list[Finding]:
    """The findings on the course of one attempt that began, as they stand if it was tried after a resumption.

    ``events`` are those of the attempt, ``resumed`` tell when the drill was gone on with, and ``decided`` is when its
    scenario's response was: what was gone on with before that has not cut in on any attempt.
    """
    marks = [event for event in events if event.kind == ATTEMPT]
    if not marks:
        begun = next((event.sequence for event in events if event.kind == "attempt.started"), 0)
        later = [one for one in resumed if one.sequence < begun and decided is not None and one.at > decided]
        if not later:
            return list(findings)
        seen = f"tried after the drill had been cut off and gone on with at {_at(later[-1].at)}"
        return [*findings, Finding(CHECK, "pass", store, EXPECTED, seen)]
    seen = f"tried again from its beginning after the drill had been gone on with at {_at(marks[-1].at)}"
    changed = [str(one) for mark in marks for one in mark.data.get("changed", [])]
    if not changed:
        return [*findings, Finding(CHECK, "pass", store, EXPECTED, f"{seen}; what it had made was removed")]
    seen = (
        f"{seen}; it had changed {_some(changed)}, which could not be put back: its time counts from "
        f"{_at(marks[0].moment('began'))}, when it was tried first, and what fails may fail by the interruption"
    )
    return [*map(_doubted, findings), Finding(CHECK, "pass", store, EXPECTED, seen)]


def _doubted(finding: Finding) -> Finding:
    if finding.verdict != "fail":
        return finding
    return replace(finding, verdict="unknown", observed=f"{finding.observed}; perhaps as it was interrupted half-way")


def _some(names: Sequence[str]) -> str:
    once = list(dict.fromkeys(names))
    return ", ".join(once[:NAMED]) + (f" and {len(once) - NAMED} more" if len(once) > NAMED else "")


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
