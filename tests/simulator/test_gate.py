"""The gate: code that ran on moto runs here, from one thread or many, and there is one simulated AWS at a time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from drills.errors import SimulatorError
from drills.simulator import SimulatedAWS
from drills.simulator.capabilities import CAPABILITIES, MISSING
from tests.simulator.policies import ONE, REGION, TWO, code_of, table

# --- Entering --------------------------------------------------------------------------------------------------------


def test_there_is_one_at_a_time(simulated_aws: SimulatedAWS) -> None:
    with pytest.raises(SimulatorError, match=r"active already.*leave it before"):  # noqa: SIM117
        with SimulatedAWS():
            pass
    boto3.client("dynamodb", region_name=REGION).list_tables()


def test_motos_own_context_is_refused_around_and_welcome_inside() -> None:
    with mock_aws(), pytest.raises(SimulatorError, match="take the mock_aws around SimulatedAWS away"):
        SimulatedAWS().__enter__()
    with SimulatedAWS() as aws:
        with mock_aws():
            boto3.client("sqs", region_name=REGION).create_queue(QueueName="q")
        assert len(boto3.client("sqs", region_name=REGION).list_queues()["QueueUrls"]) == 1
        aws.clock.sleep(1)


def test_it_must_be_entered_before_it_is_used() -> None:
    aws = SimulatedAWS()
    for use in (lambda: aws.session(ONE), lambda: aws.close_account(ONE), lambda: aws.faults(), lambda: aws.durations):
        with pytest.raises(SimulatorError, match="with SimulatedAWS"):
            use()


def test_one_may_be_entered_again_and_begins_anew() -> None:
    aws = SimulatedAWS(seed=3)
    keys = []
    for _ in range(2):
        with aws:
            table(aws.session(ONE, REGION))
            assert aws.session(ONE, REGION).client("dynamodb").list_tables()["TableNames"] == ["orders"]
            keys.append(aws.session(TWO).get_credentials())
            aws.clock.sleep(5)
    assert keys[0].access_key == keys[1].access_key  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "arguments", [{"durations": "p99"}, {"iam": "on"}, {"closed_account_sessions": "maybe"}, {"changed_moto": "ok"}]
)
def test_wrong_settings_are_named(arguments: dict[str, Any]) -> None:
    (name,) = arguments
    with pytest.raises(SimulatorError, match=f"SimulatedAWS: {name} is '"):
        SimulatedAWS(**arguments)


def test_what_is_missing_is_said_with_its_reason() -> None:
    assert SimulatedAWS.missing is MISSING
    assert SimulatedAWS.capabilities is CAPABILITIES
    assert not CAPABILITIES & MISSING.keys()
    assert all(len(reason) > 20 for reason in MISSING.values())


def test_a_call_that_is_not_there_is_named(simulated_aws: SimulatedAWS) -> None:
    with pytest.raises(SimulatorError, match="rds:DescribeAccountAttributes is not there in the simulated AWS"):
        simulated_aws.session("111111111111", "eu-west-1").client("rds").describe_account_attributes()


def test_calls_are_told(simulated_aws: SimulatedAWS) -> None:
    told: list[tuple[str, str, str, str, int]] = []
    simulated_aws.on_call(lambda r, status: told.append((r.service, r.operation, r.account, r.region, status)))
    session = simulated_aws.session(ONE, REGION)
    session.client("dynamodb").list_tables()
    session.client("s3").list_buckets()
    session.client("iam").list_roles()
    code_of(session.client("sqs").get_queue_url, QueueName="none")
    assert told == [
        ("dynamodb", "ListTables", ONE, REGION, 200),
        ("s3", "ListBuckets", ONE, REGION, 200),
        ("iam", "ListRoles", ONE, "us-east-1", 200),
        ("sqs", "GetQueueUrl", ONE, REGION, 400),
    ]


# --- Threads ---------------------------------------------------------------------------------------------------------


def test_no_update_is_lost_between_threads(simulated_aws: SimulatedAWS) -> None:
    table(boto3.Session(region_name=REGION))
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    queue = boto3.client("sqs", region_name=REGION).create_queue(QueueName="q")["QueueUrl"]
    sqs = boto3.client("sqs", region_name=REGION)

    def work(thread: int) -> None:
        for n in range(40):
            dynamodb.update_item(
                TableName="orders",
                Key={"id": {"S": "counter"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
            dynamodb.put_item(TableName="orders", Item={"id": {"S": f"{thread}-{n}"}})
            if n % 10 == 0:
                sqs.send_message(QueueUrl=queue, MessageBody=f"{thread}-{n}")

    with ThreadPoolExecutor(8) as pool, simulated_aws.faults(throttle=0.02):
        list(pool.map(work, range(8)))
    found = dynamodb.get_item(TableName="orders", Key={"id": {"S": "counter"}})["Item"]
    assert found["n"] == {"N": "320"}
    assert dynamodb.scan(TableName="orders", Select="COUNT")["Count"] == 321
    depth = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert depth["ApproximateNumberOfMessages"] == "32"


# --- As moto ---------------------------------------------------------------------------------------------------------

Program = Callable[[], Any]


def _s3() -> Any:
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket="drills", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="drills", VersioningConfiguration={"Status": "Enabled"})
    for n in range(3):
        s3.put_object(Bucket="drills", Key="a b/ü", Body=f"{n}".encode(), Metadata={"n": str(n)}, Tagging="k=v")
    s3.copy_object(Bucket="drills", Key="copy", CopySource={"Bucket": "drills", "Key": "a b/ü"})
    upload = s3.create_multipart_upload(Bucket="drills", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="drills", Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts: Any = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket="drills", Key="parts", UploadId=upload, MultipartUpload=parts)
    s3.delete_object(Bucket="drills", Key="a b/ü")
    listed = s3.list_object_versions(Bucket="drills")
    read = s3.get_object(Bucket="drills", Key="copy")
    return (
        [(v["Key"], v["Size"], v["IsLatest"]) for v in listed["Versions"]],
        [marker["Key"] for marker in listed["DeleteMarkers"]],
        (read["Body"].read(), read["Metadata"]),
        code_of(s3.get_object, Bucket="drills", Key="none"),
        code_of(s3.head_object, Bucket="drills", Key="none"),
        [o["Key"] for o in s3.list_objects_v2(Bucket="drills", Prefix="c")["Contents"]],
        s3.get_object_tagging(Bucket="drills", Key="copy")["TagSet"],
    )


def _presigned() -> Any:
    found = []
    for version, style in (("s3v4", "virtual"), ("s3", "path"), ("s3v4", "path")):
        addressing: Any = {"addressing_style": style}
        config = Config(signature_version=version, s3=addressing)
        s3 = boto3.client("s3", region_name="us-east-1", config=config)
        s3.create_bucket(Bucket=f"drills-{version}-{style}")
        where = {"Bucket": f"drills-{version}-{style}", "Key": "a"}
        put = requests.put(s3.generate_presigned_url("put_object", Params=where), data=b"x", timeout=5)
        got = requests.get(s3.generate_presigned_url("get_object", Params=where), timeout=5)
        missing = requests.get(s3.generate_presigned_url("get_object", Params={**where, "Key": "b"}), timeout=5)
        found.append((put.status_code, got.status_code, got.content, missing.status_code))
    return found


def _sqs() -> Any:
    sqs = boto3.resource("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    for n in range(3):
        queue.send_message(MessageBody=str(n), MessageGroupId="g", MessageDeduplicationId=str(n))
    received = queue.receive_messages(MaxNumberOfMessages=3)
    for message in received:
        message.delete()
    missing = code_of(boto3.client("sqs", region_name=REGION).get_queue_url, QueueName="none")
    return queue.url, [message.body for message in received], missing


def _ssm() -> Any:
    ssm = boto3.client("ssm", region_name=REGION)
    for n in range(12):
        ssm.put_parameter(Name=f"/app/{n:02}", Value=str(n), Type="String")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/app", Recursive=True)
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    return names, code_of(ssm.get_parameter, Name="/none"), ssm.get_parameter(Name="/app/03")["Parameter"]["Value"]


def _iam() -> Any:
    iam = boto3.client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    made = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust), Path="/team/")["Role"]
    iam.tag_role(RoleName="worker", Tags=[{"Key": "k", "Value": "v"}])
    iam.create_user(UserName="ann")
    sts = boto3.client("sts")
    return (
        made["Arn"],
        iam.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"],
        code_of(iam.get_role, RoleName="none"),
        [user["UserName"] for user in iam.list_users()["Users"]],
        {name: sts.get_caller_identity()[name] for name in ("Account", "Arn", "UserId")},
    )


def _kms() -> Any:
    kms = boto3.client("kms", region_name=REGION)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/app", TargetKeyId=key)
    sealed = kms.encrypt(KeyId="alias/app", Plaintext=b"secret", EncryptionContext={"a": "b"})["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"a": "b"})["Plaintext"]
    return opened, code_of(kms.describe_key, KeyId="alias/none")


def _ec2() -> Any:
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    return vpc["CidrBlock"], zones, code_of(ec2.describe_instances, InstanceIds=["i-00000000000000000"])


def _cloudformation() -> Any:
    template = {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "from-stack"}},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "from-stack"}},
        },
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
    }
    stacks = boto3.client("cloudformation", region_name=REGION)
    stacks.create_stack(StackName="app", TemplateBody=json.dumps(template))
    described = stacks.describe_stacks(StackName="app")["Stacks"][0]
    buckets = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    return described["StackStatus"], described["Outputs"], buckets, code_of(stacks.describe_stacks, StackName="none")


def _dynamodb() -> Any:
    table(boto3.Session(region_name=REGION))
    orders = boto3.resource("dynamodb", region_name=REGION).Table("orders")
    for n in range(5):
        orders.put_item(Item={"id": str(n), "n": n, "s": {"a", "b"}, "b": b"\x00\xff", "m": {"l": [1, None, True]}})
    exists = "attribute_not_exists(id)"
    refused = code_of(orders.put_item, Item={"id": "1"}, ConditionExpression=exists)
    changed = orders.update_item(
        Key={"id": "1"},
        UpdateExpression="SET n = n + :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="ALL_NEW",
    )
    items = sorted(orders.scan()["Items"], key=lambda item: str(item["id"]))
    return refused, changed["Attributes"], items, code_of(orders.get_item, Key={"wrong": "1"})


def _metrics() -> Any:
    cloudwatch = boto3.client("cloudwatch", region_name=REGION)
    cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Value": 1.5, "Unit": "Count"}])
    listed = [(metric["Namespace"], metric["MetricName"]) for metric in cloudwatch.list_metrics()["Metrics"]]
    cloudwatch.put_metric_alarm(
        AlarmName="a",
        Namespace="App",
        MetricName="m",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    return listed, [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]]


def _events_and_logs() -> Any:
    events, logs = boto3.client("events", region_name=REGION), boto3.client("logs", region_name=REGION)
    arn = events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")["RuleArn"]
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="s")
    logs.put_log_events(
        logGroupName="/app", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "said"}]
    )
    read = logs.get_log_events(logGroupName="/app", logStreamName="s", startFromHead=True)["events"]
    return arn, [event["message"] for event in read], code_of(events.describe_rule, Name="none")


def _sns_and_secrets() -> Any:
    sns, secrets = boto3.client("sns", region_name=REGION), boto3.client("secretsmanager", region_name=REGION)
    topic = sns.create_topic(Name="t")["TopicArn"]
    queue = boto3.client("sqs", region_name=REGION).create_queue(QueueName="q")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:123456789012:q")
    sns.publish(TopicArn=topic, Message="said")
    body = boto3.client("sqs", region_name=REGION).receive_message(QueueUrl=queue)["Messages"][0]["Body"]
    secrets.create_secret(Name="s", SecretString="hidden")
    return topic, json.loads(body)["Message"], secrets.get_secret_value(SecretId="s")["SecretString"]


def _route53_and_organizations() -> Any:
    zones, organizations = boto3.client("route53"), boto3.client("organizations")
    made = zones.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Name"]
    organizations.create_organization(FeatureSet="ALL")
    organizations.create_account(Email="a@example.com", AccountName="vault")
    return made, sorted(account["Name"] for account in organizations.list_accounts()["Accounts"])


def _rds() -> Any:
    rds = boto3.client("rds", region_name=REGION)
    made = rds.create_db_instance(
        DBInstanceIdentifier="app",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="boss",
        MasterUserPassword="password1",
    )["DBInstance"]
    return made["DBInstanceArn"], code_of(rds.describe_db_instances, DBInstanceIdentifier="none")


PROGRAMS: list[Program] = [
    _s3,
    _presigned,
    _sqs,
    _ssm,
    _iam,
    _kms,
    _ec2,
    _cloudformation,
    _dynamodb,
    _metrics,
    _events_and_logs,
    _sns_and_secrets,
    _route53_and_organizations,
    _rds,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__.strip("_"))
def test_what_ran_on_moto_gives_the_same_here(program: Program) -> None:
    def run(context: AbstractContextManager[Any]) -> Any:
        with context:
            return program()

    assert run(SimulatedAWS()) == run(mock_aws())


def test_motos_server_side_account_header_is_followed(simulated_aws: SimulatedAWS) -> None:
    client = boto3.client("sts")
    client.meta.events.register(
        "before-sign.*.*", lambda request, **_: request.headers.add_header("x-moto-account-id", TWO)
    )
    assert client.get_caller_identity()["Account"] == TWO


# --- What every answer has -------------------------------------------------------------------------------------------


def test_every_answer_has_an_id_of_its_own(simulated_aws: SimulatedAWS) -> None:
    session = simulated_aws.session("111111111111", "eu-west-1")
    dynamodb, streams = session.client("dynamodb"), session.client("dynamodbstreams")
    table(session)
    answers: list[Any] = [
        dynamodb.describe_table(TableName="orders"),
        dynamodb.describe_time_to_live(TableName="orders"),
        dynamodb.describe_continuous_backups(TableName="orders"),
        streams.list_streams(),
        session.client("lambda").list_event_source_mappings(),
        session.client("sts").get_caller_identity(),
    ]
    with pytest.raises(ClientError) as refused:
        dynamodb.describe_backup(BackupArn="arn:aws:dynamodb:eu-west-1:111111111111:table/orders/backup/01-2")
    answers.append(refused.value.response)
    ids = [answer["ResponseMetadata"]["RequestId"] for answer in answers]
    assert all(ids)
    assert len(set(ids)) == len(ids)
