"""Who may reach a bucket of another account, through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drills.simulator import SimulatedAWS
from tests.simulator.policies import (
    ONE,
    REGION,
    TWO,
    allow,
    as_role,
    assumed,
    code_of,
    deny,
    document,
    message_of,
    role,
)

pytestmark = pytest.mark.simulated_aws

BUCKET = "arn:aws:s3:::drills"
OBJECTS = f"{BUCKET}/*"
THREE = "333333333333"


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        make_bucket(client(aws, ONE), "drills")
        client(aws, ONE).put_object(Bucket="drills", Key="a/b", Body=b"x")
        yield aws


def client(aws: SimulatedAWS, account: str) -> Any:
    return aws.session(account, REGION).client("s3")


def make_bucket(s3: Any, name: str, **more: Any) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}, **more)


def named(statement: Mapping[str, Any], principal: str) -> dict[str, Any]:
    """The statement with whom it is about: an ARN or an account, or everybody."""
    return {**statement, "Principal": "*" if principal == "*" else {"AWS": principal}}


def set_policy(aws: SimulatedAWS, *statements: Mapping[str, Any], bucket: str = "drills") -> None:
    client(aws, ONE).put_bucket_policy(Bucket=bucket, Policy=document(*statements))


# --- Across accounts -------------------------------------------------------------------------------------------------


def test_another_account_is_let_in_by_nobody_by_default(aws: SimulatedAWS) -> None:
    stranger = client(aws, TWO)
    for call, more in (
        (stranger.get_object, {"Key": "a/b"}),
        (stranger.head_object, {"Key": "a/b"}),
        (stranger.put_object, {"Key": "c", "Body": b"x"}),
        (stranger.delete_object, {"Key": "a/b"}),
        (stranger.list_objects_v2, {}),
        (stranger.list_object_versions, {}),
        (stranger.get_object_tagging, {"Key": "a/b"}),
        (stranger.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Suspended"}}),
        (stranger.delete_bucket, {}),
    ):
        assert code_of(call, Bucket="drills", **more) in ("AccessDenied", "403"), call
    assert client(aws, ONE).get_object(Bucket="drills", Key="a/b")["Body"].read() == b"x"


def test_plain_moto_lets_every_account_in() -> None:
    with mock_aws():
        one = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        one.create_bucket(Bucket="drills")
        sts = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        keys = sts.assume_role(RoleArn=f"arn:aws:iam::{TWO}:role/stranger", RoleSessionName="stranger")["Credentials"]
        two = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        two.put_object(Bucket="drills", Key="a", Body=b"x")
        assert code_of(two.delete_object, Bucket="drills", Key="a") == ""


def test_a_policy_lets_an_account_do_what_it_says_and_no_more(aws: SimulatedAWS) -> None:
    set_policy(
        aws,
        named(allow("s3:GetObject", f"{BUCKET}/a/*"), f"arn:aws:iam::{TWO}:root"),
        named(allow("s3:ListBucket", BUCKET, {"StringLike": {"s3:prefix": "a/*"}}), TWO),
    )
    stranger = client(aws, TWO)
    assert stranger.get_object(Bucket="drills", Key="a/b")["Body"].read() == b"x"
    assert stranger.list_objects_v2(Bucket="drills", Prefix="a/")["KeyCount"] == 1
    assert code_of(stranger.list_objects_v2, Bucket="drills") == "AccessDenied"
    assert code_of(stranger.put_object, Bucket="drills", Key="a/b", Body=b"y") == "AccessDenied"
    assert code_of(client(aws, THREE).get_object, Bucket="drills", Key="a/b") == "AccessDenied"


def test_across_accounts_both_sides_must_allow(aws: SimulatedAWS) -> None:
    arn = role(aws, "reader", account=TWO)
    set_policy(aws, named(allow("s3:GetObject", OBJECTS), arn))
    s3 = assumed(aws.session(TWO), arn).client("s3")
    assert "no identity-based policy allows" in message_of(s3.get_object, Bucket="drills", Key="a/b")
    aws.session(TWO).client("iam").put_role_policy(
        RoleName="reader", PolicyName="all", PolicyDocument=document(allow("s3:*"))
    )
    assert s3.get_object(Bucket="drills", Key="a/b")["Body"].read() == b"x"
    assert "no resource-based policy allows" in message_of(s3.list_objects_v2, Bucket="drills")


def test_within_the_account_one_side_is_enough(aws: SimulatedAWS) -> None:
    arn = role(aws, "reader")
    s3 = assumed(aws.session(ONE), arn).client("s3")
    assert code_of(s3.get_object, Bucket="drills", Key="a/b") == "AccessDenied"
    set_policy(aws, named(allow("s3:GetObject", OBJECTS), f"arn:aws:iam::{ONE}:root"))
    assert code_of(s3.get_object, Bucket="drills", Key="a/b") == "AccessDenied", "the account only delegates"
    set_policy(aws, named(allow("s3:GetObject", OBJECTS), arn))
    assert s3.get_object(Bucket="drills", Key="a/b")["Body"].read() == b"x"


def test_a_deny_binds_even_the_administrators_of_the_account(aws: SimulatedAWS) -> None:
    set_policy(aws, named(deny("s3:DeleteObject*", OBJECTS), "*"))
    s3 = client(aws, ONE)
    assert "explicit deny in a resource-based policy" in message_of(s3.delete_object, Bucket="drills", Key="a/b")
    s3.put_object(Bucket="drills", Key="a/b", Body=b"y")


def test_a_deny_spares_whom_it_names(aws: SimulatedAWS) -> None:
    spared = role(aws, "spared", allow("s3:*"))
    other = as_role(aws, allow("s3:*"), name="other").client("s3")
    set_policy(aws, {**deny("s3:GetObject", OBJECTS), "NotPrincipal": {"AWS": [spared]}})
    assert assumed(aws.session(ONE), spared).client("s3").get_object(Bucket="drills", Key="a/b")
    assert code_of(other.get_object, Bucket="drills", Key="a/b") == "AccessDenied"


def test_a_deny_for_others_does_not_touch_the_owner(aws: SimulatedAWS) -> None:
    set_policy(aws, named(deny("s3:*", OBJECTS), f"arn:aws:iam::{THREE}:root"))
    client(aws, ONE).put_object(Bucket="drills", Key="c", Body=b"x")


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": TWO}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": TWO}}, False),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{TWO}:role/backup-*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{TWO}:role/other-*"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"StringEquals": {"s3:x-amz-storage-class": "STANDARD_IA"}}, True),
        ({"StringEquals": {"s3:x-amz-storage-class": "GLACIER"}}, False),
        ({"StringEquals": {"s3:RequestObjectTag/kind": "copy"}}, True),
        ({"StringEquals": {"s3:RequestObjectTag/kind": "other"}}, False),
        ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ],
)
def test_conditions_of_a_policy(aws: SimulatedAWS, condition: Mapping[str, Any], allowed: bool) -> None:
    arn = role(aws, "backup-writer", allow("s3:*"), account=TWO)
    set_policy(aws, named(allow(["s3:PutObject", "s3:PutObjectTagging"], OBJECTS, condition), arn))
    s3 = assumed(aws.session(TWO), arn).client("s3")
    put: Any = {"Bucket": "drills", "Key": "c", "Body": b"x", "StorageClass": "STANDARD_IA", "Tagging": "kind=copy"}
    assert (code_of(s3.put_object, **put) == "") is allowed


def test_the_tag_that_is_on_an_object_is_a_condition(aws: SimulatedAWS) -> None:
    client(aws, ONE).put_object(Bucket="drills", Key="shared", Body=b"x", Tagging="share=yes")
    set_policy(aws, named(allow("s3:GetObject", OBJECTS, {"StringEquals": {"s3:ExistingObjectTag/share": "yes"}}), TWO))
    stranger = client(aws, TWO)
    assert stranger.get_object(Bucket="drills", Key="shared")["Body"].read() == b"x"
    assert code_of(stranger.get_object, Bucket="drills", Key="a/b") == "AccessDenied"


def test_members_of_the_organization_are_a_condition(aws: SimulatedAWS) -> None:
    organizations = aws.session(ONE).client("organizations")
    organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
    made = organizations.create_account(Email="a@example.com", AccountName="vault")["CreateAccountStatus"]
    set_policy(
        aws,
        named(allow("s3:GetObject", OBJECTS, {"StringEquals": {"aws:PrincipalOrgID": organization}}), "*"),
    )
    assert code_of(client(aws, made["AccountId"]).get_object, Bucket="drills", Key="a/b") == ""
    assert code_of(client(aws, THREE).get_object, Bucket="drills", Key="a/b") == "AccessDenied"


def test_a_copy_needs_the_source_as_well(aws: SimulatedAWS) -> None:
    two = client(aws, TWO)
    make_bucket(two, "theirs")
    copy: Any = {"Bucket": "theirs", "Key": "c", "CopySource": "drills/a/b"}
    assert code_of(two.copy_object, **copy) == "AccessDenied"
    set_policy(aws, named(allow(["s3:GetObject", "s3:GetObjectTagging"], OBJECTS), TWO))
    client(aws, ONE).put_object_tagging(Bucket="drills", Key="a/b", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    two.copy_object(**copy)
    assert two.get_object_tagging(Bucket="theirs", Key="c")["TagSet"] == [{"Key": "k", "Value": "v"}]


def test_tags_are_one_for_all_accounts(aws: SimulatedAWS) -> None:
    set_policy(aws, named(allow("s3:*", [BUCKET, OBJECTS]), TWO))
    one, two = client(aws, ONE), client(aws, TWO)
    two.put_object_tagging(Bucket="drills", Key="a/b", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert one.get_object_tagging(Bucket="drills", Key="a/b")["TagSet"] == [{"Key": "k", "Value": "v"}]
    two.put_object(Bucket="drills", Key="c", Body=b"x", Tagging="by=two")
    assert one.get_object_tagging(Bucket="drills", Key="c")["TagSet"] == [{"Key": "by", "Value": "two"}]


# --- Whose bucket, whose object --------------------------------------------------------------------------------------


def test_the_expected_owner_is_checked(aws: SimulatedAWS) -> None:
    s3 = client(aws, ONE)
    s3.get_object(Bucket="drills", Key="a/b", ExpectedBucketOwner=ONE)
    assert code_of(s3.get_object, Bucket="drills", Key="a/b", ExpectedBucketOwner=TWO) == "AccessDenied"
    assert code_of(s3.put_object, Bucket="drills", Key="c", Body=b"", ExpectedBucketOwner=TWO) == "AccessDenied"
    copy: Any = {"Bucket": "drills", "Key": "c", "CopySource": "drills/a/b"}
    assert code_of(s3.copy_object, **copy, ExpectedSourceBucketOwner=TWO) == "AccessDenied"
    s3.copy_object(**copy, ExpectedSourceBucketOwner=ONE)


def test_the_writer_owns_what_it_writes_where_acls_are_on(aws: SimulatedAWS) -> None:
    one, two = client(aws, ONE), client(aws, TWO)
    make_bucket(one, "shared", ObjectOwnership="ObjectWriter")
    policy = named(allow("s3:PutObject*", "arn:aws:s3:::shared/*"), TWO)
    set_policy(aws, policy, bucket="shared")
    two.put_object(Bucket="shared", Key="theirs", Body=b"x")
    two.put_object(Bucket="shared", Key="given", Body=b"x", ACL="bucket-owner-full-control")
    assert code_of(one.get_object, Bucket="shared", Key="theirs") == "AccessDenied"
    assert one.get_object(Bucket="shared", Key="given")["Body"].read() == b"x"
    one.delete_object(Bucket="shared", Key="theirs")


def test_the_bucket_owner_owns_everything_where_acls_are_off(aws: SimulatedAWS) -> None:
    one, two = client(aws, ONE), client(aws, TWO)
    make_bucket(one, "enforced", ObjectOwnership="BucketOwnerEnforced")
    set_policy(aws, named(allow("s3:PutObject*", "arn:aws:s3:::enforced/*"), TWO), bucket="enforced")
    two.put_object(Bucket="enforced", Key="a", Body=b"x")
    two.put_object(Bucket="enforced", Key="b", Body=b"x", ACL="bucket-owner-full-control")
    assert one.get_object(Bucket="enforced", Key="a")["Body"].read() == b"x"
    assert code_of(two.put_object, Bucket="enforced", Key="c", Body=b"", ACL="public-read") == (
        "AccessControlListNotSupported"
    )
    assert code_of(one.put_object_acl, Bucket="enforced", Key="a", ACL="public-read") == "AccessControlListNotSupported"
    assert code_of(one.put_bucket_acl, Bucket="enforced", ACL="public-read") == "AccessControlListNotSupported"


def test_an_acl_opens_an_object_to_everybody(aws: SimulatedAWS) -> None:
    one, two = client(aws, ONE), client(aws, TWO)
    make_bucket(one, "open", ObjectOwnership="ObjectWriter")
    one.put_object(Bucket="open", Key="a", Body=b"x", ACL="public-read")
    one.put_object(Bucket="open", Key="b", Body=b"x")
    assert two.get_object(Bucket="open", Key="a")["Body"].read() == b"x"
    assert code_of(two.get_object, Bucket="open", Key="b") == "AccessDenied"
    one.put_public_access_block(Bucket="open", PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    assert code_of(two.get_object, Bucket="open", Key="a") == "AccessDenied"


# --- Public access ---------------------------------------------------------------------------------------------------


def test_a_public_policy_is_refused_where_it_is_blocked(aws: SimulatedAWS) -> None:
    s3 = client(aws, ONE)
    s3.put_public_access_block(Bucket="drills", PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    everybody = named(allow("s3:GetObject", OBJECTS), "*")
    assert code_of(s3.put_bucket_policy, Bucket="drills", Policy=document(everybody)) == "AccessDenied"
    pinned = named(allow("s3:GetObject", OBJECTS, {"StringEquals": {"aws:PrincipalAccount": TWO}}), "*")
    s3.put_bucket_policy(Bucket="drills", Policy=document(pinned))
    assert client(aws, TWO).get_object(Bucket="drills", Key="a/b")


def test_a_public_policy_lets_nobody_in_where_that_is_restricted(aws: SimulatedAWS) -> None:
    set_policy(aws, named(allow("s3:GetObject", OBJECTS), "*"))
    two = client(aws, TWO)
    assert two.get_object(Bucket="drills", Key="a/b")
    aws.session(ONE, REGION).client("s3control").put_public_access_block(
        AccountId=ONE, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    assert code_of(two.get_object, Bucket="drills", Key="a/b") == "AccessDenied"
    assert client(aws, ONE).get_object(Bucket="drills", Key="a/b")


def test_a_public_acl_is_refused_where_it_is_blocked(aws: SimulatedAWS) -> None:
    one = client(aws, ONE)
    make_bucket(one, "blocked", ObjectOwnership="ObjectWriter")
    one.put_public_access_block(Bucket="blocked", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert code_of(one.put_object, Bucket="blocked", Key="a", Body=b"", ACL="public-read") == "AccessDenied"
    assert code_of(one.put_bucket_acl, Bucket="blocked", ACL="public-read-write") == "AccessDenied"
    one.put_object(Bucket="blocked", Key="a", Body=b"", ACL="bucket-owner-full-control")


@pytest.mark.parametrize(
    "policy",
    [
        "no policy",
        document(allow("s3:GetObject", OBJECTS)),
        document({**allow("s3:GetObject", "arn:aws:s3:::others/*"), "Principal": "*"}),
        document({**allow("s3:GetObject", OBJECTS), "Principal": {"AWS": f"arn:aws:iam::{TWO}:role/nobody"}}),
    ],
)
def test_a_policy_that_is_none_is_refused(aws: SimulatedAWS, policy: str) -> None:
    assert code_of(client(aws, ONE).put_bucket_policy, Bucket="drills", Policy=policy) == "MalformedPolicy"
