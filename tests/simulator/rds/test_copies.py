"""Copies of snapshots: into another region or account, with which keys, how many at once, and how they fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from drills.simulator import SimulatedAWS
from drills.simulator.rds.state import databases
from tests.simulator.policies import allow, assumed, role
from tests.simulator.rds.databases import ONE, OTHER, REGION, TWO, World, lets, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.instance("plain")
        world.write("plain", 1)
        world.instance("default", StorageEncrypted=True)
        key = world.key(two=lets(TWO))
        world.instance("own", StorageEncrypted=True, KmsKeyId=key)
        world.write("own", 2)
        for name in ("plain", "default", "own"):
            world.snapshot(name, f"{name}-1", Tags=[{"Key": "team", "Value": "web"}])
        world.share("plain-1", TWO)
        world.share("own-1", TWO)
        yield world


def copy(world: World, source: str, target: str, account: str = ONE, region: str = REGION, **more: Any) -> Any:
    return world.rds(account, region).copy_db_snapshot(
        SourceDBSnapshotIdentifier=source, TargetDBSnapshotIdentifier=target, **more
    )["DBSnapshot"]


def arn_of(world: World, name: str) -> str:
    return str(world.described(name)["DBSnapshotArn"])


def tags(snapshot: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in snapshot["TagList"]}


def test_into_another_region(world: World) -> None:
    source = world.described("plain-1")
    made = copy(world, source["DBSnapshotArn"], "far", region=OTHER, CopyTags=True, SourceRegion=REGION)
    assert made["Status"] == "creating"
    assert made["OriginalSnapshotCreateTime"] == source["SnapshotCreateTime"]
    assert made["SnapshotCreateTime"] == world.now > source["SnapshotCreateTime"]
    assert made["SourceDBSnapshotIdentifier"] == source["DBSnapshotArn"]
    assert made["SourceRegion"] == REGION
    assert tags(made) == {"team": "web"}
    world.until_there("far", ONE, OTHER)
    world.rds().delete_db_snapshot(DBSnapshotIdentifier=copy(world, "plain-1", "gone")["DBSnapshotIdentifier"])
    far = world.rds(ONE, OTHER)
    far.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="plain", DBSnapshotIdentifier="far")
    world.until_available("plain", ONE, OTHER)
    assert world.rows("plain", ONE, OTHER) == [1]


def test_of_an_automated_one_is_a_manual_one(world: World) -> None:
    rds = world.rds()
    automated = rds.describe_db_snapshots(SnapshotType="automated", DBInstanceIdentifier="plain")["DBSnapshots"][0]
    made = copy(world, automated["DBSnapshotIdentifier"], "by-hand", Tags=[{"Key": "kept", "Value": "yes"}])
    assert made["SnapshotType"] == "manual"
    assert "SourceDBSnapshotIdentifier" not in made
    assert tags(made) == {"kept": "yes"}
    world.until_there("by-hand")
    world.share("by-hand", TWO)


def test_into_another_account_its_tags_stay_behind(world: World) -> None:
    source = arn_of(world, "plain-1")
    made = copy(world, source, "theirs", TWO, CopyTags=True, Tags=[{"Key": "vault", "Value": "yes"}])
    assert tags(made) == {"vault": "yes"}
    assert made["SourceDBSnapshotIdentifier"] == source
    world.until_there("theirs", TWO)
    one_step = copy(world, source, "theirs", TWO, OTHER)
    assert one_step["DBSnapshotArn"].startswith(f"arn:aws:rds:{OTHER}:{TWO}:")
    with refused("DBSnapshotNotFound"):
        copy(world, arn_of(world, "default-1"), "stolen", TWO)


def test_a_shared_one_that_is_encrypted_is_copied_in_its_own_region_first(world: World) -> None:
    source = arn_of(world, "own-1")
    with refused("InvalidParameterValue", "can be copied in its own region only"):
        copy(world, source, "theirs-far", TWO, OTHER, KmsKeyId="alias/aws/rds")
    copy(world, source, "theirs-near", TWO, REGION, KmsKeyId="alias/aws/rds")
    world.until_there("theirs-near", TWO)
    near = f"arn:aws:rds:{REGION}:{TWO}:snapshot:theirs-near"
    copy(world, near, "theirs-far", TWO, OTHER, KmsKeyId="alias/aws/rds")
    world.until_there("theirs-far", TWO, OTHER)


def test_an_encrypted_one_goes_to_another_region_with_a_key_of_there(world: World) -> None:
    source, near = arn_of(world, "own-1"), world.key()
    with refused("InvalidParameterValue", "Must specify new KMS key for cross region encrypted snapshot copy."):
        copy(world, source, "keyed", region=OTHER)
    with refused("KMSKeyNotAccessibleFault", f"The target KMS key [{near}]"):
        copy(world, source, "keyed", region=OTHER, KmsKeyId=near)
    far = world.key(ONE, OTHER)
    assert copy(world, source, "keyed", region=OTHER, KmsKeyId=far)["KmsKeyId"] == far
    default = copy(world, source, "defaulted", region=OTHER, KmsKeyId="alias/aws/rds")
    listed = world.kms(ONE, OTHER).list_aliases()["Aliases"]
    key_ids = {one["AliasName"]: one.get("TargetKeyId") for one in listed}
    assert default["KmsKeyId"].endswith(str(key_ids["alias/aws/rds"]))


def test_one_without_encryption_is_encrypted_by_its_copy(world: World) -> None:
    key = world.key()
    made = copy(world, "plain-1", "locked", KmsKeyId=key)
    assert (made["Encrypted"], made["KmsKeyId"]) == (True, key)
    assert copy(world, "own-1", "same-key")["KmsKeyId"] == world.described("own-1")["KmsKeyId"]


def test_a_shared_encrypted_one_is_copied_with_a_key_of_the_receivers(world: World) -> None:
    source, mine = arn_of(world, "own-1"), world.key(TWO)
    with refused("KMSKeyNotAccessibleFault", "The target KMS key [None]"):
        copy(world, source, "received", TWO)
    assert copy(world, source, "received", TWO, KmsKeyId=mine)["KmsKeyId"] == mine
    world.until_there("received", TWO)
    rds = world.rds(TWO)
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="received", DBSnapshotIdentifier="received")
    world.until_available("received", TWO)
    assert world.rows("received", TWO) == [2]


POLICIES = {
    "nothing for the other account": {},
    "no grants": {"two": lets(TWO, "kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey*")},
    "an explicit deny": {"two": lets(TWO), "deny": lets(TWO, "kms:CreateGrant", effect="Deny")},
    "only by way of another service": {
        "two": {**lets(TWO), "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}}
    },
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_key_whose_policy_does_not_let_the_receiver(world: World, policy: dict[str, Any]) -> None:
    key = world.key(**policy)
    name = f"kept-{list(POLICIES.values()).index(policy)}"
    copy(world, "own-1", name, KmsKeyId=key)
    world.until_there(name)
    world.share(name, TWO)
    with refused("KMSKeyNotAccessibleFault", f"The source snapshot KMS key [{key}] does not exist, is not enabled or"):
        copy(world, arn_of(world, name), name, TWO, KmsKeyId=world.key(TWO))


def test_a_key_that_is_let_by_way_of_rds(world: World) -> None:
    condition = {"StringEquals": {"kms:ViaService": "rds.eu-west-1.amazonaws.com"}}
    key = world.key(two={**lets(TWO), "Condition": condition})
    copy(world, "own-1", "by-way", KmsKeyId=key)
    world.until_there("by-way")
    world.share("by-way", TWO)
    copy(world, arn_of(world, "by-way"), "by-way", TWO, KmsKeyId=world.key(TWO))


def test_the_receivers_role_needs_the_source_key_as_well(world: World) -> None:
    """Across accounts both sides have to let it."""
    rds = allow(["rds:CopyDBSnapshot", "rds:AddTagsToResource"])
    mine = world.key(TWO)
    own_key = allow("kms:*", mine)
    without = role(world.aws, "without", rds, own_key, account=TWO)
    whole = role(world.aws, "whole", rds, allow("kms:*"), account=TWO)
    source = arn_of(world, "own-1")
    for role_arn, name in ((without, "by-role-1"), (whole, "by-role-2")):
        client = assumed(world.aws.session(TWO), role_arn).client("rds", REGION)
        asked = {"SourceDBSnapshotIdentifier": source, "TargetDBSnapshotIdentifier": name, "KmsKeyId": mine}
        if role_arn == without:
            with refused("KMSKeyNotAccessibleFault", "The source snapshot KMS key"):
                client.copy_db_snapshot(**asked)
        else:
            client.copy_db_snapshot(**asked)


@pytest.mark.parametrize("grantee", ["role", "account"])
def test_a_grant_does_as_well_as_a_policy(world: World, grantee: str) -> None:
    key, mine, name = world.key(), world.key(TWO), f"granted-{grantee}"
    copier = role(world.aws, name, allow("rds:*"), allow("kms:*"), account=TWO)
    copy(world, "plain-1", name, KmsKeyId=key)
    world.until_there(name)
    world.share(name, TWO)
    asked = {"SourceDBSnapshotIdentifier": arn_of(world, name), "TargetDBSnapshotIdentifier": name, "KmsKeyId": mine}
    client = assumed(world.aws.session(TWO), copier).client("rds", REGION)
    with refused("KMSKeyNotAccessibleFault", "The source snapshot KMS key"):
        client.copy_db_snapshot(**asked)
    world.kms().create_grant(
        KeyId=key,
        GranteePrincipal=copier if grantee == "role" else f"arn:aws:iam::{TWO}:root",
        Operations=["DescribeKey", "CreateGrant", "Decrypt"],
    )
    assert client.copy_db_snapshot(**asked)["DBSnapshot"]["KmsKeyId"] == mine


def test_what_the_default_key_locks_in_leaves_by_a_copy_with_a_customers_key(world: World) -> None:
    world.write("default", 5)
    world.snapshot("default", "locked-in")
    made = copy(world, "locked-in", "way-out", KmsKeyId=world.key(two=lets(TWO)))
    world.until_there("way-out")
    world.share("way-out", TWO)
    copy(world, made["DBSnapshotArn"], "way-out", TWO, KmsKeyId=world.key(TWO))
    world.until_there("way-out", TWO)
    world.rds(TWO).restore_db_instance_from_db_snapshot(DBInstanceIdentifier="out", DBSnapshotIdentifier="way-out")
    world.until_available("out", TWO)
    assert world.rows("out", TWO) == [5]


def test_copies_of_one_database_wait_for_one_another(world: World) -> None:
    for number in range(3):
        copy(world, "default-1", f"queued-{number}")
    first, second, third = (world.described(f"queued-{number}") for number in range(3))
    assert [first["Status"], second["Status"], third["Status"]] == ["creating", "pending", "pending"]
    world.pass_minutes(2)
    assert world.described("queued-0")["PercentProgress"] > 0
    assert world.described("queued-1")["PercentProgress"] == 0
    world.until_there("queued-0")
    assert world.described("queued-1")["Status"] == "creating"
    world.until_there("queued-2")


def test_twenty_at_once_into_one_region(world: World) -> None:
    source = arn_of(world, "plain-1")
    region = "eu-north-1"
    for number in range(20):
        copy(world, source, f"one-of-many-{number}", region=region)
    with refused("SnapshotQuotaExceeded", "Cannot copy more than 20 snapshots"):
        copy(world, source, "one-too-many", region=region)
    copy(world, source, "elsewhere", region="eu-west-3")
    copy(world, source, "other-account", TWO, region)
    world.until_there("one-of-many-0", ONE, region)
    copy(world, source, "one-more", region=region)


def test_a_copy_fails_when_its_key_is_disabled_meanwhile(world: World) -> None:
    key = world.key()
    key_id = key.rpartition("/")[2]
    copy(world, "plain-1", "unlucky", KmsKeyId=key)
    world.kms().disable_key(KeyId=key_id)
    world.pass_minutes(60)
    assert world.described("unlucky")["Status"] == "failed"
    with refused("InvalidDBSnapshotState", "is not in the available state"):
        world.rds().restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier="unlucky")
    with refused("DBSnapshotAlreadyExists"):
        copy(world, "plain-1", "unlucky")
    world.rds().delete_db_snapshot(DBSnapshotIdentifier="unlucky")
    copy(world, "plain-1", "unlucky")


def test_a_copy_fails_when_the_grant_is_revoked_or_the_source_deleted(world: World) -> None:
    key = world.key()
    world.pass_minutes(60)
    copy(world, "plain-1", "revoked", KmsKeyId=key)
    kms = world.kms()
    grants = kms.list_grants(KeyId=key)["Grants"]
    assert [one["GranteePrincipal"] for one in grants] == [f"rds.{REGION}.amazonaws.com"]
    kms.revoke_grant(KeyId=key, GrantId=grants[0]["GrantId"])
    world.pass_minutes(60)
    assert world.described("revoked")["Status"] == "failed"
    world.snapshot("plain", "brief")
    copy(world, "brief", "orphan")
    world.rds().delete_db_snapshot(DBSnapshotIdentifier="brief")
    world.pass_minutes(60)
    assert world.described("orphan")["Status"] == "failed"
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_copy_that_fails_for_no_reason_a_caller_sees(world: World) -> None:
    failing = databases().failing_copies
    failing.append(lambda snapshot: snapshot.identifier == "jinxed")
    copy(world, "plain-1", "jinxed")
    copy(world, "plain-1", "blessed")
    world.until_there("blessed")
    assert world.described("jinxed")["Status"] == "failed"
    failing.clear()


def test_a_copy_is_called_off_by_deleting_it(world: World) -> None:
    copy(world, "plain-1", "called-off")
    copy(world, "plain-1", "next")
    assert world.rds().delete_db_snapshot(DBSnapshotIdentifier="called-off")["DBSnapshot"]["Status"] == "deleted"
    world.until_there("next")
    with refused("DBSnapshotNotFound"):
        world.described("called-off")


def test_an_outage_holds_a_copy_out_of_the_region(world: World) -> None:
    source = arn_of(world, "plain-1")
    copy(world, source, "held-up", region=OTHER)
    with world.aws.region_down(REGION):
        world.pass_minutes(120)
        assert world.described("held-up", ONE, OTHER)["Status"] == "creating"
        with refused("InternalFailure"):
            copy(world, source, "not-begun", region=OTHER)
    world.until_there("held-up", ONE, OTHER)


def test_a_copy_within_a_region_does_not_wait_for_one_out_of_a_lost_region(world: World) -> None:
    copy(world, arn_of(world, "plain-1"), "far-before", region=OTHER)
    world.until_there("far-before", ONE, OTHER)
    copy(world, arn_of(world, "plain-1"), "far-held", region=OTHER)
    with world.aws.region_down(REGION):
        copy(world, "far-before", "far-again", region=OTHER)
        world.until_there("far-again", ONE, OTHER)
        assert world.described("far-held", ONE, OTHER)["Status"] == "creating"


def test_of_a_cluster(world: World) -> None:
    world.cluster("orders", StorageEncrypted=True, KmsKeyId=world.key(two=lets(TWO)))
    world.write("orders", 3)
    source = world.cluster_snapshot("orders", "orders-1")
    rds, theirs = world.rds(), world.rds(TWO)
    rds.modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="orders-1", AttributeName="restore", ValuesToAdd=[TWO]
    )
    made = theirs.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=source,
        TargetDBClusterSnapshotIdentifier="orders-1",
        KmsKeyId=world.key(TWO),
    )["DBClusterSnapshot"]
    assert made["Status"] == "copying"
    assert made["SourceDBClusterSnapshotArn"] == source
    theirs.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier="orders-1")
    theirs.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="orders", SnapshotIdentifier="orders-1", Engine="aurora-postgresql"
    )
    world.writer("orders", TWO)
    assert world.rows("orders", TWO) == [3]
    world.cluster("clear")
    world.cluster_snapshot("clear", "clear-1")
    with refused("InvalidParameterCombination"):
        rds.copy_db_cluster_snapshot(
            SourceDBClusterSnapshotIdentifier="clear-1", TargetDBClusterSnapshotIdentifier="x", KmsKeyId=world.key()
        )
