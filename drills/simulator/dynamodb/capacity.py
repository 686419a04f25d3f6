"""Consumed capacity and item collections, as calls report them when asked.

Source: DynamoDB developer guide, "Capacity unit consumption": reads count 4 KB, writes 1 KB, rounded up; eventually
consistent reads count half, transactions double.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from drills.simulator.dynamodb.answers import Body
from drills.simulator.dynamodb.calls import one_of
from drills.simulator.dynamodb.rows import TOP, AttributeValue, Key, cast, loads
from drills.simulator.dynamodb.table import SimulatedTable
from drills.simulator.dynamodb.validation import item_size

READ_BYTES = 4096
WRITE_BYTES = 1024
GIGABYTE = 1024**3

Detail = Literal["NONE", "TOTAL", "INDEXES"]


def wanted(body: Body) -> str:
    """``NONE``, ``TOTAL`` or ``INDEXES``: the detail in which a call wants to know what it consumed."""
    return one_of(body, "ReturnConsumedCapacity", ("INDEXES", "TOTAL", "NONE"), "NONE")


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """Units of one read of this many bytes; one that finds nothing counts like the smallest."""
    blocks = max(1, -(-size_bytes // READ_BYTES))
    return float(blocks) if consistent else blocks / 2


def write_units(size_bytes: int) -> float:
    """Units of one write: of the item before or after, whichever is bigger."""
    return float(max(1, -(-size_bytes // WRITE_BYTES)))


class Consumed:
    """What one call consumed of one table and its indexes."""

    def __init__(self, name: str, table: SimulatedTable) -> None:
        self.name = name
        self.table = table
        self.of_table = 0.0
        self.of_indexes: dict[str, float] = {}

    def read(self, units: float, index_name: str | None = None) -> None:
        """Note a read of the table or of an index."""
        if index_name is None:
            self.of_table += units
        else:
            self.of_indexes[index_name] = self.of_indexes.get(index_name, 0.0) + units

    def write(self, old: bytes | None, new: bytes | None, *, times: int = 1) -> None:
        """Note a write of an item and of its places in the indexes."""
        before, after = (None if raw is None else loads(raw) for raw in (old, new))
        biggest = max(0 if one is None else item_size(one) for one in (before, after))
        self.of_table += times * write_units(biggest)
        for index in self.table.all_indexes():
            units = _index_units(self.table, index, before, after)
            if units:
                self.of_indexes[index.name] = self.of_indexes.get(index.name, 0.0) + times * units

    def described(self, detail: str, *, kind: Literal["", "Read", "Write"] = "") -> Body:
        """``ConsumedCapacity`` as the API gives it. ``kind`` is told by transactions only."""
        total = self.of_table + sum(self.of_indexes.values())
        described = {"TableName": self.name, **_units(total, kind)}
        if detail == "INDEXES":
            described["Table"] = _units(self.of_table, kind)
            local = {index.name for index in self.table.indexes}
            for name, units in self.of_indexes.items():
                group = "LocalSecondaryIndexes" if name in local else "GlobalSecondaryIndexes"
                described.setdefault(group, {})[name] = _units(units, kind)
        return described


def _units(units: float, kind: str) -> Body:
    return {"CapacityUnits": units, **({f"{kind}CapacityUnits": units} if kind else {})}


def _index_units(
    table: SimulatedTable, index: Any, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> float:
    old, new = (_place(table, index, one) for one in (before, after))
    if old == new:
        return 0.0
    if old is None or new is None or old[0] != new[0]:
        return sum(write_units(item_size(place[1])) for place in (old, new) if place is not None)
    return write_units(max(item_size(old[1]), item_size(new[1])))


def _place(table: SimulatedTable, index: Any, item: Mapping[str, Any] | None) -> tuple[list[Any], Body] | None:
    """An index's key values of an item and what the index holds of it; None where the item is not in the index."""
    if item is None or any(name not in item for name in index.schema_key_attrs):
        return None
    held = projected_names(table, index)
    content = {name: value for name, value in item.items() if held is None or name in held}
    return [cast(item[name]) for name in index.schema_key_attrs], content


def projected_names(table: SimulatedTable, index: Any) -> frozenset[str] | None:
    """The attributes that an index holds; None for all."""
    projection = index.projection or {}
    if projection.get("ProjectionType", "ALL") == "ALL":
        return None
    included = projection.get("NonKeyAttributes", ()) if projection["ProjectionType"] == "INCLUDE" else ()
    return frozenset((*index.schema_key_attrs, *table.table_key_attrs, *included))


def collections_wanted(body: Body) -> bool:
    """Whether a write wants the sizes of the item collections it touched."""
    return one_of(body, "ReturnItemCollectionMetrics", ("SIZE", "NONE"), "NONE") == "SIZE"


def collection(table: SimulatedTable, key: Key, key_map: Mapping[str, AttributeValue]) -> Body | None:
    """``ItemCollectionMetrics`` of the item's collection: only tables with local indexes have any."""
    if not table.indexes:
        return None
    rows = [table.sorted_rows[one] for one in table.sorted_rows.irange((key[0],), (key[0], TOP))]
    size = sum(row.size for row in rows)
    for index in table.indexes:
        size += sum(item_size(place[1]) for row in rows if (place := _place(table, index, loads(row.raw))))
    gigabytes = float(size // GIGABYTE)
    return {
        "ItemCollectionKey": {table.hash_key_attr: key_map[table.hash_key_attr]},
        "SizeEstimateRangeGB": [gigabytes, gigabytes + 1.0],
    }
