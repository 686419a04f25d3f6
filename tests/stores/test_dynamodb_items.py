"""The canonical form: equal items have equal bytes, different ones have not, and nothing passes through a float."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import boto3
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from drills.stores.dynamodb_items import (
    ITEM_BYTES,
    canonical,
    encoded,
    item_bytes,
    item_of,
    key_text,
    number,
    typed_item,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
DIGITS = st.text("0123456789", min_size=1, max_size=38)


@st.composite
def decimals(draw: st.DrawFn) -> Decimal:
    """Any number that DynamoDB holds."""
    sign, digits = draw(st.sampled_from(["", "-"])), draw(DIGITS)
    exponent = draw(st.integers(-125, 125 - len(digits)))
    return Decimal(f"{sign}{digits}e{exponent}")


SCALARS = TEXT | decimals() | st.integers(-(10**38) + 1, 10**38 - 1) | st.binary(max_size=9) | st.booleans() | st.none()
SETS = st.sets(TEXT, min_size=1) | st.sets(decimals(), min_size=1) | st.sets(st.binary(max_size=5), min_size=1)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | SETS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
RECORDS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=5)


# --- One form for one item -----------------------------------------------------------------------------------------


def respelt(value: Any, rng: random.Random) -> Any:
    """The same value otherwise: other orders of names and set members, other spellings of numbers."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return {"N": respelt_number(content, rng)}
        case "NS":
            return {"NS": [respelt_number(member, rng) for member in rng.sample(content, len(content))]}
        case "SS" | "BS":
            return {kind: rng.sample(content, len(content))}
        case "L":
            return {"L": [respelt(member, rng) for member in content]}
        case "M":
            return {"M": respelt_map(content, rng)}
        case _:
            return value


def respelt_map(attributes: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    return {name: respelt(attributes[name], rng) for name in rng.sample(list(attributes), len(attributes))}


def respelt_number(text: str, rng: random.Random) -> str:
    value = Decimal(text)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    minus, spelt, zeros = "-" if sign else "", "".join(map(str, digits)), rng.choice(["", "0", "000"])
    return rng.choice(
        [text, f"{minus}{zeros}{spelt}e{exponent}", f"{minus}{spelt}{zeros}E{exponent - len(zeros):+d}", f"{value:E}"]
    )


@given(RECORDS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_however_an_item_is_spelt_its_canonical_form_is_one(record: dict[str, Any], rng: random.Random) -> None:
    assert canonical(respelt_map(item_of(encoded(record)), rng)) == encoded(record)


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_there_and_back_again(record: dict[str, Any]) -> None:
    item = item_of(encoded(record))
    assert canonical(item) == encoded(record)
    assert {name: plain(value) for name, value in item.items()} == record


def plain(value: Any) -> Any:
    """A typed value → the plain Python value."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "NS":
            return set(map(Decimal, content))
        case "SS" | "BS":
            return set(content)
        case "L":
            return [plain(member) for member in content]
        case "M":
            return {name: plain(member) for name, member in content.items()}
        case "NULL":
            return None
        case _:
            return content


@given(RECORDS, RECORDS)
@settings(max_examples=60, deadline=None)
def test_different_records_have_different_bytes(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (encoded(one) == encoded(other)) == (with_types(one) == with_types(other))


def with_types(value: Any) -> Any:
    """A value with its DynamoDB type beside it: in Python True is 1."""
    match value:
        case bool():
            return "BOOL", value
        case int() | Decimal():
            return "N", Decimal(value)
        case set():
            return "set", {with_types(member) for member in value}
        case list():
            return "L", [with_types(member) for member in value]
        case dict():
            return "M", {name: with_types(member) for name, member in value.items()}
        case _:
            return type(value).__name__, value


def test_text_that_looks_like_the_form_itself_stays_text() -> None:
    """The quick way looks for numbers and sets in the bytes; text and names must not be taken for them."""
    for text in ['{"N":"1.10"}', ':["', '"SS":["b","a"]', '\\":["', '{"N":"007"}']:
        record = {"a": text, text: {"N": text, "SS": [text]}}
        assert plain({"M": item_of(encoded(record))}) == record
        assert canonical(item_of(encoded(record))) == encoded(record)
    names: dict[str, dict[str, Any]] = {
        "N": {"S": "1.10"},
        "NS": {"M": {"N": {"N": "1"}}},
        "SS": {"L": [{"S": "b"}, {"S": "a"}]},
    }
    assert orjson.loads(canonical(names)) == names


def test_sets_are_sorted_and_lists_keep_their_order() -> None:
    item: dict[str, dict[str, Any]] = {
        "n": {"NS": ["10", "9", "-1"]},
        "l": {"L": [{"N": "2"}, {"N": "1"}]},
        "b": {"BS": [b"b", b"a"]},
    }
    assert orjson.loads(canonical(item)) == {
        "b": {"BS": ["YQ==", "Yg=="]},
        "l": {"L": [{"N": "2"}, {"N": "1"}]},
        "n": {"NS": ["-1", "9", "10"]},
    }


# --- Numbers -------------------------------------------------------------------------------------------------------


@given(decimals())
@settings(max_examples=200, deadline=None)
def test_numbers_keep_their_value_to_the_last_digit(value: Decimal) -> None:
    text = number(str(value))
    assert Decimal(text) == value
    assert "e" not in text.lower()
    assert number(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.10", "1.1"), ("1e2", "100"), ("-0", "0"), ("-0.00", "0"), ("007", "7"), ("+5", "5"), (".5", "0.5"),
        ("5.", "5"), ("-1.50E-3", "-0.0015"), ("0", "0"), ("100", "100"), ("10.0", "10"),
        ("1E125", "1" + "0" * 125), ("1E-130", "0." + "0" * 129 + "1"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678"),
    ],
)  # fmt: skip
def test_the_text_of_a_number(text: str, expected: str) -> None:
    assert number(text) == expected
    assert orjson.loads(canonical({"n": {"N": text}})) == {"n": {"N": expected}}
    assert orjson.loads(canonical({"m": {"M": {"l": {"L": [{"N": text}]}}}}))["m"]["M"]["l"]["L"] == [{"N": expected}]


@pytest.mark.parametrize("text", ["1" * 39, "1.5" + "0" * 36 + "1", "1e126", "1e-131", "NaN", "Infinity", "x", ""])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        number(text)


# --- What DynamoDB cannot hold -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"price": 1.5}, "attribute 'price': expected an exact number (int or Decimal), found the float 1.5"),
        ({"a": {"b": [1, 1.5]}}, "attribute 'a.b[1]': expected an exact number"),
        ({"tags": set()}, "attribute 'tags': expected a set with at least one member"),
        ({"tags": {1, "a"}}, "expected a set of only text, only numbers or only bytes, found int, str"),
        ({"tags": {True}}, "attribute 'tags': expected a set of only text"),
        ({"n": 10**38 + 1}, "attribute 'n': expected a number of up to 38 digits"),
        ({"n": Decimal("1e126")}, "attribute 'n': expected a number"),
        ({"n": Decimal("NaN")}, "attribute 'n': expected a number"),
        ({"s": "\ud800"}, "attribute 's': expected text, found half a surrogate pair"),
        ({"when": object()}, "attribute 'when': expected text, a number, bytes"),
        ({"": 1}, "expected a name of at least one character"),
        ({"a": {"": 1}}, "attribute 'a': expected a name of at least one character"),
        ({"big": "x" * 300_000, "small": "x" * 200_000}, "its largest attribute is 'big'"),
    ],
)  # fmt: skip
def test_what_dynamodb_cannot_hold_is_named(record: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        encoded(record)
    assert said in str(caught.value)


def test_nesting_has_its_limit() -> None:
    value: Any = 1
    for _ in range(32):
        value = [value]
    encoded({"a": value})
    with pytest.raises(ValueError, match="at most 32 levels"):
        encoded({"a": [value]})


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_json_is_never_shorter_than_what_dynamodb_counts(record: dict[str, Any]) -> None:
    """So an item is measured only when its JSON is over the limit."""
    assert item_bytes(typed_item(record)) <= len(encoded(record))


# --- Against a table -----------------------------------------------------------------------------------------------


@pytest.fixture
def client() -> Iterator[Any]:
    with SimulatedAWS():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        client.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def test_the_limit_is_where_aws_has_it(client: Any) -> None:
    fits = {"id": "k", "b": "x" * (ITEM_BYTES - 4)}
    client.put_item(TableName="t", Item=item_of(encoded(fits)))
    over = {**fits, "b": fits["b"] + "x"}
    with pytest.raises(ValueError, match="at most 409,600 bytes, found 409,601"):
        encoded(over)
    with pytest.raises(client.exceptions.ClientError, match="size"):
        client.put_item(TableName="t", Item=typed_item(over))


def test_every_type_comes_back_from_a_table_as_it_was_sent(client: Any) -> None:
    record = {
        "id": "k",
        "n": Decimal("12345678901234567890123456789012345678"),
        "small": Decimal("-0.00000000000000000000000000000000000001"),
        "ns": {Decimal(1), Decimal("-99999999999999999999999999999999999999")},
        "b": bytes(range(256)),
        "bs": {b"\x00", b"\xff"},
        "ss": {"été", "e\u0301té", "𝒢"},
        "doc": {"l": [None, False, "", {}, [], b""], "N": "1.10", "SS": {"b", "a"}},
    }
    client.put_item(TableName="t", Item=item_of(encoded(record)))
    (item,) = client.scan(TableName="t")["Items"]
    assert canonical(item) == encoded(record)
    assert key_text(item, ["id"]) == '{"id":{"S":"k"}}'
