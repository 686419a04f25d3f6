"""Aurora clusters through plain boto3 clients, and the PostgreSQL behind their endpoints through psycopg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, PASSWORD, REGION, USER, World, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS(seed=1) as aws:
        yield World(aws)


def asked(name: str, **more: Any) -> dict[str, Any]:
    return {
        "DBClusterIdentifier": name,
        "Engine": "aurora-postgresql",
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        "DatabaseName": "shop",
        **more,
    }


def member(name: str, cluster: str, **more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBClusterIdentifier": cluster,
        "DBInstanceClass": "db.r6g.large",
        "Engine": "aurora-postgresql",
        **more,
    }


def described(world: World, name: str) -> Any:
    return world.rds().describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]


def connects(world: World, name: str, password: str = PASSWORD) -> bool:
    found = described(world, name)
    try:
        with psycopg.connect(
            host=found["Endpoint"], port=found["Port"], user=USER, password=password, dbname="shop", connect_timeout=3
        ):
            return True
    except psycopg.OperationalError:
        return False


def test_a_cluster_takes_connections_only_while_a_member_is_there(world: World) -> None:
    rds = world.rds()
    made = rds.create_db_cluster(**asked("Orders"))["DBCluster"]
    assert (made["Status"], made["DBClusterMembers"]) == ("creating", [])
    rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier="orders")
    assert not connects(world, "orders")
    rds.create_db_instance(**member("orders-1", "orders"))
    world.until_available("orders-1")
    assert connects(world, "orders")
    found = described(world, "orders")
    assert found["DBClusterArn"] == f"arn:aws:rds:{REGION}:{ONE}:cluster:orders"
    assert found["DBClusterMembers"] == [
        {
            "DBInstanceIdentifier": "orders-1",
            "IsClusterWriter": True,
            "DBClusterParameterGroupStatus": "in-sync",
            "PromotionTier": 1,
        }
    ]
    writer = rds.describe_db_instances(DBInstanceIdentifier="orders-1")["DBInstances"][0]
    assert writer["Endpoint"]["Port"] == found["Port"]
    assert (writer["DBClusterIdentifier"], writer["StorageType"]) == ("orders", "aurora")
    assert found["ReaderEndpoint"] == found["Endpoint"]


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"Engine": "aurora-mysql"}, "InvalidParameterValue", "not simulated"),
        ({"Engine": "postgres"}, "InvalidParameterValue", "postgres"),
        ({"EngineMode": "serverless"}, "InvalidParameterValue", "serverless"),
        ({"BackupRetentionPeriod": 0}, "InvalidParameterValue", "between 1 and 35"),
        ({"DBClusterParameterGroupName": "nowhere"}, "DBClusterParameterGroupNotFound", "nowhere"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault", "nowhere"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue", "shorter"),
        ({"DBClusterIdentifier": "a_b"}, "InvalidParameterValue", "not a valid identifier"),
        ({"DatabaseName": "a shop"}, "InvalidParameterValue", "DatabaseName"),
        ({"DatabaseName": "template1"}, "InvalidParameterValue", "DatabaseName template1 cannot be used"),
        ({"MasterUsername": "rdsrepladmin"}, "InvalidParameterValue", "reserved word"),
    ],
)
def test_what_aws_refuses_makes_no_cluster(world: World, changed: dict[str, Any], code: str, words: str) -> None:
    with refused(code, words):
        world.rds().create_db_cluster(**asked("refused") | changed)
    with refused("DBClusterNotFoundFault"):
        described(world, "refused")


@pytest.fixture(scope="module")
def there(world: World) -> World:
    """With an available cluster ``there`` and its writer ``there-writer``."""
    world.cluster("there")
    return world


@pytest.mark.parametrize("parameter", ["MasterUserPassword", "DBName", "PreferredBackupWindow"])
def test_a_member_has_its_settings_from_its_cluster(there: World, parameter: str) -> None:
    with refused("InvalidParameterCombination", "Set "):
        there.rds().create_db_instance(**member("another", "there", **{parameter: "05:00-06:00"}))
    with refused("InvalidParameterCombination", "member of the DB cluster"):
        there.rds().modify_db_instance(DBInstanceIdentifier="there-writer", MasterUserPassword=PASSWORD)


def test_a_member_needs_a_cluster_that_is_there(there: World) -> None:
    with refused("DBClusterNotFoundFault"):
        there.rds().create_db_instance(**member("another", "nowhere"))
    with refused("DBClusterAlreadyExistsFault"):
        there.rds().create_db_cluster(**asked("there"))


def test_the_password_of_a_cluster_is_changed(there: World) -> None:
    rds = there.rds()
    for password in ("another-password", PASSWORD):
        rds.modify_db_cluster(DBClusterIdentifier="there", MasterUserPassword=password, ApplyImmediately=True)
        assert described(there, "there")["PendingModifiedValues"] == {"MasterUserPassword": "****"}
        rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier="there")
        there.pass_minutes(2)
        assert connects(there, "there", password)
        assert not connects(there, "there", password + "x")


def test_parameters_of_a_clusters_group_reach_its_server(there: World) -> None:
    rds = there.rds()
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="tuned", DBParameterGroupFamily="aurora-postgresql17", Description="x"
    )
    rds.modify_db_cluster(DBClusterIdentifier="there", DBClusterParameterGroupName="tuned")
    given = {"ParameterName": "work_mem", "ParameterValue": "8192", "ApplyMethod": "immediate"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="tuned", Parameters=[given])
    with there.connected("there") as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("8MB",)
    rds.reboot_db_instance(DBInstanceIdentifier="there-writer")
    assert not connects(there, "there")
    there.until_available("there-writer")
    assert described(there, "there")["DBClusterMembers"][0]["DBClusterParameterGroupStatus"] == "in-sync"


def test_a_renamed_cluster_keeps_members_and_rows(world: World) -> None:
    rds = world.rds()
    world.cluster("first")
    world.write("first", 5)
    rds.modify_db_cluster(DBClusterIdentifier="first", NewDBClusterIdentifier="second", ApplyImmediately=True)
    world.pass_minutes(3)
    with refused("DBClusterNotFoundFault"):
        described(world, "first")
    assert world.rows("second") == [5]
    rds.modify_db_instance(
        DBInstanceIdentifier="first-writer", NewDBInstanceIdentifier="second-writer", ApplyImmediately=True
    )
    world.pass_minutes(3)
    assert described(world, "second")["DBClusterMembers"][0]["DBInstanceIdentifier"] == "second-writer"
    assert world.rows("second") == [5]


def test_a_stopped_cluster_comes_back_with_its_members(there: World) -> None:
    rds = there.rds()
    there.write("there", 8)
    with refused("InvalidDBClusterStateFault"):
        rds.stop_db_instance(DBInstanceIdentifier="there-writer")
    rds.stop_db_cluster(DBClusterIdentifier="there")
    assert not connects(there, "there")
    there.pass_minutes(10)
    assert described(there, "there")["Status"] == "stopped"
    with refused("InvalidDBClusterStateFault"):
        rds.modify_db_cluster(DBClusterIdentifier="there", DeletionProtection=True)
    rds.start_db_cluster(DBClusterIdentifier="there")
    there.until_available("there-writer")
    assert there.rows("there") == [8]


def test_roles_and_tags_of_a_cluster(there: World) -> None:
    rds, role = there.rds(), f"arn:aws:iam::{ONE}:role/loader"
    rds.add_role_to_db_cluster(DBClusterIdentifier="there", RoleArn=role, FeatureName="s3Import")
    rds.add_tags_to_resource(
        ResourceName=f"arn:aws:rds:{REGION}:{ONE}:cluster:there", Tags=[{"Key": "team", "Value": "shop"}]
    )
    found = described(there, "there")
    assert found["AssociatedRoles"] == [{"RoleArn": role, "Status": "ACTIVE", "FeatureName": "s3Import"}]
    assert found["TagList"] == [{"Key": "team", "Value": "shop"}]
    with refused("DBClusterRoleAlreadyExists"):
        rds.add_role_to_db_cluster(DBClusterIdentifier="there", RoleArn=role)
    rds.remove_role_from_db_cluster(DBClusterIdentifier="there", RoleArn=role, FeatureName="s3Import")
    with refused("DBClusterRoleNotFound"):
        rds.remove_role_from_db_cluster(DBClusterIdentifier="there", RoleArn=role, FeatureName="s3Import")


def test_the_writer_hands_over_before_it_is_deleted(world: World) -> None:
    rds = world.rds()
    world.cluster("pair")
    rds.create_db_instance(**member("pair-reader", "pair"))
    world.until_available("pair-reader")
    world.write("pair", 4)
    with world.connected("pair") as session:
        rds.delete_db_instance(DBInstanceIdentifier="pair-writer")
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    world.pass_minutes(10)
    found = described(world, "pair")["DBClusterMembers"]
    assert [(one["DBInstanceIdentifier"], one["IsClusterWriter"]) for one in found] == [("pair-reader", True)]
    writer = rds.describe_db_instances(DBInstanceIdentifier="pair-reader")["DBInstances"][0]["Endpoint"]
    assert writer["Port"] == described(world, "pair")["Port"]
    world.write("pair", 5)
    assert world.rows("pair") == [4, 5]


def test_a_cluster_is_deleted_after_its_members_and_with_a_final_snapshot_or_without(world: World) -> None:
    rds = world.rds()
    world.cluster("gone", DeletionProtection=True)
    world.write("gone", 6)
    with refused("InvalidParameterCombination", "Cannot delete protected Cluster"):
        rds.delete_db_cluster(DBClusterIdentifier="gone", SkipFinalSnapshot=True)
    rds.modify_db_cluster(DBClusterIdentifier="gone", DeletionProtection=False)
    with refused("InvalidDBClusterStateFault", "still contains DB instances"):
        rds.delete_db_cluster(DBClusterIdentifier="gone", SkipFinalSnapshot=True)
    rds.delete_db_instance(DBInstanceIdentifier="gone-writer")
    with refused("InvalidParameterCombination", "is required"):
        rds.delete_db_cluster(DBClusterIdentifier="gone")
    rds.delete_db_cluster(DBClusterIdentifier="gone", FinalDBSnapshotIdentifier="gone-last")
    world.pass_minutes(10)
    with refused("DBClusterNotFoundFault"):
        described(world, "gone")
    rds.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier="gone-last")
    rds.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="gone", SnapshotIdentifier="gone-last", Engine="aurora-postgresql"
    )
    world.writer("gone")
    assert world.rows("gone") == [6]
