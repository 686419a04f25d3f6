"""Keys that are taken away from a database, and calls to keys of other accounts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.policies import allow, assumed, role
from tests.simulator.rds.databases import ONE, OTHER, REGION, TWO, World, lets, refused


@pytest.fixture
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        yield World(aws)


def status(world: World, name: str) -> str:
    found = world.rds().describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    return str(found["DBInstanceStatus"])


def test_without_its_key_a_database_is_out_of_reach_and_its_snapshots_cannot_be_restored(world: World) -> None:
    rds, kms, key = world.rds(), world.kms(), world.key()
    world.instance("sealed", StorageEncrypted=True, KmsKeyId=key)
    world.snapshot("sealed", "sealed-1")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    world.pass_minutes(10)
    assert status(world, "sealed") == "inaccessible-encryption-credentials-recoverable"
    restored = {"DBInstanceIdentifier": "x", "DBSnapshotIdentifier": "sealed-1"}
    with refused("KMSKeyNotAccessibleFault", key):
        rds.restore_db_instance_from_db_snapshot(**restored)
    with refused("KMSKeyNotAccessibleFault", key):
        rds.copy_db_snapshot(SourceDBSnapshotIdentifier="sealed-1", TargetDBSnapshotIdentifier="x")
    with refused("KMSKeyNotAccessibleFault", key):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="sealed", TargetDBInstanceIdentifier="x", UseLatestRestorableTime=True
        )
    world.pass_minutes(7 * 24 * 60 + 10)
    assert status(world, "sealed") == "inaccessible-encryption-credentials"
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=key)
    with refused("KMSKeyNotAccessibleFault"):
        rds.restore_db_instance_from_db_snapshot(**restored)


def test_a_deletion_that_is_called_off_gives_database_and_snapshots_back(world: World) -> None:
    rds, kms, key = world.rds(), world.kms(), world.key()
    world.instance("sealed", StorageEncrypted=True, KmsKeyId=key)
    world.write("sealed", 1)
    world.snapshot("sealed", "sealed-1")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    world.pass_minutes(60)
    with refused("InvalidDBInstanceState"):
        rds.start_db_instance(DBInstanceIdentifier="sealed")
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    rds.start_db_instance(DBInstanceIdentifier="sealed")
    world.until_available("sealed")
    assert world.rows("sealed") == [1]
    world.pass_minutes(8 * 24 * 60)
    assert status(world, "sealed") == "available"
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="sealed-1")
    world.until_available("again")
    assert world.rows("again") == [1]


def test_a_restore_fails_when_its_key_is_disabled_meanwhile(world: World) -> None:
    rds, key = world.rds(), world.key()
    world.instance("sealed", StorageEncrypted=True, KmsKeyId=key)
    world.snapshot("sealed", "sealed-1")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="late", DBSnapshotIdentifier="sealed-1")
    world.kms().disable_key(KeyId=key)
    world.pass_minutes(60)
    assert status(world, "late") == "failed"


def test_each_account_and_region_has_a_default_key_of_its_own(world: World) -> None:
    for account, region in ((ONE, REGION), (ONE, OTHER), (TWO, REGION)):
        world.instance("sealed", account, region, StorageEncrypted=True, BackupRetentionPeriod=0)
    keys = {
        world.rds(account, region).describe_db_instances()["DBInstances"][0]["KmsKeyId"]
        for account, region in ((ONE, REGION), (ONE, OTHER), (TWO, REGION))
    }
    assert len(keys) == 3
    for key in keys:
        region, account = key.split(":")[3:5]
        assert world.kms(account, region).describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] == "AWS"


def test_a_key_of_another_account_is_described_and_granted_as_its_policy_says(world: World) -> None:
    shared, private, theirs = world.key(two=lets(TWO)), world.key(), world.kms(TWO)
    assert theirs.describe_key(KeyId=shared)["KeyMetadata"]["Arn"] == shared
    principal = f"arn:aws:iam::{TWO}:role/copier"
    made = theirs.create_grant(KeyId=shared, GranteePrincipal=principal, Operations=["Decrypt"])
    assert [one["GrantId"] for one in world.kms().list_grants(KeyId=shared)["Grants"]] == [made["GrantId"]]
    with refused("AccessDeniedException"):
        theirs.describe_key(KeyId=private)
    without = assumed(world.aws.session(TWO), role(world.aws, "without", allow("s3:*"), account=TWO))
    with refused("AccessDeniedException"):
        without.client("kms", REGION).describe_key(KeyId=shared)
