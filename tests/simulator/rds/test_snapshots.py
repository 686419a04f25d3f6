"""Snapshots of databases: whose rows they hold, how they are described, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, REGION, TWO, World, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.instance("shop", Tags=[{"Key": "team", "Value": "web"}], CopyTagsToSnapshot=True)
        world.cluster("orders")
        yield world


def test_rows_are_those_of_the_moment_it_was_asked_for(world: World) -> None:
    rds = world.rds()
    world.write("shop", 1)
    made = rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="early")["DBSnapshot"]
    world.write("shop", 2)
    assert (made["Status"], made["PercentProgress"], made["SnapshotType"]) == ("creating", 0, "manual")
    assert made["SnapshotCreateTime"] == made["OriginalSnapshotCreateTime"] == made["SnapshotDatabaseTime"] == world.now
    world.until_there("early")
    world.until_available("shop")
    world.write("shop", 3)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="early")
    world.until_available("again")
    assert world.rows("again") == [1]
    assert world.rows("shop") == [1, 2, 3]


def test_it_takes_its_time_and_the_instance_is_backing_up_meanwhile(world: World) -> None:
    rds = world.rds()
    rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="slow")
    assert rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DBInstanceStatus"] == "backing-up"
    with refused("InvalidDBInstanceState", "is not currently in the available state"):
        rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="second")
    world.pass_minutes(1)
    halfway = world.described("slow")
    assert halfway["Status"] == "creating"
    assert 0 < halfway["PercentProgress"] < 100
    with refused("InvalidDBSnapshotState", "is not in the available state"):
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="hasty", DBSnapshotIdentifier="slow")
    with refused("InvalidDBSnapshotState"):
        rds.delete_db_snapshot(DBSnapshotIdentifier="slow")
    world.until_there("slow")
    assert world.described("slow")["PercentProgress"] == 100
    assert rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DBInstanceStatus"] == "available"


def test_names_that_are_refused(world: World) -> None:
    rds = world.rds()
    world.snapshot("shop", "taken")
    with refused("DBSnapshotAlreadyExists"):
        rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="TAKEN")
    for name in ("rds:mine", "9lives", "two--hyphens", "end-"):
        with refused("InvalidParameterValue", "is not a valid identifier"):
            rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier=name)
    with refused("DBInstanceNotFound"):
        rds.create_db_snapshot(DBInstanceIdentifier="nobody", DBSnapshotIdentifier="none")
    with refused("InvalidDBInstanceState", "CreateDBClusterSnapshot"):
        rds.create_db_snapshot(DBInstanceIdentifier="orders-writer", DBSnapshotIdentifier="none")
    with refused("InvalidParameterValue", "reserved prefix"):
        rds.create_db_snapshot(
            DBInstanceIdentifier="shop", DBSnapshotIdentifier="tagged", Tags=[{"Key": "aws:x", "Value": ""}]
        )


def test_tags_of_the_instance_go_along_when_it_says_so(world: World) -> None:
    world.snapshot("shop", "labelled", Tags=[{"Key": "kind", "Value": "nightly"}])
    tags = {tag["Key"]: tag["Value"] for tag in world.described("labelled")["TagList"]}
    assert tags == {"team": "web", "kind": "nightly"}


def test_which_are_described(world: World) -> None:
    rds = world.rds()
    arn = world.snapshot("shop", "findable")

    def names(**asked: object) -> set[str]:
        return {one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots(**asked)["DBSnapshots"]}

    resource = world.described("findable")["DbiResourceId"]
    automated = names(SnapshotType="automated", DBInstanceIdentifier="shop")
    assert automated
    assert all(name.startswith("rds:shop-") for name in automated)
    assert names(DBSnapshotIdentifier=arn) == names(DBSnapshotIdentifier="FINDABLE") == {"findable"}
    manual = names(SnapshotType="manual", DbiResourceId=resource)
    assert "findable" in manual
    assert not manual & automated
    assert names(DBInstanceIdentifier="shop") == manual | automated
    assert names(Filters=[{"Name": "db-snapshot-id", "Values": ["findable"]}]) == {"findable"}
    assert names(Filters=[{"Name": "engine", "Values": ["mysql"]}]) == set()
    assert names(SnapshotType="awsbackup") == names(SnapshotType="shared") == set()
    with refused("DBSnapshotNotFound"):
        names(DBSnapshotIdentifier="nothing")
    with refused("InvalidParameterValue", "Unrecognized filter"):
        names(Filters=[{"Name": "colour", "Values": ["blue"]}])
    assert world.rds(TWO).describe_db_snapshots()["DBSnapshots"] == []


def test_what_can_be_deleted(world: World) -> None:
    rds = world.rds()
    world.snapshot("shop", "spare")
    automated = rds.describe_db_snapshots(SnapshotType="automated", DBInstanceIdentifier="shop")["DBSnapshots"]
    with refused("InvalidDBSnapshotState", "Only manual snapshots may be deleted"):
        rds.delete_db_snapshot(DBSnapshotIdentifier=automated[0]["DBSnapshotIdentifier"])
    assert rds.delete_db_snapshot(DBSnapshotIdentifier="spare")["DBSnapshot"]["Status"] == "deleted"
    with refused("DBSnapshotNotFound"):
        rds.delete_db_snapshot(DBSnapshotIdentifier="spare")


def test_of_a_cluster(world: World) -> None:
    rds = world.rds()
    world.write("orders", 7)
    made = rds.create_db_cluster_snapshot(DBClusterIdentifier="orders", DBClusterSnapshotIdentifier="whole")
    assert made["DBClusterSnapshot"]["Status"] == "creating"
    assert made["DBClusterSnapshot"]["Engine"] == "aurora-postgresql"
    world.write("orders", 8)
    rds.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier="whole")
    rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="orders-again", SnapshotIdentifier="whole", Engine="aurora-postgresql"
    )
    world.writer("orders-again")
    assert world.rows("orders-again") == [7]
    with refused("InvalidDBClusterSnapshotStateFault", "Only manual snapshots may be deleted"):
        automated = rds.describe_db_cluster_snapshots(SnapshotType="automated")["DBClusterSnapshots"]
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=automated[0]["DBClusterSnapshotIdentifier"])
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="whole")
    with refused("DBClusterSnapshotNotFoundFault"):
        rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="whole")


def test_the_last_snapshot_of_what_is_deleted(world: World) -> None:
    rds = world.rds()
    world.instance("leaving", BackupRetentionPeriod=0)
    world.write("leaving", 5)
    rds.delete_db_instance(DBInstanceIdentifier="leaving", FinalDBSnapshotIdentifier="farewell")
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="leaving")
    world.until_there("farewell")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="back", DBSnapshotIdentifier="farewell")
    world.until_available("back")
    assert world.rows("back") == [5]


def test_no_more_than_a_hundred_by_hand(world: World) -> None:
    rds = world.rds(ONE, REGION)
    there = len(rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"])
    source = world.snapshot("shop", "many")
    for number in range(99 - there):
        rds.copy_db_snapshot(SourceDBSnapshotIdentifier=source, TargetDBSnapshotIdentifier=f"copy-{number}")
        if number % 20 == 19:
            world.pass_minutes(20 * 6)
    world.until_there(f"copy-{98 - there}")
    with refused("SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots"):
        rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="too-many")
    assert len(rds.describe_db_snapshots(MaxRecords=20)["DBSnapshots"]) == 20
    pages = rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual")
    assert sum(len(page["DBSnapshots"]) for page in pages) == 100
