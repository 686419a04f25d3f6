"""What differs between two real databases is named, and nothing else is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from drills.errors import ComparisonError, UsageError
from drills.row_comparison import ColumnDifference, Discrepancy, RowDifference, compare, digests
from tests.row_comparison.conftest import Databases, run

EVERYTHING = """
CREATE TABLE everything (
  id bigint PRIMARY KEY, small smallint, whole integer NOT NULL, number oid, yes boolean, money_ money,
  exact numeric(12,2), free numeric, single real, double double precision, label text, short varchar(20),
  padded char(8), day date, moment timestamptz, local timestamp, hour time, span interval, reference uuid,
  details jsonb, raw json, content bytea, labels text[], floats float8[], place point, found tsvector, address inet,
  twice bigint GENERATED ALWAYS AS (id * 2) STORED)"""
ROWS = """
INSERT INTO everything SELECT g, g, g, g, g % 2 = 0, g, g / 3.0, g / 7.0, g / 3.0, g / 3.0, 'label ' || g, 'short',
  'padded', date '2026-01-01' + g, timestamptz '2026-01-01 00:00:00.123456Z' + g * interval '1 hour',
  timestamp '2026-01-01' + g * interval '1 hour', time '00:00' + g * interval '1 second', g * interval '1 day',
  md5(g::text)::uuid, jsonb_build_object('n', g), json_build_object('n', g), int8send(g), ARRAY['a', g::text],
  ARRAY[g / 3.0], point(g, g), to_tsvector('simple', 'word' || g), inet '10.0.0.1' + g
FROM generate_series(1, 300) AS g;"""


def changed(databases: Databases, *statements: str, keep: int = 100) -> tuple[RowDifference, ...]:
    """The rows that differ after these statements in the target."""
    run(databases.target, *statements)
    compared = compare(*databases.each(), keep=keep)
    assert compared.discrepancies == ()
    return tuple(row for table in compared.tables for row in table.differences)


@pytest.fixture
def filled(databases: Databases) -> Databases:
    databases.both(EVERYTHING, ROWS, "ANALYZE")
    return databases


def test_equal_databases_are_the_same_whatever_their_settings(filled: Databases) -> None:
    run(
        filled.target,
        "ALTER DATABASE shop SET timezone = 'Asia/Tokyo'",
        "ALTER DATABASE shop SET datestyle = 'German'",
        "ALTER DATABASE shop SET intervalstyle = 'iso_8601'",
        "ALTER DATABASE shop SET extra_float_digits = -10",
        "ALTER DATABASE shop SET bytea_output = 'escape'",
        "ALTER DATABASE shop SET search_path = public",
    )
    try:
        compared = compare(*filled.each())
    finally:
        run(filled.target, "ALTER DATABASE shop RESET ALL")
    assert compared.same
    (table,) = compared.tables
    assert (table.source_rows, table.target_rows, table.key) == (300, 300, ("id",))
    assert "twice" not in table.columns


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("small", "-7"),
        ("whole", "whole + 1"),
        ("number", "4294967295"),
        ("yes", "NULL"),
        ("money_", "money_ + 0.01::money"),
        ("exact", "-exact"),
        ("exact", "exact + 0.01"),
        ("free", "7.0000000000000000000"),
        ("free", "-free"),
        ("single", "single + 1"),
        ("double", "double + 1e-15"),
        ("label", "label || ' '"),
        ("label", "NULL"),
        ("label", "''"),
        ("short", "NULL"),
        ("padded", "'Padded'"),
        ("day", "'infinity'"),
        ("moment", "moment + interval '1 microsecond'"),
        ("moment", "'-infinity'"),
        ("local", "local - interval '1 microsecond'"),
        ("hour", "hour + interval '1 microsecond'"),
        ("span", "span * 24 / 24 + interval '1 day' - interval '24 hours'"),
        ("reference", "gen_random_uuid()"),
        ("details", """'{"n": 7.0}'"""),
        ("raw", """'{"n":7}'"""),
        ("content", "content || '\\x00'"),
        ("labels", "labels || NULL::text"),
        ("floats", "ARRAY[0.1::float8]"),
        ("place", "point(0, 0)"),
        ("found", "to_tsvector('simple', 'another')"),
        ("address", "NULL"),
    ],
)
def test_a_value_that_differs_is_named_by_row_and_column(filled: Databases, column: str, value: str) -> None:
    (row,) = changed(filled, f"UPDATE everything SET {column} = {value} WHERE id = 7")
    assert (row.kind, row.key) == ("different", {"id": "7"})
    assert [one.column for one in row.columns] == [column]


@pytest.mark.parametrize(("wide", "other"), [("bigint", str(1 << 32)), ("timestamptz", "")])
def test_values_whose_halves_fold_to_the_same_differ(databases: Databases, wide: str, other: str) -> None:
    """One of PostgreSQL's hashes alone would take them for equal."""
    databases.both(f"CREATE TABLE t (id int PRIMARY KEY, v {wide})")
    values = ("1", other) if other else (f"'epoch'::{wide}", f"'epoch'::{wide}")
    for place, value in zip(databases.each(), values, strict=True):
        run(place, f"INSERT INTO t VALUES (1, {value})")
    if not other:
        # 1 and 2^32 microseconds after 2000, which is where a timestamp's number is zero.
        for place, step in zip(databases.each(), (1, 1 << 32), strict=True):
            run(place, f"UPDATE t SET v = timestamptz '2000-01-01 00:00:00Z' + {step} * interval '1 microsecond'")
    functions = {"bigint": "hashint8extended", "timestamptz": "timestamptz_hash_extended"}
    hashes = {run(place, f"SELECT {functions[wide]}(v, 1) FROM t")[0] for place in databases.each()}
    assert len(hashes) == 1
    assert compare(*databases.each()).tables[0].different == 1


@pytest.mark.parametrize("type_", ["numeric(12,2)", "bigint", "text", "uuid", "bytea"])
def test_values_that_rows_exchanged_are_noticed(databases: Databases, type_: str) -> None:
    databases.both(f"CREATE TABLE t (id int PRIMARY KEY, v {type_})")
    values = {"uuid": ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")}
    one, other = values.get(type_, ("1", "10000"))
    run(databases.source, f"INSERT INTO t VALUES (1, '{one}'), (2, '{other}')")
    run(databases.target, f"INSERT INTO t VALUES (1, '{other}'), (2, '{one}')")
    assert compare(*databases.each()).tables[0].different == 2


def test_older_servers_hash_texts_where_newer_ones_hash_bytes(
    filled: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "BINARY_HASH", 99)
    monkeypatch.setattr(digests, "TRIM_SCALE", 99)
    assert compare(*filled.each()).same
    moved = "moment = moment + interval '1 microsecond', content = '\\x00', hour = NULL"
    (row,) = changed(filled, f"UPDATE everything SET {moved} WHERE id = 7")
    assert [one.column for one in row.columns] == ["moment", "hour", "content"]


def test_databases_of_different_encodings(databases: Databases) -> None:
    made = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc"
    run(databases.target, "DROP DATABASE IF EXISTS latin", made)
    latin = databases.target.replace("dbname=shop", "dbname=latin")
    for place in (databases.source, latin):
        run(place, "CREATE TABLE t (id text PRIMARY KEY, v text)", "INSERT INTO t VALUES ('é', 'ü'), ('b', NULL)")
    assert compare(databases.source, latin).same
    run(latin, "UPDATE t SET v = 'ö' WHERE id = 'é'")
    (row,) = compare(databases.source, latin).tables[0].differences
    assert (row.key, row.columns) == ({"id": "é"}, (ColumnDifference("v", "ü", "ö"),))


def test_rows_missing_and_extra(filled: Databases) -> None:
    found = changed(filled, "DELETE FROM everything WHERE id IN (5, 200)", "INSERT INTO everything VALUES (301, 1, 1)")
    assert {(row.kind, row.key["id"]) for row in found} == {("missing", "5"), ("missing", "200"), ("extra", "301")}


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ('a text COLLATE "en_US", b int', "SELECT chr(65 + g % 60) || E'\\t\\n\\\\' || g, 0"),
        ("a uuid", "SELECT md5(g::text)::uuid"),
        ("a timestamptz", "SELECT timestamptz '2026-01-01Z' + g * interval '1 us'"),
        ("a numeric", "SELECT g / 8.0"),
        ("a bigint", "SELECT g * 1000000007::bigint - 5e11"),
        ("a bigint", "SELECT 9223372036854775807 - g"),
        ("a smallint", "SELECT g - 150"),
        ("a date, b uuid, c text", "SELECT date '2026-01-01' + g % 7, md5(g::text)::uuid, 'é' || g"),
        ("a boolean, b char(8)", "SELECT g % 2 = 0, g::text"),
    ],
)
def test_keys_of_many_kinds(databases: Databases, key: str, keys: str) -> None:
    if "en_US" in key:
        databases.both("CREATE COLLATION \"en_US\" (provider = builtin, locale = 'C.UTF-8')")
    names = [part.split()[0] for part in key.split(", ")]
    databases.both(
        f"CREATE TABLE t ({key}, n int, v text, PRIMARY KEY ({', '.join(names)}))",
        f"INSERT INTO t SELECT k.*, s.g, 'v' FROM generate_series(0, 299) AS s(g), LATERAL ({keys}) AS k",
    )
    run(databases.target, "UPDATE t SET v = 'w' WHERE n = 17", "DELETE FROM t WHERE n = 250")
    compared = compare(*databases.each())
    rows: dict[str, RowDifference] = {row.kind: row for row in compared.tables[0].differences}
    assert compared.tables[0].key == tuple(names)
    assert rows.keys() == {"missing", "different"}
    for kind, n in (("different", 17), ("missing", 250)):
        texts = ", ".join(f"{name}::text" for name in names)
        expected = run(databases.source, "SET timezone = 'UTC'", f"SELECT {texts} FROM t WHERE n = {n}")[0]
        found = tuple(rows[kind].key.values())
        assert found == tuple(v.rstrip("0").rstrip(".") if key == "a numeric" else v for v in expected)


def test_a_key_of_another_scale_is_the_same_key(databases: Databases) -> None:
    databases.both("CREATE TABLE t (id numeric PRIMARY KEY)")
    run(databases.source, "INSERT INTO t VALUES (1.0)")
    run(databases.target, "INSERT INTO t VALUES (1.00)")
    (row,) = compare(*databases.each()).tables[0].differences
    assert (row.kind, row.key, row.columns) == ("different", {"id": "1"}, (ColumnDifference("id", "1.0", "1.00"),))


def test_rows_without_a_key_are_compared_as_often_as_they_are_there(databases: Databases) -> None:
    databases.both("CREATE TABLE t (v int, w numeric(8,2))")
    run(databases.source, "INSERT INTO t VALUES (1, 1), (1, 1), (2, NULL), (2, NULL)")
    run(databases.target, "INSERT INTO t VALUES (1, 1), (1, 1), (1, 1), (1, 1)")
    (table,) = compare(*databases.each()).tables
    assert (table.key, table.missing, table.extra, table.different) == ((), 2, 2, 0)
    missing = RowDifference(
        "public.t", "missing", {}, (ColumnDifference("v", "2", None), ColumnDifference("w", None, None))
    )
    assert table.differences[:2] == (missing, missing)


def test_a_unique_index_that_allows_null_is_no_key(databases: Databases) -> None:
    databases.both("CREATE TABLE t (v int UNIQUE, w int NOT NULL UNIQUE)")
    assert compare(*databases.each()).tables[0].key == ("w",)


def test_partitions_are_compared_as_their_root_wherever_rows_lie(databases: Databases) -> None:
    for place, bound in zip(databases.each(), (10, 20), strict=True):
        run(
            place,
            "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)",
            f"CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (MINVALUE) TO ({bound})",
            "CREATE TABLE t_high PARTITION OF t DEFAULT",
            "INSERT INTO t SELECT g, 'v' FROM generate_series(1, 50) AS g",
        )
    assert [table.table for table in compare(*databases.each()).tables] == ["public.t"]
    (row,) = changed(databases, "UPDATE t SET v = 'w' WHERE id = 15")
    assert row.key == {"id": "15"}


def test_columns_and_tables_of_one_side_are_named_and_the_rest_is_compared(databases: Databases) -> None:
    run(databases.source, "CREATE TABLE t (id int PRIMARY KEY, v int, gone int)", "CREATE TABLE lost (id int)")
    run(databases.target, "CREATE TABLE t (id bigint PRIMARY KEY, v int)", "CREATE TABLE more (id int)")
    databases.both("INSERT INTO t (id, v) VALUES (1, 1), (2, 2)")
    run(databases.target, "UPDATE t SET v = 3 WHERE id = 2")
    compared = compare(*databases.each())
    assert compared.discrepancies == (
        Discrepancy("table public.lost", "there", "absent"),
        Discrepancy("table public.more", "absent", "there"),
        Discrepancy("column id of public.t", "integer", "bigint"),
        Discrepancy("column gone of public.t", "integer", "absent"),
    )
    (row,) = compared.tables[0].differences
    assert (row.key, row.columns) == ({"id": "2"}, (ColumnDifference("v", "2", "3"),))


def test_a_key_that_one_side_has_not_is_told_and_not_used(databases: Databases) -> None:
    run(databases.source, "CREATE TABLE t (id int PRIMARY KEY)")
    run(databases.target, "CREATE TABLE t (id int NOT NULL)")
    compared = compare(*databases.each())
    assert compared.discrepancies == (Discrepancy("unique keys of public.t", "id", "none"),)
    assert compared.tables[0].key == ()


def test_large_objects(databases: Databases) -> None:
    databases.both("SELECT lo_from_bytea(1000, 'abc'), lo_from_bytea(1001, repeat('x', 5000000)::bytea)")
    assert compare(*databases.each()).same
    (row,) = changed(databases, "SELECT lo_put(1001, 4500000, 'y')")
    assert (row.table, row.key) == ("large objects", {"oid": "1001"})


@pytest.mark.parametrize(
    ("source", "target", "same"), [(100, 100, True), (100, 101, True), (100, 133, False), (100, 99, False)]
)
def test_a_sequence_may_be_ahead_by_what_recovery_leaves(
    databases: Databases, source: int, target: int, same: bool
) -> None:
    databases.both("CREATE SEQUENCE numbers")
    for place, value in zip(databases.each(), (source, target), strict=True):
        run(place, f"SELECT setval('numbers', {value})")
    compared = compare(*databases.each())
    assert compared.same is same
    assert [(one.source, one.target) for one in compared.sequences] == ([] if source == target else [(source, target)])


def test_each_side_is_read_as_of_one_moment(databases: Databases) -> None:
    databases.both(
        "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)", "INSERT INTO a VALUES (1)"
    )
    run(databases.target, "DELETE FROM a")

    def meanwhile(row: RowDifference) -> None:
        run(databases.target, "INSERT INTO b VALUES (1)")

    compared = compare(*databases.each(), each=meanwhile)
    assert [(table.table, table.same) for table in compared.tables] == [("public.a", False), ("public.b", True)]


def test_names_that_need_quotes(databases: Databases) -> None:
    databases.both(
        'CREATE TABLE "od\'d ""%s""" ("Id %" int PRIMARY KEY, "v\'" text)',
        'INSERT INTO "od\'d ""%s""" VALUES (1, \'a\')',
    )
    (row,) = changed(databases, 'UPDATE "od\'d ""%s""" SET "v\'" = \'%\'')
    assert (row.key, row.columns) == ({"Id %": "1"}, (ColumnDifference("v'", "a", "%"),))


def test_only_the_first_are_kept_and_all_are_told(filled: Databases) -> None:
    run(filled.target, "UPDATE everything SET whole = 0")
    told: list[RowDifference] = []
    (table,) = compare(*filled.each(), ["everything"], keep=3, each=told.append).tables
    assert (table.different, len(table.differences), len(told)) == (300, 3, 300)


def test_few_parts_are_read_where_few_rows_differ(databases: Databases) -> None:
    databases.both(
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        "INSERT INTO t SELECT g, g FROM generate_series(1, 9000) AS g",
        "ANALYZE t",
    )
    run(databases.target, "UPDATE t SET v = 0 WHERE id BETWEEN 5000 AND 5010")
    (table,) = compare(*databases.each()).tables
    assert (table.different, table.parts_read <= 2, table.parts > 300) == (11, True, True)


def test_a_policy_that_hides_rows_is_no_equality(databases: Databases) -> None:
    databases.both(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE t FORCE ROW LEVEL SECURITY",
    )
    with pytest.raises(UsageError, match=r"may not read everything: .*row-level security.*Grant it"):
        compare(*databases.each())


def test_nothing_is_left_open_and_a_given_connection_stays(databases: Databases) -> None:
    databases.both("CREATE TABLE t (id int PRIMARY KEY)")
    with psycopg.connect(databases.source) as connection:
        before: Any = connection.execute("SHOW timezone").fetchone()
        with pytest.raises(UsageError, match="within a transaction"):
            compare(connection, databases.target)
        connection.commit()
        assert compare(connection, databases.target).same
        assert connection.execute("SHOW timezone").fetchone() == before
        connection.rollback()


def test_a_side_that_breaks_off_is_an_error_that_names_it(databases: Databases) -> None:
    databases.both("CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE u (id int PRIMARY KEY)")
    run(databases.source, "INSERT INTO t VALUES (1)")

    def cut(row: RowDifference) -> None:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'drills'"
        run(databases.target, ended)

    with pytest.raises(ComparisonError, match="The target broke off the comparison"):
        compare(*databases.each(), each=cut)


@pytest.mark.parametrize(
    "place", ["host=127.0.0.1 port=1 password=hush", "postgresql://u:hu%zzsh@h/d", "no_such_service"]
)
def test_no_connection_is_told_without_the_password(databases: Databases, place: str) -> None:
    with pytest.raises(UsageError, match=r"^The target ") as told:
        compare(databases.source, place)
    assert "hush" not in str(told.value)
    assert "zz" not in str(told.value)


def test_a_table_that_neither_has(databases: Databases) -> None:
    databases.both(
        "CREATE TABLE orders (id int PRIMARY KEY)", "CREATE SCHEMA other", "CREATE TABLE other.orders (id int)"
    )
    with pytest.raises(UsageError, match=r"Neither side has a table 'order'"):
        compare(*databases.each(), ["order"])
    with pytest.raises(UsageError, match=r"more than one table 'orders': other.orders, public.orders"):
        compare(*databases.each(), ["orders"])
    assert [table.table for table in compare(*databases.each(), ["other.orders"]).tables] == ["other.orders"]
