"""Sabotage of a bucket's protections: break one thing of a sound estate, and the drill must fail and name it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drills.bucket_copy import BroughtIn
from drills.model import Location, Report
from drills.plugins import load_store_kind
from drills.protections import s3_replication
from drills.simulator import SimulatedAWS
from drills.site import Site
from tests.small_bucket import TEXT, copy, replica, source
from tests.small_drill import PRODUCTION, Hook, attempt, drill, failed, production, vault

BROUGHT_IN_SECONDS, NEARLY_OVER_SECONDS = 900.0, 4_100.0
COPY, VERSIONING = "s3_replication", "s3_versioning"
ALL = ("bulk_erase", "table_deletion", "region_outage", "account_loss")


def sabotaged(
    folder: Path,
    scenario: str = "account_loss",
    *,
    early: Hook | None = None,
    late: Hook | None = None,
    at_failure: Hook | None = None,
) -> Report:
    """``early``: when all has been brought in and the workload is writing. ``late``: when it is about to end."""

    def begin(aws: SimulatedAWS) -> None:
        for hook, seconds in ((early, BROUGHT_IN_SECONDS), (late, NEARLY_OVER_SECONDS)):
            if hook is not None:
                aws.clock.call_later(seconds, partial(hook, aws))

    report, _ = drill(folder, scenario, early=begin, at_failure=at_failure, text=TEXT)
    assert report.verdict == "fail"
    return report


def test_a_sound_estate_passes_everywhere(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, ALL, text=TEXT)
    assert {one.scenario: (one.verdict, one.path) for one in report.cells} == {
        "bulk_erase": ("pass", VERSIONING),
        "table_deletion": ("pass", COPY),
        "region_outage": ("pass", COPY),
        "account_loss": ("pass", COPY),
    }
    assert report.verdict == "pass"


# --- The rule -------------------------------------------------------------------------------------------------------


def rule_changed(**changes: Any) -> Hook:
    def change(aws: SimulatedAWS) -> None:
        s3, name = source(aws)
        configuration = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]
        (rule,) = configuration["Rules"]
        s3.put_bucket_replication(
            Bucket=name, ReplicationConfiguration={"Role": configuration["Role"], "Rules": [{**rule, **changes}]}
        )

    return change


def test_a_rule_with_a_wrong_prefix(tmp_path: Path) -> None:
    found = failed(sabotaged(tmp_path, early=rule_changed(Filter={"Prefix": "invoice/"})))
    assert "invoice/" in found["copy.rule"].observed
    assert "copy.complete" in found
    assert "rpo" in found


def test_delete_markers_followed(tmp_path: Path) -> None:
    followed = rule_changed(DeleteMarkerReplication={"Status": "Enabled"})
    found = failed(sabotaged(tmp_path, "bulk_erase", early=followed))
    assert "DeleteMarkerReplication" in found["copy.rule"].observed


def test_versioning_suspended(tmp_path: Path) -> None:
    def suspend(aws: SimulatedAWS) -> None:
        s3, name = source(aws)
        # S3 refuses to suspend versioning while a rule replicates.
        s3.delete_bucket_replication(Bucket=name)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})

    found = failed(sabotaged(tmp_path, "bulk_erase", early=suspend))
    assert found["versioning.on"].observed == "Suspended"
    assert "copy.rule" in found


def test_older_objects_never_replicated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_replication, "bring_in", lambda *_, **__: BroughtIn("nothing"))
    found = failed(sabotaged(tmp_path))
    assert "copy.complete" in found
    assert "records.complete" in found


# --- Keys -----------------------------------------------------------------------------------------------------------


def kms_key(client: Any) -> str:
    return str(client.create_key()["KeyMetadata"]["Arn"])


def encrypt_by_kms(s3: Any, name: str, key: str) -> None:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = [{"ApplyServerSideEncryptionByDefault": default}]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})


def test_kms_not_opted_in(tmp_path: Path) -> None:
    def begin_to_encrypt(aws: SimulatedAWS) -> None:
        encrypt_by_kms(*source(aws), kms_key(production(aws, "kms")))

    found = failed(sabotaged(tmp_path, early=begin_to_encrypt))
    assert "KMS" in found["copy.rule"].observed
    assert {"copy.failed", "copy.complete"} & found.keys()
    assert "rpo" in found


@pytest.fixture
def encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first object on the bucket encrypts by a key of production's."""
    kind: Any = load_store_kind("s3")
    provision = kind.provision

    def provisioned(site: Site) -> Location:
        at: Location = provision(site)
        key = kms_key(site.client("kms", "production"))
        encrypt_by_kms(site.client("s3", "production"), at.name, key)
        return at

    monkeypatch.setattr(kind, "provision", provisioned, raising=False)


@pytest.mark.usefixtures("encrypted")
def test_encrypted_objects_are_copied(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, "account_loss", text=TEXT)
    assert attempt(report, COPY).verdict == "pass", failed(report)


@pytest.mark.usefixtures("encrypted")
def test_the_key_of_the_replicas_disabled(tmp_path: Path) -> None:
    def disable(aws: SimulatedAWS) -> None:
        kms = vault(aws, "kms")
        (alias,) = [one for one in kms.list_aliases()["Aliases"] if one["AliasName"].endswith("-copy")]
        kms.disable_key(KeyId=alias["TargetKeyId"])

    found = failed(sabotaged(tmp_path, early=disable))
    assert "Disabled" in found["copy.key"].observed
    assert "copy.failed" in found


# --- What the copy keeps, and who may harm it -----------------------------------------------------------------------


def expiry_of_a_day(s3: Any, name: str) -> None:
    rule = {
        "ID": "tidy",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})


def test_older_versions_expire_after_a_day(tmp_path: Path) -> None:
    found = failed(sabotaged(tmp_path, "bulk_erase", early=lambda aws: expiry_of_a_day(*source(aws))))
    assert "rule tidy after 1 days" in found["versioning.kept"].observed


def test_older_versions_of_the_copy_expire_after_a_day(tmp_path: Path) -> None:
    found = failed(sabotaged(tmp_path, early=lambda aws: expiry_of_a_day(*copy(aws))))
    assert "rule tidy after 1 days" in found["copy.kept"].observed


def test_production_may_delete_the_copy(tmp_path: Path) -> None:
    def open_it(aws: SimulatedAWS) -> None:
        s3, name = copy(aws)
        policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
        arn = f"arn:aws:s3:::{name}"
        policy["Statement"].append(
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:root"},
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
            }
        )
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))

    found = failed(sabotaged(tmp_path, early=open_it))
    assert "delete a version" in found["copy.deletable"].observed
    assert "shorten the retention" in found["copy.deletable"].observed
    assert "policy" in found["copy.protected"].observed


def test_the_lock_taken_off(tmp_path: Path) -> None:
    def unlock(aws: SimulatedAWS) -> None:
        s3, name = copy(aws)
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})

    found = failed(sabotaged(tmp_path, early=unlock))
    assert "Object Lock" in found["copy.protected"].observed


# --- What the copy holds --------------------------------------------------------------------------------------------


def truncate(aws: SimulatedAWS) -> None:
    s3, name, one = replica(aws)
    body = s3.get_object(Bucket=name, Key=one["Key"])["Body"].read()
    s3.put_object(Bucket=name, Key=one["Key"], Body=body[:7])


def test_an_object_truncated_in_the_copy(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, at_failure=truncate)
    assert "records.corrupt" in failed(report)
    assert [one.record_class for one in attempt(report, COPY).mismatches].count("corrupt") == 1


def test_an_object_truncated_in_the_copy_is_seen_before_it_is_needed(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, late=truncate)
    assert "not the source's" in failed(report)["copy.altered"].observed


def test_a_tag_lost_in_the_copy(tmp_path: Path) -> None:
    def lose(aws: SimulatedAWS) -> None:
        s3, name, one = replica(aws)
        s3.put_object_tagging(Bucket=name, Key=one["Key"], Tagging={"TagSet": []})

    report = sabotaged(tmp_path, at_failure=lose)
    assert "kind" in failed(report)["records.corrupt"].observed


def test_a_replica_deleted_from_the_copy(tmp_path: Path) -> None:
    def lose(aws: SimulatedAWS) -> None:
        s3, name, one = replica(aws)
        of = s3.head_object(Bucket=name, Key=one["Key"])["VersionId"]
        s3.delete_object(Bucket=name, Key=one["Key"], VersionId=of, BypassGovernanceRetention=True)

    report = sabotaged(tmp_path, late=lose)
    assert "gone from the copy" in failed(report)["copy.altered"].observed


def test_deletions_that_nobody_registers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_replication, "_pass", lambda *_: None)
    found = failed(sabotaged(tmp_path))
    assert "copy.deletions" in found
    assert "records.resurrected" in found


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm(tmp_path: Path, seed: int) -> None:
    report, folder = drill(tmp_path, ALL, seed=seed, records=100, text=TEXT)
    assert report.verdict == "pass", (folder, failed(report))
