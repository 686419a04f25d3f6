"""Snapshots that other accounts may restore and copy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import ONE, OTHER, REGION, THREE, TWO, World, refused


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.instance("plain")
        world.write("plain", 1)
        world.instance("default", StorageEncrypted=True)
        world.instance("own", StorageEncrypted=True, KmsKeyId=world.key())
        for name in ("plain", "default", "own"):
            world.snapshot(name, f"{name}-1", Tags=[{"Key": "team", "Value": "web"}])
        yield world


def shared(world: World, account: str, **asked: object) -> dict[str, dict[str, object]]:
    found = world.rds(account).describe_db_snapshots(**asked)["DBSnapshots"]
    return {one["DBSnapshotArn"]: one for one in found}


def test_one_that_is_shared_is_seen_and_restored_by_its_arn(world: World) -> None:
    arn = world.described("plain-1")["DBSnapshotArn"]
    theirs = world.rds(TWO)
    assert shared(world, TWO, SnapshotType="shared") == {}
    with refused("DBSnapshotNotFound"):
        theirs.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="mine", DBSnapshotIdentifier=arn)
    world.share("plain-1", TWO)
    seen = shared(world, TWO, SnapshotType="shared")[arn]
    assert seen["DBSnapshotIdentifier"] == arn
    assert seen["SnapshotType"] == "shared"
    assert seen["TagList"] == []
    assert set(shared(world, TWO, IncludeShared=True)) == {arn}
    assert set(shared(world, TWO, DBSnapshotIdentifier=arn, IncludeShared=True)) == {arn}
    assert shared(world, TWO) == shared(world, TWO, SnapshotType="manual", IncludeShared=True) == {}
    assert shared(world, THREE, IncludeShared=True) == {}
    with refused("DBSnapshotNotFound"):
        theirs.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="mine", DBSnapshotIdentifier="plain-1")
    theirs.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="mine", DBSnapshotIdentifier=arn)
    world.until_available("mine", TWO)
    assert world.rows("mine", TWO) == [1]
    world.rds().modify_db_snapshot_attribute(
        DBSnapshotIdentifier="plain-1", AttributeName="restore", ValuesToRemove=[TWO]
    )
    assert shared(world, TWO, SnapshotType="shared") == {}


def test_only_its_owner_changes_it(world: World) -> None:
    arn = world.described("plain-1")["DBSnapshotArn"]
    world.share("plain-1", TWO)
    theirs = world.rds(TWO)
    for call in (theirs.describe_db_snapshot_attributes, theirs.delete_db_snapshot):
        with refused("DBSnapshotNotFound"):
            call(DBSnapshotIdentifier=arn)
    with refused("DBSnapshotNotFound"):
        theirs.modify_db_snapshot_attribute(DBSnapshotIdentifier=arn, AttributeName="restore", ValuesToAdd=[THREE])
    with refused("DBSnapshotNotFound"):
        world.rds(ONE, OTHER).describe_db_snapshot_attributes(DBSnapshotIdentifier="plain-1")


def test_no_more_than_twenty_accounts(world: World) -> None:
    rds = world.rds()
    world.snapshot("plain", "crowd")
    world.share("crowd", *(f"{number:012}" for number in range(20)))
    with refused("SharedSnapshotQuotaExceeded"):
        world.share("crowd", TWO)
    attributes = rds.describe_db_snapshot_attributes(DBSnapshotIdentifier="crowd")["DBSnapshotAttributesResult"]
    assert len(attributes["DBSnapshotAttributes"][0]["AttributeValues"]) == 20
    with refused("InvalidParameterValue"):
        world.share("plain-1", "somebody")
    with refused("InvalidParameterValue"):
        rds.modify_db_snapshot_attribute(DBSnapshotIdentifier="plain-1", AttributeName="colour", ValuesToAdd=[TWO])


def test_a_public_one_is_everybodys(world: World) -> None:
    arn = world.snapshot("plain", "open")
    world.share("open", "all")
    assert set(shared(world, THREE, SnapshotType="public")) == {arn}
    assert set(shared(world, THREE, IncludePublic=True)) == {arn}
    assert shared(world, THREE, IncludeShared=True) == {}
    assert shared(world, THREE, SnapshotType="public")[arn]["SnapshotType"] == "public"
    world.rds().delete_db_snapshot(DBSnapshotIdentifier="open")


def test_an_encrypted_one_is_never_public_and_with_the_default_key_never_shared(world: World) -> None:
    with refused("InvalidParameterValue", "default service key for RDS"):
        world.share("default-1", TWO)
    with refused("InvalidParameterValue", "cannot be shared publicly"):
        world.share("own-1", "all")
    world.share("own-1", TWO)
    arn = world.described("own-1")["DBSnapshotArn"]
    with refused("InvalidDBSnapshotState", "copy of it first"):
        world.rds(TWO).restore_db_instance_from_db_snapshot(DBInstanceIdentifier="x", DBSnapshotIdentifier=arn)


def test_an_automated_one_is_not_shared(world: World) -> None:
    automated = world.rds().describe_db_snapshots(SnapshotType="automated", DBInstanceIdentifier="plain")
    with refused("InvalidDBSnapshotState", "Only manual snapshots"):
        world.share(automated["DBSnapshots"][0]["DBSnapshotIdentifier"], TWO)


def test_an_option_group_that_binds_stands_in_the_way(world: World) -> None:
    rds = world.rds()
    rds.create_option_group(
        OptionGroupName="binding", EngineName="postgres", MajorEngineVersion="13", OptionGroupDescription="it binds"
    )
    rds.modify_option_group(OptionGroupName="binding", OptionsToInclude=[{"OptionName": "TDE"}], ApplyImmediately=True)
    world.instance("bound", EngineVersion="13.20", OptionGroupName="binding")
    arn = world.snapshot("bound", "bound-1")
    assert world.described("bound-1")["OptionGroupName"] == "binding"
    with refused("InvalidDBSnapshotState", "[TDE]"):
        world.share("bound-1", TWO)
    with refused("InvalidParameterValue", "requires a target option group with the following options: [TDE]"):
        world.rds(ONE, OTHER).copy_db_snapshot(SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="there")
    with refused("OptionGroupNotFoundFault"):
        world.rds(ONE, OTHER).copy_db_snapshot(
            SourceDBSnapshotIdentifier=arn, TargetDBSnapshotIdentifier="there", OptionGroupName="binding"
        )
    assert (
        world.rds(ONE, REGION).copy_db_snapshot(
            SourceDBSnapshotIdentifier="bound-1", TargetDBSnapshotIdentifier="here"
        )["DBSnapshot"]["OptionGroupName"]
        == "binding"
    )
