"""One record as an aggregate: one row of the root table and the rows that hang on it, and its canonical JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from drills.model import JSON
from drills.stores.rds_types import Settled, Type, Unfit
from drills.suggestions import did_you_mean

if TYPE_CHECKING:
    from drills.stores.rds_config import DatabaseConfig, Rows

Row = tuple[Settled, ...]
"""One row: settled values in the order of the columns (see ``row_columns``)."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A record as rows: the root's, and for every table that hangs on it, in the config's order, its rows in order."""

    root: Row
    children: tuple[tuple[Row, ...], ...]

    def key(self, config: DatabaseConfig) -> Settled:
        return self.root[config.shape.key_at]


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
    return config.shape.aggregate(record)


def encoded(config: DatabaseConfig, rows: Aggregate) -> bytes:
    """The canonical JSON of a record: its columns by name, and a list of rows for each table that hangs on the root."""
    return config.shape.encoded(rows)


class Shape:
    """How the records of one config become rows and JSON: what costs is prepared once and not for each record."""

    def __init__(self, config: DatabaseConfig) -> None:
        root = config.root_rows
        self.key_at = list(root.columns).index(config.key)
        self._config = config
        self._root = _Columns(root.columns)
        self._children = [_Child(config, rows) for rows in config.children.values()]
        self._known = (*root.columns, *(child.name for child in self._children))
        self._known_set = frozenset(self._known)
        self._object = _Object(root.columns, [child.name for child in self._children])

    def aggregate(self, record: Mapping[str, Any]) -> Aggregate:
        key = self._config.key
        if not record[key]:
            # A whole number may be zero, and everything else is refused here.
            key_text(self._config, record)
        if not self._known_set.issuperset(record):
            _refuse_unknown(record, self._known, "")
        root = self._root.settled(record, "")
        return Aggregate(root, tuple([child.rows(record, root) for child in self._children]))

    def encoded(self, rows: Aggregate) -> bytes:
        lists = [child.objects(found) for child, found in zip(self._children, rows.children, strict=True)]
        return orjson.dumps(self._object.of(rows.root, lists))


class _Columns:
    """Some columns, and how their values are settled."""

    def __init__(self, columns: Mapping[str, Type]) -> None:
        self._types = columns
        self._settling = [(name, type_.settling()) for name, type_ in columns.items()]

    def settled(self, record: Mapping[str, Any], within: str) -> Row:
        get = record.get
        try:
            return tuple([settle(get(name)) for name, settle in self._settling])
        except Unfit:
            # Once more, to say which attribute it was.
            return tuple(type_.settled(get(name), within + name) for name, type_ in self._types.items())


class _Object:
    """A row as a JSON object, with its names in the order of canonical JSON: they need no sorting each time.

    ``lists`` are names of lists that come to the columns.
    """

    def __init__(self, columns: Mapping[str, Type], lists: Sequence[str] = ()) -> None:
        names = (*columns, *lists)
        order = sorted(range(len(names)), key=lambda at: names[at].encode())
        self._names = [names[at] for at in order]
        self._in_order: Callable[[Sequence[JSON]], Iterable[JSON]] = (
            itemgetter(*order) if len(order) > 1 else lambda values: values
        )
        self._binary = [(at, type_) for at, type_ in enumerate(columns.values()) if type_.is_binary]

    def of(self, row: Sequence[Settled], lists: Sequence[JSON] = ()) -> dict[str, JSON]:
        values = [*row, *lists]
        for at, type_ in self._binary:
            values[at] = type_.json(values[at])
        return dict(zip(self._names, self._in_order(values), strict=True))


class _Child:
    """The rows of one table that hangs on the root."""

    def __init__(self, config: DatabaseConfig, rows: Rows) -> None:
        assert rows.order is not None
        root = list(config.root_rows.columns)
        self.name = str(rows.as_)
        self._order = rows.order
        self._order_at = list(rows.columns).index(rows.order)
        self._known = tuple(rows.columns)
        self._known_set = frozenset(rows.columns)
        self._by_at = [root.index(config.key), *(root.index(name) for name in rows.by_names[1:])]
        self._columns = _Columns(rows.columns)
        self._object = _Object(rows.columns)

    def rows(self, record: Mapping[str, Any], root: Row) -> tuple[Row, ...]:
        given = record.get(self.name) or []
        if not isinstance(given, list | tuple) or not all(isinstance(one, Mapping) for one in given):
            raise ValueError(f"{self.name!r}: expected a list of maps, one for each row, found {type(given).__name__}")
        order, known, settled = self._order, self._known_set, self._columns.settled
        found: list[Row] = []
        for number, one in enumerate(given, 1):
            within = f"{self.name}[{number - 1}]."
            if not known.issuperset(one):
                _refuse_unknown(one, self._known, within)
            found.append(settled({order: number, **one}, within))
        if any(order in one for one in given):
            self._sort(found)
        by = tuple([root[at] for at in self._by_at])
        return tuple([by + row for row in found])

    def _sort(self, found: list[Row]) -> None:
        at = self._order_at
        found.sort(key=lambda row: row[at])
        for before, after in pairwise(found):
            if before[at] == after[at]:
                raise ValueError(
                    f"{self.name!r}: expected rows that differ in {self._order!r}, found two with {after[at]}"
                )

    def objects(self, found: Sequence[Row]) -> JSON:
        own = len(self._by_at)
        return [self._object.of(row[own:]) for row in found]


def _refuse_unknown(record: Mapping[str, Any], known: Sequence[str], within: str) -> None:
    for name in record:
        if name not in known and not name.startswith("_"):
            raise ValueError(
                f"there is no column for {within + name!r}{did_you_mean(name, known)}; begin it with _ "
                "to make others from"
            )
