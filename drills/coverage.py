"""Which failure of which kind of store can be survived by what AWS offers by itself, and which only by a copy that this
project builds. Pure: by the attempts of a report that passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drills.model import Cell, Report

BUILT_HERE = frozenset({"dynamodb_stream_copy", "rds_snapshot_copy"})
"""Protections for which AWS has no service: copies of DynamoDB tables and of database snapshots in another account."""


@dataclass(frozen=True, slots=True)
class Covered:
    """One failure of one kind of store, and the protections by which a store of it came back."""

    scenario: str
    kind: str
    by_aws: tuple[str, ...]
    built_here: tuple[str, ...]
    untried: bool = False
    """Whether a path could not be tried where the drill ran."""

    @property
    def words(self) -> str:
        """``AWS: …``, ``drills: …`` where AWS has nothing that passed, ``nothing`` where nothing did,
        ``not known`` where nothing did and not all could be tried."""
        if self.by_aws:
            return f"AWS: {', '.join(self.by_aws)}"
        if self.built_here:
            return f"drills: {', '.join(self.built_here)}"
        return "not known" if self.untried else "nothing"


def coverage(report: Report) -> tuple[Covered, ...]:
    """Each failure × each kind of store of a drill, in the order of its cells."""
    keys = dict.fromkeys((cell.scenario, cell.kind) for cell in report.cells)
    return tuple(
        _covered(scenario, kind, (cell for cell in report.cells if (cell.scenario, cell.kind) == (scenario, kind)))
        for scenario, kind in keys
    )


def summary(covered: Iterable[Covered]) -> str:
    """One line: how many of the failures × kinds AWS covers by itself, how many the copies built here, and the rest."""
    told = list(covered)
    by_aws = sum(bool(one.by_aws) for one in told)
    here = [one for one in told if one.built_here and not one.by_aws]
    rest = [one for one in told if not one.built_here and not one.by_aws]
    lost, unknown = [one for one in rest if not one.untried], [one for one in rest if one.untried]
    line = f"{by_aws} of {len(told)} failures × kinds of store are covered by AWS itself"
    if here:
        line += f", {len(here)} by copies built here ({_named(here)})"
    if lost:
        line += f", {len(lost)} by nothing ({_named(lost)})"
    return line + (f", {len(unknown)} not known ({_named(unknown)})" if unknown else "")


def _named(covered: Iterable[Covered]) -> str:
    return ", ".join(f"{one.scenario} × {one.kind}" for one in covered)


def _covered(scenario: str, kind: str, cells: Iterable[Cell]) -> Covered:
    attempts = [attempt for cell in cells for attempt in cell.attempts]
    passed = dict.fromkeys(attempt.protection for attempt in attempts if attempt.verdict == "pass")
    return Covered(
        scenario,
        kind,
        tuple(name for name in passed if name not in BUILT_HERE),
        tuple(name for name in passed if name in BUILT_HERE),
        any(finding.check == "capability" for attempt in attempts for finding in attempt.findings),
    )
