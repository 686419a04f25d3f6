"""One attempt, judged from the events that tell of it and the evidence they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from drills.clock import microseconds
from drills.errors import EvidenceError, UsageError
from drills.evidence import EvidenceFile, place, read_inventory, replace_file
from drills.findings import (
    crashed,
    deviation_text,
    judged_by_rpo_alone,
    record_findings,
    rpo_finding,
    rto_finding,
    setting_findings,
    told_finding,
    unlisted_findings,
)
from drills.history import Event, canonical
from drills.judge_resumed import resumed_findings
from drills.measure import UNLOADED, Measured, Response, measure, rpo_seconds
from drills.model import JSON, Attempt, Finding, Mismatch, Objectives, Phases, RecoveryPoint, Verdict, worst
from drills.verify import Deviation, Expectations, Reading, Verification, verify

MISMATCHES_IN_REPORT = 20
SOME_POINT = "a recovery point within the responders' reach"


@dataclass(frozen=True, slots=True)
class Case:
    """What an attempt is judged by.

    ``events`` are those of this path, ``before`` those that tell of its protection before the failure and of what must
    hold for any path to prove something. ``home_region`` is production's. ``unlisted`` is what no record covers, before
    and after the workload, None for nothing. ``settings``, ``response`` and ``expected``
    are None when the scenario broke before there were any; ``broke`` says by what error, and
    ``stopped`` why it was told to stop. ``resumed`` tell when the drill was gone on with after it had been cut off.
    """

    folder: Path
    scenario: str
    store: str
    protection: str
    objectives: Objectives
    events: Sequence[Event]
    before: Sequence[Event]
    settings: Mapping[str, JSON] | None
    unlisted: tuple[Mapping[str, JSON], Mapping[str, JSON]] | None
    response: Response | None
    respond_from: str
    home_region: str
    expected: Expectations | None
    broke: str | None
    stopped: str | None = None
    resumed: Sequence[Event] = ()

    def last(self, kind: str) -> Event | None:
        """The newest event of this kind, None when there is none."""
        return next((event for event in reversed(self.events) if event.kind == kind), None)

    def lacks(self, what: str) -> EvidenceError:
        return EvidenceError(
            f"{self.folder}: the history tells of an attempt at {self.store} by {self.protection} after "
            f"{self.scenario}, but not of {what}. The evidence is incomplete and cannot be judged: run the drill again."
        )


@dataclass(slots=True)
class _Found:
    """What an attempt comes to, as it is judged."""

    findings: list[Finding] = field(default_factory=list)
    point: RecoveryPoint | None = None
    measured: Measured = field(default_factory=lambda: Measured(Phases(), None, None, False))
    verified: Verification | None = None
    rpo_seconds: float | None = None
    mismatches: tuple[Mismatch, ...] = ()


def judge_attempt(case: Case) -> Attempt:
    """Findings and figures of one path. Raises EvidenceError for evidence that is missing or damaged."""
    found = _Found()
    found.findings += map(_before_the_failure, case.before)
    skipped, missing = case.last("skipped"), next((e for e in case.events if e.kind == "capability.missing"), None)
    if missing is not None:
        found.findings.append(Finding("capability", "unknown", case.store, "tried and proved", missing.text("reason")))
    elif skipped is not None:
        found.findings.append(Finding("skipped", "unknown", case.store, "tried and proved", skipped.text("reason")))
    elif case.last("attempt.started") is None:
        why = f"the drill broke: {case.broke}" if case.broke else "the history ends before its turn"
        why = f"the drill was stopped: {case.stopped}" if case.stopped else why
        found.findings.append(Finding("attempt", "unknown", case.store, "tried and proved", f"not tried: {why}"))
    else:
        before, found.findings = found.findings, []
        _judge_course(case, found)
        _judge_records(case, found)
        _judge_settings(case, found)
        _judge_unlisted(case, found)
        _judge_independence(case, found)
        found.findings += [told_finding(event) for event in case.events if event.kind == "check"]
        decided = None if case.response is None else case.response.decided
        found.findings = [*before, *resumed_findings(found.findings, case.store, case.events, case.resumed, decided)]
    return Attempt(
        protection=case.protection,
        recovery_point=found.point,
        verdict=worst(finding.verdict for finding in found.findings),
        rto_seconds=found.measured.rto_seconds,
        rto_p95_seconds=found.measured.rto_p95_seconds,
        rpo_seconds=found.rpo_seconds,
        writes_lost=None if found.verified is None else found.verified.writes_lost,
        phases=found.measured.phases,
        records=None if found.verified is None else found.verified.counts,
        findings=tuple(found.findings),
        mismatches=found.mismatches,
        assumed=found.measured.assumed,
        endpoint=found.measured.endpoint,
    )


def _before_the_failure(event: Event) -> Finding:
    if event.kind in ("health", "premise"):
        return told_finding(event)
    return Finding("protection", "fail", event.text("protection"), "set up", event.text("error"))


# --- How far it got ------------------------------------------------------------------------------------------------


def _judge_course(case: Case, found: _Found) -> None:
    """The recovery point, what broke on the way, and how long it took."""
    if case.response is None:
        raise case.lacks("the failure, its detection and the decision")
    point, none, failed = case.last("point"), case.last("point.none"), case.last("attempt.failed")
    if point is not None:
        found.point = _recovery_point(case.protection, point)
        seen = f"{found.point.id}, as of {found.point.as_of:%Y-%m-%dT%H:%M:%SZ}"
        found.findings.append(Finding("recovery_point", "pass", case.store, SOME_POINT, seen))
    elif none is not None:
        found.findings.append(Finding("recovery_point", "fail", case.store, SOME_POINT, none.text("reason")))
    done = point is not None and failed is None and _phase_ended(case, "cut_over")
    if failed is not None:
        found.findings.append(_broken_off(case, failed))
    elif not done and none is None:
        seen = "the history ends before the cut-over"
        if case.stopped:
            seen = f"the drill was stopped before the cut-over: {case.stopped}"
        found.findings.append(Finding("attempt", "unknown", case.store, "restored, verified and cut over", seen))
    found.measured = measure(case.response, case.events, cut_over=done)
    unloaded = case.last(UNLOADED)
    if unloaded is not None:
        # No objective hangs on it, so that the lack of a figure is told and fails nobody.
        expected, seen = "a figure, or why there is none", f"not known: {unloaded.text('reason')}"
        found.findings.append(Finding("full_speed", "pass", case.store, expected, seen))
    if found.measured.rto_seconds is not None:
        found.findings.append(rto_finding(found.measured.rto_seconds, case.objectives.rto_seconds, case.store))


def _broken_off(case: Case, failed: Event) -> Finding:
    what = "out of the responders' reach" if failed.data.get("cause") == "attempt.refused" else "broke off"
    return Finding(
        check="attempt",
        verdict="fail",
        subject=case.store,
        expected="restored, verified and cut over",
        observed=f"{what} in the phase {failed.text('phase')}: {failed.text('error')}",
    )


def _phase_ended(case: Case, phase: str) -> bool:
    return any(event.kind == "phase" and event.data.get("phase") == phase for event in case.events)


def _recovery_point(protection: str, event: Event) -> RecoveryPoint:
    told = event.mapping("point")
    try:
        return RecoveryPoint(
            id=str(told["id"]),
            protection=protection,
            account=str(told["account"]),
            region=str(told["region"]),
            as_of=datetime.fromisoformat(told["as_of"]),
            handle=dict(told.get("handle", {})),
            lag_seconds=float(told["lag_seconds"]),
        )
    except (KeyError, ValueError, TypeError):
        raise event.lacks("point", "a recovery point with its id, place and moment") from None


# --- What came back ------------------------------------------------------------------------------------------------


def _judge_records(case: Case, found: _Found) -> None:
    """Every record against the ledger; what was lost, against the objective."""
    inventory = case.last("inventory")
    point, expected, response = found.point, case.expected, case.response
    if inventory is None:
        if found.measured.rto_seconds is not None:
            raise case.lacks("what was read back")
        return
    if point is None or response is None:
        raise case.lacks("its recovery point")
    if expected is None:
        raise case.lacks("the ledger")
    before_us = microseconds(point.as_of) - round(point.lag_seconds * 1_000_000)

    def judged() -> list[Finding]:
        verified = _verified(case.folder, inventory, expected)
        found.verified = verified
        found.rpo_seconds = rpo_seconds(microseconds(response.failed), verified.first_lost_us)
        found.mismatches = _tell_mismatches(case, verified.deviations, before_us)
        lost = rpo_finding(
            found.rpo_seconds, case.objectives.rpo_seconds, verified.writes_lost, case.store, verified.keys
        )
        return [*record_findings(verified, before_us, case.store), lost]

    found.findings += guarded("records", case.store, judged)


def _verified(folder: Path, event: Event, expected: Expectations) -> Verification:
    # A record may expire, and be removed, for as long as the reading goes on; the event is written when it has ended.
    reading = Reading(microseconds(event.moment("purged_at")), microseconds(max(event.moment("read_at"), event.at)))
    return verify(expected, read_inventory(folder, EvidenceFile.told_by(event)), reading)


def _tell_mismatches(case: Case, deviations: Sequence[Deviation], before_us: int) -> tuple[Mismatch, ...]:
    """Write all mismatches into the evidence; returns the first for the report, what breaks a check at the head."""
    file = case.folder / place(case.scenario, case.store, f"{case.protection}.mismatches.jsonl")
    try:
        if deviations:
            replace_file(file, (_mismatch_line(deviation, before_us) for deviation in deviations))
        else:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"{file}: the mismatching records cannot be written ({error.strerror}). Make the drill's folder "
            "writable, or judge a copy of it."
        ) from None
    first = sorted(deviations, key=lambda deviation: judged_by_rpo_alone(deviation, before_us))[:MISMATCHES_IN_REPORT]
    return tuple(Mismatch(one.key, one.record_class, _text(one.expected), _text(one.observed)) for one in first)


def _mismatch_line(deviation: Deviation, before_us: int) -> bytes:
    line: Mapping[str, JSON] = {
        "key": deviation.key,
        "class": deviation.record_class,
        "judged_by_rpo_alone": judged_by_rpo_alone(deviation, before_us),
        "what": deviation_text(deviation),
        "expected": orjson.Fragment(deviation.expected or b"null"),
        "observed": orjson.Fragment(deviation.observed or b"null"),
    }
    return canonical(line) + b"\n"


def _text(item: bytes | None) -> str | None:
    return None if item is None else item.decode()


def _judge_settings(case: Case, found: _Found) -> None:
    observed = case.last("settings.observed")
    if observed is not None:
        expected = case.settings
        if expected is None:
            raise case.lacks("the settings before the failure")
        found.findings += guarded(
            "settings", case.store, lambda: setting_findings(expected, observed.mapping("settings"), case.store)
        )
    elif found.measured.rto_seconds is not None:
        raise case.lacks("the settings of the restored store")


def _judge_unlisted(case: Case, found: _Found) -> None:
    """What no record covers: what the workload left as it was must have come back so; the rest nobody can judge."""
    if case.unlisted is None or case.last("settings.observed") is None:
        return
    (protected, written), observed = case.unlisted, case.last("unlisted.observed")
    held = {} if observed is None else observed.mapping("held")
    found.findings += guarded("unlisted", case.store, lambda: unlisted_findings(protected, written, held, case.store))


def _judge_independence(case: Case, found: _Found) -> None:
    """Where production or its region is lost, a recovery that still asks it for anything works in drills alone."""
    if found.point is None or case.respond_from == "production":
        return
    what = "production" if case.respond_from == "recovery" else "production's region"
    lost = ("role", "production") if case.respond_from == "recovery" else ("region", case.home_region)
    asked = sorted(
        {
            f"{event.text('service')} {event.text('operation')} in {event.text('phase')}"
            for event in case.events
            if event.kind == "call" and event.data.get(lost[0]) == lost[1]
        }
    )
    seen = f"{len(asked)} kinds of call: {'; '.join(asked)}" if asked else f"no call to {what}"
    verdict: Verdict = "fail" if asked else "pass"
    found.findings.append(Finding("independence", verdict, case.store, f"nothing needed from {what}", seen))


def guarded(check: str, subject: str, findings: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings, or, when the check itself breaks, one that says so and is unknown."""
    try:
        return findings()
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - a check that breaks proves nothing, and must not hide the other checks.
        return [crashed(check, subject, error)]
