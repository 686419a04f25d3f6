"""The pytest plugin: a ``drill`` fixture, ``--drill-on`` and the marker ``drill``.

Nothing of drills is imported until a test asks for the fixture: pytest must not start slower because this is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from drills.model import Cell, Report
    from drills.simulator import SimulatedAWS

MARKER_OPTIONS = ("estate", "stores", "paths", "seed", "records")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("drills", "disaster-recovery drills")
    group.addoption(
        "--drill-on",
        default="simulated",
        metavar="simulated|FILE",
        help="where drills run: in the simulated AWS (default) or in the accounts that a provider file names",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "drill(estate, stores, paths, seed, records): runs a drill; the arguments are defaults for drill.run()",
    )


class DrillFailed(AssertionError):
    """A drill did not pass. The message holds the matrix and the first findings."""


class DrilledReport:
    """A report with the questions a test asks of it."""

    def __init__(self, report: Report, folder: Path) -> None:
        self.report = report
        self.folder = folder

    @property
    def verdict(self) -> str:
        return self.report.verdict

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.report.cells

    def cell(self, store: str, scenario: str | None = None) -> Cell:
        """The one cell of this store (and scenario, where the drill ran several)."""
        found = [c for c in self.report.cells if c.store == store and scenario in (None, c.scenario)]
        if len(found) == 1:
            return found[0]
        there = ", ".join(f"{c.scenario} × {c.store}" for c in self.report.cells)
        how_many = "no cell" if not found else f"{len(found)} cells"
        raise LookupError(f"{how_many} for store {store!r}, scenario {scenario!r}; the drill has: {there}")

    def explain(self) -> str:
        """The matrix, the findings that did not pass, and where the whole report lies."""
        from drills.report.matrix import explain

        return f"{explain(self.report)}\nreport: {self.folder / 'report.html'}"

    def assert_passed(self) -> None:
        """Unknown is never pass."""
        __tracebackhide__ = True
        if self.verdict != "pass":
            raise DrillFailed(self.explain())

    def assert_within(self, store: str, *, rto_seconds: float | None = None, rpo_seconds: float | None = None) -> None:
        """The preferred path of every cell of this store is within these seconds."""
        __tracebackhide__ = True
        for cell in (c for c in self.report.cells if c.store == store):
            for name, limit in (("rto_seconds", rto_seconds), ("rpo_seconds", rpo_seconds)):
                figure = getattr(cell, name)
                if limit is not None and (figure is None or figure > limit):
                    raise DrillFailed(
                        f"{cell.scenario} × {store}: {name} is {figure}, expected at most {limit}\n{self.explain()}"
                    )


class DrillRunner:
    """What the ``drill`` fixture gives: runs drills and fails the test when one does not pass."""

    def __init__(self, on: str, out: Path, defaults: Mapping[str, Any]) -> None:
        self._on = on
        self._out = out
        self._defaults = defaults

    def run(
        self,
        *scenarios: str,
        estate: str | None = None,
        stores: Sequence[str] | None = None,
        paths: str | None = None,
        seed: int | None = None,
        records: int | None = None,
        must_pass: bool = True,
    ) -> DrilledReport:
        """Run these scenarios (all of them when none is named) and judge the drill.

        Raises DrillFailed with the matrix and the first findings unless the verdict is ``pass``; with
        ``must_pass=False`` the report is returned whatever it says.
        """
        from drills.running import run_drill

        __tracebackhide__ = True
        given = {"estate": estate, "stores": stores, "paths": paths, "seed": seed, "records": records}
        options = {**self._defaults, **{name: value for name, value in given.items() if value is not None}}
        report, folder = run_drill(scenarios, on=self._on, out=self._out, **options)
        drilled = DrilledReport(report, folder)
        if must_pass:
            drilled.assert_passed()
        return drilled


@pytest.fixture
def drill(request: pytest.FixtureRequest, tmp_path: Path) -> DrillRunner:
    """Runs disaster-recovery drills: ``report = drill.run("account_loss", estate="shop")``."""
    marker = request.node.get_closest_marker("drill")
    options = dict(marker.kwargs) if marker else {}
    unknown = sorted(options.keys() - set(MARKER_OPTIONS))
    if unknown:
        raise pytest.UsageError(
            f"@pytest.mark.drill has no argument {unknown[0]!r}; it takes {', '.join(MARKER_OPTIONS)}"
        )
    return DrillRunner(request.config.getoption("--drill-on"), tmp_path / "reports", options)


@pytest.fixture
def simulated_aws() -> Iterator[SimulatedAWS]:
    """The simulated AWS by itself, without a drill: plain boto3 clients inside the test reach it."""
    from drills.simulator import SimulatedAWS

    with SimulatedAWS() as aws:
        yield aws
