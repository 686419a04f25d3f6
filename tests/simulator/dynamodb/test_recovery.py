"""Point-in-time recovery through plain boto3 clients."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.simulator.dynamodb.ground import (
    ACCOUNT,
    OFF,
    ON,
    START,
    Ground,
    contents,
    make_table,
    plain_moto,
    put,
    recoverable_table,
    refusal,
    refusal_code,
    restored,
    simulated,
    status,
    wait_until_active,
    window,
)

MINUTES_5 = timedelta(minutes=5)
SECOND = timedelta(seconds=1)
PROVISIONED: dict[str, Any] = {
    "BillingMode": "PROVISIONED",
    "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2},
}
ALL = {"ProjectionType": "ALL"}
BY_CITY = {"IndexName": "by_city", "KeySchema": [{"AttributeName": "city", "KeyType": "HASH"}], "Projection": ALL}
BY_AGE = {"IndexName": "by_age", "KeySchema": [{"AttributeName": "age", "KeyType": "HASH"}], "Projection": ALL}
BY_DAY = {
    "IndexName": "by_day",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "day", "KeyType": "RANGE"}],
    "Projection": ALL,
}
KEYS: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "line", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "line", "AttributeType": "N"},
        {"AttributeName": "city", "AttributeType": "S"},
        {"AttributeName": "age", "AttributeType": "N"},
        {"AttributeName": "day", "AttributeType": "S"},
    ],
    "GlobalSecondaryIndexes": [BY_CITY, BY_AGE],
    "LocalSecondaryIndexes": [BY_DAY],
}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


def erased_steps(ground: Ground) -> dict[str, str | None]:
    """Two items, ten minutes, one overwritten and one deleted, ten minutes; restored as of before."""
    client = ground.client()
    recoverable_table(client)
    put(client, "a", "first")
    put(client, "b", "kept")
    ground.sleep(600)
    before = ground.now()
    ground.sleep(60)
    put(client, "a", "mangled")
    client.delete_item(TableName="orders", Key={"id": {"S": "b"}})
    ground.sleep(600)
    return restored(ground, client, before, "rescued")


def test_a_restore_brings_back_what_was_there_then() -> None:
    with simulated() as ground:
        assert erased_steps(ground) == {"a": "first", "b": "kept"}


def test_twin_plain_moto_restores_what_is_there_now(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        assert erased_steps(ground) == {"a": "mangled"}


def test_every_second_is_restored_as_it_was(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    steps: list[Callable[[], Any]] = [
        lambda: put(client, "a", 1),
        lambda: put(client, "b", 1),
        lambda: client.update_item(
            TableName="orders",
            Key={"id": {"S": "a"}},
            UpdateExpression="SET #v = :v",
            ExpressionAttributeNames={"#v": "value"},
            ExpressionAttributeValues={":v": {"S": "2"}},
        ),
        lambda: client.delete_item(TableName="orders", Key={"id": {"S": "b"}}),
        lambda: client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "orders", "Item": {"id": {"S": "c"}, "value": {"S": "1"}}}},
                {"Delete": {"TableName": "orders", "Key": {"id": {"S": "a"}}}},
            ]
        ),
        lambda: client.batch_write_item(
            RequestItems={
                "orders": [{"PutRequest": {"Item": {"id": {"S": key}, "value": {"S": "3"}}}} for key in "abd"]
            }
        ),
    ]
    states: list[tuple[datetime, dict[str, Any]]] = []
    for step in steps:
        ground.sleep(1)
        step()
        states.append((ground.now(), contents(client, "orders")))
    ground.sleep(400)
    for number, (moment, state) in enumerate(states):
        assert restored(ground, client, moment, f"as-of-{number}") == state


def test_within_one_second_the_last_change_counts(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(10.2)
    put(client, "a", "early in the second")
    ground.sleep(0.5)
    put(client, "a", "late in the second")
    second = ground.now().replace(microsecond=0)
    ground.sleep(600)
    assert restored(ground, client, second, "at-its-beginning") == {}
    assert restored(ground, client, second + SECOND, "at-its-end") == {"a": "late in the second"}


# --- The window


def test_the_window_moves_with_the_clock(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    assert window(client) == {
        "PointInTimeRecoveryStatus": "ENABLED",
        "RecoveryPeriodInDays": 35,
        "EarliestRestorableDateTime": START,
        "LatestRestorableDateTime": START,
    }
    ground.sleep(3600)
    assert window(client)["EarliestRestorableDateTime"] == START
    assert window(client)["LatestRestorableDateTime"] == ground.now() - MINUTES_5
    ground.sleep(timedelta(days=40).total_seconds())
    assert window(client)["EarliestRestorableDateTime"] == ground.now() - timedelta(days=35)


def test_twin_plain_motos_window_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        recoverable_table(client)
        ground.sleep(3600)
        assert window(client)["LatestRestorableDateTime"] == START


def test_off_and_on_again_begins_anew(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    ground.sleep(900)
    client.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=OFF)
    assert window(client) == {"PointInTimeRecoveryStatus": "DISABLED"}
    put(client, "a", "unseen")
    client.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=ON)
    again = ground.now()
    assert window(client)["EarliestRestorableDateTime"] == again
    ground.sleep(900)
    call = {"SourceTableName": "orders", "TargetTableName": "rescued"}
    assert (
        refusal_code(client.restore_table_to_point_in_time, **call, RestoreDateTime=again - SECOND)
        == "InvalidRestoreTimeException"
    )
    assert restored(ground, client, again, "rescued") == {"a": "unseen"}


def test_turning_it_on_twice_keeps_the_window(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(900)
    client.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=ON)
    assert window(client)["EarliestRestorableDateTime"] == START


def test_a_shorter_period_gives_up_what_is_older_for_good(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(timedelta(days=10).total_seconds())
    for days in (3, 35):
        client.update_continuous_backups(
            TableName="orders", PointInTimeRecoverySpecification={**ON, "RecoveryPeriodInDays": days}
        )
        assert window(client)["RecoveryPeriodInDays"] == days
        assert window(client)["EarliestRestorableDateTime"] == ground.now() - timedelta(days=3)


@pytest.mark.parametrize("days", [0, 36])
def test_the_period_is_one_to_thirty_five_days(ground: Ground, days: int) -> None:
    client = ground.unchecked_client()
    make_table(client)
    specification = {**ON, "RecoveryPeriodInDays": days}
    code, message = refusal(
        client.update_continuous_backups, TableName="orders", PointInTimeRecoverySpecification=specification
    )
    assert code == "ValidationException"
    assert "recoveryPeriodInDays" in message
    assert window(client)["PointInTimeRecoveryStatus"] == "DISABLED"


# --- What is refused


def test_restoring_without_recovery_is_refused(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    call = {"SourceTableName": "orders", "TargetTableName": "rescued", "UseLatestRestorableTime": True}
    assert refusal_code(client.restore_table_to_point_in_time, **call) == "PointInTimeRecoveryUnavailableException"


def test_twin_plain_moto_restores_without_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make_table(client)
        client.restore_table_to_point_in_time(
            SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
        )
        assert status(client, "rescued") == "ACTIVE"


@pytest.mark.parametrize("beside", [-SECOND, timedelta(seconds=3301)], ids=["too early", "too late"])
def test_a_moment_outside_the_window_is_refused(ground: Ground, beside: timedelta) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(3600)
    call = {"SourceTableName": "orders", "TargetTableName": "rescued", "RestoreDateTime": START + beside}
    assert refusal_code(client.restore_table_to_point_in_time, **call) == "InvalidRestoreTimeException"
    assert "rescued" not in client.list_tables()["TableNames"]


def test_the_ends_of_the_window_can_be_restored(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    put(client, "a", "before")
    client.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=ON)
    ground.sleep(3300)
    put(client, "a", "after")
    ground.sleep(300)
    put(client, "a", "too young")
    earliest, latest = START, window(client)["LatestRestorableDateTime"]
    assert restored(ground, client, latest, "last") == {"a": "after"}
    assert restored(ground, client, earliest, "first") == {"a": "before"}


def test_names_that_do_not_fit_are_refused(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(600)
    restore, latest = client.restore_table_to_point_in_time, {"UseLatestRestorableTime": True}
    assert refusal_code(restore, SourceTableName="none", TargetTableName="new", **latest) == "TableNotFoundException"
    assert (
        refusal_code(restore, SourceTableName="orders", TargetTableName="orders", **latest)
        == "TableAlreadyExistsException"
    )
    assert refusal_code(restore, SourceTableName="orders", TargetTableName="a b c", **latest) == "ValidationException"
    assert refusal_code(restore, TargetTableName="new", **latest) == "ValidationException"
    assert refusal_code(restore, SourceTableName="orders", TargetTableName="new") == "ValidationException"
    both = {**latest, "RestoreDateTime": START}
    assert refusal_code(restore, SourceTableName="orders", TargetTableName="new", **both) == "ValidationException"
    assert refusal_code(client.describe_continuous_backups, TableName="none") == "TableNotFoundException"


def test_fifty_restores_at_once_and_no_more(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(600)
    for number in range(50):
        client.restore_table_to_point_in_time(
            SourceTableName="orders", TargetTableName=f"copy-{number}", UseLatestRestorableTime=True
        )
    call = {"SourceTableName": "orders", "TargetTableName": "one-more", "UseLatestRestorableTime": True}
    assert refusal_code(client.restore_table_to_point_in_time, **call) == "LimitExceededException"
    wait_until_active(ground, client, "copy-49")
    client.restore_table_to_point_in_time(**call)


# --- While the restore is under way


def test_a_restore_takes_its_time(ground: Ground) -> None:
    client = ground.client()
    arn = recoverable_table(client)["TableArn"]
    put(client, "a", 1)
    ground.sleep(600)
    moment = ground.now() - MINUTES_5
    begun = client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )["TableDescription"]
    summary = {"SourceTableArn": arn, "RestoreDateTime": moment, "RestoreInProgress": True}
    assert begun["TableStatus"] == "CREATING"
    assert begun["RestoreSummary"] == summary
    assert ground.aws is not None
    took = ground.aws.durations[-1]
    assert took.operation == "dynamodb.restore"
    assert took.seconds >= 1200
    ground.sleep(took.seconds - 1)
    described = client.describe_table(TableName="rescued")["Table"]
    assert (described["TableStatus"], described["ItemCount"]) == ("CREATING", 0)
    ground.sleep(2)
    described = client.describe_table(TableName="rescued")["Table"]
    assert (described["TableStatus"], described["ItemCount"]) == ("ACTIVE", 1)
    assert described["RestoreSummary"] == {**summary, "RestoreInProgress": False}
    assert described["TableSizeBytes"] == client.describe_table(TableName="orders")["Table"]["TableSizeBytes"] > 0
    assert "RestoreSummary" not in client.describe_table(TableName="orders")["Table"]


def test_a_table_being_restored_can_be_neither_used_nor_changed(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )
    key, item = {"id": {"S": "a"}}, {"id": {"S": "a"}}
    table = {"TableName": "rescued"}
    unreadable: dict[Any, dict[str, Any]] = {
        client.get_item: {**table, "Key": key},
        client.scan: table,
        client.query: {
            **table,
            "KeyConditionExpression": "id = :id",
            "ExpressionAttributeValues": {":id": {"S": "a"}},
        },
        client.put_item: {**table, "Item": item},
        client.update_item: {**table, "Key": key},
        client.delete_item: {**table, "Key": key},
        client.batch_write_item: {"RequestItems": {"rescued": [{"PutRequest": {"Item": item}}]}},
        client.batch_get_item: {"RequestItems": {"rescued": {"Keys": [key]}}},
        client.transact_write_items: {"TransactItems": [{"Put": {**table, "Item": item}}]},
        client.transact_get_items: {"TransactItems": [{"Get": {**table, "Key": key}}]},
    }
    for call, arguments in unreadable.items():
        assert refusal_code(call, **arguments) == "ResourceNotFoundException", call
    ttl = {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "expires"}}
    assert refusal_code(client.delete_table, **table) == "ResourceInUseException"
    assert refusal_code(client.update_table, **table, DeletionProtectionEnabled=True) == "ResourceInUseException"
    assert refusal_code(client.update_time_to_live, **table, **ttl) == "ResourceInUseException"
    assert refusal_code(client.create_backup, **table, BackupName="too-early") == "TableInUseException"
    on = {"PointInTimeRecoverySpecification": ON}
    assert refusal_code(client.update_continuous_backups, **table, **on) == "ContinuousBackupsUnavailableException"
    wait_until_active(ground, client, "rescued")
    assert contents(client, "rescued") == {"a": "1"}


def test_twin_on_plain_moto_a_restored_table_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        recoverable_table(client)
        put(client, "a", 1)
        ground.sleep(600)
        client.restore_table_to_point_in_time(
            SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
        )
        assert contents(client, "rescued") == {"a": "1"}


def test_what_becomes_of_the_source_meanwhile_does_not_matter(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )
    put(client, "a", "later")
    put(client, "b", "later")
    client.delete_table(TableName="orders")
    wait_until_active(ground, client, "rescued")
    assert contents(client, "rescued") == {"a": "1"}


def test_a_restored_table_goes_its_own_way_and_can_be_restored_itself(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    put(client, "a", 1)
    ground.sleep(600)
    assert restored(ground, client, ground.now() - MINUTES_5, "second") == {"a": "1"}
    client.update_continuous_backups(TableName="second", PointInTimeRecoverySpecification=ON)
    put(client, "a", 2, table="second")
    ground.sleep(60)
    moment = ground.now()
    ground.sleep(1)
    client.delete_item(TableName="second", Key={"id": {"S": "a"}})
    ground.sleep(600)
    assert restored(ground, client, moment, "third", source="second") == {"a": "2"}
    assert contents(client, "orders") == {"a": "1"}


def test_an_outage_of_the_region_holds_a_restore(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )
    assert ground.aws is not None
    took = ground.aws.durations[-1].seconds
    ground.sleep(took / 2)
    with ground.aws.region_down("eu-west-1"):
        ground.sleep(10 * took)
    assert status(client, "rescued") == "CREATING"
    ground.sleep(took / 2 - 1)
    assert status(client, "rescued") == "CREATING"
    ground.sleep(2)
    assert status(client, "rescued") == "ACTIVE"


def test_a_closed_account_holds_its_restores(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )
    assert ground.aws is not None
    ground.aws.close_account(ACCOUNT)
    ground.sleep(86400)
    ground.aws.reopen_account(ACCOUNT)
    assert status(client, "rescued") == "CREATING"
    wait_until_active(ground, client, "rescued")


# --- Where to


def test_a_restore_into_another_region_is_asked_for_there(ground: Ground) -> None:
    here, there = ground.client(), ground.client("eu-central-1")
    arn = recoverable_table(here)["TableArn"]
    put(here, "a", 1)
    ground.sleep(600)
    call = {"TargetTableName": "rescued", "UseLatestRestorableTime": True}
    assert refusal_code(there.restore_table_to_point_in_time, SourceTableName="orders", **call) == (
        "TableNotFoundException"
    )
    there.restore_table_to_point_in_time(SourceTableArn=arn, **call)
    assert ground.aws is not None
    assert ground.aws.durations[-1].operation == "dynamodb.restore_cross_region"
    wait_until_active(ground, there, "rescued")
    assert contents(there, "rescued") == {"a": "1"}
    assert there.describe_table(TableName="rescued")["Table"]["TableArn"].split(":")[3] == "eu-central-1"
    assert here.list_tables()["TableNames"] == ["orders"]


def test_a_region_that_is_down_can_be_restored_from_neither_before_nor_during(ground: Ground) -> None:
    here, there = ground.client(), ground.client("eu-central-1")
    arn = recoverable_table(here)["TableArn"]
    put(here, "a", 1)
    ground.sleep(600)
    call = {"SourceTableArn": arn, "TargetTableName": "rescued", "UseLatestRestorableTime": True}
    assert ground.aws is not None
    with ground.aws.region_down("eu-west-1"):
        assert refusal_code(there.restore_table_to_point_in_time, **call) == "InternalServerError"
    there.restore_table_to_point_in_time(**call)
    with ground.aws.region_down("eu-west-1"):
        ground.sleep(86400)
        assert status(there, "rescued") == "CREATING"
    wait_until_active(ground, there, "rescued")
    assert contents(there, "rescued") == {"a": "1"}


def test_another_accounts_table_cannot_be_restored(ground: Ground) -> None:
    arn = recoverable_table(ground.client())["TableArn"]
    ground.sleep(600)
    assert ground.aws is not None
    other = ground.aws.session("222233334444", region="eu-west-1").client("dynamodb")
    call = {"SourceTableArn": arn, "TargetTableName": "stolen", "UseLatestRestorableTime": True}
    assert refusal_code(other.restore_table_to_point_in_time, **call) == "AccessDeniedException"
    assert other.list_tables()["TableNames"] == []


# --- What comes back and what does not


def test_indexes_billing_and_encryption_come_back(ground: Ground) -> None:
    client = ground.client()
    throughput = {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
    indexed = {**KEYS, "GlobalSecondaryIndexes": [{**BY_CITY, **throughput}, {**BY_AGE, **throughput}]}
    recoverable_table(client, **{**indexed, **PROVISIONED}, SSESpecification={"Enabled": True, "SSEType": "KMS"})
    for line in ("1", "2.0"):
        client.put_item(
            TableName="orders", Item={"id": {"S": "a"}, "line": {"N": line}, "city": {"S": "Bern"}, "day": {"S": line}}
        )
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )
    wait_until_active(ground, client, "rescued")
    before = client.describe_table(TableName="orders")["Table"]
    after = client.describe_table(TableName="rescued")["Table"]
    same = ("KeySchema", "BillingModeSummary", "SSEDescription", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    for part in (*same, "ProvisionedThroughput", "ItemCount"):
        assert after[part] == before[part], part
    in_bern = {
        "IndexName": "by_city",
        "KeyConditionExpression": "city = :city",
        "ExpressionAttributeValues": {":city": {"S": "Bern"}},
    }
    found = client.query(TableName="rescued", **in_bern)["Items"]
    assert len(found) == 2
    assert found == client.query(TableName="orders", **in_bern)["Items"]


def test_twin_plain_moto_loses_billing_and_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        recoverable_table(client, SSESpecification={"Enabled": True, "SSEType": "KMS"})
        client.restore_table_to_point_in_time(
            SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
        )
        after = client.describe_table(TableName="rescued")["Table"]
        assert after["BillingModeSummary"].get("BillingMode") != "PAY_PER_REQUEST"
        assert "SSEDescription" not in after


def test_the_settings_are_those_of_the_time_of_the_call(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    ground.sleep(600)
    moment = ground.now()
    ground.sleep(600)
    client.update_table(
        TableName="orders",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8},
    )
    restored(ground, client, moment, "rescued")
    table = client.describe_table(TableName="rescued")["Table"]
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 7


def test_overrides(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client, **KEYS)
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders",
        TargetTableName="rescued",
        UseLatestRestorableTime=True,
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride={"ReadCapacityUnits": 5, "WriteCapacityUnits": 6},
        GlobalSecondaryIndexOverride=[
            {**BY_AGE, "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
        ],
        LocalSecondaryIndexOverride=[],
        SSESpecificationOverride={"Enabled": True, "SSEType": "KMS"},
    )
    wait_until_active(ground, client, "rescued")
    table = client.describe_table(TableName="rescued")["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by_age"]
    assert table.get("LocalSecondaryIndexes", []) == []
    assert {one["AttributeName"] for one in table["AttributeDefinitions"]} == {"id", "line", "age"}
    assert table["SSEDescription"]["Status"] == "ENABLED"


def test_overrides_that_do_not_fit_are_refused(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client, **KEYS)
    ground.sleep(600)
    call = {"SourceTableName": "orders", "TargetTableName": "rescued", "UseLatestRestorableTime": True}
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    invented = {**BY_AGE, "IndexName": "by_name"}
    changed = {**BY_AGE, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    for wrong in (
        {"GlobalSecondaryIndexOverride": [invented]},
        {"GlobalSecondaryIndexOverride": [changed]},
        {"LocalSecondaryIndexOverride": [{**BY_DAY, "IndexName": "other"}]},
        {"ProvisionedThroughputOverride": throughput},
        {"BillingModeOverride": "PROVISIONED"},
    ):
        assert refusal_code(client.restore_table_to_point_in_time, **call, **wrong) == "ValidationException", wrong
    assert client.list_tables()["TableNames"] == ["orders"]


def test_leaving_indexes_out_is_quicker(ground: Ground) -> None:
    client = ground.client()
    arn = recoverable_table(client, **KEYS)["TableArn"]
    assert ground.aws is not None
    ground.aws.reckon(arn, size_gb=50, items=10_000_000)
    ground.sleep(600)
    call = {"SourceTableName": "orders", "UseLatestRestorableTime": True}
    client.restore_table_to_point_in_time(**call, TargetTableName="with-indexes")
    client.restore_table_to_point_in_time(**call, TargetTableName="without", GlobalSecondaryIndexOverride=[])
    slow, quick = ground.aws.durations[-2:]
    assert quick.seconds < slow.seconds


def test_what_is_not_restored(ground: Ground) -> None:
    client = ground.client()
    arn = recoverable_table(
        client,
        Tags=[{"Key": "team", "Value": "shop"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        DeletionProtectionEnabled=True,
    )["TableArn"]
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    policy = '{"Version": "2012-10-17", "Statement": []}'
    client.put_resource_policy(ResourceArn=arn, Policy=policy)
    scaling = ground.client(service="application-autoscaling")
    scaling.register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId="table/orders",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        MinCapacity=1,
        MaxCapacity=9,
    )
    ground.sleep(600)
    client.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
    )
    wait_until_active(ground, client, "rescued")
    table = client.describe_table(TableName="rescued")["Table"]
    assert client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"] == []
    assert "LatestStreamArn" not in table
    assert "StreamSpecification" not in table
    assert not table["DeletionProtectionEnabled"]
    ttl = client.describe_time_to_live(TableName="rescued")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "DISABLED"}
    assert window(client, "rescued") == {"PointInTimeRecoveryStatus": "DISABLED"}
    assert refusal_code(client.get_resource_policy, ResourceArn=table["TableArn"]) == "PolicyNotFoundException"
    targets = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
    assert [target["ResourceId"] for target in targets] == ["table/orders"]


def test_history_and_restores_share_the_tables_bytes(ground: Ground) -> None:
    """About 400 bytes an item: all of stream, history, time to live, a backup and a restore stay under 3 KB each."""
    client = ground.client()
    recoverable_table(client, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    items, expires = 3000, str(int(ground.now().timestamp()) + 10**6)
    tracemalloc.start()
    try:
        for start in range(0, items, 25):
            requests = [
                {
                    "PutRequest": {
                        "Item": {"id": {"S": f"key-{n}"}, "value": {"S": "x" * 330}, "expires": {"N": expires}}
                    }
                }
                for n in range(start, start + 25)
            ]
            client.batch_write_item(RequestItems={"orders": requests})
        client.create_backup(TableName="orders", BackupName="nightly")
        ground.sleep(600)
        client.restore_table_to_point_in_time(
            SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
        )
        ground.sleep(7200)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert client.describe_table(TableName="rescued")["Table"]["ItemCount"] == items
    assert held / items <= 3072


def test_the_same_seed_gives_the_same_restored_table() -> None:
    def restore() -> list[Any]:
        with simulated(durations="drawn") as ground:
            client = ground.client()
            recoverable_table(client)
            put(client, "a", 1)
            ground.sleep(600)
            client.restore_table_to_point_in_time(
                SourceTableName="orders", TargetTableName="rescued", UseLatestRestorableTime=True
            )
            backup = client.create_backup(TableName="orders", BackupName="nightly")["BackupDetails"]["BackupArn"]
            wait_until_active(ground, client, "rescued")
            return [client.describe_table(TableName="rescued")["Table"], backup, ground.now()]

    assert restore() == restore()
