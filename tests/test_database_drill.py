"""Drills of databases end to end: what passes, by which path, the same bytes again, and nothing left afterwards."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from drills.history import read_history
from drills.model import Report
from drills.simulator import SimulatedAWS
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.rds.state import the_engine
from tests.small_database import AURORA, POSTGRES, store, text
from tests.small_drill import drill, failed

BACKUP, SNAPSHOT, COPY = "rds_automated_backup", "rds_snapshot", "rds_snapshot_copy"
REPLICA, GLOBAL = "rds_read_replica", "aurora_global_database"
SURVIVING: Mapping[str, Mapping[str, frozenset[str]]] = {
    "bulk_erase": {"payments": frozenset({BACKUP, SNAPSHOT, COPY}), "refunds": frozenset({BACKUP, COPY})},
    # The module that manages a database manages what follows it, and takes both along.
    "table_deletion": {"payments": frozenset({SNAPSHOT, COPY}), "refunds": frozenset({COPY})},
    "region_outage": {"payments": frozenset({REPLICA, COPY}), "refunds": frozenset({GLOBAL, COPY})},
    "account_loss": {"payments": frozenset({COPY}), "refunds": frozenset({COPY})},
}


def proved(report: Report) -> dict[str, frozenset[str]]:
    """The paths of each store that were restored and passed."""
    return {
        one.store: frozenset(each.protection for each in one.attempts if each.verdict == "pass") for one in report.cells
    }


@pytest.mark.parametrize(
    "scenario",
    # The others take a minute each, and `make drill` runs them all.
    [one if one == "account_loss" else pytest.param(one, marks=pytest.mark.soak) for one in SURVIVING],
)
def test_a_sound_estate_passes(tmp_path: Path, scenario: str) -> None:
    report, _ = drill(tmp_path, scenario, text=text(POSTGRES, AURORA))
    assert report.verdict == "pass", failed(report)
    assert proved(report) == SURVIVING[scenario]
    assert failed(report).keys() <= {"recovery_point"}
    for one in report.cells:
        for attempt in one.attempts:
            if attempt.endpoint is not None:
                told = attempt.endpoint
                assert told.available_seconds is not None
                assert told.verified_seconds is not None
                assert told.full_speed_seconds is not None
                assert attempt.rto_seconds is not None
                assert told.available_seconds < told.verified_seconds <= attempt.rto_seconds
                # What is restored from backups of an instance is loaded for as long as it is read slowly.
                loads = one.store == "payments" and attempt.protection != REPLICA
                assert (told.full_speed_seconds > told.available_seconds) == loads
        assert [each.protection for each in one.attempts if each.endpoint is not None] == [
            each.protection for each in one.attempts if each.verdict == "pass"
        ]


def test_a_path_has_what_was_there_at_the_decision_when_its_turn_comes(tmp_path: Path) -> None:
    """Production goes on and the vault prunes, while the paths before it take hours."""
    few = "{rds_snapshot_copy: {interval: 15m, every_minutes: 5, vault_keep: 3}}"
    paths = ["rds_automated_backup", "{rds_snapshot: {every: 1h}}", few]
    report, folder = drill(tmp_path, "bulk_erase", text=text(store("postgres", paths)))
    assert report.verdict == "pass", failed(report)
    assert proved(report) == {"payments": frozenset({BACKUP, SNAPSHOT, COPY})}
    # How long the loading takes, the timing model alone says here.
    assert not [event for event in read_history(folder) if event.kind in ("endpoint.loaded", "endpoint.unloaded")]
    held = [event for event in read_history(folder) if event.kind == "point.held"]
    # Before each of the attempts, the last of which holds for itself as well.
    assert [event.data.get("protection") for event in held] == [None, None, None, COPY]
    # One that was on its way to the vault at the decision may have come since.
    (point,) = [event for event in read_history(folder) if event.kind == "point" and event.data["protection"] == COPY]
    assert held[-1].text("snapshot") == held[-2].text("snapshot") == point.mapping("point")["handle"]["snapshot_arn"]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    sparse = text(store("postgres", ["rds_automated_backup", "rds_read_replica"]), minutes=10)
    one, two = (drill(tmp_path / name, "region_outage", text=sparse)[1] for name in ("one", "two"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes(), file


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("breaks", [False, True])
def test_no_server_and_no_file_outlives_a_drill(tmp_path: Path, breaks: bool) -> None:
    folders: list[Path] = []

    def note(_: SimulatedAWS) -> None:
        engine = the_engine()
        assert isinstance(engine, PostgresEngine)
        folders.append(engine.folder)
        assert servers_in(engine.folder)
        if breaks:
            raise RuntimeError("a drill that breaks")

    sparse = text(store("postgres", ["rds_read_replica"]), minutes=2)
    report, _ = drill(tmp_path, "region_outage", text=sparse, at_failure=note)
    assert report.verdict == ("unknown" if breaks else "pass")
    (folder,) = folders
    assert servers_in(folder) == []
    assert not folder.exists()


def servers_in(folder: Path) -> list[str]:
    """The command lines of all servers whose data lies there."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = process.read_text().replace("\0", " ")
            if f"-D {folder}/" in line:
                found.append(line)
    return found


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm(tmp_path: Path, seed: int) -> None:
    report, folder = drill(tmp_path, list(SURVIVING), text=text(POSTGRES, AURORA), seed=seed, records=100)
    assert report.verdict == "pass", (folder, failed(report))
