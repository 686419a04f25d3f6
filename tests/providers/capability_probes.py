"""Whether an endpoint has a capability: each is asked for through plain clients, and judged by what AWS would do.

What only takes longer at AWS is asked for until it is there or the time is over.
"""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from tests.sandbox_ground import ACCOUNTS, REGIONS, Ground

Probe = Callable[[Ground], bool]
WAIT_SECONDS = 60
KEY: Any = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
STREAM: Any = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
PITR_ON: Any = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
DENY_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


def _name() -> str:
    return f"probe-{uuid.uuid4().hex[:12]}"


def _waited(there: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    until = time.monotonic() + seconds
    while not there():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def _table(dynamodb: Any, **more: Any) -> str:
    name = _name()
    dynamodb.create_table(TableName=name, **KEY, **more)
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


def _put(dynamodb: Any, table: str, id: str, value: str) -> None:
    dynamodb.put_item(TableName=table, Item={"id": {"S": id}, "value": {"S": value}})


def _value(dynamodb: Any, table: str, id: str) -> str | None:
    item = dynamodb.get_item(TableName=table, Key={"id": {"S": id}}).get("Item")
    return None if item is None else str(item["value"]["S"])


def _bucket(s3: Any, region: str, *, versioned: bool = False) -> str:
    name = _name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def dynamodb(ground: Ground) -> bool:
    client = ground.client("dynamodb", "production")
    name = _table(client)
    _put(client, name, "a", "1")
    arn = client.describe_table(TableName=name)["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "accounts"}])
    tags = client.list_tags_of_resource(ResourceArn=arn)["Tags"]
    return _value(client, name, "a") == "1" and tags == [{"Key": "team", "Value": "accounts"}]


def dynamodb_autoscaling(ground: Ground) -> bool:
    client = ground.client("dynamodb", "production")
    scaling = ground.client("application-autoscaling", "production")
    of: Any = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": f"table/{_table(client)}",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    scaling.register_scalable_target(**of, MinCapacity=1, MaxCapacity=9)
    found = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[of["ResourceId"]])
    return [one["MaxCapacity"] for one in found["ScalableTargets"]] == [9]


def dynamodb_backup(ground: Ground) -> bool:
    """A backup holds what the table held, after it changed and after it was deleted."""
    client = ground.client("dynamodb", "production")
    name, again = _table(client), _name()
    _put(client, name, "a", "then")
    backup = client.create_backup(TableName=name, BackupName=name)["BackupDetails"]["BackupArn"]
    _put(client, name, "a", "later")
    client.delete_table(TableName=name)
    client.restore_table_from_backup(TargetTableName=again, BackupArn=backup)
    client.get_waiter("table_exists").wait(TableName=again, WaiterConfig={"Delay": 1})
    return _value(client, again, "a") == "then"


def dynamodb_pitr(ground: Ground) -> bool:
    """A moment outside the window is refused. One that answers to it with today's items has no window at all."""
    client = ground.client("dynamodb", "production")
    name = _table(client)
    client.update_continuous_backups(TableName=name, **PITR_ON)
    _put(client, name, "a", "now")
    try:
        client.restore_table_to_point_in_time(
            SourceTableName=name, TargetTableName=_name(), RestoreDateTime=datetime.now(UTC) - timedelta(hours=1)
        )
    except ClientError as error:
        return error.response["Error"]["Code"] == "InvalidRestoreTimeException"
    return False


def dynamodb_system_backup(ground: Ground) -> bool:
    client = ground.client("dynamodb", "production")
    name = _table(client)
    client.update_continuous_backups(TableName=name, **PITR_ON)
    client.delete_table(TableName=name)

    def kept() -> bool:
        listed = client.list_backups(BackupType="SYSTEM")["BackupSummaries"]
        return any(one["TableName"] == name for one in listed)

    return _waited(kept, 2)


def dynamodb_global_tables(ground: Ground) -> bool:
    """What is written in one region is read in the other."""
    here = ground.client("dynamodb", "production")
    there = ground.client("dynamodb", "production", REGIONS["recovery"])
    name = _table(here, **STREAM)
    here.update_table(TableName=name, ReplicaUpdates=[{"Create": {"RegionName": REGIONS["recovery"]}}])
    _put(here, name, "a", "1")
    return _waited(lambda: _there(lambda: _value(there, name, "a") == "1"), 5)


def dynamodb_streams(ground: Ground) -> bool:
    client = ground.client("dynamodb", "production")
    streams = ground.client("dynamodbstreams", "production")
    name = _table(client, **STREAM)
    arn = client.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    _put(client, name, "a", "1")
    _put(client, name, "a", "2")
    client.delete_item(TableName=name, Key={"id": {"S": "a"}})

    def records() -> bool:
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        found = []
        for shard in shards:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            found += [one["eventName"] for one in streams.get_records(ShardIterator=iterator)["Records"]]
        return found == ["INSERT", "MODIFY", "REMOVE"]

    return _waited(records)


FUNCTION = """
import boto3, os
def handler(event, context):
    client = boto3.client("dynamodb", endpoint_url="URL", region_name="REGION")
    for record in event["Records"]:
        client.put_item(TableName="OTHER", Item={"id": {"S": "seen"}, "value": {"S": record["eventName"]}})
"""


def lambda_event_sources(ground: Ground) -> bool:
    """A function that a stream invokes writes into another table, and the stream can still be read by others."""
    region = REGIONS["production"]
    client, functions = ground.client("dynamodb", "production"), ground.client("lambda", "production")
    source, other = _table(client, **STREAM), _table(client)
    text = FUNCTION.replace("URL", ground.behind).replace("REGION", region).replace("OTHER", other)
    function = _function(ground, text)
    if not _runs(ground, function, other):
        return False
    arn = client.describe_table(TableName=source)["Table"]["LatestStreamArn"]
    functions.create_event_source_mapping(FunctionName=function, EventSourceArn=arn, StartingPosition="TRIM_HORIZON")
    _put(client, source, "a", "1")
    return _waited(lambda: _value(client, other, "seen") == "INSERT")


def _function(ground: Ground, text: str) -> str:
    packed, name = io.BytesIO(), _name()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", text)
    ground.client("lambda", "production").create_function(
        FunctionName=name,
        Role=_role(ground, "lambda.amazonaws.com"),
        Runtime="python3.13",
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=30,
    )
    return name


def _runs(ground: Ground, function: str, table: str) -> bool:
    """Whether it runs at all when it is invoked, so that nobody waits in vain; its trace is removed."""
    functions, client = ground.client("lambda", "production"), ground.client("dynamodb", "production")
    event = {"Records": [{"eventName": "ASKED"}]}
    functions.invoke(FunctionName=function, Payload=json.dumps(event))
    ran = _value(client, table, "seen") is not None
    client.delete_item(TableName=table, Key={"id": {"S": "seen"}})
    return ran


def _role(ground: Ground, service: str) -> str:
    name = _name()
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = ground.client("iam", "production")
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


def organizations(ground: Ground) -> bool:
    """An account that was put into no organization is the management account of none."""
    client = ground.client("organizations", "production")
    try:
        return bool(client.describe_organization()["Organization"]["MasterAccountId"] != ACCOUNTS["production"])
    except ClientError as error:
        return error.response["Error"]["Code"] == "AWSOrganizationsNotInUseException"


def lambda_schedules(ground: Ground) -> bool:
    """A function that a rule invokes each minute writes into a table."""
    region = REGIONS["production"]
    client, functions = ground.client("dynamodb", "production"), ground.client("lambda", "production")
    events, other = ground.client("events", "production"), _table(client)
    text = FUNCTION.replace("URL", ground.behind).replace("REGION", region).replace("OTHER", other)
    function = _function(ground, text.replace('event["Records"]', '[{"eventName": "SCHEDULED"}]'))
    if not _runs(ground, function, other):
        return False
    rule = events.put_rule(Name=other, ScheduleExpression="rate(1 minute)")["RuleArn"]
    functions.add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    arn = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    events.put_targets(Rule=other, Targets=[{"Id": "1", "Arn": arn}])
    return _waited(lambda: _value(client, other, "seen") == "SCHEDULED", 150)


def rds(ground: Ground) -> bool:
    """An instance takes a connection and holds a row."""
    client, name = ground.client("rds", "production"), _name()
    client.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        DBName="shop",
        MasterUsername="owner",
        MasterUserPassword="made-for-this-probe",
    )

    def takes_a_row() -> bool:
        (found,) = client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        if found["DBInstanceStatus"] != "available":
            return False
        at = found["Endpoint"]
        try:
            with psycopg.connect(
                host=at["Address"],
                port=at["Port"],
                dbname="shop",
                user="owner",
                password="made-for-this-probe",
                connect_timeout=5,
            ) as connection:
                connection.execute("CREATE TABLE held (id int)")
                return connection.execute("INSERT INTO held VALUES (1) RETURNING id").fetchone() == (1,)
        except psycopg.Error:
            return False

    return _waited(takes_a_row, 10)


def s3_bucket_policies(ground: Ground) -> bool:
    s3 = ground.client("s3", "production")
    name = _bucket(s3, REGIONS["production"])
    s3.put_object(Bucket=name, Key="a", Body=b"1")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    return _denied(lambda: s3.get_object(Bucket=name, Key="a"))


def s3_versioning(ground: Ground) -> bool:
    """Older versions are there after an overwrite, a deletion, and an overwrite while versioning is suspended."""
    s3 = ground.client("s3", "production")
    name = _bucket(s3, REGIONS["production"], versioned=True)
    first = s3.put_object(Bucket=name, Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket=name, Key="a", Body=b"2")
    marker = s3.delete_object(Bucket=name, Key="a")
    s3.delete_object(Bucket=name, Key="a", VersionId=marker["VersionId"])
    return bool(
        marker.get("DeleteMarker")
        and s3.get_object(Bucket=name, Key="a")["Body"].read() == b"2"
        and s3.get_object(Bucket=name, Key="a", VersionId=first)["Body"].read() == b"1"
    )


def s3_replication(ground: Ground) -> bool:
    """A new object reaches the vault's bucket under the version id that it has."""
    source, copy = _replicated(ground)
    s3, vault = ground.client("s3", "production"), ground.client("s3", "vault")
    version = s3.put_object(Bucket=source, Key="a", Body=b"1")["VersionId"]
    return _waited(lambda: _there(lambda: vault.head_object(Bucket=copy, Key="a")["VersionId"] == version), 5)


def _replicated(ground: Ground, before: Mapping[str, bytes] | None = None) -> tuple[str, str]:
    s3, vault = ground.client("s3", "production"), ground.client("s3", "vault")
    source = _bucket(s3, REGIONS["production"], versioned=True)
    copy = _bucket(vault, REGIONS["vault"], versioned=True)
    for key, body in (before or {}).items():
        s3.put_object(Bucket=source, Key=key, Body=body)
    role = _role(ground, "s3.amazonaws.com")
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": [
            "s3:ReplicateObject",
            "s3:ReplicateTags",
            "s3:ReplicateDelete",
            "s3:ObjectOwnerOverrideToBucketOwner",
        ],
        "Resource": f"arn:aws:s3:::{copy}/*",
    }
    vault.put_bucket_policy(Bucket=copy, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    rule: Any = {
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{copy}",
            "Account": ACCOUNTS["vault"],
            "AccessControlTranslation": {"Owner": "Destination"},
        },
    }
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})
    return source, copy


def s3_batch_replication(ground: Ground) -> bool:
    source, copy = _replicated(ground, {"a": b"1"})
    vault, control = ground.client("s3", "vault"), ground.client("s3control", "production")
    name = ground.behind.removeprefix("http://")
    # Not even an endpoint of one's own is free of the account's id before its name.
    control.meta.events.register(
        "before-call.s3-control", lambda params, **_: params.update(url=f"http://{name}/v20180820/jobs")
    )
    control.create_job(
        AccountId=ACCOUNTS["production"],
        ConfirmationRequired=False,
        Operation={"S3ReplicateObject": {}},
        Report={"Enabled": False},
        Priority=1,
        ClientRequestToken=uuid.uuid4().hex,
        RoleArn=_role(ground, "batchoperations.s3.amazonaws.com"),
        ManifestGenerator={
            "S3JobManifestGenerator": {
                "SourceBucket": f"arn:aws:s3:::{source}",
                "EnableManifestOutput": False,
                "Filter": {"EligibleForReplication": True},
            }
        },
    )
    return _waited(lambda: _there(lambda: bool(vault.head_object(Bucket=copy, Key="a"))), 5)


def sts_session_policies(ground: Ground) -> bool:
    return _denied(ground.client("dynamodb", "production", policy=DENY_ALL).list_tables)


def _there(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except ClientError:
        return False


def _denied(asked: Callable[[], Any]) -> bool:
    try:
        asked()
    except ClientError as error:
        return error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
    return False


PROBES: Mapping[str, Probe] = {
    "dynamodb": dynamodb,
    "dynamodb.autoscaling": dynamodb_autoscaling,
    "dynamodb.backup": dynamodb_backup,
    "dynamodb.global_tables": dynamodb_global_tables,
    "dynamodb.pitr": dynamodb_pitr,
    "dynamodb.streams": dynamodb_streams,
    "dynamodb.system_backup": dynamodb_system_backup,
    "lambda.event_sources": lambda_event_sources,
    "lambda.schedules": lambda_schedules,
    "organizations": organizations,
    "rds": rds,
    "s3.batch_replication": s3_batch_replication,
    "s3.bucket_policies": s3_bucket_policies,
    "s3.replication": s3_replication,
    "s3.versioning": s3_versioning,
    "sts.session_policies": sts_session_policies,
}
"""By capability. That an account or a region is lost is enforced on this side, so that no endpoint is asked."""


def has(capability: str, ground: Ground) -> tuple[bool, str]:
    """Whether it is there, and the error that said that it is not, if one did."""
    try:
        return PROBES[capability](ground), ""
    except (ClientError, BotoCoreError) as error:
        return False, str(error)
