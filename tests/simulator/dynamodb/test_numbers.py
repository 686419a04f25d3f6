"""Numbers: given back as DynamoDB gives them, compared by value, exact to the 38th digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.simulator.dynamodb.validation import canonical_number, number_size
from tests.simulator.dynamodb.ground import plain_moto, refusal, simulated
from tests.simulator.dynamodb.tables import make

KEY = {"pk": {"S": "a"}}
DIGITS = "12345678901234567890123456789012345678"


@pytest.fixture
def client() -> Iterator[Any]:
    with simulated() as ground:
        client = ground.client()
        make(client)
        make(client, "numbered", "pk:N")
        yield client


def through(client: Any, text: str) -> str:
    client.put_item(TableName="people", Item={**KEY, "n": {"N": text}})
    return str(client.get_item(TableName="people", Key=KEY)["Item"]["n"]["N"])


SPELLINGS = [
    ("0", "0"),
    ("-0", "0"),
    ("0.00", "0"),
    ("007", "7"),
    ("+7", "7"),
    ("1.10", "1.1"),
    ("100", "100"),
    ("1.000", "1"),
    ("1e2", "100"),
    ("12E-1", "1.2"),
    (".5", "0.5"),
    ("5.", "5"),
    ("-0.0100", "-0.01"),
    (DIGITS, DIGITS),
    (DIGITS + "000", DIGITS + "000"),
    ("0." + DIGITS, "0." + DIGITS),
    ("9.9e125", "99" + "0" * 124),
    ("-1e-130", "-0." + "0" * 129 + "1"),
]


@pytest.mark.parametrize(("text", "expected"), SPELLINGS)
def test_a_number_loses_what_does_not_matter(client: Any, text: str, expected: str) -> None:
    assert through(client, text) == expected


def test_twin_plain_moto_keeps_the_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make(client)
        assert through(client, "1.10") == "1.10"
        assert through(client, "007") == "007"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The parameter cannot be converted to a numeric value: "),
        ("one", "The parameter cannot be converted to a numeric value: one"),
        ("1_0", "The parameter cannot be converted to a numeric value: 1_0"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
        ("Infinity", "The parameter cannot be converted to a numeric value: Infinity"),
        ("١", "The parameter cannot be converted to a numeric value: ١"),
        (DIGITS + "9", "Attempting to store more than 38 significant digits in a Number"),
        ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        (
            "1e99999999999999999999",
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        ("1e-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
    ],
)
def test_what_is_no_number(client: Any, text: str, message: str) -> None:
    for value in ({"N": text}, {"L": [{"M": {"n": {"N": text}}}]}, {"NS": [text]}):
        refused = refusal(client.put_item, TableName="people", Item={**KEY, "n": value})
        assert refused == ("ValidationException", message)


def test_numbers_everywhere_are_given_back_alike(client: Any) -> None:
    item = {**KEY, "m": {"M": {"l": {"L": [{"N": "1.0"}]}}}, "s": {"NS": ["1.50", "2e1"]}}
    client.put_item(TableName="people", Item=item)
    found = client.get_item(TableName="people", Key=KEY)["Item"]
    assert found["m"] == {"M": {"l": {"L": [{"N": "1"}]}}}
    assert sorted(found["s"]["NS"]) == ["1.5", "20"]
    values = {":n": {"N": "3.70"}}
    update = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": values, "ReturnValues": "UPDATED_NEW"}
    assert client.update_item(TableName="people", Key=KEY, **update)["Attributes"] == {"n": {"N": "3.7"}}


def test_a_key_is_one_key_however_it_is_spelled(client: Any) -> None:
    for text in ("1", "1.0", "01", "10e-1"):
        client.put_item(TableName="numbered", Item={"pk": {"N": text}, "as": {"S": text}})
    assert client.scan(TableName="numbered")["Items"] == [{"pk": {"N": "1"}, "as": {"S": "10e-1"}}]
    assert client.get_item(TableName="numbered", Key={"pk": {"N": "1.000"}})["Item"]["as"] == {"S": "10e-1"}
    client.delete_item(TableName="numbered", Key={"pk": {"N": "+1"}})
    assert client.scan(TableName="numbered")["Count"] == 0


def test_sums_are_exact_to_38_digits(client: Any) -> None:
    client.put_item(TableName="people", Item={**KEY, "n": {"N": DIGITS}})
    add = {"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    client.update_item(TableName="people", Key=KEY, **add)
    assert client.get_item(TableName="people", Key=KEY)["Item"]["n"]["N"] == DIGITS[:-1] + "9"


numbers = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=Decimal("-1e40"), max_value=Decimal("1e40")
).filter(lambda value: len(str(value.as_tuple().digits)) < 120 and -100 < value.adjusted() < 100)


@given(numbers)
@settings(max_examples=150, deadline=None)
def test_canonical_numbers_are_equal_and_of_one_spelling(value: Decimal) -> None:
    text = str(value)
    if len("".join(map(str, value.as_tuple().digits)).strip("0")) > 38:
        return
    canonical = canonical_number(text)
    assert Decimal(canonical) == value
    assert canonical_number(canonical) == canonical
    assert canonical_number(f"{value:f}") == canonical
    assert number_size(canonical) <= 21 + 1


@pytest.mark.parametrize(
    ("text", "size"), [("0", 1), ("7", 2), ("-7", 3), ("100", 2), ("1.25", 3), ("0.0005", 2), (DIGITS, 20)]
)
def test_sizes_go_by_significant_digits(text: str, size: int) -> None:
    assert number_size(text) == size


@given(st.integers(-(10**37), 10**37), st.integers(-(10**37), 10**37))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_comparisons_go_by_value(client: Any, one: int, other: int) -> None:
    client.put_item(TableName="people", Item={**KEY, "n": {"N": str(one)}})
    for operator, holds in (("<", one < other), ("<=", one <= other), ("=", one == other), (">", one > other)):
        filtered = {"FilterExpression": f"n {operator} :n", "ExpressionAttributeValues": {":n": {"N": f"{other}.0"}}}
        assert client.scan(TableName="people", **filtered)["Count"] == int(holds)
