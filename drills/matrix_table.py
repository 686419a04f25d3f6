"""The matrix of a drill for the terminal: scenario × store, with the figures against the objectives."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drills.coverage import coverage, summary
from drills.durations import written
from drills.model import Attempt, Cell, Report
from drills.report.words import CLOCKS, KIND_NAMES, not_tried, visible

STYLES = {"pass": "green", "fail": "bold red", "unknown": "yellow"}
ENDLESS = 100_000
"""Where there is no terminal, nothing is folded to fit one."""


def print_matrix(report: Report, file: TextIO | None = None) -> None:
    """Print the table and, under it, the verdict: a line for each cell where that fits, folded by hand where not."""
    console = Console(file=file or sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=file or sys.stdout, highlight=False, width=ENDLESS)
    wide = matrix(report)
    fits = console.measure(wide, options=console.options.update(max_width=ENDLESS)).maximum <= console.width
    if console.is_terminal:
        console.print(wide if fits else folded(report))
    else:
        print(as_text(wide, ENDLESS), file=console.file)
    table = by_kind(report)
    console.print()
    console.print(table) if console.is_terminal else print(as_text(table, ENDLESS), file=console.file)
    console.print(Text(summary(coverage(report))))
    drill = report.drill
    verdict = Text(f"{visible(drill.id)}: ").append(report.verdict, STYLES[report.verdict])
    console.print(verdict.append(f" ({label(report)}, seed {drill.seed})"))


def as_text(table: Table, width: int) -> str:
    """A table without colours, whatever the environment asks for, and without spaces at the ends of its lines."""
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=False, color_system=None, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def label(report: Report) -> str:
    """What kind of durations the figures are; the two kinds are never mixed."""
    return CLOCKS[report.drill.clock]


def matrix(report: Report) -> Table:
    """A line for each cell."""
    table = _table(report, "scenario", "store")
    table.add_column("path")
    table.add_column("fallbacks", overflow="fold")
    for cell in report.cells:
        fallbacks = Text(", ").join(_fallbacks(cell, " in ")) or Text("–")
        table.add_row(_text(cell.scenario), _text(cell.store), *_figures(cell), _text(cell.path or "none"), fallbacks)
    return table


def by_kind(report: Report) -> Table:
    """Failures down, kinds of store across: by what each is survived."""
    covered = {(one.scenario, one.kind): one.words for one in coverage(report)}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("survived by")
    kinds = dict.fromkeys(kind for _, kind in covered)
    for kind in kinds:
        table.add_column(KIND_NAMES.get(kind, visible(kind)), overflow="fold")
    for scenario in dict.fromkeys(scenario for scenario, _ in covered):
        table.add_row(_text(scenario), *(_text(covered.get((scenario, kind), "–")) for kind in kinds))
    return table


def folded(report: Report) -> Table:
    """The same for about 100 columns: scenarios as headings, and a line for each path."""
    table = _table(report, "store")
    table.add_column("paths", overflow="fold")
    for scenario, cells in groupby(report.cells, key=lambda cell: cell.scenario):
        table.add_row(Text(visible(scenario), "bold"))
        for cell in cells:
            paths = Text("\n").join([_text(cell.path or "none"), *_fallbacks(cell, " ")])
            table.add_row(Text(f"  {visible(cell.store)}"), *_figures(cell), paths)
    return table


def _table(report: Report, *names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in names:
        table.add_column(heading, overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for figure in ("RTO", "RPO"):
        table.add_column(f"{figure} ({label(report)})")
    table.add_column("lost", no_wrap=True, justify="right")
    return table


def _figures(cell: Cell) -> Iterator[Text]:
    yield Text(cell.verdict, STYLES[cell.verdict])
    yield _against(cell.rto_seconds, cell.rto_objective_seconds)
    yield _against(cell.rpo_seconds, cell.rpo_objective_seconds)
    yield Text("–" if cell.writes_lost is None else f"{cell.writes_lost:,}")


def _against(figure: float | None, objective: float) -> Text:
    missed = figure is None or figure > objective
    return Text(f"{written(figure)} of {written(objective)}", "red" if missed else "")


def _fallbacks(cell: Cell, between: str) -> list[Text]:
    return [
        _text(f"{attempt.protection} ").append(_state(attempt, between), STYLES[attempt.verdict])
        for attempt in cell.attempts
        if attempt.protection != cell.path
    ]


def _state(attempt: Attempt, between: str) -> str:
    if attempt.recovery_point is None:
        return "not tried" if not_tried(attempt) else "no recovery point"
    took = f"{between}{written(attempt.rto_seconds)}" if attempt.rto_seconds is not None else ""
    return f"{attempt.verdict}{took}"


def _text(name: str) -> Text:
    return Text(visible(name))
