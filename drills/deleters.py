"""How each kind of resource that a drill makes is deleted, listed and dated: one line a kind, in the order of deletion.

A deleter asks AWS to delete, one step at a time: what is still being changed is tried again later. Whether a resource
is gone is asked afterwards, by drills.guard_rules. Nothing here decides whether a resource may be deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from drills.clock import Clock
from drills.database_deleters import DATABASES, DATABASES_OF_A_KIND
from drills.deleting import Deleter, Held, NotYet, asked_when_born, one_call
from drills.guard_databases import ENCRYPTED
from drills.guard_rules import Resource
from drills.intentions import Intention
from drills.stores.s3_buckets import delete_versions, is_locking, version_pages

KEY_DAYS = 7
"""The shortest time for which AWS keeps a key that it was told to delete. Source: KMS API, ScheduleKeyDeletion."""
JOB_ENDED = frozenset({"Complete", "Failed", "Cancelled"})
JOB_ENDING = frozenset({"Cancelling", "Completing", "Failing"})
"""Source: S3 user guide, Tracking job status and completion reports, Job statuses."""
BUSY = frozenset({"CREATING", "UPDATING", "DELETING", "Creating", "Updating", "Deleting", "Enabling", "Disabling"})


def _table(dynamodb: Any, there: Resource, _: Clock) -> None:
    about = dynamodb.describe_table(TableName=there.name)["Table"]
    if about["TableStatus"] in BUSY:
        raise NotYet(f"it is {about['TableStatus']}")
    if about.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=there.name, DeletionProtectionEnabled=False)
        about = dynamodb.describe_table(TableName=there.name)["Table"]
        if about["TableStatus"] in BUSY:
            raise NotYet("its deletion protection is being turned off")
    dynamodb.delete_table(TableName=there.name)


def _backup(dynamodb: Any, there: Resource, _: Clock) -> None:
    about = dynamodb.describe_backup(BackupArn=there.name)["BackupDescription"]["BackupDetails"]
    if about["BackupStatus"] in BUSY:
        raise NotYet(f"it is {about['BackupStatus']}")
    dynamodb.delete_backup(BackupArn=there.name)


def _scaling(autoscaling: Any, there: Resource, _: Clock) -> None:
    scaled, dimension = there.name.split(" ")
    autoscaling.deregister_scalable_target(ServiceNamespace="dynamodb", ResourceId=scaled, ScalableDimension=dimension)


def _bucket(s3: Any, there: Resource, clock: Clock) -> None:
    bucket = there.name
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            with suppress(s3.exceptions.NoSuchUpload):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    bypass = is_locking(s3, bucket)
    held = [
        version
        for page in version_pages(s3, bucket)
        for version in delete_versions(s3, bucket, page, clock, bypass=bypass)
    ]
    if held:
        raise Held(
            f"Object Lock or a policy holds {len(held)} of its versions, {held[0].key!r} among them; run "
            "`drills cleanup` again once their retention has ended"
        )
    s3.delete_bucket(Bucket=bucket)


def _job(control: Any, there: Resource, _: Clock) -> str:
    """A job cannot be deleted: one that still works is cancelled. Source: S3 user guide, Managing S3 Batch Operations
    jobs: those that have ended are listed for 90 days."""
    asked = {"AccountId": there.account, "JobId": there.name}
    status = control.describe_job(**asked)["Job"]["Status"]
    if status not in JOB_ENDED | JOB_ENDING:
        control.update_job_status(**asked, RequestedJobStatus="Cancelled")
        status = control.describe_job(**asked)["Job"]["Status"]
    if status not in JOB_ENDED:
        raise NotYet(f"it is {status}")
    return f"it is {status}; AWS lists it for 90 days from its end, at no cost, as jobs cannot be deleted"


def _feed(functions: Any, there: Resource, _: Clock) -> None:
    state = functions.get_event_source_mapping(UUID=there.name).get("State")
    if state in BUSY:
        raise NotYet(f"it is {state}")
    functions.delete_event_source_mapping(UUID=there.name)


def _rule(events: Any, there: Resource, _: Clock) -> None:
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=there.name)["Targets"]]
    if targets:
        events.remove_targets(Rule=there.name, Ids=targets)
    events.delete_rule(Name=there.name)


def _role(iam: Any, there: Resource, _: Clock) -> None:
    for policy in iam.list_role_policies(RoleName=there.name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=there.name, PolicyName=policy)
    if attached := iam.list_attached_role_policies(RoleName=there.name)["AttachedPolicies"]:
        raise Held(f"somebody attached the policy {attached[0]['PolicyArn']} to it; detach it and run this again")
    iam.delete_role(RoleName=there.name)


def _alarm(cloudwatch: Any, there: Resource, _: Clock) -> None:
    cloudwatch.delete_alarms(AlarmNames=[there.name])


def _queue(sqs: Any, there: Resource, _: Clock) -> None:
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=there.name)["QueueUrl"])


def _key(kms: Any, there: Resource, _: Clock) -> str:
    about = kms.describe_key(KeyId=there.name)["KeyMetadata"]
    if about["KeyState"] != "PendingDeletion":
        kms.schedule_key_deletion(KeyId=there.name, PendingWindowInDays=KEY_DAYS)
        about = kms.describe_key(KeyId=there.name)["KeyMetadata"]
    return f"AWS deletes it on {about['DeletionDate'].astimezone(UTC):%Y-%m-%d}, as keys cannot be deleted sooner"


# --- When a resource was made --------------------------------------------------------------------------------------


def _job_born(control: Any, there: Resource) -> datetime | None:
    found = control.describe_job(AccountId=there.account, JobId=there.name)["Job"]["CreationTime"]
    return found if isinstance(found, datetime) else None


def _queue_born(sqs: Any, there: Resource) -> datetime | None:
    url = sqs.get_queue_url(QueueName=there.name)["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp"])
    return datetime.fromtimestamp(float(told["Attributes"]["CreatedTimestamp"]), UTC)


def _log_group_born(logs: Any, there: Resource) -> datetime | None:
    found = logs.describe_log_groups(logGroupNamePrefix=there.name)["logGroups"]
    made = next((one["creationTime"] for one in found if one["logGroupName"] == there.name), None)
    return None if made is None else datetime.fromtimestamp(made / 1000, UTC)


# --- What only an answer would have named --------------------------------------------------------------------------


def _backups(dynamodb: Any, intention: Intention) -> Iterable[Resource]:
    table, name = intention.clues.get("TableName", ""), intention.clues.get("BackupName", "")
    for one in dynamodb.list_backups(TableName=table.rpartition("/")[2])["BackupSummaries"]:
        if one["BackupName"] == name:
            yield Resource("backup", intention.account, intention.region, one["BackupArn"])


def _feeds(functions: Any, intention: Intention) -> Iterable[Resource]:
    source = intention.clues.get("EventSourceArn")
    pages = functions.get_paginator("list_event_source_mappings")
    for page in pages.paginate(FunctionName=intention.clues["FunctionName"]):
        for one in page["EventSourceMappings"]:
            if one.get("EventSourceArn") == source:
                yield Resource("event source mapping", intention.account, intention.region, one["UUID"])


def _jobs(control: Any, intention: Intention) -> Iterable[Resource]:
    token: str | None = None
    while token != "":
        # botocore has no paginator for it.
        asked = {"AccountId": intention.account, **({"NextToken": token} if token else {})}
        page = control.list_jobs(**asked)
        for one in page["Jobs"]:
            if one.get("Description") == intention.clues.get("Description"):
                yield Resource("batch job", intention.account, intention.region, one["JobId"])
        token = page.get("NextToken", "")


def _keys(kms: Any, intention: Intention) -> Iterable[Resource]:
    for page in kms.get_paginator("list_keys").paginate():
        for one in page["Keys"]:
            about = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
            if about["Description"] == intention.clues.get("Description", "") and about["KeyManager"] == "CUSTOMER":
                yield Resource("key", intention.account, intention.region, one["KeyId"])


_DESCRIBED = asked_when_born("describe_table", "TableName", "Table.CreationDateTime")
_BACKED_UP = asked_when_born("describe_backup", "BackupArn", "BackupDescription.BackupDetails.BackupCreationDateTime")
_ROLE_BORN = asked_when_born("get_role", "RoleName", "Role.CreateDate")
_KEY_BORN = asked_when_born("describe_key", "KeyId", "KeyMetadata.CreationDate")
_FUNCTIONS, _PARAMETERS = ("list_functions", "Functions[].FunctionName"), ("describe_parameters", "Parameters[].Name")

DELETERS: Sequence[Deleter] = (
    Deleter("event source mapping", "lambda", _feed, find=_feeds),
    Deleter("rule", "events", _rule, ("list_rules", "Rules[].Name")),
    Deleter("function", "lambda", one_call("delete_function", "FunctionName"), _FUNCTIONS),
    Deleter("log group", "logs", one_call("delete_log_group", "logGroupName"), born=_log_group_born),
    Deleter("alarm", "cloudwatch", _alarm, ("describe_alarms", "MetricAlarms[].AlarmName")),
    Deleter("queue", "sqs", _queue, ("list_queues", "QueueUrls[]"), _queue_born),
    Deleter("scalable target", "application-autoscaling", _scaling),
    Deleter("backup", "dynamodb", _backup, born=_BACKED_UP, find=_backups),
    Deleter("table", "dynamodb", _table, ("list_tables", "TableNames[]"), _DESCRIBED),
    Deleter("batch job", "s3control", _job, born=_job_born, find=_jobs),
    Deleter("bucket", "s3", _bucket, ("list_buckets", "Buckets[].Name")),
    *DATABASES,
    Deleter("parameter", "ssm", one_call("delete_parameter", "Name"), _PARAMETERS),
    Deleter("role", "iam", _role, ("list_roles", "Roles[].RoleName"), _ROLE_BORN),
    Deleter("alias", "kms", one_call("delete_alias", "AliasName")),
    # Nothing that is encrypted with a key can be read, copied or restored once it is to be deleted.
    Deleter("key", "kms", _key, ("list_keys", "Keys[].KeyId"), _KEY_BORN, _keys, ENCRYPTED),
)
"""In the order of deletion: what uses goes before what is used."""
BY_KIND: Mapping[str, Deleter] = {one.kind: one for one in DELETERS}
DELETED_STORES = frozenset({"dynamodb", "rds", "s3"})
"""Kinds of store whose every resource has its line above."""
OF_A_KIND: Mapping[tuple[str, str], str] = {
    ("dynamodb", "CreateBackup"): "backup",
    ("lambda", "CreateEventSourceMapping"): "event source mapping",
    ("kms", "CreateKey"): "key",
    **DATABASES_OF_A_KIND,
    ("s3control", "CreateJob"): "batch job",
}
"""What a call makes that only its answer names."""
MADE_BY_AWS = frozenset({"log group"})
"""Kinds that AWS makes once they are needed: one that is older than the drill's own resource was somebody else's."""
