"""The stream copy's package as Lambda would run it, with a stream's own records, over HTTP against plain moto."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from drills.stream_copy import StreamCopy
from drills.stream_copy.production_side import HANDLER, function_settings
from drills.templates import load
from tests.templates.lambda_process import RUNTIME, Invoked, invoke

PRODUCTION, VAULT = "123456789012", "222222222222"
COPY = StreamCopy(PRODUCTION, "us-east-1", "orders", VAULT, "eu-west-1", "orders-copy")
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@dataclass
class Ground:
    """Both accounts behind one endpoint, and the function's package."""

    endpoint: str
    folder: Path

    def client(self, service: str, account: str = PRODUCTION) -> Any:
        if account == PRODUCTION:
            return boto3.client(service, region_name="us-east-1", endpoint_url=self.endpoint, **KEYS)  # type: ignore[call-overload]
        assumed = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account}:role/people", RoleSessionName="people"
        )
        given = assumed["Credentials"]
        session = boto3.Session(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="eu-west-1"
        )
        return session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    @property
    def stream(self) -> str:
        return str(self.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"])

    def records(self) -> list[dict[str, Any]]:
        """All records of the table's stream, as Lambda hands them to a function."""
        streams = self.client("dynamodbstreams")
        found = []
        for shard in streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"]:
            place = {"StreamArn": self.stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = streams.get_shard_iterator(**place)["ShardIterator"]
            found += streams.get_records(ShardIterator=iterator)["Records"]
        return [{**json.loads(json.dumps(one, default=_in_an_event)), "eventSourceARN": self.stream} for one in found]

    def invoke(self, *events: Mapping[str, Any], function: str = COPY.function_arn) -> Invoked:
        (package,) = load("stream-copy").of_any({}).packages.values()
        environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            **function_settings(COPY, self.stream.rpartition("/")[2]).as_environment(),
        }
        return invoke(self.folder, package, HANDLER, environment, events, function)

    def copied(self) -> dict[str, Any]:
        items = self.client("dynamodb", VAULT).scan(TableName=COPY.copy_table)["Items"]
        return {item["id"]["S"]: item for item in items}


def _in_an_event(value: Any) -> Any:
    """Source: Lambda developer guide, Using AWS Lambda with Amazon DynamoDB: an example event."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    assert isinstance(value, datetime)
    return int(value.timestamp())


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        ground = Ground(f"http://{host}:{port}", tmp_path)
        reset(ground.endpoint)
        make_table(ground.client("dynamodb"), "orders", StreamEnabled=True, StreamViewType="NEW_AND_OLD_IMAGES")
        vault = ground.client("dynamodb", VAULT)
        make_table(vault, COPY.copy_table)
        make_table(vault, COPY.marker_table)
        place = {"LocationConstraint": "eu-west-1"}
        ground.client("s3", VAULT).create_bucket(Bucket=COPY.bucket, CreateBucketConfiguration=place)
        yield ground
        reset(ground.endpoint)
    finally:
        server.stop()


def reset(endpoint: str) -> None:
    """Moto keeps its state in the process, whichever server asks for it."""
    with urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")):
        pass


def make_table(client: Any, name: str, **stream: Any) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **({"StreamSpecification": stream} if stream else {}),
    )


def test_the_package_copies_what_is_written(ground: Ground) -> None:
    table = ground.client("dynamodb")
    for number in range(30):
        item = {"id": {"S": f"o-{number}"}, "total": {"N": "1E-3"}, "seal": {"B": bytes([number, 255])}}
        table.put_item(TableName="orders", Item=item)
    table.put_item(TableName="orders", Item={"id": {"S": "o-1"}, "total": {"N": "2"}})
    table.delete_item(TableName="orders", Key={"id": {"S": "o-2"}})
    records = ground.records()
    assert len(records) == 32

    invoked = ground.invoke({"Records": records})
    assert invoked.answers == [{"batchItemFailures": []}]
    assert ground.copied() == {item["id"]["S"]: item for item in table.scan(TableName="orders")["Items"]}
    assert len(ground.copied()) == 29

    # Twice the same batch, as Lambda delivers at least once, and an older part of it, change nothing.
    ground.invoke({"Records": records}, {"Records": records[:5]})
    assert ground.copied() == {item["id"]["S"]: item for item in table.scan(TableName="orders")["Items"]}


def test_it_needs_nothing_but_boto3(ground: Ground) -> None:
    ground.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "a"}})
    invoked = ground.invoke({"Records": ground.records()})
    assert set(invoked.tops) - {"__main__", "__mp_main__", "stream_copy"} <= set(RUNTIME)
    assert "drills" not in invoked.tops


def test_what_cannot_be_understood_is_set_aside_in_the_vault(ground: Ground) -> None:
    ground.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "fine"}})
    (record,) = ground.records()
    broken = {**record, "dynamodb": {name: value for name, value in record["dynamodb"].items() if name != "NewImage"}}
    broken["dynamodb"]["Keys"] = {"id": {"S": "broken"}}
    assert ground.invoke({"Records": [broken, record]}).answers == [{"batchItemFailures": []}]
    assert set(ground.copied()) == {"fine"}
    s3 = ground.client("s3", VAULT)
    (aside,) = s3.list_objects_v2(Bucket=COPY.bucket)["Contents"]
    assert json.loads(s3.get_object(Bucket=COPY.bucket, Key=aside["Key"])["Body"].read())["record"] == broken


def test_what_the_vault_refuses_comes_again(ground: Ground) -> None:
    ground.client("dynamodb").put_item(TableName="orders", Item={"id": {"S": "a"}})
    records = ground.records()
    ground.client("dynamodb", VAULT).delete_table(TableName=COPY.copy_table)
    number = records[0]["dynamodb"]["SequenceNumber"]
    assert ground.invoke({"Records": records}).answers == [{"batchItemFailures": [{"itemIdentifier": number}]}]


def test_the_heartbeat_tells_the_vault_only_while_the_function_is_fed(ground: Ground) -> None:
    heartbeat = {"drills": "heartbeat"}
    fn, vault = ground.client("lambda"), ground.client("dynamodb", VAULT)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    ground.client("iam").create_role(RoleName=COPY.production_role, AssumeRolePolicyDocument=trust)
    (package,) = load("stream-copy").of_any({}).packages.values()
    fn.create_function(
        FunctionName=COPY.function,
        Role=COPY.production_role_arn,
        Runtime="python3.13",
        Handler=HANDLER,
        Code={"ZipFile": package},
    )
    # Lambda tells a function its ARN; moto finds the mappings of a function by its name alone.
    ground.invoke(heartbeat, function=COPY.function)
    assert vault.scan(TableName=COPY.marker_table)["Items"] == []
    fn.create_event_source_mapping(
        FunctionName=COPY.function, EventSourceArn=ground.stream, StartingPosition="TRIM_HORIZON"
    )
    ground.invoke(heartbeat, function=COPY.function)
    (state,) = vault.scan(TableName=COPY.marker_table)["Items"]
    assert set(state) == {"id", "seen_at"}
