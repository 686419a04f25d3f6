"""Comparing two databases, beside reladiff and beside one aggregate over each table; a million rows against a ledger.

Everything runs on loopback, on two servers of this machine. reladiff is in no extra, as it brings a parser and a driver
of its own: name the Python that has it (``pip install reladiff psycopg2-binary``) in ``RELADIFF_PYTHON``. ``ROWS`` has
the comparisons run on another number of rows than a million, such as 5000000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, LiteralString, cast

import psycopg
import pytest

from drills.ledger import Ledger
from drills.model import JSON, Write
from drills.row_comparison import Comparison, RowDifference, compare
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials, Server
from drills.stores.rds import kind
from drills.stores.rds_reading import read_records
from drills.stores.rds_sessions import connect_to
from drills.verify import Expectations, Reading, verify

pytestmark = pytest.mark.benchmark
ROWS = int(os.environ.get("ROWS", "1000000"))
MASTER = Credentials("master", "on loopback only")
COLUMNS = ("name", "amount", "rate", "at", "settled", "reference")
MAKE: LiteralString = """
CREATE TABLE {table} (
  id bigint PRIMARY KEY, name text NOT NULL, amount numeric(12,2) NOT NULL, rate float8, at timestamptz NOT NULL,
  settled boolean, reference uuid);
INSERT INTO {table} SELECT g, 'Somebody with a name and a number ' || g, (g % 100000) / 7.0, g / 3.0,
  timestamptz '2026-01-01 00:00:00.123456Z' + g * interval '1 second', g % 2 = 0, md5(g::text)::uuid
FROM generate_series(1, {rows}) AS g;
UPDATE {table} SET amount = amount + 0.01 WHERE id % 100 = {changed};
VACUUM FULL ANALYZE {table};
"""
AGGREGATE: LiteralString = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t"
RELADIFF = """
import json, sys, time
from reladiff import connect_to_table, diff_tables
urls, table, key, columns, threads = json.load(sys.stdin)
sides = [connect_to_table(url, table, key, thread_count=threads) for url in urls]
began, cpu = time.perf_counter(), time.process_time()
found = [[sign, row[0]] for sign, row in diff_tables(*sides, extra_columns=tuple(columns))]
print(json.dumps([time.perf_counter() - began, found]))
"""


@dataclass(frozen=True, slots=True)
class Databases:
    """Two servers with a table ``same`` and a table ``apart``, one row in a hundred of which differs.

    ``few`` is as ``apart``, with a tenth of the rows.
    """

    source: str
    target: str


def url(server: Server) -> str:
    return psycopg.conninfo.make_conninfo(
        host=server.address.host, port=server.address.port, user=MASTER.user, password=MASTER.password, dbname="shop"
    )


def filled(url: str, rows: int, changed: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table, part, size in (("same", -1, rows), ("apart", changed, rows), ("few", changed, rows // 10)):
            for statement in MAKE.format(table=table, rows=size, changed=part).split(";")[:-1]:
                connection.execute(statement)


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    engine = PostgresEngine()
    try:
        servers = [engine.create(MASTER, "shop") for _ in range(2)]
        places = [url(server) for server in servers]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(filled, places, (ROWS, ROWS), (-1, 7)))
        yield Databases(*places)
    finally:
        engine.close()


def timed(work: Callable[[], object], turns: int = 2) -> float:
    """The best of some turns, in seconds: the others were disturbed."""
    seconds = []
    for _ in range(turns):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def with_reladiff(databases: Databases, table: str, threads: int) -> tuple[float, list[tuple[str, str]]]:
    """Seconds without its start, and what it names."""
    python = os.environ.get("RELADIFF_PYTHON", sys.executable)
    urls = [as_uri(one) for one in (databases.source, databases.target)]
    given = json.dumps([urls, table, "id", COLUMNS, threads])
    done = subprocess.run([python, "-c", RELADIFF], input=given, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip("reladiff is not installed: name a Python that has it in RELADIFF_PYTHON")
    assert done.returncode == 0, done.stderr
    seconds, found = json.loads(done.stdout)
    return seconds, [(sign, key) for sign, key in found]


def as_uri(place: str) -> str:
    parts = psycopg.conninfo.conninfo_to_dict(place)
    password = str(parts["password"]).replace(" ", "%20")
    return f"postgresql://{parts['user']}:{password}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def aggregated(databases: Databases, table: str) -> None:
    """One aggregate over each table, both at the same time, as the comparison reads them."""

    def ask(place: str) -> None:
        with psycopg.connect(place) as connection:
            connection.execute(AGGREGATE.format(table=table)).fetchone()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, (databases.source, databases.target)))


@pytest.mark.parametrize("table", ["same", "apart"])
def test_five_times_as_fast_as_reladiff_and_as_cheap_as_aggregates(databases: Databases, table: str) -> None:
    found: list[RowDifference] = []

    def compared() -> Comparison:
        found.clear()
        return compare(databases.source, databases.target, [table], each=found.append)

    ours = timed(compared)
    aggregate = timed(lambda: aggregated(databases, table))
    theirs, named = min(with_reladiff(databases, table, threads) for threads in (1, 2))
    print(  # noqa: T201
        f"{ROWS:,} rows, {len(found):,} of them different: {ours:.2f} s; reladiff {theirs:.2f} s, "
        f"{theirs / ours:.1f} times; an aggregate over each {aggregate:.2f} s, of which we take {ours / aggregate:.1f}"
    )
    expected = {str(number) for number in range(7, ROWS + 1, 100)} if table == "apart" else set()
    assert {row.key["id"] for row in found} == expected
    assert len(found) == len(expected)
    assert {column.column for row in found for column in row.columns} <= {"amount"}
    assert {key for _, key in named} == expected
    assert ours * 5 <= theirs
    assert ours <= 2 * aggregate


def test_memory_does_not_grow_with_the_rows(databases: Databases) -> None:
    """In a process of its own; the differences that are told are not kept."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from drills.row_comparison import compare\n"
        "for table in ('few', 'apart'):\n"
        "    compare(sys.argv[1], sys.argv[2], [table])\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    print(status.partition('VmHWM:')[2].split()[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, databases.source, databases.target], capture_output=True, text=True, check=True
    )
    few, many = (int(number) / 1024 for number in done.stdout.split())
    print(f"Peak for {ROWS // 10:,} rows {few:.0f} MB, for {ROWS:,} rows {many:.0f} MB")  # noqa: T201
    assert many - few < 25


# --- Rows against a ledger -------------------------------------------------------------------------------------------

LEDGER_ROWS = 1_000_000
PAYMENTS: dict[str, JSON] = {
    "engine": "postgres",
    "instance_class": "db.t4g.medium",
    "application": "master",
    "schema": """CREATE TABLE payments (
      id text PRIMARY KEY, amount numeric(12,2), at timestamptz, note text, details jsonb)""",
    "tables": {
        "payments": {
            "key": "id",
            "columns": {
                "id": "text",
                "amount": "numeric(12,2)",
                "at": "timestamptz",
                "note": "text",
                "details": "jsonb",
            },
        }
    },
}
FILL: LiteralString = """
INSERT INTO payments SELECT 'PAY-' || lpad(g::text, 8, '0'), g / 100.0, to_timestamp(1767225600 + g),
  'A note with "quotes" and a number ' || g, jsonb_build_object('n', g, 'by', 'card') FROM generate_series(1, %s) AS g
"""


def payment(number: int) -> dict[str, Any]:
    return {
        "id": f"PAY-{number:08d}",
        "amount": Decimal(number) / 100,
        "at": datetime.fromtimestamp(1767225600 + number, UTC),
        "note": f'A note with "quotes" and a number {number}',
        "details": {"n": number, "by": "card"},
    }


def test_a_million_rows_against_their_ledger() -> None:
    """What is read back is what the store kind gives; one row in 100,000 is lost."""
    config = kind.parse(PAYMENTS)
    ledger = Ledger()
    for number in range(1, LEDGER_ROWS + 1):
        record = payment(number)
        ledger.append(Write(number, kind.key_of(config, record), "put", kind.encode(config, record), 1, 2))
    engine = PostgresEngine()
    try:
        server = engine.create(MASTER, "shop")
        address = server.address
        with connect_to(address.host, address.port, MASTER.user, MASTER.password, "shop") as connection:
            connection.execute(cast("Any", config.db_schema))
            connection.execute(FILL, [LEDGER_ROWS])
            connection.execute("DELETE FROM payments WHERE id LIKE '%00000'")
            connection.execute("VACUUM ANALYZE payments")
            began, cpu = time.perf_counter(), time.process_time()
            found = verify(Expectations(ledger), read_records(connection, config), Reading(0, 0))
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    finally:
        engine.close()
    print(f"{LEDGER_ROWS:,} rows against their ledger: {seconds:.1f} s, of which {cpu:.1f} s of CPU here")  # noqa: T201
    assert (found.counts.recovered, found.counts.lost) == (LEDGER_ROWS - 10, 10)
    assert seconds <= 20
