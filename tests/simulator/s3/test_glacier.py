"""Archived objects and their restoring, through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, code_of
from tests.simulator.s3.replicating import HERE, make

pytestmark = pytest.mark.simulated_aws

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        s3 = client(aws)
        make(s3, "drills", HERE)
        for storage_class in ("GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"):
            s3.put_object(Bucket="drills", Key=storage_class, Body=b"x", StorageClass=storage_class)
        yield aws


def client(aws: SimulatedAWS) -> Any:
    return aws.session(ONE, HERE).client("s3")


def restore(aws: SimulatedAWS, key: str, tier: str = "Standard", days: int = 2, **more: Any) -> Any:
    request = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
    return client(aws).restore_object(Bucket="drills", Key=key, RestoreRequest=request, **more)


def readable(aws: SimulatedAWS, key: str) -> bool:
    code = code_of(client(aws).get_object, Bucket="drills", Key=key)
    assert code in ("", "InvalidObjectState")
    return code == ""


def test_what_is_archived_is_not_readable_but_told_of(aws: SimulatedAWS) -> None:
    s3 = client(aws)
    assert not readable(aws, "GLACIER")
    assert readable(aws, "GLACIER_IR")
    assert s3.head_object(Bucket="drills", Key="GLACIER")["StorageClass"] == "GLACIER"
    copy: Any = {"Bucket": "drills", "Key": "copy", "CopySource": "drills/GLACIER"}
    assert code_of(s3.copy_object, **copy) == "InvalidObjectState"


@pytest.mark.parametrize(
    ("key", "tier", "hours"),
    [
        ("GLACIER", "Expedited", 3 / 60),
        ("GLACIER", "Standard", 4),
        ("GLACIER", "Bulk", 8.5),
        ("DEEP_ARCHIVE", "Standard", 12),
        ("DEEP_ARCHIVE", "Bulk", 48),
    ],
)
def test_a_restore_takes_its_time(aws: SimulatedAWS, key: str, tier: str, hours: float) -> None:
    assert restore(aws, key, tier)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert client(aws).head_object(Bucket="drills", Key=key)["Restore"] == 'ongoing-request="true"'
    aws.clock.sleep(hours * HOUR - 1)
    assert not readable(aws, key)
    aws.clock.sleep(1)
    assert readable(aws, key)
    assert 'ongoing-request="false"' in client(aws).head_object(Bucket="drills", Key=key)["Restore"]
    assert "expiry-date" in client(aws).head_object(Bucket="drills", Key=key)["Restore"]


def test_plain_moto_restores_at_once() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="drills")
        s3.put_object(Bucket="drills", Key="a", Body=b"x", StorageClass="DEEP_ARCHIVE")
        s3.restore_object(Bucket="drills", Key="a", RestoreRequest={"Days": 1})
        assert code_of(s3.get_object, Bucket="drills", Key="a") == ""


def test_the_restored_copy_goes_at_the_midnight_after_its_days(aws: SimulatedAWS) -> None:
    restore(aws, "GLACIER", days=2)
    aws.clock.sleep(DAY)
    assert readable(aws, "GLACIER")
    restore(aws, "GLACIER", days=4)
    aws.clock.sleep(3 * DAY)
    assert readable(aws, "GLACIER"), "it was asked for longer"
    aws.clock.sleep(2 * DAY)
    assert not readable(aws, "GLACIER")
    assert "Restore" not in client(aws).head_object(Bucket="drills", Key="GLACIER")


def test_one_restore_at_a_time_unless_it_is_faster(aws: SimulatedAWS) -> None:
    restore(aws, "GLACIER", "Bulk")
    assert code_of(restore, aws, "GLACIER", "Bulk") == "RestoreAlreadyInProgress"
    restore(aws, "GLACIER", "Expedited")
    aws.clock.sleep(5 * 60)
    assert readable(aws, "GLACIER")
    aws.clock.sleep(DAY)
    assert readable(aws, "GLACIER")


def test_what_cannot_be_restored(aws: SimulatedAWS) -> None:
    assert code_of(restore, aws, "GLACIER_IR") == "InvalidObjectState"
    assert code_of(restore, aws, "DEEP_ARCHIVE", "Expedited") == "InvalidRequest"
    assert code_of(restore, aws, "GLACIER", "Standard", 0) == "MalformedXML"
    assert code_of(restore, aws, "nowhere") == "NoSuchKey"


def test_a_version_is_restored_by_its_id(aws: SimulatedAWS) -> None:
    s3 = client(aws)
    version = s3.head_object(Bucket="drills", Key="GLACIER")["VersionId"]
    s3.put_object(Bucket="drills", Key="GLACIER", Body=b"newer")
    restore(aws, "GLACIER", VersionId=version)
    aws.clock.sleep(4 * HOUR)
    assert s3.get_object(Bucket="drills", Key="GLACIER", VersionId=version)["Body"].read() == b"x"


def test_an_outage_holds_a_restore(aws: SimulatedAWS) -> None:
    restore(aws, "GLACIER")
    aws.clock.sleep(HOUR)
    with aws.region_down(HERE):
        aws.clock.sleep(DAY)
    assert not readable(aws, "GLACIER")
    aws.clock.sleep(3 * HOUR)
    assert readable(aws, "GLACIER")
