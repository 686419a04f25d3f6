"""Automated backups: their window as time passes, what outlives the source, and replicas in another region."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, REGION, TWO, World, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.instance("shop", BackupRetentionPeriod=2, PreferredBackupWindow="03:00-03:30")
        world.cluster("orders", BackupRetentionPeriod=1)
        yield world


def backup_of(world: World, region: str = REGION, **asked: Any) -> dict[str, Any]:
    found = world.rds(ONE, region).describe_db_instance_automated_backups(**asked)["DBInstanceAutomatedBackups"]
    return dict(found[0])


def latest(world: World, name: str) -> datetime:
    found = world.rds().describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    moment: datetime = found["LatestRestorableTime"]
    return moment


def automated(world: World, name: str) -> list[str]:
    found = world.rds().describe_db_snapshots(SnapshotType="automated", DBInstanceIdentifier=name)["DBSnapshots"]
    return [one["DBSnapshotIdentifier"] for one in found]


def test_the_newest_restorable_moment_follows_within_five_minutes(world: World) -> None:
    seen = set()
    for _ in range(30):
        world.pass_minutes(1)
        moment = latest(world, "shop")
        assert timedelta() <= world.now - moment < timedelta(minutes=5)
        seen.add(moment)
    assert len(seen) in (6, 7)
    assert backup_of(world, DBInstanceIdentifier="shop")["RestoreWindow"]["LatestTime"] == latest(world, "shop")


def test_a_snapshot_a_day_in_the_window_and_none_older_than_the_retention(world: World) -> None:
    world.pass_minutes(10 * 24 * 60)
    names = automated(world, "shop")
    assert len(names) == 2
    for name in names:
        assert name.startswith("rds:shop-2026-01-")
        assert "03-00" <= name[-5:] < "03-30"
    window = backup_of(world, DBInstanceIdentifier="shop")["RestoreWindow"]
    assert world.now - window["EarliestTime"] == timedelta(days=2)


def test_of_a_new_instance_the_window_begins_with_its_first_image(world: World) -> None:
    began = world.now
    world.instance("young", BackupRetentionPeriod=7)
    found = backup_of(world, DBInstanceIdentifier="young")
    assert found["Status"] == "active"
    assert began < found["RestoreWindow"]["EarliestTime"] < world.now
    assert found["DBInstanceAutomatedBackupsArn"].startswith(f"arn:aws:rds:{REGION}:{ONE}:auto-backup:ab-")
    assert len(automated(world, "young")) == 1


def test_without_a_retention_there_are_none(world: World) -> None:
    rds = world.rds()
    world.instance("bare", BackupRetentionPeriod=0)
    with refused("DBInstanceAutomatedBackupNotFound"):
        backup_of(world, DBInstanceIdentifier="bare")
    with refused("PointInTimeRestoreNotEnabled"):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="bare", TargetDBInstanceIdentifier="x", UseLatestRestorableTime=True
        )
    assert automated(world, "bare") == []


def test_retention_that_is_set_to_nought_takes_all_automated_backups_away(world: World) -> None:
    rds = world.rds()
    world.instance("switched", BackupRetentionPeriod=3)
    assert len(automated(world, "switched")) == 1
    rds.modify_db_instance(DBInstanceIdentifier="switched", BackupRetentionPeriod=0, ApplyImmediately=True)
    world.pass_minutes(60)
    assert automated(world, "switched") == []
    with refused("DBInstanceAutomatedBackupNotFound"):
        backup_of(world, DBInstanceIdentifier="switched")
    rds.modify_db_instance(DBInstanceIdentifier="switched", BackupRetentionPeriod=3, ApplyImmediately=True)
    world.pass_minutes(60)
    assert backup_of(world, DBInstanceIdentifier="switched")["RestoreWindow"]["EarliestTime"] > world.now - timedelta(
        hours=1
    )


def delete(world: World, name: str, **more: Any) -> None:
    rds = world.rds()
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, **more)
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name)


def test_they_go_with_the_instance_unless_they_are_retained(world: World) -> None:
    rds = world.rds()
    world.instance("gone")
    resource = rds.describe_db_instances(DBInstanceIdentifier="gone")["DBInstances"][0]["DbiResourceId"]
    with refused("InvalidDBInstanceAutomatedBackupState"):
        rds.delete_db_instance_automated_backup(DbiResourceId=resource)
    delete(world, "gone")
    assert automated(world, "gone") == []
    with refused("DBInstanceAutomatedBackupNotFound"):
        backup_of(world, DbiResourceId=resource)


def test_those_that_are_retained_can_be_restored_until_they_expire(world: World) -> None:
    rds = world.rds()
    world.instance("kept")
    world.write("kept", 1)
    world.pass_minutes(6)
    resource = rds.describe_db_instances(DBInstanceIdentifier="kept")["DBInstances"][0]["DbiResourceId"]
    world.write("kept", 2)
    ended = world.now
    delete(world, "kept", DeleteAutomatedBackups=False)
    found = backup_of(world, DbiResourceId=resource, Filters=[{"Name": "status", "Values": ["retained"]}])
    assert ended - timedelta(minutes=5) < found["RestoreWindow"]["LatestTime"] <= ended
    assert len(automated(world, "kept")) == 1
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=resource, TargetDBInstanceIdentifier="revived", UseLatestRestorableTime=True
    )
    world.until_available("revived")
    assert world.rows("revived") == [1]
    world.pass_minutes(24 * 60)
    with refused("DBInstanceAutomatedBackupNotFound"):
        backup_of(world, DbiResourceId=resource)
    assert automated(world, "kept") == []


def test_those_that_are_retained_can_be_deleted(world: World) -> None:
    world.instance("brief")
    arn = backup_of(world, DBInstanceIdentifier="brief")["DBInstanceAutomatedBackupsArn"]
    delete(world, "brief", DeleteAutomatedBackups=False)
    answer = world.rds().delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)
    assert answer["DBInstanceAutomatedBackup"]["Status"] == "deleting"
    with refused("DBInstanceAutomatedBackupNotFound"):
        world.rds().delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)


def test_of_a_cluster(world: World) -> None:
    rds = world.rds()
    found = rds.describe_db_cluster_automated_backups(DBClusterIdentifier="orders")["DBClusterAutomatedBackups"][0]
    assert found["Status"] == "active"
    described = rds.describe_db_clusters(DBClusterIdentifier="orders")["DBClusters"][0]
    assert found["RestoreWindow"]["LatestTime"] == described["LatestRestorableTime"]
    assert found["RestoreWindow"]["EarliestTime"] == described["EarliestRestorableTime"]
    arn, tags = found["DBClusterAutomatedBackupsArn"], [{"Key": "team", "Value": "web"}]
    rds.add_tags_to_resource(ResourceName=arn, Tags=tags)
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == tags
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["team"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == []
    with refused("DBClusterAutomatedBackupNotFoundFault"):
        rds.list_tags_for_resource(ResourceName=f"{arn[:-1]}!")
    with refused("DBClusterAutomatedBackupNotFoundFault"):
        world.rds(TWO).describe_db_cluster_automated_backups(DBClusterIdentifier="orders")


def test_of_a_cluster_the_window_goes_on_over_a_failover(world: World) -> None:
    rds = world.rds()
    world.write("orders", 1)
    world.pass_minutes(10)
    before = world.now - timedelta(minutes=5)
    rds.create_db_instance(
        DBInstanceIdentifier="orders-reader",
        DBClusterIdentifier="orders",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    world.until_available("orders-reader")
    rds.failover_db_cluster(DBClusterIdentifier="orders")
    world.pass_minutes(10)
    world.write("orders", 2)
    world.pass_minutes(10)
    asked = {"SourceDBClusterIdentifier": "orders"}
    rds.restore_db_cluster_to_point_in_time(DBClusterIdentifier="then", RestoreToTime=before, **asked)
    rds.restore_db_cluster_to_point_in_time(DBClusterIdentifier="now", UseLatestRestorableTime=True, **asked)
    world.pass_minutes(40)
    world.writer("then")
    world.writer("now")
    assert world.rows("then") == [1]
    assert world.rows("now") == [1, 2]


# --- In another region ------------------------------------------------------------------------------------------------


def replicated(world: World, name: str, **more: Any) -> str:
    """An instance whose backups are replicated, with the first image there. Returns the replica's ARN."""
    world.instance(name, BackupRetentionPeriod=1, **{key: more.pop(key) for key in list(more) if key != "key"})
    asked = {"KmsKeyId": more["key"]} if "key" in more else {}
    made = world.rds(ONE, OTHER).start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=f"arn:aws:rds:{REGION}:{ONE}:db:{name}", BackupRetentionPeriod=3, **asked
    )["DBInstanceAutomatedBackup"]
    assert made["Status"] == "pending"
    assert "RestoreWindow" not in made
    world.pass_minutes(30)
    return str(made["DBInstanceAutomatedBackupsArn"])


def test_a_replica_survives_the_outage_of_its_source_with_what_had_arrived(world: World) -> None:
    arn = replicated(world, "abroad")
    assert backup_of(world, OTHER, DBInstanceAutomatedBackupsArn=arn)["Status"] == "replicating"
    here = backup_of(world, DBInstanceIdentifier="abroad")
    assert here["DBInstanceAutomatedBackupsReplications"] == [{"DBInstanceAutomatedBackupsArn": arn}]
    world.write("abroad", 1)
    world.pass_minutes(20)
    world.write("abroad", 2)
    began = world.now
    with world.aws.region_down(REGION):
        world.pass_minutes(60)
        newest = backup_of(world, OTHER, DBInstanceAutomatedBackupsArn=arn)["RestoreWindow"]["LatestTime"]
        assert began - timedelta(minutes=20) < newest < began
        far = world.rds(ONE, OTHER)
        far.restore_db_instance_to_point_in_time(
            SourceDBInstanceAutomatedBackupsArn=arn,
            TargetDBInstanceIdentifier="abroad",
            UseLatestRestorableTime=True,
        )
        world.until_available("abroad", ONE, OTHER)
        assert world.rows("abroad", ONE, OTHER) == [1]
    world.pass_minutes(30)
    assert backup_of(world, OTHER, DBInstanceAutomatedBackupsArn=arn)["RestoreWindow"]["LatestTime"] > began


def test_a_replica_outlives_its_source(world: World) -> None:
    arn = replicated(world, "mortal")
    world.write("mortal", 4)
    world.pass_minutes(30)
    delete(world, "mortal")
    found = backup_of(world, OTHER, DBInstanceAutomatedBackupsArn=arn)
    assert found["Status"] == "retained"
    world.rds(ONE, OTHER).restore_db_instance_to_point_in_time(
        SourceDBInstanceAutomatedBackupsArn=arn, TargetDBInstanceIdentifier="heir", UseLatestRestorableTime=True
    )
    world.until_available("heir", ONE, OTHER)
    assert world.rows("heir", ONE, OTHER) == [4]
    world.pass_minutes(4 * 24 * 60)
    with refused("DBInstanceAutomatedBackupNotFound"):
        backup_of(world, OTHER, DBInstanceAutomatedBackupsArn=arn)


def test_an_encrypted_one_needs_a_key_of_the_other_region(world: World) -> None:
    far = world.rds(ONE, OTHER)
    world.instance("sealed", StorageEncrypted=True)
    source = f"arn:aws:rds:{REGION}:{ONE}:db:sealed"
    with refused("InvalidParameterValue", "KMS key"):
        far.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
    with refused("KMSKeyNotAccessibleFault"):
        far.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source, KmsKeyId=world.key())
    key = world.key(ONE, OTHER)
    made = far.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source, KmsKeyId=key)
    assert made["DBInstanceAutomatedBackup"]["KmsKeyId"] == key
    with refused("InvalidDBInstanceState", "already"):
        far.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source, KmsKeyId=key)
    assert far.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
    with refused("DBInstanceNotFound"):
        far.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
    with refused("InvalidParameterValue", "another region"):
        world.rds().start_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
