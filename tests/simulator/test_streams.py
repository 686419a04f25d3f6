"""DynamoDB Streams through plain boto3 clients; where plain moto is wrong, a twin says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from drills.simulator import SimulatedAWS
from drills.simulator.dynamodb import streams as simulated

ACCOUNT, REGION = "111111111111", "eu-west-1"
TABLE = "orders"
IMAGES = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


class Ground:
    """One table with a stream, and what its readers see."""

    def __init__(self, session: Any) -> None:
        self.dynamodb = session.client("dynamodb")
        self.streams = session.client("dynamodbstreams")
        self.arn = ""

    def make(self, name: str = TABLE, specification: dict[str, Any] | None = IMAGES, *, sorted_by: str = "") -> str:
        names = ["id", sorted_by] if sorted_by else ["id"]
        described = self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in zip(names, ("HASH", "RANGE"), strict=False)],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
            BillingMode="PAY_PER_REQUEST",
            **({"StreamSpecification": specification} if specification else {}),
        )["TableDescription"]
        self.dynamodb.get_waiter("table_exists").wait(TableName=name)
        self.arn = described.get("LatestStreamArn", "")
        return self.arn

    def put(self, key: str, value: str = "", **more: Any) -> None:
        self.dynamodb.put_item(TableName=TABLE, Item={"id": {"S": key}, "v": {"S": value}, **more})

    def delete(self, key: str) -> None:
        self.dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": key}})

    def switch(self, on: bool) -> str:
        described = self.dynamodb.update_table(
            TableName=TABLE, StreamSpecification=IMAGES if on else {"StreamEnabled": False}
        )["TableDescription"]
        self.arn = described.get("LatestStreamArn", self.arn)
        return self.arn

    def shards(self, arn: str = "", **paging: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        request: dict[str, Any] = {"StreamArn": arn or self.arn, **paging}
        while True:
            page = self.streams.describe_stream(**request)["StreamDescription"]
            found += page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return found
            request["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]

    def iterator(self, shard: str, kind: str = "TRIM_HORIZON", arn: str = "", **more: Any) -> str:
        answer = self.streams.get_shard_iterator(
            StreamArn=arn or self.arn, ShardId=shard, ShardIteratorType=kind, **more
        )
        return str(answer["ShardIterator"])

    def of_shard(self, shard: str, arn: str = "") -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        iterator: str | None = self.iterator(shard, arn=arn)
        while iterator:
            answer = self.streams.get_records(ShardIterator=iterator)
            records += answer["Records"]
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
        return records

    def records(self, arn: str = "") -> list[dict[str, Any]]:
        """All records of a stream, oldest first."""
        found = [record for shard in self.shards(arn) for record in self.of_shard(shard["ShardId"], arn)]
        return sorted(found, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))

    def events(self) -> list[tuple[str, str]]:
        return [(record["eventName"], record["dynamodb"]["Keys"]["id"]["S"]) for record in self.records()]


@pytest.fixture
def aws() -> Iterator[SimulatedAWS]:
    with SimulatedAWS(seed=3) as aws:
        yield aws


@pytest.fixture
def ground(aws: SimulatedAWS) -> Ground:
    return Ground(aws.session(ACCOUNT, REGION))


@pytest.fixture
def on_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """The same on plain moto, with the setting without which its streams cannot be reached at all."""
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield Ground(boto3.Session(region_name=REGION))


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


# --- One record per change


def test_each_change_is_one_record(ground: Ground) -> None:
    ground.make()
    ground.put("a", "1")
    ground.put("a", "2")
    ground.delete("a")
    assert ground.events() == [("INSERT", "a"), ("MODIFY", "a"), ("REMOVE", "a")]
    first, second, third = ground.records()
    assert first["dynamodb"]["NewImage"] == {"id": {"S": "a"}, "v": {"S": "1"}}
    assert "OldImage" not in first["dynamodb"]
    assert (second["dynamodb"]["OldImage"]["v"], second["dynamodb"]["NewImage"]["v"]) == ({"S": "1"}, {"S": "2"})
    assert "NewImage" not in third["dynamodb"]
    assert {record["awsRegion"] for record in ground.records()} == {REGION}
    assert {record["eventSource"] for record in ground.records()} == {"aws:dynamodb"}
    assert ground.arn.startswith(f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}/stream/")


def upsert(ground: Ground) -> None:
    ground.dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": "1"}},
    )


def test_an_upsert_is_one_insert(ground: Ground) -> None:
    ground.make()
    upsert(ground)
    assert ground.events() == [("INSERT", "a")]


def test_moto_tells_an_upsert_twice(on_moto: Ground) -> None:
    on_moto.make()
    upsert(on_moto)
    assert on_moto.events() == [("INSERT", "a"), ("INSERT", "a")]


def write_without_change(ground: Ground) -> None:
    ground.put("a", "1", n={"N": "1.0"}, s={"SS": ["a", "b"]})
    ground.put("a", "1", n={"N": "1"}, s={"SS": ["b", "a"]})
    ground.dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": "1"}},
    )
    ground.delete("never there")


def test_what_changes_nothing_is_silent(ground: Ground) -> None:
    ground.make()
    write_without_change(ground)
    assert ground.events() == [("INSERT", "a")]


def test_moto_tells_what_changes_nothing(on_moto: Ground) -> None:
    on_moto.make()
    write_without_change(on_moto)
    assert len(on_moto.events()) > 1


def fail_a_transaction(ground: Ground) -> None:
    with refused("TransactionCanceled"):
        ground.dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": TABLE, "Item": {"id": {"S": "b"}}}},
                {
                    "Put": {
                        "TableName": TABLE,
                        "Item": {"id": {"S": "a"}, "v": {"S": "2"}},
                        "ConditionExpression": "attribute_not_exists(id)",
                    }
                },
            ]
        )


def test_a_failed_transaction_is_silent_and_a_good_one_is_not(ground: Ground) -> None:
    ground.make()
    ground.put("a")
    fail_a_transaction(ground)
    assert ground.events() == [("INSERT", "a")]
    ground.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": TABLE, "Item": {"id": {"S": "b"}}}},
            {"Delete": {"TableName": TABLE, "Key": {"id": {"S": "a"}}}},
        ]
    )
    assert sorted(ground.events()) == [("INSERT", "a"), ("INSERT", "b"), ("REMOVE", "a")]


def test_moto_leaves_phantoms_of_a_failed_transaction(on_moto: Ground) -> None:
    on_moto.make()
    on_moto.put("a")
    (shard,) = on_moto.shards()
    reading = on_moto.iterator(shard["ShardId"])
    fail_a_transaction(on_moto)
    seen = on_moto.streams.get_records(ShardIterator=reading)["Records"]
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in seen] == ["a", "b"]


def test_a_batch_is_a_record_for_each_item(ground: Ground) -> None:
    ground.make()
    ground.put("gone")
    ground.dynamodb.batch_write_item(
        RequestItems={
            TABLE: [
                *({"PutRequest": {"Item": {"id": {"S": f"k{n}"}}}} for n in range(5)),
                {"DeleteRequest": {"Key": {"id": {"S": "gone"}}}},
            ]
        }
    )
    assert sorted(ground.events()) == sorted(
        [("INSERT", "gone"), ("REMOVE", "gone"), *(("INSERT", f"k{n}") for n in range(5))]
    )


def test_what_expires_is_removed_by_the_service(aws: SimulatedAWS, ground: Ground) -> None:
    ground.make()
    ground.dynamodb.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    aws.clock.sleep(3600)
    ground.put("expires", until={"N": str(int(aws.clock.now().timestamp()) + 60)})
    ground.put("deleted")
    ground.delete("deleted")
    aws.clock.sleep(2 * 86_400 - 3600 * 40)
    removed = {r["dynamodb"]["Keys"]["id"]["S"]: r for r in ground.records() if r["eventName"] == "REMOVE"}
    assert removed["expires"]["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert "userIdentity" not in removed["deleted"]


# --- View types, types


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_view_types(ground: Ground, view: str, images: set[str]) -> None:
    ground.make(specification={"StreamEnabled": True, "StreamViewType": view})
    ground.put("a", "1")
    ground.put("a", "2")
    record = ground.records()[1]["dynamodb"]
    assert record.keys() & {"NewImage", "OldImage"} == images
    assert record["StreamViewType"] == view
    assert record["Keys"] == {"id": {"S": "a"}}


def test_every_type_comes_through(ground: Ground) -> None:
    ground.make()
    item: dict[str, Any] = {
        "id": {"S": "a"},
        "n": {"N": "12345678901234567890123456789012345678"},
        "b": {"B": bytes(range(256))},
        "bs": {"BS": [b"\x00"]},
        "ns": {"NS": ["1.5"]},
        "m": {"M": {"l": {"L": [{"B": b"\xff"}, {"NULL": True}, {"S": ""}]}}},
        "u": {"S": "Zoë 🦊"},
    }
    ground.dynamodb.put_item(TableName=TABLE, Item=item)
    assert ground.records()[0]["dynamodb"]["NewImage"] == item


# --- Order, sequence numbers, shards


def test_sequence_numbers_rise_over_all_shards_and_streams(ground: Ground) -> None:
    ground.make()
    for n in range(40):
        ground.put(f"k{n}")
    first = [int(record["dynamodb"]["SequenceNumber"]) for record in ground.records()]
    assert len(set(first)) == 40
    ground.switch(False)
    ground.switch(True)
    ground.put("later")
    assert int(ground.records()[0]["dynamodb"]["SequenceNumber"]) > max(first)


def test_an_item_stays_in_one_shard_and_items_are_spread(ground: Ground) -> None:
    ground.make()
    for turn in range(3):
        for n in range(40):
            ground.put(f"k{n}", str(turn))
    by_shard = {
        shard["ShardId"]: [
            (r["dynamodb"]["Keys"]["id"]["S"], r["dynamodb"]["NewImage"]["v"]["S"])
            for r in ground.of_shard(shard["ShardId"])
        ]
        for shard in ground.shards()
    }
    assert sum(bool(records) for records in by_shard.values()) > 1
    for n in range(40):
        holding = [records for records in by_shard.values() if any(key == f"k{n}" for key, _ in records)]
        assert len(holding) == 1
        assert [value for key, value in holding[0] if key == f"k{n}"] == ["0", "1", "2"]


def test_shards_are_closed_and_continued(aws: SimulatedAWS, ground: Ground) -> None:
    ground.make()
    ground.put("a", "1")
    aws.clock.sleep(5 * 3600)
    ground.put("a", "2")
    shards = ground.shards()
    parents = {shard["ShardId"]: shard for shard in shards}
    children = [shard for shard in shards if "ParentShardId" in shard]
    assert children
    for child in children:
        parent = parents[child["ParentShardId"]]
        ending = int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
        assert ending < int(child["SequenceNumberRange"]["StartingSequenceNumber"])
        assert "EndingSequenceNumber" not in child["SequenceNumberRange"]
    of = {
        shard["ShardId"]: [r["dynamodb"]["NewImage"]["v"]["S"] for r in ground.of_shard(shard["ShardId"])]
        for shard in shards
    }
    holding = {value: shard for shard, values in of.items() for value in values}
    assert parents[holding["2"]]["ParentShardId"] == holding["1"]


def test_a_closed_shard_ends_with_its_last_record(aws: SimulatedAWS, ground: Ground) -> None:
    ground.make()
    ground.put("a")
    (holding,) = [shard["ShardId"] for shard in ground.shards() if ground.of_shard(shard["ShardId"])]
    answer = ground.streams.get_records(ShardIterator=ground.iterator(holding))
    assert answer["NextShardIterator"]
    aws.clock.sleep(5 * 3600)
    answer = ground.streams.get_records(ShardIterator=ground.iterator(holding))
    assert len(answer["Records"]) == 1
    assert "NextShardIterator" not in answer


def test_shards_may_split(aws: SimulatedAWS, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated.settings.children = 2
    ground.make()
    aws.clock.sleep(5 * 3600)
    for n in range(60):
        ground.put(f"k{n}")
    shards = ground.shards()
    parents = [shard.get("ParentShardId") for shard in shards if "ParentShardId" in shard]
    assert {parents.count(parent) for parent in parents} == {2}
    assert len(ground.events()) == 60


@given(
    writes=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.sampled_from([0, 600, 4000])), max_size=25
    )
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_the_stream_replayed_is_the_table(writes: Sequence[tuple[str, int, float]]) -> None:
    with SimulatedAWS() as aws:
        ground = Ground(aws.session(ACCOUNT, REGION))
        ground.make()
        for key, value, pause in writes:
            if value:
                ground.put(key, str(value))
            else:
                ground.delete(key)
            aws.clock.sleep(pause)
        replayed: dict[str, Any] = {}
        for record in ground.records():
            key = record["dynamodb"]["Keys"]["id"]["S"]
            assert record["dynamodb"].get("OldImage") == replayed.get(key)
            replayed.pop(key, None)
            if record["eventName"] != "REMOVE":
                replayed[key] = record["dynamodb"]["NewImage"]
        items = ground.dynamodb.scan(TableName=TABLE)["Items"]
        assert replayed == {item["id"]["S"]: item for item in items}


# --- Iterators


def some_shard(ground: Ground) -> str:
    return next(str(shard["ShardId"]) for shard in ground.shards() if ground.of_shard(shard["ShardId"]))


def test_iterator_types(ground: Ground) -> None:
    ground.make()
    for n in range(3):
        ground.put("a", str(n))
    shard = some_shard(ground)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in ground.of_shard(shard)]

    def values(kind: str, **more: Any) -> list[str]:
        answer = ground.streams.get_records(ShardIterator=ground.iterator(shard, kind, **more))
        return [record["dynamodb"]["NewImage"]["v"]["S"] for record in answer["Records"]]

    assert values("TRIM_HORIZON") == ["0", "1", "2"]
    assert values("LATEST") == []
    assert values("AT_SEQUENCE_NUMBER", SequenceNumber=numbers[1]) == ["1", "2"]
    assert values("AFTER_SEQUENCE_NUMBER", SequenceNumber=numbers[1]) == ["2"]
    latest = ground.iterator(shard, "LATEST")
    ground.put("a", "3")
    answer = ground.streams.get_records(ShardIterator=latest)
    assert [record["dynamodb"]["NewImage"]["v"]["S"] for record in answer["Records"]] == ["3"]
    with refused("ValidationException"):
        ground.iterator(shard, "AT_SEQUENCE_NUMBER")


def test_pages_follow_each_other(ground: Ground) -> None:
    ground.make()
    for n in range(10):
        ground.put("a", str(n))
    iterator, seen = ground.iterator(some_shard(ground)), []
    for _ in range(4):
        answer = ground.streams.get_records(ShardIterator=iterator, Limit=3)
        seen.append([record["dynamodb"]["NewImage"]["v"]["S"] for record in answer["Records"]])
        iterator = answer["NextShardIterator"]
    assert seen == [["0", "1", "2"], ["3", "4", "5"], ["6", "7", "8"], ["9"]]


def test_a_page_is_at_most_a_megabyte(ground: Ground) -> None:
    ground.make()
    for n in range(4):
        ground.put("a", str(n) + "x" * 300_000)
    answer = ground.streams.get_records(ShardIterator=ground.iterator(some_shard(ground)))
    assert 1 <= len(answer["Records"]) < 4


def test_an_iterator_expires_after_a_quarter_of_an_hour(aws: SimulatedAWS, ground: Ground) -> None:
    ground.make()
    ground.put("a")
    iterator = ground.iterator(some_shard(ground))
    aws.clock.sleep(14 * 60)
    assert ground.streams.get_records(ShardIterator=iterator)["Records"]
    aws.clock.sleep(2 * 60)
    with refused("ExpiredIteratorException"):
        ground.streams.get_records(ShardIterator=iterator)


def test_what_is_a_day_old_is_gone(aws: SimulatedAWS, ground: Ground) -> None:
    ground.make()
    ground.put("a", "old")
    shard = some_shard(ground)
    (number,) = [record["dynamodb"]["SequenceNumber"] for record in ground.of_shard(shard)]
    aws.clock.sleep(3 * 3600)
    ground.put("a", "newer")
    aws.clock.sleep(22 * 3600)
    assert [record["dynamodb"]["NewImage"]["v"]["S"] for record in ground.records()] == ["newer"]
    with refused("TrimmedDataAccessException"):
        ground.iterator(shard, "AT_SEQUENCE_NUMBER", SequenceNumber=number)
    aws.clock.sleep(24 * 3600)
    assert ground.records() == []
    with refused("ResourceNotFoundException"):
        ground.iterator(shard)


# --- On and off


def test_a_disabled_stream_is_readable_for_a_day(aws: SimulatedAWS, ground: Ground) -> None:
    old = ground.make()
    ground.put("a")
    ground.switch(False)
    ground.put("b")
    described = ground.streams.describe_stream(StreamArn=old)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert all("EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in described["Shards"])
    aws.clock.sleep(23 * 3600)
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in ground.records(old)] == ["a"]
    aws.clock.sleep(2 * 3600)
    with refused("ResourceNotFoundException"):
        ground.streams.describe_stream(StreamArn=old)
    assert ground.streams.list_streams(TableName=TABLE)["Streams"] == []


def test_enabling_again_is_a_new_stream(aws: SimulatedAWS, ground: Ground) -> None:
    old = ground.make()
    with refused("ValidationException"):
        ground.switch(True)
    ground.switch(False)
    with refused("ValidationException"):
        ground.switch(False)
    new = ground.switch(True)
    assert new != old
    ground.put("a")
    assert ground.records(old) == []
    assert len(ground.records(new)) == 1
    assert [stream["StreamArn"] for stream in ground.streams.list_streams(TableName=TABLE)["Streams"]] == [old, new]
    described = ground.dynamodb.describe_table(TableName=TABLE)["Table"]
    assert described["LatestStreamArn"] == new
    assert described["LatestStreamLabel"] == new.rpartition("/")[2]


def test_moto_loses_its_footing_when_a_stream_is_switched_off(on_moto: Ground) -> None:
    on_moto.make()
    on_moto.switch(False)
    with pytest.raises(KeyError):
        on_moto.put("a")
    with refused("ResourceInUse"):
        on_moto.switch(True)


def test_the_stream_of_a_deleted_table_stays_for_a_day(aws: SimulatedAWS, ground: Ground) -> None:
    arn = ground.make()
    ground.put("a")
    ground.dynamodb.delete_table(TableName=TABLE)
    assert ground.streams.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"] == "DISABLED"
    assert len(ground.records(arn)) == 1
    aws.clock.sleep(25 * 3600)
    with refused("ResourceNotFoundException"):
        ground.streams.describe_stream(StreamArn=arn)


# --- Describing


def test_describe_and_list_page(ground: Ground) -> None:
    ground.make()
    assert ground.shards(Limit=1) == ground.shards()
    arns = {ground.arn, ground.make("second"), ground.make("third")}
    listed, request = [], {"Limit": 2}
    answer = ground.streams.list_streams(**request)
    listed += answer["Streams"]
    assert len(listed) == 2
    answer = ground.streams.list_streams(ExclusiveStartStreamArn=answer["LastEvaluatedStreamArn"])
    listed += answer["Streams"]
    assert {stream["StreamArn"] for stream in listed} == arns
    assert ground.shards(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": ground.shards()[0]["ShardId"]}) == []


def test_streams_are_of_one_region_and_account(aws: SimulatedAWS, ground: Ground) -> None:
    arn = ground.make()
    for session in (aws.session(ACCOUNT, "us-east-1"), aws.session("222222222222", REGION)):
        elsewhere = session.client("dynamodbstreams")
        assert elsewhere.list_streams()["Streams"] == []
        with refused("ResourceNotFoundException"):
            elsewhere.describe_stream(StreamArn=arn)


def test_moto_cannot_be_reached_by_the_endpoint_that_botocore_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        moto = Ground(boto3.Session(region_name=REGION))
        arn = moto.make()
        with pytest.raises(ClientError):
            moto.streams.describe_stream(StreamArn=arn)


def test_moto_gives_every_record_one_region(on_moto: Ground) -> None:
    on_moto.make()
    on_moto.put("a")
    assert on_moto.records()[0]["awsRegion"] != REGION
