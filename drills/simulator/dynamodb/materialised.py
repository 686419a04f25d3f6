"""Rows as moto's own items, for as long as one of its expressions needs them.

moto's parsers and executors work on ``Item`` and ``DynamoType``. Binary values are ``bytes`` there, as moto's own
request parser leaves them, so that a stored value and an expression's value compare.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from drills.simulator.dynamodb.rows import AttributeValue, loads


def dynamo_type(value: AttributeValue) -> DynamoType:
    """moto's value for a typed JSON value, built without parsing it again."""
    made = object.__new__(DynamoType)
    ((kind, content),) = value.items()
    made.type = kind
    if kind == "M":
        made.value = {name: dynamo_type(inner) for name, inner in content.items()}
    elif kind == "L":
        made.value = [dynamo_type(inner) for inner in content]
    elif kind == "B":
        made.value = content if isinstance(content, bytes) else b64decode(content)
    elif kind == "BS":
        made.value = [part if isinstance(part, bytes) else b64decode(part) for part in content]
    elif kind in ("SS", "NS"):
        made.value = list(content)
    else:
        made.value = content
    return made


def typed_json(value: Any) -> Any:
    """Back from moto's values to JSON, binary still as ``bytes``."""
    if isinstance(value, DynamoType):
        return {value.type: typed_json(value.value)}
    if isinstance(value, dict):
        return {name: typed_json(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [typed_json(inner) for inner in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, DynamoType):
        return typed_json(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):  # moto's PartiQL hands over mappings of its own.
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no part of a DynamoDB item")


def dumps(value: Any) -> bytes:
    """JSON of anything moto keeps in an item or a response: values, bytes, sets."""
    return orjson.dumps(value, default=_plain)


class StoredItem(Item):  # type: ignore[misc]
    """moto's item over a row. It is not tracked in moto's list of instances, which nothing ever empties."""

    def __new__(cls, *args: Any, **kwargs: Any) -> StoredItem:
        return object.__new__(cls)

    def __init__(self, hash_key: DynamoType, range_key: DynamoType | None, attrs: Mapping[str, Any]) -> None:
        self.hash_key = hash_key
        self.range_key = range_key
        # Not moto's LimitedSizeDict: that measures the whole item at every assignment, and stops short of 400 KB.
        self.attrs: dict[str, DynamoType] = {
            name: value if isinstance(value, DynamoType) else dynamo_type(value) for name, value in attrs.items()
        }

    def __deepcopy__(self, memo: dict[int, Any]) -> StoredItem:
        return StoredItem(self.hash_key, self.range_key, {n: dynamo_type(typed_json(v)) for n, v in self.attrs.items()})

    def wire(self) -> bytes:
        """The attribute map as a row stores it."""
        return dumps({name: typed_json(value) for name, value in self.attrs.items()})

    def project(self, projection_expressions: list[list[str]]) -> StoredItem:
        """Only what these paths name, every value as it is stored."""
        from drills.simulator.dynamodb.projection import projected, steps, tree

        whole = {name: typed_json(value) for name, value in self.attrs.items()}
        return StoredItem(self.hash_key, self.range_key, projected(whole, tree(map(steps, projection_expressions))))


def stored_item(raw: bytes, hash_name: str, range_name: str | None) -> StoredItem:
    """A row's bytes as moto's item."""
    attributes = loads(raw)
    return StoredItem(
        dynamo_type(attributes[hash_name]), dynamo_type(attributes[range_name]) if range_name else None, attributes
    )
