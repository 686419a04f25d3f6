"""A cell of a database with 100,000 rows, restored by PITR, beside what the bare servers need for the same rows.

The records are those of ``fixtures/payments.yaml``: a payment with its lines, some with a large object. The bare
servers take the finished rows by one COPY a table, are restored from an image and the log, and give the rows back in
the same way: nothing is made, expected or compared.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from drills.collecting import collecting_rarely
from drills.drill_plan import SIMULATED_START
from drills.plugins import load_estate
from drills.records import make_records
from drills.running import run_drill
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials, Server
from drills.stores import rds_sql as sql
from drills.stores.rds import kind
from drills.stores.rds_records import Aggregate
from drills.stores.rds_sessions import connect_to
from drills.stores.rds_writing import copy_aggregates

pytestmark = pytest.mark.benchmark
RECORDS, ROWS = 28_800, 100_000
MASTER = Credentials("master", "on loopback only")
FIXTURE = Path(__file__).parents[2] / "fixtures" / "payments.yaml"


def estate_of_one_cell(folder: Path) -> Path:
    """The estate ``payments`` reduced to its instance, and that to its automated backups."""
    head, _, stores = FIXTURE.read_text().partition("\nstores:\n")
    first, _, rest = stores.partition("\n  - name: refunds\n")
    listed = "      - rds_"
    assert first.count(listed) == 4
    kept = [line for line in first.splitlines(keepends=True) if not line.startswith(listed) or "automated" in line]
    first = "".join(kept)
    response = rest[rest.index("\nresponse:") :]
    path = folder / "cell.yaml"
    path.write_text(f"{head}\nstores:\n{first}{response}")
    return path


def connected(server: Server) -> psycopg.Connection:
    return connect_to(server.address.host, server.address.port, MASTER.user, MASTER.password, "shop")


def test_a_hundred_thousand_rows_restored_by_pitr(tmp_path: Path) -> None:
    path = estate_of_one_cell(tmp_path)
    began, cpu = time.perf_counter(), time.process_time()
    with collecting_rarely():
        report, _ = run_drill(["bulk_erase"], out=tmp_path / "out", estate=str(path), records=RECORDS)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    (cell,) = report.cells
    assert report.verdict == "pass"
    counts = cell.attempts[0].records
    assert counts is not None
    assert counts.recovered > RECORDS * 0.99

    bare, rows = bare_servers(path)
    print(  # noqa: T201
        f"{RECORDS:,} records of {rows:,} rows, PITR: {seconds:.1f} s, of which {cpu:.1f} s of CPU here; the bare "
        f"servers {bare:.1f} s, {seconds / bare:.1f} times"
    )
    assert rows >= ROWS
    assert seconds <= 5 * bare


def bare_servers(path: Path) -> tuple[float, int]:
    """Seconds to copy the rows in, restore the server to its newest moment, and copy them out; and how many rows."""
    (store,) = load_estate(str(path)).stores
    config = store.config
    engine = PostgresEngine()
    try:
        first = engine.create(MASTER, "shop")
        maker = make_records(store.records, 0, SIMULATED_START)
        with connected(first) as connection:
            connection.execute(cast("Any", config.db_schema))
            rows = (cast(Aggregate, kind.outgoing(config, maker.record(n)).payload) for n in range(RECORDS))
            connection.execute("GRANT shop_payments TO CURRENT_USER")
            copy_aggregates(connection, config, rows)
            tables = {table: copied_out(connection, config, table) for table in config.tables}
        second = engine.create(MASTER, "shop")
        with connected(second) as connection:
            connection.execute(cast("Any", config.db_schema))
            image = second.image()
            began = time.perf_counter()
            for table, content in tables.items():
                names = sql.columns_of(config, table)
                with (
                    connection.cursor() as cursor,
                    cursor.copy(sql.copy_in(table, names)) as copy,
                ):
                    copy.write(content)
        restored = engine.restore(image, second.archive, second.position())
        with connected(restored) as connection:
            sizes = {table: len(copied_out(connection, config, table)) for table in config.tables}
        seconds = time.perf_counter() - began
        assert sizes == {table: len(content) for table, content in tables.items()}
        return seconds, sum(content.count(b"\n") for content in tables.values())
    finally:
        engine.close()


def copied_out(connection: psycopg.Connection, config: Any, table: str) -> bytes:
    names = sql.name_list(sql.columns_of(config, table))
    statement = f"COPY (SELECT {names} FROM {sql.table_name(table)}) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(bytes(piece) for piece in copy)
