"""What is restored: as of which moment, and what it has of its source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from drills.simulator import SimulatedAWS
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.rds.state import databases, the_engine
from tests.simulator.rds.databases import ONE, OTHER, PASSWORD, REGION, World, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.instance("shop", BackupRetentionPeriod=3, Tags=[{"Key": "team", "Value": "web"}], DeletionProtection=True)
        world.cluster("orders", BackupRetentionPeriod=2)
        yield world


def to_moment(world: World, target: str, **asked: Any) -> dict[str, Any]:
    made = world.rds().restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="shop", TargetDBInstanceIdentifier=target, **asked
    )["DBInstance"]
    assert made["DBInstanceStatus"] == "creating"
    world.until_available(target)
    return dict(made)


def test_the_rows_are_those_as_of_the_second(world: World) -> None:
    world.aws.clock.sleep(1 - world.now.microsecond / 1e6)
    world.write("shop", 1)
    first = world.now
    world.aws.clock.sleep(1)
    world.write("shop", 2)
    world.write("shop", 3)
    world.aws.clock.sleep(1)
    with world.connected("shop") as connection:
        connection.execute("DELETE FROM t")
    world.pass_minutes(10)
    for name, moment, rows in (
        ("before", first - timedelta(seconds=1), []),
        ("at-first", first, [1]),
        ("full", first + timedelta(seconds=1), [1, 2, 3]),
        ("empty", first + timedelta(seconds=2), []),
    ):
        to_moment(world, name, RestoreTime=moment)
        assert world.rows(name) == rows
    to_moment(world, "newest", UseLatestRestorableTime=True)
    assert world.rows("newest") == []


def test_only_moments_in_the_window(world: World) -> None:
    window = world.rds().describe_db_instance_automated_backups(DBInstanceIdentifier="shop")
    window = window["DBInstanceAutomatedBackups"][0]["RestoreWindow"]
    later, earlier = window["LatestTime"] + timedelta(seconds=1), window["EarliestTime"] - timedelta(seconds=1)
    with refused("InvalidParameterValue", f"later than {window['LatestTime']:%Y-%m-%dT%H:%M:%SZ}"):
        to_moment(world, "x", RestoreTime=later)
    with refused("InvalidParameterValue", "because its backup retention period is set to 3 days"):
        to_moment(world, "x", RestoreTime=earlier)
    with refused("InvalidParameterCombination"):
        to_moment(world, "x")
    with refused("InvalidParameterCombination"):
        to_moment(world, "x", RestoreTime=window["LatestTime"], UseLatestRestorableTime=True)
    with refused("DBInstanceAlreadyExists"):
        to_moment(world, "shop", UseLatestRestorableTime=True)
    rds = world.rds()
    with refused("DBInstanceNotFound"):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="nobody", TargetDBInstanceIdentifier="x", UseLatestRestorableTime=True
        )
    with refused("DBInstanceAutomatedBackupNotFound"):
        rds.restore_db_instance_to_point_in_time(
            SourceDbiResourceId="db-NONE", TargetDBInstanceIdentifier="x", UseLatestRestorableTime=True
        )


def test_it_is_a_new_instance_with_what_the_call_says(world: World) -> None:
    rds = world.rds()
    source = rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]
    to_moment(world, "fresh", UseLatestRestorableTime=True, Tags=[{"Key": "for", "Value": "drill"}])
    found = rds.describe_db_instances(DBInstanceIdentifier="fresh")["DBInstances"][0]
    for same in ("DBInstanceClass", "Engine", "EngineVersion", "AllocatedStorage", "BackupRetentionPeriod", "DBName"):
        assert found[same] == source[same]
    for other in ("DbiResourceId", "DBInstanceArn", "Endpoint"):
        assert found[other] != source[other]
    assert found["TagList"] == [{"Key": "for", "Value": "drill"}]
    assert found["DeletionProtection"] is False
    assert found["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres17"


def test_passwords_and_users_are_rows(world: World) -> None:
    with world.connected("shop") as connection:
        connection.execute("CREATE ROLE reporting LOGIN PASSWORD 'another-one'")
    world.snapshot("shop", "with-role")
    rds = world.rds()
    rds.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="changed-since", ApplyImmediately=True)
    world.pass_minutes(10)
    rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="roles", DBSnapshotIdentifier="with-role", DBInstanceClass="db.m7g.large"
    )
    world.until_available("roles")
    assert (
        rds.describe_db_instances(DBInstanceIdentifier="roles")["DBInstances"][0]["DBInstanceClass"] == "db.m7g.large"
    )
    assert isinstance(world.rows("roles"), list)
    host, port = world.endpoint("roles", ONE, REGION)
    with psycopg.connect(host=host, port=port, user="reporting", password="another-one", dbname="shop") as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("reporting",)
    rds.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword=PASSWORD, ApplyImmediately=True)
    world.pass_minutes(10)


def test_a_snapshot_of_another_region_is_copied_first(world: World) -> None:
    arn = world.snapshot("shop", "near")
    with refused("InvalidParameterValue", "copy it first"):
        world.rds(ONE, OTHER).restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier=arn)


def test_a_restored_instance_has_backups_of_its_own(world: World) -> None:
    to_moment(world, "child", UseLatestRestorableTime=True)
    began = world.now
    world.write("child", 77)
    world.pass_minutes(10)
    rds = world.rds()
    with refused("InvalidParameterValue", "earlier than"):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="child",
            TargetDBInstanceIdentifier="x",
            RestoreTime=began - timedelta(hours=1),
        )
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="child", TargetDBInstanceIdentifier="grandchild", UseLatestRestorableTime=True
    )
    world.until_available("grandchild")
    assert 77 in world.rows("grandchild")


def test_bigger_ones_take_longer_and_are_not_at_full_speed_at_once(world: World) -> None:
    arn = world.rds().describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DBInstanceArn"]
    before = len(world.aws.durations)
    world.aws.reckon(arn, size_gb=1_000, items=0)
    rds = world.rds()
    rds.create_db_snapshot(DBInstanceIdentifier="shop", DBSnapshotIdentifier="heavy")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="shop", TargetDBInstanceIdentifier="big", UseLatestRestorableTime=True
    )
    begun = {one.operation: one for one in world.aws.durations[before:] if one.resource == arn}
    assert begun["rds.snapshot"].seconds > 4 * 3_600
    assert begun["rds.full_speed"].seconds > 2 * 3_600
    assert begun["rds.replay"].seconds > 0
    world.aws.reckon(arn, size_gb=1, items=0)
    world.pass_minutes(24 * 60)


def test_a_cluster_as_of_the_second_and_as_a_clone(world: World) -> None:
    rds = world.rds()
    world.aws.clock.sleep(1 - world.now.microsecond / 1e6)
    world.write("orders", 1)
    moment = world.now
    world.aws.clock.sleep(1)
    world.write("orders", 2)
    world.pass_minutes(10)
    asked = {"SourceDBClusterIdentifier": "orders"}
    for name, more in (
        ("orders-then", {"RestoreToTime": moment}),
        ("orders-now", {"UseLatestRestorableTime": True}),
        ("orders-clone", {"RestoreType": "copy-on-write", "UseLatestRestorableTime": True}),
    ):
        made = rds.restore_db_cluster_to_point_in_time(DBClusterIdentifier=name, **asked, **more)["DBCluster"]
        assert made["Status"] == "creating"
        assert made["BackupRetentionPeriod"] == 2
        world.pass_minutes(40)
        world.writer(name)
    assert world.rows("orders-then") == [1]
    assert world.rows("orders-now") == world.rows("orders-clone") == [1, 2]
    with refused("DBClusterAlreadyExistsFault"):
        rds.restore_db_cluster_to_point_in_time(DBClusterIdentifier="orders", UseLatestRestorableTime=True, **asked)
    with refused("InvalidParameterValue", "later than"):
        rds.restore_db_cluster_to_point_in_time(DBClusterIdentifier="x", RestoreToTime=world.now, **asked)
    with refused("InvalidParameterCombination"):
        rds.restore_db_cluster_to_point_in_time(
            DBClusterIdentifier="x", RestoreType="copy-on-write", RestoreToTime=moment, **asked
        )


def kept() -> tuple[int, list[str]]:
    """How many images and archives are held, and the folders of images that there are."""
    engine = the_engine()
    assert isinstance(engine, PostgresEngine)
    return len(databases().uses), sorted(one.name for one in engine.folder.iterdir() if one.name.startswith("i"))


def test_a_refused_restore_holds_nothing(world: World) -> None:
    rds, before = world.rds(), kept()
    cluster = {"SourceDBClusterIdentifier": "orders", "DBClusterIdentifier": "refused"}
    instance = {"SourceDBInstanceIdentifier": "shop", "TargetDBInstanceIdentifier": "refused"}
    newest: dict[str, Any] = {"UseLatestRestorableTime": True}
    clone: dict[str, Any] = {"RestoreType": "copy-on-write"}
    for way in (newest, clone):
        for more, code in (
            ({"KmsKeyId": "alias/aws/rds"}, "InvalidParameterCombination"),
            ({"DBClusterParameterGroupName": "none"}, "DBClusterParameterGroupNotFound"),
            ({"DBSubnetGroupName": "none"}, "DBSubnetGroupNotFoundFault"),
        ):
            with refused(code):
                rds.restore_db_cluster_to_point_in_time(**cluster, **way, **more)
    with refused("InvalidParameterCombination"):
        rds.restore_db_cluster_to_point_in_time(**cluster, **clone, RestoreToTime=world.now)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"DBParameterGroupName": "none"}, "DBParameterGroupNotFound"),
        ({"DBSubnetGroupName": "none"}, "DBSubnetGroupNotFoundFault"),
        ({"AllocatedStorage": 20, "MaxAllocatedStorage": 20}, "InvalidParameterCombination"),
    ]
    for own, code in wrong:
        with refused(code):
            rds.restore_db_instance_to_point_in_time(**instance, **newest, **own)
    assert kept() == before
