"""On-demand backups through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.dynamodb.ground import (
    ACCOUNT,
    START,
    Ground,
    contents,
    make_table,
    plain_moto,
    put,
    refusal_code,
    simulated,
    wait_until_active,
)

ALL = {"ProjectionType": "ALL"}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


def back_up(ground: Ground, client: Any, table: str = "orders", name: str = "nightly") -> str:
    """The ARN of a backup that is AVAILABLE."""
    arn = str(client.create_backup(TableName=table, BackupName=name)["BackupDetails"]["BackupArn"])
    ground.sleep(300)
    return arn


def backup_status(client: Any, arn: str) -> str:
    return str(client.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"])


def names(client: Any, **filters: Any) -> list[str]:
    return [backup["BackupName"] for backup in client.list_backups(**filters)["BackupSummaries"]]


def test_a_backup_takes_its_time_and_holds_what_was_there_when_it_was_asked_for(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    put(client, "a", 1)
    made = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]
    assert made["BackupStatus"] == "CREATING"
    assert (made["BackupType"], made["BackupCreationDateTime"]) == ("USER", START)
    put(client, "a", "later")
    put(client, "b", "later")
    assert ground.aws is not None
    took = ground.aws.durations[-1].seconds
    ground.sleep(took - 1)
    assert backup_status(client, made["BackupArn"]) == "CREATING"
    ground.sleep(2)
    assert backup_status(client, made["BackupArn"]) == "AVAILABLE"
    client.restore_table_from_backup(TargetTableName="rescued", BackupArn=made["BackupArn"])
    wait_until_active(ground, client, "rescued")
    assert contents(client, "rescued") == {"a": "1"}
    summary = client.describe_table(TableName="rescued")["Table"]["RestoreSummary"]
    assert summary["SourceBackupArn"] == made["BackupArn"]
    assert summary["RestoreDateTime"] == START


def test_twin_plain_motos_backups_are_available_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make_table(client)
        arn = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]["BackupArn"]
        assert backup_status(client, arn) == "AVAILABLE"


def test_a_backup_describes_its_table(ground: Ground) -> None:
    client = ground.client()
    made = make_table(
        client,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "city")],
        GlobalSecondaryIndexes=[
            {"IndexName": "by_city", "KeySchema": [{"AttributeName": "city", "KeyType": "HASH"}], "Projection": ALL}
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    put(client, "a", 1)
    described = client.describe_backup(BackupArn=back_up(ground, client))["BackupDescription"]
    details, features = described["SourceTableDetails"], described["SourceTableFeatureDetails"]
    assert details["TableName"] == "orders"
    assert details["TableId"] == made["TableId"]
    assert (details["ItemCount"], details["BillingMode"]) == (1, "PAY_PER_REQUEST")
    assert described["BackupDetails"]["BackupSizeBytes"] == len("idavalue1")
    assert [index["IndexName"] for index in features["GlobalSecondaryIndexes"]] == ["by_city"]
    assert features["StreamDescription"]["StreamViewType"] == "NEW_IMAGE"
    assert features["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_a_backup_outlives_its_table(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    put(client, "a", 1)
    arn = back_up(ground, client)
    client.delete_table(TableName="orders")
    ground.sleep(timedelta(days=400).total_seconds())
    client.restore_table_from_backup(TargetTableName="orders", BackupArn=arn)
    wait_until_active(ground, client, "orders")
    assert contents(client, "orders") == {"a": "1"}


def test_a_table_deleted_while_it_is_backed_up_is_backed_up(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    put(client, "a", 1)
    arn = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]["BackupArn"]
    client.delete_table(TableName="orders")
    ground.sleep(300)
    assert backup_status(client, arn) == "AVAILABLE"


def test_one_backup_can_be_restored_several_times(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    put(client, "a", 1)
    arn = back_up(ground, client)
    for name in ("one", "two"):
        client.restore_table_from_backup(TargetTableName=name, BackupArn=arn)
    wait_until_active(ground, client, "one")
    wait_until_active(ground, client, "two")
    put(client, "a", "changed in one", table="one")
    assert contents(client, "two") == {"a": "1"}


def test_listing_by_table_time_and_type(ground: Ground) -> None:
    client = ground.client()
    for table in ("orders", "clients"):
        make_table(client, table)
    for number in range(3):
        for table in ("orders", "clients"):
            back_up(ground, client, table, f"{table}-{number}")
    assert names(client, TableName="orders") == ["orders-0", "orders-1", "orders-2"]
    second = client.list_backups(TableName="orders")["BackupSummaries"][1]
    assert second["BackupCreationDateTime"] == START + timedelta(seconds=600)
    lower, upper = START + timedelta(seconds=600), START + timedelta(seconds=1200)
    assert names(client, TimeRangeLowerBound=lower, TimeRangeUpperBound=upper) == ["orders-1", "clients-1"]
    assert len(names(client, BackupType="ALL")) == len(names(client, BackupType="USER")) == 6
    assert names(client, BackupType="SYSTEM") == []
    assert names(client, TableName="none") == []
    assert names(ground.client("eu-central-1")) == []


def test_listing_page_by_page(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    for number in range(5):
        back_up(ground, client, name=f"backup-{number}")
    pages = list(client.get_paginator("list_backups").paginate(PaginationConfig={"PageSize": 2}))
    assert [[one["BackupName"] for one in page["BackupSummaries"]] for page in pages] == [
        ["backup-0", "backup-1"],
        ["backup-2", "backup-3"],
        ["backup-4"],
    ]
    assert refusal_code(client.list_backups, Limit=101) == "ValidationException"


def test_twin_plain_moto_lists_everything_on_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make_table(client)
        for number in range(3):
            client.create_backup(TableName="orders", BackupName=f"backup-{number}")
        assert len(names(client, Limit=2)) == 3


def test_a_deleted_backup_is_gone(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    arn = back_up(ground, client)
    deleted = client.delete_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
    assert deleted["BackupStatus"] == "DELETED"
    assert names(client) == []
    for call in (client.describe_backup, client.delete_backup):
        assert refusal_code(call, BackupArn=arn) == "BackupNotFoundException"
    assert (
        refusal_code(client.restore_table_from_backup, TargetTableName="rescued", BackupArn=arn)
        == "BackupNotFoundException"
    )


def test_a_backup_in_use_can_be_neither_deleted_nor_restored(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    arn = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]["BackupArn"]
    restore = {"TargetTableName": "rescued", "BackupArn": arn}
    assert refusal_code(client.delete_backup, BackupArn=arn) == "BackupInUseException"
    assert refusal_code(client.restore_table_from_backup, **restore) == "BackupInUseException"
    ground.sleep(300)
    client.restore_table_from_backup(**restore)
    assert refusal_code(client.delete_backup, BackupArn=arn) == "BackupInUseException"
    wait_until_active(ground, client, "rescued")
    client.delete_backup(BackupArn=arn)


def test_what_is_refused(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    arn = back_up(ground, client)
    assert refusal_code(client.create_backup, TableName="none", BackupName="nightly") == "TableNotFoundException"
    for name in ("a b c", "x" * 256):
        assert refusal_code(client.create_backup, TableName="orders", BackupName=name) == "ValidationException"
    unchecked = ground.unchecked_client()
    assert refusal_code(unchecked.create_backup, TableName="orders", BackupName="ab") == "ValidationException"
    restore = client.restore_table_from_backup
    assert refusal_code(restore, TargetTableName="orders", BackupArn=arn) == "TableAlreadyExistsException"
    assert refusal_code(restore, TargetTableName="new one", BackupArn=arn) == "ValidationException"
    assert refusal_code(restore, TargetTableName="new", BackupArn=arn[:-8] + "ffffffff") == "BackupNotFoundException"


def test_a_backup_is_restored_into_another_region(ground: Ground) -> None:
    here, there = ground.client(), ground.client("eu-central-1")
    make_table(here)
    put(here, "a", 1)
    arn = back_up(ground, here)
    there.restore_table_from_backup(TargetTableName="rescued", BackupArn=arn)
    wait_until_active(ground, there, "rescued")
    assert contents(there, "rescued") == {"a": "1"}
    assert refusal_code(there.describe_backup, BackupArn=arn) == "BackupNotFoundException"


def test_twin_plain_moto_finds_no_backup_of_another_region(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make_table(client)
        arn = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]["BackupArn"]
        restore = ground.client("eu-central-1").restore_table_from_backup
        assert refusal_code(restore, TargetTableName="rescued", BackupArn=arn) == "BackupNotFoundException"


def test_another_account_sees_and_restores_nothing(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    arn = back_up(ground, client)
    assert ground.aws is not None
    other = ground.aws.session("222233334444", region="eu-west-1").client("dynamodb")
    assert names(other) == []
    assert refusal_code(other.restore_table_from_backup, TargetTableName="stolen", BackupArn=arn) in (
        "BackupNotFoundException",
        "AccessDeniedException",
    )


def test_an_outage_holds_a_backup_and_a_closed_account_too(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    arn = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]["BackupArn"]
    assert ground.aws is not None
    with ground.aws.region_down("eu-west-1"):
        ground.sleep(3600)
    assert backup_status(client, arn) == "CREATING"
    ground.aws.close_account(ACCOUNT)
    ground.sleep(3600)
    ground.aws.reopen_account(ACCOUNT)
    assert backup_status(client, arn) == "CREATING"
    ground.sleep(300)
    assert backup_status(client, arn) == "AVAILABLE"
