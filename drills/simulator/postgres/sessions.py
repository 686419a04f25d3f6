"""The engine's own connection to a server, as its superuser, by a socket that others cannot reach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

from drills.errors import EngineError, MissingExtra
from drills.simulator.postgres.settings import OPERATOR

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

OPTIONS = (
    "-c default_transaction_read_only=off -c synchronous_commit=on -c statement_timeout=0 -c lock_timeout=0 "
    "-c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0 -c search_path=pg_catalog"
)
"""What users may set for all sessions must not reach this one."""


def require_psycopg() -> None:
    """Raises MissingExtra. psycopg is imported only where a database is, as most drills have none."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingExtra("rds", "A simulated RDS or Aurora database") from error


class Session:
    """One kept connection. Every failure is an EngineError that names the server."""

    def __init__(self, sockets: Path, port: int, name: str) -> None:
        self._sockets = sockets
        self._port = port
        self._name = name
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        import psycopg

        if self._connection is None or self._connection.closed:
            try:
                self._connection = self.open("postgres")
            except psycopg.Error as error:
                raise EngineError(f"Database server {self._name} does not take connections: {error}") from error
        return self._connection

    def open(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A further connection, to any database; the caller closes it. Raises psycopg's errors."""
        import psycopg

        return psycopg.connect(
            host=str(self._sockets), port=self._port, user=OPERATOR, dbname=database, options=OPTIONS, autocommit=True
        )

    def rows(self, statement: LiteralString | sql.Composed, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement; none where it gives none. Raises EngineError."""
        import psycopg

        try:
            cursor = self.connection().execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise EngineError(f"Database server {self._name} refused: {str(error).strip()}") from error

    def row(self, statement: LiteralString, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        return self.rows(statement, parameters)[0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
