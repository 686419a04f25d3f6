"""The two sides: one connection each, one moment each, and settings under which equal values are equal texts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from drills.errors import ComparisonError, MissingExtra, UsageError

if TYPE_CHECKING:
    from psycopg import Connection

Answer = TypeVar("Answer")
SideName = Literal["source", "target"]
OLDEST = 11
"""The first version of PostgreSQL whose hashes have 64 bits."""
SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    # Names come with their schemas, and operators are PostgreSQL's own.
    "search_path": "pg_catalog",
    # A policy that hides rows raises an error instead.
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "work_mem": "64MB",
    "jit": "off",
}
HASH_MEMORY = 13
"""The first version of PostgreSQL that plans the memory of hashes by a setting of its own.

Parts are limited and fit in work_mem or not far beyond it, but the planner expects as many as there are rows: it would
sort the table or have one process read it.
"""
HASHES = "SELECT hashtextextended('hash', 1), hashint8extended(2, 3), hashfloat8extended(4.5, 6)"


@dataclass(frozen=True, slots=True)
class Side:
    """One database, as of one moment."""

    name: SideName
    connection: Connection[Any]
    version: int
    encoding: str

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a statement without parameters. Raises ComparisonError."""
        from psycopg.rows import tuple_row

        with self.refusals(), self.connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(statement).fetchall()

    def lines(self, query: str) -> Generator[bytes]:
        """The rows of a query as lines of COPY's text format, streaming, after an empty one when the server has begun.

        Raises ComparisonError.
        """
        statement = f"COPY ({query}) TO STDOUT"
        with self.refusals(), self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield b""
            for line in copy:
                yield bytes(line)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """What the server refuses, as an error that names the side and says what to do."""
        import psycopg

        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            raise UsageError(
                f"The {self.name}'s role {self.connection.info.user} may not read everything: {_first_line(error)}. "
                "Expected a role that sees every row, past policies too. Grant it, or name tables with --table"
            ) from error
        except psycopg.Error as error:
            raise ComparisonError(
                f"The {self.name} broke off the comparison: {_first_line(error)}. Nothing was changed; repeat it"
            ) from error


@contextmanager
def opened(source: str | Connection[Any], target: str | Connection[Any]) -> Iterator[tuple[Side, Side]]:
    """Both sides, each in a transaction that changes nothing and sees one moment."""
    with ExitStack() as stack:
        sides = (_opened(stack, "source", source), _opened(stack, "target", target))
        if both(sides, lambda side: side.rows(HASHES))[0] != sides[1].rows(HASHES):
            raise ComparisonError(
                "The two servers hash the same value differently, as machines of different byte order do. "
                "Expected equal hashes. Compare with a copy restored on a machine like the source's"
            )
        yield sides


def _opened(stack: ExitStack, name: SideName, given: str | Connection[Any]) -> Side:
    connection = stack.enter_context(_connected(name, given)) if isinstance(given, str) else given
    import psycopg

    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise UsageError(f"The {name}'s connection is within a transaction. Expected an idle one. Commit it first")
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise UsageError(f"The {name} is PostgreSQL {version}. Expected {OLDEST} or later. Upgrade it first")
    stack.enter_context(connection.transaction())
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    encoding = connection.info.parameter_status("server_encoding") or ""
    side = Side(name, connection, version, encoding)
    chosen = {**SETTINGS, **({"hash_mem_multiplier": "1000"} if version >= HASH_MEMORY else {})}
    calls = ", ".join(f"set_config('{setting}', '{value}', true)" for setting, value in chosen.items())
    side.rows(f"SELECT {calls}")
    return side


@contextmanager
def _connected(name: SideName, given: str) -> Iterator[Connection[Any]]:
    """``given``: a URL, a connection string, or the name of a service of ``pg_service.conf``."""
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise MissingExtra("rds", "Comparing databases") from None
    text = given if "://" in given or "=" in given else f"service={given}"
    try:
        parameters: dict[str, Any] = {"connect_timeout": 10, "application_name": "drills", **conninfo_to_dict(text)}
    except psycopg.Error:
        # The driver's message may quote the text, and with it the password.
        raise UsageError(
            f"The {name} cannot be read as the place of a database. Expected postgresql://user@host:port/database, "
            "host=… dbname=…, or the name of a service. Percent-encode special characters within a URL"
        ) from None
    try:
        connection: Connection[Any] = psycopg.connect(**parameters)
    except psycopg.Error as error:
        told = _first_line(error)
        secret = parameters.get("password")
        told = told.replace(secret, "***") if secret else told
        raise UsageError(f"The {name} takes no connection: {told}. Check its address, role and ~/.pgpass") from None
    try:
        yield connection
    finally:
        connection.close()


def both(sides: Sequence[Side], ask: Callable[[Side], Answer]) -> tuple[Answer, Answer]:
    """The answers of both sides, which work at the same time. When one fails, the other is told to stop."""
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(ask, side) for side in sides]
        try:
            return futures[0].result(), futures[1].result()
        except BaseException:
            for side in sides:
                side.connection.cancel()
            raise


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
