"""What either side consists of: its key, its function with its role, the schedule that runs it, and its alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from drills.handlers.snapshot_copy import METRIC_NAMESPACE, TAKE_DOWN, Settings
from drills.packing import packed
from drills.presence import exists
from drills.snapshot_copy.model import Clients, Side, SnapshotCopy, Wait
from drills.snapshot_copy.policies import (
    function_trust,
    key_policy,
    production_policy,
    reader_policy,
    reader_trust,
    vault_policy,
)

POLICY = "copy"
RUNTIME = "python3.13"
TIMEOUT_SECONDS = 600
MEMORY_MB = 256
KEY_WAITING_DAYS = 7


# --- Keys ------------------------------------------------------------------------------------------------------------


def key_of(copy: SnapshotCopy, clients: Clients, side: Side) -> str | None:
    """The ARN of the side's key: the one that the options name, or the one made under the copy's alias."""
    given = copy.options.production_key if side == "production" else copy.options.vault_key
    if given:
        return given
    kms = clients(side, "kms", copy.vault_region)
    found = exists(lambda: kms.describe_key(KeyId=copy.key_alias(side)))
    return str(found["KeyMetadata"]["Arn"]) if found else None


def key_description(copy: SnapshotCopy, side: Side) -> str:
    return f"Snapshots of {copy.name}, {side}"


def make_key(copy: SnapshotCopy, clients: Clients, side: Side) -> str:
    """The side's key, in the vault's region, whose policy lets in who has to read what is encrypted with it."""
    kms = clients(side, "kms", copy.vault_region)
    policy, found = json.dumps(key_policy(copy, side)), key_of(copy, clients, side)
    if found is None:
        tags = [{"TagKey": key, "TagValue": value} for key, value in copy.tags.items()]
        made = kms.create_key(Description=key_description(copy, side), Policy=policy, Tags=tags)
        found = str(made["KeyMetadata"]["Arn"])
        kms.create_alias(AliasName=copy.key_alias(side), TargetKeyId=found)
    elif not (copy.options.production_key if side == "production" else copy.options.vault_key):
        kms.put_key_policy(KeyId=found, PolicyName="default", Policy=policy)
    return found


# --- Roles -----------------------------------------------------------------------------------------------------------


def roles(copy: SnapshotCopy) -> list[tuple[Side, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Of each role its side, its name, whom it trusts and what it may."""
    found: list[tuple[Side, str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("production", copy.role("production"), function_trust(), production_policy(copy))
    ]
    if copy.crosses_accounts:
        found.append(("vault", copy.role("vault"), function_trust(), vault_policy(copy)))
        found.append(("production", copy.reader_role, reader_trust(copy), reader_policy(copy)))
    return found


def make_roles(copy: SnapshotCopy, clients: Clients, wait: Wait) -> None:
    for side, name, trust, policy in roles(copy):
        _make_role(copy, clients(side, "iam", copy.place(side)[1]), wait, name, json.dumps(trust), json.dumps(policy))


def _make_role(copy: SnapshotCopy, iam: Any, wait: Wait, name: str, trust: str, policy: str) -> None:
    def made() -> bool:
        try:
            if exists(lambda: iam.get_role(RoleName=name)) is None:
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=copy.tag_list)
            else:
                # A trusted role that is deleted and made again is another principal: the trust must be put anew.
                iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        except iam.exceptions.MalformedPolicyDocumentException:
            return False  # IAM takes a while to know a new principal.
        return True

    wait(f"role {name}", made, every_seconds=3, limit_seconds=120)
    iam.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=policy)


# --- Functions -------------------------------------------------------------------------------------------------------


def function_code() -> bytes:
    """The deployment package of both functions: one package, the same bytes every time."""
    return packed("snapshot_copy")


def function_configuration(copy: SnapshotCopy, side: Side, settings: Settings) -> dict[str, Any]:
    """What CreateFunction and UpdateFunctionConfiguration are given beside the name and the code."""
    return {
        "Role": copy.role_arn(side),
        "Runtime": RUNTIME,
        "Handler": f"snapshot_copy.{side}_handler",
        "Timeout": TIMEOUT_SECONDS,
        "MemorySize": MEMORY_MB,
        "Environment": {"Variables": settings.as_environment()},
    }


def make_function(copy: SnapshotCopy, clients: Clients, wait: Wait, side: Side, settings: Settings) -> None:
    """The side's function; returns when it is in use. One run of it at a time is enough."""
    client, name = clients(side, "lambda", copy.place(side)[1]), copy.function(side)
    configuration = function_configuration(copy, side, settings)

    def created() -> bool:
        try:
            client.create_function(
                FunctionName=name, Code={"ZipFile": function_code()}, Tags=dict(copy.tags), **configuration
            )
        except client.exceptions.InvalidParameterValueException as error:
            # Lambda says so for some seconds about a role that was just made.
            if "role" not in str(error).lower():
                raise
            return False
        return True

    def settled() -> bool:
        found = client.get_function_configuration(FunctionName=name)
        return (found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")) == ("Active", "Successful")

    if exists(lambda: client.get_function_configuration(FunctionName=name)) is None:
        wait(f"function {name}", created, every_seconds=3, limit_seconds=120)
    else:
        client.update_function_code(FunctionName=name, ZipFile=function_code())
        wait(f"function {name}", settled, every_seconds=1, limit_seconds=300)
        client.update_function_configuration(FunctionName=name, **configuration)
    wait(f"function {name}", settled, every_seconds=1, limit_seconds=300)


def schedule_expression(copy: SnapshotCopy) -> str:
    minutes = copy.options.every_minutes
    return f"rate({minutes} minute{'' if minutes == 1 else 's'})"


def make_schedule(copy: SnapshotCopy, clients: Clients, side: Side) -> None:
    region = copy.place(side)[1]
    events, client = clients(side, "events", region), clients(side, "lambda", region)
    arn = events.put_rule(
        Name=copy.rule(side),
        ScheduleExpression=schedule_expression(copy),
        State="ENABLED",
        Tags=copy.tag_list,
    )["RuleArn"]
    events.put_targets(
        Rule=copy.rule(side), Targets=[{"Id": "function", "Arn": copy.function_arn(side), "Input": "{}"}]
    )
    try:
        client.add_permission(
            FunctionName=copy.function(side),
            StatementId="schedule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=arn,
        )
    except client.exceptions.ResourceConflictException:
        return


# --- Alarms ----------------------------------------------------------------------------------------------------------


def alarms(copy: SnapshotCopy, side: Side) -> list[dict[str, Any]]:
    """One alarm each for: a copy that is too old, or of which nothing is heard; something that needs people; snapshots
    that failed; a function that fails."""
    ours = [{"Name": "Copy", "Value": copy.name}, {"Name": "Side", "Value": side}]
    function = [{"Name": "FunctionName", "Value": copy.function(side)}]
    topic = copy.options.alarm_topics.get(side)
    silence_minutes = 3 * copy.options.every_minutes
    return [
        {
            "AlarmName": f"{copy.name}-{side}-{name}",
            "Namespace": space,
            "MetricName": metric,
            "Dimensions": dimensions,
            "Statistic": "Maximum" if metric == "AgeSeconds" else "Sum",
            "Period": 60 * silence_minutes,
            "EvaluationPeriods": 1,
            "Threshold": float(threshold),
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": missing,
            "ActionsEnabled": True,
            "AlarmActions": [topic] if topic else [],
        }
        for name, space, metric, dimensions, threshold, missing in (
            ("age", METRIC_NAMESPACE, "AgeSeconds", ours, copy.options.objective_seconds, "breaching"),
            ("problems", METRIC_NAMESPACE, "Problems", ours, 0, "notBreaching"),
            ("failed", METRIC_NAMESPACE, "FailedSnapshots", ours, 0, "notBreaching"),
            ("failing", "AWS/Lambda", "Errors", function, 0, "notBreaching"),
        )
    ]


def make_alarms(copy: SnapshotCopy, clients: Clients, side: Side) -> None:
    cloudwatch = clients(side, "cloudwatch", copy.place(side)[1])
    for alarm in alarms(copy, side):
        cloudwatch.put_metric_alarm(**alarm, Tags=copy.tag_list)


# --- Taking down -----------------------------------------------------------------------------------------------------


def removing(copy: SnapshotCopy, clients: Clients, wait: Wait, side: Side) -> list[Callable[[], Any]]:
    """The steps that delete a side; the caller runs each and goes on past failures.

    Snapshots are the function's: it made them, and deletes them where the copy is a drill's. Else they stay, and so
    does the key that they are encrypted with.
    """
    region = copy.place(side)[1]
    events, client = clients(side, "events", region), clients(side, "lambda", region)
    cloudwatch, iam = clients(side, "cloudwatch", region), clients(side, "iam", region)
    names = [role for one, role, _, _ in roles(copy) if one == side]

    def emptied() -> bool:
        answer = client.invoke(FunctionName=copy.function(side), Payload=json.dumps(TAKE_DOWN).encode())
        told = json.loads(answer["Payload"].read())
        return "FunctionError" not in answer and not told["waiting"]

    def empty() -> None:
        if copy.removable:
            what = f"the snapshots of {copy.name} to be deleted"
            wait(what, emptied, every_seconds=60, limit_seconds=86_400)

    def drop_key() -> None:
        given = copy.options.production_key if side == "production" else copy.options.vault_key
        found = None if given or not copy.removable else key_of(copy, clients, side)
        if found is not None:
            kms = clients(side, "kms", copy.vault_region)
            kms.delete_alias(AliasName=copy.key_alias(side))
            kms.schedule_key_deletion(KeyId=found, PendingWindowInDays=KEY_WAITING_DAYS)

    steps: list[Callable[[], Any]] = [
        lambda: events.remove_targets(Rule=copy.rule(side), Ids=["function"]),
        lambda: events.delete_rule(Name=copy.rule(side)),
        empty,
        lambda: client.delete_function(FunctionName=copy.function(side)),
        lambda: cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in alarms(copy, side)]),
        drop_key,
    ]
    for name in names:
        steps.append(lambda name=name: iam.delete_role_policy(RoleName=name, PolicyName=POLICY))  # type: ignore[misc]
        steps.append(lambda name=name: iam.delete_role(RoleName=name))  # type: ignore[misc]
    return steps
