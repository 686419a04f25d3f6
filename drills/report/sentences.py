"""What happened in a cell, in plain words for someone who was not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from drills.durations import written
from drills.model import Attempt, Cell, Finding, Report, Verdict
from drills.report.words import NOT_RECOVERED, by_rpo_alone, counted, meets, not_recovered, not_tried, plain, preferred

DONE: dict[Verdict, str] = {"pass": "passed", "fail": "failed", "unknown": "unknown"}


def tally(report: Report) -> str:
    """``12 cells: 9 passed, 2 failed, 1 unknown``, and what did not pass of the drill as a whole."""
    text = f"{counted(len(report.cells), 'cell')}: {verdicts(report.cells) or 'none drilled'}"
    wide = verdicts([finding for finding in report.findings if finding.verdict != "pass"])
    return f"{text}; of the drill as a whole: {wide}" if wide else text


def verdicts(judged: Sequence[Cell | Finding]) -> str:
    """``9 passed, 2 failed, 1 unknown``, without those that did not occur."""
    counts = Counter(one.verdict for one in judged)
    return ", ".join(f"{counts[verdict]:,} {word}" for verdict, word in DONE.items() if counts[verdict])


def moment(when: datetime) -> str:
    """``2026-01-05 09:00:00 UTC``; milliseconds where there are any."""
    utc = when.astimezone(UTC)
    return utc.isoformat(" ", "milliseconds" if utc.microsecond else "seconds").replace("+00:00", " UTC")


def story(cell: Cell, label: str) -> str:
    """The cell in a few sentences; ``label`` is ``simulated`` or ``measured``."""
    return " ".join(_story(cell, label))


def _story(cell: Cell, label: str) -> Iterator[str]:
    failure = f"After the failure “{plain(cell.scenario)}”"
    attempt = preferred(cell)
    if attempt is None or attempt.recovery_point is None:
        yield f"{failure}, {_no_way_back(cell)}"
        return
    point = attempt.recovery_point
    source = f"from a recovery point as of {moment(point.as_of)} in account {point.account}, {point.region}"
    if attempt.rto_seconds is None:
        yield f"{failure}, {cell.store} was to be restored by {attempt.protection} {source}, but was not cut over."
    else:
        yield f"{failure}, {cell.store} was restored by {attempt.protection} {source}."
        yield f"It was verified and cut over {_against(attempt.rto_seconds, cell.rto_objective_seconds, label)}."
    yield _loss(cell, attempt, label)
    if attempt.records is not None:
        yield _records(attempt)
    yield checks(attempt.findings)
    yield from _others(cell, attempt)


def _against(seconds: float, objective: float, label: str) -> str:
    side = "within" if meets(seconds, objective) else "past"
    return f"{written(seconds)} ({label}) after the failure, {side} the objective of {written(objective)}"


def _loss(cell: Cell, attempt: Attempt, label: str) -> str:
    if attempt.rpo_seconds is None or attempt.writes_lost is None:
        return "How much was lost is unknown."
    of = f"of {counted(cell.writes_acknowledged, 'acknowledged write')}"
    objective = written(cell.rpo_objective_seconds)
    side = "within" if meets(attempt.rpo_seconds, cell.rpo_objective_seconds) else "past"
    if not attempt.writes_lost and not attempt.rpo_seconds:
        return f"None {of} was lost."
    verb = "was" if attempt.writes_lost == 1 else "were"
    if not attempt.rpo_seconds:
        return (
            f"Everything acknowledged before the failure survived; {attempt.writes_lost:,} {of}, made after it began, "
            f"{verb} lost."
        )
    return (
        f"{attempt.writes_lost:,} {of} {verb} lost; everything acknowledged until {written(attempt.rpo_seconds)} "
        f"({label}) before the failure survived, {side} the objective of {objective}."
    )


def _records(attempt: Attempt) -> str:
    assert attempt.records is not None
    bad = not_recovered(attempt.records)
    expected = counted(attempt.records.expected, "expected record")
    if not bad:
        return f"No record of {expected} is lost, stale, corrupt or resurrected."
    classes = [(getattr(attempt.records, name), name) for name in NOT_RECOVERED]
    which = ", ".join(f"{count:,} {name}" for count, name in classes if count)
    if by_rpo_alone(attempt):
        return (
            f"{counted(bad, 'record')} of {expected} {'differs' if bad == 1 else 'differ'} through writes from after "
            f"the recovery point alone ({which}), which count for the RPO."
        )
    as_it = "as it should" if bad == 1 else "as they should"
    return f"{counted(bad, 'record')} did not come back {as_it}: {which}; {expected} in all."


def checks(findings: Sequence[Finding]) -> str:
    """``All 11 checks passed.`` or how many did not."""
    if not findings:
        return "Nothing was checked."
    failed = sum(finding.verdict == "fail" for finding in findings)
    unknown = sum(finding.verdict == "unknown" for finding in findings)
    if len(findings) == 1:
        return f"The one check {'failed' if failed else 'could not be decided' if unknown else 'passed'}."
    if not failed and not unknown:
        return f"All {len(findings):,} checks passed."
    parts = [f"{failed:,} failed"] * bool(failed) + [f"{unknown:,} could not be decided"] * bool(unknown)
    return f"Of {counted(len(findings), 'check')}, {' and '.join(parts)}."


def _others(cell: Cell, attempt: Attempt) -> Iterator[str]:
    others = [other for other in cell.attempts if other is not attempt]
    passed = [other.protection for other in others if other.verdict == "pass"]
    untried = [other.protection for other in others if not_tried(other)]
    without = [other.protection for other in others if other.recovery_point is None and not not_tried(other)]
    rest = [other.protection for other in others if other.verdict != "pass" and other.recovery_point is not None]
    if passed:
        yield f"Proved beside it: {', '.join(passed)}."
    if rest:
        yield f"Tried beside it and not passed: {', '.join(rest)}."
    if without:
        yield f"Without a recovery point within reach: {', '.join(without)}."
    if untried:
        yield f"Not tried: {', '.join(untried)}."


def _no_way_back(cell: Cell) -> str:
    tried = [attempt for attempt in cell.attempts if not not_tried(attempt)]
    if not tried:
        return f"no recovery path of {cell.store} was tried. Nothing is known about a way back."
    without = sum(attempt.recovery_point is None for attempt in tried)
    stopped = len(tried) - without
    parts = [f"{without:,} had no recovery point within the responders' reach"] * bool(without)
    parts += [f"{stopped:,} did not lead back"] * bool(stopped)
    return f"no recovery path led back to {cell.store}: of {len(tried):,} tried, {' and '.join(parts)}."
