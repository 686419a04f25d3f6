"""Read replicas: they follow by the lag, lose what was on its way with their source, and are promoted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, REGION, World, refused

LAG_SECONDS = 1.0
SOURCE = f"arn:aws:rds:{REGION}:{ONE}:db:shop"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.instance("shop")
        yield world


@pytest.fixture
def world(module_world: World) -> Iterator[World]:
    """The source with an empty table; its replicas go after the test."""
    with module_world.connected("shop") as connection:
        connection.execute("TRUNCATE t")
    yield module_world
    for region in (REGION, OTHER):
        for one in module_world.rds(region=region).describe_db_instances()["DBInstances"]:
            if one["DBInstanceIdentifier"] != "shop":
                forget(module_world, one["DBInstanceIdentifier"], region)


def forget(world: World, name: str, region: str) -> None:
    world.rds(region=region).delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    world.pass_minutes(60)


def replica(world: World, name: str = "copy", region: str = OTHER, **more: Any) -> None:
    world.rds(region=region).create_db_instance_read_replica(
        DBInstanceIdentifier=name, SourceDBInstanceIdentifier=SOURCE, **more
    )
    world.until_available(name, region=region)


def described(world: World, name: str, region: str = OTHER) -> dict[str, Any]:
    return dict(world.rds(region=region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def promote(world: World, name: str = "copy", region: str = OTHER, **more: Any) -> None:
    world.rds(region=region).promote_read_replica(DBInstanceIdentifier=name, **more)
    world.until_available(name, region=region)


def test_it_follows_within_the_lag_and_takes_no_writes(world: World) -> None:
    world.write("shop", 1)
    replica(world)
    assert world.rows("copy", region=OTHER) == [1]
    world.write("shop", 2)
    world.aws.clock.sleep(LAG_SECONDS - 0.1)
    assert world.rows("copy", region=OTHER) == [1]
    world.aws.clock.sleep(0.2)
    assert world.rows("copy", region=OTHER) == [1, 2]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        world.write("copy", 3, region=OTHER)


def test_source_and_replica_name_each_other(world: World) -> None:
    replica(world)
    replica(world, "near", REGION)
    there, near, source = described(world, "copy"), described(world, "near", REGION), described(world, "shop", REGION)
    assert there["ReadReplicaSourceDBInstanceIdentifier"] == SOURCE
    assert near["ReadReplicaSourceDBInstanceIdentifier"] == "shop"
    assert set(source["ReadReplicaDBInstanceIdentifiers"]) == {there["DBInstanceArn"], "near"}
    assert there["StatusInfos"] == [{"StatusType": "read replication", "Normal": True, "Status": "replicating"}]
    assert there["BackupRetentionPeriod"] == 0


def test_in_an_outage_what_was_on_its_way_is_lost(world: World) -> None:
    replica(world)
    for number in range(4):
        world.write("shop", number)
        world.aws.clock.sleep(0.4)
    with world.aws.region_down(REGION):
        world.pass_minutes(10)
        assert world.rows("copy", region=OTHER) == [0, 1]  # Written 1.6 and 1.2 s before; the others 0.8 and 0.4 s.
        promote(world)
        world.write("copy", 9, region=OTHER)
        assert world.rows("copy", region=OTHER) == [0, 1, 9]
    world.pass_minutes(10)
    assert world.rows("copy", region=OTHER) == [0, 1, 9]
    assert world.rows("shop") == [0, 1, 2, 3]


def test_what_an_outage_held_arrives_when_it_is_over(world: World) -> None:
    replica(world)
    world.write("shop", 1)
    with world.aws.region_down(REGION):
        world.pass_minutes(10)
        assert world.rows("copy", region=OTHER) == []
    world.aws.clock.sleep(LAG_SECONDS - 0.1)
    assert world.rows("copy", region=OTHER) == []
    world.aws.clock.sleep(0.2)
    assert world.rows("copy", region=OTHER) == [1]


def test_an_outage_of_the_replica_is_caught_up_with(world: World) -> None:
    replica(world)
    with world.aws.region_down(OTHER):
        world.write("shop", 1)
        world.pass_minutes(10)
    world.pass_minutes(1)
    assert world.rows("copy", region=OTHER) == [1]


def test_a_closed_account_takes_both_and_gives_both_back(world: World) -> None:
    replica(world)
    host, port = world.endpoint("copy", ONE, OTHER)
    world.write("shop", 1)
    world.aws.close_account(ONE)
    world.pass_minutes(10)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=host, port=port, user="app", password="a-long-password", dbname="shop")
    world.aws.reopen_account(ONE)
    world.pass_minutes(1)
    assert world.rows("copy", region=OTHER) == [1]


def test_promoted_it_is_an_instance_of_its_own(world: World) -> None:
    replica(world)
    world.write("shop", 1)
    world.aws.clock.sleep(5)
    before = described(world, "copy")["Endpoint"]
    promote(world, BackupRetentionPeriod=3)
    found = described(world, "copy")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in found
    assert "StatusInfos" not in found
    assert (found["BackupRetentionPeriod"], found["Endpoint"]) == (3, before)
    assert described(world, "shop", REGION)["ReadReplicaDBInstanceIdentifiers"] == []
    world.write("shop", 2)
    world.write("copy", 3, region=OTHER)
    world.pass_minutes(30)
    assert world.rows("copy", region=OTHER) == [1, 3]
    backups = world.rds(region=OTHER).describe_db_instance_automated_backups(DBInstanceIdentifier="copy")
    assert [one["Status"] for one in backups["DBInstanceAutomatedBackups"]] == ["active"]
    with refused("InvalidDBInstanceState", "not a read replica"):
        world.rds(region=OTHER).promote_read_replica(DBInstanceIdentifier="copy")


def test_what_is_restored_of_a_promoted_one_goes_on_from_its_promotion(world: World) -> None:
    replica(world)
    promote(world)
    world.write("copy", 1, region=OTHER)
    world.pass_minutes(20)
    moment = world.now - timedelta(minutes=10)
    world.write("copy", 2, region=OTHER)
    world.pass_minutes(20)
    world.rds(region=OTHER).restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="copy", TargetDBInstanceIdentifier="restored", RestoreTime=moment
    )
    world.until_available("restored", region=OTHER)
    assert world.rows("restored", region=OTHER) == [1]


def test_a_source_that_is_deleted_leaves_all_it_wrote(world: World) -> None:
    """In its region replicas are promoted by themselves; elsewhere they stay replicas, of nobody."""
    world.instance("short-lived")
    arn = described(world, "short-lived", REGION)["DBInstanceArn"]
    for name, region in (("near", REGION), ("far", OTHER)):
        world.rds(region=region).create_db_instance_read_replica(
            DBInstanceIdentifier=name, SourceDBInstanceIdentifier=arn
        )
        world.until_available(name, region=region)
    world.write("short-lived", 1)
    forget(world, "short-lived", REGION)
    assert world.rows("near") == world.rows("far", region=OTHER) == [1]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in described(world, "near", REGION)
    world.write("near", 2)
    far = described(world, "far")
    assert far["ReadReplicaSourceDBInstanceIdentifier"] == arn
    assert far["StatusInfos"][0] == {"StatusType": "read replication", "Normal": False, "Status": "terminated"}
    promote(world, "far")
    world.write("far", 2, region=OTHER)
    assert world.rows("far", region=OTHER) == [1, 2]


def test_a_replica_that_is_deleted_is_forgotten(world: World) -> None:
    replica(world)
    with refused("InvalidDBInstanceState"):
        world.rds(region=OTHER).delete_db_instance(
            DBInstanceIdentifier="copy", FinalDBSnapshotIdentifier="last-of-copy", SkipFinalSnapshot=False
        )
    forget(world, "copy", OTHER)
    assert described(world, "shop", REGION)["ReadReplicaDBInstanceIdentifiers"] == []
    world.write("shop", 1)
    world.pass_minutes(1)


def test_renamed_they_still_name_each_other(world: World) -> None:
    replica(world)
    world.rds(region=OTHER).modify_db_instance(
        DBInstanceIdentifier="copy", NewDBInstanceIdentifier="other-copy", ApplyImmediately=True
    )
    world.pass_minutes(10)
    (arn,) = described(world, "shop", REGION)["ReadReplicaDBInstanceIdentifiers"]
    assert arn.endswith(":other-copy")
    world.write("shop", 1)
    world.pass_minutes(1)
    assert world.rows("other-copy", region=OTHER) == [1]


def test_its_password_is_its_sources(world: World) -> None:
    replica(world)
    with refused("InvalidParameterCombination", "that of its source"):
        world.rds(region=OTHER).modify_db_instance(DBInstanceIdentifier="copy", MasterUserPassword="another-one-1")
    promote(world)
    world.rds(region=OTHER).modify_db_instance(
        DBInstanceIdentifier="copy", MasterUserPassword="another-one-1", ApplyImmediately=True
    )
    world.pass_minutes(10)
    host, port = world.endpoint("copy", ONE, OTHER)
    with psycopg.connect(host=host, port=port, user="app", password="another-one-1", dbname="shop") as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def test_either_can_be_rebooted(world: World) -> None:
    replica(world)
    for name, region in (("shop", REGION), ("copy", OTHER)):
        world.write("shop", 1)
        world.rds(region=region).reboot_db_instance(DBInstanceIdentifier=name)
        world.until_available(name, region=region)
    world.write("shop", 2)
    world.pass_minutes(1)
    assert world.rows("copy", region=OTHER) == [1, 1, 2]


def test_a_source_lost_meanwhile_gives_no_replica(world: World) -> None:
    world.rds(region=OTHER).create_db_instance_read_replica(
        DBInstanceIdentifier="copy", SourceDBInstanceIdentifier=SOURCE
    )
    with world.aws.region_down(REGION):
        with refused("InternalFailure", "does not answer"):
            world.rds(region=OTHER).create_db_instance_read_replica(
                DBInstanceIdentifier="other", SourceDBInstanceIdentifier=SOURCE
            )
        world.pass_minutes(120)
    assert described(world, "copy")["DBInstanceStatus"] == "failed"


def test_a_replica_without_backups_is_no_source(world: World) -> None:
    with refused("InvalidDBInstanceState", "Automated backups are not enabled"):
        replica(world)
        world.rds(region=OTHER).create_db_instance_read_replica(
            DBInstanceIdentifier="second", SourceDBInstanceIdentifier="copy"
        )


def test_a_replica_of_a_replica_follows_also_when_that_is_promoted(world: World) -> None:
    replica(world)
    rds = world.rds(region=OTHER)
    rds.modify_db_instance(DBInstanceIdentifier="copy", BackupRetentionPeriod=1, ApplyImmediately=True)
    world.pass_minutes(20)
    rds.create_db_instance_read_replica(DBInstanceIdentifier="second", SourceDBInstanceIdentifier="copy")
    world.until_available("second", region=OTHER)
    world.write("shop", 1)
    world.aws.clock.sleep(1.5 * LAG_SECONDS)
    assert (world.rows("copy", region=OTHER), world.rows("second", region=OTHER)) == ([1], [])
    world.aws.clock.sleep(LAG_SECONDS)
    assert world.rows("second", region=OTHER) == [1]
    promote(world)
    world.write("copy", 2, region=OTHER)
    world.pass_minutes(1)
    assert world.rows("second", region=OTHER) == [1, 2]
    assert described(world, "copy")["ReadReplicaDBInstanceIdentifiers"] == ["second"]


def test_the_lag_is_a_metric(world: World) -> None:
    replica(world)
    world.write("shop", 1)
    failed = world.now
    with world.aws.region_down(REGION):
        world.pass_minutes(5)
        found = (
            world.aws.session(ONE)
            .client("cloudwatch", OTHER)
            .get_metric_statistics(
                Namespace="AWS/RDS",
                MetricName="ReplicaLag",
                Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "copy"}],
                StartTime=world.now - timedelta(minutes=3),
                EndTime=world.now + timedelta(minutes=1),
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
        )
    assert len(found) >= 3
    assert {one["Timestamp"] - timedelta(seconds=one["Maximum"]) for one in found} == {failed}


@pytest.mark.parametrize(
    ("code", "words", "more"),
    [
        ("DBInstanceAlreadyExists", "already exists", {"DBInstanceIdentifier": "shop", "region": REGION}),
        ("DBInstanceNotFound", "nobody", {"SourceDBInstanceIdentifier": SOURCE.replace("shop", "nobody")}),
        ("DBInstanceNotFound", "not found", {"SourceDBInstanceIdentifier": SOURCE.replace(ONE, "999999999999")}),
        ("DBInstanceNotFound", "not found", {"SourceDBInstanceIdentifier": "shop"}),
        ("InvalidParameterCombination", "unencrypted", {"KmsKeyId": "alias/aws/rds"}),
    ],
)
def test_what_is_refused(world: World, code: str, words: str, more: dict[str, Any]) -> None:
    region = more.pop("region", OTHER)
    wanted = {"DBInstanceIdentifier": "copy", "SourceDBInstanceIdentifier": SOURCE} | more
    with refused(code, words):
        world.rds(region=region).create_db_instance_read_replica(**wanted)


def test_a_source_without_automated_backups_cannot_be_followed(world: World) -> None:
    world.instance("bare", BackupRetentionPeriod=0)
    with refused("InvalidDBInstanceState", "Automated backups are not enabled"):
        world.rds().create_db_instance_read_replica(DBInstanceIdentifier="copy", SourceDBInstanceIdentifier="bare")


def test_what_is_encrypted_needs_a_key_of_the_other_region(world: World) -> None:
    world.instance("secret", StorageEncrypted=True)
    source = described(world, "secret", REGION)
    wanted = {"DBInstanceIdentifier": "copy", "SourceDBInstanceIdentifier": source["DBInstanceArn"]}
    with refused("InvalidParameterCombination", "cross region unencrypted"):
        world.rds(region=OTHER).create_db_instance_read_replica(**wanted)
    with refused("KMSKeyNotAccessibleFault"):
        world.rds(region=OTHER).create_db_instance_read_replica(**wanted, KmsKeyId=source["KmsKeyId"])
    key = world.key(region=OTHER)
    world.rds(region=OTHER).create_db_instance_read_replica(**wanted, KmsKeyId=key)
    world.until_available("copy", region=OTHER)
    assert described(world, "copy")["KmsKeyId"] == key


def test_fifteen_replicas_are_enough(world: World) -> None:
    rds = world.rds(region=OTHER)
    for number in range(15):
        rds.create_db_instance_read_replica(DBInstanceIdentifier=f"copy-{number}", SourceDBInstanceIdentifier=SOURCE)
    with refused("InvalidDBInstanceState", "15 read replicas"):
        rds.create_db_instance_read_replica(DBInstanceIdentifier="copy-15", SourceDBInstanceIdentifier=SOURCE)
    for number in range(15):
        rds.delete_db_instance(DBInstanceIdentifier=f"copy-{number}", SkipFinalSnapshot=True)
    world.pass_minutes(60)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=12), seed=st.integers(0, 9))
def test_a_replica_has_what_was_older_than_the_lag_and_no_more(
    module_world: World, pauses: list[float], seed: int
) -> None:
    """Against the ledger of acknowledged writes, wherever in it the outage falls."""
    world, name = module_world, f"copy-{seed}"
    with world.connected("shop") as connection:
        connection.execute("TRUNCATE t")
    replica(world, name)
    ledger = []
    with world.connected("shop") as connection:
        for number, pause in enumerate(pauses):
            connection.execute("INSERT INTO t VALUES (%s)", (number,))
            ledger.append((number, world.now))
            world.aws.clock.sleep(pause)
    failed = world.now
    with world.aws.region_down(REGION):
        promote(world, name)
    there = [number for number, at in ledger if (failed - at).total_seconds() >= LAG_SECONDS]
    assert world.rows(name, region=OTHER) == there
    forget(world, name, OTHER)
