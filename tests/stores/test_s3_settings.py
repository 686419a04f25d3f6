"""A bucket's settings: all of them read, comparable wherever buckets lie, and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills.history import read_history
from drills.model import JSON, Location
from drills.stores.s3 import kind, make_bucket
from drills.stores.s3_settings import SETTINGS, wanted
from drills.world_site import WorldSite
from tests.stores.bucket_site import BUCKET, PRODUCTION, RECOVERY, VAULT, aws, bucket_site, filled, plain_client

PLACES = [
    Location("production", PRODUCTION, "eu-west-1", "restored-beside"),
    Location("production", PRODUCTION, "us-east-1", "restored-in-another-region"),
    Location("recovery", RECOVERY, "eu-north-1", "restored-in-another-account"),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with bucket_site(tmp_path / "drill") as site:
        yield site


def restored(site: WorldSite, at: Location) -> Location:
    make_bucket(site, at)
    return at


def differing(one: dict[str, JSON], other: dict[str, JSON]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def settings(site: WorldSite, at: Location) -> dict[str, JSON]:
    return dict(kind.settings(site, at))


def test_a_bucket_is_made_as_the_estate_says(site: WorldSite) -> None:
    found = settings(site, kind.provision(site))
    asked = wanted(site.store.config)
    assert {name: found[name] for name in asked} == asked
    assert {name: found[name] for name in found.keys() - asked.keys()} == {
        "logging": None,
        "replication": {},
        "website": None,
    }
    assert set(found) == set(SETTINGS)
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("at", PLACES, ids=lambda at: at.name)
def test_settings_are_put_back_wherever_the_bucket_is_restored(site: WorldSite, at: Location) -> None:
    before = settings(site, kind.provision(site))
    assert at.name not in json.dumps(before)
    assert PRODUCTION not in json.dumps(before)
    restored(site, at)
    assert len(differing(settings(site, at), before)) >= 6
    kind.reconfigure(site, at, before)
    assert settings(site, at) == before
    kind.reconfigure(site, at, before)
    assert settings(site, at) == before


def by_hand(s3: Any, bucket: str) -> None:
    """What the estate's config does not speak of."""
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True}
    )


CHANGED = {"website", "ownership", "encryption", "public_access_block"}


def test_what_was_set_by_hand_is_put_back_too(site: WorldSite) -> None:
    at = kind.provision(site)
    before = settings(site, at)
    by_hand(plain_client(site, at), at.name)
    by_then = settings(site, at)
    assert differing(by_then, before) == CHANGED
    assert by_then["encryption"] == {"algorithm": "aws:kms", "key": None, "bucket_key": True}
    elsewhere = restored(site, PLACES[0])
    kind.reconfigure(site, elsewhere, by_then)
    assert settings(site, elsewhere) == by_then
    kind.reconfigure(site, elsewhere, before)
    assert settings(site, elsewhere) == before


def test_every_setting_can_be_taken_away_again(site: WorldSite) -> None:
    elsewhere = restored(site, PLACES[0])
    bare = {**settings(site, elsewhere), "versioning": "Suspended"}
    kind.reconfigure(site, elsewhere, settings(site, kind.provision(site)))
    kind.reconfigure(site, elsewhere, bare)
    assert settings(site, elsewhere) == bare


def test_tags_that_are_not_the_owners_stay(site: WorldSite) -> None:
    at = kind.provision(site)
    kind.reconfigure(site, at, {"tags": {"team": "new"}})
    found = plain_client(site, at).get_bucket_tagging(Bucket=at.name)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in found} == {**site.tags, "team": "new"}


def test_object_lock_comes_back(tmp_path: Path) -> None:
    plain = '    records: {key: {template: "{n}"}, body: name}\n'
    with bucket_site(tmp_path / "drill", plain + "    object_lock: {mode: governance, days: 3}\n") as site:
        before = settings(site, kind.provision(site))
        assert before["object_lock"] == {"mode": "GOVERNANCE", "days": 3, "years": None}
        elsewhere = restored(site, PLACES[2])
        kind.reconfigure(site, elsewhere, before)
        assert settings(site, elsewhere) == before


def test_a_topic_of_the_same_name_is_the_same_and_one_that_is_missing_is_a_difference(
    site: WorldSite, tmp_path: Path
) -> None:
    at = kind.provision(site)
    topic = plain_client(site, at, "sns").create_topic(Name="invoices")["TopicArn"]
    plain_client(site, at).put_bucket_notification_configuration(
        Bucket=at.name,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    )
    before = settings(site, at)
    assert before["notifications"] == {
        "TopicConfigurations": [
            {"TopicArn": "arn:aws:sns:<region>:<account>:invoices", "Events": ["s3:ObjectCreated:*"]}
        ]
    }
    elsewhere = restored(site, PLACES[2])
    plain_client(site, elsewhere, "sns").create_topic(Name="invoices")
    kind.reconfigure(site, elsewhere, before)
    assert settings(site, elsewhere) == before


def test_what_aws_refuses_is_noted_and_the_rest_is_put_back(site: WorldSite, tmp_path: Path) -> None:
    before = settings(site, kind.provision(site))
    elsewhere = restored(site, PLACES[0])
    asked = {**before, "policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}}
    kind.reconfigure(site, elsewhere, asked)
    assert differing(settings(site, elsewhere), before) == {"policy"}
    (event,) = [event for event in read_history(tmp_path / "drill") if event.kind == "setting.refused"]
    assert (event.text("setting"), event.data["store"]) == ("policy", "Paper_Work")


def test_a_bucket_that_cannot_be_made_as_the_estate_says_is_none_to_drill_with(tmp_path: Path) -> None:
    refused = BUCKET.replace("Action: ", "Actions: ")
    assert refused != BUCKET
    with bucket_site(tmp_path / "drill", refused) as site, pytest.raises(ClientError, match="PutBucketPo"):
        kind.provision(site)


# --- Replication ---------------------------------------------------------------------------------------------------


def replicated(site: WorldSite) -> Location:
    """The bucket with a rule that replicates it into a bucket of the vault account which lets this one role in."""
    at = filled(site, 2).at
    vault = Location("vault", VAULT, "eu-central-1", "drill-test-copy")
    make_bucket(site, vault)
    plain_client(site, vault).put_bucket_versioning(Bucket=vault.name, VersioningConfiguration={"Status": "Enabled"})
    iam = plain_client(site, at, "iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="by-hand", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    rule = {
        "ID": "to-the-vault",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{vault.name}",
            "Account": VAULT,
            "AccessControlTranslation": {"Owner": "Destination"},
        },
    }
    plain_client(site, at).put_bucket_replication(
        Bucket=at.name, ReplicationConfiguration={"Role": role, "Rules": [rule]}
    )
    return at


@pytest.mark.parametrize("at", PLACES, ids=lambda at: at.name)
def test_replication_goes_on_from_wherever_the_bucket_is_restored(site: WorldSite, at: Location) -> None:
    before = settings(site, replicated(site))
    assert set(before["replication"]) == {"to-the-vault"}
    restored(site, at)
    if at.account != PRODUCTION:
        aws(site).close_account(PRODUCTION)
    kind.reconfigure(site, at, before)
    assert settings(site, at) == before
    s3 = plain_client(site, at)
    s3.put_object(Bucket=at.name, Key="new", Body=b"replicate me", Metadata={"a": "b"})
    site.clock.sleep(3_600)
    copy = plain_client(site, Location("vault", VAULT, "eu-central-1", "drill-test-copy"))
    assert copy.get_object(Bucket="drill-test-copy", Key="new")["Body"].read() == b"replicate me"


def test_the_vaults_policy_gets_one_statement_a_role_and_keeps_the_others(site: WorldSite) -> None:
    before = settings(site, replicated(site))
    vault = plain_client(site, Location("vault", VAULT, "eu-central-1", "drill-test-copy"))
    statement = {
        "Sid": "Kept",
        "Effect": "Deny",
        "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:root"},
        "Action": "s3:DeleteBucket",
        "Resource": "arn:aws:s3:::drill-test-copy",
    }
    vault.put_bucket_policy(
        Bucket="drill-test-copy", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    for at in (PLACES[0], PLACES[2]):
        restored(site, at)
        kind.reconfigure(site, at, before)
        kind.reconfigure(site, at, before)
    policy = json.loads(vault.get_bucket_policy(Bucket="drill-test-copy")["Policy"])
    assert policy["Statement"][0] == statement
    assert len(policy["Statement"]) == 3


def test_a_bucket_of_somebody_elses_is_not_opened(site: WorldSite) -> None:
    before = settings(site, replicated(site))
    vault = plain_client(site, Location("vault", VAULT, "eu-central-1", "drill-test-copy"))
    vault.put_bucket_tagging(Bucket="drill-test-copy", Tagging={"TagSet": [{"Key": "owner", "Value": "others"}]})
    kind.reconfigure(site, restored(site, PLACES[0]), before)
    with pytest.raises(vault.exceptions.ClientError, match="NoSuchBucketPolicy"):
        vault.get_bucket_policy(Bucket="drill-test-copy")


def test_the_copy_itself_put_to_use_does_not_replicate_to_itself(site: WorldSite) -> None:
    before = settings(site, replicated(site))
    copy = Location("vault", VAULT, "eu-central-1", "drill-test-copy")
    kind.reconfigure(site, copy, before)
    assert differing(settings(site, copy), before) == {"replication"}
    assert settings(site, copy)["replication"] == {}
