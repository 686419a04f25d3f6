"""Aurora global databases: members that follow, switchovers without a loss, failovers with what was on its way lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, REGION, World, refused

LAG_SECONDS = 0.5
THIRD = "eu-north-1"
PRIMARY = f"arn:aws:rds:{REGION}:{ONE}:cluster:shop"
SECONDARY = f"arn:aws:rds:{OTHER}:{ONE}:cluster:shop-copy"


@pytest.fixture
def world() -> Iterator[World]:
    with made() as world:
        yield world


@contextmanager
def made() -> Iterator[World]:
    """A cluster ``shop`` that is the primary of global cluster ``world``, with a secondary ``shop-copy``."""
    with SimulatedAWS() as aws:
        world = World(aws)
        world.cluster("shop")
        world.rds().create_global_cluster(GlobalClusterIdentifier="world", SourceDBClusterIdentifier=PRIMARY)
        secondary(world, "shop-copy", OTHER)
        yield world


def secondary(world: World, name: str, region: str, **more: Any) -> None:
    world.rds(region=region).create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", GlobalClusterIdentifier="world", **more
    )
    world.rds(region=region).get_waiter("db_cluster_available").wait(DBClusterIdentifier=name)
    world.writer(name, region=region)


def described(world: World, region: str = OTHER) -> dict[str, Any]:
    found = world.rds(region=region).describe_global_clusters(GlobalClusterIdentifier="world")
    return dict(found["GlobalClusters"][0])


def members(world: World, region: str = OTHER) -> dict[str, bool]:
    """Who writes, by region, the writer first."""
    return {
        one["DBClusterArn"].split(":")[3]: one["IsWriter"] for one in described(world, region)["GlobalClusterMembers"]
    }


def until_available(world: World, region: str = OTHER) -> None:
    while described(world, region)["Status"] != "available":
        world.pass_minutes(0.5)


def test_a_secondary_follows_and_takes_no_writes(world: World) -> None:
    world.write("shop", 1)
    world.aws.clock.sleep(LAG_SECONDS - 0.1)
    assert world.rows("shop-copy", region=OTHER) == []
    world.aws.clock.sleep(0.2)
    assert world.rows("shop-copy", region=OTHER) == [1]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        world.write("shop-copy", 3, region=OTHER)
    primary, other = described(world)["GlobalClusterMembers"]
    assert (primary["DBClusterArn"], primary["IsWriter"], primary["Readers"]) == (PRIMARY, True, [SECONDARY])
    assert (other["DBClusterArn"], other["SynchronizationStatus"]) == (SECONDARY, "connected")
    cluster = world.rds(region=OTHER).describe_db_clusters(DBClusterIdentifier="shop-copy")["DBClusters"][0]
    assert (cluster["MasterUsername"], cluster["DatabaseName"]) == ("app", "shop")


def test_a_switchover_loses_nothing_and_they_change_places(world: World) -> None:
    world.write("shop", 1)
    world.rds().switchover_global_cluster(GlobalClusterIdentifier="world", TargetDbClusterIdentifier=SECONDARY)
    state = described(world)
    assert state["Status"] == "switching-over"
    assert state["FailoverState"] == {
        "Status": "switching-over",
        "FromDbClusterArn": PRIMARY,
        "ToDbClusterArn": SECONDARY,
        "IsDataLossAllowed": False,
    }
    world.aws.clock.sleep(89.9)
    world.write("shop", 2)
    until_available(world)
    assert members(world) == {OTHER: True, REGION: False}
    assert world.rows("shop-copy", region=OTHER) == [1, 2]
    world.write("shop-copy", 3, region=OTHER)
    world.aws.clock.sleep(1)
    assert world.rows("shop") == [1, 2, 3]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        world.write("shop", 4)
    world.rds().switchover_global_cluster(GlobalClusterIdentifier="world", TargetDbClusterIdentifier=PRIMARY)
    until_available(world)
    world.write("shop", 4)
    assert world.rows("shop") == [1, 2, 3, 4]


def test_a_failover_loses_what_was_on_its_way(world: World) -> None:
    rds = world.rds(region=OTHER)
    wanted = {"GlobalClusterIdentifier": "world", "TargetDbClusterIdentifier": SECONDARY}
    for number in range(4):
        world.write("shop", number)
        world.aws.clock.sleep(0.2)
    with world.aws.region_down(REGION):
        world.pass_minutes(5)
        with refused("InvalidGlobalClusterStateFault", "AllowDataLoss"):
            rds.failover_global_cluster(**wanted)
        with refused("InvalidParameterCombination"):
            rds.failover_global_cluster(**wanted, AllowDataLoss=True, Switchover=True)
        rds.failover_global_cluster(**wanted, AllowDataLoss=True)
        assert described(world)["FailoverState"]["IsDataLossAllowed"]
        with refused("InvalidGlobalClusterStateFault", "failing-over"):
            rds.failover_global_cluster(**wanted, AllowDataLoss=True)
        until_available(world)
        assert members(world) == {OTHER: True, REGION: False}
        assert world.rows("shop-copy", region=OTHER) == [0, 1]  # Written 0.8 and 0.6 s before; the others later.
        world.write("shop-copy", 9, region=OTHER)
        assert described(world)["GlobalClusterMembers"][1]["SynchronizationStatus"] == "pending-resync"
    with pytest.raises(psycopg.OperationalError):
        world.write("shop", 5)
    world.pass_minutes(60)
    assert described(world)["GlobalClusterMembers"][1]["SynchronizationStatus"] == "connected"
    assert world.rows("shop") == [0, 1, 9]
    world.write("shop-copy", 10, region=OTHER)
    world.pass_minutes(1)
    assert world.rows("shop") == [0, 1, 9, 10]
    _test_what_only_the_old_primary_had_is_in_a_snapshot(world)


def _test_what_only_the_old_primary_had_is_in_a_snapshot(world: World) -> None:
    snapshots = world.rds().describe_db_cluster_snapshots(DBClusterIdentifier="shop")["DBClusterSnapshots"]
    (kept,) = [
        one["DBClusterSnapshotIdentifier"] for one in snapshots if "failover" in one["DBClusterSnapshotIdentifier"]
    ]
    assert kept.startswith("rds:unplanned-global-failover-shop-2026-01-05-")
    world.rds().restore_db_cluster_from_snapshot(
        DBClusterIdentifier="lost", SnapshotIdentifier=kept, Engine="aurora-postgresql"
    )
    world.writer("lost")
    assert world.rows("lost") == [0, 1, 2, 3]


def test_the_other_secondaries_follow_the_new_primary(world: World) -> None:
    secondary(world, "shop-third", THIRD)
    with world.aws.region_down(REGION):
        world.rds(region=OTHER).failover_global_cluster(
            GlobalClusterIdentifier="world", TargetDbClusterIdentifier=SECONDARY, AllowDataLoss=True
        )
        until_available(world)
        world.pass_minutes(60)
        world.write("shop-copy", 1, region=OTHER)
        world.pass_minutes(1)
        assert world.rows("shop-third", region=THIRD) == [1]


def test_readers_of_a_secondary_follow_also_over_a_failover(world: World) -> None:
    rds = world.rds(region=OTHER)
    rds.create_db_instance(
        DBInstanceIdentifier="reader",
        DBClusterIdentifier="shop-copy",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    world.until_available("reader", region=OTHER)
    world.write("shop", 1)
    world.pass_minutes(1)
    assert world.rows("reader", region=OTHER) == [1]
    with world.aws.region_down(REGION):
        rds.failover_global_cluster(
            GlobalClusterIdentifier="world", TargetDbClusterIdentifier=SECONDARY, AllowDataLoss=True
        )
        until_available(world)
        world.write("shop-copy", 2, region=OTHER)
        world.pass_minutes(1)
        assert world.rows("reader", region=OTHER) == [1, 2]


def test_removed_a_secondary_is_a_cluster_of_its_own(world: World) -> None:
    rds = world.rds(region=OTHER)
    world.write("shop", 1)
    world.pass_minutes(1)
    with refused("InvalidGlobalClusterStateFault", "other members"):
        rds.remove_from_global_cluster(GlobalClusterIdentifier="world", DbClusterIdentifier=PRIMARY)
    rds.remove_from_global_cluster(GlobalClusterIdentifier="world", DbClusterIdentifier=SECONDARY)
    assert members(world) == {REGION: True}
    assert rds.describe_db_clusters(DBClusterIdentifier="shop-copy")["DBClusters"][0]["Status"] == "promoting"
    world.pass_minutes(10)
    found = rds.describe_db_clusters(DBClusterIdentifier="shop-copy")["DBClusters"][0]
    assert (found["Status"], found.get("GlobalClusterIdentifier")) == ("available", None)
    assert "EarliestRestorableTime" in found
    world.write("shop", 2)
    world.write("shop-copy", 3, region=OTHER)
    world.pass_minutes(1)
    assert (world.rows("shop"), world.rows("shop-copy", region=OTHER)) == ([1, 2], [1, 3])
    rds.remove_from_global_cluster(GlobalClusterIdentifier="world", DbClusterIdentifier=PRIMARY)
    rds.delete_global_cluster(GlobalClusterIdentifier="world")
    assert rds.describe_global_clusters()["GlobalClusters"] == []
    world.write("shop", 4)


def window(world: World, name: str, region: str) -> tuple[datetime, datetime]:
    found = world.rds(region=region).describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    return found["EarliestRestorableTime"], found["LatestRestorableTime"]


def restored(world: World, name: str, moment: datetime, region: str) -> list[int]:
    """The rows of a cluster as of a moment."""
    rds, target = world.rds(region=region), f"as-of-{uuid4()}"
    rds.restore_db_cluster_to_point_in_time(
        SourceDBClusterIdentifier=name, DBClusterIdentifier=target, RestoreToTime=moment
    )
    rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier=target)
    world.writer(target, region=region)
    return world.rows(target, region=region)


def test_a_former_primary_is_backed_up_no_more_and_says_so(world: World) -> None:
    rds, global_cluster = world.rds(), {"GlobalClusterIdentifier": "world"}
    world.write("shop", 1)
    written = world.now
    world.pass_minutes(20)
    rds.switchover_global_cluster(**global_cluster, TargetDbClusterIdentifier=SECONDARY)
    until_available(world)
    over = world.now
    world.write("shop-copy", 2, region=OTHER)
    world.pass_minutes(60)
    assert world.rows("shop") == [1, 2]
    assert window(world, "shop", REGION)[1] <= over
    with refused("InvalidParameterValue", "cannot be restored to a time later than"):
        restored(world, "shop", over + timedelta(minutes=30), REGION)
    rds.switchover_global_cluster(**global_cluster, TargetDbClusterIdentifier=PRIMARY)
    until_available(world)
    assert window(world, "shop", REGION)[1] <= over
    world.pass_minutes(20)
    assert window(world, "shop", REGION)[1] > over + timedelta(hours=1)
    with refused("InvalidParameterValue", "it was not backed up from"):
        restored(world, "shop", over + timedelta(minutes=30), REGION)
    assert restored(world, "shop", written, REGION) == [1]
    assert restored(world, "shop", window(world, "shop", REGION)[1], REGION) == [1, 2]
    world.pass_minutes(26 * 60)
    other = world.rds(region=OTHER).describe_db_clusters(DBClusterIdentifier="shop-copy")["DBClusters"][0]
    assert "EarliestRestorableTime" not in other
    with refused("DBClusterAutomatedBackupNotFoundFault"):
        world.rds(region=OTHER).describe_db_cluster_automated_backups(DBClusterIdentifier="shop-copy")


@settings(max_examples=2, deadline=None)
@given(
    turns=st.lists(st.tuples(st.lists(st.floats(0, 1.2), max_size=4), st.booleans()), min_size=1, max_size=3),
    share=st.floats(0, 1),
)
def test_whatever_the_order_the_primary_has_what_had_arrived(
    turns: list[tuple[list[float], bool]], share: float
) -> None:
    """Each turn is some writes, with pauses, and then another primary: by a failover in an outage, or a switchover.

    What was backed up of either is what it held at the moment that is restored.
    """
    with made() as world:
        places = {"shop": (REGION, PRIMARY), "shop-copy": (OTHER, SECONDARY)}
        primary, other = "shop", "shop-copy"
        kept: list[int] = []
        held: dict[str, list[tuple[datetime, list[int]]]] = {"shop": [(world.now, [])], "shop-copy": []}
        number = 0
        for pauses, unplanned in turns:
            written = []
            for pause in pauses:
                number += 1
                world.write(primary, number, region=places[primary][0])
                written.append((number, world.now))
                held[primary].append((world.now, [*kept, *(one for one, _ in written)]))
                world.aws.clock.sleep(pause)
            failed, region = world.now, places[other][0]
            wanted = {"GlobalClusterIdentifier": "world", "TargetDbClusterIdentifier": places[other][1]}
            if unplanned:
                with world.aws.region_down(places[primary][0]):
                    world.rds(region=region).failover_global_cluster(**wanted, AllowDataLoss=True)
                    until_available(world, region)
                kept += [one for one, at in written if (failed - at).total_seconds() >= LAG_SECONDS]
            else:
                world.rds(region=region).switchover_global_cluster(**wanted)
                until_available(world, region)
                kept += [one for one, _ in written]
            primary, other = other, primary
            held[primary].append((failed, list(kept)))
            world.pass_minutes(90)
            assert world.rows(primary, region=region) == kept
            assert world.rows(other, region=places[other][0]) == kept
        for name, (region, _) in places.items():
            backed_up(world, name, region, held[name], share)


def backed_up(world: World, name: str, region: str, held: list[tuple[datetime, list[int]]], share: float) -> None:
    """A moment of its window is what it held then, or nothing was backed up then."""
    earliest, latest = window(world, name, region)
    moment = max(held[0][0], earliest + (latest - earliest) * share)
    expected = next(then for at, then in reversed(held) if at <= moment)
    with suppress_what_was_not_backed_up():
        assert restored(world, name, moment, region) == expected


@contextmanager
def suppress_what_was_not_backed_up() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if "it was not backed up from" not in error.response["Error"]["Message"]:
            raise
