"""Reading a database back: every record as the server itself writes its canonical JSON, as of one moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from drills.model import Observed
from drills.stores import rds_sql as sql
from drills.stores.rds_config import DatabaseConfig

if TYPE_CHECKING:
    from psycopg import Connection

ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
"""Source: PostgreSQL documentation, COPY, File Formats, Text Format."""


def read_records(connection: Connection, config: DatabaseConfig) -> Iterator[Observed]:
    """Every record in the order of its key's bytes, streaming.

    One statement sees one state of the database, and the server joins a record's rows: nothing is kept here.
    """
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with connection.cursor() as cursor, cursor.copy(f"COPY ({sql.inventory(config)}) TO STDOUT") as copy:
            for line in copy:
                yield _observed(bytes(line))


def read_one(connection: Connection, config: DatabaseConfig, key: str) -> Observed | None:
    """The record of one key, None where there is none."""
    row = connection.execute(sql.inventory(config, one=True), [config.key_type.parameter(key)]).fetchone()
    return None if row is None else Observed(str(row[0]), str(row[1]).encode())


def _observed(line: bytes) -> Observed:
    key, _, item = line[:-1].partition(b"\t")
    if b"\\" in line:
        # Blanks other than the space itself are escaped within JSON texts already.
        return Observed(ESCAPE.sub(_plain, key).decode(), item.replace(b"\\\\", b"\\"))
    return Observed(key.decode(), item)


def _plain(escape: re.Match[bytes]) -> bytes:
    return ESCAPED.get(escape[1], escape[1])
