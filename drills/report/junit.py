"""junit.xml: one suite for each scenario, one case for each attempt, so that CI shows what the exit code says.

A case holds at most one result, whose text lists every finding behind it: readers of JUnit files count results, and
several in one case would make more failures than cases. Failed is ``failure`` and unknown is ``error``. A path that
does not decide its cell, because the scenario took it away or nobody asked for it, is ``skipped`` with its reason: it
is not green, and it does not fail a drill that passed. Figures are properties; ``time`` stays 0, as CI would take a
simulated duration for the time its job took.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from junitparser import Error, Failure, Skipped
from junitparser.junitparser import FinalResult
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from drills.judge import NOT_A_WAY_BACK
from drills.model import Attempt, Cell, Finding, Report, Verdict, worst
from drills.report.json_report import utc
from drills.report.words import CLOCKS, counted, one_line, visible, worst_first

DRILL_SUITE = "drill"


def render(report: Report) -> bytes:
    xml = JUnitXml(one_line(report.drill.id))
    for scenario in dict.fromkeys(cell.scenario for cell in report.cells):
        cells = [cell for cell in report.cells if cell.scenario == scenario]
        xml.add_testsuite(_suite(report, scenario, [case for cell in cells for case in _cases(cell)]))
    drill_wide = list(_drill_wide(report))
    if drill_wide:
        xml.add_testsuite(_suite(report, DRILL_SUITE, drill_wide))
    xml.update_statistics()  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    xml.write(file, pretty=True)
    return file.getvalue()


def _suite(report: Report, name: str, cases: Iterable[TestCase]) -> TestSuite:
    drill = report.drill
    suite = TestSuite(one_line(name))  # type: ignore[no-untyped-call]
    suite.timestamp = utc(drill.started)
    for key, value in {
        "drill": drill.id,
        "estate": drill.estate,
        "seed": drill.seed,
        "version": drill.version,
        "provider": drill.provider,
        "grade": drill.grade,
        "durations": CLOCKS[drill.clock],
    }.items():
        suite.add_property(key, one_line(str(value)))
    suite.add_testcases(list(cases))
    return suite


def _cases(cell: Cell) -> Iterator[TestCase]:
    """The cell's attempts; and the cell itself where its verdict would not show otherwise."""
    results = [_result(cell, attempt) for attempt in cell.attempts]
    for attempt, result in zip(cell.attempts, results, strict=True):
        yield _case(cell.scenario, cell.store, attempt.protection, result, _figures(cell, attempt))
    if cell.verdict not in map(_shows, results):
        found = "no recovery path was tried" if not cell.attempts else "by the cell as a whole"
        whole = _final(cell.verdict, f"{cell.verdict}: {found}", ())
        yield _case(cell.scenario, cell.store, "all recovery paths", whole, _cell_figures(cell))


def _shows(result: FinalResult | None) -> Verdict | None:
    """The verdict that CI reads from a case; None from a skipped one."""
    if result is None:
        return "pass"
    return "fail" if isinstance(result, Failure) else "unknown" if isinstance(result, Error) else None


def _drill_wide(report: Report) -> Iterator[TestCase]:
    for finding in report.findings:
        message = f"{finding.check}: expected {finding.expected}, observed {finding.observed}"
        result = _final(finding.verdict, message, (finding,))
        yield _case(DRILL_SUITE, finding.subject, finding.check, result, {})
    shown = {cell.verdict for cell in report.cells} | {finding.verdict for finding in report.findings}
    if report.verdict not in shown:
        result = _final(report.verdict, f"{report.verdict}: by the drill as a whole", ())
        yield _case(DRILL_SUITE, report.drill.id, "verdict", result, {})


def _case(
    suite: str, subject: str, name: str, result: FinalResult | None, properties: Mapping[str, object]
) -> TestCase:
    case = TestCase(one_line(name), f"{one_line(suite)}.{one_line(subject)}", 0.0)
    for key, value in properties.items():
        if value is not None:
            case.add_property(key, one_line(str(value)))
    if result is not None:
        case.result = [result]
    return case


def _result(cell: Cell, attempt: Attempt) -> FinalResult | None:
    bad = [finding for finding in worst_first(attempt.findings) if finding.verdict != "pass"]
    if attempt.verdict == "pass":
        return None
    counts = _counting(cell, bad)
    if cell.verdict == "pass" or (bad and not counts):
        message = f"{attempt.verdict}: {_summary(attempt, bad)}; this path does not decide the cell"
        return _with_text(Skipped(one_line(message)), bad)
    verdict = worst(finding.verdict for finding in counts) if counts else attempt.verdict
    return _final(verdict, f"{verdict}: {_summary(attempt, counts or bad)}", bad)


def _counting(cell: Cell, bad: Sequence[Finding]) -> Sequence[Finding]:
    """The findings that the judge counts against the cell."""
    if all(other.recovery_point is None for other in cell.attempts):
        return bad
    return [finding for finding in bad if finding.check not in NOT_A_WAY_BACK]


def _summary(attempt: Attempt, bad: Sequence[Finding]) -> str:
    if not bad:
        return "no recovery point within reach" if attempt.recovery_point is None else "no finding says why"
    first = f"{bad[0].check} of {bad[0].subject}: expected {bad[0].expected}, observed {bad[0].observed}"
    more = counted(len(bad) - 1, "more finding")
    return first if len(bad) == 1 else f"{first}; {more} did not pass"


def _final(verdict: Verdict, message: str, findings: Sequence[Finding]) -> FinalResult | None:
    if verdict == "pass":
        return None
    result = Failure(one_line(message), "fail") if verdict == "fail" else Error(one_line(message), "unknown")
    return _with_text(result, findings)


def _with_text(result: FinalResult, findings: Sequence[Finding]) -> FinalResult:
    if findings:
        result.text = "\n\n".join(
            visible(
                f"{finding.verdict}: {finding.check} of {finding.subject}\n"
                f"expected: {finding.expected}\nobserved: {finding.observed}\n"
                f"records covered: {finding.records_covered:,}"
            )
            for finding in findings
        )
    return result


def _cell_figures(cell: Cell) -> dict[str, object]:
    return {
        "verdict": cell.verdict,
        "kind": cell.kind,
        "rto_objective_seconds": cell.rto_objective_seconds,
        "rpo_objective_seconds": cell.rpo_objective_seconds,
        "writes_acknowledged": cell.writes_acknowledged,
    }


def _figures(cell: Cell, attempt: Attempt) -> dict[str, object]:
    point = attempt.recovery_point
    figures: dict[str, object] = {
        **_cell_figures(cell),
        "verdict": attempt.verdict,
        "preferred": str(attempt.protection == cell.path).lower(),
        "rto_seconds": attempt.rto_seconds,
        "rto_p95_seconds": attempt.rto_p95_seconds,
        "rpo_seconds": attempt.rpo_seconds,
        "writes_lost": attempt.writes_lost,
        "assumed": str(attempt.assumed).lower(),
    }
    if point is not None:
        figures["recovery_point"] = f"{point.id} as of {utc(point.as_of)} in account {point.account}, {point.region}"
    figures |= {f"phase.{phase}_seconds": seconds for phase, seconds in attempt.phases.items()}
    if attempt.records is not None:
        figures |= {f"records.{name}": count for name, count in asdict(attempt.records).items()}
    return figures
