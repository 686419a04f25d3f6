"""Tables that no record covers: how many rows each has and a digest of them all, so that they can be held against what
a restore brought. The server reads them; nothing but the result is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.model import Location
from drills.site import Site
from drills.stores import LEFT_OUT
from drills.stores.rds_catalog import CLASS_NAME, FROM_CLASS, IN_CLASS
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_sessions import kept

if TYPE_CHECKING:
    from psycopg import Connection

TABLES = f"""
SELECT {CLASS_NAME}, c.oid::regclass::text, coalesce((SELECT inhparent::bigint FROM pg_inherits
    WHERE inhrelid = c.oid AND c.relispartition), 0)
FROM {FROM_CLASS} WHERE c.relkind IN ('r', 'p', 'm') AND {IN_CLASS} ORDER BY 1"""
FORMS = ("TimeZone = 'UTC'", "DateStyle = 'ISO'", "IntervalStyle = 'postgres'", "extra_float_digits = 1")
"""One text for one value, whatever the database is set to."""
ROWS = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} AS t"
"""A row's hash is the same wherever it lies, and their sum in whatever order they come; servers of one major version
agree on it. Source: PostgreSQL source, hashtextextended."""


def unlisted(site: Site, at: Location) -> dict[str, str]:
    """By table, its rows and their digest, or that the estate leaves it out; a partitioned one with its partitions."""
    config: DatabaseConfig = site.store.config
    connection = kept(site, at)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL search_path = pg_catalog")
        for form in FORMS:
            connection.execute(f"SET LOCAL {form}".encode())
        return {name: _held(connection, config, name, table) for name, table in _tables(connection, config)}


def _tables(connection: Connection, config: DatabaseConfig) -> list[tuple[str, str]]:
    """Names as the catalogue gives and quotes them, of what is neither listed nor a partition of something."""
    found = connection.execute(TABLES).fetchall()
    listed = {f"public.{name}" if "." not in name else name for name in config.tables}
    return [(str(name), str(table)) for name, table, parent in found if not parent and name not in listed]


def _held(connection: Connection, config: DatabaseConfig, name: str, table: str) -> str:
    if {name, name.removeprefix("public.")} & set(config.unverified):
        return LEFT_OUT
    ((count, digest),) = connection.execute(ROWS.format(table=table).encode()).fetchall()
    return f"{count:,} rows, digest {int(digest) % 2**64:016x}"
