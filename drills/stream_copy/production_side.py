"""Production's side of a copy: the stream, the function with its role, its feed, its queue and its alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from drills.errors import ProtectionError
from drills.handlers.stream_copy import METRIC_NAMESPACE, Settings
from drills.packing import packed
from drills.presence import exists
from drills.stream_copy.model import Clients, StreamCopy, Wait
from drills.stream_copy.policies import function_policy, function_trust
from drills.stream_copy.vault_side import table_is_active

POLICY = "copy"
RUNTIME = "python3.13"
HANDLER = "stream_copy.handler"
VIEWS = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
HEARTBEAT = {"drills": "heartbeat"}
HEARTBEAT_SCHEDULE = "rate(1 hour)"
QUEUE_ATTRIBUTES = {"MessageRetentionPeriod": "1209600"}
"""The longest there is."""


def describe_source(copy: StreamCopy, clients: Clients) -> Mapping[str, Any]:
    table: Mapping[str, Any] = clients("production", "dynamodb").describe_table(TableName=copy.source_table)["Table"]
    return table


def switch_stream_on(copy: StreamCopy, clients: Clients, wait: Wait) -> Mapping[str, Any]:
    """The source's description, its stream being on and carrying whole items."""
    source = describe_source(copy, clients)
    specification = source.get("StreamSpecification", {})
    if not specification.get("StreamEnabled"):
        clients("production", "dynamodb").update_table(
            TableName=copy.source_table,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        dynamodb = clients("production", "dynamodb")
        wait(
            f"stream of {copy.source_table}",
            lambda: table_is_active(dynamodb, copy.source_table),
            every_seconds=2,
            limit_seconds=600,
        )
        return describe_source(copy, clients)
    if specification["StreamViewType"] not in VIEWS:
        raise ProtectionError(
            f"the stream of {copy.source_table} carries {specification['StreamViewType']}; a copy needs "
            f"{' or '.join(VIEWS)}. Switch the stream off, then on with one of these; other consumers must follow."
        )
    return source


def switch_stream_off(copy: StreamCopy, clients: Clients, wait: Wait) -> None:
    dynamodb = clients("production", "dynamodb")
    dynamodb.update_table(TableName=copy.source_table, StreamSpecification={"StreamEnabled": False})
    wait(
        f"stream of {copy.source_table} to go off",
        lambda: table_is_active(dynamodb, copy.source_table),
        every_seconds=2,
        limit_seconds=600,
    )


def make_function_role(copy: StreamCopy, clients: Clients) -> None:
    iam = clients("production", "iam")
    if exists(lambda: iam.get_role(RoleName=copy.production_role)) is None:
        iam.create_role(
            RoleName=copy.production_role,
            AssumeRolePolicyDocument=json.dumps(function_trust()),
            Tags=copy.tag_list,
        )
    iam.put_role_policy(
        RoleName=copy.production_role, PolicyName=POLICY, PolicyDocument=json.dumps(function_policy(copy))
    )


def make_queue(copy: StreamCopy, clients: Clients) -> None:
    """Where Lambda tells of records it gave up. Messages hold metadata only and stay 14 days."""
    if queue_url(copy, clients) is not None:
        return
    clients("production", "sqs").create_queue(QueueName=copy.queue, Attributes=QUEUE_ATTRIBUTES, tags=dict(copy.tags))


def function_code() -> bytes:
    """The deployment package: one file, the same bytes every time."""
    return packed(HANDLER.partition(".")[0])


def function_settings(copy: StreamCopy, label: str) -> Settings:
    return Settings(
        copy_table=copy.copy_table,
        marker_table=copy.marker_table,
        vault_account=copy.vault_account,
        vault_region=copy.vault_region,
        vault_role_arn=copy.vault_role_arn,
        external_id=copy.external_id,
        aside_bucket=copy.bucket,
        aside_prefix=copy.aside_prefix,
        stream_label=label,
        tombstone_hours=str(copy.options.tombstone_hours),
    )


def function_configuration(copy: StreamCopy, label: str) -> dict[str, Any]:
    """What CreateFunction and UpdateFunctionConfiguration are given beside the name and the code."""
    return {
        "Role": copy.production_role_arn,
        "Runtime": RUNTIME,
        "Handler": HANDLER,
        "Timeout": copy.options.timeout_seconds,
        "MemorySize": copy.options.memory_mb,
        "Environment": {"Variables": function_settings(copy, label).as_environment()},
    }


def make_function(copy: StreamCopy, clients: Clients, wait: Wait, label: str) -> None:
    """The function, serving the stream with this label; returns when it is in use."""
    client = clients("production", "lambda")
    configuration = function_configuration(copy, label)

    def created() -> bool:
        try:
            client.create_function(
                FunctionName=copy.function, Code={"ZipFile": function_code()}, Tags=dict(copy.tags), **configuration
            )
        except client.exceptions.InvalidParameterValueException as error:
            # Lambda says so for some seconds about a role that was just made.
            if "role" not in str(error).lower():
                raise
            return False
        return True

    if exists(lambda: client.get_function_configuration(FunctionName=copy.function)) is None:
        wait(f"function {copy.function}", created, every_seconds=3, limit_seconds=120)
    else:
        client.update_function_code(FunctionName=copy.function, ZipFile=function_code())
        _settle(copy, client, wait)
        client.update_function_configuration(FunctionName=copy.function, **configuration)
    _settle(copy, client, wait)


def _settle(copy: StreamCopy, client: Any, wait: Wait) -> None:
    def settled() -> bool:
        found = client.get_function_configuration(FunctionName=copy.function)
        return (found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")) == ("Active", "Successful")

    wait(f"function {copy.function}", settled, every_seconds=1, limit_seconds=300)


def feeds(copy: StreamCopy, clients: Clients) -> list[dict[str, Any]]:
    """The event source mappings of the function; none where there is no function."""
    client = clients("production", "lambda")
    found = exists(lambda: client.list_event_source_mappings(FunctionName=copy.function))
    return list(found["EventSourceMappings"]) if found else []


def feed_configuration(copy: StreamCopy) -> dict[str, Any]:
    """What the event source mapping is to be, and what DescribeEventSourceMapping says of it."""
    return {
        "BatchSize": copy.options.batch_size,
        "MaximumBatchingWindowInSeconds": copy.options.batch_window_seconds,
        "ParallelizationFactor": copy.options.parallelization_factor,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": copy.options.maximum_record_age_seconds,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": copy.queue_arn}},
    }


def make_feed(copy: StreamCopy, clients: Clients, wait: Wait, stream_arn: str) -> None:
    """Feed the function from the beginning of this stream, and from no other."""
    client = clients("production", "lambda")
    stop_feeds(copy, clients, wait, except_stream=stream_arn)
    configuration = {"Enabled": True, **feed_configuration(copy)}

    def settled() -> bool:
        return all(feed["State"] in ("Enabled", "Disabled") for feed in feeds(copy, clients))

    wait(f"event source mapping of {copy.function}", settled, every_seconds=2, limit_seconds=600)
    here = feeds(copy, clients)
    if here:
        client.update_event_source_mapping(UUID=here[0]["UUID"], FunctionName=copy.function, **configuration)
    else:
        client.create_event_source_mapping(
            FunctionName=copy.function, EventSourceArn=stream_arn, StartingPosition="TRIM_HORIZON", **configuration
        )

    def fed() -> bool:
        return [feed["State"] for feed in feeds(copy, clients)] == ["Enabled"]

    wait(f"event source mapping of {copy.function}", fed, every_seconds=2, limit_seconds=600)


def stop_feeds(copy: StreamCopy, clients: Clients, wait: Wait, *, except_stream: str = "") -> None:
    """Delete the mappings of other streams; returns when they are gone."""
    client = clients("production", "lambda")

    def gone() -> bool:
        others = [feed for feed in feeds(copy, clients) if feed["EventSourceArn"] != except_stream]
        for feed in others:
            try:
                if feed["State"] != "Deleting":
                    client.delete_event_source_mapping(UUID=feed["UUID"])
            except client.exceptions.ResourceInUseException:
                return False  # It is being created or changed, which passes.
        return not others

    wait(f"mappings of {copy.function} to go", gone, every_seconds=2, limit_seconds=600)


def make_heartbeat(copy: StreamCopy, clients: Clients) -> None:
    """Every hour the function tells the vault that it is at work: a quiet table is no stopped copy."""
    events, client = clients("production", "events"), clients("production", "lambda")
    arn = events.put_rule(
        Name=copy.heartbeat_rule, ScheduleExpression=HEARTBEAT_SCHEDULE, State="ENABLED", Tags=copy.tag_list
    )["RuleArn"]
    events.put_targets(
        Rule=copy.heartbeat_rule,
        Targets=[{"Id": "function", "Arn": copy.function_arn, "Input": json.dumps(HEARTBEAT)}],
    )
    try:
        client.add_permission(
            FunctionName=copy.function,
            StatementId="heartbeat",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=arn,
        )
    except client.exceptions.ResourceConflictException:
        return


def alarms(copy: StreamCopy) -> list[dict[str, Any]]:
    """One alarm each for: a record set aside, a record given up, a copy that lags, a function that fails."""
    function = [{"Name": "FunctionName", "Value": copy.function}]
    queue = [{"Name": "QueueName", "Value": copy.queue}]
    lag_ms = copy.options.maximum_lag_seconds * 1000
    return [
        {
            "AlarmName": f"{copy.name}-{name}",
            "Namespace": space,
            "MetricName": metric,
            "Dimensions": dimensions,
            "Statistic": statistic,
            "Period": 60 * minutes,
            "EvaluationPeriods": 1,
            "Threshold": float(threshold),
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "ActionsEnabled": True,
            "AlarmActions": [copy.options.alarm_topic] if copy.options.alarm_topic else [],
        }
        for name, space, metric, dimensions, statistic, threshold, minutes in (
            ("set-aside", METRIC_NAMESPACE, "RecordsSetAside", function, "Sum", 0, 1),
            ("given-up", "AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum", 0, 1),
            ("lag", "AWS/Lambda", "IteratorAge", function, "Maximum", lag_ms, 1),
            ("failing", "AWS/Lambda", "Errors", function, "Sum", 0, 5),
        )
    ]


def make_alarms(copy: StreamCopy, clients: Clients) -> None:
    for alarm in alarms(copy):
        clients("production", "cloudwatch").put_metric_alarm(**alarm, Tags=copy.tag_list)


def alarm_names(copy: StreamCopy) -> list[str]:
    return [str(alarm["AlarmName"]) for alarm in alarms(copy)]


def queue_url(copy: StreamCopy, clients: Clients) -> str | None:
    sqs = clients("production", "sqs")
    found = exists(lambda: sqs.get_queue_url(QueueName=copy.queue))
    return str(found["QueueUrl"]) if found else None


def remove_production_side(copy: StreamCopy, clients: Clients) -> list[Callable[[], Any]]:
    """The steps that delete production's side except the stream, which others may read."""
    names = ("lambda", "events", "cloudwatch", "sqs", "iam")
    client, events, cloudwatch, sqs, iam = (clients("production", name) for name in names)

    def stop() -> None:
        for feed in feeds(copy, clients):
            if feed["State"] != "Deleting":
                client.delete_event_source_mapping(UUID=feed["UUID"])

    return [
        stop,
        lambda: events.remove_targets(Rule=copy.heartbeat_rule, Ids=["function"]),
        lambda: events.delete_rule(Name=copy.heartbeat_rule),
        lambda: client.delete_function(FunctionName=copy.function),
        lambda: cloudwatch.delete_alarms(AlarmNames=alarm_names(copy)),
        lambda: sqs.delete_queue(QueueUrl=queue_url(copy, clients)) if queue_url(copy, clients) else None,
        lambda: iam.delete_role_policy(RoleName=copy.production_role, PolicyName=POLICY),
        lambda: iam.delete_role(RoleName=copy.production_role),
    ]
