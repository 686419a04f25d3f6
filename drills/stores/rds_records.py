"""One record as an aggregate: one row of the root table and the rows that hang on it, and its canonical JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from drills.history import canonical
from drills.model import JSON
from drills.stores.rds_config import DatabaseConfig, Rows
from drills.stores.rds_types import Settled
from drills.suggestions import did_you_mean

Row = tuple[Settled, ...]
"""One row: settled values in the order of the columns (see ``row_columns``)."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A record as rows: the root's, and for every table that hangs on it, in the config's order, its rows in order."""

    root: Row
    children: tuple[tuple[Row, ...], ...]

    def key(self, config: DatabaseConfig) -> Settled:
        return self.root[list(config.root_rows.columns).index(config.key)]


def row_columns(rows: Rows) -> tuple[str, ...]:
    """The columns of a table as its rows are written: first those that tie a row to the root."""
    return (*rows.by_names, *rows.columns)


def key_text(config: DatabaseConfig, record: Mapping[str, Any]) -> str:
    """Raises KeyError for a record without its key, ValueError for what cannot be one."""
    settled = config.key_type.settled(record[config.key], config.key)
    if settled is None or settled == "":
        raise ValueError(f"{config.key!r}: expected a key, found {'null' if settled is None else 'an empty text'}")
    return str(settled)


def aggregate(config: DatabaseConfig, record: Mapping[str, Any]) -> Aggregate:
    """Raises ValueError naming the attribute that its column cannot hold; KeyError for a record without its key."""
    key_text(config, record)
    known = (*config.root_rows.columns, *(str(rows.as_) for rows in config.children.values()))
    _refuse_unknown(record, known, "")
    root = tuple(type_.settled(record.get(name), name) for name, type_ in config.root_rows.columns.items())
    at = dict(zip(config.root_rows.columns, root, strict=True))
    children = tuple(tuple(_rows(config, rows, record, at)) for rows in config.children.values())
    return Aggregate(root, children)


def _refuse_unknown(record: Mapping[str, Any], known: Sequence[str], within: str) -> None:
    for name in record:
        if name not in known and not name.startswith("_"):
            raise ValueError(
                f"there is no column for {within + name!r}{did_you_mean(name, known)}; begin it with _ "
                "to make others from"
            )


def _rows(config: DatabaseConfig, rows: Rows, record: Mapping[str, Any], root: Mapping[str, Settled]) -> Iterator[Row]:
    given = record.get(str(rows.as_)) or []
    if not isinstance(given, list | tuple) or not all(isinstance(one, Mapping) for one in given):
        raise ValueError(f"{rows.as_!r}: expected a list of maps, one for each row, found {type(given).__name__}")
    by = (root[config.key], *(root[name] for name in rows.by_names[1:]))
    assert rows.order is not None
    order = list(rows.columns).index(rows.order)
    found: list[Row] = []
    for number, one in enumerate(given, 1):
        within = f"{rows.as_}[{number - 1}]."
        _refuse_unknown(one, list(rows.columns), within)
        numbered = {rows.order: number, **one}
        found.append(tuple(type_.settled(numbered.get(name), within + name) for name, type_ in rows.columns.items()))
    found.sort(key=lambda row: row[order])
    for before, after in pairwise(found):
        if before[order] == after[order]:
            raise ValueError(
                f"{rows.as_!r}: expected rows that differ in {rows.order!r}, found two with {after[order]}"
            )
    return ((*by, *row) for row in found)


def encoded(config: DatabaseConfig, rows: Aggregate) -> bytes:
    """The canonical JSON of a record: its columns by name, and a list of rows for each table that hangs on the root."""
    record = _object(config.root_rows, rows.root)
    for table, found in zip(config.children.values(), rows.children, strict=True):
        record[str(table.as_)] = [_object(table, row[len(table.by_names) :]) for row in found]
    return canonical(record)


def _object(table: Rows, row: Row) -> dict[str, JSON]:
    return {name: type_.json(value) for (name, type_), value in zip(table.columns.items(), row, strict=True)}
