"""The calls by which a copy is deployed, recorded from boto3, as the resources of CloudFormation that they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name

Resources = dict[tuple[str, str, str], dict[str, Any]]
"""By side, type and name."""
READS = ("Describe", "Get", "List", "Head")


@dataclass
class Recorder:
    """Hands out clients whose changing calls it keeps, with their answers."""

    client: Callable[..., Any]
    calls: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    """Side, service, operation, request, answer; only of calls that were answered."""

    def __call__(self, side: str, service: str, region: str | None = None) -> Any:
        place = () if region is None else (region,)
        return _Listening(self, side, service, self.client(side, service, *place))


class _Listening:
    def __init__(self, recorder: Recorder, side: str, service: str, client: Any) -> None:
        self._recorder, self._side, self._service, self._client = recorder, side, service, client

    def __getattr__(self, name: str) -> Any:
        operations = {xform_name(one): one for one in self._client.meta.service_model.operation_names}
        found = getattr(self._client, name)
        if name not in operations or operations[name].startswith(READS):
            return found

        def call(**request: Any) -> Any:
            answer = found(**request)
            plain = json.loads(json.dumps(request, default=_plain))
            self._recorder.calls.append((self._side, self._service, operations[name], plain, answer))
            return answer

        return call


def _plain(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def resources_of(recorder: Recorder, uncovered: Mapping[str, str]) -> Resources:
    """What the calls made. A call that is neither understood here nor named in ``uncovered``, with a reason, fails."""
    found: Resources = {}
    for side, service, operation, request, _ in recorder.calls:
        key = f"{service}.{operation}"
        if f"{side} {key}" in uncovered:
            continue
        assert key in MEANINGS, f"{side}: nobody knows what {key} {request} is in CloudFormation"
        MEANINGS[key](found, side, dict(request))
    return found


def _make(kind: str, name_field: str, **renamed: str) -> Callable[[Resources, str, dict[str, Any]], None]:
    """A call that makes a resource, whose request has the properties' names but for those that are renamed."""

    def made(found: Resources, side: str, request: dict[str, Any]) -> None:
        name = request[name_field]
        properties = {renamed.get(key, key): value for key, value in request.items()}
        found.setdefault((side, kind, name), {}).update(properties)

    return made


def _add(kind: str, name_field: str, *fields: str, **renamed: str) -> Callable[[Resources, str, dict[str, Any]], None]:
    """A call that says more of a resource that an earlier one made."""

    def added(found: Resources, side: str, request: dict[str, Any]) -> None:
        there = found[side, kind, request[name_field]]
        there.update({renamed.get(one, one): request[one] for one in fields})

    return added


def _role(found: Resources, side: str, request: dict[str, Any]) -> None:
    request["AssumeRolePolicyDocument"] = json.loads(request["AssumeRolePolicyDocument"])
    found[side, "AWS::IAM::Role", request["RoleName"]] = request


def _role_policy(found: Resources, side: str, request: dict[str, Any]) -> None:
    policy = {"PolicyName": request["PolicyName"], "PolicyDocument": json.loads(request["PolicyDocument"])}
    found[side, "AWS::IAM::Role", request["RoleName"]]["Policies"] = [policy]


def _trust(found: Resources, side: str, request: dict[str, Any]) -> None:
    trust = json.loads(request["PolicyDocument"])
    found[side, "AWS::IAM::Role", request["RoleName"]]["AssumeRolePolicyDocument"] = trust


def _queue(found: Resources, side: str, request: dict[str, Any]) -> None:
    numbers = {name: int(value) for name, value in request["Attributes"].items()}
    properties = {"QueueName": request["QueueName"], "Tags": _tag_list(request.get("tags", {})), **numbers}
    found[side, "AWS::SQS::Queue", request["QueueName"]] = properties


def _function(found: Resources, side: str, request: dict[str, Any]) -> None:
    properties = {**request, "Tags": _tag_list(request["Tags"])}
    found[side, "AWS::Lambda::Function", request["FunctionName"]] = properties


def _targets(found: Resources, side: str, request: dict[str, Any]) -> None:
    found[side, "AWS::Events::Rule", request["Rule"]]["Targets"] = request["Targets"]


def _permission(found: Resources, side: str, request: dict[str, Any]) -> None:
    request.pop("StatementId")  # CloudFormation gives it one of its own.
    found[side, "AWS::Lambda::Permission", request["FunctionName"]] = request


def _bucket(found: Resources, side: str, request: dict[str, Any]) -> None:
    properties = {"BucketName": request["Bucket"]}
    if "ObjectLockEnabledForBucket" in request:
        properties["ObjectLockEnabled"] = request["ObjectLockEnabledForBucket"]
    found[side, "AWS::S3::Bucket", request["Bucket"]] = properties


def _bucket_tags(found: Resources, side: str, request: dict[str, Any]) -> None:
    found[side, "AWS::S3::Bucket", request["Bucket"]]["Tags"] = request["Tagging"]["TagSet"]


def _lifecycle(found: Resources, side: str, request: dict[str, Any]) -> None:
    rules = []
    for rule in request["LifecycleConfiguration"]["Rules"]:
        rest = {key: value for key, value in rule.items() if key not in ("ID", "Filter")}
        rules.append({"Id": rule["ID"], "Prefix": rule["Filter"]["Prefix"], **rest})
    found[side, "AWS::S3::Bucket", request["Bucket"]]["LifecycleConfiguration"] = {"Rules": rules}


def _bucket_policy(found: Resources, side: str, request: dict[str, Any]) -> None:
    properties = {"Bucket": request["Bucket"], "PolicyDocument": json.loads(request["Policy"])}
    found[side, "AWS::S3::BucketPolicy", request["Bucket"]] = properties


def _key(found: Resources, side: str, request: dict[str, Any]) -> None:
    properties = {
        "Description": request["Description"],
        "KeyPolicy": json.loads(request["Policy"]),
        "Tags": [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in request["Tags"]],
    }
    found[side, "AWS::KMS::Key", request["Description"]] = properties


def _alias(found: Resources, side: str, request: dict[str, Any]) -> None:
    found[side, "AWS::KMS::Alias", request["AliasName"]] = {
        "AliasName": request["AliasName"],
        "TargetKeyId": request["TargetKeyId"].rpartition("/")[2],
    }


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


TABLE, BUCKET, RULE = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Events::Rule"
MEANINGS: Mapping[str, Callable[[Resources, str, dict[str, Any]], None]] = {
    "iam.CreateRole": _role,
    "iam.PutRolePolicy": _role_policy,
    "iam.UpdateAssumeRolePolicy": _trust,
    "sqs.CreateQueue": _queue,
    "lambda.CreateFunction": _function,
    "lambda.CreateEventSourceMapping": _make("AWS::Lambda::EventSourceMapping", "FunctionName"),
    "lambda.AddPermission": _permission,
    "events.PutRule": _make(RULE, "Name"),
    "events.PutTargets": _targets,
    "cloudwatch.PutMetricAlarm": _make("AWS::CloudWatch::Alarm", "AlarmName"),
    "dynamodb.CreateTable": _make(TABLE, "TableName"),
    "dynamodb.UpdateContinuousBackups": _add(TABLE, "TableName", "PointInTimeRecoverySpecification"),
    "dynamodb.UpdateTimeToLive": _add(TABLE, "TableName", "TimeToLiveSpecification"),
    "s3.CreateBucket": _bucket,
    "s3.PutPublicAccessBlock": _add(BUCKET, "Bucket", "PublicAccessBlockConfiguration"),
    "s3.PutBucketVersioning": _add(BUCKET, "Bucket", "VersioningConfiguration"),
    "s3.PutBucketOwnershipControls": _add(BUCKET, "Bucket", "OwnershipControls"),
    "s3.PutObjectLockConfiguration": _add(BUCKET, "Bucket", "ObjectLockConfiguration"),
    "s3.PutBucketTagging": _bucket_tags,
    "s3.PutBucketLifecycleConfiguration": _lifecycle,
    "s3.PutBucketPolicy": _bucket_policy,
    "kms.CreateKey": _key,
    "kms.CreateAlias": _alias,
}


def comparable(value: Any) -> Any:
    """Without the order of tags, principals and attributes, which says nothing, and without what is empty."""
    if isinstance(value, Mapping):
        return {key: _unordered(key, comparable(one)) for key, one in value.items() if one not in ([], {}, None)}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    return value


def _unordered(key: str, value: Any) -> Any:
    if key in ("Tags", "AttributeDefinitions", "AWS") and isinstance(value, list):
        return sorted(value, key=json.dumps)
    return value
