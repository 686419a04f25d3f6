"""Roles, users and tables for tests of who may do what, made through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from drills.simulator import SimulatedAWS

ONE = "111111111111"
TWO = "222222222222"
REGION = "eu-west-1"
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


@cache
def _loader() -> Any:
    return botocore.session.get_session().get_component("data_loader")


def _botocore_session() -> botocore.session.Session:
    """With the descriptions of the services read once for all tests."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _loader())
    return session


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def deny(action: Any, resource: Any = "*", condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {**allow(action, resource, condition), "Effect": "Deny"}


def trust(principal: Any, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {**statement, "Condition": condition} if condition else statement


def role(
    aws: SimulatedAWS, name: str, *statements: Mapping[str, Any], account: str = ONE, trusts: Any = None, **more: Any
) -> str:
    """A role with these statements; it trusts its own account unless told otherwise. Returns its ARN."""
    iam = aws.session(account).client("iam")
    trusted = trusts if isinstance(trusts, dict) else trust(trusts or f"arn:aws:iam::{account}:root")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trusted), **more)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(*statements))
    return str(made["Role"]["Arn"])


def assumed(by: boto3.Session, role_arn: str, region: str = REGION, **more: Any) -> Any:
    """A session of the role, assumed by another session."""
    answer = by.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test", **more)
    return with_keys(answer["Credentials"], region)


def with_keys(keys: Mapping[str, Any], region: str = REGION) -> Any:
    return boto3.Session(
        botocore_session=_botocore_session(),
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        region_name=region,
    )


def as_role(aws: SimulatedAWS, *statements: Mapping[str, Any], name: str = "worker") -> Any:
    """A session of a new role of account ONE with these statements."""
    return assumed(aws.session(ONE), role(aws, name, *statements))


def table(session: boto3.Session, name: str = "orders", **more: Any) -> None:
    session.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def code_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """AWS's error code of the call, empty when it went well."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def message_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return str(error.response["Error"]["Message"])
    return ""
