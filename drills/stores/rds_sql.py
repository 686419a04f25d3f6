"""The statements that a config's records are written and read with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drills.stores.rds_config import DatabaseConfig, Rows
from drills.stores.rds_records import row_columns
from drills.stores.rds_types import LARGE_OBJECT, Type


def table_name(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def column_types(config: DatabaseConfig, rows: Rows) -> dict[str, Type]:
    """The types of the columns of ``row_columns``: those that tie a row to the root have the root's."""
    root = config.root_rows.columns
    tied = {name: root[config.key if n == 0 else name] for n, name in enumerate(rows.by_names)}
    return {**tied, **rows.columns}


def name_list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _placed(type_: Type) -> str:
    """How a value is sent: as text that is read by the column's type, a large object as bytes that become one."""
    return "lo_from_bytea(0, %s::bytea)" if type_.word == LARGE_OBJECT else f"%s::{type_.sql}"


def insert(config: DatabaseConfig, table: str) -> str:
    """Insert one row."""
    types = column_types(config, config.tables[table])
    values = ", ".join(_placed(type_) for type_ in types.values())
    return f"INSERT INTO {table_name(table)} ({name_list(types)}) VALUES ({values})"


def update_root(config: DatabaseConfig) -> str:
    """Set all columns of the root row with a key; the key comes last among the values."""
    root = config.root_rows
    sets = ", ".join(f'"{name}" = {_placed(type_)}' for name, type_ in root.columns.items())
    return f'UPDATE {table_name(config.root)} SET {sets} WHERE "{config.key}" = %s::{config.key_type.sql}'


def delete(config: DatabaseConfig, table: str) -> str:
    """Delete the rows of one key."""
    column = config.tables[table].by_names[0] if config.tables[table].key is None else config.key
    return f'DELETE FROM {table_name(table)} WHERE "{column}" = %s::{config.key_type.sql}'


def unlink(config: DatabaseConfig, table: str) -> str | None:
    """Remove the large objects of the rows of one key; None where the table has none."""
    rows = config.tables[table]
    names = [name for name, type_ in rows.columns.items() if type_.word == LARGE_OBJECT]
    if not names:
        return None
    column = rows.by_names[0] if rows.key is None else config.key
    # One that is not there any more must not keep a record from being deleted.
    there = "EXISTS (SELECT FROM pg_largeobject_metadata AS m WHERE m.oid = o)"
    return (
        f"SELECT lo_unlink(o) FROM {table_name(table)} AS t, unnest(ARRAY[{name_list(names)}]::oid[]) AS o "
        f'WHERE t."{column}" = %s::{config.key_type.sql} AND {there}'
    )


def inventory(config: DatabaseConfig, *, one: bool = False) -> str:
    """Every record: its key as text and its canonical JSON, in the order of the keys' bytes; or one, by its key."""
    parts: dict[str, str] = {name: type_.expression(f'r."{name}"') for name, type_ in config.root_rows.columns.items()}
    joins = []
    for number, (name, rows) in enumerate(config.children.items()):
        row = _object({column: type_.expression(f'c."{column}"') for column, type_ in rows.columns.items()})
        joins.append(
            f'LEFT JOIN (SELECT c."{rows.by_names[0]}" AS k, string_agg({row}, \',\' ORDER BY c."{rows.order}") AS j '
            f'FROM {table_name(name)} AS c GROUP BY 1) AS c{number} ON c{number}.k = r."{config.key}"'
        )
        parts[str(rows.as_)] = f"'[' || coalesce(c{number}.j, '') || ']'"
    key = f'r."{config.key}"::text'
    chosen = f'WHERE r."{config.key}" = %s::{config.key_type.sql} ' if one else ""
    return (
        f"SELECT {key}, {_object(parts)} FROM {table_name(config.root)} AS r {' '.join(joins)} {chosen}"
        f'ORDER BY {key} COLLATE "C"'
    )


def _object(expressions: Mapping[str, str]) -> str:
    """A JSON object as ``canonical`` writes it: names in the order of their bytes."""
    written = []
    for number, name in enumerate(sorted(expressions, key=str.encode)):
        written.append(f"'{'{' if number == 0 else ','}\"{name}\":' || {expressions[name]}")
    return " || ".join(written) + " || '}'"


def declared(config: DatabaseConfig, table: str) -> tuple[str, str]:
    """Two queries without rows: the columns of a table as they are, and as the config says."""
    types = column_types(config, config.tables[table])
    casts = ", ".join(f'NULL::{type_.sql} AS "{name}"' for name, type_ in types.items())
    return f"SELECT {name_list(types)} FROM {table_name(table)} LIMIT 0", f"SELECT {casts} LIMIT 0"


def copy_in(table: str, names: Iterable[str]) -> str:
    return f"COPY {table_name(table)} ({name_list(names)}) FROM STDIN"


def columns_of(config: DatabaseConfig, table: str) -> tuple[str, ...]:
    return row_columns(config.tables[table])
