"""Where Scan and Query read: a table or one of its indexes, in order, from a starting key on, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from drills.simulator.dynamodb.answers import Body, invalid
from drills.simulator.dynamodb.capacity import projected_names
from drills.simulator.dynamodb.rows import TOP, AttributeValue, Row, cast, loads
from drills.simulator.dynamodb.secondary import Entry
from drills.simulator.dynamodb.table import SimulatedTable

PAGE_BYTES = 1024 * 1024
"""A page ends before the item that would take it over this size. Source: API reference, Scan and Query."""


class Source:
    """The table, or the index of it, that a call reads.

    An entry stands for a row: a table's is its key; an index's is its key values followed by the row's key.
    """

    def __init__(self, table: SimulatedTable, index_name: str | None) -> None:
        self.table = table
        self.index_name = index_name
        self.index: Any = None
        self._secondary = None
        if index_name is not None:
            self.index = next((one for one in table.all_indexes() if one.name == index_name), None)
            self._secondary = table.secondary(index_name)
            if self._secondary is None:
                raise invalid(f"The table does not have the specified index: {index_name}")

    @property
    def is_global(self) -> bool:
        return self.index is not None and self.index in self.table.global_indexes

    @property
    def held(self) -> frozenset[str] | None:
        """The attributes that can be read here without the table's help; None for all."""
        return None if self.index is None else projected_names(self.table, self.index)

    @property
    def schema(self) -> list[dict[str, str]]:
        schema: list[dict[str, str]] = self.table.schema if self.index is None else self.index.schema
        return schema

    def names(self, key_type: str) -> list[str]:
        """The names of the ``HASH`` or ``RANGE`` attributes, in order."""
        return [part["AttributeName"] for part in self.schema if part["KeyType"] == key_type]

    def rows(self, low: Entry | None, high: Entry | None, *, backward: bool = False) -> Iterator[Row]:
        """Rows from ``low`` (inclusive) up to ``high`` (exclusive); an end may be the beginning of an entry."""
        rows = self.table.sorted_rows
        if self._secondary is None:
            if low is None and high is None and not backward:
                return iter(rows.values())
            return map(rows.__getitem__, rows.irange(low, high, inclusive=(True, False), reverse=backward))
        entries = self._secondary.between(low, high, backward=backward)
        return (rows[entry[-1]] for entry in entries)

    def entry(self, start_key: Mapping[str, AttributeValue]) -> Entry:
        """The entry of an ExclusiveStartKey; the item need not be there any more. Raises for what is no key here."""
        names = {part["AttributeName"] for part in self.schema} | set(self.table.table_key_attrs)
        types = self.table.attribute_types
        if set(start_key) != names or any(types[name] not in value for name, value in start_key.items()):
            raise invalid("The provided starting key is invalid: The provided key element does not match the schema")
        key = self.table.given_key({name: start_key[name] for name in self.table.table_key_attrs})
        if self._secondary is None:
            return key
        entry = self._secondary.entry(start_key, key)
        assert entry is not None
        return entry

    def key_map(self, row: Row) -> Body:
        """The LastEvaluatedKey that stands for a row."""
        item = loads(row.raw)
        names = [*(part["AttributeName"] for part in self.schema), *self.table.table_key_attrs]
        return {name: item[name] for name in names}


def after(entry: Entry) -> Entry:
    """The smallest end that lies after an entry and all that begins with it."""
    return (*entry, TOP)


def segment_of(part: Any, total: int) -> int:
    """The segment of a partition key's value: the same in every process and for equal numbers of any spelling."""
    if isinstance(part, str):
        part = part.encode()
    return (crc32(part) if isinstance(part, bytes) else hash(part)) % total


def in_segment(rows: Iterable[Row], source: Source, segment: int, total: int) -> Iterator[Row]:
    """Only the rows of one segment of a parallel scan."""
    if source.index is None:
        return (row for row in rows if segment_of(row.key[0], total) == segment)
    name = source.names("HASH")[0]
    return (row for row in rows if segment_of(cast(loads(row.raw)[name]), total) == segment)


@dataclass(slots=True)
class Page:
    """One page: the bytes of the items that matched, and how far reading got. Sizes in bytes."""

    items: list[bytes] = field(default_factory=list)
    matched: int = 0
    scanned: int = 0
    size: int = 0
    last: Row | None = None
    unfinished: bool = False


def read_page(rows: Iterable[Row], limit: int | None, seen: Callable[[Row], tuple[int, bytes | None]] | None) -> Page:
    """Read rows until ``limit`` of them or 1 MB were scanned.

    ``seen`` gives the size that a row has here and what is to be shown of it, None if it is filtered out; without it
    rows are shown whole. A page that ends at its limit is unfinished even if nothing follows: AWS looks no further.
    """
    page = Page()
    items = page.items
    size = 0
    for row in rows:
        row_size, raw = (row.size, row.raw) if seen is None else seen(row)
        if size + row_size > PAGE_BYTES and page.scanned:
            page.unfinished = True
            break
        size += row_size
        page.scanned += 1
        page.last = row
        if raw is not None:
            items.append(raw)
        if page.scanned == limit:
            page.unfinished = True
            break
    page.size = size
    page.matched = len(items)
    return page
