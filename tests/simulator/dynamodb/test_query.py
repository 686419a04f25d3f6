"""Queries through plain boto3 clients: key conditions, directions, pages, indexes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator.dynamodb.key_conditions import successor
from drills.simulator.dynamodb.rows import TOP
from tests.simulator.dynamodb.ground import Ground, refusal, simulated
from tests.simulator.dynamodb.tables import Item, everything, fill, make, pages, values


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


@pytest.fixture
def client(ground: Ground) -> Any:
    """Table ``people``, text sort keys; ``rows``, number sort keys; three partitions each."""
    client = ground.client()
    make(client, "people", "pk:S sk:S", gsi={"by-age": "age:N name:S"}, lsi={"by-age-here": "pk:S age:N"})
    make(client, "rows", "pk:S sk:N")
    make(client, "bytes", "pk:B sk:B")
    for part in "abc":
        fill(
            client,
            [
                {"pk": {"S": part}, "sk": {"S": f"{n:02}"}, "age": {"N": str(n % 4)}, "name": {"S": f"{part}{n}"}}
                for n in range(12)
            ],
        )
        fill(client, [{"pk": {"S": part}, "sk": {"N": str(n / 2)}} for n in range(-4, 8)], "rows")
    fill(client, [{"pk": {"B": b"a"}, "sk": {"B": bytes([n, 255])}} for n in range(250, 256)], "bytes")
    return client


def ask(condition: str, table: str = "people", **given: Any) -> dict[str, Any]:
    """A query's arguments: names of arguments after the table's are the condition's values, the rest goes along."""
    values_given = {f":{name}": value for name, value in given.items() if isinstance(value, dict) and len(name) == 1}
    more = {name: value for name, value in given.items() if f":{name}" not in values_given}
    return {
        "TableName": table,
        "KeyConditionExpression": condition,
        **({"ExpressionAttributeValues": values_given} if values_given else {}),
        **more,
    }


A: Item = {"S": "a"}


@pytest.mark.parametrize(
    ("condition", "given", "expected"),
    [
        ("pk = :p", {}, range(12)),
        ("pk = :p AND sk = :x", {"x": {"S": "03"}}, [3]),
        ("pk = :p AND sk < :x", {"x": {"S": "03"}}, [0, 1, 2]),
        ("pk = :p AND sk <= :x", {"x": {"S": "03"}}, [0, 1, 2, 3]),
        ("pk = :p AND sk > :x", {"x": {"S": "09"}}, [10, 11]),
        ("pk = :p AND sk >= :x", {"x": {"S": "09"}}, [9, 10, 11]),
        ("pk = :p AND sk BETWEEN :x AND :y", {"x": {"S": "03"}, "y": {"S": "05"}}, [3, 4, 5]),
        ("sk BETWEEN :x AND :y AND pk = :p", {"x": {"S": "03"}, "y": {"S": "05z"}}, [3, 4, 5]),
        ("pk = :p AND begins_with(sk, :x)", {"x": {"S": "1"}}, [10, 11]),
        ("(pk = :p) and (begins_with(sk, :x))", {"x": {"S": "1"}}, [10, 11]),
        (":p = pk AND :x > sk", {"x": {"S": "01"}}, [0]),
        ("pk=:p AND sk=:x", {"x": {"S": "nothing"}}, []),
    ],
)
def test_key_conditions(client: Any, condition: str, given: Item, expected: Any) -> None:
    wanted = [f"{n:02}" for n in expected]
    arguments = ask(condition, p=A, **given)
    assert values(client.query(**arguments)["Items"], "sk") == wanted
    assert values(client.query(**arguments, ScanIndexForward=False)["Items"], "sk") == wanted[::-1]
    for forward in (True, False):
        paged = everything(client.query, **arguments, Limit=2, ScanIndexForward=forward)
        assert values(paged, "sk") == wanted[:: 1 if forward else -1]


def test_numbers_are_in_the_order_of_their_values(client: Any) -> None:
    found = everything(client.query, **ask("pk = :p AND sk > :x", "rows", p=A, x={"N": "-1.0"}))
    assert values(found, "sk") == ["-0.5", "0", "0.5", "1", "1.5", "2", "2.5", "3", "3.5"]
    assert values(client.query(**ask("pk = :p AND sk = :x", "rows", p=A, x={"N": "1e0"}))["Items"], "sk") == ["1"]


def test_bytes_are_in_their_order_and_prefixes_of_the_highest_are_found(client: Any) -> None:
    arguments = ask("pk = :p AND begins_with(sk, :x)", "bytes", p={"B": b"a"}, x={"B": b"\xff"})
    assert [item["sk"]["B"] for item in client.query(**arguments)["Items"]] == [b"\xff\xff"]
    arguments = ask("pk = :p AND sk > :x", "bytes", p={"B": b"a"}, x={"B": b"\xfd\xff"}, ScanIndexForward=False)
    assert [item["sk"]["B"] for item in client.query(**arguments)["Items"]] == [b"\xff\xff", b"\xfe\xff"]


@given(st.text(max_size=4), st.text(max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_begins_with_a_prefix_lies_before_its_successor(prefix: str, other: str) -> None:
    end = successor(prefix)
    assert prefix + other < end
    if end is not TOP:
        assert (other < end) == (other < prefix or other.startswith(prefix))


@given(st.binary(max_size=3), st.binary(max_size=5))
@settings(max_examples=150, deadline=None)
def test_the_same_of_bytes(prefix: bytes, other: bytes) -> None:
    end = successor(prefix)
    assert prefix + other < end
    if end is not TOP:
        assert (other < end) == (other < prefix or other.startswith(prefix))


# --- Indexes


def test_a_global_index_is_sorted_by_its_own_key_and_its_pages_are_complete(client: Any) -> None:
    arguments = ask("age = :n", n={"N": "1"}, IndexName="by-age")
    names = values(client.query(**arguments)["Items"], "name")
    assert names == sorted(f"{part}{n}" for part in "abc" for n in (1, 5, 9))
    for forward in (True, False):
        found = list(pages(client.query, **arguments, Limit=4, ScanIndexForward=forward))
        assert [page["Count"] for page in found] == [4, 4, 1]
        assert set(found[0]["LastEvaluatedKey"]) == {"age", "name", "pk", "sk"}
        assert [name for page in found for name in values(page["Items"], "name")] == names[:: 1 if forward else -1]


def test_equal_index_keys_are_paged_without_a_loss(client: Any) -> None:
    make(client, "same", "pk:S", gsi={"by-town": "town:S age:N"})
    fill(client, [{"pk": {"S": f"{n}"}, "town": {"S": "t"}, "age": {"N": "5"}} for n in range(20)], "same")
    for condition in ("town = :t", "town = :t AND age = :n", "town = :t AND age >= :n", "town = :t AND age <= :n"):
        given = {"t": {"S": "t"}, **({"n": {"N": "5"}} if ":n" in condition else {})}
        for forward in (True, False):
            arguments = ask(condition, "same", **given, IndexName="by-town", Limit=3, ScanIndexForward=forward)
            found = values(everything(client.query, **arguments), "pk")
            assert (len(found), len(set(found))) == (20, 20)
        for condition_of_none in ("town = :t AND age > :n", "town = :t AND age < :n"):
            none = ask(condition_of_none, "same", t={"S": "t"}, n={"N": "5"}, IndexName="by-town")
            assert client.query(**none)["Count"] == 0


def test_a_local_index(client: Any) -> None:
    arguments = ask("pk = :p AND age >= :n", p=A, n={"N": "2"}, IndexName="by-age-here", ConsistentRead=True)
    assert values(client.query(**arguments)["Items"], "age") == ["2", "2", "2", "3", "3", "3"]


def test_an_index_of_several_attributes(ground: Ground) -> None:
    client = ground.client()
    names = ("pk", "land", "town", "year", "day")
    client.create_table(
        TableName="wide",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "wide",
                "KeySchema": [
                    {"AttributeName": "land", "KeyType": "HASH"},
                    {"AttributeName": "town", "KeyType": "HASH"},
                    {"AttributeName": "year", "KeyType": "RANGE"},
                    {"AttributeName": "day", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    fill(
        client,
        [
            {
                "pk": {"S": f"{n}"},
                "land": {"S": "de"},
                "town": {"S": f"{n % 2}"},
                "year": {"S": f"{n % 3}"},
                "day": {"S": f"{n}"},
            }
            for n in range(9)
        ],
        "wide",
    )
    named = {"IndexName": "wide", "ExpressionAttributeNames": {"#y": "year", "#d": "day"}}
    both = "land = :l AND town = :t AND #y = :y AND #d > :d"
    given = {"l": {"S": "de"}, "t": {"S": "0"}, "y": {"S": "0"}, "d": {"S": "0"}}
    assert values(client.query(**ask(both, "wide", **given, **named))["Items"], "pk") == ["6"]
    gap = ask("land = :l AND town = :t AND #d > :d", "wide", l={"S": "de"}, t={"S": "0"}, d={"S": "0"})
    refused = refusal(client.query, **gap, IndexName="wide", ExpressionAttributeNames={"#d": "day"})
    assert refused == ("ValidationException", "Query key condition not supported")


# --- Filters, counts


def test_a_filter_comes_after_the_limit_and_the_key(client: Any) -> None:
    arguments = ask("pk = :p", p=A, n={"N": "3"}, FilterExpression="age = :n", Limit=4)
    found = list(pages(client.query, **arguments))
    assert [(page["Count"], page["ScannedCount"]) for page in found] == [(1, 4), (1, 4), (1, 4), (0, 0)]
    counted = client.query(**{**arguments, "Limit": 12}, Select="COUNT")
    assert (counted["Count"], counted["ScannedCount"], "Items" in counted) == (3, 12, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (ask("sk = :x", x=A), "Query condition missed key schema element: pk"),
        (ask("pk > :x", x=A), "Query key condition not supported"),
        (
            ask("pk = :x AND #n = :x", x=A, ExpressionAttributeNames={"#n": "name"}),
            "Query condition missed key schema element: sk",
        ),
        (ask("pk = :x OR sk = :x", x=A), "Invalid operator used in KeyConditionExpression: OR"),
        (ask("pk = :x AND NOT sk = :x", x=A), "Invalid operator used in KeyConditionExpression: NOT"),
        (ask("pk = :x AND sk <> :x", x=A), "Invalid operator used in KeyConditionExpression: <>"),
        (ask("pk = :x AND sk IN (:x)", x=A), "Invalid operator used in KeyConditionExpression: IN"),
        (ask("pk = :x AND contains(sk, :x)", x=A), "Invalid operator used in KeyConditionExpression: contains"),
        (ask("pk = :x AND pk = :x", x=A), "KeyConditionExpressions must only contain one condition per key"),
        (
            ask("pk = :x", x={"N": "1"}),
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
        (
            ask("pk = :x", x={"S": ""}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
        (
            ask("pk = :x AND begins_with(sk, :n)", "rows", x=A, n={"N": "1"}),
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; "
            "operator or function: begins_with, operand type: N",
        ),
        (
            ask("pk = :x AND sk BETWEEN :y AND :x", x=A, y={"S": "b"}),
            "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to "
            "lower bound; lower bound operand: AttributeValue: {S:b}, upper bound operand: AttributeValue: {S:a}",
        ),
        (
            ask("pk = :x", x=A, FilterExpression="sk = :x"),
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk",
        ),
        (
            ask("age = :n", n={"N": "1"}, IndexName="by-age", ConsistentRead=True),
            "Consistent reads are not supported on global secondary indexes",
        ),
        (
            ask("pk = :x", x=A, ExclusiveStartKey={"pk": {"S": "b"}, "sk": {"S": "01"}}),
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            {"TableName": "people"},
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ),
    ],
)
def test_queries_that_are_refused(client: Any, arguments: dict[str, Any], message: str) -> None:
    assert refusal(client.query, **arguments) == ("ValidationException", message)


def test_the_cost_of_an_indexes_query_is_the_indexes(client: Any) -> None:
    arguments = ask("age = :n", n={"N": "1"}, IndexName="by-age", ReturnConsumedCapacity="INDEXES")
    assert client.query(**arguments)["ConsumedCapacity"] == {
        "TableName": "people",
        "CapacityUnits": 0.5,
        "Table": {"CapacityUnits": 0.0},
        "GlobalSecondaryIndexes": {"by-age": {"CapacityUnits": 0.5}},
    }
