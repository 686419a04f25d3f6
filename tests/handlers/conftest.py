"""A vault in plain moto, and stream records with the shapes that Lambda gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drills.handlers import stream_copy
from drills.handlers.stream_copy import Settings, clients

PRODUCTION = "111111111111"
VAULT = "222222222222"
LABEL = "2026-01-05T09:00:00.000"
ARN = f"arn:aws:dynamodb:us-east-1:{PRODUCTION}:table/clients/stream/"


def record(
    name: str,
    key: dict[str, Any],
    image: dict[str, Any] | None,
    sequence: int,
    *,
    label: str = LABEL,
    at: int = 1767603600,
) -> dict[str, Any]:
    """Source: Lambda developer guide, Using AWS Lambda with Amazon DynamoDB: an example event."""
    data: dict[str, Any] = {
        "ApproximateCreationDateTime": at,
        "Keys": key,
        "SequenceNumber": str(100000000000000000000 + sequence),
        "SizeBytes": 100,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if image is not None:
        data["NewImage"] = {**key, **image}
    return {
        "eventID": f"{sequence:032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": data,
        "eventSourceARN": ARN + label,
    }


def put(key: str, value: str, sequence: int, **more: Any) -> dict[str, Any]:
    return record("MODIFY", {"id": {"S": key}}, {"value": {"S": value}}, sequence, **more)


def gone(key: str, sequence: int, **more: Any) -> dict[str, Any]:
    return record("REMOVE", {"id": {"S": key}}, None, sequence, **more)


class Context:
    function_name = "clients-copy"
    invoked_function_arn = "arn:aws:lambda:us-east-1:111111111111:function:clients-copy"

    def __init__(self, seconds: float = 60) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@dataclass
class VaultAccount:
    """The vault as its administrator sees it."""

    dynamodb: Any
    s3: Any
    settings: Settings
    calls: list[str] = field(default_factory=list)

    def invoke(self, *records: dict[str, Any], seconds: float = 60) -> list[str]:
        """The sequence numbers reported as failed, without their constant beginning."""
        answer = stream_copy.handler({"Records": list(records)}, Context(seconds))
        failures = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        return [str(int(number) - 100000000000000000000) if number else "" for number in failures]

    def items(self) -> dict[str, Any]:
        return {item["id"]["S"]: item for item in self.dynamodb.scan(TableName="copy")["Items"]}

    def values(self) -> dict[str, str]:
        return {key: item["value"]["S"] for key, item in self.items().items()}

    def marker(self, key: dict[str, Any]) -> dict[str, Any]:
        found = self.dynamodb.get_item(TableName="markers", Key={"id": {"S": stream_copy.marker_id(key)}})
        return dict(found.get("Item", {}))

    def row(self, name: str) -> dict[str, Any]:
        return dict(self.dynamodb.get_item(TableName="markers", Key={"id": {"S": name}}).get("Item", {}))

    def set_aside(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket="aside").get("Contents", [])]


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[VaultAccount]:
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        role = f"arn:aws:iam::{VAULT}:role/writer"
        settings = Settings("copy", "markers", VAULT, "eu-west-1", role, "ext", "aside", "set-aside/", LABEL)
        for name, value in settings.as_environment().items():
            monkeypatch.setenv(name, value)
        clients._vaults.clear()
        clients._own_clients.clear()
        keys = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="admin")["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "eu-west-1")
        account = VaultAccount(session.client("dynamodb"), session.client("s3"), settings)
        for table in ("copy", "markers"):
            account.dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        account.s3.create_bucket(Bucket="aside", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield account
        clients._vaults.clear()
        clients._own_clients.clear()
