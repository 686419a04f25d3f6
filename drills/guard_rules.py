"""Which call changes which resource: what the guard goes by. One line a call; what only reads needs none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from drills import guard_databases as databases

Params = Mapping[str, Any]

READS = ("BatchGet", "Describe", "Get", "Head", "List", "Query", "Scan", "TransactGet")
"""How the names of calls begin that change nothing."""


class Deed(Enum):
    """What a call does to the resources it names."""

    MAKES = "makes"
    """AWS refuses it where there is one of that name."""
    MAKES_OR_CHANGES = "makes or changes"
    """AWS takes it for one that is there as well, and overwrites it."""
    FILLS = "fills"
    """It changes what is in the resource: items, objects. Frequent, so that the tag is not looked up."""
    CHANGES = "changes"
    """It changes the resource itself, or deletes it."""


class Resource(NamedTuple):
    """One resource. ``region`` is empty for what is the same in all of them, ``account`` for a bucket."""

    kind: str
    account: str
    region: str
    name: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.account, self.region) if part)
        return f"{self.kind} {self.name}{where and ' in account '}{where}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One call: its deed, the kind of resource, and how its parameters name them."""

    deed: Deed
    kind: str
    names: Callable[[Params], Iterable[str]]
    also_made: Callable[[Params, Mapping[str, Any], str, str], Iterable[Resource]] = lambda *_: ()
    """What exists besides once the call was answered, by its parameters and its answer, which is empty before it."""


def _name(parameter: str) -> Callable[[Params], list[str]]:
    return lambda params: [str(params[parameter])] if params.get(parameter) else []


def named_in(rule: Rule, params: Params, account: str, region: str) -> list[Resource]:
    """The resources that a call names, by name, URL or ARN."""
    return [resource(rule.kind, name, account, region) for name in rule.names(params)]


def resource(kind: str, name: str, account: str, region: str) -> Resource:
    """``account`` and ``region`` are the client's; an ARN that says otherwise is taken by its word."""
    if kind == "backup":
        return Resource(kind, account, region, name)
    if kind == databases.ANY:
        _, _, _, there, owner, rest = name.split(":", 5) if name.startswith("arn:") else ("", "", "", region, "", name)
        kind, name = databases.kind_and_name(rest)
        return Resource(kind, owner or account, "" if kind == databases.GLOBAL else there, name)
    if name.startswith("arn:"):
        _, _, _, there, owner, rest = name.split(":", 5)
        parts = rest.replace(":", "/").split("/")
        return _resource(kind, owner or account, there or region, parts[1] if len(parts) > 1 else parts[0])
    return _resource(kind, account, region, name.rpartition("/")[2] if kind == "queue" else name)


def _resource(kind: str, account: str, region: str, name: str) -> Resource:
    if kind == "bucket":
        # Whoever calls, a bucket's name means one bucket in the world.
        return Resource(kind, "", "", name)
    return Resource(kind, account, "" if kind in ("role", databases.GLOBAL) else region, name)


# --- DynamoDB ------------------------------------------------------------------------------------------------------


def _replicas(params: Params, _: Mapping[str, Any], account: str, __: str) -> Iterator[Resource]:
    for update in params.get("ReplicaUpdates", []):
        if "Create" in update:
            yield Resource("table", account, update["Create"]["RegionName"], params["TableName"])


def _backup(_: Params, answer: Mapping[str, Any], account: str, region: str) -> list[Resource]:
    return [Resource("backup", account, region, answer["BackupDetails"]["BackupArn"])] if answer else []


def _tables_of_batch(params: Params) -> list[str]:
    return list(params["RequestItems"])


def _tables_of_transaction(params: Params) -> set[str]:
    return {action["TableName"] for one in params["TransactItems"] for action in one.values()}


def _scaled_table(params: Params) -> list[str]:
    return [params["ResourceId"].split("/")[1]]


def _scaling(params: Params, _: Mapping[str, Any], account: str, region: str) -> list[Resource]:
    """Deleting a table does not end its scaling: it is a resource of its own."""
    name = f"{params['ResourceId']} {params['ScalableDimension']}"
    return [Resource("scalable target", account, region, name)]


# --- The others ----------------------------------------------------------------------------------------------------


def _feed(_: Params, answer: Mapping[str, Any], account: str, region: str) -> list[Resource]:
    return [Resource("event source mapping", account, region, answer["UUID"])] if answer else []


def _log_group(params: Params, _: Mapping[str, Any], account: str, region: str) -> list[Resource]:
    """Lambda makes it at the first invocation. Source: Lambda developer guide, CloudWatch Logs."""
    return [Resource("log group", account, region, f"/aws/lambda/{params['FunctionName']}")]


def _replicated_bucket(params: Params) -> list[str]:
    generator = params.get("ManifestGenerator", {}).get("S3JobManifestGenerator", {})
    return [str(generator["SourceBucket"]).removeprefix("arn:aws:s3:::")] if generator else []


def _job(_: Params, answer: Mapping[str, Any], account: str, region: str) -> list[Resource]:
    return [Resource("batch job", account, region, answer["JobId"])] if answer else []


def _key(_: Params, answer: Mapping[str, Any], account: str, region: str) -> list[Resource]:
    return [Resource("key", account, region, answer["KeyMetadata"]["KeyId"])] if answer else []


def _table(deed: Deed, parameter: str = "TableName") -> Rule:
    return Rule(deed, "table", _name(parameter))


CHANGES, FILLS, MAKES, MAKES_OR_CHANGES = Deed.CHANGES, Deed.FILLS, Deed.MAKES, Deed.MAKES_OR_CHANGES
_FUNCTION = _name("FunctionName")

BUCKET_CALLS: Mapping[Deed, tuple[str, ...]] = {
    MAKES_OR_CHANGES: ("CreateBucket",),
    CHANGES: (
        "DeleteBucket",
        "DeleteBucketCors",
        "DeleteBucketLifecycle",
        "DeleteBucketOwnershipControls",
        "DeleteBucketPolicy",
        "DeleteBucketReplication",
        "DeleteBucketWebsite",
        "PutBucketCors",
        "PutBucketEncryption",
        "PutBucketLifecycleConfiguration",
        "PutBucketLogging",
        "PutBucketNotificationConfiguration",
        "PutBucketOwnershipControls",
        "PutBucketPolicy",
        "PutBucketReplication",
        "PutBucketTagging",
        "PutBucketVersioning",
        "PutBucketWebsite",
        "PutPublicAccessBlock",
    ),
    FILLS: (
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "PutObject",
        "PutObjectAcl",
        "PutObjectLegalHold",
        # Tried on the copy by production, which cannot read its tags and must be denied.
        "PutObjectLockConfiguration",
        "PutObjectRetention",
        "PutObjectTagging",
        "UploadPart",
        "UploadPartCopy",
    ),
}
"""Source: S3 API reference. What a copy reads from is not changed, so that only the bucket it fills is named."""


def _database(call: tuple[Deed, str, str]) -> Rule:
    deed, word, parameter = call

    def names(params: Params) -> list[str]:
        name = str(params.get(parameter) or "").lower()
        return [name if name.startswith("arn:") or not word else f"{word}:{name}"] if name else []

    return Rule(deed, databases.ANY, names, _also_of_database)


def _also_of_database(params: Params, answer: Mapping[str, Any], account: str, region: str) -> Iterator[Resource]:
    for name in databases.also_made(params, answer):
        yield resource(databases.ANY, name, account, region)


def _made_by_function(params: Params, answer: Mapping[str, Any], account: str, region: str) -> Iterator[Resource]:
    """The log group, and what a function that copies snapshots makes once it runs."""
    yield from _log_group(params, answer, account, region)
    for where, name in databases.copied_by(params, account):
        yield Resource(databases.COPIES, account, where, name)


RULES: Mapping[tuple[str, str], Rule] = {
    ("dynamodb", "CreateTable"): _table(MAKES),
    ("dynamodb", "RestoreTableFromBackup"): _table(MAKES, "TargetTableName"),
    ("dynamodb", "RestoreTableToPointInTime"): _table(MAKES, "TargetTableName"),
    ("dynamodb", "UpdateTable"): Rule(CHANGES, "table", _name("TableName"), _replicas),
    ("dynamodb", "DeleteTable"): _table(CHANGES),
    ("dynamodb", "UpdateTimeToLive"): _table(CHANGES),
    ("dynamodb", "UpdateContinuousBackups"): _table(CHANGES),
    ("dynamodb", "TagResource"): _table(CHANGES, "ResourceArn"),
    ("dynamodb", "UntagResource"): _table(CHANGES, "ResourceArn"),
    ("dynamodb", "PutResourcePolicy"): _table(CHANGES, "ResourceArn"),
    ("dynamodb", "DeleteResourcePolicy"): _table(CHANGES, "ResourceArn"),
    ("dynamodb", "PutItem"): _table(FILLS),
    ("dynamodb", "UpdateItem"): _table(FILLS),
    ("dynamodb", "DeleteItem"): _table(FILLS),
    ("dynamodb", "BatchWriteItem"): Rule(FILLS, "table", _tables_of_batch),
    ("dynamodb", "TransactWriteItems"): Rule(FILLS, "table", _tables_of_transaction),
    ("dynamodb", "CreateBackup"): Rule(FILLS, "table", _name("TableName"), _backup),
    ("dynamodb", "DeleteBackup"): Rule(CHANGES, "backup", _name("BackupArn")),
    ("application-autoscaling", "RegisterScalableTarget"): Rule(FILLS, "table", _scaled_table, _scaling),
    ("application-autoscaling", "DeregisterScalableTarget"): Rule(FILLS, "table", _scaled_table),
    ("application-autoscaling", "PutScalingPolicy"): Rule(FILLS, "table", _scaled_table),
    ("lambda", "CreateFunction"): Rule(MAKES, "function", _FUNCTION, _made_by_function),
    ("lambda", "UpdateFunctionCode"): Rule(CHANGES, "function", _FUNCTION),
    ("lambda", "UpdateFunctionConfiguration"): Rule(CHANGES, "function", _FUNCTION),
    ("lambda", "DeleteFunction"): Rule(CHANGES, "function", _FUNCTION),
    ("lambda", "AddPermission"): Rule(CHANGES, "function", _FUNCTION),
    ("lambda", "Invoke"): Rule(FILLS, "function", _FUNCTION),
    ("lambda", "CreateEventSourceMapping"): Rule(CHANGES, "function", _FUNCTION, _feed),
    ("lambda", "UpdateEventSourceMapping"): Rule(CHANGES, "event source mapping", _name("UUID")),
    ("lambda", "DeleteEventSourceMapping"): Rule(CHANGES, "event source mapping", _name("UUID")),
    ("iam", "CreateRole"): Rule(MAKES, "role", _name("RoleName")),
    ("iam", "PutRolePolicy"): Rule(CHANGES, "role", _name("RoleName")),
    ("iam", "DeleteRolePolicy"): Rule(CHANGES, "role", _name("RoleName")),
    ("iam", "UpdateAssumeRolePolicy"): Rule(CHANGES, "role", _name("RoleName")),
    ("iam", "DeleteRole"): Rule(CHANGES, "role", _name("RoleName")),
    ("sqs", "CreateQueue"): Rule(MAKES_OR_CHANGES, "queue", _name("QueueName")),
    ("sqs", "SetQueueAttributes"): Rule(CHANGES, "queue", _name("QueueUrl")),
    ("sqs", "ReceiveMessage"): Rule(FILLS, "queue", _name("QueueUrl")),
    ("sqs", "DeleteMessage"): Rule(FILLS, "queue", _name("QueueUrl")),
    ("sqs", "DeleteMessageBatch"): Rule(FILLS, "queue", _name("QueueUrl")),
    ("sqs", "PurgeQueue"): Rule(CHANGES, "queue", _name("QueueUrl")),
    ("sqs", "DeleteQueue"): Rule(CHANGES, "queue", _name("QueueUrl")),
    ("events", "PutRule"): Rule(MAKES_OR_CHANGES, "rule", _name("Name")),
    ("events", "PutTargets"): Rule(CHANGES, "rule", _name("Rule")),
    ("events", "RemoveTargets"): Rule(CHANGES, "rule", _name("Rule")),
    ("events", "DeleteRule"): Rule(CHANGES, "rule", _name("Name")),
    ("cloudwatch", "PutMetricAlarm"): Rule(MAKES_OR_CHANGES, "alarm", _name("AlarmName")),
    ("cloudwatch", "DeleteAlarms"): Rule(CHANGES, "alarm", lambda params: params["AlarmNames"]),
    **{("s3", call): Rule(deed, "bucket", _name("Bucket")) for deed, calls in BUCKET_CALLS.items() for call in calls},
    **{
        ("rds", call): _database((Deed[deed], *named.split(":")))  # type: ignore[arg-type]
        for deed, calls in databases.CALLS.items()
        for call, named in calls.items()
    },
    ("s3control", "CreateJob"): Rule(FILLS, "bucket", _replicated_bucket, _job),
    ("s3control", "UpdateJobStatus"): Rule(CHANGES, "batch job", _name("JobId")),
    ("kms", "CreateKey"): Rule(MAKES, "key", lambda _: (), _key),
    ("kms", "PutKeyPolicy"): Rule(CHANGES, "key", _name("KeyId")),
    ("kms", "ScheduleKeyDeletion"): Rule(CHANGES, "key", _name("KeyId")),
    ("kms", "CreateAlias"): Rule(MAKES, "alias", _name("AliasName")),
    ("kms", "DeleteAlias"): Rule(CHANGES, "alias", _name("AliasName")),
    ("ssm", "PutParameter"): Rule(MAKES_OR_CHANGES, "parameter", _name("Name")),
    ("secretsmanager", "CreateSecret"): Rule(MAKES, "secret", _name("Name")),
    ("secretsmanager", "PutSecretValue"): Rule(CHANGES, "secret", _name("SecretId")),
    ("secretsmanager", "DeleteSecret"): Rule(CHANGES, "secret", _name("SecretId")),
    ("ssm", "DeleteParameter"): Rule(CHANGES, "parameter", _name("Name")),
    ("logs", "DeleteLogGroup"): Rule(CHANGES, "log group", _name("logGroupName")),
}


# --- Tags ----------------------------------------------------------------------------------------------------------


def tags_given(params: Params) -> Mapping[str, str]:
    """The tags that a call gives, in whichever of AWS's forms."""
    tagging = params.get("Tagging")
    tag_set = tagging.get("TagSet") if isinstance(tagging, Mapping) else None
    given = params.get("Tags") or params.get("tags") or tag_set or {}
    return given if isinstance(given, Mapping) else _by_key(given)


def _by_key(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    # KMS alone has words of its own.
    return {tag.get("Key", tag.get("TagKey", "")): tag.get("Value", tag.get("TagValue", "")) for tag in tags}


def absent(client: Any, there: Resource) -> bool:
    return tags_of_resource(client, there) is None


def tags_of_resource(client: Any, there: Resource) -> Mapping[str, str] | None:
    """The tags of a resource, asked of the client that is about to change it; None where it is not there."""
    try:
        return _READERS[there.kind](client, there)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchTagSet":
            return {}
        if any(word in code for word in ("NotFound", "NoSuch", "NonExistent", "InvalidResourceId", "404")):
            return None
        raise


def _of_table(client: Any, there: Resource) -> Mapping[str, str]:
    if client.meta.service_model.service_name != "dynamodb":
        return {}
    arn = client.describe_table(TableName=there.name)["Table"]["TableArn"]
    return _by_key(client.list_tags_of_resource(ResourceArn=arn)["Tags"])


def _of_backup(client: Any, there: Resource) -> Mapping[str, str]:
    client.describe_backup(BackupArn=there.name)
    return {}


def _of_function(client: Any, there: Resource) -> Mapping[str, str]:
    arn = client.get_function_configuration(FunctionName=there.name)["FunctionArn"]
    found: Mapping[str, str] = client.list_tags(Resource=arn)["Tags"]
    return found


def _of_feed(client: Any, there: Resource) -> Mapping[str, str]:
    client.get_event_source_mapping(UUID=there.name)
    return {}


def _of_queue(client: Any, there: Resource) -> Mapping[str, str]:
    url = client.get_queue_url(QueueName=there.name)["QueueUrl"]
    found: Mapping[str, str] = client.list_queue_tags(QueueUrl=url).get("Tags", {})
    return found


def _of_rule(client: Any, there: Resource) -> Mapping[str, str]:
    arn = client.describe_rule(Name=there.name)["Arn"]
    return _by_key(client.list_tags_for_resource(ResourceARN=arn)["Tags"])


def _of_alarm(client: Any, there: Resource) -> Mapping[str, str] | None:
    found = client.describe_alarms(AlarmNames=[there.name])["MetricAlarms"]
    if not found:
        return None
    return _by_key(client.list_tags_for_resource(ResourceARN=found[0]["AlarmArn"])["Tags"])


def _of_bucket(client: Any, there: Resource) -> Mapping[str, str]:
    client.head_bucket(Bucket=there.name)
    return _by_key(client.get_bucket_tagging(Bucket=there.name)["TagSet"])


def _of_parameter(client: Any, there: Resource) -> Mapping[str, str]:
    client.get_parameter(Name=there.name)
    return _by_key(client.list_tags_for_resource(ResourceType="Parameter", ResourceId=there.name)["TagList"])


def _of_key(client: Any, there: Resource) -> Mapping[str, str]:
    return _by_key(client.list_resource_tags(KeyId=there.name)["Tags"])


def _of_alias(client: Any, there: Resource) -> Mapping[str, str]:
    client.describe_key(KeyId=there.name)
    return {}


def _of_database(client: Any, there: Resource) -> Mapping[str, str] | None:
    # A global database has no region, and answers in every one.
    if (
        client.meta.service_model.service_name != "rds"
        or (there.region or client.meta.region_name) != client.meta.region_name
    ):
        return {}
    arn = databases.arn(client.meta.partition, there.region, there.account, there.kind, there.name)
    if there.kind == databases.BACKUP:
        # Made by AWS's own means from a database, it has no tags of the drill's.
        found = databases.backup(client, arn)
        return None if found is None else _by_key(found.get("TagList", []))
    tags = _by_key(client.list_tags_for_resource(ResourceName=arn)["TagList"])
    if tags or there.kind not in databases.DESCRIBED:
        return tags
    # Not every endpoint says so of what is not there.
    call, parameter, member = databases.DESCRIBED[there.kind]
    return tags if getattr(client, call)(**{parameter: there.name})[member] else None


def _of_copies(client: Any, there: Resource) -> Mapping[str, str] | None:
    if any(True for _ in databases.copies(client, there.name)):
        return {databases.DRILL_TAG: there.name.partition("* of ")[2]}
    return None


def _of_log_group(client: Any, there: Resource) -> Mapping[str, str] | None:
    found = client.describe_log_groups(logGroupNamePrefix=there.name)["logGroups"]
    return {} if any(one["logGroupName"] == there.name for one in found) else None


def _of_job(client: Any, there: Resource) -> Mapping[str, str]:
    client.describe_job(AccountId=there.account, JobId=there.name)
    return {}


def _of_scaling(client: Any, there: Resource) -> Mapping[str, str] | None:
    scaled, dimension = there.name.split(" ")
    found = client.describe_scalable_targets(
        ServiceNamespace="dynamodb", ResourceIds=[scaled], ScalableDimension=dimension
    )
    return {} if found["ScalableTargets"] else None


_READERS: Mapping[str, Callable[[Any, Resource], Mapping[str, str] | None]] = {
    "table": _of_table,
    "backup": _of_backup,
    "function": _of_function,
    "event source mapping": _of_feed,
    "role": lambda client, there: _by_key(client.list_role_tags(RoleName=there.name)["Tags"]),
    "queue": _of_queue,
    "rule": _of_rule,
    "alarm": _of_alarm,
    "bucket": _of_bucket,
    "parameter": _of_parameter,
    "key": _of_key,
    "alias": _of_alias,
    **dict.fromkeys((databases.ANY, *databases.KINDS.values()), _of_database),
    databases.COPIES: _of_copies,
    "secret": lambda client, there: _by_key(client.describe_secret(SecretId=there.name).get("Tags", [])),
    "log group": _of_log_group,
    "batch job": _of_job,
    "scalable target": _of_scaling,
}

UNTAGGED = frozenset({"alias", "backup", "batch job", "event source mapping", "log group", "scalable target"})
"""Kinds whose tags are not looked at: they have none, or come and go with what they belong to."""
