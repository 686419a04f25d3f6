"""A drill, judged: findings, figures and verdicts from its history and its evidence alone.

*Attempt*: the worst of its findings, the health of its protection before the failure among them.

*Cell*: its path is the first attempt, in the estate's order of preference, that had a recovery point and was cut over
(else the first that had one), and its figures are that attempt's. Its verdict is the worst of all attempts' findings,
but that a path found no recovery point (the scenario took it away, which is what it is for) or was skipped because only
the preferred one was asked for does not count. With no recovery point at all, nothing is left out and the cell fails;
unless a path could not be tried where the drill ran: then it is unknown.

*Drill*: the worst of its cells and of the findings on the drill as a whole: that what one store names in another was
found there, by the paths of their cells; that it ran to its end, and that it cleaned up after itself. Of what was begun
anew after the drill had been cut off, only the last course is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drills.errors import EvidenceError
from drills.evidence import PLAN, EvidenceFile, read_ledger, read_plan
from drills.history import Event, read_history
from drills.in_force import in_force
from drills.judge_attempt import Case, judge_attempt
from drills.judge_references import judge_reference
from drills.judge_resumed import resumptions
from drills.judge_sandbox import enforced, slept
from drills.measure import Response
from drills.model import JSON, Attempt, Cell, DrillInfo, Finding, Objectives, Reference, Report, Verdict, worst
from drills.verify import Expectations

NOT_A_WAY_BACK = frozenset({"recovery_point", "skipped"})
"""Checks that do not count against a cell with another way back: this path was not there, or was not asked for."""


def judge(folder: Path) -> Report:
    """Judge the drill in a folder. The same evidence gives the same report.

    Raises EvidenceError, naming the file, when something is missing, cut or changed.
    """
    events = in_force(read_history(folder))
    if events[0].kind != "drill.started":
        raise events[0].lacks("kind", "the drill.started that every history begins with")
    told = events[0].mapping("plan")
    plan = _Plan.read(folder, events[0], told)
    resumed = [event for event in events if event.kind == "drill.resumed"]
    cells = tuple(
        _judge_cell(
            folder,
            scenario,
            store,
            [event for event in events if event.data.get("scenario") == scenario.name],
            plan.home_region,
            resumed,
        )
        for scenario in plan.scenarios
        for store in plan.stores
    )
    findings = (
        *_referred(folder, plan, cells, events),
        *_ran_to_its_end(events),
        *resumptions(events),
        *_cleaned_up(events, [scenario.name for scenario in plan.scenarios]),
        *enforced(events),
        *slept(events, cells),
    )
    verdict = worst([*(cell.verdict for cell in cells), *(finding.verdict for finding in findings)])
    return Report(plan.drill, verdict, cells, findings)


def broke(folder: Path) -> bool:
    """Whether the drill itself broke: an error is in its history, or its end is not."""
    return _broke(in_force(read_history(folder)))


def stopped(folder: Path) -> bool:
    """Whether the drill was told to stop before its end."""
    return any(event.kind == "stopped" for event in read_history(folder))


def _broke(events: Sequence[Event]) -> bool:
    return events[-1].kind != "drill.ended" or any(event.kind == "error" for event in events)


# --- The plan ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Store:
    """A store as the plan has it."""

    name: str
    kind: str
    protections: tuple[str, ...]
    objectives: Objectives


@dataclass(frozen=True, slots=True)
class _Scenario:
    """A scenario as the plan has it."""

    name: str
    respond_from: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the judge needs to know of a plan."""

    drill: DrillInfo
    scenarios: tuple[_Scenario, ...]
    stores: tuple[_Store, ...]
    home_region: str
    references: tuple[Reference, ...]

    @classmethod
    def read(cls, folder: Path, started: Event, told: Mapping[str, JSON]) -> _Plan:
        file = EvidenceFile(str(told.get("file")), 1, str(told.get("sha256")))
        plan = read_plan(folder, file)
        try:
            return cls(
                _drill_info(plan["drill"]),
                tuple(_Scenario(str(use["name"]), str(use["respond_from"])) for use in plan["scenarios"]),
                tuple(map(_store, plan["estate"]["stores"])),
                str(plan["estate"]["accounts"]["production"]["region"]),
                tuple(
                    Reference(str(one["store"]), str(one["attribute"]), str(one["to"]))
                    for one in plan["estate"].get("references", [])
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(
                f"{folder / PLAN}: expected the plan of a drill, found one that lacks or spoils {error}. "
                "It was written by another version: run the drill again."
            ) from None


def _drill_info(told: Mapping[str, JSON]) -> DrillInfo:
    if told["grade"] not in ("simulated", "sandbox") or told["clock"] not in ("simulated", "wall"):
        raise ValueError("the grade or the clock")
    return DrillInfo(
        id=str(told["id"]),
        seed=int(told["seed"]),
        version=str(told["version"]),
        provider=str(told["provider"]),
        grade=told["grade"],
        estate=str(told["estate"]),
        started=datetime.fromisoformat(told["started"]),
        clock=told["clock"],
    )


def _store(told: Mapping[str, JSON]) -> _Store:
    objectives = told["objectives"]
    return _Store(
        name=str(told["name"]),
        kind=str(told["kind"]),
        protections=tuple(map(str, told["protections"])),
        objectives=Objectives(float(objectives["rto_seconds"]), float(objectives["rpo_seconds"])),
    )


# --- A cell --------------------------------------------------------------------------------------------------------


def _judge_cell(
    folder: Path,
    scenario: _Scenario,
    store: _Store,
    events: Sequence[Event],
    home_region: str,
    resumed: Sequence[Event],
) -> Cell:
    """One scenario and store. ``events`` are the scenario's; ``resumed`` tell when the drill was gone on with."""
    own = [event for event in events if event.data.get("store") == store.name]
    ledger = _last(own, "ledger")
    expected = None if ledger is None else Expectations(read_ledger(folder, EvidenceFile.told_by(ledger)))
    settings = _last(own, "settings.expected")
    unlisted = _last(own, "unlisted.expected")
    error, halted = _last(events, "error"), _last(events, "stopped")
    attempts = tuple(
        judge_attempt(
            Case(
                folder=folder,
                scenario=scenario.name,
                store=store.name,
                protection=protection,
                objectives=store.objectives,
                events=[event for event in own if event.data.get("protection") == protection],
                before=[event for event in own if _tells_of_before(event, protection)],
                settings=None if settings is None else settings.mapping("settings"),
                unlisted=None if unlisted is None else (unlisted.mapping("protected"), unlisted.mapping("written")),
                response=_response(events),
                respond_from=scenario.respond_from,
                home_region=home_region,
                expected=expected,
                broke=None if error is None else error.text("error"),
                stopped=None if halted is None else halted.text("reason"),
                resumed=resumed,
            )
        )
        for protection in store.protections
    )
    return _cell(scenario.name, store, attempts, 0 if expected is None else expected.writes_acknowledged)


def _tells_of_before(event: Event, protection: str) -> bool:
    if event.kind == "premise":
        return True
    return event.kind in ("health", "protection.failed") and event.data.get("protection") == protection


def _response(events: Sequence[Event]) -> Response | None:
    failed, detected, decided = (_last(events, kind) for kind in ("failure.began", "detected", "decided"))
    if failed is None or detected is None or decided is None:
        return None
    return Response(failed.at, detected.at, decided.at)


def _cell(scenario: str, store: _Store, attempts: tuple[Attempt, ...], writes_acknowledged: int) -> Cell:
    path = _path(attempts)
    return Cell(
        scenario=scenario,
        store=store.name,
        kind=store.kind,
        verdict=_cell_verdict(attempts),
        path=None if path is None else path.protection,
        rto_seconds=None if path is None else path.rto_seconds,
        rto_objective_seconds=store.objectives.rto_seconds,
        rpo_seconds=None if path is None else path.rpo_seconds,
        rpo_objective_seconds=store.objectives.rpo_seconds,
        writes_acknowledged=writes_acknowledged,
        writes_lost=None if path is None else path.writes_lost,
        attempts=attempts,
    )


def _path(attempts: Sequence[Attempt]) -> Attempt | None:
    with_point = [attempt for attempt in attempts if attempt.recovery_point is not None]
    cut_over = [attempt for attempt in with_point if attempt.rto_seconds is not None]
    return next(iter(cut_over or with_point), None)


def _cell_verdict(attempts: Sequence[Attempt]) -> Verdict:
    # Where a path could not be tried at all, nobody knows whether there is a way back.
    tried = not any(finding.check == "capability" for attempt in attempts for finding in attempt.findings)
    if tried and all(attempt.recovery_point is None for attempt in attempts):
        return worst(attempt.verdict for attempt in attempts)
    return worst(
        finding.verdict for attempt in attempts for finding in attempt.findings if finding.check not in NOT_A_WAY_BACK
    )


# --- The drill as a whole ------------------------------------------------------------------------------------------


def _referred(folder: Path, plan: _Plan, cells: Sequence[Cell], events: Sequence[Event]) -> Iterable[Finding]:
    """Whether what the records of one store name in another was restored with it, scenario by scenario."""
    by_place = {(cell.scenario, cell.store): cell for cell in cells}
    for scenario in plan.scenarios:
        own = [event for event in events if event.data.get("scenario") == scenario.name]
        for reference in plan.references:
            ends = [by_place[scenario.name, name] for name in (reference.store, reference.to)]
            subject = f"{scenario.name}: {reference.store}.{reference.attribute} → {reference.to}"
            yield from judge_reference(folder, reference, subject, ends, own)


def _ran_to_its_end(events: Sequence[Event]) -> Iterable[Finding]:
    """A drill that broke proves nothing about what it did not get to; what broke it is named."""
    expected = "a drill that runs to its end"
    for event in events:
        if event.kind == "stopped":
            seen = f"stopped: {event.text('reason')}"
            yield Finding("drill", "unknown", str(event.data.get("scenario", "")), expected, seen)
        if event.kind == "error":
            yield Finding("drill", "unknown", str(event.data.get("scenario", "")), expected, event.text("error"))
    if events[-1].kind != "drill.ended":
        seen = f"the history ends with {events[-1].kind!r}"
        yield Finding("drill", "unknown", str(events[-1].data.get("scenario", "")), expected, seen)


def _cleaned_up(events: Sequence[Event], scenarios: Sequence[str]) -> Iterable[Finding]:
    for scenario in scenarios:
        cleanup = _last([event for event in events if event.data.get("scenario") == scenario], "cleanup")
        left = None if cleanup is None else [str(what) for what in cleanup.data.get("left", ["an unknown number"])]
        verdict: Verdict = "unknown" if left is None else "fail" if left else "pass"
        seen = "no word of it" if left is None else "; ".join(left) or "nothing left behind"
        yield Finding("clean_up", verdict, scenario, "nothing left behind", seen)


def _last(events: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in reversed(events) if event.kind == kind), None)
