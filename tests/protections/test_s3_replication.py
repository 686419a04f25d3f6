"""The copy in the vault as a recovery path: how it is made, what it follows, what comes back, who may harm it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills.bucket_copy import BucketCopy, bring_in, deploy, record_deletions, remove
from drills.bucket_copy.deletions import registered
from drills.errors import ProtectionError
from drills.model import Location, Place
from drills.protections.s3_replication import _Clients, copy_of, protection
from drills.stores.s3 import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.bucket_site import as_ledger_says, aws, bucket_site, filled, inventory, plain_client
from tests.stores.table_site import by_check, write_for_a_while

ELSEWHERE = Place("recovery", "eu-north-1")
BUCKET = """
    records:
      key: {template: "papers/{n:06d} + réçu"}
      body: {either: [{faker: {provider: text, with: {max_nb_chars: 200}}}, {const: ""}]}
      content_type: {choice: [text/plain, application/pdf]}
      metadata: {map: {city: {choice: [paris, rome]}}}
      tags: {map: {kind: {choice: [invoice, "credit note"]}}}
      storage_class: {choice: {STANDARD: 3, STANDARD_IA: 1}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with bucket_site(tmp_path / "drill", BUCKET) as site:
        yield site


@pytest.fixture
def workload(site: WorldSite) -> StoreWorkload:
    """The bucket with objects, older versions and deletions, protected."""
    workload = filled(site)
    write_for_a_while(workload, writes=10)
    protection.set_up(site, {})
    return workload


def copied(site: WorldSite) -> tuple[BucketCopy, _Clients, Any]:
    copy = copy_of(site, {})
    at = Location("vault", copy.vault_account, copy.vault_region, copy.copy_bucket)
    return copy, _Clients(site), plain_client(site, at)


def restored(site: WorldSite, workload: StoreWorkload, before: datetime | None = None) -> dict[str, bytes]:
    (point,) = protection.recovery_points(site, {}, before)
    at = protection.restore(site, {}, point, ELSEWHERE, "restored-papers")
    assert (at.role, at.region, at.account) == ("recovery", "eu-north-1", "303030303030")
    return inventory(workload, at)


def test_the_copy_is_locked_closed_and_the_vaults(site: WorldSite, workload: StoreWorkload) -> None:
    copy, _, s3 = copied(site)
    assert s3.get_bucket_versioning(Bucket=copy.copy_bucket)["Status"] == "Enabled"
    lock = s3.get_object_lock_configuration(Bucket=copy.copy_bucket)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 30}
    assert all(s3.get_public_access_block(Bucket=copy.copy_bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_location(Bucket=copy.copy_bucket)["LocationConstraint"] == "eu-central-1"
    found = by_check(protection.health(site, {}))
    assert {name for name, finding in found.items() if finding.verdict != "pass"} == set()
    assert {"copy.rule", "copy.lag", "copy.failed", "copy.complete", "copy.altered", "copy.protected"} <= found.keys()
    assert {"copy.key", "copy.deletions", "copy.kept", "copy.deletable"} <= found.keys()
    assert found["copy.complete"].records_covered > 20


def test_protecting_twice_is_as_once(site: WorldSite, workload: StoreWorkload) -> None:
    copy, _, s3 = copied(site)
    before = s3.list_object_versions(Bucket=copy.copy_bucket)["Versions"]
    protection.set_up(site, {})
    assert s3.list_object_versions(Bucket=copy.copy_bucket)["Versions"] == before
    assert not [one for one in protection.health(site, {}) if one.verdict != "pass"]


def test_what_was_there_and_what_came_is_restored_elsewhere(site: WorldSite, workload: StoreWorkload) -> None:
    write_for_a_while(workload)
    site.clock.sleep(900)
    assert restored(site, workload) == as_ledger_says(workload)


def test_all_comes_back_without_production(site: WorldSite, workload: StoreWorkload) -> None:
    write_for_a_while(workload)
    site.clock.sleep(900)
    aws(site).close_account("101010101010")
    assert restored(site, workload) == as_ledger_says(workload)


@pytest.mark.parametrize("variant", ["all", "overwrite", "versions"])
def test_damage_that_was_replicated_is_undone(site: WorldSite, workload: StoreWorkload, variant: str) -> None:
    write_for_a_while(workload)
    site.clock.sleep(660)
    expected = as_ledger_says(workload)
    failed_at = site.clock.now()
    site.failure_began(failed_at)
    kind.damage(site, workload.at, variant)
    site.clock.sleep(3600)
    assert restored(site, workload, failed_at) == expected


def test_an_emptied_and_deleted_bucket_was_not_deleted_object_by_object(
    site: WorldSite, workload: StoreWorkload
) -> None:
    site.clock.sleep(900)
    expected = as_ledger_says(workload)
    site.failure_began(site.clock.now())
    kind.destroy(site, workload.at)
    site.clock.sleep(3600)
    assert restored(site, workload) == expected


def test_a_restore_that_broke_goes_on_in_the_same_bucket(site: WorldSite, workload: StoreWorkload) -> None:
    site.clock.sleep(900)
    with aws(site).faults(reject=0.3, operations=["CopyObject"]), pytest.raises(ProtectionError, match="'papers/"):
        restored(site, workload)
    assert restored(site, workload) == as_ledger_says(workload)


def test_the_copys_policy_is_as_before_when_a_restore_is_over(site: WorldSite, workload: StoreWorkload) -> None:
    copy, _, s3 = copied(site)
    before = s3.get_bucket_policy(Bucket=copy.copy_bucket)["Policy"]
    (point,) = protection.recovery_points(site, {}, None)
    protection.restore(site, {}, point, Place("production", "eu-north-1"), "restored-papers")
    assert s3.get_bucket_policy(Bucket=copy.copy_bucket)["Policy"] == before


# --- Bringing in ----------------------------------------------------------------------------------------------------


def test_brought_in_by_a_direct_copy_where_there_are_no_jobs(site: WorldSite) -> None:
    workload = filled(site)
    site.capabilities -= {"s3.batch_replication"}
    protection.set_up(site, {})
    assert by_check(protection.health(site, {}))["copy.complete"].verdict == "pass"
    assert restored(site, workload) == as_ledger_says(workload)
    source = plain_client(site, workload.at)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        source.get_bucket_policy(Bucket=workload.at.name)


def test_a_job_that_fails_is_an_error(site: WorldSite) -> None:
    filled(site)
    copy, clients = copy_of(site, {}), _Clients(site)
    deploy(copy, clients)
    iam = site.client("iam", "production")
    other = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [other]}
    iam.update_assume_role_policy(RoleName=copy.role, PolicyDocument=json.dumps(trust))
    with pytest.raises((ProtectionError, ClientError)):
        bring_in(copy, clients, site.wait)


def test_another_replication_of_the_bucket_is_kept(site: WorldSite) -> None:
    workload = filled(site)
    copy, clients = copy_of(site, {}), _Clients(site)
    deploy(copy, clients)
    s3 = plain_client(site, workload.at)
    s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="elsewhere", VersioningConfiguration={"Status": "Enabled"})
    other = {
        "ID": "other",
        "Priority": 7,
        "Status": "Enabled",
        "Filter": {"Prefix": "x"},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": "arn:aws:s3:::elsewhere"},
    }
    configuration = {"Role": copy.role_arn, "Rules": [other]}
    s3.put_bucket_replication(Bucket=workload.at.name, ReplicationConfiguration=configuration)
    deploy(copy, clients)
    rules = s3.get_bucket_replication(Bucket=workload.at.name)["ReplicationConfiguration"]["Rules"]
    assert {rule["ID"] for rule in rules} == {"other", "drills-bucket-copy"}
    configuration = {"Role": _role(site, "theirs"), "Rules": [other]}
    s3.put_bucket_replication(Bucket=workload.at.name, ReplicationConfiguration=configuration)
    with pytest.raises(ProtectionError, match="one role for all its rules"):
        deploy(copy, clients)


def _role(site: WorldSite, name: str) -> str:
    service = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [service]}
    iam = site.client("iam", "production")
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])


# --- Deletions ------------------------------------------------------------------------------------------------------


def deletions_of(site: WorldSite) -> dict[str, int]:
    copy, clients, _ = copied(site)
    return {one.key: len(one.deletions) for one in registered(copy, clients)}


def test_deletions_are_registered_and_not_followed(site: WorldSite, workload: StoreWorkload) -> None:
    copy, _, vault = copied(site)
    source = plain_client(site, workload.at)
    key = sorted(inventory(workload))[0]
    before = deletions_of(site)
    source.delete_object(Bucket=workload.at.name, Key=key)
    site.clock.sleep(660)
    assert deletions_of(site) == {**before, key: before.get(key, 0) + 1}
    assert vault.head_object(Bucket=copy.copy_bucket, Key=key)
    # Taken back, it is no deletion any more.
    (marker,) = source.list_object_versions(Bucket=workload.at.name, Prefix=key)["DeleteMarkers"]
    source.delete_object(Bucket=workload.at.name, Key=key, VersionId=marker["VersionId"])
    site.clock.sleep(660)
    assert deletions_of(site) == before


def test_a_quiet_pass_writes_nothing(site: WorldSite, workload: StoreWorkload) -> None:
    copy, _, vault = copied(site)

    def versions() -> int:
        return len(vault.list_object_versions(Bucket=copy.copy_bucket, Prefix=".bucket-copy/")["Versions"])

    before = versions()
    site.clock.sleep(3600)
    assert versions() == before
    assert by_check(protection.health(site, {}))["copy.deletions"].verdict == "pass"


def test_an_empty_source_is_no_deletion(site: WorldSite, workload: StoreWorkload) -> None:
    copy, clients, _ = copied(site)
    before = deletions_of(site)
    kind.damage(site, workload.at, "versions")
    with pytest.raises(ProtectionError, match="holds nothing"):
        record_deletions(copy, clients, site.clock.now())
    assert deletions_of(site) == before


# --- Who may harm it ------------------------------------------------------------------------------------------------


def test_production_can_neither_delete_nor_unlock_nor_hide(site: WorldSite, workload: StoreWorkload) -> None:
    copy, _, vault = copied(site)
    production = plain_client(site, workload.at)
    one = vault.list_object_versions(Bucket=copy.copy_bucket)["Versions"][-1]
    where = {"Bucket": copy.copy_bucket, "Key": one["Key"]}
    soon = site.clock.now() + timedelta(minutes=1)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": soon}
    attempts: tuple[Callable[[], object], ...] = (
        lambda: production.delete_object(**where, VersionId=one["VersionId"], BypassGovernanceRetention=True),
        lambda: production.delete_object(**where),
        lambda: production.put_object(**where, Body=b""),
        lambda: production.put_object_retention(**where, Retention=retention, BypassGovernanceRetention=True),
        lambda: production.delete_bucket(Bucket=copy.copy_bucket),
        lambda: production.delete_bucket_policy(Bucket=copy.copy_bucket),
    )
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()


def test_a_compliance_lock_binds_the_vault_itself(site: WorldSite) -> None:
    workload = filled(site)
    options = {"lock_mode": "compliance", "lock_days": 1}
    protection.set_up(site, options)
    assert not [one for one in protection.health(site, options) if one.verdict != "pass"]
    copy, clients = copy_of(site, options), _Clients(site)
    with pytest.raises(ProtectionError, match="Locked versions"):
        remove(copy, clients)
    site.clock.sleep(2 * 86_400)
    remove(copy, clients)
    assert copy.copy_bucket not in [one["Name"] for one in site.client("s3", "vault").list_buckets()["Buckets"]]
    assert inventory(workload)


def test_removed_it_is_gone_and_the_bucket_stays(site: WorldSite, workload: StoreWorkload) -> None:
    protection.destroy(site, {})
    copy, _, s3 = copied(site)
    assert copy.copy_bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert protection.recovery_points(site, {}, None) == []
    with pytest.raises(ClientError, match="ReplicationConfigurationNotFound"):
        plain_client(site, workload.at).get_bucket_replication(Bucket=workload.at.name)
    assert inventory(workload) == as_ledger_says(workload)
    protection.destroy(site, {})


def test_as_of_is_no_later_than_what_has_come(site: WorldSite, workload: StoreWorkload) -> None:
    site.clock.sleep(900)
    (before,) = protection.recovery_points(site, {}, None)
    aws(site).region_down("eu-central-1").end()
    rule_off(site, workload)
    write_for_a_while(workload, writes=5)
    site.clock.sleep(3600)
    (after,) = protection.recovery_points(site, {}, None)
    assert after.as_of == before.as_of
    assert by_check(protection.health(site, {}))["copy.complete"].verdict == "fail"


def rule_off(site: WorldSite, workload: StoreWorkload) -> None:
    s3 = plain_client(site, workload.at)
    configuration = s3.get_bucket_replication(Bucket=workload.at.name)["ReplicationConfiguration"]
    (rule,) = configuration["Rules"]
    off = {"Role": configuration["Role"], "Rules": [{**rule, "Status": "Disabled"}]}
    s3.put_bucket_replication(Bucket=workload.at.name, ReplicationConfiguration=off)
