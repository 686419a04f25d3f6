"""Scenarios side by side in processes of their own: the same bytes, and a process that dies is told."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from drills import engine
from drills.drill_plan import Plan
from drills.judge import broke, judge
from drills.running import plan_drill
from drills.side_by_side import SideBySide, longest_first, processes_for
from tests.small_drill import TEXT

SCENARIOS = ("account_loss", "table_deletion")


def plan_in(folder: Path, scenario_file: str = "") -> partial[Plan]:
    """How to plan a drill of the small estate in a user's folder, where a scenario of the user's own may lie."""
    (folder / "small.yaml").write_text(TEXT)
    if scenario_file:
        (folder / "scenarios").mkdir()
        (folder / "scenarios" / "table_deletion.py").write_text(scenario_file)
    return partial(plan_drill, SCENARIOS, estate=str(folder / "small.yaml"), records=20)


def test_the_bytes_are_those_of_one_process(tmp_path: Path) -> None:
    plan_again = plan_in(tmp_path)
    lines: list[str] = []
    one = engine.run(plan_again(), tmp_path / "one", lines.append)
    alone, lines = sorted(lines), []
    two = engine.run(plan_again(), tmp_path / "two", lines.append, SideBySide(plan_again, 2))
    assert sorted(lines) == alone
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


def test_what_takes_longest_is_begun_first(tmp_path: Path) -> None:
    plan_in(tmp_path)
    uses = plan_drill([], estate=str(tmp_path / "small.yaml")).scenarios
    begun = [uses[index].label for index in longest_first(uses)]
    assert begun == ["bulk_erase", "table_deletion", "account_loss", "region_outage"]


DYING = """
import os
from drills.scenario import Scenario

scenario = Scenario(summary="Takes its process with it.", fail=lambda incident: os._exit(9), respond_from="production")
"""


def test_a_process_that_dies_is_told_and_the_report_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan_again = plan_in(tmp_path, DYING)
    folder = engine.run(plan_again(), tmp_path / "out", lambda _: None, SideBySide(plan_again, 2))
    assert broke(folder)
    verdicts = {cell.scenario: cell.verdict for cell in judge(folder).cells}
    assert verdicts["table_deletion"] == "unknown"


def test_a_large_drill_takes_its_scenarios_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    plan_in(tmp_path)

    def processes(records: int) -> int:
        return processes_for(plan_drill(SCENARIOS, estate=str(tmp_path / "small.yaml"), records=records))

    assert processes(2_000) == 2
    assert processes(100_000) == 1


def test_databases_take_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert processes_for(plan_drill([], estate="payments")) == 2
    assert processes_for(plan_drill([], estate="payments", stores=["refunds"])) == 4


def test_one_scenario_needs_no_process(tmp_path: Path) -> None:
    plan_in(tmp_path)
    plan = plan_drill(["account_loss"], estate=str(tmp_path / "small.yaml"), records=20)
    assert processes_for(plan) == 1
