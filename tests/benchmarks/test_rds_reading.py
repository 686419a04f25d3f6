"""Reading a database's inventory beside the floor: PostgreSQL's own COPY of the same rows through psycopg."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_reading import read_records
from drills.stores.rds_records import Aggregate, aggregate
from drills.stores.rds_sessions import connect_to
from drills.stores.rds_writing import copy_aggregates

pytestmark = pytest.mark.benchmark

ROWS = 300_000
SCHEMA = """
CREATE TABLE sales (id bigint PRIMARY KEY, who text, amount numeric(12,2), at timestamptz);
CREATE TABLE lines (id bigint REFERENCES sales, n integer, sku text, PRIMARY KEY (id, n));
"""
SALES = {"key": "id", "columns": {"id": "bigint", "who": "text", "amount": "numeric(12,2)", "at": "timestamptz"}}
LINES = {"of": "sales", "by": "id", "order": "n", "as": "lines", "columns": {"n": "integer", "sku": "text"}}
SIMPLE = DatabaseConfig.model_validate({"schema": SCHEMA, "tables": {"sales": SALES}})
WITH_LINES = DatabaseConfig.model_validate({"schema": SCHEMA, "tables": {"sales": SALES, "lines": LINES}})


def made(count: int) -> Iterator[Aggregate]:
    for n in range(count):
        sale = {"id": n, "who": f"person {n}", "amount": Decimal(n % 10**9).scaleb(-2), "at": "2026-01-31T09:30:00Z"}
        yield aggregate(WITH_LINES, {**sale, "lines": [{"sku": f"sku {n}"}] if n % 3 == 0 else []})


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    engine = PostgresEngine()
    try:
        address = engine.create(Credentials("master", "s3cret"), "shop").address
        with connect_to(address.host, address.port, "master", "s3cret", "shop") as connection:
            connection.execute(SCHEMA)
            copy_aggregates(connection, WITH_LINES, made(ROWS))
            connection.execute("ANALYZE")
            yield connection
    finally:
        engine.close()


def seconds(work: Callable[[], Any]) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def counted(connection: psycopg.Connection, config: DatabaseConfig) -> int:
    return sum(1 for _ in read_records(connection, config))


def plain_copy(connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor, cursor.copy("COPY (SELECT * FROM sales ORDER BY id::text) TO STDOUT") as copy:
        for _ in copy:
            pass


def test_simple_rows_are_read_at_a_hundred_thousand_a_second(connection: psycopg.Connection) -> None:
    """And within four times of a plain COPY of the same rows in the same order."""
    assert counted(connection, SIMPLE) == ROWS
    ours, floor = seconds(lambda: counted(connection, SIMPLE)), seconds(lambda: plain_copy(connection))
    joined = seconds(lambda: counted(connection, WITH_LINES))
    print(f"{ROWS / ours:,.0f} rows/s, {ours / floor:.1f} times a COPY; {ROWS / joined:,.0f} with lines")  # noqa: T201
    assert ours < ROWS / 100_000
    assert ours < 4 * floor


def test_memory_stays_flat(connection: psycopg.Connection) -> None:
    tracemalloc.start()
    try:
        counted(connection, WITH_LINES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
