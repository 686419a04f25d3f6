"""The matrix of a drill for the terminal: scenario × store, with the figures against the objectives."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from drills.durations import written
from drills.model import Attempt, Cell, Report

STYLES = {"pass": "green", "fail": "bold red", "unknown": "yellow"}
WIDTH_ELSEWHERE = 200
"""Where there is no terminal, nothing is folded to fit one."""


def print_matrix(report: Report, file: TextIO | None = None) -> None:
    """Print the table and, under it, the verdict."""
    console = Console(file=file or sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=file or sys.stdout, highlight=False, width=WIDTH_ELSEWHERE)
    console.print(matrix(report))
    drill = report.drill
    verdict = Text(f"{drill.id}: ").append(report.verdict, STYLES[report.verdict])
    console.print(verdict.append(f" ({label(report)}, seed {drill.seed})"))


def label(report: Report) -> str:
    """What kind of durations the figures are; the two kinds are never mixed."""
    return "simulated" if report.drill.clock == "simulated" else "measured"


def matrix(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    kind = label(report)
    for heading in ("scenario", "store", "verdict", f"RTO ({kind})", f"RPO ({kind})", "lost", "path", "fallbacks"):
        table.add_column(heading, no_wrap=heading in ("verdict", "lost"), overflow="fold")
    for cell in report.cells:
        table.add_row(*_row(cell))
    return table


def _row(cell: Cell) -> tuple[Text | str, ...]:
    return (
        Text(cell.scenario),
        Text(cell.store),
        Text(cell.verdict, STYLES[cell.verdict]),
        _against(cell.rto_seconds, cell.rto_objective_seconds),
        _against(cell.rpo_seconds, cell.rpo_objective_seconds),
        "–" if cell.writes_lost is None else f"{cell.writes_lost:,}",
        Text(cell.path or "none"),
        _fallbacks(cell),
    )


def _against(figure: float | None, objective: float) -> Text:
    missed = figure is None or figure > objective
    return Text(f"{written(figure)} of {written(objective)}", "red" if missed else "")


def _fallbacks(cell: Cell) -> Text:
    text = Text()
    for attempt in cell.attempts:
        if attempt.protection != cell.path:
            text.append(", " if text else "")
            text.append(f"{attempt.protection} ").append(_state(attempt), STYLES[attempt.verdict])
    return text or Text("–")


def _state(attempt: Attempt) -> str:
    if attempt.recovery_point is None:
        return "no recovery point"
    took = f" in {written(attempt.rto_seconds)}" if attempt.rto_seconds is not None else ""
    return f"{attempt.verdict}{took}"
