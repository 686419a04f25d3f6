"""Any two tables: the comparison names exactly the rows and columns that a plain one in Python names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.row_comparison import RowDifference, compare
from tests.row_comparison.conftest import Databases

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
NUMBERS = st.sampled_from([0, 1, -1, 1 << 32, -(1 << 32), 4294967297, (1 << 63) - 1, -(1 << 63)]) | st.integers(-9, 9)
AMOUNTS = st.sampled_from(["0", "1", "1.0", "1.00", "-1", "10000", "-10000", "0.0001", "NaN"]).map(Decimal)
VALUES = st.tuples(
    st.none() | NUMBERS,
    st.none() | AMOUNTS,
    st.none() | AMOUNTS.map(lambda amount: amount if amount.is_nan() else round(amount, 2)),
    st.none() | TEXTS,
    st.none() | st.sampled_from([0.0, 1.5, 1e300, float("inf")]),
    st.none() | st.binary(max_size=3),
    st.none() | st.booleans(),
)
COLUMNS = "n bigint, free numeric, exact numeric(9,2), label text, ratio float8, content bytea, yes boolean"
NAMES = [column.split()[0] for column in COLUMNS.split(", ")]
KEYS = st.tuples(
    st.integers(-20, 20) | st.integers(-(1 << 63), (1 << 63) - 1), st.sampled_from(["", "a", "A", "\t\\é"])
)
Row = tuple[Any, ...]
ANY_TABLE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def two_tables(draw: st.DrawFn) -> tuple[dict[Row, Row], dict[Row, Row]]:
    """Two tables of which most rows are the same."""
    source = draw(st.dictionaries(KEYS, VALUES, max_size=40))
    target = dict(source)
    for key in draw(st.lists(st.sampled_from(sorted(source)), max_size=5)) if source else ():
        target.pop(key, None)
    for key in draw(st.lists(st.sampled_from(sorted(source)), max_size=5)) if source else ():
        target[key] = draw(VALUES)
    target.update(draw(st.dictionaries(KEYS, VALUES, max_size=5)))
    return source, target


def fill(place: str, made: str, lines: list[Row]) -> None:
    with psycopg.connect(place) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute(made)
        places = ", ".join(["%s"] * (len(NAMES) + 2))
        cursor.executemany(f"INSERT INTO t VALUES ({places})", lines)
        cursor.execute("ANALYZE t")


def unlike(ours: Row, theirs: Row) -> list[str]:
    """Decimals differ by their digits, as text does."""
    return [name for name, one, other in zip(NAMES, ours, theirs, strict=True) if str(one) != str(other)]


def told(found: list[RowDifference], kind: str) -> dict[Row, list[str]]:
    return {
        (int(row.key["a"]), row.key["b"]): [column.column for column in row.columns]
        for row in found
        if row.kind == kind
    }


@ANY_TABLE
@given(two_tables(), st.booleans())
def test_rows_with_a_key(
    databases: Databases, tables: tuple[dict[Row, Row], dict[Row, Row]], partitioned: bool
) -> None:
    source, target = tables
    made = f"CREATE TABLE t (a bigint, b text, {COLUMNS}, PRIMARY KEY (a, b))"
    split = " PARTITION BY RANGE (a)" if partitioned else ""
    for place, lines in zip(databases.each(), (source, target), strict=True):
        more = "; CREATE TABLE t_rest PARTITION OF t DEFAULT" if partitioned else ""
        fill(place, made + split + more, [(*key, *values) for key, values in lines.items()])
    found: list[RowDifference] = []
    (table,) = compare(*databases.each(), ["t"], each=found.append).tables
    different = {key: unlike(source[key], target[key]) for key in source.keys() & target.keys()}
    assert told(found, "missing").keys() == source.keys() - target.keys()
    assert told(found, "extra").keys() == target.keys() - source.keys()
    assert told(found, "different") == {key: names for key, names in different.items() if names}
    assert len(found) == table.missing + table.extra + table.different
    assert (table.source_rows, table.target_rows) == (len(source), len(target))


@ANY_TABLE
@given(st.lists(VALUES, max_size=12), st.lists(VALUES, max_size=4), st.data())
def test_rows_without_a_key(databases: Databases, shared: list[Row], more: list[Row], data: st.DataObject) -> None:
    source = shared + data.draw(st.lists(st.sampled_from(shared), max_size=4) if shared else st.just([]))
    target = shared + more
    made = f"CREATE TABLE t (a int, b int, {COLUMNS})"
    for place, lines in zip(databases.each(), (source, target), strict=True):
        fill(place, made, [(1, None, *values) for values in lines])
    (table,) = compare(*databases.each(), ["t"]).tables
    ours, theirs = (Counter(tuple(map(str, values)) for values in lines) for lines in (source, target))
    assert table.missing == (ours - theirs).total()
    assert table.extra == (theirs - ours).total()
    assert len(table.differences) == table.missing + table.extra


@ANY_TABLE
@given(st.sets(st.integers(-300, 300)), st.sets(st.integers(-300, 300)), st.sampled_from([0, 1000, -5000]))
def test_ranges_of_integers(databases: Databases, missing: set[int], extra: set[int], shift: int) -> None:
    """Rows near the ends of ranges, and behind the last one of the other side, are in the right part."""
    for place, gone in zip(databases.each(), (extra, missing), strict=True):
        with psycopg.connect(place) as connection:
            connection.execute("DROP TABLE IF EXISTS t")
            connection.execute("CREATE TABLE t (id int PRIMARY KEY)")
            kept = [number + shift for number in range(-300, 301) if number not in gone]
            connection.execute("INSERT INTO t SELECT unnest(%s::int[])", [kept])
            connection.execute("ANALYZE t")
    found: list[RowDifference] = []
    compare(*databases.each(), ["t"], each=found.append)
    by_kind: Mapping[str, set[int]] = {
        kind: {int(row.key["id"]) - shift for row in found if row.kind == kind} for kind in ("missing", "extra")
    }
    assert by_kind == {"missing": missing - extra, "extra": extra - missing}
