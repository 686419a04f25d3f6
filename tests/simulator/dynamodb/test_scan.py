"""Scans through plain boto3 clients: pages, segments, filters, indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator.dynamodb.paging import segment_of
from drills.simulator.dynamodb.rows import number
from tests.simulator.dynamodb.ground import Ground, plain_moto, refusal, simulated
from tests.simulator.dynamodb.tables import EVERY_TYPE, Item, everything, fill, make, pages, values

MEGABYTE = 1024 * 1024


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


@pytest.fixture
def client(ground: Ground) -> Any:
    client = ground.client()
    make(client)
    return client


def people(count: int, **more: Any) -> list[Item]:
    return [{"pk": {"S": f"{n:05}"}, "n": {"N": str(n)}, **more} for n in range(count)]


# --- Pages


def test_pages_end_at_one_megabyte_of_items(client: Any) -> None:
    fill(client, people(25, t={"S": "x" * 100_000}))
    found = list(pages(client.scan, TableName="people"))
    assert [page["Count"] for page in found] == [10, 10, 5]
    assert len({pk for page in found for pk in values(page["Items"], "pk")}) == 25
    # The size counts before the filter and before the projection.
    thin = {"FilterExpression": "n < :n", "ExpressionAttributeValues": {":n": {"N": "3"}}, "ProjectionExpression": "pk"}
    filtered = list(pages(client.scan, TableName="people", **thin))
    assert [page["ScannedCount"] for page in filtered] == [10, 10, 5]
    assert sum(page["Count"] for page in filtered) == 3


def test_an_item_is_on_one_page_whatever_its_size(client: Any) -> None:
    fill(client, people(6, t={"S": "x" * 400_000}))
    assert [page["Count"] for page in pages(client.scan, TableName="people")] == [2, 2, 2]


def test_a_limit_counts_what_was_scanned(client: Any) -> None:
    fill(client, people(10))
    even = {
        "FilterExpression": "n IN (:a, :b)",
        "ExpressionAttributeValues": {":a": {"N": "1"}, ":b": {"N": "9"}},
        "Limit": 4,
    }
    found = list(pages(client.scan, TableName="people", **even))
    assert [page["ScannedCount"] for page in found] == [4, 4, 2]
    assert sum(page["Count"] for page in found) == 2


def test_a_page_that_ends_at_its_limit_does_not_know_that_nothing_follows(client: Any) -> None:
    fill(client, people(4))
    found = list(pages(client.scan, TableName="people", Limit=4))
    assert [page["Count"] for page in found] == [4, 0]


def test_a_scan_goes_on_where_it_was_though_the_item_is_gone(client: Any) -> None:
    fill(client, people(10))
    first = client.scan(TableName="people", Limit=5)
    for item in first["Items"]:
        client.delete_item(TableName="people", Key={"pk": item["pk"]})
    rest = everything(client.scan, TableName="people", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert sorted(values([*first["Items"], *rest], "pk")) == [f"{n:05}" for n in range(10)]


def test_an_item_that_is_written_between_pages_is_seen_if_it_lies_ahead(client: Any) -> None:
    fill(client, people(10))
    first = client.scan(TableName="people", Limit=5)
    fill(client, people(20))
    rest = everything(client.scan, TableName="people", ExclusiveStartKey=first["LastEvaluatedKey"])
    seen = values([*first["Items"], *rest], "pk")
    assert len(seen) == len(set(seen))
    assert set(seen) >= {f"{n:05}" for n in range(10)}


@pytest.mark.parametrize("start", [{"pk": {"N": "1"}}, {"other": {"S": "a"}}, {"pk": {"S": "a"}, "n": {"N": "1"}}])
def test_starting_keys_that_are_none(client: Any, start: Item) -> None:
    assert refusal(client.scan, TableName="people", ExclusiveStartKey=start) == (
        "ValidationException",
        "The provided starting key is invalid: The provided key element does not match the schema",
    )


# --- Segments


KEYS: dict[str, list[Item]] = {
    "S": [{"S": f"key {n} é"} for n in range(300)],
    "N": [{"N": str(Decimal(n) / 4 - 20)} for n in range(300)],
    "B": [{"B": bytes([n % 256, n // 256, 255])} for n in range(300)],
}


@pytest.mark.parametrize("kind", ["S", "N", "B"])
@pytest.mark.parametrize("total", [1, 2, 7])
def test_segments_are_disjoint_and_complete(ground: Ground, kind: str, total: int) -> None:
    client = ground.client()
    make(client, "keyed", f"pk:{kind}")
    fill(client, [{"pk": key} for key in KEYS[kind]], "keyed")
    found = [
        everything(client.scan, TableName="keyed", Segment=segment, TotalSegments=total, Limit=50)
        for segment in range(total)
    ]
    assert all(found)
    assert sum(map(len, found)) == 300
    assert {str(item["pk"]) for part in found for item in part} == {str(key) for key in KEYS[kind]}


def parallel_by_bytes(client: Any) -> int:
    make(client, "keyed", "pk:B")
    fill(client, [{"pk": key} for key in KEYS["B"]], "keyed")
    return sum(len(client.scan(TableName="keyed", Segment=s, TotalSegments=4)["Items"]) for s in range(4))


def test_twin_plain_moto_cannot_segment_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated() as ground:
        assert parallel_by_bytes(ground.client()) == 300
    with plain_moto(monkeypatch) as ground, pytest.raises(AttributeError):
        parallel_by_bytes(ground.client())


def test_items_of_one_partition_are_in_one_segment(ground: Ground) -> None:
    client = ground.client()
    make(client, "sorted", "pk:S sk:N", gsi={"by-town": "town:S"})
    items = [
        {"pk": {"S": f"p{n % 9}"}, "sk": {"N": str(n)}, "town": {"S": f"town {n % 5}"}, "n": {"N": str(n)}}
        for n in range(90)
    ]
    fill(client, items, "sorted")
    for index, partition in (({}, "pk"), ({"IndexName": "by-town"}, "town")):
        parts = [
            set(values(everything(client.scan, TableName="sorted", Segment=n, TotalSegments=4, **index), partition))
            for n in range(4)
        ]
        assert sum(map(len, parts)) == len(set().union(*parts)) == (9 if partition == "pk" else 5)


@given(st.integers(-(10**30), 10**30), st.integers(0, 8), st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_equal_numbers_are_in_the_same_segment_however_they_are_spelled(whole: int, zeros: int, total: int) -> None:
    spelled = f"{whole}.{'0' * zeros}" if zeros else str(whole)
    assert segment_of(number(spelled), total) == segment_of(number(str(whole)), total)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"Segment": 0},
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present",
        ),
        (
            {"TotalSegments": 2},
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present",
        ),
        (
            {"Segment": 2, "TotalSegments": 2},
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less "
            "than TotalSegments: 2",
        ),
    ],
)
def test_segments_that_are_none(client: Any, more: dict[str, Any], message: str) -> None:
    assert refusal(client.scan, TableName="people", **more) == ("ValidationException", message)


def test_a_starting_key_of_another_segment_is_refused(client: Any) -> None:
    fill(client, people(20))
    first = client.scan(TableName="people", Segment=0, TotalSegments=2, Limit=1)
    code, message = refusal(
        client.scan,
        TableName="people",
        Segment=1,
        TotalSegments=2,
        ExclusiveStartKey=first["LastEvaluatedKey"],
    )
    assert code == "ValidationException"
    assert "Please use ExclusiveStartKey with correct Segment. TotalSegments: 2 Segment: 1" in message


# --- Indexes and what is selected


def indexed(client: Any) -> None:
    make(
        client,
        "indexed",
        "pk:S sk:S",
        gsi={"all": "age:N", "keys": ("age:N", "KEYS_ONLY"), "some": ("age:N", ["name"])},
        lsi={"local": ("pk:S town:S", "KEYS_ONLY")},
    )
    item = {"pk": {"S": "a"}, "sk": {"S": "1"}, "age": {"N": "7"}, "name": {"S": "n"}, "town": {"S": "t"}}
    fill(client, [item, {"pk": {"S": "a"}, "sk": {"S": "2"}}], "indexed")


@pytest.mark.parametrize(
    ("index", "names"),
    [
        ("all", "age name pk sk town"),
        ("keys", "age pk sk"),
        ("some", "age name pk sk"),
        ("local", "pk sk town"),
    ],
)
def test_an_index_is_sparse_and_holds_what_it_projects(ground: Ground, index: str, names: str) -> None:
    client = ground.client()
    indexed(client)
    (found,) = client.scan(TableName="indexed", IndexName=index)["Items"]
    assert " ".join(sorted(found)) == names
    (again,) = client.scan(TableName="indexed", IndexName=index, Select="ALL_PROJECTED_ATTRIBUTES")["Items"]
    assert again == found


def test_a_local_index_fetches_the_rest_from_the_table_and_a_global_one_cannot(ground: Ground) -> None:
    client = ground.client()
    indexed(client)
    named = {"ProjectionExpression": "#n", "ExpressionAttributeNames": {"#n": "name"}}
    assert client.scan(TableName="indexed", IndexName="local", **named)["Items"] == [{"name": {"S": "n"}}]
    (whole,) = client.scan(TableName="indexed", IndexName="local", Select="ALL_ATTRIBUTES")["Items"]
    assert whole["name"] == {"S": "n"}
    assert refusal(client.scan, TableName="indexed", IndexName="keys", **named) == (
        "ValidationException",
        "One or more parameter values were invalid: Global secondary index keys does not project [name]",
    )
    assert refusal(client.scan, TableName="indexed", IndexName="keys", Select="ALL_ATTRIBUTES") == (
        "ValidationException",
        "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary "
        "index keys because its projection type is not ALL",
    )


def test_consistent_reads_of_global_indexes_are_refused(ground: Ground) -> None:
    client = ground.client()
    indexed(client)
    refused = ("ValidationException", "Consistent reads are not supported on global secondary indexes")
    assert refusal(client.scan, TableName="indexed", IndexName="all", ConsistentRead=True) == refused
    assert client.scan(TableName="indexed", IndexName="local", ConsistentRead=True)["Count"] == 1


def test_only_the_count(client: Any) -> None:
    fill(client, people(7))
    answer = client.scan(TableName="people", Select="COUNT")
    assert (answer["Count"], "Items" in answer) == (7, False)
    code, message = refusal(client.scan, TableName="people", Select="COUNT", ProjectionExpression="pk")
    assert (code, message) == (
        "ValidationException",
        "Cannot specify the ProjectionExpression when choosing to get only the Count",
    )


def test_an_index_that_is_not_there(client: Any) -> None:
    assert refusal(client.scan, TableName="people", IndexName="none") == (
        "ValidationException",
        "The table does not have the specified index: none",
    )


def test_the_indexes_follow_every_write(ground: Ground) -> None:
    client = ground.client()
    make(client, "people", gsi={"by-age": "age:N"})

    def ages() -> list[str]:
        return sorted(values(client.scan(TableName="people", IndexName="by-age")["Items"], "age"))

    assert ages() == []
    fill(client, [{"pk": {"S": "a"}, "age": {"N": "1"}}, {"pk": {"S": "b"}, "age": {"N": "2"}}, {"pk": {"S": "c"}}])
    assert ages() == ["1", "2"]
    client.put_item(TableName="people", Item={"pk": {"S": "a"}, "age": {"N": "3"}})
    client.put_item(TableName="people", Item={"pk": {"S": "b"}})
    client.update_item(
        TableName="people",
        Key={"pk": {"S": "c"}},
        UpdateExpression="SET age = :n",
        ExpressionAttributeValues={":n": {"N": "9"}},
    )
    assert ages() == ["3", "9"]
    client.delete_item(TableName="people", Key={"pk": {"S": "a"}})
    assert ages() == ["9"]


# --- Filters

RICH: Item = {
    "pk": {"S": "a"},
    **EVERY_TYPE,
    "n": {"N": "10"},
    "word": {"S": "banana"},
    "one": {"L": [{"N": str(n)} for n in range(12)]},
}


@pytest.mark.parametrize(
    ("expression", "given", "passes"),
    [
        ("n = :v", {":v": {"N": "10.0"}}, True),
        ("n = :v", {":v": {"S": "10"}}, False),
        ("n <> :v", {":v": {"S": "10"}}, True),
        ("n < :v", {":v": {"S": "9"}}, False),
        ("n > :v", {":v": {"N": "9"}}, True),
        (":v < n", {":v": {"N": "9"}}, True),
        ("n BETWEEN :v AND :w", {":v": {"N": "2"}, ":w": {"N": "10"}}, True),
        ("word BETWEEN :v AND :w", {":v": {"S": "b"}, ":w": {"S": "c"}}, True),
        ("n IN (:v, :w)", {":v": {"S": "10"}, ":w": {"N": "1e1"}}, True),
        ("yes = :v", {":v": {"N": "1"}}, False),
        ("yes = :v", {":v": {"BOOL": True}}, True),
        ("absent = :v", {":v": {"NULL": True}}, False),
        ("nothing = :v", {":v": {"NULL": True}}, True),
        ("absent <> :v", {":v": {"S": "x"}}, True),
        ("NOT absent = :v", {":v": {"S": "x"}}, True),
        ("absent < :v", {":v": {"S": "x"}}, False),
        ("texts = :v", {":v": {"SS": ["ü", "a", "b"]}}, True),
        ("numbers = :v", {":v": {"NS": ["2.50", "3", "-1"]}}, True),
        ("raws = :v", {":v": {"BS": [b"\xff\xfe", b"\x00"]}}, True),
        ("texts = :v", {":v": {"SS": ["a", "b"]}}, False),
        ("#map = :v", {":v": EVERY_TYPE["map"]}, True),
        ("#map.#inner.deep = :v", {":v": {"BS": [b"x"]}}, True),
        ("#map.absent.deep = :v", {":v": {"BS": [b"x"]}}, False),
        ("one[11] = :v", {":v": {"N": "11"}}, True),
        ("one[12] = :v", {":v": {"N": "12"}}, False),
        ("begins_with(word, :v)", {":v": {"S": "ban"}}, True),
        ("begins_with(word, :v)", {":v": {"S": "nan"}}, False),
        ("begins_with(#raw, :v)", {":v": {"B": b"\x00\x01"}}, True),
        ("begins_with(n, :v)", {":v": {"S": "1"}}, False),
        ("contains(word, :v)", {":v": {"S": "nan"}}, True),
        ("contains(texts, :v)", {":v": {"S": "ü"}}, True),
        ("contains(numbers, :v)", {":v": {"N": "2.50"}}, True),
        ("contains(one, :v)", {":v": {"N": "3.0"}}, True),
        ("contains(one, :v)", {":v": {"S": "3"}}, False),
        ("contains(#raw, :v)", {":v": {"B": b"\x10\x11"}}, True),
        ("attribute_exists(#map.#inner) AND attribute_not_exists(absent)", {}, True),
        ("attribute_exists(#empty)", {}, True),
        ("attribute_type(raws, :v)", {":v": {"S": "BS"}}, True),
        ("attribute_type(absent, :v)", {":v": {"S": "S"}}, False),
        ("size(word) = :v", {":v": {"N": "6"}}, True),
        ("size(#raw) > :v", {":v": {"N": "255"}}, True),
        ("size(one) BETWEEN :v AND :v", {":v": {"N": "12"}}, True),
        ("size(absent) = :v", {":v": {"N": "0"}}, False),
        ("size(n) = :v", {":v": {"N": "2"}}, False),
        ("n = :v OR n = :w AND word = :w", {":v": {"N": "10"}, ":w": {"S": "x"}}, True),
        ("(n = :v OR n = :w) AND word = :w", {":v": {"N": "10"}, ":w": {"S": "x"}}, False),
        ("not n = :v and (word = :w)", {":v": {"N": "1"}, ":w": {"S": "banana"}}, True),
        ("NOT (n = :v)", {":v": {"N": "10"}}, False),
        ("big = :v", {":v": {"N": "12345678901234567890123456789012345679"}}, False),
        ("big < :v", {":v": {"N": "12345678901234567890123456789012345679"}}, True),
    ],
)
def test_what_passes_a_filter(client: Any, expression: str, given: Item, passes: bool) -> None:
    client.put_item(TableName="people", Item=RICH)
    answer = client.scan(TableName="people", FilterExpression=expression, **placeholders(expression, given))
    assert (answer["Count"], answer["ScannedCount"]) == (int(passes), 1)


def placeholders(expression: str, given: Item) -> dict[str, Any]:
    names = {found: found[1:] for found in re.findall(r"#\w+", expression)}
    return {
        **({"ExpressionAttributeValues": given} if given else {}),
        **({"ExpressionAttributeNames": names} if names else {}),
    }


@pytest.mark.parametrize(
    ("expression", "given", "message"),
    [
        ("", {}, "The expression can not be empty;"),
        ("n =", {}, 'Syntax error; token: "<EOF>", near: "="'),
        ("n = = :v", {":v": {"N": "1"}}, 'Syntax error; token: "=", near: "= = :v"'),
        ("n ! :v", {":v": {"N": "1"}}, 'Syntax error; token: "!", near: "n ! :v"'),
        ("((n = :v))", {":v": {"N": "1"}}, "The expression has redundant parentheses;"),
        ("value = :v", {":v": {"N": "1"}}, "Attribute name is a reserved keyword; reserved keyword: value"),
        (
            "#n = :w",
            {":v": {"N": "1"}},
            "An expression attribute value used in expression is not defined; attribute value: :w",
        ),
        ("starts(n, :v)", {":v": {"N": "1"}}, "Invalid function name; function: starts"),
        (
            "attribute_exists(n, n)",
            {},
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of "
            "operands: 2",
        ),
        (
            "attribute_exists(:v)",
            {":v": {"S": "n"}},
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "n < :v",
            {":v": {"BOOL": True}},
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "begins_with(n, :v)",
            {":v": {"N": "1"}},
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "attribute_type(n, :v)",
            {":v": {"S": "NUMBER"}},
            "Invalid attribute type name found; type: NUMBER, valid types: {B,BOOL,BS,L,M,N,NS,NULL,S,SS}",
        ),
        (
            "n BETWEEN :v AND :w",
            {":v": {"N": "2"}, ":w": {"N": "1"}},
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
        (
            "n = n",
            {},
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: =, first operand: [n]",
        ),
    ],
)
def test_filters_that_are_refused(client: Any, expression: str, given: Item, message: str) -> None:
    refused = refusal(client.scan, TableName="people", FilterExpression=expression, **placeholders(expression, given))
    assert refused == ("ValidationException", f"Invalid FilterExpression: {message}")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"ExpressionAttributeValues": {":v": {"N": "1"}}},
            "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            {"FilterExpression": "attribute_exists(n)", "ExpressionAttributeValues": {}},
            "ExpressionAttributeValues must not be empty",
        ),
        (
            {"FilterExpression": "n = :v", "ExpressionAttributeValues": {":v": {"N": "1"}, ":w": {"N": "1"}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}",
        ),
        (
            {"FilterExpression": "n = :v", "ExpressionAttributeValues": {":v": {"N": "x"}}},
            "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x "
            "for key :v",
        ),
        (
            {"FilterExpression": "n = :v", "ExpressionAttributeValues": {"v": {"N": "1"}}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: "v"',
        ),
    ],
)
def test_placeholders_that_are_refused(client: Any, more: dict[str, Any], message: str) -> None:
    assert refusal(client.scan, TableName="people", **more) == ("ValidationException", message)


def mixed_types(client: Any) -> int:
    make(client)
    fill(client, [{"pk": {"S": "a"}, "n": {"N": "1"}}, {"pk": {"S": "b"}, "n": {"S": "one"}}])
    above = {"FilterExpression": "n > :v", "ExpressionAttributeValues": {":v": {"N": "0"}}}
    return int(client.scan(TableName="people", **above)["Count"])


def test_twin_plain_moto_cannot_compare_values_of_different_types(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated() as ground:
        assert mixed_types(ground.client()) == 1
    with plain_moto(monkeypatch) as ground, pytest.raises(TypeError):
        mixed_types(ground.client())
