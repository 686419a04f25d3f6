"""The copy of a DynamoDB table in another account: what ``drills.stream_copy.deploy`` makes, as two stacks.

Not in them, as it belongs to the table or is data: switching the table's stream on, and bringing over what the table
held before. The stacks' own steps tell of both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from drills.model import JSON
from drills.packing import package_name
from drills.site import Site
from drills.stream_copy.model import BOUNDS, Options, StreamCopy
from drills.stream_copy.policies import function_policy, function_trust, vault_policy, vault_trust
from drills.stream_copy.production_side import (
    HANDLER,
    HEARTBEAT,
    HEARTBEAT_SCHEDULE,
    POLICY,
    QUEUE_ATTRIBUTES,
    alarms,
    feed_configuration,
    function_code,
    function_configuration,
)
from drills.stream_copy.vault_side import MARKER_EXPIRY, MARKER_KEYS, PRIVATE
from drills.stream_copy.vault_side import POLICY as VAULT_POLICY
from drills.templates import common
from drills.templates.structure import (
    KEPT,
    Bundle,
    Decided,
    Parameter,
    Structure,
    Template,
    filled,
    placeholder,
    resource,
)

MODULE = HANDLER.partition(".")[0]
STREAM_ARN = r"arn:aws:dynamodb:[^:]+:\d{12}:table/[^/]+/stream/.+"
KEY_TYPES = ("S", "N", "B")
DECIDED = {
    "parallelization_factor": "Concurrent batches per shard of the stream. Order within one item is kept.",
    "batch_size": "Records per invocation at most.",
    "batch_window_seconds": "How many seconds a batch may wait to fill.",
    "maximum_record_age_seconds": "After so many seconds a record that cannot be applied goes to the failure queue.",
    "timeout_seconds": "How many seconds one invocation may take.",
    "memory_mb": "Memory of the function, in MB.",
    "tombstone_hours": "How many hours the marker of a deletion stays in the vault.",
    "recovery_period_days": "How many days the copy's point-in-time recovery reaches back.",
}
"""Options that are handed through as they are, so that they can be decided at deployment, and what each is."""


class _AnyStreamCopy(StreamCopy):
    """A copy whose names are the parameters of its templates."""

    @property
    def bucket(self) -> str:
        return f"{self.name}-{self.vault_account}"

    @property
    def external_id(self) -> str:
        return placeholder("ExternalId")


class StreamCopyTemplate:
    """See drills.templates.CopyTemplate."""

    summary = "a DynamoDB table's copy in the vault account: Streams, Lambda, tables with point-in-time recovery"
    protection = "dynamodb_stream_copy"

    def of_any(self, options: Mapping[str, JSON]) -> Bundle:
        copy = _AnyStreamCopy(
            **common.ANY_WAY,
            source_table=placeholder("SourceTable"),
            options=Options.parse(options),
        )
        return _bundle(copy, (), STREAM_ARN)

    def of_store(self, site: Site, options: Mapping[str, JSON]) -> Bundle:
        from drills.protections.dynamodb_stream_copy import copy_of

        copy = copy_of(site, options)
        here = f"arn:aws:dynamodb:{copy.source_region}:{copy.source_account}:table/{copy.source_table}/stream/"
        return _bundle(copy, getattr(site.store.config, "key_names", ()), re.escape(here).replace(r"\-", "-") + ".+")


def _bundle(copy: StreamCopy, keys: tuple[str, ...], stream_pattern: str) -> Bundle:
    topic = copy.options.alarm_topic
    decided = {_pascal(name): getattr(copy.options, name) for name in DECIDED}
    options = {name: Decided(_pascal(name), decided[_pascal(name)]) for name in DECIDED}
    copy = replace(copy, options=replace(copy.options, alarm_topic=placeholder("AlarmTopic"), **options))
    parameters = (
        common.name_parameter(),
        Parameter(
            "StreamArn",
            "The stream of the table that is copied. It must carry new images: NEW_IMAGE or NEW_AND_OLD_IMAGES.",
            pattern=stream_pattern,
        ),
        common.account_parameter("SourceAccount", "the account of the table that is copied"),
        common.account_parameter("VaultAccount", "the vault account, which holds the copy"),
        common.region_parameter("VaultRegion", "the copy in the vault account"),
        common.external_id_parameter(),
        *common.code_parameters(MODULE),
        common.alarm_topic_parameter(topic),
        *_key_parameters(keys),
        *(
            Parameter(_pascal(name), words, "Number", decided[_pascal(name)], limits=BOUNDS[name])
            for name, words in DECIDED.items()
        ),
    )
    return Bundle(
        (_production(copy, parameters), _vault(copy, parameters)),
        {package_name(MODULE): function_code()},
        _steps(copy),
    )


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _key_parameters(keys: tuple[str, ...]) -> tuple[Parameter, ...]:
    partition, sort = (*keys, "", "")[:2]
    return (
        Parameter("PartitionKey", "The table's partition key.", default=partition or None, pattern=r".{1,255}"),
        Parameter("PartitionKeyType", "Its type: text, number or binary.", default="S", allowed=KEY_TYPES),
        Parameter("SortKey", "The table's sort key; empty where it has none.", default=sort, pattern=r".{0,255}"),
        Parameter("SortKeyType", "Its type: text, number or binary.", default="S", allowed=KEY_TYPES),
    )


# --- Production ------------------------------------------------------------------------------------------------------


def _of_stream(part: int) -> Structure:
    """``arn:…:table/<name>/stream/<label>``, cut at its slashes."""
    return {"Fn::Select": [part, {"Fn::Split": ["/", {"Ref": "StreamArn"}]}]}


def _production(copy: StreamCopy, parameters: tuple[Parameter, ...]) -> Template:
    trust, policy = function_trust(), function_policy(copy)
    configuration = function_configuration(copy, placeholder("StreamLabel"))
    function: Structure = {"Ref": "Function"}
    resources = {
        "FunctionRole": common.role(copy.production_role, trust, POLICY, policy, copy.tags),
        "GivenUpQueue": resource(
            "AWS::SQS::Queue", {"QueueName": copy.queue, **_queue(), "Tags": copy.tag_list}, **KEPT
        ),
        "Function": common.function(copy.function, configuration, copy.tags),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {
                "FunctionName": function,
                "EventSourceArn": {"Ref": "StreamArn"},
                "StartingPosition": "TRIM_HORIZON",
                "Enabled": True,
                **feed_configuration(copy),
            },
        ),
        "Heartbeat": common.schedule(copy.heartbeat_rule, HEARTBEAT_SCHEDULE, copy.function_arn, HEARTBEAT, copy.tags),
        "HeartbeatPermission": common.permission(function, {"Fn::GetAtt": ["Heartbeat", "Arn"]}),
        **common.alarm_resources(alarms(copy), copy.name, copy.tags),
    }
    meanings = {
        "SourceAccount": placeholder("AWS::AccountId"),
        "SourceRegion": placeholder("AWS::Region"),
        "SourceTable": _of_stream(1),
        "StreamLabel": _of_stream(3),
    }
    attributes = {
        copy.production_role_arn: {"Fn::GetAtt": ["FunctionRole", "Arn"]},
        copy.queue_arn: {"Fn::GetAtt": ["GivenUpQueue", "Arn"]},
        copy.function_arn: {"Fn::GetAtt": ["Function", "Arn"]},
    }
    return Template(
        name="production",
        account=common.said(copy.source_account, "the account of the table"),
        region=common.said(copy.source_region, "the table's region"),
        description="A copy of a DynamoDB table in another account, production's side: the function that is fed from "
        "the table's stream, its role, its failure queue, its heartbeat and its alarms.",
        parameters=parameters,
        conditions=common.HAS_ALARM_TOPIC,
        resources=filled(resources, meanings, attributes),
        outputs={
            "FunctionArn": ("The function that copies.", {"Fn::GetAtt": ["Function", "Arn"]}),
            "FunctionRoleArn": (
                "Its role, the only one that the vault's role trusts.",
                {"Fn::GetAtt": ["FunctionRole", "Arn"]},
            ),
            "GivenUpQueueUrl": (
                "The failure queue: each message names a batch that was given up, to be applied again.",
                {"Ref": "GivenUpQueue"},
            ),
        },
    )


def _queue() -> dict[str, int]:
    return {name: int(value) for name, value in QUEUE_ATTRIBUTES.items()}


# --- The vault -------------------------------------------------------------------------------------------------------


def _vault(copy: StreamCopy, parameters: tuple[Parameter, ...]) -> Template:
    resources = {
        "CopyTable": _table(
            copy,
            copy.copy_table,
            {
                **_copy_keys(),
                "PointInTimeRecoverySpecification": {
                    "PointInTimeRecoveryEnabled": True,
                    "RecoveryPeriodInDays": copy.options.recovery_period_days,
                },
            },
        ),
        "MarkerTable": _table(copy, copy.marker_table, {**MARKER_KEYS, "TimeToLiveSpecification": MARKER_EXPIRY}),
        "SetAsideBucket": resource(
            "AWS::S3::Bucket",
            {
                "BucketName": copy.bucket,
                "PublicAccessBlockConfiguration": PRIVATE,
                "VersioningConfiguration": {"Status": "Enabled"},
                "Tags": copy.tag_list,
            },
            **KEPT,
        ),
        "WriterRole": common.role(copy.vault_role, vault_trust(copy), VAULT_POLICY, vault_policy(copy), copy.tags),
    }
    meanings = {"VaultAccount": placeholder("AWS::AccountId"), "VaultRegion": placeholder("AWS::Region")}
    return Template(
        name="vault",
        account=common.said(copy.vault_account, "the vault account"),
        region=common.said(copy.vault_region, "the copy's region"),
        description="A copy of a DynamoDB table in another account, the vault's side: the copy and its markers, "
        "protected from deletion, with point-in-time recovery, the bucket for records that are set aside, and the role "
        "that the function writes with. Make production's stack first: the role that is trusted must be there.",
        parameters=parameters,
        conditions={"HasSortKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "SortKey"}, ""]}]}},
        resources=filled(resources, meanings, {}),
        outputs={
            "CopyTableArn": ("The copy.", {"Fn::GetAtt": ["CopyTable", "Arn"]}),
            "MarkerTableArn": ("The version of each item of the copy.", {"Fn::GetAtt": ["MarkerTable", "Arn"]}),
            "SetAsideBucketName": ("Records that could not be applied, readable.", {"Ref": "SetAsideBucket"}),
            "WriterRoleArn": ("The role that the function writes with.", {"Fn::GetAtt": ["WriterRole", "Arn"]}),
        },
    )


def _table(copy: StreamCopy, name: str, more: Structure) -> Structure:
    properties = {"TableName": name, "BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": True, **more}
    return resource("AWS::DynamoDB::Table", {**properties, "Tags": copy.tag_list}, **KEPT)


def _copy_keys() -> Structure:
    """The table's key schema, with a sort key only where it has one."""
    partition, sort = {"Ref": "PartitionKey"}, {"Ref": "SortKey"}
    schema = [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
    types = [
        {"AttributeName": partition, "AttributeType": {"Ref": "PartitionKeyType"}},
        {"AttributeName": sort, "AttributeType": {"Ref": "SortKeyType"}},
    ]
    return {
        "KeySchema": {"Fn::If": ["HasSortKey", schema, schema[:1]]},
        "AttributeDefinitions": {"Fn::If": ["HasSortKey", types, types[:1]]},
    }


# --- Words -----------------------------------------------------------------------------------------------------------


def _steps(copy: StreamCopy) -> tuple[str, ...]:
    table = common.said(copy.source_table, "TABLE")
    return (
        f"switch the stream of the table on, unless it is, and note its ARN: aws dynamodb update-table --table-name "
        f"{table} --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES",
        f"upload {package_name(MODULE)} to a bucket in production's region, CodeBucket",
        "make the stack of production.EXT in production (--capabilities CAPABILITY_NAMED_IAM); until the vault's is "
        "there the stream keeps what is written, for 24 hours",
        "make the stack of vault.EXT in the vault account (--capabilities CAPABILITY_NAMED_IAM)",
        "bring over what the table held before and prove the copy: drills protect, then drills status, with the store "
        "in an estate file",
    )


copy_template = StreamCopyTemplate()
