"""Who may do what to databases, through plain boto3 clients: actions on what a call names, and tags as conditions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.policies import allow, as_role, code_of, deny, message_of
from tests.simulator.rds.databases import ONE, PASSWORD, REGION, USER, World

numbers = itertools.count()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS(seed=1) as aws:
        world = World(aws)
        rds = world.rds()
        for name, team in (("ours", "shop"), ("theirs", "other")):
            rds.create_db_instance(**asked(name, Tags=[{"Key": "team", "Value": team}]))
        rds.create_db_cluster(
            DBClusterIdentifier="orders",
            Engine="aurora-postgresql",
            MasterUsername=USER,
            MasterUserPassword=PASSWORD,
        )
        rds.create_db_parameter_group(
            DBParameterGroupName="tuned",
            DBParameterGroupFamily="postgres17",
            Description="x",
            Tags=[{"Key": "team", "Value": "shop"}],
        )
        yield world


def asked(name: str, **more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        "BackupRetentionPeriod": 0,
        **more,
    }


def arn(kind: str, name: str) -> str:
    return f"arn:aws:rds:{REGION}:{ONE}:{kind}:{name}"


def allowed(world: World, *statements: Any) -> Any:
    """An RDS client of a new role with these statements."""
    return as_role(world.aws, *statements, name=f"role-{next(numbers)}").client("rds")


def denied(call: Any, **given: Any) -> bool:
    return code_of(call, **given) == "AccessDenied"


def test_an_action_is_judged_on_the_instance_that_it_names(world: World) -> None:
    rds = allowed(world, allow("rds:DescribeDBInstances", arn("db", "ours")))
    assert rds.describe_db_instances(DBInstanceIdentifier="OURS")["DBInstances"]
    assert rds.describe_db_instances(DBInstanceIdentifier=arn("db", "ours"))["DBInstances"]
    assert denied(rds.describe_db_instances, DBInstanceIdentifier="theirs")
    said = message_of(rds.describe_db_instances)
    assert f"perform: rds:DescribeDBInstances on resource: {arn('db', '*')} " in said


NAMED: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("create_db_instance", asked("new"), [("rds:CreateDBInstance", arn("db", "new"))]),
    (
        "create_db_instance",
        asked("new", DBParameterGroupName="tuned", Tags=[{"Key": "a", "Value": "b"}]),
        [
            ("rds:CreateDBInstance", arn("db", "new")),
            ("rds:CreateDBInstance", arn("pg", "tuned")),
            ("rds:AddTagsToResource", arn("db", "new")),
        ],
    ),
    (
        "create_db_snapshot",
        {"DBInstanceIdentifier": "ours", "DBSnapshotIdentifier": "now", "Tags": [{"Key": "a", "Value": "b"}]},
        [
            ("rds:CreateDBSnapshot", arn("db", "ours")),
            ("rds:CreateDBSnapshot", arn("snapshot", "now")),
            ("rds:AddTagsToResource", arn("snapshot", "now")),
        ],
    ),
    (
        "copy_db_snapshot",
        {"SourceDBSnapshotIdentifier": arn("snapshot", "now"), "TargetDBSnapshotIdentifier": "copy"},
        [("rds:CopyDBSnapshot", arn("snapshot", "now")), ("rds:CopyDBSnapshot", arn("snapshot", "copy"))],
    ),
    (
        "delete_db_instance",
        {"DBInstanceIdentifier": "nowhere", "FinalDBSnapshotIdentifier": "last"},
        [
            ("rds:DeleteDBInstance", arn("db", "nowhere")),
            ("rds:CreateDBSnapshot", arn("db", "nowhere")),
            ("rds:CreateDBSnapshot", arn("snapshot", "last")),
        ],
    ),
    (
        "restore_db_instance_from_db_snapshot",
        {"DBInstanceIdentifier": "again", "DBSnapshotIdentifier": "nowhere", "DBSubnetGroupName": "inner"},
        [
            ("rds:RestoreDBInstanceFromDBSnapshot", arn("db", "again")),
            ("rds:RestoreDBInstanceFromDBSnapshot", arn("snapshot", "nowhere")),
            ("rds:RestoreDBInstanceFromDBSnapshot", arn("subgrp", "inner")),
        ],
    ),
    (
        "restore_db_instance_to_point_in_time",
        {"SourceDBInstanceIdentifier": "nowhere", "TargetDBInstanceIdentifier": "again"},
        [
            ("rds:RestoreDBInstanceToPointInTime", arn("db", "nowhere")),
            ("rds:RestoreDBInstanceToPointInTime", arn("db", "again")),
        ],
    ),
    (
        "create_db_cluster_snapshot",
        {"DBClusterIdentifier": "nowhere", "DBClusterSnapshotIdentifier": "now"},
        [
            ("rds:CreateDBClusterSnapshot", arn("cluster", "nowhere")),
            ("rds:CreateDBClusterSnapshot", arn("cluster-snapshot", "now")),
        ],
    ),
    (
        "delete_db_instance_automated_backup",
        {"DbiResourceId": "db-ABC"},
        [("rds:DeleteDBInstanceAutomatedBackup", arn("auto-backup", "*"))],
    ),
    (
        "delete_global_cluster",
        {"GlobalClusterIdentifier": "world"},
        [("rds:DeleteGlobalCluster", f"arn:aws:rds::{ONE}:global-cluster:world")],
    ),
    ("delete_option_group", {"OptionGroupName": "opts"}, [("rds:DeleteOptionGroup", arn("og", "opts"))]),
    (
        "list_tags_for_resource",
        {"ResourceName": arn("cluster", "nowhere")},
        [("rds:ListTagsForResource", arn("cluster", "nowhere"))],
    ),
    (
        "add_role_to_db_instance",
        {"DBInstanceIdentifier": "nowhere", "RoleArn": f"arn:aws:iam::{ONE}:role/loader", "FeatureName": "s3Import"},
        [
            ("rds:AddRoleToDBInstance", arn("db", "nowhere")),
            ("iam:PassRole", f"arn:aws:iam::{ONE}:role/loader"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("operation", "given", "needed"), NAMED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_call_needs_its_action_on_all_that_it_names_and_nothing_else(
    world: World, operation: str, given: dict[str, Any], needed: list[tuple[str, str]]
) -> None:
    statements = [allow(name, resource) for name, resource in needed]
    for left_out in range(len(statements)):
        rest = [one for number, one in enumerate(statements) if number != left_out]
        rds = allowed(world, *rest, allow("sts:GetCallerIdentity"))
        assert denied(getattr(rds, operation), **given), needed[left_out]
    rds = allowed(world, *statements)
    # What is named may not be there; who may do it is told so.
    assert code_of(getattr(rds, operation), **given) != "AccessDenied"


def test_tags_of_the_resource_decide(world: World) -> None:
    for key in ("aws:ResourceTag/team", "rds:db-tag/team"):
        rds = allowed(world, allow("rds:*", "*", {"StringEquals": {key: "shop"}}))
        assert rds.list_tags_for_resource(ResourceName=arn("db", "ours"))["TagList"]
        assert denied(rds.list_tags_for_resource, ResourceName=arn("db", "theirs"))
        assert denied(rds.list_tags_for_resource, ResourceName=arn("cluster", "orders"))
    rds = allowed(world, allow("rds:*", "*", {"StringEquals": {"rds:pg-tag/team": "shop"}}))
    assert rds.list_tags_for_resource(ResourceName=arn("pg", "tuned"))["TagList"]


def test_a_deny_by_a_tag_that_is_not_there_does_not_hold(world: World) -> None:
    rds = allowed(
        world, allow("rds:*"), deny("rds:Describe*", "*", {"StringEquals": {"aws:ResourceTag/locked": "true"}})
    )
    assert rds.describe_db_instances(DBInstanceIdentifier="ours")["DBInstances"]
    world.rds().add_tags_to_resource(ResourceName=arn("db", "ours"), Tags=[{"Key": "locked", "Value": "true"}])
    assert denied(rds.describe_db_instances, DBInstanceIdentifier="ours")


@pytest.mark.parametrize("key", ["aws:RequestTag/team", "rds:req-tag/team"])
def test_tags_that_a_call_gives_decide(world: World, key: str) -> None:
    rds = allowed(world, allow("rds:AddTagsToResource", "*", {"StringEquals": {key: "shop"}}))
    rds.add_tags_to_resource(ResourceName=arn("cluster", "orders"), Tags=[{"Key": "team", "Value": "shop"}])
    for given in ({"Key": "team", "Value": "other"}, {"Key": "colour", "Value": "shop"}):
        assert denied(rds.add_tags_to_resource, ResourceName=arn("cluster", "orders"), Tags=[given])


def test_tags_that_may_not_be_removed_stay(world: World) -> None:
    only = {"ForAllValues:StringEquals": {"aws:TagKeys": ["colour"]}}
    rds = allowed(world, allow("rds:RemoveTagsFromResource", "*", only))
    rds.remove_tags_from_resource(ResourceName=arn("db", "theirs"), TagKeys=["colour"])
    assert denied(rds.remove_tags_from_resource, ResourceName=arn("db", "theirs"), TagKeys=["colour", "team"])


def test_settings_that_a_call_gives_decide(world: World) -> None:
    rds = allowed(world, allow("rds:CreateDBInstance", "*", {"StringEquals": {"rds:DatabaseClass": "db.t3.micro"}}))
    rds.create_db_instance(**asked("small"))
    assert denied(rds.create_db_instance, **asked("big", DBInstanceClass="db.r6g.large"))
