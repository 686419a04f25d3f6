"""The guard stands between every client that a Site hands out and what the drill did not make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.guard_rules import READS, RULES, resource
from drills.protections.dynamodb_backup import protection as backups
from drills.stores.dynamodb import kind
from drills.world_site import WorldSite
from tests.stores.table_site import PLAIN, filled, plain_client, table_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill", PLAIN) as site:
        yield site


def foreign(site: WorldSite, name: str = "theirs", **more: Any) -> Any:
    """Somebody else's table, made past the Site; the Site's client."""
    plain_client(site, site.primary()).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        **more,
    )
    site.clock.sleep(30)
    return site.client("dynamodb", "production")


KEY = {"id": {"S": "x"}}
CALLS: dict[str, Callable[[Any], Any]] = {
    "DeleteTable": lambda client: client.delete_table(TableName="theirs"),
    "UpdateTable": lambda client: client.update_table(TableName="theirs", DeletionProtectionEnabled=False),
    "UpdateTimeToLive": lambda client: client.update_time_to_live(
        TableName="theirs", TimeToLiveSpecification={"Enabled": True, "AttributeName": "at"}
    ),
    "UpdateContinuousBackups": lambda client: client.update_continuous_backups(
        TableName="theirs", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    ),
    "PutItem": lambda client: client.put_item(TableName="theirs", Item=KEY),
    "DeleteItem": lambda client: client.delete_item(TableName="theirs", Key=KEY),
    "BatchWriteItem": lambda client: client.batch_write_item(
        RequestItems={"theirs": [{"DeleteRequest": {"Key": KEY}}]}
    ),
    "TransactWriteItems": lambda client: client.transact_write_items(
        TransactItems=[{"Delete": {"TableName": "theirs", "Key": KEY}}]
    ),
    "TagResource": lambda client: client.tag_resource(
        ResourceArn=client.describe_table(TableName="theirs")["Table"]["TableArn"],
        Tags=[{"Key": "drills:drill", "Value": "test-1"}],
    ),
}


@pytest.mark.parametrize("operation", CALLS)
def test_what_the_drill_did_not_make_is_not_changed_even_when_it_carries_its_tag(
    site: WorldSite, operation: str
) -> None:
    client = foreign(site, Tags=[{"Key": "drills:drill", "Value": site.tags["drills:drill"]}])
    with pytest.raises(ProtectionError) as caught:
        CALLS[operation](client)
    assert "table theirs in account 101010101010, eu-west-1" in str(caught.value)
    assert f"before {operation}" in str(caught.value)
    assert "no record of making" in str(caught.value)


def test_what_was_made_and_then_replaced_by_somebody_else_is_not_deleted(site: WorldSite) -> None:
    at = kind.provision(site)
    plain = plain_client(site, at)
    plain.delete_table(TableName=at.name)
    site.clock.sleep(60)
    foreign(site, at.name, Tags=[{"Key": "team", "Value": "others"}])
    with pytest.raises(ProtectionError, match="somebody made it their own"):
        site.client("dynamodb", "production").delete_table(TableName=at.name)
    assert plain.describe_table(TableName=at.name)["Table"]["TableStatus"] == "ACTIVE"


def test_a_backup_that_the_drill_did_not_make_is_not_deleted_whatever_its_name(site: WorldSite) -> None:
    at = kind.provision(site)
    plain = plain_client(site, at)
    name = f"drills-{site.tags['drills:drill']}-20260101T000000"
    arn = plain.create_backup(TableName=at.name, BackupName=name)["BackupDetails"]["BackupArn"]
    site.clock.sleep(3600)
    with pytest.raises(ProtectionError, match="no record of making"):
        backups.destroy(site, {})
    assert plain.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE"


def test_what_is_not_there_answers_as_aws_does_and_is_not_asked_for(site: WorldSite) -> None:
    with pytest.raises(ClientError, match="the call was not sent") as caught:
        site.client("dynamodb", "production").delete_table(TableName="nowhere")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_call_that_the_guard_does_not_know_is_not_sent(site: WorldSite) -> None:
    with pytest.raises(ProtectionError, match="ec2 TerminateInstances: expected a call of which the guard knows"):
        site.client("ec2", "production").terminate_instances(InstanceIds=["i-0123456789abcdef0"])


def test_reading_others_is_allowed(site: WorldSite) -> None:
    client = foreign(site)
    assert client.scan(TableName="theirs")["Count"] == 0
    assert "theirs" in client.list_tables()["TableNames"]


def test_what_the_drill_made_is_its_own_to_change(site: WorldSite) -> None:
    workload = filled(site)
    client = site.client("dynamodb", "production")
    client.update_table(TableName=workload.at.name, DeletionProtectionEnabled=False)
    site.clock.sleep(60)
    kind.destroy(site, workload.at)
    assert client.list_tables()["TableNames"] == []


def test_every_rule_names_a_call_that_there_is_and_that_its_name_does_not_let_pass() -> None:
    session = boto3.Session()
    for service, operation in RULES:
        client = session.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
        assert operation in client.meta.service_model.operation_names
        assert not operation.startswith(READS)


@pytest.mark.parametrize(
    ("kind_of", "named", "same_as"),
    [
        ("table", "arn:aws:dynamodb:eu-west-1:101010101010:table/orders", "orders"),
        ("table", "arn:aws:dynamodb:eu-west-1:101010101010:table/orders/stream/2026", "orders"),
        ("function", "arn:aws:lambda:eu-west-1:101010101010:function:orders", "orders"),
        ("queue", "https://sqs.eu-west-1.amazonaws.com/101010101010/orders", "orders"),
    ],
)
def test_a_resource_is_the_same_however_it_is_named(kind_of: str, named: str, same_as: str) -> None:
    here = ("101010101010", "eu-west-1")
    assert resource(kind_of, named, *here) == resource(kind_of, same_as, *here)
