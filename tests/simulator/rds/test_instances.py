"""DB instances through plain boto3 clients, and the PostgreSQL behind their endpoints through psycopg."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, PASSWORD, REGION, TWO, USER, World, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world for all tests of this module, each with instances of its own."""
    with SimulatedAWS(seed=1) as aws:
        yield World(aws)


def asked(name: str, **more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        "DBName": "shop",
        **more,
    }


@contextmanager
def only_made(world: World, *names: str) -> Iterator[None]:
    """What is made inside is deleted before it comes up, as a server each would take time."""
    yield
    for name in names:
        world.rds().delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def described(world: World, name: str, region: str = REGION) -> Any:
    return world.rds(ONE, region).describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def status(world: World, name: str) -> str:
    return str(described(world, name)["DBInstanceStatus"])


def connects(world: World, name: str, password: str = PASSWORD) -> bool:
    endpoint = described(world, name)["Endpoint"]
    try:
        with psycopg.connect(
            host=endpoint["Address"], port=endpoint["Port"], user=USER, password=password, dbname="shop"
        ):
            return True
    except psycopg.OperationalError:
        return False


# --- Making ----------------------------------------------------------------------------------------------------------


def test_an_instance_comes_up_over_simulated_time_and_is_a_real_server(world: World) -> None:
    rds = world.rds()
    began = world.now
    made = rds.create_db_instance(**asked("Made", Tags=[{"Key": "team", "Value": "shop"}]))["DBInstance"]
    assert made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in made
    seen: list[str] = []
    while not seen or seen[-1] != "available":
        world.pass_minutes(0.5)
        seen.append(status(world, "made"))
    assert list(dict.fromkeys(seen)) == ["creating", "backing-up", "available"]
    assert timedelta(minutes=9) < world.now - began < timedelta(minutes=10)
    found = described(world, "made")
    assert found["DBInstanceArn"] == f"arn:aws:rds:{REGION}:{ONE}:db:made"
    assert found["TagList"] == [{"Key": "team", "Value": "shop"}]
    assert found["DBParameterGroups"] == [
        {"DBParameterGroupName": "default.postgres17", "ParameterApplyStatus": "in-sync"}
    ]
    assert found["OptionGroupMemberships"][0]["OptionGroupName"] == "default:postgres-17"
    assert len(found["DBSubnetGroup"]["Subnets"]) == 3
    with world.connected("made") as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.execute("INSERT INTO t VALUES (1)")
        assert connection.execute("SELECT current_user, n FROM t").fetchall() == [(USER, 1)]


def test_without_retention_there_is_no_backing_up(world: World) -> None:
    world.rds().create_db_instance(**asked("plain", BackupRetentionPeriod=0))
    seen = set()
    for _ in range(14):
        world.pass_minutes(0.5)
        seen.add(status(world, "plain"))
    assert seen == {"creating", "available"}
    assert "LatestRestorableTime" not in described(world, "plain")


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"Engine": "mysql"}, "InvalidParameterValue", "MySQL"),
        ({"Engine": "oracle-ee"}, "InvalidParameterValue", "not simulated"),
        ({"Engine": "aurora-postgresql"}, "InvalidParameterCombination", "DBClusterIdentifier"),
        ({"EngineVersion": "17.99"}, "InvalidParameterCombination", "Cannot find version 17.99 for postgres"),
        ({"EngineVersion": "15.1"}, "InvalidParameterCombination", "Cannot find version 15.1 for postgres"),
        ({"MaxAllocatedStorage": 20}, "InvalidParameterCombination", "Max storage size must be greater than storage"),
        ({"EngineVersion": "9.6"}, "InvalidParameterCombination", "Cannot find version 9.6"),
        ({"DBInstanceIdentifier": "a--b"}, "InvalidParameterValue", "not a valid identifier"),
        ({"DBInstanceIdentifier": "1a"}, "InvalidParameterValue", "not a valid identifier"),
        ({"DBInstanceClass": "big"}, "InvalidParameterValue", "Invalid DB Instance class"),
        ({"AllocatedStorage": 19}, "InvalidParameterValue", "Invalid storage size"),
        ({"StorageType": "io1", "AllocatedStorage": 100}, "InvalidParameterCombination", "Iops"),
        ({"MasterUsername": "admin"}, "InvalidParameterValue", "reserved word"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue", "shorter than 8"),
        ({"MasterUserPassword": "has a space"}, "InvalidParameterValue", "printable ASCII"),
        ({"MasterUserPassword": "with@sign1"}, "InvalidParameterValue", "printable ASCII"),
        ({"MasterUserPassword": "x" * 129}, "InvalidParameterValue", "longer than 128"),
        ({"ManageMasterUserPassword": True}, "InvalidParameterCombination", "MasterUserPassword"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue", "between 0 and 35"),
        ({"PreferredBackupWindow": "10:00-10:20"}, "InvalidParameterValue", "backup window"),
        (
            {"PreferredBackupWindow": "05:00-06:00", "PreferredMaintenanceWindow": "mon:05:30-mon:06:30"},
            "InvalidParameterValue",
            "must not overlap",
        ),
        ({"DBParameterGroupName": "nowhere"}, "DBParameterGroupNotFound", "nowhere"),
        ({"OptionGroupName": "nowhere"}, "OptionGroupNotFoundFault", "nowhere"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault", "nowhere"),
        ({"VpcSecurityGroupIds": ["sg-1"]}, "InvalidParameterValue", "sg-1"),
        ({"KmsKeyId": "alias/aws/rds"}, "InvalidParameterCombination", "KMS key"),
        ({"StorageEncrypted": True, "KmsKeyId": "nowhere"}, "KMSKeyNotAccessibleFault", "nowhere"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "InvalidParameterValue", "reserved prefix"),
        ({"AvailabilityZone": f"{REGION}a", "MultiAZ": True}, "InvalidParameterCombination", "Multi-AZ"),
        ({"DBName": "1shop"}, "InvalidParameterValue", "DBName"),
        ({"DBName": "template1"}, "InvalidParameterValue", "DBName template1 cannot be used"),
        ({"DBName": "Select"}, "InvalidParameterValue", "reserved word"),
        ({"MasterUsername": "rds_superuser"}, "InvalidParameterValue", "reserved word"),
        ({"MasterUsername": "user"}, "InvalidParameterValue", "reserved word"),
    ],
)
def test_what_aws_refuses_makes_nothing(world: World, changed: dict[str, Any], code: str, words: str) -> None:
    with refused(code, words):
        world.rds().create_db_instance(**asked("refused") | changed)
    with refused("DBInstanceNotFound"):
        described(world, "refused")


def test_groups_must_be_of_the_engines_version(world: World) -> None:
    rds = world.rds()
    rds.create_db_parameter_group(DBParameterGroupName="old", DBParameterGroupFamily="postgres16", Description="16")
    with refused("InvalidParameterCombination", "postgres17"):
        rds.create_db_instance(**asked("mismatched", DBParameterGroupName="old"))
    with only_made(world, "matched"):
        wanted = asked("matched", DBParameterGroupName="old", EngineVersion="16.4")
        made = rds.create_db_instance(**wanted)["DBInstance"]
    assert (made["EngineVersion"], made["DBParameterGroups"][0]["DBParameterGroupName"]) == ("16.4", "old")


def test_storage_is_encrypted_with_the_accounts_own_key_unless_another_is_named(world: World) -> None:
    rds, key = world.rds(), world.key()
    with only_made(world, "default-key", "own-key"):
        default = rds.create_db_instance(**asked("default-key", StorageEncrypted=True))["DBInstance"]
        own = rds.create_db_instance(**asked("own-key", StorageEncrypted=True, KmsKeyId=key))["DBInstance"]
    assert default["StorageEncrypted"]
    assert default["KmsKeyId"] == world.kms().describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"]
    assert own["KmsKeyId"] == key


def test_filters_choose_and_unknown_ones_are_refused(world: World) -> None:
    rds = world.rds()
    with only_made(world, "chosen-a", "chosen-b"):
        for name in ("chosen-a", "chosen-b"):
            rds.create_db_instance(**asked(name))
        found = rds.describe_db_instances(Filters=[{"Name": "db-instance-id", "Values": ["chosen-a", "chosen-x"]}])
    assert [one["DBInstanceIdentifier"] for one in found["DBInstances"]] == ["chosen-a"]
    with refused("InvalidParameterValue", "colour"):
        rds.describe_db_instances(Filters=[{"Name": "colour", "Values": ["red"]}])


# --- Changing --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def there(world: World) -> World:
    """With an available instance ``there`` that the tests below change."""
    world.instance("there")
    return world


@pytest.mark.parametrize(
    "wrong", [{"MasterUserPassword": "short"}, {"RotateMasterUserPassword": True}, {"BackupRetentionPeriod": 36}]
)
def test_a_change_that_is_refused_changes_nothing(there: World, wrong: dict[str, Any]) -> None:
    rds, before = there.rds(), described(there, "there")
    with refused("InvalidParameterCombination" if "RotateMasterUserPassword" in wrong else "InvalidParameterValue"):
        rds.modify_db_instance(
            DBInstanceIdentifier="there", DeletionProtection=True, DBInstanceClass="db.m6g.large", **wrong
        )
    after = described(there, "there")
    assert not after["DeletionProtection"]
    assert after["PendingModifiedValues"] == before["PendingModifiedValues"] == {}


def test_the_master_password_is_changed_as_soon_as_possible(there: World) -> None:
    rds = there.rds()
    with refused("InvalidParameterValue", "shorter"):
        rds.modify_db_instance(DBInstanceIdentifier="there", MasterUserPassword="no")
    with there.connected("there") as open_session:
        answer = rds.modify_db_instance(DBInstanceIdentifier="there", MasterUserPassword="another-password")
        assert answer["DBInstance"]["PendingModifiedValues"] == {"MasterUserPassword": "****"}
        assert status(there, "there") == "resetting-master-credentials"
        there.until_available("there")
        assert open_session.execute("SELECT 1").fetchone() == (1,)
    assert connects(there, "there", "another-password")
    assert not connects(there, "there")
    rds.modify_db_instance(DBInstanceIdentifier="there", MasterUserPassword=PASSWORD)
    there.until_available("there")
    assert connects(there, "there")


def test_what_waits_for_the_maintenance_window_is_pending_until_then(there: World) -> None:
    rds = there.rds()
    rds.modify_db_instance(
        DBInstanceIdentifier="there", DBInstanceClass="db.t3.large", PreferredMaintenanceWindow="sun:12:00-sun:12:30"
    )
    there.pass_minutes(10)
    found = described(there, "there")
    assert (found["DBInstanceClass"], found["DBInstanceStatus"]) == ("db.t3.micro", "available")
    assert found["PendingModifiedValues"] == {"DBInstanceClass": "db.t3.large"}
    there.pass_minutes(7 * 24 * 60)
    found = described(there, "there")
    assert (found["DBInstanceClass"], found["PendingModifiedValues"]) == ("db.t3.large", {})


def test_a_change_that_is_to_be_immediate_takes_its_time_and_restarts_what_it_must(there: World) -> None:
    rds = there.rds()
    with there.connected("there") as session:
        rds.modify_db_instance(DBInstanceIdentifier="there", DBInstanceClass="db.t3.small", ApplyImmediately=True)
        assert status(there, "there") == "modifying"
        with refused("InvalidDBInstanceState"):
            rds.modify_db_instance(DBInstanceIdentifier="there", MultiAZ=True)
        there.until_available("there")
        assert described(there, "there")["DBInstanceClass"] == "db.t3.small"
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_storage_grows_by_a_tenth_at_least_and_never_shrinks(there: World) -> None:
    rds = there.rds()
    for gigabytes in (19, 21):
        with refused("InvalidParameterCombination" if gigabytes == 21 else "InvalidParameterValue"):
            rds.modify_db_instance(DBInstanceIdentifier="there", AllocatedStorage=gigabytes, ApplyImmediately=True)
    rds.modify_db_instance(DBInstanceIdentifier="there", AllocatedStorage=40, ApplyImmediately=True)
    there.pass_minutes(4)
    assert status(there, "there") == "storage-optimization"
    with refused("InvalidParameterCombination", "previous storage change is being optimized"):
        rds.modify_db_instance(DBInstanceIdentifier="there", AllocatedStorage=80, ApplyImmediately=True)
    assert connects(there, "there")
    there.until_available("there")
    with refused("InvalidParameterCombination", "can not be reduced"):
        rds.modify_db_instance(DBInstanceIdentifier="there", AllocatedStorage=30, ApplyImmediately=True)
    with refused("InvalidParameterCombination", "Max storage size must be greater than storage size"):
        rds.modify_db_instance(DBInstanceIdentifier="there", MaxAllocatedStorage=39)
    for most, shown in ((100, 100), (40, None)):
        rds.modify_db_instance(DBInstanceIdentifier="there", MaxAllocatedStorage=most)
        assert described(there, "there").get("MaxAllocatedStorage") == shown


def test_a_renamed_instance_has_its_rows_and_frees_its_name(world: World) -> None:
    rds = world.rds()
    world.instance("before")
    world.write("before", 7)
    with only_made(world, "before-too"):
        rds.create_db_instance(**asked("before-too"))
        with refused("DBInstanceAlreadyExists"):
            rds.modify_db_instance(DBInstanceIdentifier="before", NewDBInstanceIdentifier="before-too")
    resource = described(world, "before")["DbiResourceId"]
    rds.modify_db_instance(DBInstanceIdentifier="before", NewDBInstanceIdentifier="After", ApplyImmediately=True)
    assert status(world, "before") == "renaming"
    world.pass_minutes(3)
    with refused("DBInstanceNotFound"):
        described(world, "before")
    assert described(world, "after")["DbiResourceId"] == resource
    assert world.rows("after") == [7]
    with only_made(world, "before"):
        rds.create_db_instance(**asked("before"))


# --- Stopping, starting, rebooting -----------------------------------------------------------------------------------


def test_a_stopped_instance_lets_nobody_in_and_starts_again_with_its_rows(world: World) -> None:
    rds = world.rds()
    world.instance("stopped")
    world.write("stopped", 1)
    with world.connected("stopped") as session:
        rds.stop_db_instance(DBInstanceIdentifier="stopped")
        assert status(world, "stopped") == "stopping"
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    world.pass_minutes(5)
    assert status(world, "stopped") == "stopped"
    assert not connects(world, "stopped")
    with refused("InvalidDBInstanceState"):
        rds.reboot_db_instance(DBInstanceIdentifier="stopped")
    rds.start_db_instance(DBInstanceIdentifier="stopped")
    world.until_available("stopped")
    assert world.rows("stopped") == [1]
    with refused("InvalidDBInstanceState"):
        rds.start_db_instance(DBInstanceIdentifier="stopped")


def test_aws_starts_again_what_has_been_stopped_for_seven_days(world: World) -> None:
    world.instance("week", BackupRetentionPeriod=0)
    world.rds().stop_db_instance(DBInstanceIdentifier="week")
    world.pass_minutes(10)
    due = described(world, "week")["AutomaticRestartTime"]
    world.pass_minutes(6.9 * 24 * 60)
    assert status(world, "week") == "stopped"
    world.pass_minutes(3 * 60)
    assert status(world, "week") == "available"
    assert world.now > due
    assert connects(world, "week")


def test_a_reboot_drops_sessions_and_keeps_what_was_committed(world: World) -> None:
    world.instance("rebooted")
    world.write("rebooted", 3)
    with world.connected("rebooted") as session:
        world.rds().reboot_db_instance(DBInstanceIdentifier="rebooted")
        assert status(world, "rebooted") == "rebooting"
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert not connects(world, "rebooted")
    world.until_available("rebooted")
    assert world.rows("rebooted") == [3]
    with refused("InvalidParameterCombination", "MultiAZ"):
        world.rds().reboot_db_instance(DBInstanceIdentifier="rebooted", ForceFailover=True)


# --- Deleting --------------------------------------------------------------------------------------------------------


def test_a_deletion_says_what_becomes_of_the_rows(world: World) -> None:
    rds = world.rds()
    world.instance("deleted", DeletionProtection=True)
    with refused("InvalidParameterCombination", "Cannot delete protected DB Instance"):
        rds.delete_db_instance(DBInstanceIdentifier="deleted", SkipFinalSnapshot=True)
    rds.modify_db_instance(DBInstanceIdentifier="deleted", DeletionProtection=False)
    with refused("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required"):
        rds.delete_db_instance(DBInstanceIdentifier="deleted")
    with refused("InvalidParameterCombination", "SkipFinalSnapshot"):
        rds.delete_db_instance(DBInstanceIdentifier="deleted", SkipFinalSnapshot=True, FinalDBSnapshotIdentifier="last")
    world.write("deleted", 9)
    session = world.connected("deleted")
    with session as connection:
        answer = rds.delete_db_instance(DBInstanceIdentifier="deleted", FinalDBSnapshotIdentifier="last")
        assert answer["DBInstance"]["DBInstanceStatus"] == "deleting"
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with refused("InvalidDBInstanceState"):
        rds.delete_db_instance(DBInstanceIdentifier="deleted", SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier="deleted")
    world.until_there("last")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="deleted", DBSnapshotIdentifier="last")
    world.until_available("deleted")
    assert world.rows("deleted") == [9]


def test_one_that_is_still_being_made_can_be_deleted_and_never_comes_up(world: World) -> None:
    rds = world.rds()
    rds.create_db_instance(**asked("never"))
    rds.delete_db_instance(DBInstanceIdentifier="never", SkipFinalSnapshot=True)
    world.pass_minutes(30)
    with refused("DBInstanceNotFound"):
        described(world, "never")


# --- Parameters ------------------------------------------------------------------------------------------------------


def shown(world: World, name: str, parameter: str) -> str:
    with world.connected(name) as connection:
        return str(connection.execute(f"SHOW {parameter}").fetchone()[0])


def told(parameter: str, value: str, method: str) -> list[dict[str, str]]:
    return [{"ParameterName": parameter, "ParameterValue": value, "ApplyMethod": method}]


def test_parameters_of_the_group_reach_the_server_at_once_or_with_a_reboot(world: World) -> None:
    rds = world.rds()
    rds.create_db_parameter_group(DBParameterGroupName="tuned", DBParameterGroupFamily="postgres17", Description="x")
    rds.modify_db_parameter_group(
        DBParameterGroupName="tuned",
        Parameters=told("work_mem", "8192", "immediate") + told("max_connections", "37", "pending-reboot"),
    )
    world.instance("tuned", DBParameterGroupName="tuned")
    assert (shown(world, "tuned", "work_mem"), shown(world, "tuned", "max_connections")) == ("8MB", "37")
    rds.modify_db_parameter_group(DBParameterGroupName="tuned", Parameters=told("work_mem", "16384", "immediate"))
    assert shown(world, "tuned", "work_mem") == "16MB"
    with refused("InvalidParameterCombination", "static parameter"):
        rds.modify_db_parameter_group(
            DBParameterGroupName="tuned", Parameters=told("max_connections", "5", "immediate")
        )
    rds.modify_db_parameter_group(
        DBParameterGroupName="tuned", Parameters=told("max_connections", "41", "pending-reboot")
    )
    assert shown(world, "tuned", "max_connections") == "37"
    assert described(world, "tuned")["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    rds.reboot_db_instance(DBInstanceIdentifier="tuned")
    world.until_available("tuned")
    assert shown(world, "tuned", "max_connections") == "41"
    assert described(world, "tuned")["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    rds.reset_db_parameter_group(DBParameterGroupName="tuned", ResetAllParameters=True)
    assert shown(world, "tuned", "work_mem") == "4MB"
    assert shown(world, "tuned", "max_connections") == "41"
    rds.reboot_db_instance(DBInstanceIdentifier="tuned")
    world.until_available("tuned")
    assert shown(world, "tuned", "max_connections") != "41"
    with refused("InvalidDBParameterGroupState", "still members"):
        rds.delete_db_parameter_group(DBParameterGroupName="tuned")


def test_another_group_takes_effect_with_a_reboot(world: World) -> None:
    rds = world.rds()
    rds.create_db_parameter_group(DBParameterGroupName="other", DBParameterGroupFamily="postgres17", Description="x")
    rds.modify_db_parameter_group(DBParameterGroupName="other", Parameters=told("work_mem", "2048", "immediate"))
    world.instance("regrouped")
    rds.modify_db_instance(DBInstanceIdentifier="regrouped", DBParameterGroupName="other", ApplyImmediately=True)
    assert shown(world, "regrouped", "work_mem") == "4MB"
    assert described(world, "regrouped")["DBParameterGroups"] == [
        {"DBParameterGroupName": "other", "ParameterApplyStatus": "pending-reboot"}
    ]
    rds.reboot_db_instance(DBInstanceIdentifier="regrouped")
    world.until_available("regrouped")
    assert shown(world, "regrouped", "work_mem") == "2MB"


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        (told("listen_addresses", "*", "immediate"), "InvalidParameterValue", "cannot be modified"),
        (told("work_mem", "much", "immediate"), "InvalidParameterValue", "work_mem"),
        (told("work_mem", "1024", "soon"), "InvalidParameterValue", "apply method"),
    ],
)
def test_parameters_that_are_refused_change_nothing(
    there: World, parameters: list[dict[str, str]], code: str, words: str
) -> None:
    rds = there.rds()
    if not [
        one for one in rds.describe_db_parameter_groups()["DBParameterGroups"] if one["DBParameterGroupName"] == "bad"
    ]:
        rds.create_db_parameter_group(DBParameterGroupName="bad", DBParameterGroupFamily="postgres17", Description="x")
        rds.modify_db_instance(DBInstanceIdentifier="there", DBParameterGroupName="bad")
    with refused(code, words):
        rds.modify_db_parameter_group(DBParameterGroupName="bad", Parameters=parameters)
    assert rds.describe_db_parameters(DBParameterGroupName="bad", Source="user")["Parameters"] == []
    assert shown(there, "there", "work_mem") == "4MB"


# --- Secrets, roles, tags --------------------------------------------------------------------------------------------


def test_rds_keeps_a_password_that_it_manages_in_a_secret(world: World) -> None:
    rds, secrets = world.rds(), world.aws.session(ONE).client("secretsmanager", REGION)
    wanted = asked("managed", ManageMasterUserPassword=True)
    del wanted["MasterUserPassword"]
    rds.create_db_instance(**wanted)
    world.until_available("managed")
    arn = described(world, "managed")["MasterUserSecret"]["SecretArn"]

    def kept() -> str:
        content = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
        assert content["username"] == USER
        return str(content["password"])

    first = kept()
    assert connects(world, "managed", first)
    with refused("InvalidParameterCombination", "while RDS manages"):
        rds.modify_db_instance(DBInstanceIdentifier="managed", MasterUserPassword=PASSWORD)
    rds.modify_db_instance(DBInstanceIdentifier="managed", RotateMasterUserPassword=True, ApplyImmediately=True)
    world.until_available("managed")
    assert kept() != first
    assert connects(world, "managed", kept())
    rds.modify_db_instance(DBInstanceIdentifier="managed", ManageMasterUserPassword=False, MasterUserPassword=PASSWORD)
    world.until_available("managed")
    assert connects(world, "managed")
    assert "MasterUserSecret" not in described(world, "managed")


def test_roles_are_given_by_feature_and_taken_away(there: World) -> None:
    rds, role = there.rds(), f"arn:aws:iam::{ONE}:role/exporter"
    given = {"DBInstanceIdentifier": "there", "RoleArn": role, "FeatureName": "s3Export"}
    rds.add_role_to_db_instance(**given)
    assert described(there, "there")["AssociatedRoles"] == [
        {"RoleArn": role, "FeatureName": "s3Export", "Status": "ACTIVE"}
    ]
    with refused("DBInstanceRoleAlreadyExists"):
        rds.add_role_to_db_instance(**given)
    rds.remove_role_from_db_instance(**given)
    with refused("DBInstanceRoleNotFound"):
        rds.remove_role_from_db_instance(**given)


def test_tags_are_the_accounts_own(there: World) -> None:
    rds, arn = there.rds(), f"arn:aws:rds:{REGION}:{ONE}:db:there"
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "3"}])
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["b"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "3"}]
    for account, region in ((TWO, REGION), (ONE, OTHER)):
        with refused("InvalidParameterValue"):
            there.rds(account, region).list_tags_for_resource(ResourceName=arn)
        with refused("InvalidParameterValue"):
            there.rds(account, region).add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "x", "Value": "y"}])
    with refused("DBInstanceNotFound"):
        rds.list_tags_for_resource(ResourceName=arn + "x")
    with refused("InvalidParameterValue", "reserved prefix"):
        rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "aws:x", "Value": "y"}])
    group = rds.create_db_parameter_group(
        DBParameterGroupName="tagged",
        DBParameterGroupFamily="postgres17",
        Description="x",
        Tags=[{"Key": "team", "Value": "shop"}],
    )["DBParameterGroup"]["DBParameterGroupArn"]
    assert rds.list_tags_for_resource(ResourceName=group)["TagList"] == [{"Key": "team", "Value": "shop"}]
