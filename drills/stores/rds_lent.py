"""Rights that a master user lends itself, or an owner to be, for one statement, and takes back with it.

RDS gives no superuser. Whoever makes a role may grant it since PostgreSQL 16, and before that whoever may make roles,
but neither is thereby a member; and who is to own something needs CREATE on what it lies in. All happens in one
transaction, so that nothing stays lent whatever breaks. Sources: PostgreSQL documentation, ALTER SCHEMA, ALTER TABLE,
ALTER DEFAULT PRIVILEGES, Role membership; RDS user guide, Understanding the rds_superuser role.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import Connection

SET_OPTION_SINCE = 160_000


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be sent, and what is lent for it: membership in ``roles``, and CREATE for the last of them on the
    database or the ``schema``, quoted, where ``creates``."""

    text: str
    roles: tuple[str, ...] = ()
    creates: bool = False
    schema: str | None = None


def send(connection: Connection, statement: Statement) -> None:
    """Raises psycopg.Error where the server refuses it, or what would have to be lent: then nothing has changed."""
    if not statement.roles:
        connection.execute(statement.text.encode())
        return
    with connection.transaction(), _member_of(connection, statement.roles), _creating(connection, statement):
        connection.execute(statement.text.encode())


@contextmanager
def _member_of(connection: Connection, roles: tuple[str, ...]) -> Iterator[None]:
    lacking = [role for role in dict.fromkeys(roles) if not _is_member(connection, role)]
    for role in lacking:
        connection.execute(f"GRANT {quoted(role)} TO CURRENT_USER".encode())
    yield
    for role in lacking:
        connection.execute(f"REVOKE {quoted(role)} FROM CURRENT_USER".encode())


def _is_member(connection: Connection, role: str) -> bool:
    asked = ["USAGE", "SET"] if connection.info.server_version >= SET_OPTION_SINCE else ["USAGE"]
    query = "SELECT bool_and(pg_has_role(current_user, %s, word)) FROM unnest(%s::text[]) AS word"
    return bool(_only(connection, query, role, asked))


@contextmanager
def _creating(connection: Connection, statement: Statement) -> Iterator[None]:
    """The owner to be may create for as long as it takes."""
    owner = statement.roles[-1]
    database = str(_only(connection, "SELECT quote_ident(current_database())"))
    if not statement.creates or _may_create(connection, owner, statement.schema):
        yield
        return
    on = f"DATABASE {database}" if statement.schema is None else f"SCHEMA {statement.schema}"
    connection.execute(f"GRANT CREATE ON {on} TO {quoted(owner)}".encode())
    yield
    connection.execute(f"REVOKE CREATE ON {on} FROM {quoted(owner)}".encode())


def _may_create(connection: Connection, role: str, schema: str | None) -> bool:
    if schema is None:
        return bool(_only(connection, "SELECT has_database_privilege(%s, current_database(), 'CREATE')", role))
    return bool(_only(connection, "SELECT has_schema_privilege(%s, %s::regnamespace, 'CREATE')", role, schema))


def _only(connection: Connection, query: str, *parameters: object) -> object:
    ((found,),) = connection.execute(query.encode(), parameters or None).fetchall()
    return found


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
