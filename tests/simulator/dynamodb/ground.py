"""The same steps on the simulated AWS and on plain moto, so that a difference that matters is shown on both.

A twin asserts what plain moto does wrong: when moto closes the gap, the twin fails and we notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import time_machine
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from drills.simulator import SimulatedAWS

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
REGION = "eu-west-1"
ACCOUNT = "123456789012"
ON = {"PointInTimeRecoveryEnabled": True}
OFF = {"PointInTimeRecoveryEnabled": False}


@dataclass
class Ground:
    """Where steps are carried out: a clock that they can move, and plain boto3 clients."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    aws: SimulatedAWS | None = None

    def client(self, region: str = REGION, service: str = "dynamodb") -> Any:
        return boto3.client(service, region_name=region)  # type: ignore[call-overload]

    def unchecked_client(self, region: str = REGION) -> Any:
        """A client that leaves it to the service to refuse parameters."""
        return boto3.client("dynamodb", region_name=region, config=Config(parameter_validation=False))


@contextmanager
def simulated(**options: Any) -> Iterator[Ground]:
    with SimulatedAWS(seed=3, start=START, **options) as aws:
        yield Ground(aws.clock.now, aws.clock.sleep, aws)


@contextmanager
def plain_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with time_machine.travel(START, tick=False) as traveller, mock_aws():
        yield Ground(lambda: datetime.now(UTC), lambda seconds: traveller.shift(timedelta(seconds=seconds)))


def make_table(client: Any, name: str = "orders", **more: Any) -> dict[str, Any]:
    """A table keyed by the text ``id``."""
    settings = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        **more,
    }
    described: dict[str, Any] = client.create_table(TableName=name, **settings)["TableDescription"]
    return described


def recoverable_table(client: Any, name: str = "orders", **more: Any) -> dict[str, Any]:
    described = make_table(client, name, **more)
    client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=ON)
    return described


def put(client: Any, key: str, value: object = "", table: str = "orders", **more: Any) -> None:
    client.put_item(TableName=table, Item={"id": {"S": key}, "value": {"S": str(value)}, **more})


def contents(client: Any, table: str) -> dict[str, str | None]:
    """Key to value of every item."""
    pages = client.get_paginator("scan").paginate(TableName=table)
    return {item["id"]["S"]: item.get("value", {}).get("S") for page in pages for item in page["Items"]}


def window(client: Any, table: str = "orders") -> dict[str, Any]:
    described = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery: dict[str, Any] = described["PointInTimeRecoveryDescription"]
    return recovery


def status(client: Any, table: str) -> str:
    return str(client.describe_table(TableName=table)["Table"]["TableStatus"])


def restored(ground: Ground, client: Any, moment: datetime, target: str, source: str = "orders") -> dict[str, Any]:
    """What a table restored as of a moment holds once it is ACTIVE."""
    client.restore_table_to_point_in_time(SourceTableName=source, TargetTableName=target, RestoreDateTime=moment)
    wait_until_active(ground, client, target)
    return contents(client, target)


def wait_until_active(ground: Ground, client: Any, table: str) -> None:
    for _ in range(200):
        if status(client, table) == "ACTIVE":
            return
        ground.sleep(60)
    raise AssertionError(f"{table} is still {status(client, table)} after 200 minutes")


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    """Code and message of the error that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def refusal_code(call: Callable[..., Any], **arguments: Any) -> str:
    return refusal(call, **arguments)[0]
