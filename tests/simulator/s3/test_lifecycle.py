"""Lifecycle rules carried out by the clock, through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import time_machine
from moto import mock_aws

from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, code_of
from tests.simulator.s3.replicating import HERE, Replicated, contents, make, v2

pytestmark = pytest.mark.simulated_aws

DAY = 86_400.0
BIG = b"x" * (128 * 1024)


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1, start=datetime(2026, 1, 5, 9, tzinfo=UTC)) as aws:
        make(client(aws), "drills", HERE)
        yield aws


def client(aws: SimulatedAWS) -> Any:
    return aws.session(ONE, HERE).client("s3")


def rules(aws: SimulatedAWS, *given: dict[str, Any], bucket: str = "drills", **more: Any) -> None:
    named = [
        {"ID": f"rule-{number}", "Status": "Enabled", "Filter": {"Prefix": ""}, **one}
        for number, one in enumerate(given)
    ]
    client(aws).put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": named}, **more)


def until(aws: SimulatedAWS, day: int, hour: int = 0, minute: int = 0) -> None:
    """Let time pass until this moment of January 2026."""
    moment = datetime(2026, 1, day, hour, minute, tzinfo=UTC)
    aws.clock.sleep((moment - aws.clock.now()).total_seconds())


def put(aws: SimulatedAWS, key: str, body: bytes = b"x", **more: Any) -> str:
    return str(client(aws).put_object(Bucket="drills", Key=key, Body=body, **more)["VersionId"])


def versions(aws: SimulatedAWS, bucket: str = "drills") -> dict[str, int]:
    """How many versions and markers each key has."""
    return {key: len(found) for key, found in contents(client(aws), bucket).items()}


# --- The end of objects ----------------------------------------------------------------------------------------------


def test_an_object_expires_at_the_midnight_after_its_days(aws: SimulatedAWS) -> None:
    rules(aws, {"Expiration": {"Days": 1}})
    version = put(aws, "a")
    until(aws, 6, 23, 59)
    assert code_of(client(aws).head_object, Bucket="drills", Key="a") == ""
    until(aws, 7)
    assert code_of(client(aws).head_object, Bucket="drills", Key="a") == "404"
    assert client(aws).get_object(Bucket="drills", Key="a", VersionId=version)["Body"].read() == b"x"
    until(aws, 20)
    assert versions(aws) == {"a": 2}, "one marker is enough"


def test_plain_moto_carries_out_no_rule() -> None:
    with time_machine.travel(datetime(2026, 1, 5, tzinfo=UTC), tick=False) as time, mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="drills")
        rule: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
        s3.put_bucket_lifecycle_configuration(Bucket="drills", LifecycleConfiguration={"Rules": [rule]})
        s3.put_object(Bucket="drills", Key="a", Body=b"x")
        time.shift(timedelta(days=30))
        assert s3.list_objects_v2(Bucket="drills")["KeyCount"] == 1


def test_where_nothing_is_versioned_the_object_is_gone(aws: SimulatedAWS) -> None:
    s3 = client(aws)
    s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": HERE})
    rules(aws, {"Expiration": {"Days": 1}}, bucket="plain")
    s3.put_object(Bucket="plain", Key="a", Body=b"x")
    until(aws, 7)
    assert versions(aws, "plain") == {}


def test_on_a_date_everything_expires(aws: SimulatedAWS) -> None:
    rules(aws, {"Expiration": {"Date": datetime(2026, 1, 8, tzinfo=UTC)}})
    until(aws, 7, 23)
    put(aws, "a")
    until(aws, 8)
    assert client(aws).list_objects_v2(Bucket="drills")["KeyCount"] == 0


def test_noncurrent_versions_expire_by_when_they_became_so(aws: SimulatedAWS) -> None:
    rules(aws, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    put(aws, "a", b"1")
    until(aws, 10, 12)
    latest = put(aws, "a", b"2")
    until(aws, 11, 23, 59)
    assert versions(aws) == {"a": 2}
    until(aws, 12)
    assert [version for version, _ in contents(client(aws), "drills")["a"]] == [latest]


def test_the_newer_noncurrent_versions_are_spared(aws: SimulatedAWS) -> None:
    rules(aws, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}})
    made = [put(aws, "a", str(number).encode()) for number in range(5)]
    until(aws, 20)
    assert [version for version, _ in contents(client(aws), "drills")["a"]] == made[:1:-1]


def test_a_deleted_object_is_gone_in_the_end(aws: SimulatedAWS) -> None:
    rules(
        aws,
        {
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    )
    put(aws, "a")
    client(aws).delete_object(Bucket="drills", Key="a")
    put(aws, "kept")
    until(aws, 6, 12)
    assert versions(aws) == {"a": 2, "kept": 1}
    until(aws, 8)
    assert versions(aws) == {"kept": 1}


def test_a_marker_that_hides_something_is_not_expired(aws: SimulatedAWS) -> None:
    rules(aws, {"Expiration": {"ExpiredObjectDeleteMarker": True}})
    put(aws, "a")
    client(aws).delete_object(Bucket="drills", Key="a")
    until(aws, 20)
    assert versions(aws) == {"a": 2}


def test_uploads_that_are_never_completed_are_aborted(aws: SimulatedAWS) -> None:
    rules(aws, {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}, "Filter": {"Prefix": "a/"}})
    s3 = client(aws)
    for key in ("a/b", "c"):
        s3.create_multipart_upload(Bucket="drills", Key=key)
    until(aws, 7, 23)
    assert len(s3.list_multipart_uploads(Bucket="drills")["Uploads"]) == 2
    until(aws, 8)
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket="drills")["Uploads"]] == ["c"]


@pytest.mark.parametrize(
    ("choose", "expired"),
    [
        ({"Prefix": "a/"}, {"a/small", "a/big"}),
        ({"Tag": {"Key": "k", "Value": "v"}}, {"a/big", "b/tagged"}),
        ({"And": {"Prefix": "a/", "Tags": [{"Key": "k", "Value": "v"}]}}, {"a/big"}),
        ({"ObjectSizeGreaterThan": 3}, {"a/big"}),
        ({"ObjectSizeLessThan": 4}, {"a/small", "b/tagged"}),
        ({"And": {"Prefix": "b/", "ObjectSizeLessThan": 4}}, {"b/tagged"}),
        ({}, {"a/small", "a/big", "b/tagged"}),
    ],
)
def test_filters(aws: SimulatedAWS, choose: dict[str, Any], expired: set[str]) -> None:
    put(aws, "a/small", b"123")
    put(aws, "a/big", b"1234", Tagging="k=v")
    put(aws, "b/tagged", b"123", Tagging="k=v")
    rules(aws, {"Filter": choose, "Expiration": {"Days": 1}})
    until(aws, 8)
    left = {one["Key"] for one in client(aws).list_objects_v2(Bucket="drills").get("Contents", ())}
    assert {"a/small", "a/big", "b/tagged"} - left == expired


def test_a_rule_that_is_disabled_or_deleted_does_nothing(aws: SimulatedAWS) -> None:
    put(aws, "a")
    rules(aws, {"Status": "Disabled", "Expiration": {"Days": 1}})
    until(aws, 8)
    rules(aws, {"Expiration": {"Days": 1}})
    client(aws).delete_bucket_lifecycle(Bucket="drills")
    until(aws, 20)
    assert versions(aws) == {"a": 1}
    assert code_of(client(aws).get_bucket_lifecycle_configuration, Bucket="drills") == "NoSuchLifecycleConfiguration"


# --- Locks, replication, outages -------------------------------------------------------------------------------------


def test_what_is_locked_is_kept(aws: SimulatedAWS) -> None:
    s3 = client(aws)
    make(s3, "locked", HERE, locked=True)
    rules(aws, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, bucket="locked")
    retain: Any = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": datetime(2026, 1, 15, 12, tzinfo=UTC)}
    s3.put_object(Bucket="locked", Key="a", Body=b"1", ChecksumAlgorithm="CRC32", **retain)
    held: Any = {"ObjectLockLegalHoldStatus": "ON"}
    s3.put_object(Bucket="locked", Key="held", Body=b"1", ChecksumAlgorithm="CRC32", **held)
    for key in ("a", "held"):
        s3.put_object(Bucket="locked", Key=key, Body=b"2")
    until(aws, 15, 13)
    assert versions(aws, "locked") == {"a": 2, "held": 2}
    until(aws, 16)
    assert versions(aws, "locked") == {"a": 1, "held": 2}


def test_what_rules_do_is_not_replicated(aws: SimulatedAWS) -> None:
    pair = Replicated(aws, rules=[v2(markers="Enabled")])
    rules(aws, {"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, bucket="here")
    pair.put("a", b"1")
    pair.put("a", b"2")
    aws.clock.sleep(20 * DAY)
    assert versions(aws, "here") == {}
    assert len(pair.there()["a"]) == 2


def test_what_has_not_been_replicated_waits(aws: SimulatedAWS) -> None:
    pair = Replicated(aws)
    rules(aws, {"Expiration": {"Days": 1}}, bucket="here")
    pair.put("a")
    with aws.region_down("eu-north-1"):
        until(aws, 10)
        assert pair.status("a") == "PENDING"
    until(aws, 11)
    assert code_of(pair.source.head_object, Bucket="here", Key="a") == "404"
    assert pair.keys_there() == {"a"}


def test_a_region_that_is_down_misses_its_midnight(aws: SimulatedAWS) -> None:
    rules(aws, {"Expiration": {"Days": 1}})
    put(aws, "a")
    with aws.region_down(HERE):
        until(aws, 8, 12)
    assert code_of(client(aws).head_object, Bucket="drills", Key="a") == ""
    until(aws, 9)
    assert code_of(client(aws).head_object, Bucket="drills", Key="a") == "404"


# --- Storage classes -------------------------------------------------------------------------------------------------


def storage_class(aws: SimulatedAWS, key: str, **more: Any) -> str:
    found = client(aws).head_object(Bucket="drills", Key=key, **more)
    return str(found.get("StorageClass", "STANDARD"))


def test_objects_move_to_colder_classes(aws: SimulatedAWS) -> None:
    moves = [{"Days": 1, "StorageClass": "GLACIER_IR"}, {"Days": 3, "StorageClass": "DEEP_ARCHIVE"}]
    rules(aws, {"Transitions": moves})
    put(aws, "a", BIG)
    put(aws, "tiny")
    until(aws, 7)
    assert storage_class(aws, "a") == "GLACIER_IR"
    until(aws, 9)
    assert storage_class(aws, "a") == "DEEP_ARCHIVE"
    assert storage_class(aws, "tiny") == "STANDARD"
    assert code_of(client(aws).get_object, Bucket="drills", Key="a") == "InvalidObjectState"


@pytest.mark.parametrize(
    ("choose", "more"),
    [
        ({"ObjectSizeGreaterThan": 0}, {}),
        ({"Prefix": ""}, {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}),
    ],
)
def test_small_objects_move_where_that_is_asked_for(
    aws: SimulatedAWS, choose: dict[str, Any], more: dict[str, Any]
) -> None:
    rules(aws, {"Filter": choose, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, **more)
    put(aws, "tiny")
    until(aws, 7)
    assert storage_class(aws, "tiny") == "GLACIER"


def test_noncurrent_versions_move(aws: SimulatedAWS) -> None:
    move = {"NoncurrentDays": 1, "StorageClass": "GLACIER", "NewerNoncurrentVersions": 1}
    rules(aws, {"NoncurrentVersionTransitions": [move]})
    made = [put(aws, "a", BIG) for _ in range(3)]
    until(aws, 8)
    assert [storage_class(aws, "a", VersionId=version) for version in made] == ["GLACIER", "STANDARD", "STANDARD"]


# --- The configuration -----------------------------------------------------------------------------------------------


def test_the_configuration_reads_as_it_was_put(aws: SimulatedAWS) -> None:
    given = [
        {
            "ID": "all",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "a", "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}},
            "Expiration": {"Days": 60},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90, "NewerNoncurrentVersions": 3},
            "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}],
            "NoncurrentVersionTransitions": [
                {"NoncurrentDays": 30, "StorageClass": "GLACIER", "NewerNoncurrentVersions": 2}
            ],
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    rules(aws, *given)
    assert client(aws).get_bucket_lifecycle_configuration(Bucket="drills")["Rules"] == given


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({}, "InvalidRequest"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Date": datetime(2026, 1, 8, 1, tzinfo=UTC)}}, "InvalidArgument"),
        ({"Transitions": [{"Days": 29, "StorageClass": "STANDARD_IA"}]}, "InvalidArgument"),
        (
            {"Expiration": {"Days": 5}, "Transitions": [{"Days": 5, "StorageClass": "GLACIER"}]},
            "InvalidArgument",
        ),
        ({"NoncurrentVersionExpiration": {"NewerNoncurrentVersions": 1}}, "MalformedXML"),
        (
            {"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
            "InvalidRequest",
        ),
        (
            {
                "Filter": {"Tag": {"Key": "k", "Value": "v"}},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            "InvalidRequest",
        ),
        ({"Prefix": "a", "Expiration": {"Days": 1}}, "MalformedXML"),
    ],
)
def test_rules_that_aws_refuses(aws: SimulatedAWS, rule: dict[str, Any], code: str) -> None:
    assert code_of(rules, aws, rule) == code
