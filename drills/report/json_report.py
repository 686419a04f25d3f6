"""report.json: the report as data. Its shape is documented by ``report.schema.json`` beside this file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from drills.model import JSON, Attempt, Cell, DrillInfo, Finding, RecoveryPoint, Report

SCHEMA: Final = "dr-drills/report/1"
"""The shape's name and version; a change that would break a reader takes the next number."""


def render(report: Report) -> bytes:
    """UTF-8, indented, in declared order: the same report gives the same bytes."""
    text = json.dumps(as_json(report), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate is no UTF-8; its backslash form is exactly JSON's escape for it.
    return f"{text}\n".encode("utf-8", "backslashreplace")


def as_json(report: Report) -> Mapping[str, JSON]:
    """The report as JSON values; see ``report.schema.json``."""
    return {
        "schema": SCHEMA,
        "drill": _drill(report.drill),
        "verdict": report.verdict,
        "cells": [_cell(cell) for cell in report.cells],
        "findings": [_finding(finding) for finding in report.findings],
    }


def utc(moment: datetime) -> str:
    """``2026-01-05T09:00:00.000000Z``: UTC to the microsecond, whatever zone it was given in."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _drill(drill: DrillInfo) -> Mapping[str, JSON]:
    return {
        "id": drill.id,
        "seed": drill.seed,
        "version": drill.version,
        "provider": drill.provider,
        "grade": drill.grade,
        "estate": drill.estate,
        "started": utc(drill.started),
        "clock": drill.clock,
    }


def _cell(cell: Cell) -> Mapping[str, JSON]:
    return {
        "scenario": cell.scenario,
        "store": cell.store,
        "kind": cell.kind,
        "verdict": cell.verdict,
        "path": cell.path,
        "rto_seconds": cell.rto_seconds,
        "rto_objective_seconds": cell.rto_objective_seconds,
        "rpo_seconds": cell.rpo_seconds,
        "rpo_objective_seconds": cell.rpo_objective_seconds,
        "writes_acknowledged": cell.writes_acknowledged,
        "writes_lost": cell.writes_lost,
        "attempts": [_attempt(attempt) for attempt in cell.attempts],
    }


def _attempt(attempt: Attempt) -> Mapping[str, JSON]:
    return {
        "protection": attempt.protection,
        "recovery_point": _recovery_point(attempt.recovery_point),
        "verdict": attempt.verdict,
        "rto_seconds": attempt.rto_seconds,
        "rto_p95_seconds": attempt.rto_p95_seconds,
        "assumed": attempt.assumed,
        "rpo_seconds": attempt.rpo_seconds,
        "writes_lost": attempt.writes_lost,
        "phases": dict(attempt.phases.items()),
        "endpoint": None if attempt.endpoint is None else asdict(attempt.endpoint),
        "records": None if attempt.records is None else asdict(attempt.records),
        "findings": [_finding(finding) for finding in attempt.findings],
        "mismatches": [asdict(mismatch) for mismatch in attempt.mismatches],
    }


def _recovery_point(point: RecoveryPoint | None) -> JSON:
    """The handle stays out: it is the protection's own and means nothing to a reader."""
    if point is None:
        return None
    return {
        "id": point.id,
        "account": point.account,
        "region": point.region,
        "as_of": utc(point.as_of),
        "lag_seconds": point.lag_seconds,
    }


def _finding(finding: Finding) -> Mapping[str, JSON]:
    return asdict(finding)
