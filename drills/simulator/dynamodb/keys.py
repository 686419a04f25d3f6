"""What may be a key of a table or of its indexes: there, of the declared type, not empty, not too long.

Source: DynamoDB developer guide, "Supported data types and naming rules" and "Quotas".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.dynamodb.exceptions import (
    HashKeyTooLong,
    InvalidAttributeTypeError,
    ItemSizeTooLarge,
    MockValidationException,
    ProvidedKeyDoesNotExist,
    RangeKeyTooLong,
)
from moto.dynamodb.models.table import Table

from drills.simulator.dynamodb.rows import AttributeValue, Key, KeyPart, cast, number
from drills.simulator.dynamodb.validation import ITEM_BYTES, canonical_number, item_size

HASH_KEY_BYTES = 2048
RANGE_KEY_BYTES = 1024


class KeyedTable(Table):  # type: ignore[misc]
    """moto's Table that judges items and keys as DynamoDB does, before anything of them is stored."""

    @property
    def attribute_types(self) -> dict[str, str]:
        """Key attributes and their declared types."""
        return {one["AttributeName"]: one["AttributeType"] for one in self.attr}

    def checked(self, attributes: Mapping[str, AttributeValue]) -> tuple[Key, int]:
        """The key and size of an item that may be stored; its numbers are made canonical in place.

        Raises a ValidationException for one that may not.
        """
        size = item_size(attributes)
        key = self.checked_key(attributes)
        self.check_index_keys(attributes)
        if size > ITEM_BYTES:
            raise ItemSizeTooLarge
        return key, size

    def checked_key(self, attributes: Mapping[str, AttributeValue]) -> Key:
        """The key of an item, its types and lengths checked."""
        hash_part = self._key_part(attributes, self.hash_key_attr, self.hash_key_type, HASH_KEY_BYTES)
        if self.range_key_attr is None:
            return hash_part, None
        return hash_part, self._key_part(attributes, self.range_key_attr, str(self.range_key_type), RANGE_KEY_BYTES)

    def given_key(self, key_map: Mapping[str, AttributeValue]) -> Key:
        """The key that a call names. Raises a ValidationException where it is not a key of this table."""
        if len(key_map) != len(self.table_key_attrs):
            raise ProvidedKeyDoesNotExist
        kinds = (self.hash_key_type, self.range_key_type)
        for name, kind in zip((self.hash_key_attr, self.range_key_attr), kinds, strict=True):
            if name is not None and kind not in key_map.get(name, ()):
                raise ProvidedKeyDoesNotExist
        return self.checked_key(key_map)

    def _key_part(self, attributes: Mapping[str, AttributeValue], name: str, kind: str, limit: int) -> Any:
        value = attributes.get(name)
        if value is None:
            raise MockValidationException(
                f"One or more parameter values were invalid: Missing the key {name} in the item"
            )
        content = value.get(kind)
        if content is None:
            raise InvalidAttributeTypeError(name, expected_type=kind, actual_type=next(iter(value), "NULL"))
        if content == "" or content == b"":
            raise MockValidationException(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
            )
        return checked_part(value, kind, limit)

    def check_index_keys(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Raises where an index's key attribute is there with another type than declared, empty, or too long."""
        if not (self.global_indexes or self.indexes):
            return
        types = self.attribute_types
        for index in self.all_indexes():
            for part in index.schema:
                name = part["AttributeName"]
                if name in attributes and name in types and name not in self.table_key_attrs:
                    limit = HASH_KEY_BYTES if part["KeyType"] == "HASH" else RANGE_KEY_BYTES
                    _check_index_key(index.name, name, attributes[name], types[name], limit)


def _check_index_key(index_name: str, name: str, value: AttributeValue, kind: str, limit: int) -> None:
    content = value.get(kind)
    if content is None:
        raise MockValidationException(
            f"One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {kind} "
            f"Actual: {next(iter(value), 'NULL')} IndexName: {index_name}"
        )
    if content == "":
        raise MockValidationException(
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
            "The AttributeValue for a key attribute cannot contain an empty "
            f"{'string' if kind == 'S' else 'binary'} value. IndexName: {index_name}, IndexKey: {name}"
        )
    checked_part(value, kind, limit)


def checked_part(value: AttributeValue, kind: str, limit: int) -> KeyPart:
    """A key value, its length checked. Raises moto's errors for one that is too long."""
    if kind == "N":
        return number(canonical_number(value["N"]))
    part = cast(value)
    if len(part if isinstance(part, bytes) else str(part).encode()) > limit:
        raise HashKeyTooLong if limit == HASH_KEY_BYTES else RangeKeyTooLong
    return part
