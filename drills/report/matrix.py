"""The report as plain text for a test's message: the matrix, then the first findings that did not pass."""

from __future__ import annotations

from collections.abc import Iterator

from drills.matrix_table import as_text, folded, label
from drills.model import Attempt, Cell, Finding, Report
from drills.report.words import one_line

WIDTH = 110
FIRST = 10
LONGEST = 200


def explain(report: Report) -> str:
    """Plain text, no colours whatever the environment asks for. The findings of failing cells come before those of
    paths that did not decide their cell."""
    drill = report.drill
    lines = [
        f"drill {one_line(drill.id)}: {report.verdict} "
        f"(estate {one_line(drill.estate)}, seed {drill.seed}, durations {label(report)})",
        as_text(folded(report), WIDTH),
    ]
    findings = list(_not_passed(report))
    if findings:
        lines += ["", "findings that did not pass:", *findings[:FIRST]]
    if len(findings) > FIRST:
        lines.append(f"and {len(findings) - FIRST} more in the report")
    return "\n".join(lines)


def _not_passed(report: Report) -> Iterator[str]:
    for finding in report.findings:
        if finding.verdict != "pass":
            yield _line("drill", finding)
    for cell in sorted(report.cells, key=lambda cell: cell.verdict == "pass"):
        if cell.verdict != "pass" and not cell.attempts:
            yield f"  {_where(cell)}: {cell.verdict}: no recovery path was tried"
        for attempt in sorted(cell.attempts, key=lambda attempt: attempt.protection != cell.path):
            for finding in attempt.findings:
                if finding.verdict != "pass":
                    yield _line(f"{_where(cell)} by {_path(cell, attempt)}", finding)


def _where(cell: Cell) -> str:
    return one_line(f"{cell.scenario} × {cell.store}")


def _path(cell: Cell, attempt: Attempt) -> str:
    aside = ", which did not decide the cell" if cell.verdict == "pass" else ""
    return f"{one_line(attempt.protection)}{aside}"


def _line(where: str, finding: Finding) -> str:
    return (
        f"  {where}: {finding.verdict}: {one_line(finding.check)} of {one_line(finding.subject)}: "
        f"expected {_short(finding.expected)}, observed {_short(finding.observed)}"
    )


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}… ({len(line):,} characters)"
