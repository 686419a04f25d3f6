"""Global tables through plain boto3 clients: one client for each region."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from drills.errors import SimulatorError
from tests.simulator.dynamodb.ground import (
    ACCOUNT,
    ON,
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
)

HOME, AWAY, THIRD = "eu-west-1", "eu-north-1", "us-east-1"
DAY = 24 * 3600
BY_VALUE = {
    "IndexName": "by_value",
    "KeySchema": [{"AttributeName": "value", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
VALUE_IS_TEXT = {"AttributeName": "value", "AttributeType": "S"}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


@pytest.fixture
def home(ground: Ground) -> Any:
    return ground.client(HOME)


@pytest.fixture
def away(ground: Ground) -> Any:
    return ground.client(AWAY)


def create(region: str, **more: Any) -> dict[str, Any]:
    return {"TableName": "orders", "ReplicaUpdates": [{"Create": {"RegionName": region, **more}}]}


def delete(region: str) -> dict[str, Any]:
    return {"TableName": "orders", "ReplicaUpdates": [{"Delete": {"RegionName": region}}]}


def replicated(ground: Ground, *regions: str, **settings: Any) -> None:
    """A global table of the home region and these, ready."""
    home = ground.client(HOME)
    make_table(home, **settings)
    for region in regions or (AWAY,):
        home.update_table(**create(region))
        wait_until_active(ground, home, "orders")


def described(client: Any) -> dict[str, Any]:
    table: dict[str, Any] = client.describe_table(TableName="orders")["Table"]
    return table


def replicas(client: Any) -> dict[str, str]:
    return {one["RegionName"]: one["ReplicaStatus"] for one in described(client).get("Replicas", [])}


def stream_records(ground: Ground, region: str) -> list[dict[str, Any]]:
    """All records of the table's stream in a region, in the order of their sequence numbers."""
    streams = ground.client(region, "dynamodbstreams")
    arn = described(ground.client(region))["LatestStreamArn"]
    records: list[dict[str, Any]] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records += streams.get_records(ShardIterator=iterator)["Records"]
    return sorted(records, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))


# --- Creating a replica


def test_a_replica_holds_what_was_there_and_what_was_written_meanwhile(ground: Ground, home: Any, away: Any) -> None:
    make_table(home)
    put(home, "before", "1")
    put(home, "changed", "old")
    put(home, "deleted", "1")
    home.update_table(**create(AWAY))
    assert (status(home, "orders"), status(away, "orders")) == ("UPDATING", "CREATING")
    assert replicas(home) == {AWAY: "CREATING"}
    put(home, "meanwhile", "2")
    put(home, "changed", "new")
    home.delete_item(TableName="orders", Key={"id": {"S": "deleted"}})
    wait_until_active(ground, away, "orders")
    assert contents(away, "orders") == {"before": "1", "changed": "new", "meanwhile": "2"}
    assert status(home, "orders") == "ACTIVE"


def test_plain_moto_ignores_replica_updates_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        home = ground.client(HOME)
        make_table(home)
        home.update_table(**create(AWAY))
        put(home, "a")
        ground.sleep(DAY)
        assert "Replicas" not in described(home)
        assert ground.client(AWAY).list_tables()["TableNames"] == []


def test_creation_takes_the_modelled_time(ground: Ground, home: Any, away: Any) -> None:
    make_table(home)
    home.update_table(**create(AWAY))
    assert ground.aws is not None
    (modelled,) = (one for one in ground.aws.durations if one.operation == "dynamodb.replica_creation")
    assert modelled.resource == f"arn:aws:dynamodb:{AWAY}:{ACCOUNT}:table/orders"
    ground.sleep(modelled.seconds - 1)
    assert replicas(home) == {AWAY: "CREATING"}
    ground.sleep(1)
    assert replicas(home) == {AWAY: "ACTIVE"}
    assert replicas(away) == {HOME: "ACTIVE"}


def test_a_replica_of_a_reckoned_table_is_reckoned_as_big(ground: Ground, home: Any) -> None:
    arn = make_table(home)["TableArn"]
    assert ground.aws is not None
    ground.aws.reckon(arn, size_gb=1000, items=10**9)
    home.update_table(**create(AWAY))
    assert ground.aws.durations[-1].p50_seconds == pytest.approx(47 * 60)


def test_both_members_say_that_they_are_of_the_current_version(ground: Ground, home: Any, away: Any) -> None:
    make_table(home)
    assert "GlobalTableVersion" not in described(home)
    home.update_table(**create(AWAY))
    wait_until_active(ground, home, "orders")
    for client, other in ((home, AWAY), (away, HOME)):
        assert described(client)["GlobalTableVersion"] == "2019.11.21"
        (replica,) = described(client)["Replicas"]
        assert replica["ReplicaArn"] == f"arn:aws:dynamodb:{other}:{ACCOUNT}:table/orders"


def test_the_streams_that_replication_needs_are_switched_on(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert described(home)["StreamSpecification"] == wanted
    assert described(away)["StreamSpecification"] == wanted
    assert described(home)["LatestStreamArn"] != described(away)["LatestStreamArn"]
    off = {"TableName": "orders", "StreamSpecification": {"StreamEnabled": False}}
    for client in (home, away):
        code, message = refusal(client.update_table, **off)
        assert code == "ValidationException"
        assert "Disabling Stream is not allowed for a Global Table replica" in message


def test_a_stream_of_another_kind_stands_in_the_way(ground: Ground, home: Any) -> None:
    make_table(home, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    code, message = refusal(home.update_table, **create(AWAY))
    assert code == "ValidationException"
    assert "NEW_AND_OLD_IMAGES" in message
    assert "KEYS_ONLY" in message


def test_settings_that_a_replica_has_from_the_start_and_those_that_are_its_own(
    ground: Ground, home: Any, away: Any
) -> None:
    recoverable_table(
        home,
        GlobalSecondaryIndexes=[BY_VALUE],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, VALUE_IS_TEXT],
        Tags=[{"Key": "team", "Value": "checkout"}],
        DeletionProtectionEnabled=True,
    )
    home.update_time_to_live(TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    home.update_table(**create(AWAY))
    wait_until_active(ground, home, "orders")
    replica = described(away)
    assert [index["IndexName"] for index in replica["GlobalSecondaryIndexes"]] == ["by_value"]
    assert replica["KeySchema"] == described(home)["KeySchema"]
    assert replica["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert not replica["DeletionProtectionEnabled"]
    assert away.list_tags_of_resource(ResourceArn=replica["TableArn"])["Tags"] == []
    recovery = away.describe_continuous_backups(TableName="orders")["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    ttl = away.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


# --- What is refused


def test_wrong_replica_updates_are_refused(ground: Ground, home: Any, away: Any) -> None:
    make_table(home)
    code, message = refusal(home.update_table, **create(HOME))
    assert (code, message[:44]) == ("ValidationException", "Cannot add, delete, or update the local regi")
    code, message = refusal(home.update_table, **delete(AWAY))
    assert (code, message[-14:]) == ("ValidationException", "was not found.")
    assert refusal_code(home.update_table, **create("mars-north-1")) == "ValidationException"
    make_table(away)
    code, message = refusal(home.update_table, **create(AWAY))
    assert code == "ValidationException"
    assert message.endswith("because one or more replicas already existed as tables.")
    assert "Replicas" not in described(home)


def test_one_thing_at_a_time(ground: Ground, home: Any) -> None:
    make_table(home)
    two = [{"Create": {"RegionName": AWAY}}, {"Create": {"RegionName": THIRD}}]
    assert refusal_code(home.update_table, TableName="orders", ReplicaUpdates=two) == "ValidationException"
    both = {**create(AWAY), "DeletionProtectionEnabled": True}
    assert refusal_code(home.update_table, **both) == "ValidationException"
    home.update_table(**create(AWAY))
    assert refusal_code(home.update_table, **create(THIRD)) == "ResourceInUseException"
    assert refusal_code(home.delete_table, TableName="orders") == "ResourceInUseException"
    assert refusal_code(ground.client(AWAY).delete_table, TableName="orders") == "ResourceInUseException"


def test_a_provisioned_table_must_scale_by_itself(ground: Ground, home: Any, away: Any) -> None:
    units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 2}
    make_table(home, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    code, message = refusal(home.update_table, **create(AWAY))
    assert (code, message) == (
        "ValidationException",
        "Table write capacity should either be Pay-Per-Request or AutoScaled.",
    )
    ground.client(HOME, "application-autoscaling").register_scalable_target(
        ServiceNamespace="dynamodb",
        ResourceId="table/orders",
        ScalableDimension="dynamodb:table:WriteCapacityUnits",
        MinCapacity=2,
        MaxCapacity=100,
    )
    home.update_table(**create(AWAY, ProvisionedThroughputOverride={"ReadCapacityUnits": 9}))
    wait_until_active(ground, home, "orders")
    throughput = described(away)["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (9, 2)
    (replica,) = described(home)["Replicas"]
    assert replica["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 9}
    change = {"RegionName": AWAY, "ProvisionedThroughputOverride": {"ReadCapacityUnits": 11}}
    home.update_table(TableName="orders", ReplicaUpdates=[{"Update": change}])
    assert described(away)["ProvisionedThroughput"]["ReadCapacityUnits"] == 11


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({**create(AWAY), "MultiRegionConsistency": "STRONG"}, "MultiRegionConsistency='STRONG'"),
        ({"TableName": "orders", "GlobalTableWitnessUpdates": [{"Create": {"RegionName": THIRD}}]}, "witnesses"),
        ({"TableName": "orders", "GlobalTableSettingsReplicationMode": "ENABLED"}, "across accounts"),
        ({"TableName": "orders", "ReplicaUpdates": [{"Disassociate": {"RegionName": AWAY}}]}, "Disassociate"),
    ],
)
def test_what_cannot_be_simulated_fails_loudly(
    ground: Ground, home: Any, parameters: dict[str, Any], named: str
) -> None:
    make_table(home)
    with pytest.raises(SimulatorError) as caught:
        ground.unchecked_client(HOME).update_table(**parameters)
    assert named in str(caught.value)
    assert "orders" in str(caught.value)
    assert "Expected" in str(caught.value)
    assert "Replicas" not in described(home)


def test_eventual_consistency_may_be_asked_for_by_name(ground: Ground, home: Any) -> None:
    make_table(home)
    home.update_table(**create(AWAY), MultiRegionConsistency="EVENTUAL")
    wait_until_active(ground, home, "orders")
    assert replicas(home) == {AWAY: "ACTIVE"}


def test_the_older_version_and_tables_across_accounts_fail_loudly(ground: Ground, home: Any) -> None:
    with pytest.raises(SimulatorError, match="2017"):
        home.create_global_table(GlobalTableName="orders", ReplicationGroup=[{"RegionName": HOME}])
    assert home.list_global_tables()["GlobalTables"] == []
    assert refusal_code(home.describe_global_table, GlobalTableName="orders") == "GlobalTableNotFoundException"
    with pytest.raises(SimulatorError, match="across accounts"):
        make_table(
            ground.unchecked_client(HOME), GlobalTableSourceArn=f"arn:aws:dynamodb:{AWAY}:222222222222:table/orders"
        )


# --- Replication


def test_changes_go_both_ways_after_the_lag(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    put(home, "a", "1")
    put(away, "b", "2")
    assert (contents(home, "orders"), contents(away, "orders")) == ({"a": "1"}, {"b": "2"})
    ground.sleep(0.79)
    assert contents(away, "orders") == {"b": "2"}
    ground.sleep(0.01)
    assert contents(home, "orders") == contents(away, "orders") == {"a": "1", "b": "2"}
    home.delete_item(TableName="orders", Key={"id": {"S": "b"}})
    away.update_item(
        TableName="orders",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET #v = :v",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"S": "3"}},
    )
    ground.sleep(1)
    assert contents(home, "orders") == contents(away, "orders") == {"a": "3"}


def test_a_replicated_change_is_in_the_replicas_stream_and_goes_no_further(
    ground: Ground, home: Any, away: Any
) -> None:
    replicated(ground)
    put(home, "a", "1")
    put(home, "a", "2")
    home.delete_item(TableName="orders", Key={"id": {"S": "a"}})
    ground.sleep(60)
    for region in (HOME, AWAY):
        assert [one["eventName"] for one in stream_records(ground, region)] == ["INSERT", "MODIFY", "REMOVE"]


def test_three_regions(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground, AWAY, THIRD)
    third = ground.client(THIRD)
    assert replicas(third) == {HOME: "ACTIVE", AWAY: "ACTIVE"}
    put(home, "a", "1")
    put(away, "b", "2")
    put(third, "c", "3")
    ground.sleep(1)
    for region in (HOME, AWAY, THIRD):
        assert contents(ground.client(region), "orders") == {"a": "1", "b": "2", "c": "3"}
        assert len(stream_records(ground, region)) == 3


def test_the_later_write_wins_whichever_arrives_first(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    put(home, "a", "earlier")
    ground.sleep(0.3)
    put(away, "a", "later")
    ground.sleep(5)
    assert contents(home, "orders") == contents(away, "orders") == {"a": "later"}
    put(away, "a", "written")
    ground.sleep(0.3)
    home.delete_item(TableName="orders", Key={"id": {"S": "a"}})
    ground.sleep(5)
    assert contents(home, "orders") == contents(away, "orders") == {}


def test_writes_of_the_same_moment_end_the_same_everywhere(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    put(home, "a", "home")
    put(away, "a", "away")
    ground.sleep(5)
    assert contents(home, "orders") == contents(away, "orders")


def test_writes_of_one_item_arrive_in_order_though_lags_are_drawn() -> None:
    with simulated(durations="drawn") as ground:
        replicated(ground)
        home, away = ground.client(HOME), ground.client(AWAY)
        for number in range(40):
            put(home, "a", number)
            ground.sleep(0.1)
        ground.sleep(60)
        seen = [one["dynamodb"]["NewImage"]["value"]["S"] for one in stream_records(ground, AWAY)]
        assert seen == [str(number) for number in range(40)]
        assert contents(away, "orders") == {"a": "39"}


def test_a_transaction_may_arrive_split() -> None:
    with simulated(durations="drawn") as ground:
        replicated(ground)
        home, away = ground.client(HOME), ground.client(AWAY)
        items = [{"Put": {"TableName": "orders", "Item": {"id": {"S": str(number)}}}} for number in range(20)]
        home.transact_write_items(TransactItems=items)
        seen = set()
        for _ in range(300):
            ground.sleep(0.05)
            seen.add(len(contents(away, "orders")))
        assert seen - {0, 20}
        assert len(contents(away, "orders")) == 20


def test_a_failed_transaction_does_not_replicate(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    ok = {"Put": {"TableName": "orders", "Item": {"id": {"S": "a"}}}}
    refused = {
        "Put": {
            "TableName": "orders",
            "Item": {"id": {"S": "b"}},
            "ConditionExpression": "attribute_exists(id)",
        }
    }
    assert refusal_code(home.transact_write_items, TransactItems=[ok, refused]) == "TransactionCanceledException"
    ground.sleep(60)
    assert contents(away, "orders") == {}


def test_an_expired_items_deletion_is_an_ordinary_one_in_the_other_region(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    home.update_time_to_live(TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    soon = str(int(ground.now().timestamp()) + 60)
    put(home, "a", "1", expires={"N": soon})
    ground.sleep(3 * 3600)
    assert contents(home, "orders") == contents(away, "orders") == {}
    here, there = (stream_records(ground, region)[-1] for region in (HOME, AWAY))
    assert (here["eventName"], there["eventName"]) == ("REMOVE", "REMOVE")
    assert here["userIdentity"]["PrincipalId"] == "dynamodb.amazonaws.com"
    assert "userIdentity" not in there
    assert len(stream_records(ground, AWAY)) == 2


def test_point_in_time_recovery_of_a_replica_knows_what_replicated(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    away.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=ON)
    put(home, "a", "kept")
    ground.sleep(60)
    before = ground.now()
    home.delete_item(TableName="orders", Key={"id": {"S": "a"}})
    ground.sleep(3600)
    assert contents(away, "orders") == {}
    assert restored(ground, away, before, "again") == {"a": "kept"}
    assert "Replicas" not in away.describe_table(TableName="again")["Table"]
    put(away, "b", table="again")
    ground.sleep(60)
    assert home.list_tables()["TableNames"] == ["orders"]


# --- Settings


def test_settings_that_members_share_follow_from_either_side(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    put(home, "a", "1")
    ground.sleep(1)
    away.update_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, VALUE_IS_TEXT],
        GlobalSecondaryIndexUpdates=[{"Create": BY_VALUE}],
    )
    found = home.query(
        TableName="orders",
        IndexName="by_value",
        KeyConditionExpression="#v = :v",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"S": "1"}},
    )
    assert found["Count"] == 1
    home.update_time_to_live(TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    assert away.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]["AttributeName"] == "expires"
    home.update_table(TableName="orders", DeletionProtectionEnabled=True)
    assert not described(away)["DeletionProtectionEnabled"]


def test_billing_follows(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    away.update_table(
        TableName="orders",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 5},
    )
    assert described(home)["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert described(home)["ProvisionedThroughput"]["WriteCapacityUnits"] == 5


def test_each_replica_is_encrypted_with_a_key_of_its_region(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground, SSESpecification={"Enabled": True})
    assert f":kms:{HOME}:" in described(home)["SSEDescription"]["KMSMasterKeyArn"]
    assert f":kms:{AWAY}:" in described(away)["SSEDescription"]["KMSMasterKeyArn"]
    home.update_table(TableName="orders", SSESpecification={"Enabled": False})
    assert "SSEDescription" not in described(away)
    away.update_table(TableName="orders", SSESpecification={"Enabled": True})
    assert f":kms:{HOME}:" in described(home)["SSEDescription"]["KMSMasterKeyArn"]


def test_settings_changed_during_an_outage_follow_after_it(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    assert ground.aws is not None
    with ground.aws.region_down(HOME):
        away.update_time_to_live(
            TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
    assert home.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


# --- Outage and the account's end


def test_what_was_in_flight_from_a_region_that_fails_comes_when_it_is_back(
    ground: Ground, home: Any, away: Any
) -> None:
    replicated(ground)
    assert ground.aws is not None
    put(home, "arrived", "1")
    ground.sleep(1)
    put(home, "in flight", "1")
    ground.sleep(0.5)
    with ground.aws.region_down(HOME):
        with pytest.raises(EndpointConnectionError):
            home.describe_table(TableName="orders")
        ground.sleep(4 * 3600)
        assert contents(away, "orders") == {"arrived": "1"}
        put(away, "during", "2")
    ground.sleep(0.5)
    assert "in flight" not in contents(away, "orders")
    ground.sleep(0.5)
    assert contents(home, "orders") == contents(away, "orders") == {"arrived": "1", "in flight": "1", "during": "2"}


def test_a_write_that_an_outage_held_back_loses_against_a_later_one(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    assert ground.aws is not None
    put(home, "a", "in flight")
    put(home, "b", "in flight")
    with ground.aws.region_down(HOME):
        ground.sleep(3600)
        put(away, "a", "during")
        put(away, "b", "during")
        away.delete_item(TableName="orders", Key={"id": {"S": "b"}})
    ground.sleep(5)
    assert contents(home, "orders") == contents(away, "orders") == {"a": "during"}


def test_writes_queue_up_for_a_region_that_is_down(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground, AWAY, THIRD)
    assert ground.aws is not None
    with ground.aws.region_down(AWAY):
        for number in range(50):
            put(home, str(number), number)
            ground.sleep(10)
        assert len(contents(ground.client(THIRD), "orders")) == 50
    assert contents(away, "orders") == {}
    ground.sleep(1)
    assert contents(away, "orders") == contents(home, "orders")


def test_a_replica_that_joins_during_an_outage_gets_what_the_outage_holds_back(
    ground: Ground, home: Any, away: Any
) -> None:
    replicated(ground)
    assert ground.aws is not None
    put(away, "held", "1")
    put(away, "overtaken", "1")
    with ground.aws.region_down(AWAY):
        ground.sleep(60)
        put(home, "overtaken", "2")
        home.update_table(**create(THIRD))
        wait_until_active(ground, home, "orders")
        assert contents(ground.client(THIRD), "orders") == {"overtaken": "2"}
    ground.sleep(5)
    for region in (HOME, AWAY, THIRD):
        assert contents(ground.client(region), "orders") == {"held": "1", "overtaken": "2"}


def test_an_outage_holds_the_creation_of_a_replica(ground: Ground, home: Any, away: Any) -> None:
    make_table(home)
    put(home, "a", "1")
    home.update_table(**create(AWAY))
    assert ground.aws is not None
    with ground.aws.region_down(HOME):
        ground.sleep(DAY)
        assert status(away, "orders") == "CREATING"
    wait_until_active(ground, away, "orders")
    assert contents(away, "orders") == {"a": "1"}


def test_replicas_in_a_region_that_is_down_can_neither_come_nor_go(ground: Ground, home: Any) -> None:
    replicated(ground)
    assert ground.aws is not None
    with ground.aws.region_down(AWAY), ground.aws.region_down(THIRD):
        assert refusal_code(home.update_table, **delete(AWAY)) == "InternalServerError"
        assert refusal_code(home.update_table, **create(THIRD)) == "InternalServerError"


def test_a_closed_account_ends_replication(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    assert ground.aws is not None
    put(home, "a", "1")
    ground.aws.close_account(ACCOUNT)
    ground.sleep(DAY)
    assert refusal_code(away.scan, TableName="orders") == "UnrecognizedClientException"
    ground.aws.reopen_account(ACCOUNT)
    assert contents(away, "orders") == {}
    ground.sleep(1)
    assert contents(away, "orders") == {"a": "1"}


# --- Deleting


def test_a_replica_is_deleted_through_the_other_member(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    put(away, "last", "1")
    home.update_table(**delete(AWAY))
    assert away.list_tables()["TableNames"] == []
    assert "Replicas" not in described(home)
    assert "GlobalTableVersion" not in described(home)
    ground.sleep(1)
    assert contents(home, "orders") == {"last": "1"}
    home.update_table(TableName="orders", StreamSpecification={"StreamEnabled": False})
    home.delete_table(TableName="orders")


def test_a_replica_is_deleted_like_any_table(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground, AWAY, THIRD)
    away.delete_table(TableName="orders")
    assert replicas(home) == {THIRD: "ACTIVE"}
    put(home, "a", "1")
    ground.sleep(1)
    assert contents(ground.client(THIRD), "orders") == {"a": "1"}
    assert away.list_tables()["TableNames"] == []


def test_deletion_protection_of_a_replica_holds(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    away.update_table(TableName="orders", DeletionProtectionEnabled=True)
    assert refusal_code(home.update_table, **delete(AWAY)) == "ValidationException"
    assert replicas(home) == {AWAY: "ACTIVE"}


def test_the_table_that_replicas_were_made_from_cannot_be_deleted_for_a_day(
    ground: Ground, home: Any, away: Any
) -> None:
    replicated(ground)
    for code, message in (
        refusal(home.delete_table, TableName="orders"),
        refusal(away.update_table, **delete(HOME)),
    ):
        assert code == "ValidationException"
        assert "acted as a source region for new replica(s)" in message
    ground.sleep(DAY)
    home.delete_table(TableName="orders")


def test_the_home_table_goes_and_the_others_stand(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground, AWAY, THIRD)
    third = ground.client(THIRD)
    put(home, "a", "1")
    ground.sleep(timedelta(days=1).total_seconds())
    home.delete_table(TableName="orders")
    put(away, "b", "2")
    ground.sleep(1)
    assert contents(away, "orders") == contents(third, "orders") == {"a": "1", "b": "2"}
    assert replicas(away) == {THIRD: "ACTIVE"}
    away.update_table(**create(HOME))
    wait_until_active(ground, away, "orders")
    assert contents(home, "orders") == {"a": "1", "b": "2"}


def test_a_table_made_anew_under_the_name_is_no_member(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    ground.sleep(DAY)
    home.delete_table(TableName="orders")
    make_table(home)
    put(home, "a", "1")
    put(away, "b", "2")
    ground.sleep(60)
    assert (contents(home, "orders"), contents(away, "orders")) == ({"a": "1"}, {"b": "2"})
    assert "Replicas" not in described(home)


def test_erases_replicate_so_a_replica_is_no_backup(ground: Ground, home: Any, away: Any) -> None:
    replicated(ground)
    for number in range(30):
        put(home, str(number), number)
    ground.sleep(60)
    assert len(contents(away, "orders")) == 30
    for number in range(30):
        home.delete_item(TableName="orders", Key={"id": {"S": str(number)}})
    ground.sleep(60)
    assert contents(away, "orders") == {}


def test_a_replica_may_stand_for_one_that_is_older_than_a_day() -> None:
    with simulated(replica_source_kept_seconds=0) as ground:
        replicated(ground)
        ground.client(HOME).delete_table(TableName="orders")
        assert status(ground.client(AWAY), "orders") == "ACTIVE"
