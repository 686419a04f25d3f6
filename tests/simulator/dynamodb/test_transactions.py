"""Transactions through plain boto3 clients: all or nothing, reasons, and calls that are sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.simulator.dynamodb.ground import Ground, plain_moto, refusal, simulated
from tests.simulator.dynamodb.tables import Item, everything, make

STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


@pytest.fixture
def client(ground: Ground) -> Any:
    client = ground.client()
    make(client, StreamSpecification=STREAM)
    make(client, "towns", "pk:S sk:N")
    return client


def key(name: str) -> Item:
    return {"pk": {"S": name}}


def put(name: str, value: str = "1", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": "people", "Item": {**key(name), "n": {"N": value}}, **more}}


def add(name: str, **more: Any) -> dict[str, Any]:
    update = {"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "1"}, **more.pop("values", {})}}
    return {"Update": {"TableName": "people", "Key": key(name), **update, **more}}


def there(name: str) -> dict[str, Any]:
    return {"ConditionCheck": {"TableName": "people", "Key": key(name), "ConditionExpression": "attribute_exists(pk)"}}


def delete(name: str, **more: Any) -> dict[str, Any]:
    return {"Delete": {"TableName": "people", "Key": key(name), **more}}


def stored(client: Any, table: str = "people") -> dict[str, str]:
    return {item["pk"]["S"]: item.get("n", {}).get("N", "") for item in everything(client.scan, TableName=table)}


def reasons(client: Any, *items: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=list(items), **more)
    said: list[dict[str, Any]] = caught.value.response["CancellationReasons"]
    codes = ", ".join(reason["Code"] for reason in said)
    expected = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    assert caught.value.response["Error"]["Message"] == expected
    assert caught.value.response["Message"] == expected
    return said


def stream_iterators(ground: Ground, client: Any) -> list[str]:
    """Iterators from the beginning of each of the stream's shards."""
    streams = ground.client(service="dynamodbstreams")
    arn = client.describe_table(TableName="people")["Table"]["LatestStreamArn"]
    return [
        streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    ]


def stream_keys(ground: Ground, iterators: list[str]) -> list[str]:
    """The keys of the records behind the iterators."""
    streams = ground.client(service="dynamodbstreams")
    records = [record for one in iterators for record in streams.get_records(ShardIterator=one)["Records"]]
    return [record["dynamodb"]["Keys"]["pk"]["S"] for record in records]


def test_all_kinds_in_one(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("a"), put("b"), put("c")])
    town = {"Put": {"TableName": "towns", "Item": {**key("t"), "sk": {"N": "1"}}}}
    client.transact_write_items(TransactItems=[there("a"), delete("b"), add("c"), put("d"), town])
    assert stored(client) == {"a": "1", "c": "2", "d": "1"}
    assert stored(client, "towns") == {"t": ""}


def test_of_a_transaction_that_fails_nothing_is_stored_and_nothing_streamed(ground: Ground, client: Any) -> None:
    client.transact_write_items(TransactItems=[put("a")])
    guarded = put("a", "9", ConditionExpression="attribute_not_exists(pk)")
    guarded["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    assert reasons(client, put("new"), guarded, delete("a2"), there("none")) == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {**key("a"), "n": {"N": "1"}},
        },
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
    ]
    assert stored(client) == {"a": "1"}
    assert stream_keys(ground, stream_iterators(ground, client)) == ["a"]


def read_on_after_a_failure(ground: Ground) -> list[str]:
    client = ground.client()
    make(client, "people", StreamSpecification=STREAM)
    iterators = stream_iterators(ground, client)
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=[put("phantom"), there("none")])
    client.transact_write_items(TransactItems=[put("real")])
    return stream_keys(ground, iterators)


def test_twin_plain_moto_streams_what_was_never_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with simulated() as ground:
        assert read_on_after_a_failure(ground) == ["real"]
    with plain_moto(monkeypatch) as ground:
        assert read_on_after_a_failure(ground) == ["phantom"]


def test_writes_are_judged_against_the_items_before(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("a", "1")])
    one = {":one": {"N": "1"}}
    guarded = add("a", ConditionExpression="n = :one", values=one)
    client.transact_write_items(TransactItems=[guarded, put("b")])
    assert stored(client) == {"a": "2", "b": "1"}
    (first, second) = reasons(client, guarded, put("c"))
    assert (first["Code"], second["Code"]) == ("ConditionalCheckFailed", "None")


def test_items_that_cannot_be_stored_cancel_the_transaction(client: Any) -> None:
    big = put("big")
    big["Put"]["Item"]["t"] = {"S": "x" * 409_600}
    wrong_key = {"Delete": {"TableName": "people", "Key": {"pk": {"N": "1"}}}}
    wrong_operand = add("a")
    client.transact_write_items(TransactItems=[{"Put": {"TableName": "people", "Item": {**key("a"), "n": {"S": "x"}}}}])
    assert [
        (reason["Code"], reason.get("Message")) for reason in reasons(client, put("b"), big, wrong_key, wrong_operand)
    ] == [
        ("None", None),
        ("ValidationError", "Item size has exceeded the maximum allowed size"),
        ("ValidationError", "The provided key element does not match the schema"),
        ("ValidationError", "An operand in the update expression has an incorrect data type"),
    ]
    assert set(stored(client)) == {"a"}


def test_transactions_that_are_refused(client: Any) -> None:
    write = client.transact_write_items
    assert refusal(write, TransactItems=[put("a"), delete("a")]) == (
        "ValidationException",
        "Transaction request cannot include multiple operations on one item",
    )
    code, message = refusal(write, TransactItems=[put(f"{n}") for n in range(101)])
    assert code == "ValidationException"
    assert "less than or equal to 100" in message
    assert refusal(write, TransactItems=[{**put("a"), **delete("b")}])[0] == "ValidationException"
    bad = put("a", ConditionExpression="size(")
    assert refusal(write, TransactItems=[put("b"), bad])[0] == "ValidationException"
    assert stored(client) == {}
    client.transact_write_items(TransactItems=[put(f"{n}") for n in range(100)])
    assert len(stored(client)) == 100


def test_four_megabytes_are_the_most(client: Any) -> None:
    def writes(count: int) -> list[Any]:
        items = [put(f"{n}") for n in range(count)]
        for one in items:
            one["Put"]["Item"]["t"] = {"S": "x" * 400_000}
        return items

    assert refusal(client.transact_write_items, TransactItems=writes(11))[0] == "ValidationException"
    assert stored(client) == {}
    client.transact_write_items(TransactItems=writes(10))


# --- ClientRequestToken


def test_a_call_that_is_sent_twice_is_carried_out_once(ground: Ground, client: Any) -> None:
    call = {"TransactItems": [add("a")], "ClientRequestToken": "token-1"}
    client.transact_write_items(**call)
    again = client.transact_write_items(**call, ReturnConsumedCapacity="TOTAL")
    assert stored(client) == {"a": "1"}
    assert again["ConsumedCapacity"] == [{"TableName": "people", "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]
    ground.sleep(10 * 60 - 1)
    client.transact_write_items(**call)
    assert stored(client) == {"a": "1"}
    ground.sleep(2)
    client.transact_write_items(**call)
    assert stored(client) == {"a": "2"}


def test_another_call_under_the_same_token_is_refused(client: Any) -> None:
    client.transact_write_items(TransactItems=[add("a")], ClientRequestToken="token-1")
    other = {"TransactItems": [add("b")], "ClientRequestToken": "token-1"}
    assert refusal(client.transact_write_items, **other)[0] == "IdempotentParameterMismatchException"
    client.transact_write_items(TransactItems=[add("b")])  # boto3 makes a token of its own for each call.
    client.transact_write_items(TransactItems=[add("b")])
    assert stored(client) == {"a": "1", "b": "2"}


def test_a_token_is_of_one_account_and_region(ground: Ground, client: Any) -> None:
    elsewhere = ground.client("us-east-1")
    make(elsewhere)
    for one in (client, elsewhere):
        one.transact_write_items(TransactItems=[add("a")], ClientRequestToken="token-1")
    assert stored(client) == stored(elsewhere) == {"a": "1"}


def test_a_token_of_a_transaction_that_failed_can_be_used_again(client: Any) -> None:
    reasons(client, there("a"), put("b"), ClientRequestToken="token-1")
    client.transact_write_items(TransactItems=[put("a")])
    client.transact_write_items(TransactItems=[there("a"), put("b")], ClientRequestToken="token-1")
    assert set(stored(client)) == {"a", "b"}


def test_a_lost_acknowledgement_is_retried_without_a_second_write(ground: Ground, client: Any) -> None:
    assert ground.aws is not None
    sent = []
    ground.aws.on_call(lambda request, status: sent.append(status))
    with ground.aws.faults(lose_acknowledgement=0.4, services=["dynamodb"]):
        for _ in range(20):
            client.transact_write_items(TransactItems=[add("a")])
    assert sent.count(500) > 5
    assert stored(client) == {"a": "20"}


# --- Reading


def test_reads_of_a_transaction(client: Any) -> None:
    client.transact_write_items(TransactItems=[put("a"), put("b")])
    get = [
        {"Get": {"TableName": "people", "Key": key("a")}},
        {"Get": {"TableName": "people", "Key": key("none")}},
        {"Get": {"TableName": "people", "Key": key("b"), "ProjectionExpression": "n"}},
    ]
    answer = client.transact_get_items(TransactItems=get, ReturnConsumedCapacity="TOTAL")
    assert answer["Responses"] == [{"Item": {**key("a"), "n": {"N": "1"}}}, {}, {"Item": {"n": {"N": "1"}}}]
    assert answer["ConsumedCapacity"] == [{"TableName": "people", "CapacityUnits": 6.0, "ReadCapacityUnits": 6.0}]


def test_a_hundred_reads_and_no_more(client: Any) -> None:
    get = [{"Get": {"TableName": "people", "Key": key(f"{n}")}} for n in range(101)]
    assert len(client.transact_get_items(TransactItems=get[:100])["Responses"]) == 100
    assert refusal(client.transact_get_items, TransactItems=get)[0] == "ValidationException"


def test_what_a_transaction_consumes(client: Any) -> None:
    answer = client.transact_write_items(TransactItems=[put("a"), put("b")], ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"] == [{"TableName": "people", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]
