"""A value's canonical JSON is the same whether the record or the server writes it."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drills.history import canonical
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_reading import read_one, read_records
from drills.stores.rds_records import aggregate, encoded, key_text
from drills.stores.rds_sessions import connect_to
from drills.stores.rds_types import BYTES_SHOWN, float_text, type_of
from drills.stores.rds_writing import copy_aggregates, delete_aggregate, put_aggregate

SCHEMA = """
CREATE TYPE colour AS ENUM ('red', 'dark "blue"', 'a,b', '{}', '');
CREATE TABLE things (
    id text PRIMARY KEY, small smallint, whole integer, big bigint, truth boolean, amount numeric(12,2),
    exact numeric, single real, double double precision, at timestamptz, local timestamp, day date, uid uuid,
    short varchar(5), padded char(4), words text, tree jsonb, source json, raw bytea, file oid, tint colour,
    names text[], numbers numeric[], moments timestamptz[], tints colour[], blobs bytea[], flags boolean[],
    hidden integer DEFAULT 7, twice numeric GENERATED ALWAYS AS (amount * 2) STORED);
CREATE TABLE parts (id text REFERENCES things, n integer, what text, how bytea, file oid, PRIMARY KEY (id, n));
CREATE TABLE notes (id text REFERENCES things, n bigint, tags text[]);
"""
CONFIG = DatabaseConfig.model_validate(
    {
        "schema": SCHEMA,
        "tables": {
            "things": {
                "key": "id",
                "columns": {
                    "id": "text", "small": "smallint", "whole": "int", "big": "int8", "truth": "bool",
                    "amount": "numeric(12,2)", "exact": "decimal", "single": "float4", "double": "double precision",
                    "at": "timestamptz", "local": "timestamp", "day": "date", "uid": "uuid", "short": "varchar(5)",
                    "padded": "char(4)", "words": "text", "tree": "jsonb", "source": "json", "raw": "bytea",
                    "file": "large_object", "tint": "colour", "names": "text[]", "numbers": "numeric[]",
                    "moments": "timestamptz[]", "tints": "colour[]", "blobs": "bytea[]", "flags": "bool[]",
                },
            },
            "parts": {
                "of": "things", "by": "id", "order": "n", "as": "parts",
                "columns": {"n": "integer", "what": "text", "how": "bytea", "file": "large_object"},
            },
            "notes": {
                "of": "things", "by": ["id"], "order": "n", "as": "notes",
                "columns": {"n": "bigint", "tags": "text[]"},
            },
        },
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    engine = PostgresEngine()
    try:
        server = engine.create(Credentials("master", "s3cret"), "shop")
        address = server.address
        with connect_to(address.host, address.port, "master", "s3cret", "shop") as connection:
            connection.execute(SCHEMA)
            yield connection
    finally:
        engine.close()


# --- Anything that a record can hold ---------------------------------------------------------------------------------

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
texts = st.text(CHARACTERS, max_size=12)
colours = st.sampled_from(["red", 'dark "blue"', "a,b", "{}", ""])
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])).filter(
    lambda moment: datetime(1, 1, 3, tzinfo=UTC) < moment < datetime(9999, 12, 29, tzinfo=UTC)
)
exact = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: abs(number.adjusted()) < 200)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | exact | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def lists(of: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | of, max_size=3)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "small": whole(16),
    "whole": whole(32),
    "big": whole(64),
    "truth": st.booleans(),
    "amount": st.decimals(-9_999_999_999, 9_999_999_999, places=2) | st.integers(-999, 999),
    "exact": exact | st.integers(),
    "single": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "at": moments | moments.map(datetime.isoformat),
    "local": st.datetimes(),
    "day": st.dates() | st.dates().map(date.isoformat),
    "uid": st.uuids() | st.uuids().map(lambda one: str(one).upper()),
    "short": st.text(CHARACTERS, max_size=5),
    "padded": st.text(st.characters(codec="utf-8", min_codepoint=33), min_size=1, max_size=4),
    "words": texts,
    "tree": trees,
    "source": trees,
    "raw": st.binary(max_size=BYTES_SHOWN + 2),
    "file": st.binary(max_size=600),
    "tint": colours,
    "names": lists(texts),
    "numbers": lists(exact),
    "moments": lists(moments),
    "tints": lists(colours),
    "blobs": lists(st.binary(max_size=4)),
    "flags": lists(st.booleans()),
}
parts = st.lists(
    st.fixed_dictionaries({}, optional={"what": texts, "how": st.binary(max_size=9), "file": st.binary(max_size=9)}),
    max_size=3,
)
notes = st.lists(
    st.fixed_dictionaries({"n": whole(64)}, optional={"tags": lists(texts)}),
    max_size=3,
    unique_by=lambda one: str(one["n"]),
)
keys = st.text(CHARACTERS, min_size=1, max_size=8)
records = st.fixed_dictionaries({"id": keys}, optional={**VALUES, "parts": parts, "notes": notes})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=records, second=records)
@example(first={"id": "\t\\\n", "double": 1e23, "single": 1e-5, "tree": Decimal("0E+5")}, second={"id": "é"})
@example(first={"id": "null", "tree": None, "names": [None, "null", "NULL"]}, second={"id": "x", "double": -0.0})
def test_what_the_server_reads_is_what_the_record_says(
    connection: psycopg.Connection, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Copied in, and then changed into another record by a transaction: both read back as they were meant."""
    rows = aggregate(CONFIG, first)
    other = aggregate(CONFIG, {**second, "id": first["id"]})
    with connection.cursor() as cursor:
        try:
            copy_aggregates(connection, CONFIG, [rows])
            (copied,) = read_records(connection, CONFIG)
            put_aggregate(cursor, CONFIG, other)
            (put,) = read_records(connection, CONFIG)
            one = read_one(connection, CONFIG, key_text(CONFIG, first))
        finally:
            delete_aggregate(cursor, CONFIG, key_text(CONFIG, first))
        assert (copied.key, copied.item) == (key_text(CONFIG, first), encoded(CONFIG, rows))
        assert put.item == encoded(CONFIG, other)
        assert one == put
        assert canonical(orjson.loads(copied.item)) == copied.item, "it can be parsed and written again"
        assert cursor.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


@pytest.mark.parametrize("single", [False, True])
def test_floats_are_printed_as_the_server_prints_them(connection: psycopg.Connection, single: bool) -> None:
    """All kinds of exponents, and numbers halfway between others, where Python's own digits differ."""
    numbers = [
        1e23,
        9007199254740993.0,
        5e-324,
        1.7976931348623157e308,
        123456.0,
        1e15,
        1e14,
        1e-4,
        1e-5,
        2.0**-44,
        0.1,
    ]
    numbers += [math.ldexp(1.0, power) for power in range(-1074, 1024, 7)]
    numbers += [float(f"{digit}e{power}") for digit in (1, 9, 33) for power in range(-60, 60)]
    if single:
        numbers = [struct.unpack("f", struct.pack("f", one))[0] for one in numbers if abs(one) < 3e38]
        numbers = [one for one in numbers if one]
    type_ = "real" if single else "double precision"
    found = connection.execute(f"SELECT x::{type_}::text FROM unnest(%s::float8[]) AS x", [numbers]).fetchall()
    assert [row[0] for row in found] == [float_text(one, single) for one in numbers]


# --- What a column cannot hold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "value", "message"),
    [
        ("smallint", 40_000, "'x': expected a whole number of 16 bits for the type smallint, found int '40000'"),
        ("integer", True, "'x': expected a whole number of 32 bits for the type integer, found true or false"),
        ("boolean", 1, "'x': expected true or false for the type boolean, found int '1'"),
        ("numeric(5,2)", Decimal("1.005"), "at most 3 digits before the point and 2 after it"),
        ("numeric(5,2)", 1000, "at most 3 digits before the point and 2 after it"),
        ("numeric", 1.5, "'x': expected an exact number (int or Decimal) for the type numeric, found float '1.5'"),
        ("numeric", Decimal("NaN"), "expected a finite number"),
        ("timestamptz", "2026-01-31T10:00:00", "expected a moment with its time zone, such as"),
        ("timestamptz", 1_700_000_000, "expected a moment in ISO 8601 (of the form time: {as: iso})"),
        ("timestamp", "2026-01-31T10:00:00Z", "expected a moment without time zone"),
        ("date", "yesterday", "expected a day, such as 2026-01-31"),
        ("uuid", "no", "expected a UUID"),
        ("varchar(3)", "four", "expected at most 3 characters for the type character varying(3), found 4: 'four'"),
        ("text", "a\0b", "expected text without the character NUL"),
        ("text", "\ud800", "expected text that UTF-8 can hold for the type text, found half of a surrogate pair"),
        ("text", ["a"], "expected text for the type text, found list"),
        ("text[]", "a", "'x': expected a list, as the type text[] has, found str 'a'"),
        ("text[]", ["a", ["b"]], "'x[1]': expected text for the type text[], found list"),
        ("jsonb", {"a": "\0"}, "expected a JSON value for the type jsonb, found a text with the character NUL"),
        ("jsonb", {1: 2}, "found the name 1, which is not text"),
        ("jsonb", b"x", "of which JSON knows nothing"),
        ("bytea", 5, "expected bytes or text for the type bytea, found int '5'"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_named(type_: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        type_of(type_).settled(value, "x")
    assert message in str(error.value)


def test_what_lies_in_a_table_and_no_record_says_is_a_difference_and_no_crash(connection: psycopg.Connection) -> None:
    """A large object that is gone, an array of two dimensions, moments that Python does not have."""
    rows = aggregate(CONFIG, {"id": "odd", "file": b"gone", "names": ["a", "b"]})
    copy_aggregates(connection, CONFIG, [rows])
    connection.execute("SELECT lo_unlink(file) FROM things")
    connection.execute(
        "UPDATE things SET names = '{{a,b}}', at = 'infinity', local = '0044-03-15 BC', exact = 'NaN', "
        "day = '-infinity'"
    )
    (found,) = read_records(connection, CONFIG)
    connection.execute("DELETE FROM things")
    item = orjson.loads(found.item)
    assert item["file"] == "a large object that is not there"
    assert item["names"] == "{{a,b}}"
    assert item["at"] == "infinity"
    assert item["local"] == "0044-03-15 00:00:00 BC"
    assert (item["exact"], item["day"]) == ("NaN", "-infinity")


def test_records_come_in_the_order_of_their_keys_bytes(connection: psycopg.Connection) -> None:
    keys = ["b", "B", "a", "é", "z", "aa", "a b", "10", "9", "𝒢", "Z"]
    copy_aggregates(connection, CONFIG, [aggregate(CONFIG, {"id": key}) for key in keys])
    found = [record.key for record in read_records(connection, CONFIG)]
    connection.execute("DELETE FROM things")
    assert found == sorted(keys, key=str.encode)
