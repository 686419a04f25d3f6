"""The table of the simulated DynamoDB: moto's, with its items as compact rows and one place where an item changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from moto.dynamodb.comparisons import get_expected, get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed, MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.moto_api._internal import mock_random
from sortedcontainers import SortedDict

from drills.simulator.dynamodb.keys import KeyedTable
from drills.simulator.dynamodb.materialised import StoredItem, dumps, stored_item, typed_json
from drills.simulator.dynamodb.rows import AttributeValue, Key, Row, cast, compact, loads, same_map
from drills.simulator.dynamodb.secondary import SecondaryRows
from drills.simulator.dynamodb.validation import item_size
from drills.simulator.replaced import Replacement

Cause = Literal["user", "ttl", "replica", "restore"]


@dataclass(frozen=True, slots=True)
class Change:
    """An item of a table became another. ``old`` and ``new`` are raw attribute maps; None where there is no item.

    Writes that change nothing (numbers by value, sets without order) are no changes.
    """

    table: SimulatedTable
    at: datetime
    key: Key
    old: bytes | None
    new: bytes | None
    cause: Cause


Observer = Callable[[Change], None]

table_created: list[Callable[[SimulatedTable], None]] = []
"""Called with each new table once it stands in its backend."""

table_deleted: list[Callable[[SimulatedTable], None]] = []
"""Called with each table just after it has left its backend; its rows are still in it."""

table_deleting: list[Callable[[SimulatedTable], None]] = []
"""Called with each table that is about to be deleted; whoever objects raises one of moto's errors."""

table_described: list[Callable[[SimulatedTable], Mapping[str, Any]]] = []
"""What these return is added to every description of a table."""


class SimulatedTable(KeyedTable):
    """moto's Table over rows of raw JSON.

    ``status`` is what DescribeTable says; items can be read and written while it is ACTIVE or UPDATING. ``observers``
    are told each change after it happened, in order; those of a transaction once all of it has succeeded.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> SimulatedTable:
        # Not tracked in moto's list of instances: a deleted table would keep its rows in memory.
        return object.__new__(cls)

    def __init__(self, table_name: str, account_id: str, region: str, *args: Any, **kwargs: Any) -> None:
        self.id = str(mock_random.uuid4())
        self.status = "ACTIVE"
        self.observers: list[Observer] = []
        self._rows: SortedDict = SortedDict()
        self._secondary: dict[str, SecondaryRows] = {}
        self._bytes = 0
        super().__init__(table_name, account_id, region, *args, **kwargs)

    # --- Rows

    def rows(self) -> Iterator[Row]:
        """All rows in the order of their keys. Not to be changed meanwhile: take a list for that."""
        return iter(self._rows.values())

    def row(self, key: Key) -> Row | None:
        """The row under a key."""
        found: Row | None = self._rows.get(key)
        return found

    @property
    def sorted_rows(self) -> SortedDict:
        """Key to row, for reading in order."""
        return self._rows

    @property
    def size_bytes(self) -> int:
        """The sum of the items' sizes as DynamoDB counts them."""
        return self._bytes

    def load(self, rows: Iterable[Row]) -> None:
        """Fill the table with rows, sharing their bytes; nobody is told. For restores, copies and imports."""
        self._rows.update({row.key: row for row in rows})
        self._bytes = sum(row.size for row in self._rows.values())
        self._secondary.clear()

    def key_of(self, attributes: Mapping[str, AttributeValue]) -> Key:
        """The key of an item or of a key map. Raises KeyError where a key attribute is missing."""
        if self.range_key_attr is None:
            return cast(attributes[self.hash_key_attr]), None
        return cast(attributes[self.hash_key_attr]), cast(attributes[self.range_key_attr])

    def key_json(self, key: Key) -> bytes:
        """The key map of a key as raw JSON; of an item that exists, with the numbers as they were written."""
        row = self.row(key)
        if row is not None:
            return orjson.dumps(self.key_attributes(loads(row.raw)))
        parts = {self.hash_key_attr: _typed(self.hash_key_type, key[0])}
        if self.range_key_attr is not None:
            parts[self.range_key_attr] = _typed(str(self.range_key_type), key[1])
        return dumps(parts)

    def key_attributes(self, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        """The key map of an item."""
        return {name: attributes[name] for name in self.table_key_attrs}

    # --- The one place where an item changes

    def commit(
        self, key: Key, raw: bytes | None, *, cause: Cause, attributes: Mapping[str, Any] | None = None, size: int = 0
    ) -> Change | None:
        """Make ``raw`` the item under ``key`` (None: there is none) and tell the observers.

        ``attributes`` and ``size`` spare parsing ``raw`` again if the caller has them. Returns the change; None if
        nothing changed.
        """
        change = self.apply(key, raw, cause=cause, attributes=attributes, size=size)
        if change is not None and self.observers:
            self.tell(change)
        return change

    def apply(
        self, key: Key, raw: bytes | None, *, cause: Cause, attributes: Mapping[str, Any] | None = None, size: int = 0
    ) -> Change | None:
        """As commit, without telling: what belongs together is applied first and told afterwards."""
        row: Row | None = self._rows.get(key)
        if raw is None:
            if row is None:
                return None
            del self._rows[key]
            self._bytes -= row.size
            if self._secondary:
                self._move(key, row.raw, None)
            return Change(self, datetime.now(UTC), row.key, row.raw, None, cause)
        if row is None:
            raw = compact(raw) if cause == "user" else raw
            size = size or item_size(attributes or loads(raw))
            self._rows[key] = Row(key, raw, size)
            self._bytes += size
            if self._secondary:
                self._move(key, None, attributes or loads(raw))
            return Change(self, datetime.now(UTC), key, None, raw, cause)
        return self._overwrite(row, raw, cause, attributes, size)

    def _overwrite(
        self, row: Row, raw: bytes, cause: Cause, attributes: Mapping[str, Any] | None, size: int
    ) -> Change | None:
        old = row.raw
        if old == raw:
            return None
        attributes = attributes or loads(raw)
        before = loads(old)
        if same_map(before, attributes):
            return None
        size = size or item_size(attributes)
        self._bytes += size - row.size
        row.raw = raw = compact(raw) if cause == "user" else raw
        row.size = size
        if self._secondary:
            for index in self._secondary.values():
                index.change(index.entry(before, row.key), index.entry(attributes, row.key))
        return Change(self, datetime.now(UTC), row.key, old, raw, cause)

    def _move(self, key: Key, old: bytes | None, new: Mapping[str, Any] | None) -> None:
        before = None if old is None else loads(old)
        for index in self._secondary.values():
            index.change(
                None if before is None else index.entry(before, key), None if new is None else index.entry(new, key)
            )

    def tell(self, change: Change) -> None:
        """Tell every observer of one change."""
        for observer in tuple(self.observers):
            observer(change)

    # --- Indexes

    def secondary(self, name: str) -> SecondaryRows | None:
        """The sorted entries of an index, built when it is first read; None if the table has no such index."""
        index = next((one for one in self.all_indexes() if one.name == name), None)
        if index is None:
            self._secondary.pop(name, None)
            return None
        kept = self._secondary.get(name)
        if kept is None or kept.schema != index.schema:
            kept = self._secondary[name] = SecondaryRows(index.schema, self.attribute_types, self._rows.values())
        return kept

    # --- What moto's own paths ask of a table

    @property
    def items(self) -> dict[Any, Any]:
        """moto's nested dictionary, made anew at each call: for moto's rarer paths only."""
        nested: dict[Any, Any] = defaultdict(dict)
        for item in self.all_items():
            if self.range_key_attr is None:
                nested[item.hash_key] = item
            else:
                nested[item.hash_key][item.range_key] = item
        return nested

    @items.setter
    def items(self, value: Mapping[Any, Any]) -> None:
        if value:
            nested = (
                value.values() if self.range_key_attr is None else [i for part in value.values() for i in part.values()]
            )
            self.load([self._row_of(item) for item in nested])

    def _row_of(self, item: Item) -> Row:
        attributes = loads(dumps({name: typed_json(value) for name, value in item.attrs.items()}))
        size = item_size(attributes)
        return Row(self.key_of(attributes), compact(orjson.dumps(attributes)), size)

    def item(self, row: Row) -> StoredItem:
        """A row as moto's item."""
        return stored_item(row.raw, self.hash_key_attr, self.range_key_attr)

    def __len__(self) -> int:
        return len(self._rows)

    def all_items(self) -> list[Item]:
        return [self.item(row) for row in self._rows.values()]

    def has_idx_items(self, index_name: str) -> list[Item]:
        self.get_index(index_name)
        index = self.secondary(index_name)
        entries = () if index is None else index.between(None, None, backward=False)
        return [self.item(self._rows[entry[-1]]) for entry in entries]

    def get_item(
        self,
        hash_key: DynamoType,
        range_key: DynamoType | None = None,
        projection_expression: list[list[str]] | None = None,
    ) -> Item | None:
        if self.has_range_key and not range_key:
            raise MockValidationException("Table has a range key, but no range key was passed into get_item")
        row = self.row(self._key_from_types(hash_key, range_key))
        if row is None:
            return None
        item = self.item(row)
        return item.project(projection_expression) if projection_expression else item

    def _key_from_types(self, hash_key: DynamoType, range_key: DynamoType | None) -> Key:
        attributes = {self.hash_key_attr: {hash_key.type: hash_key.value}}
        if self.range_key_attr is not None and range_key is not None:
            attributes[self.range_key_attr] = {range_key.type: range_key.value}
        return self.checked_key(attributes)

    def put_item(
        self,
        item_attrs: dict[str, Any],
        expected: dict[str, Any] | None = None,
        condition_expression: str | None = None,
        expression_attribute_names: dict[str, str] | None = None,
        expression_attribute_values: dict[str, Any] | None = None,
        overwrite: bool = False,
        return_values_on_condition_check_failure: str | None = None,
    ) -> Item:
        self._validate_item_types(item_attrs)
        attributes = loads(dumps(item_attrs))
        key, size = self.checked(attributes)
        raw = orjson.dumps(attributes)
        if not overwrite:
            row = self.row(key)
            current = None if row is None else self.item(row)
            condition = get_filter_expression(
                condition_expression, expression_attribute_names, expression_attribute_values
            )
            if not get_expected(expected or {}).expr(current) or not condition.expr(current):
                raise refused(current, return_values_on_condition_check_failure)
        self.commit(key, raw, cause="user", attributes=attributes, size=size)
        return stored_item(raw, self.hash_key_attr, self.range_key_attr)

    def delete_item(self, hash_key: DynamoType, range_key: DynamoType | None) -> Item | None:
        key = self._key_from_types(hash_key, range_key)
        row = self.row(key)
        if row is None:
            return None
        item = self.item(row)
        self.commit(key, None, cause="user")
        return item

    def describe(self, base_key: str = "TableDescription") -> dict[str, Any]:
        described: dict[str, Any] = super().describe(base_key=base_key)
        described[base_key].update(TableStatus=self.status, TableId=self.id, TableSizeBytes=self._bytes)
        for adding in table_described:
            described[base_key].update(adding(self))
        return described

    def __deepcopy__(self, memo: dict[int, Any]) -> SimulatedTable:
        """The table as it is, sharing its rows' bytes; nobody observes the copy."""
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update(self.__dict__)
        twin.observers = []
        twin._rows = SortedDict()
        twin._secondary = {}
        twin.load([Row(row.key, row.raw, row.size) for row in self._rows.values()])
        return twin


def refused(current: Item | None, return_values: str | None) -> ConditionalCheckFailed:
    """The error of a condition that does not hold, with the item if the caller asked for it."""
    if return_values == "ALL_OLD" and current is not None:
        return ConditionalCheckFailed(item=loads(dumps(current.to_json()["Attributes"])))
    return ConditionalCheckFailed()


def _typed(kind: str, part: Any) -> dict[str, Any]:
    return {kind: part if isinstance(part, (str, bytes)) else str(part)}


_create_table = DynamoDBBackend.create_table
_delete_table = DynamoDBBackend.delete_table


def create_table(self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Table:
    """moto's, then whoever wants to know of new tables is told."""
    table = _create_table(self, *args, **kwargs)
    if isinstance(table, SimulatedTable):
        for told in tuple(table_created):
            told(table)
    return table


def delete_table(self: DynamoDBBackend, name: str) -> Table:
    """moto's, unless somebody objects; then whoever wants to know of deleted tables is told."""
    table = self.tables.get(name)
    if isinstance(table, SimulatedTable):
        for asked in tuple(table_deleting):
            asked(table)
    table = _delete_table(self, name)
    if isinstance(table, SimulatedTable):
        table.status = "DELETING"
        for told in tuple(table_deleted):
            told(table)
    return table


REPLACEMENTS = (
    Replacement(
        "moto.dynamodb.models:Table",
        SimulatedTable,
        "items as compact rows with one place where they change; moto keeps object trees, sorts them at every read "
        "and never lets deleted ones go",
        digest="09672fce9d21",
    ),
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.create_table",
        create_table,
        "recovery and streams hear of new tables",
        digest="2bb8105ad9fa",
    ),
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.delete_table",
        delete_table,
        "recovery and streams hear of deleted tables",
        digest="bab269fa8eff",
    ),
)
