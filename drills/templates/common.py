"""What the templates of all copies have: their roles, functions, alarms and common parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from drills.packing import package_name
from drills.templates.structure import NO_VALUE, Parameter, Structure, placeholder, resource

ACCOUNT = r"\d{12}"
REGION = r"[a-z]{2}(-[a-z]+)+-\d"
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
LONGEST_NAME = 50
NAME = r"[a-z][a-z0-9-]{1,48}[a-z0-9]"
"""So short and plain that everything is called as the copy's model calls it: nothing is shortened or replaced."""

HAS_ALARM_TOPIC: Structure = {"HasAlarmTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]}}


class Way(TypedDict):
    """From where to where a copy goes, and what it is called."""

    source_account: str
    source_region: str
    vault_account: str
    vault_region: str
    name: str


ANY_WAY: Way = {
    "source_account": placeholder("SourceAccount"),
    "source_region": placeholder("SourceRegion"),
    "vault_account": placeholder("VaultAccount"),
    "vault_region": placeholder("VaultRegion"),
    "name": placeholder("Name"),
}
"""Of the copy of any store: the parameters of its templates."""


def name_parameter() -> Parameter:
    return Parameter(
        "Name",
        f"What everything of this copy is called, the same in both accounts: 3 to {LONGEST_NAME} lower-case letters, "
        "digits and hyphens.",
        pattern=NAME,
    )


def account_parameter(name: str, what: str) -> Parameter:
    return Parameter(name, f"The id of {what}, 12 digits.", pattern=ACCOUNT)


def region_parameter(name: str, what: str) -> Parameter:
    return Parameter(name, f"The region of {what}, such as eu-central-1.", pattern=REGION)


def alarm_topic_parameter(default: str) -> Parameter:
    return Parameter(
        "AlarmTopic",
        "ARN of an SNS topic of this account and region that the alarms notify; empty for none.",
        default=default,
        pattern=r"(arn:aws:sns:.+)?",
    )


def external_id_parameter() -> Parameter:
    return Parameter(
        "ExternalId",
        "Ties the role that the other account's function uses to this one copy, the same in both accounts; any value "
        "of 16 to 64 letters, digits and hyphens. Not a secret.",
        pattern=r"[A-Za-z0-9-]{16,64}",
    )


def code_parameters(handler: str) -> tuple[Parameter, Parameter]:
    return (
        Parameter(
            "CodeBucket",
            "The bucket that the function's package was uploaded to, in this stack's region.",
            pattern=BUCKET,
        ),
        Parameter(
            "CodeKey",
            "The package's key in that bucket. Its name changes with its content, so that a new one is deployed.",
            default=package_name(handler),
        ),
    )


def said(value: str, words: str) -> str:
    """The value, or words for it where it is a placeholder."""
    return words if value.startswith("$") else value


def tags(copy_tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in copy_tags.items()]


def role(name: str, trust: Structure, policy_name: str, policy: Structure, copy_tags: Mapping[str, str]) -> Structure:
    return resource(
        "AWS::IAM::Role",
        {
            "RoleName": name,
            "AssumeRolePolicyDocument": trust,
            "Policies": [{"PolicyName": policy_name, "PolicyDocument": policy}],
            "Tags": tags(copy_tags),
        },
    )


def function(name: str, configuration: Structure, copy_tags: Mapping[str, str]) -> Structure:
    """``configuration``: what CreateFunction is given beside the name and the code."""
    return resource(
        "AWS::Lambda::Function",
        {
            "FunctionName": name,
            "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
            **configuration,
            "Tags": tags(copy_tags),
        },
    )


def schedule(
    name: str, expression: str, function_arn: str, event: Structure, copy_tags: Mapping[str, str]
) -> Structure:
    """A rule that gives the function this event again and again."""
    return resource(
        "AWS::Events::Rule",
        {
            "Name": name,
            "ScheduleExpression": expression,
            "State": "ENABLED",
            "Targets": [{"Id": "function", "Arn": function_arn, "Input": json.dumps(event)}],
            "Tags": tags(copy_tags),
        },
    )


def permission(function_name: Structure, rule_arn: Structure) -> Structure:
    """That the rule may invoke the function."""
    return resource(
        "AWS::Lambda::Permission",
        {
            "FunctionName": function_name,
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": rule_arn,
        },
    )


def alarm_resources(
    alarms: Sequence[Mapping[str, Any]], name: str, copy_tags: Mapping[str, str]
) -> dict[str, Structure]:
    """The alarms of a copy called ``name``, each called by what its name ends with, such as ``GivenUpAlarm``.

    They notify the parameter ``AlarmTopic``, where it is given.
    """
    found = {}
    for alarm in alarms:
        words = str(alarm["AlarmName"]).removeprefix(f"{name}-").split("-")
        logical = "".join(word.capitalize() for word in words) + "Alarm"
        actions = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], NO_VALUE]}
        properties = {**alarm, "AlarmActions": actions, "Tags": tags(copy_tags)}
        found[logical] = resource("AWS::CloudWatch::Alarm", properties)
    return found
