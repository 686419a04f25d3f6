"""Batches through plain boto3 clients: their limits, and all or nothing of what is checked beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.dynamodb.ground import Ground, plain_moto, refusal, simulated
from tests.simulator.dynamodb.tables import Item, everything, fill, make, values


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


@pytest.fixture
def client(ground: Ground) -> Any:
    client = ground.client()
    make(client)
    make(client, "towns")
    return client


def put(key: str, **more: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"pk": {"S": key}, **more}}}


def delete(key: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"pk": {"S": key}}}}


def keys(count: int, start: int = 0) -> list[Item]:
    return [{"pk": {"S": f"{n:03}"}} for n in range(start, start + count)]


# --- Writing


def test_puts_and_deletes_of_several_tables(client: Any) -> None:
    fill(client, keys(2))
    answer = client.batch_write_item(RequestItems={"people": [delete("000"), put("new")], "towns": [put("t")]})
    assert answer["UnprocessedItems"] == {}
    assert values(everything(client.scan, TableName="people"), "pk") == ["001", "new"]
    assert values(everything(client.scan, TableName="towns"), "pk") == ["t"]


def too_many(client: Any) -> None:
    make(client, "many")
    client.batch_write_item(RequestItems={"many": [put(f"{n}") for n in range(26)]})


def test_twenty_six_items_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated() as ground:
        code, message = refusal(too_many, client=ground.client())
    assert code == "ValidationException"
    assert "Member must have length less than or equal to 25" in message
    with plain_moto(monkeypatch) as ground:
        too_many(ground.client())  # Accepted by plain moto.


def test_twenty_six_items_of_two_tables_are_too_many(client: Any) -> None:
    requested = {"people": [put(f"{n}") for n in range(13)], "towns": [put(f"{n}") for n in range(13)]}
    assert refusal(client.batch_write_item, RequestItems=requested) == (
        "ValidationException",
        "Too many items requested for the BatchWriteItem call",
    )


@pytest.mark.parametrize(
    ("writes", "message"),
    [
        ([put("a"), put("a")], "Provided list of item keys contains duplicates"),
        ([put("a"), delete("a")], "Provided list of item keys contains duplicates"),
        ([put("a"), put("b", t={"S": "x" * 409_601})], "Item size has exceeded the maximum allowed size"),
        ([put("a"), put("b", t={"SS": ["x", "x"]})], "Input collection [x, x] contains duplicates."),
        (
            [put("a"), {"DeleteRequest": {"Key": {"id": {"S": "a"}}}}],
            "The provided key element does not match the schema",
        ),
        ([put("a"), put("")], "The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"),
    ],
)
def test_of_a_batch_with_a_fault_nothing_is_written(client: Any, writes: list[Any], message: str) -> None:
    code, said = refusal(client.batch_write_item, RequestItems={"towns": [put("t")], "people": writes})
    assert code == "ValidationException"
    assert said.endswith(message)
    assert client.scan(TableName="people")["Count"] == client.scan(TableName="towns")["Count"] == 0


def test_a_key_is_told_by_its_value(ground: Ground) -> None:
    client = ground.client()
    make(client, "numbered", "pk:N")
    twice = [{"PutRequest": {"Item": {"pk": {"N": text}}}} for text in ("1", "1.0")]
    assert refusal(client.batch_write_item, RequestItems={"numbered": twice}) == (
        "ValidationException",
        "Provided list of item keys contains duplicates",
    )


def test_a_request_of_more_than_16_mb_is_refused(client: Any) -> None:
    # A control character is one byte of the item and six of the request.
    writes = [put(f"{n}", t={"S": "\x01" * 400_000}) for n in range(8)]
    assert refusal(client.batch_write_item, RequestItems={"people": writes})[0] == "RequestEntityTooLarge"
    assert client.scan(TableName="people")["Count"] == 0


def test_what_a_batch_consumes(client: Any) -> None:
    writes = {"people": [put("a", t={"S": "x" * 3000}), put("b")], "towns": [delete("none")]}
    asked = client.batch_write_item(RequestItems=writes, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert asked == [{"TableName": "people", "CapacityUnits": 4.0}, {"TableName": "towns", "CapacityUnits": 1.0}]
    assert "ConsumedCapacity" not in client.batch_write_item(RequestItems=writes)


# --- Reading


def test_reads_of_several_tables(client: Any) -> None:
    fill(client, [{**key, "n": {"N": "1"}, "o": {"N": "2"}} for key in keys(3)])
    fill(client, keys(1), "towns")
    answer = client.batch_get_item(
        RequestItems={
            "people": {"Keys": keys(5), "ProjectionExpression": "n"},
            "towns": {"Keys": keys(2), "ConsistentRead": True},
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["Responses"] == {"people": [{"n": {"N": "1"}}] * 3, "towns": keys(1)}
    assert answer["UnprocessedKeys"] == {}
    assert [one["CapacityUnits"] for one in answer["ConsumedCapacity"]] == [2.5, 2.0]


def test_more_than_16_mb_are_left_unprocessed_and_can_be_asked_for_again(client: Any) -> None:
    for key in keys(50):
        client.put_item(TableName="people", Item={**key, "t": {"S": "x" * 400_000}})
    wanted: Any = {"people": {"Keys": keys(50), "ProjectionExpression": "pk", "ConsistentRead": True}}
    found: list[str] = []
    counts = []
    while wanted:
        answer = client.batch_get_item(RequestItems=wanted)
        found += values(answer["Responses"]["people"], "pk")
        counts.append(len(answer["Responses"]["people"]))
        wanted = answer["UnprocessedKeys"]
        assert not wanted or wanted["people"]["ProjectionExpression"] == "pk"
    assert counts == [41, 9]
    assert found == values(keys(50), "pk")


def test_batches_of_keys_that_are_refused(client: Any) -> None:
    get = client.batch_get_item
    code, message = refusal(get, RequestItems={"people": {"Keys": keys(101)}})
    assert code == "ValidationException"
    assert "Member must have length less than or equal to 100" in message
    both = {"people": {"Keys": keys(60)}, "towns": {"Keys": keys(60)}}
    assert refusal(get, RequestItems=both)[1] == "Too many items requested for the BatchGetItem call"
    twice = {"people": {"Keys": [*keys(1), *keys(1)]}}
    assert refusal(get, RequestItems=twice)[1] == "Provided list of item keys contains duplicates"
    wrong = {"people": {"Keys": [{"pk": {"N": "1"}}]}}
    assert refusal(get, RequestItems=wrong)[1] == "The provided key element does not match the schema"
