"""All of a restored database read once, so that none of it has to be fetched from S3 any more.

The volume of an instance that is restored answers at once and fetches each block when it is read first; it has its full
speed once all of them are there, and nothing of RDS tells when that is. AWS's advice is to read everything. Here the
server does, without sending any of it, by pg_prewarm, which is on RDS' list of extensions.
Sources: EBS user guide, Initialize Amazon EBS volumes; AWS re:Post, Why does the point-in-time restore of my RDS DB
instance take a long time; RDS for PostgreSQL release notes, Extensions supported; PostgreSQL documentation, pg_prewarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drills.errors import ProtectionError
from drills.model import JSON, Location
from drills.site import Site
from drills.stores.rds_instances import label
from drills.stores.rds_lent import Statement, send
from drills.stores.rds_secret import connect
from drills.stores.rds_sessions import changing, driver

if TYPE_CHECKING:
    from psycopg import Connection

BLOCKS_AT_ONCE = 32_768
"""Between two such pieces, a quarter of a GiB each, a drill can be stopped."""
CREATE = "CREATE EXTENSION IF NOT EXISTS pg_prewarm"
RELATIONS = r"""
    SELECT c.oid, c.oid::regclass::text, pg_get_userbyid(c.relowner), has_table_privilege(c.oid, 'SELECT'),
           c.oid < 16384 AND c.relname NOT LIKE 'pg\_largeobject%',
           fork, pg_relation_size(c.oid, fork) / current_setting('block_size')::bigint
    FROM pg_class AS c, unnest(ARRAY['main', 'fsm', 'vm', 'init']) AS fork
    WHERE c.relkind IN ('r', 't', 'i', 'm', 'S') AND c.relpersistence <> 't' AND pg_relation_size(c.oid, fork) > 0
    ORDER BY c.oid, fork
"""
"""Whatever has blocks, by fork: tables, what they keep out of line, indexes, materialized views, sequences. What initdb
makes has lower numbers than what anybody makes later, large objects aside, which lie among it. Sources: PostgreSQL
documentation, pg_class, Database file layout, Object identifier assignment."""
TRANSACTION_TIMEOUT_SINCE = 170_000


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some blocks of one fork of a relation. ``readable``: by the master user; ``of_server``: of the catalogues."""

    oid: int
    name: str
    owner: str
    readable: bool
    of_server: bool
    fork: str
    first: int
    blocks: int

    def statement(self, schema: str) -> Statement:
        last = self.first + self.blocks - 1
        text = f"SELECT {schema}.pg_prewarm({self.oid}::regclass, 'read', '{self.fork}', {self.first}, {last})"
        return Statement(text, () if self.readable else (self.owner,))


def load_database(site: Site, at: Location) -> Mapping[str, JSON]:
    """Read every block of the application's database there once; returns how many of how many relations.

    All happens in a transaction that is rolled back, so that neither pg_prewarm nor a right that was lent is left.
    ``unread``: catalogues that hold nothing of the application's and that the master user may not read. Raises
    ProtectionError where the server refuses, with its reason.
    """
    try:
        with connect(site, at) as connection:
            _without_limits(connection)
            with connection.transaction(force_rollback=True):
                with changing(site, at, "pg_prewarm, for as long as every block is read"):
                    schema = _with_pg_prewarm(connection)
                return _read_all(site, at, connection, schema)
    except driver().Error as error:
        told = str(error).strip().partition("\n")[0]
        raise ProtectionError(
            f"{label(site, at)}: expected pg_prewarm to read every block of it, and the server refused: {told}. Let "
            "the master user have that extension (rds.allowed_extensions), or read everything by another way."
        ) from error


def _without_limits(connection: Connection) -> None:
    """What a query may take is no measure of this."""
    connection.execute("SET statement_timeout = 0")
    if connection.info.server_version >= TRANSACTION_TIMEOUT_SINCE:
        connection.execute("SET transaction_timeout = 0")


def _with_pg_prewarm(connection: Connection) -> str:
    """The schema that it is in, quoted."""
    connection.execute(CREATE.encode())
    ((schema,),) = connection.execute(
        "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'pg_prewarm'"
    ).fetchall()
    return str(schema)


def _read_all(site: Site, at: Location, connection: Connection, schema: str) -> Mapping[str, JSON]:
    pieces = list(_pieces(connection))
    unread = [piece for piece in pieces if piece.of_server and not piece.readable]
    to_read = [piece for piece in pieces if not (piece.of_server and not piece.readable)]
    for batch in _batches(to_read):
        with changing(site, at, "reading every block", often=True):
            for piece in batch:
                send(connection, piece.statement(schema))
    return {
        "relations": len({piece.oid for piece in to_read}),
        "blocks": sum(piece.blocks for piece in to_read),
        "unread": sorted({piece.name for piece in unread}),
    }


def _pieces(connection: Connection) -> Iterator[_Piece]:
    for oid, name, owner, readable, of_server, fork, blocks in connection.execute(RELATIONS.encode()).fetchall():
        for first in range(0, blocks, BLOCKS_AT_ONCE):
            some = min(BLOCKS_AT_ONCE, blocks - first)
            yield _Piece(oid, name, owner, readable, of_server, fork, first, some)


def _batches(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """So many as come to no more blocks than are read at once."""
    batch: list[_Piece] = []
    blocks = 0
    for piece in pieces:
        if batch and blocks + piece.blocks > BLOCKS_AT_ONCE:
            yield batch
            batch, blocks = [], 0
        batch.append(piece)
        blocks += piece.blocks
    if batch:
        yield batch
