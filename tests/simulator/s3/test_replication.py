"""Replication between buckets, through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, TWO, allow, as_role, code_of, document
from tests.simulator.s3.replicating import (
    HERE,
    LAG_SECONDS,
    READING,
    THERE,
    WRITING,
    Replicated,
    contents,
    make,
    v1,
    v2,
)

pytestmark = pytest.mark.simulated_aws

DAY = 86_400.0


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        yield aws


# --- What is replicated ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("to", "region"), [(ONE, HERE), (ONE, THERE), (TWO, HERE), (TWO, THERE)])
def test_an_object_arrives_after_the_lag_as_it_is(aws: SimulatedAWS, to: str, region: str) -> None:
    pair = Replicated(aws, to=to, region=region)
    version = pair.put(
        "a/ü +b", b"content", Metadata={"m": "1"}, Tagging="k=v&l=w", ContentType="text/plain", CacheControl="no-cache"
    )
    assert pair.status("a/ü +b") == "PENDING"
    assert pair.keys_there() == set()
    pair.later()
    assert pair.status("a/ü +b") == "COMPLETED"
    there = pair.target.get_object(Bucket="there", Key="a/ü +b", VersionId=version)
    here = pair.source.get_object(Bucket="here", Key="a/ü +b", VersionId=version)
    assert there["ReplicationStatus"] == "REPLICA"
    assert there["Body"].read() == here["Body"].read() == b"content"
    for name in ("Metadata", "ContentType", "CacheControl", "ETag", "LastModified", "VersionId", "TagCount"):
        assert there[name] == here[name], name
    tags = pair.target.get_object_tagging(Bucket="there", Key="a/ü +b")["TagSet"]
    assert sorted(tag["Key"] for tag in tags) == ["k", "l"]


def test_plain_moto_replicates_nothing_and_takes_any_destination() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="here")
        s3.put_bucket_versioning(Bucket="here", VersioningConfiguration={"Status": "Enabled"})
        given: Any = {"Role": "arn:any", "Rules": [v2(markers="Enabled", bucket="nowhere")]}
        s3.put_bucket_replication(Bucket="here", ReplicationConfiguration=given)
        s3.put_object(Bucket="here", Key="a", Body=b"x")
        assert "ReplicationStatus" not in s3.head_object(Bucket="here", Key="a")
        read = s3.get_bucket_replication(Bucket="here")["ReplicationConfiguration"]["Rules"][0]
        assert read["DeleteMarkerReplication"] == {"Status": "Disabled"}


def test_the_configuration_reads_as_it_was_put(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=None)
    minutes = {"Minutes": 15}
    rules = [
        v2(
            markers="Enabled",
            destination={
                "Account": TWO,
                "AccessControlTranslation": {"Owner": "Destination"},
                "StorageClass": "STANDARD_IA",
                "ReplicationTime": {"Status": "Enabled", "Time": minutes},
                "Metrics": {"Status": "Enabled", "EventThreshold": minutes},
            },
            SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}},
        ),
        v2(priority=2, choose={"And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}]}}),
    ]
    pair.put_rules(*rules)
    read = pair.source.get_bucket_replication(Bucket="here")["ReplicationConfiguration"]
    assert read == {"Role": pair.role, "Rules": rules}
    pair.source.delete_bucket_replication(Bucket="here")
    assert code_of(pair.source.get_bucket_replication, Bucket="here") == "ReplicationConfigurationNotFoundError"
    pair.put("a")
    pair.later()
    assert pair.keys_there() == set()


def test_overwritten_and_copied_and_uploaded_in_parts(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    versions = [pair.put("a", b"1"), pair.put("a", b"2")]
    pair.source.copy_object(Bucket="here", Key="copied", CopySource="here/a")
    upload = pair.source.create_multipart_upload(Bucket="here", Key="parts", Metadata={"m": "1"})["UploadId"]
    part: Any = {"Bucket": "here", "Key": "parts", "UploadId": upload}
    bodies = [b"p" * (5 << 20), b"q"]
    tags = [
        pair.source.upload_part(**part, PartNumber=number, Body=body)["ETag"] for number, body in enumerate(bodies, 1)
    ]
    done = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    pair.source.complete_multipart_upload(**part, MultipartUpload={"Parts": done})
    pair.later()
    assert [version for version, _ in pair.there()["a"]] == versions[::-1]
    assert contents(pair.source, "here") == pair.there()
    assert pair.target.get_object(Bucket="there", Key="parts")["Body"].read() == b"".join(bodies)
    second = pair.target.get_object(Bucket="there", Key="parts", PartNumber=2)
    assert second["Body"].read() == b"q"
    assert second["PartsCount"] == 2


def test_only_what_is_written_after_the_rule(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=None)
    pair.put("older")
    pair.put_rules(v2())
    pair.put("newer")
    pair.later(DAY)
    assert pair.keys_there() == {"newer"}
    assert pair.status("older") is None


def test_the_storage_class_of_the_destination(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=[v2(destination={"StorageClass": "GLACIER_IR"})])
    pair.put("a", StorageClass="STANDARD_IA")
    pair.put("archived", StorageClass="DEEP_ARCHIVE")
    pair.later()
    assert pair.target.head_object(Bucket="there", Key="a")["StorageClass"] == "GLACIER_IR"
    assert pair.keys_there() == {"a"}, "what lies in an archive is not replicated"
    assert pair.status("archived") is None


def test_what_changes_of_an_object_follows_it(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    pair.put("a", Tagging="k=old")
    pair.later()
    pair.source.put_object_tagging(Bucket="here", Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "new"}]})
    assert pair.status("a") == "PENDING"
    pair.later()
    assert pair.status("a") == "COMPLETED"
    assert pair.target.get_object_tagging(Bucket="there", Key="a")["TagSet"] == [{"Key": "k", "Value": "new"}]
    assert len(pair.there()["a"]) == 1


def test_changes_of_a_replica_go_back_only_where_a_rule_says_so(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, to=ONE)
    pair.put("a")
    pair.later()
    tags: Any = {"TagSet": [{"Key": "by", "Value": "replica"}]}

    def rule_back(status: str) -> None:
        back = v2(bucket="here", SourceSelectionCriteria={"ReplicaModifications": {"Status": status}})
        pair.target.put_bucket_replication(
            Bucket="there", ReplicationConfiguration={"Role": pair.role, "Rules": [back]}
        )
        pair.target.put_object_tagging(Bucket="there", Key="a", Tagging=tags)
        pair.later()

    rule_back("Disabled")
    assert pair.source.get_object_tagging(Bucket="here", Key="a")["TagSet"] == []
    rule_back("Enabled")
    assert pair.source.get_object_tagging(Bucket="here", Key="a")["TagSet"] == tags["TagSet"]


def test_replicas_go_no_further(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, to=ONE)
    make(pair.source, "beyond", HERE)
    pair.target.put_bucket_replication(
        Bucket="there", ReplicationConfiguration={"Role": pair.role, "Rules": [v2(bucket="beyond")]}
    )
    pair.put("a")
    pair.target.put_object(Bucket="there", Key="own", Body=b"x")
    pair.later(DAY)
    assert pair.keys_there() == {"a", "own"}
    assert set(contents(pair.source, "beyond")) == {"own"}


def test_both_ways_without_a_circle(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, to=ONE)
    pair.target.put_bucket_replication(
        Bucket="there", ReplicationConfiguration={"Role": pair.role, "Rules": [v2(bucket="here")]}
    )
    pair.put("a", b"1")
    aws.clock.sleep(1)
    pair.target.put_object(Bucket="there", Key="a", Body=b"2")
    pair.later(DAY)
    assert contents(pair.source, "here") == pair.there()
    assert pair.source.get_object(Bucket="here", Key="a")["Body"].read() == b"2"


# --- Deletions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "follows"),
    [(v2(markers="Enabled"), True), (v2(markers="Disabled"), False), (v1(), True)],
    ids=["enabled", "disabled", "V1"],
)
def test_delete_markers_follow_where_the_rule_says_so(
    aws: SimulatedAWS, rule: Mapping[str, Any], follows: bool
) -> None:
    pair = Replicated(aws, rules=[rule])
    pair.put("a")
    pair.later()
    marker = pair.source.delete_object(Bucket="here", Key="a")["VersionId"]
    pair.later()
    assert ((marker, "marker") in pair.there()["a"]) is follows
    assert (code_of(pair.target.head_object, Bucket="there", Key="a") == "404") is follows


def test_deleted_versions_are_kept_in_the_destination(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=[v2(markers="Enabled")])
    version = pair.put("a")
    pair.later()
    pair.source.delete_object(Bucket="here", Key="a", VersionId=version)
    marker = pair.source.delete_object(Bucket="here", Key="b")["VersionId"]
    pair.later()
    pair.source.delete_object(Bucket="here", Key="b", VersionId=marker)
    pair.later(DAY)
    assert pair.keys_there() == {"a", "b"}


def test_what_is_deleted_before_it_is_sent_never_arrives(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    version = pair.put("a")
    pair.source.delete_object(Bucket="here", Key="a", VersionId=version)
    pair.later(DAY)
    assert pair.keys_there() == set()


# --- Which rule ------------------------------------------------------------------------------------------------------

K_V: Any = {"Key": "k", "Value": "v"}
L_W: Any = {"Key": "l", "Value": "w"}


@pytest.mark.parametrize(
    ("choose", "arrives"),
    [
        ({"Prefix": "a/"}, {"a/tagged", "a/plain", "a/both"}),
        ({"Tag": K_V}, {"a/tagged", "a/both", "b/tagged"}),
        ({"And": {"Prefix": "a/", "Tags": [K_V]}}, {"a/tagged", "a/both"}),
        ({"And": {"Tags": [K_V, L_W]}}, {"a/both"}),
        ({}, {"a/tagged", "a/plain", "a/both", "b/tagged", "b/other"}),
    ],
)
def test_filters(aws: SimulatedAWS, choose: Mapping[str, Any], arrives: set[str]) -> None:
    pair = Replicated(aws, rules=[v2(choose=choose)])
    pair.put("a/tagged", Tagging="k=v")
    pair.put("a/plain")
    pair.put("a/both", Tagging="k=v&l=w")
    pair.put("b/tagged", Tagging="k=v")
    pair.put("b/other", Tagging="k=w")
    pair.later()
    assert pair.keys_there() == arrives


def test_a_tag_that_comes_later_is_too_late(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=[v2(choose={"Tag": K_V})])
    pair.put("a")
    pair.source.put_object_tagging(Bucket="here", Key="a", Tagging={"TagSet": [K_V]})
    pair.later(DAY)
    assert pair.keys_there() == set()


def test_the_rule_with_the_highest_priority_counts(aws: SimulatedAWS) -> None:
    pair = Replicated(
        aws,
        rules=[
            v2(priority=1, destination={"StorageClass": "ONEZONE_IA"}),
            v2(priority=2, choose={"Prefix": "a/"}, destination={"StorageClass": "STANDARD_IA"}),
            v2(priority=3, choose={"Prefix": "a/"}, Status="Disabled"),
        ],
    )
    pair.put("a/x")
    pair.put("b/x")
    pair.later()
    classes = {key: pair.target.head_object(Bucket="there", Key=key)["StorageClass"] for key in pair.keys_there()}
    assert classes == {"a/x": "STANDARD_IA", "b/x": "ONEZONE_IA"}


def test_the_last_matching_marker_rule_without_tags_sends_markers(aws: SimulatedAWS) -> None:
    rules = [v2(priority=2, choose={"Tag": K_V}), v2(priority=1, markers="Enabled")]
    pair = Replicated(aws, rules=rules)
    pair.put("a", Tagging="k=v")
    pair.source.delete_object(Bucket="here", Key="a")
    pair.later()
    assert [what for _, what in pair.there()["a"]].count("marker") == 1


def test_several_destinations_have_one_status(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, to=ONE, rules=None)
    make(pair.source, "second", HERE)
    pair.put_rules(v2(priority=1), v2(priority=2, bucket="second"))
    pair.put("a")
    pair.later()
    assert pair.status("a") == "COMPLETED"
    assert set(contents(pair.source, "second")) == pair.keys_there() == {"a"}
    pair.source.delete_bucket_policy(Bucket="second")
    pair.source.put_bucket_versioning(Bucket="second", VersioningConfiguration={"Status": "Suspended"})
    pair.put("b")
    pair.later()
    assert pair.status("b") == "FAILED"
    assert pair.keys_there() == {"a", "b"}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([{**v2(), "ExistingObjectReplication": {"Status": "Enabled"}}], "InvalidRequest"),
        ([v2(markers="Enabled", choose={"Tag": K_V})], "InvalidRequest"),
        ([v2(bucket="nowhere")], "InvalidRequest"),
        ([v2(bucket="here")], "InvalidRequest"),
        ([v2(bucket="unversioned")], "InvalidRequest"),
        ([{name: value for name, value in v2().items() if name != "DeleteMarkerReplication"}], "InvalidRequest"),
        ([{name: value for name, value in v2().items() if name != "Priority"}], "InvalidRequest"),
        ([v2(), {**v2(), "ID": "other"}], "InvalidArgument"),
        ([v2(), v2(priority=1)], "InvalidArgument"),
        ([v1("a"), v1("ab")], "InvalidRequest"),
        ([v1("a"), v2()], "InvalidRequest"),
        ([v2(destination={"AccessControlTranslation": {"Owner": "Destination"}})], "InvalidRequest"),
        ([v2(destination={"EncryptionConfiguration": {"ReplicaKmsKeyID": "k"}})], "InvalidRequest"),
        (
            [v2(SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}})],
            "InvalidRequest",
        ),
        ([v2(destination={"StorageClass": "COLD"})], "MalformedXML"),
        ([v2(choose={"And": {"Prefix": "a"}})], "MalformedXML"),
        ([{**v2(), "Prefix": "a"}], "MalformedXML"),
        ([], "MalformedXML"),
    ],
)
def test_rules_that_aws_refuses(aws: SimulatedAWS, rules: list[dict[str, Any]], code: str) -> None:
    pair = Replicated(aws, rules=None)
    where: Any = {"LocationConstraint": HERE}
    pair.source.create_bucket(Bucket="unversioned", CreateBucketConfiguration=where)
    assert code_of(pair.put_rules, *rules) == code
    assert code_of(pair.source.get_bucket_replication, Bucket="here") == "ReplicationConfigurationNotFoundError"


def test_the_source_must_be_versioned_and_stay_so(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    suspend: Any = {"Bucket": "here", "VersioningConfiguration": {"Status": "Suspended"}}
    assert code_of(pair.source.put_bucket_versioning, **suspend) == "InvalidBucketState"
    pair.source.delete_bucket_replication(Bucket="here")
    pair.source.put_bucket_versioning(**suspend)
    assert code_of(pair.put_rules, v2()) == "InvalidRequest"


def test_who_sets_a_rule_up_must_be_allowed_to_pass_the_role(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=None)
    configuration: Any = {"Role": pair.role, "Rules": [v2()]}
    admin = as_role(aws, allow("s3:PutReplicationConfiguration"), name="admin").client("s3")
    put: Any = {"Bucket": "here", "ReplicationConfiguration": configuration}
    assert code_of(admin.put_bucket_replication, **put) == "AccessDenied"
    condition = {"StringEquals": {"iam:PassedToService": "s3.amazonaws.com"}}
    passing = (allow("s3:PutReplicationConfiguration"), allow("iam:PassRole", pair.role, condition))
    as_role(aws, *passing, name="other").client("s3").put_bucket_replication(**put)


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [*READING[:1], *READING[2:5], *WRITING[:1], *WRITING[2:]])
def test_a_permission_less_and_the_object_fails(aws: SimulatedAWS, missing: str) -> None:
    owner = {"Account": TWO, "AccessControlTranslation": {"Owner": "Destination"}}
    granted = [action for action in (*READING, *WRITING) if action != missing]
    pair = Replicated(aws, rules=[v2(destination=owner)], statements=[allow(granted)])
    pair.put("a", Tagging="k=v")
    pair.later()
    assert pair.status("a") == "FAILED"
    assert pair.keys_there() == set()


@pytest.mark.parametrize("missing", ["s3:ListBucket", "s3:ReplicateDelete"])
def test_a_permission_less_and_the_marker_stays_away(aws: SimulatedAWS, missing: str) -> None:
    granted = [action for action in (*READING, *WRITING) if action != missing]
    pair = Replicated(aws, rules=[v2(markers="Enabled")], statements=[allow(granted)])
    pair.put("a")
    pair.source.delete_object(Bucket="here", Key="a")
    pair.later()
    assert [what for _, what in pair.there()["a"]].count("marker") == 0


@pytest.mark.parametrize("missing", ["s3:ReplicateObject", "s3:ReplicateTags"])
def test_across_accounts_the_destination_must_let_the_role_in(aws: SimulatedAWS, missing: str) -> None:
    pair = Replicated(aws)
    pair.let_in([action for action in WRITING if action != missing])
    pair.put("a", Tagging="k=v")
    pair.later()
    assert pair.status("a") == "FAILED"
    pair.let_in(WRITING)
    pair.later(DAY)
    assert pair.status("a") == "FAILED", "what has failed is not tried again"
    pair.put("a", Tagging="k=v")
    pair.later()
    assert pair.status("a") == "COMPLETED"


def test_the_role_must_be_there_and_trust_s3(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    iam = aws.session(ONE).client("iam")
    nobody = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(RoleName="replicator", PolicyDocument=document(nobody))
    pair.put("a")
    pair.later()
    assert pair.status("a") == "FAILED"
    iam.delete_role_policy(RoleName="replicator", PolicyName="all")
    iam.delete_role(RoleName="replicator")
    pair.put("b")
    pair.later()
    assert pair.status("b") == "FAILED"


def test_the_destination_may_be_gone_or_suspended(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    pair.target.put_bucket_versioning(Bucket="there", VersioningConfiguration={"Status": "Suspended"})
    pair.put("a")
    pair.later()
    assert pair.status("a") == "FAILED"
    pair.target.delete_bucket(Bucket="there")
    pair.put("b")
    pair.later()
    assert pair.status("b") == "FAILED"


def test_the_account_that_a_rule_names_must_own_the_destination(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=[v2(destination={"Account": "333333333333"})])
    pair.put("a")
    pair.later()
    assert pair.status("a") == "FAILED"


@pytest.mark.parametrize("translated", [True, False])
def test_who_owns_the_replicas(aws: SimulatedAWS, translated: bool) -> None:
    owner = {"Account": TWO, "AccessControlTranslation": {"Owner": "Destination"}} if translated else {}
    pair = Replicated(aws, rules=[v2(destination=owner)], ownership="ObjectWriter")
    pair.put("a")
    pair.later()
    assert (code_of(pair.target.get_object, Bucket="there", Key="a") == "") is translated


# --- Encryption ------------------------------------------------------------------------------------------------------


def key(aws: SimulatedAWS, account: str, region: str, *lets_in: str) -> str:
    kms = aws.session(account, region).client("kms")
    own = {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}
    others = [{**allow("kms:*"), "Principal": {"AWS": list(lets_in)}}] if lets_in else []
    return str(kms.create_key(Policy=document(own, *others))["KeyMetadata"]["Arn"])


class Encrypted:
    def __init__(self, aws: SimulatedAWS, opted_in: bool = True, lets_in: bool = True) -> None:
        self.pair = Replicated(aws, rules=None)
        self.here = key(aws, ONE, HERE)
        self.there = key(aws, TWO, THERE, *([self.pair.role] if lets_in else []))
        destination = {"EncryptionConfiguration": {"ReplicaKmsKeyID": self.there}}
        criteria = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
        opted: dict[str, Any] = {"destination": destination, "SourceSelectionCriteria": criteria} if opted_in else {}
        self.pair.put_rules(v2(**opted))

    def put(self, name: str = "a") -> str | None:
        self.pair.put(name, ServerSideEncryption="aws:kms", SSEKMSKeyId=self.here)
        self.pair.later()
        return self.pair.status(name)


def test_encrypted_by_the_key_that_the_rule_names(aws: SimulatedAWS) -> None:
    encrypted = Encrypted(aws)
    assert encrypted.put() == "COMPLETED"
    found = encrypted.pair.target.head_object(Bucket="there", Key="a")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", encrypted.there)
    encrypted.pair.put("plain")
    encrypted.pair.later()
    assert encrypted.pair.target.head_object(Bucket="there", Key="plain")["ServerSideEncryption"] == "AES256"


def test_encrypted_objects_stay_where_the_rule_does_not_opt_in(aws: SimulatedAWS) -> None:
    encrypted = Encrypted(aws, opted_in=False)
    assert encrypted.put() is None
    assert encrypted.pair.keys_there() == set()


def test_the_key_of_the_destination_must_let_the_role_in(aws: SimulatedAWS) -> None:
    assert Encrypted(aws, lets_in=False).put() == "FAILED"


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize("how", ["disabled", "pending deletion"])
def test_both_keys_must_be_usable(aws: SimulatedAWS, side: str, how: str) -> None:
    encrypted = Encrypted(aws)
    account, region, arn = (ONE, HERE, encrypted.here) if side == "source" else (TWO, THERE, encrypted.there)
    kms, arn = aws.session(account, region).client("kms"), arn.rpartition("/")[2]
    encrypted.pair.put("before", ServerSideEncryption="aws:kms", SSEKMSKeyId=encrypted.here)
    if how == "disabled":
        kms.disable_key(KeyId=arn)
    else:
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    encrypted.pair.later()
    assert encrypted.pair.status("before") == "FAILED"


def test_the_role_must_be_allowed_to_use_the_keys(aws: SimulatedAWS) -> None:
    encrypted = Encrypted(aws)
    granted = [allow([*READING, *WRITING, "kms:Decrypt"])]
    aws.session(ONE).client("iam").put_role_policy(
        RoleName="replicator", PolicyName="all", PolicyDocument=document(*granted)
    )
    assert encrypted.put() == "FAILED"


# --- Object Lock -----------------------------------------------------------------------------------------------------


def default_retention(s3: Any, bucket: str, mode: str, days: int) -> None:
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}},
        },
    )


def test_the_default_retention_of_the_destination_holds_the_replica(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, locked=True)
    default_retention(pair.target, "there", "COMPLIANCE", 30)
    version = pair.put("a")
    pair.later()
    held = pair.target.get_object_retention(Bucket="there", Key="a", VersionId=version)["Retention"]
    assert held["Mode"] == "COMPLIANCE"
    gone: Any = {"Bucket": "there", "Key": "a", "VersionId": version}
    assert code_of(pair.target.delete_object, **gone) == "AccessDenied"


def test_the_lock_of_the_original_is_the_replicas(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, locked=True, source_locked=True)
    default_retention(pair.target, "there", "GOVERNANCE", 30)
    until = (aws.clock.now() + timedelta(days=90)).replace(microsecond=0)
    pair.put(
        "a",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
        ChecksumAlgorithm="CRC32",
    )
    pair.later()
    found = pair.target.head_object(Bucket="there", Key="a")
    assert (found["ObjectLockMode"], found["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", until)
    assert found["ObjectLockLegalHoldStatus"] == "ON"
    later: datetime = until + timedelta(days=1)
    pair.source.put_object_retention(Bucket="here", Key="a", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": later})
    pair.source.put_object_legal_hold(Bucket="here", Key="a", LegalHold={"Status": "OFF"})
    pair.later()
    found = pair.target.head_object(Bucket="there", Key="a")
    assert (found["ObjectLockRetainUntilDate"], found["ObjectLockLegalHoldStatus"]) == (later, "OFF")


def test_a_locked_bucket_replicates_into_locked_ones_only(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, source_locked=True, rules=None)
    assert code_of(pair.put_rules, v2()) == "InvalidRequest"


# --- Outages and closed accounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", [HERE, THERE])
def test_what_was_on_its_way_comes_after_the_outage(aws: SimulatedAWS, region: str) -> None:
    pair = Replicated(aws)
    pair.put("a")
    aws.clock.sleep(5)
    with aws.region_down(region):
        aws.clock.sleep(DAY)
        if region == HERE:
            assert pair.keys_there() == set()
        else:
            assert pair.status("a") == "PENDING"
            pair.put("b")
    pair.later()
    assert pair.keys_there() == ({"a"} if region == HERE else {"a", "b"})
    assert pair.status("a") == "COMPLETED"


def test_a_closed_account_sends_nothing_any_more(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    pair.put("before")
    pair.later()
    pair.put("a")
    aws.close_account(ONE)
    aws.clock.sleep(DAY)
    assert pair.keys_there() == {"before"}
    assert pair.target.get_object(Bucket="there", Key="before")["Body"].read() == b"x"
    aws.reopen_account(ONE)
    pair.later()
    assert pair.keys_there() == {"before", "a"}


# --- Metrics ---------------------------------------------------------------------------------------------------------


def test_cloudwatch_is_told_where_the_rule_says_so(aws: SimulatedAWS) -> None:
    metrics = {"Metrics": {"Status": "Enabled"}}
    pair = Replicated(aws, rules=[v2(destination=metrics)])
    cloudwatch = aws.session(ONE, HERE).client("cloudwatch")
    begun = aws.clock.now()
    pair.put("a", b"x" * 1000)
    with aws.region_down(THERE):
        aws.clock.sleep(1800)
    pair.later()
    pair.let_in(["s3:ReplicateTags"])
    pair.put("b")
    pair.later()

    def highest(name: str) -> float:
        names = [("SourceBucket", "here"), ("DestinationBucket", "there"), ("RuleId", "rule-1")]
        found = cloudwatch.get_metric_statistics(
            Namespace="AWS/S3",
            MetricName=name,
            Dimensions=[{"Name": one, "Value": value} for one, value in names],
            StartTime=begun,
            EndTime=aws.clock.now() + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )
        return max((point["Maximum"] for point in found["Datapoints"]), default=0.0)

    assert highest("ReplicationLatency") >= 1800
    assert highest("BytesPendingReplication") == 1000
    assert highest("OperationsPendingReplication") == 1
    assert highest("OperationsFailedReplication") == 1


def test_a_role_named_by_a_rule_may_be_narrow(aws: SimulatedAWS) -> None:
    """The policy of AWS's own guide, with no more than it grants."""
    statements = [
        allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], "arn:aws:s3:::here"),
        allow(
            ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
            "arn:aws:s3:::here/*",
        ),
        allow(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], "arn:aws:s3:::there/*"),
    ]
    pair = Replicated(aws, rules=[v2(markers="Enabled")], statements=statements)
    pair.put("a", Tagging="k=v")
    pair.source.delete_object(Bucket="here", Key="a")
    pair.later(LAG_SECONDS)
    assert pair.status("a", VersionId=pair.there()["a"][0][0]) == "COMPLETED"
    assert json.dumps(contents(pair.source, "here")) == json.dumps(pair.there())
