"""The SYSTEM backup that a deleted table leaves, and what else ends with a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.dynamodb.ground import (
    OFF,
    ON,
    START,
    Ground,
    contents,
    make_table,
    plain_moto,
    put,
    recoverable_table,
    refusal_code,
    simulated,
    wait_until_active,
    window,
)


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


def system_backups(client: Any, **filters: Any) -> list[dict[str, Any]]:
    return list(client.list_backups(BackupType="SYSTEM", **filters)["BackupSummaries"])


def delete_steps(ground: Ground) -> list[str]:
    """Names of the backups after a table with recovery on was deleted."""
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    client.delete_table(TableName="orders")
    return [backup["BackupName"] for backup in client.list_backups(BackupType="ALL")["BackupSummaries"]]


def test_a_deleted_table_with_recovery_leaves_a_system_backup() -> None:
    with simulated() as ground:
        assert delete_steps(ground) == ["orders$DeletedTableBackup"]


def test_twin_on_plain_moto_a_deleted_table_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        assert delete_steps(ground) == []


def test_it_holds_the_moment_of_deletion(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    put(client, "b", 1)
    ground.sleep(60)
    client.delete_item(TableName="orders", Key={"id": {"S": "b"}})
    put(client, "a", "a moment before")
    client.delete_table(TableName="orders")
    (backup,) = system_backups(client)
    assert backup["BackupStatus"] == "AVAILABLE"
    assert backup["BackupExpiryDateTime"] == ground.now() + timedelta(days=35)
    client.restore_table_from_backup(TargetTableName="orders", BackupArn=backup["BackupArn"])
    wait_until_active(ground, client, "orders")
    assert contents(client, "orders") == {"a": "a moment before"}


def test_only_that_moment_can_be_restored(ground: Ground) -> None:
    client = ground.client()
    arn = recoverable_table(client)["TableArn"]
    ground.sleep(3600)
    client.delete_table(TableName="orders")
    restore, target = client.restore_table_to_point_in_time, {"TargetTableName": "rescued"}
    moment = {"RestoreDateTime": START + timedelta(minutes=10)}
    assert refusal_code(restore, SourceTableName="orders", **target, **moment) == "TableNotFoundException"
    assert refusal_code(restore, SourceTableArn=arn, **target, **moment) == "TableNotFoundException"


def test_it_goes_after_thirty_five_days(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    client.delete_table(TableName="orders")
    (backup,) = system_backups(client)
    ground.sleep(timedelta(days=35).total_seconds() - 1)
    assert len(system_backups(client)) == 1
    ground.sleep(2)
    assert system_backups(client) == []
    restore = client.restore_table_from_backup
    assert refusal_code(restore, TargetTableName="late", BackupArn=backup["BackupArn"]) == "BackupNotFoundException"


def test_a_restore_begun_before_it_goes_is_finished(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    client.delete_table(TableName="orders")
    (backup,) = system_backups(client)
    ground.sleep(timedelta(days=35).total_seconds() - 1)
    client.restore_table_from_backup(TargetTableName="orders", BackupArn=backup["BackupArn"])
    wait_until_active(ground, client, "orders")
    assert contents(client, "orders") == {"a": "1"}


def test_it_cannot_be_deleted(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    client.delete_table(TableName="orders")
    (backup,) = system_backups(client)
    assert refusal_code(client.delete_backup, BackupArn=backup["BackupArn"]) == "ValidationException"
    assert len(system_backups(client)) == 1


def test_without_recovery_there_is_none(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    client.delete_table(TableName="orders")
    recoverable_table(client)
    client.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=OFF)
    client.delete_table(TableName="orders")
    assert client.list_backups(BackupType="ALL")["BackupSummaries"] == []


def test_lists_show_it_only_when_asked(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    client.create_backup(TableName="orders", BackupName="nightly")
    client.delete_table(TableName="orders")
    by_type = {
        kind: sorted(backup["BackupType"] for backup in client.list_backups(BackupType=kind)["BackupSummaries"])
        for kind in ("USER", "SYSTEM", "ALL")
    }
    assert by_type == {"USER": ["USER"], "SYSTEM": ["SYSTEM"], "ALL": ["SYSTEM", "USER"]}
    assert [backup["BackupType"] for backup in client.list_backups()["BackupSummaries"]] == ["USER"]
    assert len(system_backups(client, TableName="orders")) == 1


def test_a_table_made_anew_under_the_name_is_another_table(ground: Ground) -> None:
    client = ground.client()
    first = recoverable_table(client)
    put(client, "a", 1)
    ground.sleep(3600)
    client.delete_table(TableName="orders")
    second = make_table(client)
    assert second["TableId"] != first["TableId"]
    assert second["TableArn"] == first["TableArn"]
    assert window(client) == {"PointInTimeRecoveryStatus": "DISABLED"}
    assert contents(client, "orders") == {}
    client.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=ON)
    assert window(client)["EarliestRestorableDateTime"] == ground.now()
    client.delete_table(TableName="orders")
    recoverable_table(client)
    client.delete_table(TableName="orders")
    backups = system_backups(client)
    assert len({backup["BackupArn"] for backup in backups}) == len(backups) == 3
    assert len({backup["TableId"] for backup in backups}) == 3


def test_all_that_hung_on_a_deleted_table_ends(ground: Ground) -> None:
    client = ground.client()
    arn = recoverable_table(
        client,
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "shop"}],
    )["TableArn"]
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    client.put_resource_policy(ResourceArn=arn, Policy='{"Version": "2012-10-17", "Statement": []}')
    client.delete_table(TableName="orders")
    make_table(client)
    table = client.describe_table(TableName="orders")["Table"]
    assert "LatestStreamArn" not in table
    ttl = client.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "DISABLED"}
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == []
    assert refusal_code(client.get_resource_policy, ResourceArn=arn) == "PolicyNotFoundException"
    put(client, "a", 1, expires={"N": str(int(ground.now().timestamp()) + 60)})
    ground.sleep(timedelta(days=3).total_seconds())
    assert contents(client, "orders") == {"a": "1"}
