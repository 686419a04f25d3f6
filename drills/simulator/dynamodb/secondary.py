"""A secondary index kept sorted: by its own key values, then by the table's key. Sparse, as DynamoDB's are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sortedcontainers import SortedList

from drills.simulator.dynamodb.rows import AttributeValue, Key, Row, cast, loads

Entry = tuple[Any, ...]
"""The index's key values in the order of its schema, hash before range, then the row's key."""


class SecondaryRows:
    """The entries of one index: built from the rows when it is first read, kept up with every change after that."""

    def __init__(self, schema: list[dict[str, str]], types: Mapping[str, str], rows: Iterable[Row]) -> None:
        self.schema = [dict(part) for part in schema]
        self.hash_names = [part["AttributeName"] for part in schema if part["KeyType"] == "HASH"]
        self.range_names = [part["AttributeName"] for part in schema if part["KeyType"] == "RANGE"]
        self._wanted = [(name, types.get(name, "S")) for name in self.hash_names + self.range_names]
        entries = (self.entry(loads(row.raw), row.key) for row in rows)
        self._entries: SortedList = SortedList(entry for entry in entries if entry is not None)

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, attributes: Mapping[str, AttributeValue], key: Key) -> Entry | None:
        """Where an item stands in the index; None if it lacks one of the index's key attributes."""
        values: list[Any] = []
        for name, kind in self._wanted:
            value = attributes.get(name)
            if value is None or kind not in value:
                return None
            values.append(cast(value))
        values.append(key)
        return tuple(values)

    def change(self, old: Entry | None, new: Entry | None) -> None:
        """Move an item from one place to another."""
        if old == new:
            return
        if old is not None:
            self._entries.remove(old)
        if new is not None:
            self._entries.add(new)

    def between(self, low: Entry | None, high: Entry | None, *, backward: bool) -> Iterator[Entry]:
        """Entries in order from ``low`` (inclusive) up to ``high`` (exclusive), either of which may be a beginning."""
        found: Iterator[Entry] = self._entries.irange(low, high, inclusive=(True, False), reverse=backward)
        return found
