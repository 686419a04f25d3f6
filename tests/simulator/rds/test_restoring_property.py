"""Transactions at random seconds, snapshots and moments restored, against a plain ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import World

KEYS = 6
write = st.tuples(st.just("write"), st.integers(0, KEYS - 1), st.integers(0, 1_000))
erase = st.tuples(st.just("erase"), st.integers(0, KEYS - 1))
snapshot = st.tuples(st.just("snapshot"))
undone = st.tuples(st.just("undone"), st.integers(0, KEYS - 1))
steps = st.lists(st.tuples(st.integers(0, 4_000), st.one_of(write, write, erase, undone, snapshot)), max_size=14)
moments = st.lists(st.floats(0, 1), min_size=1, max_size=2)


@dataclass
class Ledger:
    """What was committed when, and what had to be there at each moment."""

    commits: list[tuple[datetime, dict[int, int]]] = field(default_factory=list)
    snapshots: dict[str, dict[int, int]] = field(default_factory=dict)

    def now(self) -> dict[int, int]:
        return dict(self.commits[-1][1]) if self.commits else {}

    def at(self, moment: datetime) -> dict[int, int]:
        return next((rows for when, rows in reversed(self.commits) if when <= moment), {})


def carry_out(world: World, ledger: Ledger, connection: Any, step: tuple[Any, ...]) -> None:
    rows = ledger.now()
    if step[0] == "snapshot":
        name = f"s{len(ledger.snapshots)}"
        world.until_available("shop")
        world.rds().create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier=name)
        ledger.snapshots[name] = rows
        return
    with connection.transaction(force_rollback=step[0] == "undone"):
        connection.execute("DELETE FROM kept WHERE k = %s", (step[1],))
        if step[0] == "write":
            connection.execute("INSERT INTO kept VALUES (%s, %s)", (step[1], step[2]))
    if step[0] == "undone":
        return
    rows.pop(step[1], None)
    if step[0] == "write":
        rows[step[1]] = step[2]
    ledger.commits.append((world.now, rows))


def kept(world: World, name: str) -> dict[int, int]:
    with world.connected(name) as connection:
        return dict(connection.execute("SELECT k, v FROM kept").fetchall())


def check(plan: list[tuple[int, tuple[Any, ...]]], shares: list[float]) -> None:
    with SimulatedAWS() as aws:
        world, ledger = World(aws), Ledger()
        world.instance("shop", BackupRetentionPeriod=2)
        with world.connected("shop") as connection:
            connection.execute("CREATE TABLE kept (k int, v int)")
            world.aws.clock.sleep(1 - world.now.microsecond / 1e6)
            began = world.now
            for seconds, step in plan:
                world.aws.clock.sleep(seconds)
                carry_out(world, ledger, connection, step)
        world.pass_minutes(10)
        found = world.rds().describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"][0]["RestoreWindow"]
        first = max(began, found["EarliestTime"].replace(microsecond=0) + timedelta(seconds=1))
        last = found["LatestTime"]
        for number, share in enumerate(shares):
            moment = first + timedelta(seconds=int(share * (last - first).total_seconds()))
            world.rds().restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier="shop",
                TargetDBInstanceIdentifier=f"r{number}",
                RestoreTime=moment,
                BackupRetentionPeriod=0,
            )
            world.until_available(f"r{number}")
            assert kept(world, f"r{number}") == ledger.at(moment), moment
        for name in list(ledger.snapshots)[:2]:
            world.until_there(name)
            world.rds().restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=f"of-{name}", DBSnapshotIdentifier=name, BackupRetentionPeriod=0
            )
            world.until_available(f"of-{name}")
            assert kept(world, f"of-{name}") == ledger.snapshots[name]


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=3, deadline=None, suppress_health_check=SLOW)
@given(steps, moments)
def test_any_moment_has_exactly_what_was_committed_by_then(plan: Any, shares: list[float]) -> None:
    check(plan, shares)


def course() -> tuple[Any, ...]:
    """What a stranger sees of a day with a database, but for the port."""
    with SimulatedAWS(seed=7) as aws:
        world = World(aws)
        world.instance("shop", BackupRetentionPeriod=2)
        world.write("shop", 1)
        world.snapshot("shop", "s1")
        world.rds().restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="s1")
        world.pass_minutes(24 * 60)
        rds = world.rds()
        backups = rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
        return rds.describe_db_snapshots()["DBSnapshots"], backups, aws.durations, world.now


def test_the_same_seed_gives_the_same_moments() -> None:
    assert course() == course()


@pytest.mark.soak
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(steps, moments)
def test_any_moment_at_length(plan: Any, shares: list[float]) -> None:
    check(plan, shares)
