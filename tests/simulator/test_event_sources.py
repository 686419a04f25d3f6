"""Event source mappings of DynamoDB streams through plain boto3 clients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from drills.simulator.dynamodb import streams
from tests.simulator.lambdas import ACCOUNT, REGION, Lambdas, zipped

RECORDER = """
    import json, os, boto3
    sqs = boto3.client("sqs")
    dynamodb = boto3.client("dynamodb")

    def told():
        rows = dynamodb.scan(TableName="orders-control", ConsistentRead=True)["Items"]
        return {row["id"]["S"]: row["value"]["S"] for row in rows}

    def handler(event, context):
        told_now = told()
        values = [record["dynamodb"].get("NewImage", {}).get("v", {}).get("S", "") for record in event["Records"]]
        sqs.send_message(QueueUrl=os.environ["SEEN"], MessageBody=json.dumps(event))
        if any(value in told_now.get("raise on", "").split() for value in values):
            raise ValueError("told to")
        failing = [
            record["dynamodb"]["SequenceNumber"]
            for record, value in zip(event["Records"], values)
            if value in told_now.get("report", "").split()
        ]
        if told_now.get("answer"):
            return json.loads(told_now["answer"])
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failing]}
"""


class Ground:
    """A table with a stream, a function that records what it is given, and a mapping between them."""

    table = "orders"

    def __init__(self, aws: SimulatedAWS) -> None:
        self.aws = aws
        self.lambdas = Lambdas(aws)
        self.client: Any = self.lambdas.client
        self.dynamodb = self.lambdas.session.client("dynamodb")
        self.sqs = self.lambdas.session.client("sqs")
        self.seen_url = self.sqs.create_queue(QueueName="seen")["QueueUrl"]
        self.given_up_url = self.sqs.create_queue(QueueName="given-up")["QueueUrl"]
        for name in (self.table, "orders-control"):
            streamed = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
            described = self.dynamodb.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                **(streamed if name == self.table else {}),
            )["TableDescription"]
            self.dynamodb.get_waiter("table_exists").wait(TableName=name)
            if name == self.table:
                self.arn: str = described["LatestStreamArn"]
        self.role = self.lambdas.role("reader")
        self.lambdas.make(RECORDER, role=self.role, variables={"SEEN": self.seen_url}, Timeout=60)
        self.uuid = ""

    def map(self, *, wait: bool = True, **settings: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.client.create_event_source_mapping(
            **{"FunctionName": "f", "EventSourceArn": self.arn, "StartingPosition": "TRIM_HORIZON", **settings}
        )
        self.uuid = made["UUID"]
        if wait:
            self.aws.clock.sleep(10)
        return made

    def update(self, *, wait: bool = True, **settings: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.update_event_source_mapping(UUID=self.uuid, **settings)
        if wait:
            self.aws.clock.sleep(10)
        return answer

    def mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_event_source_mapping(UUID=self.uuid)
        return found

    def put(self, *values: Any, key: str = "a", seconds: float = 0.0) -> None:
        for value in values:
            self.dynamodb.put_item(TableName=self.table, Item={"id": {"S": key}, "v": {"S": str(value)}})
        self.aws.clock.sleep(seconds)

    def tell(self, **control: str) -> None:
        """How the function behaves from now on: ``raise_on``, ``report``, ``answer``."""
        for name, value in control.items():
            self.dynamodb.put_item(
                TableName="orders-control", Item={"id": {"S": name.replace("_", " ")}, "value": {"S": value}}
            )

    def events(self) -> list[list[dict[str, Any]]]:
        """The records of each invocation since the last time this was asked."""
        return [json.loads(body)["Records"] for body in self._messages(self.seen_url)]

    def batches(self) -> list[list[str]]:
        return [[record["dynamodb"]["NewImage"]["v"]["S"] for record in records] for records in self.events()]

    def given_up(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self._messages(self.given_up_url)]

    def _messages(self, url: str) -> list[str]:
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    @property
    def destination(self) -> dict[str, Any]:
        return {"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:given-up"}}


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=3) as aws:
        yield aws


@pytest.fixture
def ground(aws: SimulatedAWS) -> Ground:
    return Ground(aws)


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


# --- The event


def test_the_event_is_what_aws_sends(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    item = {"id": {"S": "a"}, "n": {"N": "1.5"}, "b": {"B": b"\x00\xff"}, "v": {"S": ""}}
    ground.dynamodb.put_item(TableName=ground.table, Item=item)
    aws.clock.sleep(1)
    ((record,),) = ground.events()
    assert record.keys() == {
        "eventID",
        "eventName",
        "eventVersion",
        "eventSource",
        "awsRegion",
        "dynamodb",
        "eventSourceARN",
    }
    assert (record["eventName"], record["eventVersion"], record["eventSource"]) == ("INSERT", "1.1", "aws:dynamodb")
    assert (record["awsRegion"], record["eventSourceARN"]) == (REGION, ground.arn)
    data = record["dynamodb"]
    assert data["NewImage"] == {"id": {"S": "a"}, "n": {"N": "1.5"}, "b": {"B": "AP8="}, "v": {"S": ""}}
    assert data["Keys"] == {"id": {"S": "a"}}
    assert data["ApproximateCreationDateTime"] == int(aws.clock.now().timestamp()) - 1
    assert data["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert data["SizeBytes"] > 0


def test_an_expired_item_names_the_service_in_lower_camel_case(aws: SimulatedAWS, ground: Ground) -> None:
    ground.dynamodb.update_time_to_live(
        TableName=ground.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    aws.clock.sleep(3600)
    ground.map()
    until = {"N": str(int(aws.clock.now().timestamp()) + 60)}
    ground.dynamodb.put_item(TableName=ground.table, Item={"id": {"S": "a"}, "until": until})
    aws.clock.sleep(2 * 86_400)
    removed = [record for records in ground.events() for record in records if record["eventName"] == "REMOVE"]
    assert [record["userIdentity"] for record in removed] == [
        {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    ]


def test_a_record_comes_within_a_quarter_of_a_second(ground: Ground) -> None:
    ground.map()
    ground.put(1, seconds=0.25)
    assert ground.batches() == [["1"]]


# --- States and settings


def test_states(aws: SimulatedAWS, ground: Ground) -> None:
    made = ground.map(wait=False)
    assert (made["State"], made["LastProcessingResult"]) == ("Creating", "No records processed")
    assert ground.mapping()["State"] == "Creating"
    with refused("ResourceInUseException"):
        ground.update()
    aws.clock.sleep(10)
    assert ground.mapping()["State"] == "Enabled"
    assert ground.update(wait=False, Enabled=False)["State"] == "Disabling"
    aws.clock.sleep(10)
    assert ground.mapping()["State"] == "Disabled"
    assert ground.update(wait=False, Enabled=True)["State"] == "Enabling"
    aws.clock.sleep(10)
    assert ground.update(wait=False, BatchSize=5)["State"] == "Updating"
    with refused("ResourceInUseException"):
        ground.client.delete_event_source_mapping(UUID=ground.uuid)
    aws.clock.sleep(10)
    assert ground.mapping()["BatchSize"] == 5
    assert ground.client.delete_event_source_mapping(UUID=ground.uuid)["State"] == "Deleting"
    aws.clock.sleep(10)
    with refused("ResourceNotFoundException"):
        ground.mapping()
    assert ground.client.list_event_source_mappings()["EventSourceMappings"] == []


def test_settings_are_told_with_awss_defaults(ground: Ground) -> None:
    made = ground.map()
    expected = {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "FunctionResponseTypes": [],
        "DestinationConfig": {"OnFailure": {}},
        "StartingPosition": "TRIM_HORIZON",
        "EventSourceArn": ground.arn,
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
    }
    assert {name: made[name] for name in expected} == expected
    listed = ground.client.list_event_source_mappings(FunctionName="f", EventSourceArn=ground.arn)
    assert [one["UUID"] for one in listed["EventSourceMappings"]] == [ground.uuid]
    assert ground.client.list_event_source_mappings(EventSourceArn=ground.arn + "x")["EventSourceMappings"] == []


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"StartingPosition": None}, "InvalidParameterValueException.*startingPosition"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "InvalidParameterValueException.*Unsupported starting position"),
        ({"BatchSize": 10_001}, "InvalidParameterValueException.*batchSize"),
        ({"ParallelizationFactor": 11}, "InvalidParameterValueException.*parallelizationFactor"),
        ({"MaximumRecordAgeInSeconds": 30}, "InvalidParameterValueException.*MaximumRecordAgeInSeconds"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "InvalidParameterValueException.*filter pattern"),
        ({"FilterCriteria": {"Filters": [{"Pattern": '{"a": 5}'}]}}, "InvalidParameterValueException.*filter pattern"),
        ({"EventSourceArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/x/stream/y"}, "Stream not found"),
        ({"FunctionName": "nothing"}, "ResourceNotFoundException.*Function not found"),
    ],
)
def test_what_is_wrong_is_refused(ground: Ground, settings: Mapping[str, Any], code: str) -> None:
    request = {"FunctionName": "f", "EventSourceArn": ground.arn, "StartingPosition": "LATEST", **settings}
    with refused(code):
        ground.client.create_event_source_mapping(**{name: v for name, v in request.items() if v is not None})
    assert ground.client.list_event_source_mappings()["EventSourceMappings"] == []


def test_one_mapping_for_a_stream_and_a_function(ground: Ground) -> None:
    ground.map()
    with refused("ResourceConflictException.*already exists"):
        ground.map()


@pytest.mark.parametrize(("position", "expected"), [("TRIM_HORIZON", [["before"], ["after"]]), ("LATEST", [["after"]])])
def test_where_it_begins(ground: Ground, position: str, expected: list[list[str]]) -> None:
    ground.put("before")
    ground.map(StartingPosition=position)
    ground.put("after", seconds=1)
    assert ground.batches() == expected


# --- Batches


def test_batches_are_cut_to_size(ground: Ground) -> None:
    ground.put(*range(10))
    ground.map(BatchSize=4)
    assert [len(batch) for batch in ground.batches()] == [4, 4, 2]


def test_a_batch_is_below_six_megabytes(ground: Ground) -> None:
    # Events this large do not fit into a message: count invocations instead.
    ground.lambdas.client.update_function_code(
        FunctionName="f",
        ZipFile=zipped(
            {
                "main.py": """
                    import boto3, os, json
                    def handler(event, context):
                        size = len(json.dumps(event, separators=(",", ":")))
                        boto3.client("sqs").send_message(
                            QueueUrl=os.environ["SEEN"], MessageBody=json.dumps([size, len(event["Records"])])
                        )
                """
            }
        ),
    )
    for n in range(20):
        ground.put(str(n % 10) * 390_000)
    ground.map()
    told = [json.loads(body) for body in ground._messages(ground.seen_url)]
    assert sum(records for _, records in told) == 20
    assert len(told) > 1
    assert max(size for size, _ in told) < 6_291_456


def test_a_window_gathers(ground: Ground) -> None:
    ground.map(MaximumBatchingWindowInSeconds=20, BatchSize=3)
    ground.put(1, seconds=10)
    assert ground.batches() == []
    ground.put(2, seconds=11)
    assert ground.batches() == [["1", "2"]]
    ground.put(3, 4, 5, seconds=1)
    assert ground.batches() == [["3", "4", "5"]]


def test_only_what_passes_the_filter_comes(ground: Ground) -> None:
    pattern = {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": {"v": {"S": [{"prefix": "yes"}]}}}}
    ground.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    ground.put("yes 1", "no", "yes 2", seconds=1)
    ground.dynamodb.delete_item(TableName=ground.table, Key={"id": {"S": "a"}})
    ground.aws.clock.sleep(1)
    assert [value for batch in ground.batches() for value in batch] == ["yes 1", "yes 2"]


@pytest.mark.parametrize("factor", [1, 3, 10])
def test_the_order_of_an_item_is_kept_whatever_the_parallelization(ground: Ground, factor: int) -> None:
    streams.settings.shards = 2
    ground.map(ParallelizationFactor=factor, BatchSize=3)
    for turn in range(5):
        for n in range(12):
            ground.put(turn, key=f"k{n}")
    ground.aws.clock.sleep(5)
    seen: dict[str, list[str]] = {}
    for records in ground.events():
        for record in records:
            key = record["dynamodb"]["Keys"]["id"]["S"]
            seen.setdefault(key, []).append(record["dynamodb"]["NewImage"]["v"]["S"])
    assert seen == {f"k{n}": list("01234") for n in range(12)}


def test_one_key_that_fails_does_not_hold_the_others_of_its_shard(ground: Ground) -> None:
    streams.settings.shards = 1
    ground.dynamodb.update_table(TableName=ground.table, StreamSpecification={"StreamEnabled": False})
    ground.arn = ground.dynamodb.update_table(
        TableName=ground.table,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]["LatestStreamArn"]
    ground.map(ParallelizationFactor=10, BatchSize=1)
    ground.tell(raise_on="bad")
    ground.put("bad", key="poison")
    for n in range(30):
        ground.put(n, key=f"k{n}")
    ground.aws.clock.sleep(60)
    assert len({value for batch in ground.batches() for value in batch}) > 20


# --- Failures


def test_a_batch_that_fails_comes_again(ground: Ground) -> None:
    ground.map()
    ground.tell(raise_on="1")
    ground.put(1, 2, seconds=20)
    batches = ground.batches()
    assert len(batches) > 2
    assert all(batch == ["1", "2"] for batch in batches)
    assert ground.mapping()["LastProcessingResult"] == "PROBLEM: Function call failed"
    ground.tell(raise_on="")
    ground.put(3, seconds=120)
    assert ground.batches()[-2:] == [["1", "2"], ["3"]]
    assert ground.mapping()["LastProcessingResult"] == "OK"


def test_retries_end_and_the_destination_is_told(ground: Ground) -> None:
    ground.map(MaximumRetryAttempts=2, DestinationConfig=ground.destination)
    ground.tell(raise_on="1")
    ground.put(1, 2)
    ground.put(3, seconds=60)
    batches = ground.batches()
    assert batches[:3] == [["1", "2", "3"]] * 3
    assert len(batches) == 3
    (told,) = ground.given_up()
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["requestContext"]["functionArn"].endswith(":function:f")
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    info = told["DDBStreamBatchInfo"]
    assert (info["batchSize"], info["streamArn"]) == (3, ground.arn)
    assert int(info["endSequenceNumber"]) > int(info["startSequenceNumber"])
    assert info["approximateArrivalOfFirstRecord"].endswith("Z")
    assert "NewImage" not in json.dumps(told)


def test_bisection_finds_the_record_that_fails(ground: Ground) -> None:
    ground.map(MaximumRetryAttempts=0, BisectBatchOnFunctionError=True, DestinationConfig=ground.destination)
    ground.tell(raise_on="5")
    ground.put(*range(8), seconds=60)
    batches = ground.batches()
    assert batches[0] == [str(n) for n in range(8)]
    good = [value for batch in batches if "5" not in batch for value in batch]
    assert good == ["0", "1", "2", "3", "4", "6", "7"]
    (told,) = ground.given_up()
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1


def test_partial_answers_come_again_from_the_first_that_failed(ground: Ground) -> None:
    ground.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    ground.tell(report="2 3")
    ground.put(0, 1, 2, 3, 4, seconds=5)
    batches = ground.batches()
    assert batches[0] == ["0", "1", "2", "3", "4"]
    assert batches[1:]
    assert all(batch == ["2", "3", "4"] for batch in batches[1:])
    ground.tell(report="")
    ground.aws.clock.sleep(60)
    assert ground.batches() == [["2", "3", "4"]]


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        ("null", False),
        ("{}", False),
        ('{"batchItemFailures": null}', False),
        ('{"batchItemFailures": []}', False),
        ('{"batchItemFailures": [{"itemIdentifier": ""}]}', True),
        ('{"batchItemFailures": [{"itemIdentifier": null}]}', True),
        ('{"batchItemFailures": [{"wrong": "1"}]}', True),
        ('{"batchItemFailures": [{"itemIdentifier": "12345"}]}', True),
    ],
)
def test_what_answers_mean(ground: Ground, answer: str, again: bool) -> None:
    ground.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    ground.tell(answer=answer)
    ground.put(0, 1, seconds=5)
    batches = ground.batches()
    assert (len(batches) > 1) is again
    assert all(batch == ["0", "1"] for batch in batches)


def test_without_partial_answers_the_answer_means_nothing(ground: Ground) -> None:
    ground.map()
    ground.tell(report="0")
    ground.put(0, seconds=60)
    assert ground.batches() == [["0"]]


def test_records_grow_too_old(ground: Ground) -> None:
    ground.map(MaximumRecordAgeInSeconds=120, DestinationConfig=ground.destination)
    ground.tell(raise_on="1")
    ground.put(1, seconds=60)
    ground.put(2, seconds=240)
    assert ground.batches()[-1] == ["2"]
    (told,) = ground.given_up()
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["DDBStreamBatchInfo"]["batchSize"] == 1


def test_what_the_stream_lost_is_never_delivered(ground: Ground) -> None:
    ground.map()
    ground.tell(raise_on="1")
    ground.put(1, seconds=5)
    ground.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    ground.aws.clock.sleep(26 * 3600)
    ground.events()
    ground.client.delete_function_concurrency(FunctionName="f")
    ground.put(2, seconds=300)
    assert ground.batches() == [["2"]]
    assert ground.given_up() == []


def test_a_topic_is_told(ground: Ground) -> None:
    sns = ground.lambdas.session.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:given-up")
    ground.map(MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}})
    ground.tell(raise_on="1")
    ground.put(1, seconds=5)
    (told,) = ground.given_up()
    assert json.loads(told["Message"])["DDBStreamBatchInfo"]["batchSize"] == 1


# --- Going on where it was


def test_a_disabled_mapping_goes_on_at_its_checkpoint(ground: Ground) -> None:
    ground.map()
    ground.put(1, seconds=1)
    ground.update(Enabled=False)
    ground.put(2, seconds=3600)
    assert ground.batches() == [["1"]]
    ground.update(Enabled=True)
    assert ground.batches() == [["2"]]


def test_parents_come_before_their_children(ground: Ground) -> None:
    ground.map(BatchSize=1)
    ground.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    ground.put(0, seconds=5 * 3600)
    ground.client.delete_function_concurrency(FunctionName="f")
    ground.tell(raise_on="0")
    ground.put(1, seconds=300)
    assert {value for batch in ground.batches() for value in batch} == {"0"}
    ground.tell(raise_on="")
    ground.aws.clock.sleep(120)
    assert [batch for batch in ground.batches() if batch != ["0"]] == [["1"]]


def test_an_outage_holds_it_and_it_goes_on_afterwards(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    ground.put(1, 2)
    with aws.region_down(REGION):
        aws.clock.sleep(3600)
    aws.clock.sleep(5)
    assert ground.batches() == [["1", "2"]]


def test_a_closed_account_holds_it(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    ground.put(1)
    aws.close_account(ACCOUNT)
    aws.clock.sleep(3600)
    aws.reopen_account(ACCOUNT)
    assert ground.batches() == []
    aws.clock.sleep(300)
    assert ground.batches() == [["1"]]


def test_without_permission_nothing_is_read_and_it_says_so(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    ground.lambdas.allow("reader", {"Effect": "Allow", "Action": ["sqs:*", "dynamodb:Scan"], "Resource": "*"})
    ground.put(1, seconds=600)
    assert ground.batches() == []
    assert ground.mapping()["LastProcessingResult"].startswith("PROBLEM: Cannot access stream")
    ground.lambdas.allow("reader", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    aws.clock.sleep(120)
    assert ground.batches() == [["1"]]
    assert ground.mapping()["LastProcessingResult"] == "OK"


def test_a_role_that_may_not_read_gets_no_mapping(ground: Ground) -> None:
    ground.lambdas.allow("reader", {"Effect": "Allow", "Action": "dynamodb:GetRecords", "Resource": "*"})
    with refused("InvalidParameterValueException.*Cannot access stream"):
        ground.map()
    ground.lambdas.allow("reader", {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"})
    with refused("InvalidParameterValueException.*SendMessage on SQS"):
        ground.map(DestinationConfig=ground.destination)
    ground.map()


# --- Faults


def test_a_lost_answer_makes_a_batch_run_twice(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    with aws.faults(operations={"Invoke"}, lose_acknowledgement=1.0):
        ground.put(1, seconds=1)
    aws.clock.sleep(60)
    batches = ground.batches()
    assert len(batches) > 1
    assert all(batch == ["1"] for batch in batches)


def test_throttled_reads_and_invocations_only_delay(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map(MaximumRetryAttempts=0, DestinationConfig=ground.destination)
    for operation in ("GetRecords", "Invoke"):
        with aws.faults(operations={operation}, throttle=1.0):
            ground.put(operation, seconds=60)
            assert ground.batches() == []
        aws.clock.sleep(120)
        assert ground.batches() == [[operation]]
    assert ground.given_up() == []


def test_the_clock_is_left_alone_when_there_is_nothing_to_read(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    ground.put(1, seconds=10)
    assert ground.batches() == [["1"]]
    aws.clock.sleep(60)
    moved = []
    on_move = aws.clock._on_move
    assert on_move is not None

    def moving(to: datetime) -> None:
        moved.append(to)
        on_move(to)

    aws.clock._on_move = moving
    aws.clock.sleep(3 * 3600)
    assert len(moved) == 1


def test_iterator_age(aws: SimulatedAWS, ground: Ground) -> None:
    ground.map()
    ground.update(Enabled=False)
    ground.put(1, seconds=600)
    ground.update(Enabled=True)
    answer = ground.lambdas.session.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="IteratorAge",
        Dimensions=[{"Name": "FunctionName", "Value": "f"}],
        StartTime=aws.clock.now().timestamp() - 3600,
        EndTime=aws.clock.now().timestamp() + 60,
        Period=3600,
        Statistics=["Maximum"],
    )
    assert 600_000 <= answer["Datapoints"][0]["Maximum"] < 620_000


# --- All of it at once

STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcdefgh")),
    st.tuples(st.just("wait"), st.sampled_from(["0.1", "5", "400", "16000"])),
    st.tuples(st.just("toggle"), st.just("")),
    st.tuples(st.just("outage"), st.just("")),
    st.tuples(st.just("factor"), st.sampled_from("123")),
)


def every_record_comes_in_order(steps: Sequence[tuple[str, str]], lost: float, throttled: float, batch: int) -> None:
    """At least once, and for each item in the order of its first coming."""
    with SimulatedAWS(seed=5) as aws:
        ground = Ground(aws)
        ground.map(BatchSize=batch, BisectBatchOnFunctionError=True)
        written: dict[str, list[str]] = {}
        on = True
        with (
            aws.faults(operations={"Invoke"}, lose_acknowledgement=lost, throttle=throttled),
            aws.faults(operations={"GetRecords"}, throttle=throttled),
        ):
            for number, (step, detail) in enumerate(steps):
                if step == "put":
                    written.setdefault(detail, []).append(str(number))
                    ground.put(number, key=detail)
                elif step == "wait":
                    aws.clock.sleep(float(detail))
                elif step == "toggle":
                    on = not on
                    ground.update(Enabled=on)
                elif step == "factor":
                    ground.update(ParallelizationFactor=int(detail), Enabled=on)
                else:
                    with aws.region_down(REGION):
                        aws.clock.sleep(60)
        if not on:
            ground.update(Enabled=True)
        aws.clock.sleep(900)
        seen: dict[str, list[str]] = {}
        for records in ground.events():
            for record in records:
                values = seen.setdefault(record["dynamodb"]["Keys"]["id"]["S"], [])
                value = record["dynamodb"]["NewImage"]["v"]["S"]
                if value not in values:
                    values.append(value)
        assert seen == written


PLAN = {
    "steps": st.lists(STEPS, max_size=30),
    "lost": st.sampled_from([0.0, 0.3]),
    "throttled": st.sampled_from([0.0, 0.3]),
    "batch": st.sampled_from([1, 3, 100]),
}


@given(**PLAN)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_record_comes_in_order(
    steps: Sequence[tuple[str, str]], lost: float, throttled: float, batch: int
) -> None:
    # Less than a day, so that nothing is trimmed.
    every_record_comes_in_order(steps[:30], lost, throttled, batch)


@pytest.mark.soak
@given(**PLAN)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_record_comes_in_order_for_long(
    steps: Sequence[tuple[str, str]], lost: float, throttled: float, batch: int
) -> None:
    every_record_comes_in_order(steps, lost, throttled, batch)
