"""What a bug does to a database's records: by the application's own SQL, or by a migration that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from drills.errors import ProtectionError, UsageError
from drills.model import Location
from drills.ownership import refuse_outside_a_drill
from drills.site import Site
from drills.stores import rds_sql as sql
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_instances import guard, label
from drills.stores.rds_sessions import changing, driver, kept
from drills.stores.rds_types import INTEGER_BYTES, Type

if TYPE_CHECKING:
    from psycopg import Connection

OVERWRITTEN = "overwritten by a bug"


def damage_database(site: Site, at: Location, variant: str) -> int:
    """Mangle the records; returns how many were touched. Raises UsageError for a variant there is not."""
    if variant not in VARIANTS:
        raise UsageError(f"damage {variant!r} of store {site.store.name!r}: expected one of {', '.join(VARIANTS)}")
    refuse_outside_a_drill(site, label(site, at), "damaging")
    guard(site, at, "damaging")
    try:
        with changing(site, at, f"the bug {variant!r}"):
            connection = kept(site, at)
            with connection.transaction():
                return VARIANTS[variant](connection, site.store.config)
    except driver().Error as error:
        raise ProtectionError(
            f"{label(site, at)}: expected the statements of the bug {variant!r} to be carried out, and the server "
            f"refused: {str(error).strip()}. If a table that no record covers refers to them, "
            "name it among the store's tables."
        ) from error


def _count(connection: Connection, config: DatabaseConfig) -> int:
    found = connection.execute(f"SELECT count(*) FROM {sql.table_name(config.root)}").fetchone()
    assert found is not None
    return int(found[0])


def _delete_all(connection: Connection, config: DatabaseConfig) -> int:
    """DELETE without WHERE. Large objects stay where they are, without anything that refers to them."""
    for table in config.children:
        connection.execute(f"DELETE FROM {sql.table_name(table)}")
    return connection.execute(f"DELETE FROM {sql.table_name(config.root)}").rowcount


def _delete_half(connection: Connection, config: DatabaseConfig) -> int:
    """A filter that has nothing to do with what was meant: it hits about every second record, always the same."""
    return _delete_where(connection, config, "get_byte(sha256(convert_to({key}::text, 'UTF8')), 0) % 2 = 1")


def _delete_prefix(connection: Connection, config: DatabaseConfig) -> int:
    """A clean-up of a wrong prefix: all keys that begin as the first one does, but for its last two characters."""
    key = f'"{config.key}"::text'
    found = connection.execute(
        f'SELECT {key} FROM {sql.table_name(config.root)} ORDER BY {key} COLLATE "C" LIMIT 1'
    ).fetchone()
    if found is None:
        return 0
    prefix = found[0][: max(1, len(found[0]) - 2)].replace("'", "''")
    return _delete_where(connection, config, f"starts_with({{key}}::text, '{prefix}')")


def _delete_where(connection: Connection, config: DatabaseConfig, condition: str) -> int:
    for table, rows in config.children.items():
        key = f'"{rows.by_names[0]}"'
        connection.execute(f"DELETE FROM {sql.table_name(table)} WHERE {condition.format(key=key)}")
    root = condition.format(key=f'"{config.key}"')
    return connection.execute(f"DELETE FROM {sql.table_name(config.root)} WHERE {root}").rowcount


def _overwrite(connection: Connection, config: DatabaseConfig) -> int:
    """UPDATE of one column without WHERE: the first by name that takes one and the same value in every row."""
    errors = driver().Error
    kept_names = {config.key, *(name for rows in config.children.values() for name in rows.by_names)}
    for name, type_ in sorted(config.root_rows.columns.items(), key=lambda one: (_rank(one[1]), one[0])):
        if name in kept_names:
            continue
        statement = f'UPDATE {sql.table_name(config.root)} SET "{name}" = {_one_value(type_)}'
        try:
            with connection.transaction():
                # What is checked at the end only would refuse the bug as a whole.
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                changed = connection.execute(statement).rowcount
        except errors:
            # A constraint keeps this column from such a bug; there is another.
            continue
        return changed
    raise ProtectionError(
        f"table {config.root}: expected a column that an UPDATE can overwrite in every row, found none that its "
        "constraints allow. Give the records a column of text."
    )


def _rank(type_: Type) -> int:
    return 0 if type_.word in ("text", "character varying") and not type_.array else 1


def _one_value(type_: Type) -> str:
    if type_.array:
        return "'{}'"
    if type_.word in INTEGER_BYTES or type_.word in ("numeric", "real", "double precision"):
        return "0"
    if type_.word == "text":
        return f"'{OVERWRITTEN}'"
    if type_.word in ("jsonb", "json"):
        return "'{}'"
    return (
        f"substr('{OVERWRITTEN}', 1, {type_.numbers[0]})"
        if type_.word == "character varying" and type_.numbers
        else "NULL"
    )


def _truncate(connection: Connection, config: DatabaseConfig) -> int:
    touched = _count(connection, config)
    tables = ", ".join(sql.table_name(table) for table in config.tables)
    connection.execute(f"TRUNCATE {tables} CASCADE")
    return touched


def _drop(connection: Connection, config: DatabaseConfig) -> int:
    touched = _count(connection, config)
    tables = ", ".join(sql.table_name(table) for table in config.tables)
    connection.execute(f"DROP TABLE {tables} CASCADE")
    return touched


VARIANTS: Mapping[str, Callable[[Connection, DatabaseConfig], int]] = {
    "all": _delete_all,
    "filter": _delete_half,
    "prefix": _delete_prefix,
    "overwrite": _overwrite,
    "versions": _delete_all,
    "truncate": _truncate,
    "drop_table": _drop,
}
"""By the scenario's words. Rows have no older versions: such a bug does to them what DELETE does."""
