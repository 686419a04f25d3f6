"""What is said of a drill in real accounts: how its failures were enforced, and whether the computer slept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drills.durations import written
from drills.history import Event
from drills.model import Cell, Finding, Verdict


def enforced(events: Sequence[Event]) -> Iterable[Finding]:
    """By whom each failure was enforced. Neither an outage nor the loss of an account can be had for real."""
    told: set[Finding] = set()
    for event in events:
        if event.kind != "failure.enforced":
            continue
        by_aws, what = event.data.get("by_aws"), event.text("what")
        verdict: Verdict = "unknown" if by_aws is False else "pass"
        seen = {
            True: "by drills, and by a session policy that AWS was seen to enforce",
            False: "by drills; a session policy that denies it was set, and AWS was not seen to enforce it",
            None: "by drills only, on this side of the wire",
        }[by_aws if isinstance(by_aws, bool) else None]
        subject = f"{event.data.get('scenario', '')}: {what}"
        finding = Finding("enforcement", verdict, subject, "every call refused", f"{seen} ({event.text('seen')})")
        # A drill that is gone on with enforces its failures again.
        if finding not in told:
            told.add(finding)
            yield finding


def slept(events: Sequence[Event], cells: Sequence[Cell]) -> Iterable[Finding]:
    """Durations in which the computer slept are upper bounds: AWS worked on. Those that meet their objective stand."""
    jumped = sum(event.number("seconds") for event in events if event.kind == "clock.jumped")
    if not any(event.kind == "clock.jumped" for event in events):
        return
    within = all(cell.rto_seconds is not None and cell.rto_seconds <= cell.rto_objective_seconds for cell in cells)
    stand = (
        "every RTO meets its objective all the same" if within else "an RTO that misses its objective may be too long"
    )
    yield Finding(
        check="clock",
        verdict="pass" if within and jumped > 0 else "unknown",
        subject="this computer",
        expected="it runs as long as the drill does",
        observed=f"its wall clock jumped ahead by {written(jumped)}, as it slept or was set; AWS worked on, so that "
        f"durations are upper bounds: {stand}"
        if jumped > 0
        else f"its wall clock was set back by {written(-jumped)}: durations may be too short by that",
    )
