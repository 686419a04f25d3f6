"""UpdateItem: what an update makes of an item, worked out aside and stored in one change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from moto.dynamodb.comparisons import get_expected
from moto.dynamodb.exceptions import ConditionalCheckFailed, ItemSizeTooLarge, ItemSizeToUpdateTooLarge
from moto.dynamodb.models import DynamoDBBackend

from drills.simulator.dynamodb.answers import Body
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.conditions import Predicate, bound
from drills.simulator.dynamodb.materialised import StoredItem, dynamo_type
from drills.simulator.dynamodb.rows import AttributeValue, Key, loads
from drills.simulator.dynamodb.table import SimulatedTable, refused
from drills.simulator.dynamodb.update_expressions import Update
from drills.simulator.replaced import Replacement

CONDITION = "ConditionExpression"
UPDATE = "UpdateExpression"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A write that was checked and can be stored: the bytes are None for a deletion."""

    table: SimulatedTable
    key: Key
    raw: bytes | None
    attributes: Mapping[str, Any] | None
    size: int

    def store(self) -> None:
        """Commit it."""
        self.table.commit(self.key, self.raw, cause="user", attributes=self.attributes, size=self.size)


def attributes_under(table: SimulatedTable, key: Key) -> dict[str, dict[str, Any]] | None:
    """The item under a key; None where there is none."""
    row = table.row(key)
    return None if row is None else loads(row.raw)


def condition_in(parameters: Body, binding: Binding) -> Predicate | None:
    """The condition of a write; None if it has none."""
    return bound(parameters[CONDITION], binding, CONDITION) if CONDITION in parameters else None


def update_in(table: SimulatedTable, parameters: Body, binding: Binding) -> Update | None:
    """The update of a write; None if it has none."""
    return Update(parameters[UPDATE], binding, table.table_key_attrs) if UPDATE in parameters else None


def check_condition(table: SimulatedTable, key: Key, condition: Predicate | None, return_values: str | None) -> None:
    """Raises ConditionalCheckFailed where the item does not fulfil the condition, with the item if that is wanted."""
    if condition is None:
        return
    current = attributes_under(table, key)
    if not condition(current or {}):
        raise ConditionalCheckFailed(item=current if return_values == "ALL_OLD" else None)


def prepare_put(table: SimulatedTable, item: dict[str, Any]) -> Prepared:
    """An item that is to be stored as it is. Raises a ValidationException for one that may not."""
    key, size = table.checked(item)
    return Prepared(table, key, orjson.dumps(item), item, size)


def prepare_update(
    table: SimulatedTable, key: Key, key_map: Mapping[str, AttributeValue], update: Update | None
) -> Prepared:
    """The item that an update makes of what is there now. Raises a ValidationException; stores nothing."""
    before = attributes_under(table, key) or {name: dict(value) for name, value in key_map.items()}
    after = update.of(before) if update is not None else before
    return _checked(table, key, after)


def _checked(table: SimulatedTable, key: Key, attributes: dict[str, Any]) -> Prepared:
    try:
        _, size = table.checked(attributes)
    except ItemSizeTooLarge as error:
        raise ItemSizeToUpdateTooLarge from error
    return Prepared(table, key, orjson.dumps(attributes), attributes, size)


def update_item(
    self: DynamoDBBackend,
    table_name: str,
    key: dict[str, dict[str, Any]],
    update_expression: str,
    expression_attribute_names: dict[str, Any],
    expression_attribute_values: dict[str, Any],
    attribute_updates: dict[str, Any] | None = None,
    expected: dict[str, Any] | None = None,
    condition_expression: str | None = None,
    return_values_on_condition_check_failure: str | None = None,
) -> Any:
    """In place of moto's, for calls in the older style: an upsert is one change; one that fails leaves nothing."""
    table = self.get_table(table_name)
    its_key = table.given_key(key)
    item = _as_moto(table, its_key)
    if not get_expected(expected or {}).expr(item):
        raise refused(item, return_values_on_condition_check_failure)
    if update_expression or condition_expression:
        binding = Binding(expression_attribute_names or {}, expression_attribute_values or {})
        condition = bound(condition_expression, binding, CONDITION) if condition_expression else None
        check_condition(table, its_key, condition, return_values_on_condition_check_failure)
        update = Update(update_expression, binding, table.table_key_attrs) if update_expression else None
        prepare_update(table, its_key, key, update).store()
        return _as_moto(table, its_key)
    _checked(table, its_key, loads(_updated_in_older_style(table, key, item, attribute_updates).wire())).store()
    return _as_moto(table, its_key)


def _updated_in_older_style(
    table: SimulatedTable, key_map: Mapping[str, AttributeValue], item: StoredItem | None, updates: Any
) -> StoredItem:
    if item is None:
        attributes = {name: dynamo_type(key_map[name]) for name in table.table_key_attrs}
        range_key = attributes[table.range_key_attr] if table.range_key_attr else None
        item = StoredItem(attributes[table.hash_key_attr], range_key, attributes)
    if updates:
        item.validate_no_empty_key_values(updates, table.attribute_keys)
        item.update_with_attribute_updates(updates)
    return item


def _as_moto(table: SimulatedTable, key: Key) -> StoredItem | None:
    row = table.row(key)
    return None if row is None else table.item(row)


REPLACEMENTS = (
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.update_item",
        update_item,
        "an upsert is one change of the item; moto puts the bare key first and then changes it in place",
        digest="218984588dd6",
    ),
)
