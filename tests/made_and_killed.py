"""One of everything that a drill makes, made under the guard's eyes in a process that is killed at a chosen moment.

``python -m tests.made_and_killed FOLDER URL MOMENT NUMBER``; MOMENT: ``before`` the call of that intention is sent,
``after`` it was carried out and before its answer is noted, ``torn`` while the intention is written, or ``never``.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drills.accounts_file import Access
from drills.guard import Guard
from drills.intentions import Header, Intentions
from drills.model import Account, AccountRole
from drills.ownership import DRILL_TAG
from drills.sessions import Sessions

DRILL, NAME = "people-20260301-090000-abc123", "drill-abc12a-people"
ACCOUNTS: Mapping[AccountRole, tuple[str, str]] = {
    "production": ("121212121212", "eu-west-1"),
    "vault": ("232323232323", "eu-central-1"),
    "recovery": ("343434343434", "eu-north-1"),
}
TAGS = {DRILL_TAG: DRILL, "drills:store": "people"}
LISTED = [{"Key": key, "Value": value} for key, value in TAGS.items()]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
DENY = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}})
SCALED = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": f"table/{NAME}",
    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
}
Client = Callable[..., Any]


def code() -> bytes:
    """A package of a function that does nothing."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context): pass\n")
    return archive.getvalue()


class Killed(Intentions):
    """Ends this process by SIGKILL at the chosen moment."""

    moment, at = "never", 0

    def intend(self, *what: Any, **more: Any) -> int:
        if self.moment == "torn" and self._number + 1 == self.at:
            self._file.write(b'{"account":"1212')
            os.kill(os.getpid(), signal.SIGKILL)
        number = super().intend(*what, **more)
        if self.moment == "before" and number == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    def done(self, number: int, *what: Any, **more: Any) -> None:
        if self.moment == "after" and number == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        super().done(number, *what, **more)


def make_tables(client: Client) -> None:
    dynamodb = client("dynamodb", "production")
    dynamodb.create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        DeletionProtectionEnabled=True,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        Tags=LISTED,
    )
    dynamodb.put_item(TableName=NAME, Item={"id": {"S": "1"}, "secret": {"S": "what nobody may read in a record"}})
    client("application-autoscaling", "production").register_scalable_target(**SCALED, MinCapacity=1, MaxCapacity=5)
    arn = dynamodb.create_backup(TableName=NAME, BackupName=f"{NAME}-1")["BackupDetails"]["BackupArn"]
    dynamodb.restore_table_from_backup(TargetTableName=f"{NAME}-restored", BackupArn=arn)
    restored = dynamodb.describe_table(TableName=f"{NAME}-restored")["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=restored, Tags=LISTED)


def make_buckets(client: Client) -> None:
    for role in ("production", "vault"):
        s3, bucket = client("s3", role), f"{NAME}-{role}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": ACCOUNTS[role][1]})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": LISTED})
        s3.put_object(Bucket=bucket, Key="a/1", Body=b"one")
        s3.put_object(Bucket=bucket, Key="a/1", Body=b"two")
        s3.delete_object(Bucket=bucket, Key="a/1")
        s3.create_multipart_upload(Bucket=bucket, Key="a/2")


def make_the_copys_parts(client: Client) -> None:
    iam = client("iam", "production")
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST, Tags=LISTED)["Role"]["Arn"]
    iam.put_role_policy(RoleName=NAME, PolicyName="copy", PolicyDocument=DENY)
    client("sqs", "production").create_queue(QueueName=NAME, tags=TAGS)
    functions = client("lambda", "production")
    functions.create_function(
        FunctionName=NAME,
        Role=role,
        Runtime="python3.13",
        Handler="index.handler",
        Code={"ZipFile": code()},
        Tags=TAGS,
    )
    stream = client("dynamodb", "production").describe_table(TableName=NAME)["Table"]["LatestStreamArn"]
    functions.create_event_source_mapping(FunctionName=NAME, EventSourceArn=stream, StartingPosition="LATEST")
    events = client("events", "production")
    events.put_rule(Name=NAME, ScheduleExpression="rate(1 minute)", Tags=LISTED)
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNTS['production'][0]}:function:{NAME}"
    events.put_targets(Rule=NAME, Targets=[{"Id": "1", "Arn": arn}])


def make_the_rest(client: Client) -> None:
    client("cloudwatch", "production").put_metric_alarm(
        AlarmName=NAME,
        Namespace="drills",
        MetricName="lag",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
        Tags=LISTED,
    )
    client("ssm", "recovery").put_parameter(Name=f"/{NAME}/location", Value="there", Type="String", Tags=LISTED)
    kms = client("kms", "vault")
    tags = [{"TagKey": key, "TagValue": value} for key, value in TAGS.items()]
    key = kms.create_key(Description=f"drills: {NAME}", Tags=tags)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/{NAME}", TargetKeyId=key)


def make_databases(client: Client) -> None:
    rds = client("rds", "production")
    rds.create_db_parameter_group(
        DBParameterGroupName=f"{NAME}-parameters", DBParameterGroupFamily="postgres17", Description=NAME, Tags=LISTED
    )
    instance: Any = {
        "DBInstanceClass": "db.t4g.medium",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "boss",
        "MasterUserPassword": "what nobody may read in a record",
    }
    rds.create_db_instance(
        DBInstanceIdentifier=NAME,
        DBParameterGroupName=f"{NAME}-parameters",
        DeletionProtection=True,
        Tags=LISTED,
        **instance,
    )
    client("secretsmanager", "production").create_secret(
        Name=f"rds/{NAME}", SecretString="what nobody may read in a record", Tags=LISTED
    )
    rds.create_db_snapshot(DBInstanceIdentifier=NAME, DBSnapshotIdentifier=f"{NAME}-1", Tags=LISTED)
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=f"{NAME}-replica", SourceDBInstanceIdentifier=NAME, Tags=LISTED
    )
    engine = {"Engine": "aurora-postgresql"}
    rds.create_db_cluster(
        DBClusterIdentifier=f"{NAME}-cluster",
        MasterUsername="boss",
        MasterUserPassword="what nobody may read in a record",
        DeletionProtection=True,
        Tags=LISTED,
        **engine,
    )
    rds.create_db_instance(
        DBInstanceIdentifier=f"{NAME}-cluster-1",
        DBClusterIdentifier=f"{NAME}-cluster",
        DBInstanceClass="db.t4g.medium",
        Tags=LISTED,
        **engine,
    )
    rds.create_db_cluster_snapshot(
        DBClusterIdentifier=f"{NAME}-cluster", DBClusterSnapshotIdentifier=f"{NAME}-cluster-1", Tags=LISTED
    )


def make_everything(folder: Path, url: str, moment: str, number: int) -> None:
    """Raises nothing: it ends, or is killed."""
    Killed.moment, Killed.at = moment, number
    accesses = {
        role: Access("here", f"arn:aws:iam::{id}:role/drills", None, id, region)
        for role, (id, region) in ACCOUNTS.items()
    }
    sessions = Sessions("sandbox.yaml", accesses, url)
    made = {role: sessions.session(role, region) for role, (_, region) in ACCOUNTS.items()}
    accounts = {role: Account(role, id, region) for role, (id, region) in ACCOUNTS.items()}
    header = Header(DRILL, accounts, str((folder.parent / "sandbox.yaml").resolve()), url)
    with Killed.begin(folder, header) as record:
        guard = Guard(DRILL, record)

        def client(service: str, role: AccountRole) -> Any:
            found = sessions.client(made[role], service, ACCOUNTS[role][1])
            guard.watch(found, ACCOUNTS[role][0])
            return found

        for make in (make_tables, make_buckets, make_the_copys_parts, make_the_rest, make_databases):
            make(client)


if __name__ == "__main__":
    make_everything(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
