"""report.html: one self-contained page for a reader who was not there. No script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from drills.coverage import coverage, summary
from drills.model import PHASES, RECORD_CLASSES, Attempt, Cell, Finding, Mismatch, Report
from drills.report import words
from drills.report.bars import Bar, bars
from drills.report.excerpts import Excerpt, difference, excerpt
from drills.report.json_report import utc
from drills.report.sentences import checks, moment, story, tally

FIRST_MISMATCHES = 20
"""How many mismatching records stand on the page; all of them are in the evidence."""


@dataclass(frozen=True, slots=True)
class CellPart:
    """One cell as its section shows it. ``anchor`` is safe in a link whatever the names are."""

    cell: Cell
    anchor: str
    preferred: Attempt | None
    story: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class MismatchRow:
    key: Excerpt
    record_class: str
    expected: Excerpt | None
    observed: Excerpt | None


def render(report: Report) -> bytes:
    """The same report gives the same bytes."""
    label = words.CLOCKS[report.drill.clock]
    parts = [
        CellPart(cell, f"cell-{number}", words.preferred(cell), story(cell, label), bars(cell, label))
        for number, cell in enumerate(report.cells, start=1)
    ]
    page = _environment().get_template("report.html.j2")
    text = page.render(
        report=report,
        drill=report.drill,
        label=label,
        parts=parts,
        scenarios=list(dict.fromkeys(cell.scenario for cell in report.cells)),
        stores=list(dict.fromkeys(cell.store for cell in report.cells)),
        by_cell=_by_cell(parts),
        kinds=list(dict.fromkeys(cell.kind for cell in report.cells)),
        covered={(one.scenario, one.kind): one.words for one in coverage(report)},
        coverage_summary=summary(coverage(report)),
    )
    return text.encode()


def _by_cell(parts: list[CellPart]) -> Mapping[tuple[str, str], CellPart]:
    return {(part.cell.scenario, part.cell.store): part for part in parts}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("drills", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: words.visible(value) if type(value) is str else value,
    )
    environment.filters |= {
        "duration": words.duration,
        "seconds": _exact_seconds,
        "count": lambda count: "–" if count is None else f"{count:,}",
        "counted": words.counted,
        "excerpt": excerpt,
        "moment": moment,
        "utc": utc,
        "breakable": _breakable,
        "plain": words.plain,
        "phase_name": words.phase_name,
    }
    environment.globals |= {
        "words": words,
        "PHASES": PHASES,
        "RECORD_CLASSES": RECORD_CLASSES,
        "FIRST_MISMATCHES": FIRST_MISMATCHES,
        "meets": words.meets,
        "tally": tally,
        "checks": checks,
        "not_passed": _not_passed,
        "passed": _passed,
        "reached": _reached,
        "mismatch_rows": _mismatch_rows,
        "mismatches_in_all": _mismatches_in_all,
    }
    return environment


def _breakable(name: str) -> Markup:
    """A long name that may be broken where its words end, and nowhere else."""
    return Markup(str(escape(words.visible(name))).replace("_", "_<wbr>"))


def _exact_seconds(seconds: float) -> str:
    """``11,400 s``, with milliseconds only where there are any."""
    return f"{seconds:,.3f}".rstrip("0").rstrip(".") + "\u00a0s"


def _not_passed(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in words.worst_first(findings) if finding.verdict != "pass"]


def _passed(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict == "pass"]


def _reached(cell: Cell) -> list[Attempt]:
    """The attempts that reached any phase."""
    return [one for one in cell.attempts if any(seconds is not None for _, seconds in one.phases.items())]


def _mismatch_rows(mismatches: tuple[Mismatch, ...]) -> list[MismatchRow]:
    return [
        MismatchRow(excerpt(one.key), one.record_class, *difference(one.expected, one.observed))
        for one in mismatches[:FIRST_MISMATCHES]
    ]


def _mismatches_in_all(attempt: Attempt) -> int:
    """The model may carry only the first ones; the counts know of all."""
    counted = 0 if attempt.records is None else words.not_recovered(attempt.records)
    return max(counted, len(attempt.mismatches))
