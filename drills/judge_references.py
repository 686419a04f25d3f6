"""References between two stores of one scenario, judged by what the paths of their cells brought back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drills.clock import microseconds
from drills.evidence import EvidenceFile, read_inventory, read_ledger
from drills.history import Event
from drills.judge_attempt import guarded
from drills.model import Cell, Finding, Reference
from drills.references import Restored, reference_findings

CHECK = "references"
EXPECTED = "both stores restored, and every reference found"


def judge_reference(
    folder: Path, reference: Reference, subject: str, ends: Sequence[Cell], events: Sequence[Event]
) -> list[Finding]:
    """The findings on one reference. ``ends`` are the cells of the referring and of the named store.

    Unknown where either was not read back. Raises EvidenceError for evidence that is missing or damaged.
    """
    failed = next((event for event in events if event.kind == "failure.began"), None)
    referring, named = (_restored(folder, cell, events) for cell in ends)
    if failed is None or referring is None or named is None:
        missing = [cell.store for cell, end in zip(ends, (referring, named), strict=True) if end is None]
        seen = f"not read back: {', '.join(missing)}" if missing else "no word of the failure"
        return [Finding(CHECK, "unknown", subject, EXPECTED, seen)]
    failed_us = microseconds(failed.at)
    return guarded(CHECK, subject, lambda: reference_findings(reference, subject, referring, named, failed_us))


def _restored(folder: Path, cell: Cell, events: Sequence[Event]) -> Restored | None:
    """One store as the path of its cell brought it back; None where that path got to no inventory."""
    own = [event for event in events if event.data.get("store") == cell.store]
    ledger = _last(own, "ledger")
    inventory = _last([event for event in own if event.data.get("protection") == cell.path], "inventory")
    point = next((one.recovery_point for one in cell.attempts if one.protection == cell.path), None)
    if cell.path is None or ledger is None or inventory is None or point is None:
        return None
    as_of_us = microseconds(point.as_of)
    return Restored(
        store=cell.store,
        as_of_us=as_of_us,
        before_us=as_of_us - round(point.lag_seconds * 1_000_000),
        rpo_objective_seconds=cell.rpo_objective_seconds,
        inventory=read_inventory(folder, EvidenceFile.told_by(inventory)),
        ledger=read_ledger(folder, EvidenceFile.told_by(ledger)),
    )


def _last(events: Sequence[Event], kind: str) -> Event | None:
    return next((event for event in reversed(events) if event.kind == kind), None)
