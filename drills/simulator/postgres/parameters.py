"""The master user of a server, and its parameters."""

from __future__ import annotations

import time
from pathlib import Path

from drills.errors import EngineError
from drills.simulator.postgres.interface import Credentials
from drills.simulator.postgres.sessions import Session
from drills.simulator.postgres.settings import MASTERS, OPERATOR, RESERVED
from drills.simulator.postgres.waiting import pause

RELOAD_SECONDS = 10.0


def make_master(session: Session, credentials: Credentials, database: str | None) -> None:
    """The master user: no superuser, but the first among the others; they own ``postgres`` and their database."""
    from psycopg import sql

    user = sql.Identifier(credentials.user)
    session.rows(
        sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB PASSWORD {}").format(user, _hashed(session, credentials))
    )
    session.rows(sql.SQL("GRANT {} TO {} WITH ADMIN OPTION").format(sql.Identifier(MASTERS), user))
    session.rows(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(user))
    if database is not None and database != "postgres":
        session.rows(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), user))


def set_password(session: Session, credentials: Credentials) -> None:
    from psycopg import sql

    if credentials.user == OPERATOR:
        raise EngineError(f"User {OPERATOR} is the engine's own and has no password. Name the master user")
    user = sql.Identifier(credentials.user)
    session.rows(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, _hashed(session, credentials)))


def apply(session: Session, data: Path, parameters: dict[str, str]) -> list[str]:
    """All or none; those that are not named have their defaults again. Raises EngineError naming the first that is
    refused."""
    from psycopg import sql

    reserved = sorted(RESERVED & parameters.keys())
    if reserved:
        raise EngineError(f"Parameter {reserved[0]} is the engine's own; it cannot be changed. Leave it out")
    file = data / "postgresql.auto.conf"
    before = file.read_bytes()
    session.rows("ALTER SYSTEM RESET ALL")
    for name, value in sorted(parameters.items()):
        try:
            session.rows(
                sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(*name.split(".")), sql.Literal(value))
            )
        except EngineError as error:
            file.write_bytes(before)
            raise EngineError(f"Parameter {name} cannot be {value!r}: {error}") from error
    _reload(session)
    waiting = session.rows("SELECT name FROM pg_settings WHERE pending_restart ORDER BY 1")
    return [str(name) for (name,) in waiting]


def _reload(session: Session) -> None:
    """Have the server read its files, and wait until it has."""
    before = session.row("SELECT pg_conf_load_time()")
    session.row("SELECT pg_reload_conf()")
    deadline = time.monotonic() + RELOAD_SECONDS
    while session.row("SELECT pg_conf_load_time()") == before and time.monotonic() < deadline:
        pause()


def _hashed(session: Session, credentials: Credentials) -> str:
    """Hashed here, so that the password is in no log."""
    connection = session.connection()
    hashed = connection.pgconn.encrypt_password(
        credentials.password.encode(), credentials.user.encode(), b"scram-sha-256"
    )
    return hashed.decode()
