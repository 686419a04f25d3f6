"""Accounts, roles and sessions, through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from drills.errors import SimulatorError
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
    table,
    trust,
    with_keys,
)

ROOT_OF_ONE = f"arn:aws:iam::{ONE}:root"


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        yield aws


def caller(session: boto3.Session) -> dict[str, str]:
    answer = session.client("sts", region_name=REGION).get_caller_identity()
    return {name: answer[name] for name in ("Account", "Arn", "UserId")}


# --- Accounts --------------------------------------------------------------------------------------------------------


def test_accounts_see_only_their_own(aws: SimulatedAWS) -> None:
    table(aws.session(ONE, REGION), "mine")
    assert aws.session(ONE, REGION).client("dynamodb").list_tables()["TableNames"] == ["mine"]
    assert aws.session(TWO, REGION).client("dynamodb").list_tables()["TableNames"] == []
    assert boto3.client("dynamodb", region_name=REGION).list_tables()["TableNames"] == []


def test_motos_default_account_is_that_of_the_environment(aws: SimulatedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "999999999999")
    table(boto3.Session(region_name=REGION), "theirs")
    assert caller(boto3.Session())["Account"] == "999999999999"
    # Credentials that were issued for an account stay that account's.
    assert caller(aws.session(ONE))["Account"] == ONE
    assert aws.session(ONE, REGION).client("dynamodb").list_tables()["TableNames"] == []


@pytest.mark.parametrize("name", ["production", "12345678901", "1234567890123", "12345678901x"])
def test_an_account_id_has_twelve_digits(aws: SimulatedAWS, name: str) -> None:
    for refused in (aws.session, aws.close_account):
        with pytest.raises(SimulatorError, match="twelve digits"):
            refused(name)


# --- Who calls -------------------------------------------------------------------------------------------------------


def test_every_kind_of_principal_knows_who_it_is(aws: SimulatedAWS) -> None:
    administrator = aws.session(ONE)
    assert caller(administrator)["Arn"] == f"arn:aws:iam::{ONE}:user/administrator"
    iam = administrator.client("iam")
    user = iam.create_user(UserName="ann", Path="/staff/")["User"]
    session = with_keys(iam.create_access_key(UserName="ann")["AccessKey"])
    assert caller(session) == {"Account": ONE, "Arn": f"arn:aws:iam::{ONE}:user/staff/ann", "UserId": user["UserId"]}
    arn = role(aws, "worker", Path="/team/")
    found = caller(assumed(administrator, arn))
    role_id = iam.get_role(RoleName="worker")["Role"]["RoleId"]
    assert found == {
        "Account": ONE,
        "Arn": f"arn:aws:sts::{ONE}:assumed-role/worker/test",
        "UserId": f"{role_id}:test",
    }
    token = with_keys(session.client("sts").get_session_token()["Credentials"])
    assert caller(token)["Arn"] == f"arn:aws:iam::{ONE}:user/staff/ann"
    federated = administrator.client("sts").get_federation_token(Name="guest", Policy=document(allow("s3:*")))
    guest = with_keys(federated["Credentials"])
    assert caller(guest)["Arn"] == f"arn:aws:sts::{ONE}:federated-user/guest"
    assert guest.client("s3").list_buckets()["Buckets"] == []
    assert code_of(guest.client("dynamodb").list_tables) == "AccessDeniedException"


def test_the_answer_of_assume_role_names_the_session(aws: SimulatedAWS) -> None:
    answer = aws.session(ONE).client("sts").assume_role(RoleArn=role(aws, "worker"), RoleSessionName="night@home")
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ONE}:assumed-role/worker/night@home"
    assert answer["Credentials"]["Expiration"] == aws.clock.now() + timedelta(hours=1)
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


# --- Who may assume --------------------------------------------------------------------------------------------------


def test_a_role_must_exist(aws: SimulatedAWS) -> None:
    arn = f"arn:aws:iam::{ONE}:role/nobody"
    sts = aws.session(ONE).client("sts")
    said = message_of(sts.assume_role, RoleArn=arn, RoleSessionName="test")
    user = f"arn:aws:iam::{ONE}:user/administrator"
    assert said == f"User: {user} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    assert code_of(sts.assume_role, RoleArn=arn, RoleSessionName="test") == "AccessDenied"


def test_a_role_must_trust_the_callers_account(aws: SimulatedAWS) -> None:
    ours = role(aws, "ours", account=TWO)
    shared = role(aws, "shared", account=TWO, trusts=ROOT_OF_ONE)
    sts = aws.session(ONE).client("sts")
    assert code_of(sts.assume_role, RoleArn=ours, RoleSessionName="test") == "AccessDenied"
    assert caller(assumed(aws.session(ONE), shared))["Account"] == TWO


def test_across_accounts_the_callers_own_policies_must_allow_it_too(aws: SimulatedAWS) -> None:
    target = f"arn:aws:iam::{TWO}:role/writer"
    may = role(aws, "may", allow("sts:AssumeRole", target))
    may_not = role(aws, "may_not", allow("sts:AssumeRole", f"arn:aws:iam::{TWO}:role/other"))
    forbidden = role(aws, "forbidden", allow("*"), deny("sts:*", target))
    role(aws, "writer", account=TWO, trusts=[may, may_not, forbidden])
    one = aws.session(ONE)
    assert caller(assumed(assumed(one, may), target))["Account"] == TWO
    for name in (may_not, forbidden):
        sts = assumed(one, name).client("sts")
        assert code_of(sts.assume_role, RoleArn=target, RoleSessionName="test") == "AccessDenied"


def test_within_an_account_trust_by_name_is_enough_and_trust_of_the_account_is_not(aws: SimulatedAWS) -> None:
    poor = role(aws, "poor")
    by_name = role(aws, "by_name", trusts=poor)
    by_account = role(aws, "by_account")
    session = assumed(aws.session(ONE), poor)
    assert caller(assumed(session, by_name))["Arn"].endswith("assumed-role/by_name/test")
    assert code_of(session.client("sts").assume_role, RoleArn=by_account, RoleSessionName="test") == "AccessDenied"


def test_a_user_may_be_trusted_by_name(aws: SimulatedAWS) -> None:
    iam = aws.session(ONE).client("iam")
    arn = iam.create_user(UserName="ann")["User"]["Arn"]
    iam.create_user(UserName="bob")
    target = role(aws, "worker", trusts=arn)
    ann, bob = (with_keys(iam.create_access_key(UserName=name)["AccessKey"]) for name in ("ann", "bob"))
    assert caller(assumed(ann, target))["Account"] == ONE
    assert code_of(bob.client("sts").assume_role, RoleArn=target, RoleSessionName="test") == "AccessDenied"


def test_a_role_that_trusts_a_service_trusts_no_account(aws: SimulatedAWS) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = role(aws, "function", trusts=statement)
    sts = aws.session(ONE).client("sts")
    assert code_of(sts.assume_role, RoleArn=arn, RoleSessionName="test") == "AccessDenied"


def test_the_external_id_must_be_right(aws: SimulatedAWS) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    arn = role(aws, "shared", account=TWO, trusts=trust(ROOT_OF_ONE, condition))
    one = aws.session(ONE)
    assert caller(assumed(one, arn, ExternalId="secret"))["Account"] == TWO
    for given in ({}, {"ExternalId": "wrong"}):
        assert code_of(one.client("sts").assume_role, RoleArn=arn, RoleSessionName="test", **given) == "AccessDenied"


def test_a_trust_that_cannot_be_judged_lets_nobody_in(aws: SimulatedAWS) -> None:
    arn = role(aws, "shared", trusts=trust(ROOT_OF_ONE, {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    assert code_of(aws.session(ONE).client("sts").assume_role, RoleArn=arn, RoleSessionName="test") == "AccessDenied"


# --- How long, and how much ------------------------------------------------------------------------------------------


def test_sessions_end(aws: SimulatedAWS) -> None:
    session = assumed(aws.session(ONE), role(aws, "worker", allow("*")), DurationSeconds=900)
    table(session)
    dynamodb, s3, iam = (session.client(name) for name in ("dynamodb", "s3", "iam"))
    aws.clock.sleep(899)
    dynamodb.list_tables()
    aws.clock.sleep(1)
    assert code_of(dynamodb.list_tables) == "ExpiredTokenException"
    assert code_of(s3.list_buckets) == "ExpiredToken"
    assert code_of(iam.list_roles) == "ExpiredToken"
    assert message_of(dynamodb.list_tables) == "The security token included in the request is expired"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (899, "greater than or equal to 900"),
        (43201, "less than or equal to 43200"),
        (7201, "exceeds the MaxSessionDuration set for this role"),
    ],
)
def test_a_session_is_no_longer_than_allowed(aws: SimulatedAWS, seconds: int, said: str) -> None:
    arn = role(aws, "worker", MaxSessionDuration=7200)
    sts = aws.session(ONE).client("sts", config=Config(parameter_validation=False))
    assert said in message_of(sts.assume_role, RoleArn=arn, RoleSessionName="test", DurationSeconds=seconds)
    sts.assume_role(RoleArn=arn, RoleSessionName="test", DurationSeconds=7200)


def test_a_role_assumed_by_a_role_ends_within_the_hour(aws: SimulatedAWS) -> None:
    second = role(aws, "second", MaxSessionDuration=43200)
    first = assumed(aws.session(ONE), role(aws, "first", allow("sts:AssumeRole")), DurationSeconds=3600).client("sts")
    said = message_of(first.assume_role, RoleArn=second, RoleSessionName="test", DurationSeconds=3601)
    assert "1 hour session limit for roles assumed by role chaining" in said
    first.assume_role(RoleArn=second, RoleSessionName="test", DurationSeconds=3600)


def test_a_session_policy_narrows_and_never_widens(aws: SimulatedAWS) -> None:
    arn = role(aws, "worker", allow(["dynamodb:ListTables", "s3:ListAllMyBuckets"]))
    narrow = assumed(aws.session(ONE), arn, Policy=document(allow(["dynamodb:*", "sqs:*"])))
    narrow.client("dynamodb").list_tables()
    assert "no session policy allows the s3:ListAllMyBuckets action" in message_of(narrow.client("s3").list_buckets)
    assert "no identity-based policy allows" in message_of(narrow.client("sqs").list_queues)


def test_a_managed_session_policy_narrows(aws: SimulatedAWS) -> None:
    arn = role(aws, "worker", allow("*"))
    iam = aws.session(ONE).client("iam")
    policy = iam.create_policy(PolicyName="lists", PolicyDocument=document(allow("dynamodb:List*")))["Policy"]["Arn"]
    session = assumed(aws.session(ONE), arn, PolicyArns=[{"arn": policy}])
    session.client("dynamodb").list_tables()
    assert code_of(session.client("s3").list_buckets) == "AccessDenied"


def test_a_session_token_cannot_be_had_with_a_session(aws: SimulatedAWS) -> None:
    session = as_role(aws, allow("*"))
    assert code_of(session.client("sts").get_session_token) == "AccessDenied"


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_inactive_and_deleted_keys_are_refused(aws: SimulatedAWS) -> None:
    iam = aws.session(ONE).client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="all", PolicyDocument=document(allow("*")))
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    session = with_keys(key)
    dynamodb, s3, sts = (session.client(name) for name in ("dynamodb", "s3", "sts"))
    dynamodb.list_tables()
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert code_of(dynamodb.list_tables) == "UnrecognizedClientException"
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Active")
    dynamodb.list_tables()
    iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    assert code_of(dynamodb.list_tables) == "UnrecognizedClientException"
    assert code_of(s3.list_buckets) == "InvalidAccessKeyId"
    assert code_of(sts.get_caller_identity) == "InvalidClientTokenId"


def test_a_key_that_was_never_used_is_refused_once_deleted(aws: SimulatedAWS) -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    assert code_of(with_keys(key).client("dynamodb").list_tables) == "UnrecognizedClientException"


# --- Closed accounts -------------------------------------------------------------------------------------------------


def test_a_closed_account_refuses_all_its_credentials(aws: SimulatedAWS) -> None:
    one = aws.session(ONE, REGION)
    role_session = as_role(aws, allow("*"))
    iam = one.client("iam")
    iam.create_user(UserName="ann")
    user = with_keys(iam.create_access_key(UserName="ann")["AccessKey"])
    later = aws.session(ONE, REGION)
    aws.close_account(ONE)
    for session in (one, role_session, user, later, aws.session(ONE, REGION)):
        assert code_of(session.client("dynamodb").list_tables) == "UnrecognizedClientException"
        assert code_of(session.client("sts").get_caller_identity) == "InvalidClientTokenId"
        assert code_of(session.client("s3").list_buckets) == "InvalidAccessKeyId"
        assert code_of(session.client("ec2").describe_instances) == "AuthFailure"
    aws.reopen_account(ONE)
    one.client("dynamodb").list_tables()


def test_sessions_of_before_may_be_kept_until_they_expire() -> None:
    with SimulatedAWS(closed_account_sessions="kept") as aws:
        arn = role(aws, "worker", allow("*"))
        other = role(aws, "vault", account=TWO, trusts=ROOT_OF_ONE)
        session = assumed(aws.session(ONE), arn)
        aws.clock.sleep(60)
        aws.close_account(ONE)
        session.client("dynamodb").list_tables()
        assert caller(assumed(session, other))["Account"] == TWO
        # No new session of the account is to be had, and long-term keys end with it.
        assert code_of(session.client("sts").assume_role, RoleArn=arn, RoleSessionName="test") == "AccessDenied"
        assert code_of(aws.session(ONE, REGION).client("dynamodb").list_tables) == "UnrecognizedClientException"
        aws.clock.sleep(3600)
        assert code_of(session.client("dynamodb").list_tables) == "ExpiredTokenException"


def test_nobody_assumes_a_role_of_a_closed_account(aws: SimulatedAWS) -> None:
    arn = role(aws, "shared", account=TWO, trusts=ROOT_OF_ONE)
    aws.close_account(TWO)
    assert code_of(aws.session(ONE).client("sts").assume_role, RoleArn=arn, RoleSessionName="test") == "AccessDenied"


def test_resources_of_a_closed_account_are_out_of_reach_of_others(aws: SimulatedAWS) -> None:
    two = aws.session(TWO, REGION)
    where: Any = {"LocationConstraint": "eu-west-1"}
    two.client("s3").create_bucket(Bucket="theirs", CreateBucketConfiguration=where)
    two.client("s3").put_object(Bucket="theirs", Key="a", Body=b"a")
    queue = two.client("sqs").create_queue(QueueName="theirs")["QueueUrl"]
    key = two.client("kms").create_key()["KeyMetadata"]["Arn"]
    one = aws.session(ONE, REGION)
    one.client("s3").create_bucket(Bucket="ours", CreateBucketConfiguration=where)
    aws.close_account(TWO)
    s3, dynamodb = one.client("s3"), one.client("dynamodb")
    source = f"arn:aws:dynamodb:{REGION}:{TWO}:table/t"
    for call, arguments in (
        (s3.get_object, {"Bucket": "theirs", "Key": "a"}),
        (s3.head_bucket, {"Bucket": "theirs"}),
        (s3.copy_object, {"Bucket": "ours", "Key": "a", "CopySource": "theirs/a"}),
        (dynamodb.describe_table, {"TableName": source}),
        (dynamodb.restore_table_to_point_in_time, {"SourceTableArn": source, "TargetTableName": "copy"}),
        (one.client("sqs").send_message, {"QueueUrl": queue, "MessageBody": "x"}),
        (one.client("kms").describe_key, {"KeyId": key}),
        (one.client("lambda").get_function, {"FunctionName": f"arn:aws:lambda:{REGION}:{TWO}:function:f"}),
    ):
        assert code_of(call, **arguments) in ("AccessDenied", "AccessDeniedException", "403"), call
    said = message_of(dynamodb.describe_table, TableName=source)
    assert said.startswith(f"Account {TWO} is suspended")


def test_an_arn_that_is_only_content_is_stored(aws: SimulatedAWS) -> None:
    one = aws.session(ONE, REGION)
    table(one)
    queue = one.client("sqs").create_queue(QueueName="ours")["QueueUrl"]
    arn = f"arn:aws:dynamodb:{REGION}:{TWO}:table/t"
    aws.close_account(TWO)
    one.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": arn}, "SourceArn": {"S": arn}})
    one.client("sqs").send_message(QueueUrl=queue, MessageBody=arn)
    one.client("ssm").put_parameter(Name="/place", Value=arn, Type="String")
    trusted = document(trust(f"arn:aws:iam::{TWO}:root"))
    one.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=trusted)
