"""Time to live through plain boto3 clients: who is deleted, when, by whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.dynamodb.ground import (
    ACCOUNT,
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
)

LAG = 30 * 60.0
"""Seconds: the median of the timing model."""


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


def enable(client: Any, attribute: str = "expires", *, enabled: bool = True) -> None:
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute}
    )


def in_seconds(ground: Ground, seconds: float) -> dict[str, str]:
    """A time to live that ends this many seconds from now."""
    return {"N": str(int(ground.now().timestamp() + seconds))}


def expiry_steps(ground: Ground) -> dict[str, str | None]:
    client = ground.client()
    make_table(client)
    enable(client)
    put(client, "short", expires=in_seconds(ground, 60))
    put(client, "long", expires=in_seconds(ground, 86400 * 30))
    put(client, "for ever")
    ground.sleep(86400)
    return contents(client, "orders")


def test_expired_items_are_deleted() -> None:
    with simulated() as ground:
        assert set(expiry_steps(ground)) == {"long", "for ever"}


def test_twin_plain_moto_keeps_them_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        assert set(expiry_steps(ground)) == {"short", "long", "for ever"}


def test_an_expired_item_stays_readable_for_the_modelled_lag(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    put(client, "a", expires=in_seconds(ground, 60))
    ground.sleep(60 + LAG - 1)
    assert set(contents(client, "orders")) == {"a"}
    assert "Item" in client.get_item(TableName="orders", Key={"id": {"S": "a"}})
    ground.sleep(2)
    assert contents(client, "orders") == {}
    assert ground.aws is not None
    (took,) = [one for one in ground.aws.durations if one.operation == "dynamodb.ttl_deletion"]
    assert (took.seconds, took.assumed) == (LAG, True)


def test_only_numbers_of_seconds_that_can_be_meant_count(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    past = in_seconds(ground, -60)["N"]
    kept = {
        "text": {"S": past},
        "set": {"NS": [past]},
        "binary": {"B": past.encode()},
        "null": {"NULL": True},
        "nested": {"M": {"expires": {"N": past}}},
        "list": {"L": [{"N": past}]},
        "milliseconds": {"N": past + "000"},
        "far future": {"N": "1e30"},
        "six years ago": in_seconds(ground, -6 * 365 * 86400),
        "zero": {"N": "0"},
    }
    for key, value in kept.items():
        put(client, key, expires=value)
    put(client, "just expired", expires={"N": past})
    put(client, "four years ago", expires=in_seconds(ground, -4 * 365 * 86400))
    ground.sleep(86400)
    assert set(contents(client, "orders")) == set(kept)


def test_a_nested_attribute_of_the_name_is_not_meant(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    put(client, "a", other={"M": {"expires": in_seconds(ground, 1)}})
    ground.sleep(86400)
    assert set(contents(client, "orders")) == {"a"}


def test_names_beyond_ascii(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client, "läuft_ab")
    put(client, "a", läuft_ab=in_seconds(ground, 1))
    ground.sleep(86400)
    assert contents(client, "orders") == {}


def test_items_that_were_there_before_it_was_enabled(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    put(client, "a", expires=in_seconds(ground, 60))
    put(client, "b", expires=in_seconds(ground, 86400 * 2))
    ground.sleep(86400)
    assert set(contents(client, "orders")) == {"a", "b"}
    enable(client)
    ground.sleep(LAG - 1)
    assert set(contents(client, "orders")) == {"a", "b"}
    ground.sleep(2)
    assert set(contents(client, "orders")) == {"b"}
    ground.sleep(2 * 86400)
    assert contents(client, "orders") == {}


def test_a_changed_or_removed_time_counts(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    for key in ("later", "never", "sooner", "touched"):
        put(client, key, expires=in_seconds(ground, 3600))

    def update(key: str, expression: str, **values: Any) -> None:
        client.update_item(TableName="orders", Key={"id": {"S": key}}, UpdateExpression=expression, **values)

    update("later", "SET expires = :t", ExpressionAttributeValues={":t": in_seconds(ground, 7200)})
    update("never", "REMOVE expires")
    update("sooner", "SET expires = :t", ExpressionAttributeValues={":t": in_seconds(ground, 60)})
    update("touched", "SET note = :n", ExpressionAttributeValues={":n": {"S": "same time"}})
    ground.sleep(60 + LAG + 1)
    assert set(contents(client, "orders")) == {"later", "never", "touched"}
    ground.sleep(3600 - 60)
    assert set(contents(client, "orders")) == {"later", "never"}
    ground.sleep(3600)
    assert set(contents(client, "orders")) == {"never"}


def test_an_item_given_more_time_after_it_expired_is_spared(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    put(client, "a", "old", expires=in_seconds(ground, 60))
    ground.sleep(600)
    put(client, "a", "renewed", expires=in_seconds(ground, 86400 * 9))
    ground.sleep(86400)
    assert contents(client, "orders") == {"a": "renewed"}


def test_an_item_deleted_and_made_anew_lives_by_its_own_time(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    put(client, "a", expires=in_seconds(ground, 60))
    client.delete_item(TableName="orders", Key={"id": {"S": "a"}})
    put(client, "a", "anew")
    ground.sleep(86400)
    assert contents(client, "orders") == {"a": "anew"}


def test_disabling_spares_what_has_not_been_deleted_yet(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    ground.sleep(3600)
    put(client, "a", expires=in_seconds(ground, 60))
    ground.sleep(120)
    enable(client, enabled=False)
    ground.sleep(86400)
    assert set(contents(client, "orders")) == {"a"}
    enable(client)
    ground.sleep(LAG + 1)
    assert contents(client, "orders") == {}


# --- Switching


def test_status_and_refusals(ground: Ground) -> None:
    client = ground.client()
    make_table(client)

    def described() -> Any:
        return client.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]

    def refused(attribute: str, enabled: bool) -> str:
        specification = {"Enabled": enabled, "AttributeName": attribute}
        code, message = refusal(client.update_time_to_live, TableName="orders", TimeToLiveSpecification=specification)
        assert code == "ValidationException"
        return message

    assert described() == {"TimeToLiveStatus": "DISABLED"}
    assert refused("expires", enabled=False) == "TimeToLive is already disabled"
    enable(client)
    assert described() == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert refused("expires", enabled=True) == "TimeToLive is already enabled"
    assert "different AttributeName" in refused("other", enabled=True)
    assert "multiple times within a fixed interval" in refused("expires", enabled=False)
    ground.sleep(3600)
    enable(client, enabled=False)
    assert described() == {"TimeToLiveStatus": "DISABLED"}
    assert "multiple times within a fixed interval" in refused("expires", enabled=True)
    specification = {"Enabled": True, "AttributeName": "expires"}
    for call, more in (
        (client.update_time_to_live, {"TimeToLiveSpecification": specification}),
        (client.describe_time_to_live, {}),
    ):
        assert refusal_code(call, TableName="none", **more) == "ResourceNotFoundException"


def test_twin_plain_moto_switches_as_often_as_one_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make_table(client)
        for enabled in (True, False, True):
            enable(client, enabled=enabled)


# --- What others see of it


def test_a_stream_says_that_the_service_deleted_it(ground: Ground) -> None:
    client, streams = ground.client(), ground.client(service="dynamodbstreams")
    arn = make_table(client, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})[
        "LatestStreamArn"
    ]
    enable(client)
    put(client, "a", "gone", expires=in_seconds(ground, 60))
    put(client, "b", "by hand", expires=in_seconds(ground, 60))
    client.delete_item(TableName="orders", Key={"id": {"S": "b"}})
    ground.sleep(2 * 3600)
    removed = {}
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for record in streams.get_records(ShardIterator=iterator)["Records"]:
            if record["eventName"] == "REMOVE":
                removed[record["dynamodb"]["Keys"]["id"]["S"]] = record
    assert removed["a"]["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert removed["a"]["dynamodb"]["OldImage"]["value"] == {"S": "gone"}
    assert "userIdentity" not in removed["b"]


def test_recovery_knows_before_and_after(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    enable(client)
    put(client, "a", "expired", expires=in_seconds(ground, 60))
    ground.sleep(60 + LAG - 10)
    before = ground.now()
    ground.sleep(20)
    after = ground.now()
    ground.sleep(600)
    assert restored(ground, client, before, "before") == {"a": "expired"}
    assert restored(ground, client, after, "after") == {}


def test_a_restored_table_expires_nothing_until_it_is_told_to(ground: Ground) -> None:
    client = ground.client()
    recoverable_table(client)
    enable(client)
    put(client, "a", expires=in_seconds(ground, 3600))
    ground.sleep(600)
    moment = ground.now() - timedelta(minutes=5)
    assert set(restored(ground, client, moment, "rescued")) == {"a"}
    ground.sleep(2 * 86400)
    assert set(contents(client, "rescued")) == {"a"}
    client.update_time_to_live(
        TableName="rescued", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    ground.sleep(LAG + 1)
    assert contents(client, "rescued") == {}


def test_an_outage_or_a_closed_account_holds_it(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    enable(client)
    assert ground.aws is not None
    put(client, "a", expires=in_seconds(ground, 60))
    with ground.aws.region_down("eu-west-1"):
        ground.sleep(86400)
        table = _rows(ground)
        assert table == {"a"}
    ground.sleep(1)
    assert contents(client, "orders") == {}
    put(client, "b", expires=in_seconds(ground, 60))
    ground.aws.close_account(ACCOUNT)
    ground.sleep(86400)
    assert _rows(ground) == {"b"}
    ground.aws.reopen_account(ACCOUNT)
    ground.sleep(1)
    assert contents(client, "orders") == {}


def _rows(ground: Ground) -> set[str]:
    """What the table holds while nobody can read it."""
    from moto.dynamodb.models import dynamodb_backends

    table: Any = dynamodb_backends[ACCOUNT]["eu-west-1"].tables["orders"]
    return {str(row.key[0]) for row in table.rows()}


def test_many_items_wait_on_one_event(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    for start in range(0, 500, 25):
        client.batch_write_item(
            RequestItems={
                "orders": [
                    {"PutRequest": {"Item": {"id": {"S": str(n)}, "expires": in_seconds(ground, 60 + n)}}}
                    for n in range(start, start + 25)
                ]
            }
        )
    assert ground.aws is not None
    waiting = len(ground.aws.clock._queue)
    enable(client)
    assert len(ground.aws.clock._queue) == waiting + 1
    ground.sleep(60 + LAG + 249.5)
    assert len(contents(client, "orders")) == 250
    ground.sleep(300)
    assert contents(client, "orders") == {}
