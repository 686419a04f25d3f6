"""Who may do what, through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import botocore.model
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.errors import RealAWSRefused
from drills.simulator import SimulatedAWS
from drills.simulator.conditions import hold, like
from tests.simulator.policies import (
    ONE,
    REGION,
    TWO,
    allow,
    as_role,
    assumed,
    code_of,
    deny,
    document,
    message_of,
    role,
    table,
    with_keys,
)

ORDERS = f"arn:aws:dynamodb:{REGION}:{ONE}:table/orders"
KEY = {"id": {"S": "1"}}
ITEM: dict[str, Any] = {"id": {"S": "1"}, "n": {"N": "1"}}


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        table(aws.session(ONE, REGION))
        table(aws.session(ONE, REGION), "others")
        yield aws


# --- Evaluation ------------------------------------------------------------------------------------------------------


def test_nothing_is_allowed_by_itself(aws: SimulatedAWS) -> None:
    dynamodb = as_role(aws).client("dynamodb")
    who = f"arn:aws:sts::{ONE}:assumed-role/worker/test"
    assert message_of(dynamodb.get_item, TableName="orders", Key=KEY) == (
        f"User: {who} is not authorized to perform: dynamodb:GetItem on resource: {ORDERS} because no identity-based "
        "policy allows the dynamodb:GetItem action"
    )
    assert code_of(dynamodb.get_item, TableName="orders", Key=KEY) == "AccessDeniedException"


def test_only_the_named_resource_is_allowed(aws: SimulatedAWS) -> None:
    dynamodb = as_role(aws, allow("dynamodb:PutItem", ORDERS)).client("dynamodb")
    dynamodb.put_item(TableName="orders", Item=ITEM)
    dynamodb.put_item(TableName=ORDERS, Item=ITEM)
    assert code_of(dynamodb.put_item, TableName="others", Item=ITEM) == "AccessDeniedException"
    assert code_of(dynamodb.get_item, TableName="orders", Key=KEY) == "AccessDeniedException"


def test_a_deny_wins(aws: SimulatedAWS) -> None:
    dynamodb = as_role(aws, allow("*"), deny("dynamodb:Delete*", ORDERS)).client("dynamodb")
    dynamodb.put_item(TableName="orders", Item=ITEM)
    said = message_of(dynamodb.delete_table, TableName="orders")
    assert said.endswith(f"on resource: {ORDERS} with an explicit deny in an identity-based policy")
    dynamodb.delete_table(TableName="others")


def test_not_action_and_not_resource(aws: SimulatedAWS) -> None:
    statements = (
        {"Effect": "Allow", "NotAction": ["dynamodb:DeleteTable", "iam:*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "dynamodb:PutItem", "NotResource": ORDERS},
    )
    session = as_role(aws, *statements)
    session.client("dynamodb").put_item(TableName="orders", Item=ITEM)
    assert code_of(session.client("dynamodb").put_item, TableName="others", Item=ITEM) == "AccessDeniedException"
    assert code_of(session.client("dynamodb").delete_table, TableName="orders") == "AccessDeniedException"
    assert code_of(session.client("iam").list_roles) == "AccessDenied"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (f"arn:aws:dynamodb:*:{ONE}:table/ord*", True),
        ("arn:aws:dynamodb:*:*:table/order?", True),
        ("arn:aws:dynamodb:*:*:table/order[s]", False),
        (f"arn:aws:dynamodb:us-east-1:{ONE}:table/orders", False),
        (f"arn:aws:dynamodb:{REGION}:{TWO}:table/orders", False),
        (f"{ORDERS}/index/*", False),
    ],
)
def test_wildcards_in_resources(aws: SimulatedAWS, pattern: str, matches: bool) -> None:
    dynamodb = as_role(aws, allow("dynamodb:PutItem", pattern)).client("dynamodb")
    assert code_of(dynamodb.put_item, TableName="orders", Item=ITEM) == ("" if matches else "AccessDeniedException")


def test_action_names_are_of_any_case(aws: SimulatedAWS) -> None:
    as_role(aws, allow("DynamoDB:puti*", ORDERS)).client("dynamodb").put_item(TableName="orders", Item=ITEM)


def test_users_have_their_own_their_groups_and_managed_policies(aws: SimulatedAWS) -> None:
    iam = aws.session(ONE).client("iam")
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=document(allow("dynamodb:PutItem")))
    iam.put_group_policy(GroupName="staff", PolicyName="all", PolicyDocument=document(allow("dynamodb:GetItem")))
    made = iam.create_policy(PolicyName="lists", PolicyDocument=document(allow("dynamodb:ListTables")))["Policy"]
    dynamodb = with_keys(iam.create_access_key(UserName="ann")["AccessKey"]).client("dynamodb")
    dynamodb.put_item(TableName="orders", Item=ITEM)
    dynamodb.get_item(TableName="orders", Key=KEY)
    assert code_of(dynamodb.list_tables) == "AccessDeniedException"
    iam.attach_user_policy(UserName="ann", PolicyArn=made["Arn"])
    dynamodb.list_tables()
    iam.create_policy_version(PolicyArn=made["Arn"], PolicyDocument=document(deny("*")), SetAsDefault=True)
    assert code_of(dynamodb.list_tables) == "AccessDeniedException"
    iam.detach_user_policy(UserName="ann", PolicyArn=made["Arn"])
    iam.remove_user_from_group(GroupName="staff", UserName="ann")
    assert code_of(dynamodb.get_item, TableName="orders", Key=KEY) == "AccessDeniedException"


def test_a_boundary_bounds(aws: SimulatedAWS) -> None:
    iam = aws.session(ONE).client("iam")
    made = iam.create_policy(PolicyName="bounds", PolicyDocument=document(allow("dynamodb:*")))["Policy"]["Arn"]
    arn = role(aws, "bounded", allow("*"), PermissionsBoundary=made)
    session = assumed(aws.session(ONE), arn)
    session.client("dynamodb").list_tables()
    assert "because no permissions boundary allows the sqs:ListQueues" in message_of(session.client("sqs").list_queues)


def test_a_policy_takes_effect_on_sessions_that_are_open(aws: SimulatedAWS) -> None:
    dynamodb = as_role(aws, allow("dynamodb:*")).client("dynamodb")
    dynamodb.list_tables()
    aws.session(ONE).client("iam").delete_role_policy(RoleName="worker", PolicyName="all")
    assert code_of(dynamodb.list_tables) == "AccessDeniedException"


def test_judging_can_be_off_as_in_moto() -> None:
    with SimulatedAWS(iam="off") as aws:
        as_role(aws).client("dynamodb").list_tables()


def test_who_one_is_may_always_be_asked(aws: SimulatedAWS) -> None:
    assert as_role(aws, deny("*")).client("sts").get_caller_identity()["Account"] == ONE


# --- What calls need -------------------------------------------------------------------------------------------------

Call = Callable[[boto3.Session], Any]


def on(service: str, operation: str, **arguments: Any) -> Call:
    return lambda session: getattr(session.client(service), operation)(**arguments)  # type: ignore[call-overload]


QUEUE = f"arn:aws:sqs:{REGION}:{ONE}:jobs"
QUEUE_URL = f"https://sqs.{REGION}.amazonaws.com/{ONE}/jobs"
PUT = {"Put": {"TableName": "orders", "Item": ITEM}}
CHECK = {"ConditionCheck": {"TableName": "others", "Key": KEY, "ConditionExpression": "attribute_not_exists(id)"}}
LOGS = f"arn:aws:logs:{REGION}:{ONE}:log-group:/app"


NEEDS: list[tuple[str, Call, list[Mapping[str, Any]]]] = [
    ("scan", on("dynamodb", "scan", TableName="orders"), [allow("dynamodb:Scan", ORDERS)]),
    (
        "transaction",
        on("dynamodb", "transact_write_items", TransactItems=[PUT, CHECK]),
        [allow("dynamodb:PutItem", ORDERS), allow("dynamodb:ConditionCheckItem", ORDERS.replace("orders", "others"))],
    ),
    (
        "batch",
        on("dynamodb", "batch_write_item", RequestItems={"orders": [{"PutRequest": {"Item": ITEM}}]}),
        [allow("dynamodb:BatchWriteItem", ORDERS)],
    ),
    ("list tables", on("dynamodb", "list_tables"), [allow("dynamodb:ListTables", "*")]),
    ("list streams", on("dynamodbstreams", "list_streams"), [allow("dynamodb:ListStreams", "*")]),
    (
        "streams of a table",
        on("dynamodbstreams", "list_streams", TableName="orders"),
        [allow("dynamodb:ListStreams", f"{ORDERS}/stream/*")],
    ),
    (
        "backup",
        on("dynamodb", "create_backup", TableName="orders", BackupName="now"),
        [allow("dynamodb:CreateBackup", ORDERS)],
    ),
    ("send", on("sqs", "send_message", QueueUrl=QUEUE_URL, MessageBody="x"), [allow("sqs:SendMessage", QUEUE)]),
    (
        "send a batch",
        on("sqs", "send_message_batch", QueueUrl=QUEUE_URL, Entries=[{"Id": "a", "MessageBody": "x"}]),
        [allow("sqs:SendMessage", QUEUE)],
    ),
    ("queue url", on("sqs", "get_queue_url", QueueName="jobs"), [allow("sqs:GetQueueUrl", QUEUE)]),
    (
        "read object",
        on("s3", "get_object", Bucket="drills", Key="a/b"),
        [allow("s3:GetObject", "arn:aws:s3:::drills/a/*")],
    ),
    (
        "head object",
        on("s3", "head_object", Bucket="drills", Key="a/b"),
        [allow("s3:GetObject", "arn:aws:s3:::drills/a/*")],
    ),
    ("list objects", on("s3", "list_objects_v2", Bucket="drills"), [allow("s3:ListBucket", "arn:aws:s3:::drills")]),
    ("head bucket", on("s3", "head_bucket", Bucket="drills"), [allow("s3:ListBucket", "arn:aws:s3:::drills")]),
    (
        "versions",
        on("s3", "list_object_versions", Bucket="drills"),
        [allow("s3:ListBucketVersions", "arn:aws:s3:::drills")],
    ),
    (
        "a version",
        on("s3", "delete_object", Bucket="drills", Key="a/b", VersionId="null"),
        [allow("s3:DeleteObjectVersion", "arn:aws:s3:::drills/*")],
    ),
    (
        "copy",
        on("s3", "copy_object", Bucket="drills", Key="c", CopySource="drills/a/b"),
        [allow("s3:GetObject", "arn:aws:s3:::drills/a/b"), allow("s3:PutObject", "arn:aws:s3:::drills/c")],
    ),
    ("buckets", on("s3", "list_buckets"), [allow("s3:ListAllMyBuckets", "*")]),
    (
        "parameter",
        on("ssm", "get_parameter", Name="/app/place"),
        [allow("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ONE}:parameter/app/*")],
    ),
    (
        "parameters",
        on("ssm", "get_parameters", Names=["/app/place"]),
        [allow("ssm:GetParameters", f"arn:aws:ssm:{REGION}:{ONE}:parameter/app/place")],
    ),
    (
        "metric",
        on("cloudwatch", "put_metric_data", Namespace="App", MetricData=[{"MetricName": "m", "Value": 1}]),
        [allow("cloudwatch:PutMetricData", "*", {"StringEquals": {"cloudwatch:namespace": "App"}})],
    ),
    (
        "alarm",
        on("cloudwatch", "delete_alarms", AlarmNames=["a"]),
        [allow("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{REGION}:{ONE}:alarm:a")],
    ),
    ("log group", on("logs", "create_log_group", logGroupName="/app"), [allow("logs:CreateLogGroup", f"{LOGS}:*")]),
    (
        "rule",
        on("events", "put_rule", Name="hourly", ScheduleExpression="rate(1 hour)"),
        [allow("events:PutRule", f"arn:aws:events:{REGION}:{ONE}:rule/hourly")],
    ),
    ("role", on("iam", "get_role", RoleName="worker"), [allow("iam:GetRole", f"arn:aws:iam::{ONE}:role/worker")]),
    ("mappings", on("lambda", "list_event_source_mappings"), [allow("lambda:ListEventSourceMappings", "*")]),
    (
        "key by alias",
        on("kms", "encrypt", KeyId="alias/app", Plaintext=b"x"),
        [allow("kms:Encrypt", f"arn:aws:kms:{REGION}:{ONE}:key/*")],
    ),
    ("instances", on("ec2", "describe_instances"), [allow("ec2:DescribeInstances", "*")]),
]


def stock(aws: SimulatedAWS) -> None:
    """What the calls are about."""
    one = aws.session(ONE, REGION)
    table(one)
    table(one, "others")
    one.client("sqs").create_queue(QueueName="jobs")
    one.client("s3").create_bucket(Bucket="drills", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    one.client("s3").put_object(Bucket="drills", Key="a/b", Body=b"x")
    one.client("ssm").put_parameter(Name="/app/place", Value="x", Type="String")
    key = one.client("kms").create_key()["KeyMetadata"]["KeyId"]
    one.client("kms").create_alias(AliasName="alias/app", TargetKeyId=key)


@pytest.fixture(scope="class")
def stocked() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=1) as aws:
        stock(aws)
        yield aws


@pytest.mark.parametrize(
    ("call", "statements"), [(call, s) for _, call, s in NEEDS], ids=[name for name, _, _ in NEEDS]
)
class TestNeeds:
    def test_a_call_needs_exactly_these_permissions(
        self, stocked: SimulatedAWS, call: Call, statements: list[Mapping[str, Any]]
    ) -> None:
        iam = stocked.session(ONE).client("iam")
        if not any(found["RoleName"] == "worker" for found in iam.list_roles()["Roles"]):
            role(stocked, "worker")
        session = assumed(stocked.session(ONE), f"arn:aws:iam::{ONE}:role/worker")
        for missing in range(len(statements)):
            rest = [statement for number, statement in enumerate(statements) if number != missing]
            rest.append(allow("organizations:ListRoots"))
            iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=document(*rest))
            assert code_of(call, session) in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
        iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=document(*statements))
        assert code_of(call, session) == ""
        stocked.session(ONE, REGION).client("s3").put_object(Bucket="drills", Key="a/b", Body=b"x")


def test_an_index_is_a_resource_of_its_own(aws: SimulatedAWS) -> None:
    administrator: Any = aws.session(ONE, REGION).client("dynamodb")
    administrator.create_table(
        TableName="indexed",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "mail")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-mail",
                "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    own = f"arn:aws:dynamodb:{REGION}:{ONE}:table/indexed"
    dynamodb = as_role(aws, allow("dynamodb:Scan", f"{own}/index/by-mail")).client("dynamodb")
    dynamodb.scan(TableName="indexed", IndexName="by-mail")
    assert code_of(dynamodb.scan, TableName="indexed") == "AccessDeniedException"


def test_reading_a_stream_needs_the_stream(aws: SimulatedAWS) -> None:
    administrator: Any = aws.session(ONE, REGION).client("dynamodb")
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    administrator.update_table(TableName="orders", StreamSpecification=wanted)
    arn = administrator.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    actions = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
    streams = as_role(aws, allow(actions, f"{ORDERS}/stream/*")).client("dynamodbstreams")
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
    streams.get_records(ShardIterator=iterator)
    other = as_role(aws, allow(actions, ORDERS), name="other").client("dynamodbstreams")
    assert code_of(other.get_records, ShardIterator=iterator) == "AccessDeniedException"


def test_a_restore_needs_the_data_plane_of_its_target(aws: SimulatedAWS) -> None:
    administrator: Any = aws.session(ONE, REGION).client("dynamodb")
    on_ = {"PointInTimeRecoveryEnabled": True}
    administrator.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=on_)
    aws.clock.sleep(600)
    restore = {"SourceTableName": "orders", "TargetTableName": "restored", "UseLatestRestorableTime": True}
    poor = as_role(aws, allow("dynamodb:RestoreTableToPointInTime")).client("dynamodb")
    assert "dynamodb:PutItem" in message_of(poor.restore_table_to_point_in_time, **restore)
    data = [f"dynamodb:{name}" for name in ("PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan")]
    enough = allow([*data, "dynamodb:BatchWriteItem"], ORDERS.replace("orders", "restored"))
    rich = as_role(aws, allow("dynamodb:RestoreTableToPointInTime"), enough, name="rich").client("dynamodb")
    rich.restore_table_to_point_in_time(**restore)


def test_a_function_is_given_a_role_only_by_whoever_may_pass_it(aws: SimulatedAWS) -> None:
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    given_role = role(aws, "function", trusts=service)
    create = {"FunctionName": "f", "Runtime": "python3.12", "Handler": "f.handler", "Role": given_role}
    poor = as_role(aws, allow("lambda:*")).client("lambda")
    said = message_of(poor.create_function, Code={"ZipFile": b""}, **create)
    assert f"iam:PassRole on resource: {given_role}" in said


def test_the_cbor_protocol_is_understood_and_answered(aws: SimulatedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    # botocore chooses it by itself where a service has nothing that it likes better.
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", ("smithy-rpc-v2-cbor", "json", "query"))
    mine = allow("cloudwatch:PutMetricData", "*", {"StringEquals": {"cloudwatch:namespace": "App"}})
    cloudwatch = as_role(aws, mine).client("cloudwatch")
    assert cloudwatch.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
    data = {"MetricData": [{"MetricName": "m" * 200, "Value": 1.5}]}
    said = message_of(cloudwatch.put_metric_data, Namespace="Other", **data)
    assert said.endswith("because no identity-based policy allows the cloudwatch:PutMetricData action")
    assert code_of(cloudwatch.list_metrics) == "AccessDeniedException"
    # The permission is found in the body; moto itself does not answer in this protocol.
    with pytest.raises(RealAWSRefused):
        cloudwatch.put_metric_data(Namespace="App", **data)


# --- Conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"aws:RequestedRegion": REGION}}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": REGION}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": [TWO, ONE]}}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ONE}:role/work*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{TWO}:role/*"}}, False),
        ({"StringLike": {"aws:userid": "*:test"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}, False),
        ({"NumericLessThan": {"aws:EpochTime": "1"}}, False),
        ({"Null": {"aws:SourceAccount": "true"}}, True),
        ({"StringEquals": {"aws:SourceAccount": ONE}}, False),
        ({"StringEqualsIfExists": {"aws:SourceAccount": ONE}}, True),
        ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["1"]}}, True),
        ({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["2"]}}, False),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
        ({"StringEquals": {"aws:SomethingNew": "x"}}, False),
        ({"StringEquals": {"aws:RequestedRegion": REGION}, "Bool": {"aws:SecureTransport": "false"}}, False),
    ],
)
def test_an_allow_holds_under_its_condition(aws: SimulatedAWS, condition: Mapping[str, Any], allowed: bool) -> None:
    dynamodb = as_role(aws, allow("dynamodb:GetItem", "*", condition)).client("dynamodb")
    assert code_of(dynamodb.get_item, TableName="orders", Key=KEY) == ("" if allowed else "AccessDeniedException")


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"StringEquals": {"aws:SomethingNew": "x"}},
        {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    ],
)
def test_a_deny_holds_unless_its_condition_surely_fails(aws: SimulatedAWS, condition: Mapping[str, Any]) -> None:
    dynamodb = as_role(aws, allow("*"), deny("dynamodb:GetItem", "*", condition)).client("dynamodb")
    assert code_of(dynamodb.get_item, TableName="orders", Key=KEY) == "AccessDeniedException"


def test_a_deny_for_other_regions_leaves_this_one(aws: SimulatedAWS) -> None:
    condition = {"StringNotEquals": {"aws:RequestedRegion": REGION}}
    session = as_role(aws, allow("*"), deny("dynamodb:*", "*", condition))
    session.client("dynamodb").list_tables()
    assert code_of(session.client("dynamodb", region_name="us-east-1").list_tables) == "AccessDeniedException"


def test_policy_variables_are_filled(aws: SimulatedAWS) -> None:
    iam = aws.session(ONE).client("iam")
    iam.create_user(UserName="orders")
    own = document(allow("dynamodb:GetItem", "arn:aws:dynamodb:*:${aws:PrincipalAccount}:table/${aws:username}"))
    iam.put_user_policy(UserName="orders", PolicyName="own", PolicyDocument=own)
    dynamodb = with_keys(iam.create_access_key(UserName="orders")["AccessKey"]).client("dynamodb")
    dynamodb.get_item(TableName="orders", Key=KEY)
    assert code_of(dynamodb.get_item, TableName="others", Key=KEY) == "AccessDeniedException"


def test_a_list_of_objects_may_be_bound_to_a_prefix(aws: SimulatedAWS) -> None:
    administrator = aws.session(ONE).client("s3")
    administrator.create_bucket(Bucket="drills")
    administrator.put_object(Bucket="drills", Key="a/b", Body=b"x")
    condition = {"StringLike": {"s3:prefix": ["a/*"]}}
    s3 = as_role(aws, allow("s3:ListBucket", "arn:aws:s3:::drills", condition)).client("s3")
    assert len(s3.list_objects_v2(Bucket="drills", Prefix="a/b")["Contents"]) == 1
    assert code_of(s3.list_objects_v2, Bucket="drills") == "AccessDenied"


def test_an_operator_that_is_not_known_cannot_be_judged() -> None:
    assert hold({"StringAlmostEquals": {"aws:Key": "x"}}, {"aws:key": ("x",)}) is None


@settings(max_examples=60, deadline=None)
@given(text=st.text("ab*?[]/:", max_size=8), pattern=st.text("ab*?/:", max_size=6))
def test_wildcards_match_as_by_hand(text: str, pattern: str) -> None:
    def by_hand(text: str, pattern: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(by_hand(text[skip:], pattern[1:]) for skip in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and by_hand(text[1:], pattern[1:])

    assert like(text, pattern) is by_hand(text, pattern)


@settings(max_examples=60, deadline=None)
@given(
    operator=st.sampled_from(["StringEquals", "StringLike", "ArnLike", "NumericEquals", "Bool", "DateEquals"]),
    wanted=st.text(max_size=5),
    found=st.one_of(st.none(), st.text(max_size=5)),
)
def test_a_missing_key_never_holds_and_nothing_crashes(operator: str, wanted: str, found: str | None) -> None:
    keys = {"aws:key": None if found is None else (found,)}
    held = hold(json.loads(json.dumps({operator: {"aws:Key": wanted}})), keys)
    assert held in ((True, False, None) if found is not None else (False,))
    if found is None:
        assert hold({f"{operator}IfExists": {"aws:Key": wanted}}, keys) is True


def test_a_policy_may_name_jobs_of_s3_and_no_bucket_in_a_region(aws: SimulatedAWS) -> None:
    iam = aws.session(ONE, REGION).client("iam")
    for resource, code in ((f"arn:aws:s3:{REGION}:{ONE}:job/*", ""), (f"arn:aws:s3:{REGION}:{ONE}:b/*", "Malformed")):
        given: Any = {"PolicyName": "jobs", "PolicyDocument": document(allow("s3:DescribeJob", resource))}
        if code:
            assert code_of(iam.create_policy, **given).startswith(code)
        else:
            iam.create_policy(**given)
