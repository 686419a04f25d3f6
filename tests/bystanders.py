"""Resources of others in a drill's accounts, and everything that can be seen of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from drills.simulator import SimulatedAWS
from tests.kept_clients import client_of

ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
}
VOLATILE = {"LatestRestorableDateTime", "LatestRestorableTime", "ResponseMetadata"}


class Bystander:
    """One of each kind of resource that a drill makes, named and tagged by somebody else, in one account and region."""

    def __init__(self, aws: SimulatedAWS, account: str, region: str, name: str, tags: dict[str, str]) -> None:
        self.aws, self.session = aws, aws.session(account, region)
        self.account, self.region, self.name, self.tags = account, region, name, tags
        self.listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.bucket = f"{name}-{account}-{region}"

    def client(self, service: str) -> Any:
        if isinstance(self.aws, SimulatedAWS):
            return client_of(self.aws, self.account, service, self.region)
        return self.session.client(service)

    def make_table(self, *, protected: bool = True, stream: bool = True) -> None:
        client = self.client("dynamodb")
        client.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "person_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "person_id", "AttributeType": "S"}],
            DeletionProtectionEnabled=protected,
            Tags=self.listed,
            **({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}} if stream else {}),
        )
        for number in range(3):
            client.put_item(TableName=self.name, Item={"person_id": {"S": str(number)}, "blob": {"B": b"\x00\xff"}})

    def make_all(self) -> None:
        self.make_table()
        self.client("dynamodb").create_backup(TableName=self.name, BackupName=self.name)
        self.make_role()
        self.make_queue()
        self.make_bucket()
        self.make_rule()
        self.make_alarm()
        self.make_parameter(f"/{self.name}/location")

    def make_role(self) -> None:
        iam = self.client("iam")
        iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_LAMBDA), Tags=self.listed)
        deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}
        iam.put_role_policy(RoleName=self.name, PolicyName="copy", PolicyDocument=json.dumps(deny))

    def make_function(self, role: str, code: bytes) -> None:
        self.client("lambda").create_function(
            FunctionName=self.name,
            Role=f"arn:aws:iam::{self.account}:role/{role}",
            Runtime="python3.13",
            Handler="index.handler",
            Code={"ZipFile": code},
            Tags=self.tags,
        )

    def make_queue(self) -> None:
        self.client("sqs").create_queue(QueueName=self.name, tags=self.tags)

    def make_bucket(self, name: str | None = None) -> None:
        s3, bucket = self.client("s3"), name or self.bucket
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self.region})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": self.listed})
        s3.put_object(Bucket=bucket, Key="set-aside/kept.json", Body=b"kept")

    def make_rule(self) -> None:
        self.client("events").put_rule(Name=self.name, ScheduleExpression="rate(1 day)", Tags=self.listed)

    def make_alarm(self) -> None:
        self.client("cloudwatch").put_metric_alarm(
            AlarmName=self.name,
            Namespace="somebody",
            MetricName="else",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            Statistic="Sum",
            ComparisonOperator="GreaterThanThreshold",
            Tags=self.listed,
        )

    def make_parameter(self, name: str) -> None:
        self.client("ssm").put_parameter(Name=name, Value="somebody's", Type="String", Tags=self.listed)

    def make_database(self) -> None:
        """For endpoints where a database is quickly made."""
        rds, instance = self.client("rds"), f"{self.name}-db"
        rds.create_db_parameter_group(
            DBParameterGroupName=self.name, DBParameterGroupFamily="postgres17", Description="a", Tags=self.listed
        )
        rds.create_db_instance(
            DBInstanceIdentifier=instance,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="boss",
            MasterUserPassword="password1",
            Tags=self.listed,
        )
        rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=self.name, Tags=self.listed)
        self.client("secretsmanager").create_secret(Name=f"rds/{self.name}", SecretString="x", Tags=self.listed)

    def seen(self) -> dict[str, str]:
        """All that can be seen of every resource of the account and region, by its name; what AWS changes left out."""
        return {name: json.dumps(_steady(about), sort_keys=True, default=str) for name, about in self._seen()}

    def _seen(self) -> Iterator[tuple[str, Any]]:
        here = f"{self.account}/{self.region}"
        dynamodb = self.client("dynamodb")
        for name in dynamodb.list_tables()["TableNames"]:
            table = dynamodb.describe_table(TableName=name)["Table"]
            tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
            yield (
                f"{here}/table/{name}",
                [
                    table,
                    tags,
                    dynamodb.scan(TableName=name)["Items"],
                    dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"],
                    dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
                ],
            )
        for backup in dynamodb.list_backups()["BackupSummaries"]:
            yield f"{here}/backup/{backup['BackupName']}", backup
        functions = self.client("lambda")
        for function in functions.list_functions()["Functions"]:
            tags = functions.list_tags(Resource=function["FunctionArn"])["Tags"]
            feeds = functions.list_event_source_mappings(FunctionName=function["FunctionName"])["EventSourceMappings"]
            yield f"{here}/function/{function['FunctionName']}", [function, tags, feeds]
        iam = self.client("iam")
        for role in iam.list_roles()["Roles"]:
            name = role["RoleName"]
            policies = [
                iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            ]
            yield f"{self.account}/role/{name}", [role, policies, iam.list_role_tags(RoleName=name)["Tags"]]
        sqs = self.client("sqs")
        for url in sqs.list_queues().get("QueueUrls", []):
            about = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            yield f"{here}/queue/{url}", [about, sqs.list_queue_tags(QueueUrl=url).get("Tags")]
        events = self.client("events")
        for rule in events.list_rules()["Rules"]:
            yield f"{here}/rule/{rule['Name']}", [rule, events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
        for alarm in self.client("cloudwatch").describe_alarms()["MetricAlarms"]:
            yield f"{here}/alarm/{alarm['AlarmName']}", {**alarm, "StateUpdatedTimestamp": None, "StateValue": None}
        ssm = self.client("ssm")
        for parameter in ssm.describe_parameters()["Parameters"]:
            value = ssm.get_parameter(Name=parameter["Name"])["Parameter"]
            yield f"{here}/parameter/{parameter['Name']}", [parameter, value]
        yield from self._buckets()
        yield from self._databases()

    def _databases(self) -> Iterator[tuple[str, Any]]:
        rds, here = self.client("rds"), f"{self.account}/{self.region}"
        for call, member in (
            ("describe_db_instances", "DBInstances"),
            ("describe_db_clusters", "DBClusters"),
            ("describe_global_clusters", "GlobalClusters"),
            ("describe_db_snapshots", "DBSnapshots"),
            ("describe_db_cluster_snapshots", "DBClusterSnapshots"),
            ("describe_db_parameter_groups", "DBParameterGroups"),
        ):
            for one in getattr(rds, call)()[member]:
                # AWS deletes automated snapshots with their database, and not every endpoint does.
                if one.get("SnapshotType") == "automated" or "default." in one.get("DBParameterGroupName", ""):
                    continue  # A group of AWS's own appears with the first database.
                name = min(str(value) for key, value in one.items() if key.endswith("Arn") and value)
                yield f"{here}/database/{name}", one
        for secret in self.client("secretsmanager").list_secrets()["SecretList"]:
            yield f"{here}/secret/{secret['Name']}", secret

    def _buckets(self) -> Iterator[tuple[str, Any]]:
        s3 = self.client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            name = bucket["Name"]
            contents = {
                one["Key"]: s3.get_object(Bucket=name, Key=one["Key"])["Body"].read().decode()
                for one in s3.list_objects_v2(Bucket=name).get("Contents", [])
            }
            yield f"{self.account}/bucket/{name}", [bucket, contents, s3.get_bucket_versioning(Bucket=name)]


def _steady(about: Any) -> Any:
    if isinstance(about, dict):
        return {key: _steady(value) for key, value in about.items() if key not in VOLATILE}
    return [_steady(one) for one in about] if isinstance(about, list) else about
