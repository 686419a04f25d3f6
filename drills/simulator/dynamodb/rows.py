"""What a table stores: raw JSON of each item, found by a key that compares as DynamoDB compares.

A row's ``raw`` is the attribute map in DynamoDB JSON: numbers canonical, binary as base64 text, order kept. History,
streams, backups and replicas hold the same bytes object, so that an item is in memory once however many know of it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import orjson

AttributeValue: TypeAlias = Mapping[str, Any]
"""One typed value as on the wire, such as ``{"N": "1"}``."""

KeyPart: TypeAlias = "str | bytes | int | Decimal"
Key: TypeAlias = "tuple[KeyPart, KeyPart | None]"
"""Hash and range value, cast so that equal keys are equal: ``1`` and ``1.0`` are the same number."""

SETS = frozenset(("SS", "NS", "BS"))


class Row:
    """One item: its key, its bytes, and its size in bytes as DynamoDB counts it."""

    __slots__ = ("key", "raw", "size")

    def __init__(self, key: Key, raw: bytes, size: int) -> None:
        self.key = key
        self.raw = raw
        self.size = size

    def __repr__(self) -> str:
        return f"Row({self.key!r}, {self.size} B)"


class Top:
    """Greater than every key part: the upper end of a range."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "TOP"


TOP: Any = Top()


def number(text: str) -> int | Decimal:
    """A number for comparing and hashing: an int where that is exact and small, else a Decimal."""
    return int(text) if len(text) < 40 and text.removeprefix("-").isdigit() else Decimal(text)


def cast(value: AttributeValue) -> KeyPart:
    """A key's value as it compares: text by code point, numbers by value, binary by byte."""
    if "S" in value:
        return str(value["S"])
    if "N" in value:
        return number(value["N"])
    data = value["B"]
    return data if isinstance(data, bytes) else b64decode(data)


def loads(raw: bytes) -> dict[str, dict[str, Any]]:
    """The attribute map of a row."""
    return orjson.loads(raw)  # type: ignore[no-any-return]


def compact(raw: bytes) -> bytes:
    """The same bytes in no more memory than they need: orjson leaves each in the kilobytes that it wrote into."""
    return bytes(memoryview(raw))


def same_item(one: bytes | None, other: bytes | None) -> bool:
    """Whether both say the same: numbers by value, sets and maps without order, everything else exactly."""
    if one == other:
        return True
    if one is None or other is None:
        return False
    return same_map(loads(one), loads(other))


def same_map(one: Mapping[str, AttributeValue], other: Mapping[str, AttributeValue]) -> bool:
    return one.keys() == other.keys() and all(same_value(value, other[name]) for name, value in one.items())


def same_value(one: AttributeValue, other: AttributeValue) -> bool:
    """Whether two typed values are equal to DynamoDB."""
    if one == other:
        return True
    kind, value = next(iter(one.items()))
    if kind not in other:
        return False
    against = other[kind]
    if kind == "N":
        return Decimal(value) == Decimal(against)
    if kind == "NS":
        return {Decimal(part) for part in value} == {Decimal(part) for part in against}
    if kind in SETS:
        return set(value) == set(against)
    if kind == "M":
        return same_map(value, against)
    if kind == "L":
        return len(value) == len(against) and all(map(same_value, value, against))
    return False
