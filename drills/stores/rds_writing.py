"""How records are written: many at a time by COPY, and one at a time in a transaction as the application does."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING

from drills.model import Location
from drills.site import Site
from drills.stores import Refused
from drills.stores import rds_sql as sql
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_records import Aggregate, Row
from drills.stores.rds_sessions import changing, driver, drop, kept
from drills.stores.rds_types import LARGE_OBJECT

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

BATCH = 2_000
"""Records that are copied in and committed together."""
TURN_SECONDS = 0.0005
STAGING = "drills_staging"


@contextmanager
def transaction(site: Site, at: Location, what: str = "a transaction") -> Iterator[Cursor]:
    """One transaction over the site's connection, as the application's role; ends once COMMIT is acknowledged.

    Raises Refused for whatever happened before COMMIT was sent, and where the server refused that: then nothing was
    written. psycopg's own error says that the answer to COMMIT was lost: nobody knows what became of it.
    """
    with changing(site, at, what, often=True), _transaction(site, at) as cursor:
        yield cursor


@contextmanager
def _transaction(site: Site, at: Location) -> Iterator[Cursor]:
    errors = driver().Error
    connection = kept(site, at)
    cursor = connection.cursor()
    try:
        cursor.execute("; ".join(("BEGIN", *role_of_application(site.store.config))))
        yield cursor
    except BaseException as error:
        _take_back(site, at, cursor)
        if isinstance(error, errors):
            raise Refused(f"{at.name}: the server refused a write before it was committed: {error}") from error
        raise
    try:
        cursor.execute("COMMIT")
    except errors as error:
        # A FATAL error, or none of the server's, may have come after it was committed.
        if error.diag.severity_nonlocalized != "ERROR":
            drop(site, at)
            raise
        _take_back(site, at, cursor)
        raise Refused(f"{at.name}: the server refused to commit a write: {error}") from error


def role_of_application(config: DatabaseConfig) -> Sequence[str]:
    """The statement by which the rest of a transaction has the rights that the application has, if it has a role."""
    return () if config.application is None else (f'SET LOCAL ROLE "{config.application}"',)


def _take_back(site: Site, at: Location, cursor: Cursor) -> None:
    """Roll back; a connection that cannot even do that is closed, which has the server do it."""
    with suppress(driver().Error):
        cursor.execute("ROLLBACK")
        return
    drop(site, at)


def put_aggregate(cursor: Cursor, config: DatabaseConfig, rows: Aggregate) -> None:
    """Make the rows of one record these, whether there are any yet; no more than statements, within a transaction."""
    key = config.key_type.parameter(rows.key(config))
    for table in reversed(config.children):
        _delete(cursor, config, table, key)
    root = config.root_rows
    unlink = sql.unlink(config, config.root)
    if unlink is not None:
        cursor.execute(unlink, [key])
    values = [type_.parameter(value) for type_, value in zip(root.columns.values(), rows.root, strict=True)]
    cursor.execute(sql.update_root(config), [*values, key])
    if cursor.rowcount == 0:
        cursor.execute(sql.insert(config, config.root), values)
    for table, found in zip(config.children, rows.children, strict=True):
        types = sql.column_types(config, config.tables[table]).values()
        statement = sql.insert(config, table)
        for row in found:
            cursor.execute(statement, [type_.parameter(value) for type_, value in zip(types, row, strict=True)])


def delete_aggregate(cursor: Cursor, config: DatabaseConfig, key: str) -> None:
    """Delete the rows of one record with their large objects; nothing happens where there are none."""
    for table in reversed(config.children):
        _delete(cursor, config, table, key)
    _delete(cursor, config, config.root, key)


def _delete(cursor: Cursor, config: DatabaseConfig, table: str, key: str) -> None:
    unlink = sql.unlink(config, table)
    if unlink is not None:
        cursor.execute(unlink, [key])
    cursor.execute(sql.delete(config, table), [key])


def copy_aggregates(connection: Connection, config: DatabaseConfig, records: Iterable[Aggregate]) -> None:
    """Write many records that are not there yet: table after table, and a commit for each batch.

    The next batch is taken from ``records`` while the server takes in the one before: at most two are in memory.
    """
    left = iter(records)
    with _quick_turns(), ThreadPoolExecutor(1, thread_name_prefix="copy") as pool:
        under_way: Future[None] | None = None
        while batch := list(islice(left, BATCH)):
            if under_way is not None:
                under_way.result()
            under_way = pool.submit(_copy_batch, connection, config, batch)
        if under_way is not None:
            under_way.result()


@contextmanager
def _quick_turns() -> Iterator[None]:
    """A thread that copies gives way whenever it waits for the server, and must not wait long for its next turn."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _copy_batch(connection: Connection, config: DatabaseConfig, batch: Sequence[Aggregate]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for statement in role_of_application(config):
            cursor.execute(statement)
        # Else the check of a foreign key to a partitioned table is planned anew for each row.
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        _copy(cursor, config, config.root, (rows.root for rows in batch))
        for number, table in enumerate(config.children):
            _copy(cursor, config, table, _rows_of(batch, number))


def _rows_of(batch: Sequence[Aggregate], number: int) -> Iterator[Row]:
    return (row for rows in batch for row in rows.children[number])


def _copy(cursor: Cursor, config: DatabaseConfig, table: str, rows: Iterable[Row]) -> None:
    types = sql.column_types(config, config.tables[table])
    staged = any(type_.word == LARGE_OBJECT for type_ in types.values())
    into = _staging(cursor, config, table) if staged else table
    with cursor.copy(sql.copy_in(into, types)) as copy:
        # Most values go as they are.
        placed = [(at, type_) for at, type_ in enumerate(types.values()) if type_.array or type_.is_binary]
        for row in rows:
            if placed:
                values = list(row)
                for at, type_ in placed:
                    values[at] = type_.copied(values[at])
                copy.write_row(values)
            else:
                copy.write_row(row)
    if staged:
        made = ", ".join(
            f'lo_from_bytea(0, "{name}")' if type_.word == LARGE_OBJECT else f'"{name}"'
            for name, type_ in types.items()
        )
        names = sql.name_list(types)
        # A bytea that is null makes no large object, as lo_from_bytea is strict.
        cursor.execute(f"INSERT INTO {sql.table_name(table)} ({names}) SELECT {made} FROM {STAGING}")
        cursor.execute(f"DROP TABLE {STAGING}")


def _staging(cursor: Cursor, config: DatabaseConfig, table: str) -> str:
    """A temporary table in which what is to become large objects is bytea."""
    types = sql.column_types(config, config.tables[table])
    columns = ", ".join(
        f'"{name}" {"bytea" if type_.word == LARGE_OBJECT else type_.sql}' for name, type_ in types.items()
    )
    cursor.execute(f"CREATE TEMPORARY TABLE {STAGING} ({columns}) ON COMMIT DROP")
    return STAGING
