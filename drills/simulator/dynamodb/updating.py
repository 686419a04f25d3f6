"""UpdateItem: what an update expression makes of an item, worked out aside and stored in one change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, localcontext
from typing import Any

from moto.dynamodb.comparisons import get_expected, get_filter_expression
from moto.dynamodb.exceptions import ItemSizeTooLarge, ItemSizeToUpdateTooLarge
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.validators import UpdateExpressionValidator

from drills.simulator.dynamodb.materialised import StoredItem, dynamo_type
from drills.simulator.dynamodb.rows import AttributeValue, Key, loads
from drills.simulator.dynamodb.table import SimulatedTable, refused
from drills.simulator.replaced import Replacement

NUMBER_CONTEXT = Context(prec=38, Emin=-130, Emax=125)

_update_item = DynamoDBBackend.update_item


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


def current_item(table: SimulatedTable, key: Key) -> StoredItem | None:
    """The item under a key as moto's item."""
    row = table.row(key)
    return None if row is None else table.item(row)


def check_condition(
    table: SimulatedTable,
    key: Key,
    expression: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Any] | None,
    return_values: str | None = None,
) -> None:
    """Raises ConditionalCheckFailed where the item does not fulfil the condition."""
    if not expression:
        return
    current = current_item(table, key)
    if not get_filter_expression(expression, names, values).expr(current):
        raise refused(current, return_values)


def prepare_update(
    table: SimulatedTable,
    key_map: Mapping[str, AttributeValue],
    update_expression: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Any] | None,
    attribute_updates: Mapping[str, Any] | None = None,
) -> Prepared:
    """The item that an update makes of what is there now. Raises moto's validation errors; stores nothing."""
    key = table.checked_key(key_map)
    item = current_item(table, key)
    if item is None:
        attributes = {name: dynamo_type(key_map[name]) for name in table.table_key_attrs}
        range_key = attributes[table.range_key_attr] if table.range_key_attr else None
        item = StoredItem(attributes[table.hash_key_attr], range_key, attributes)
    if attribute_updates:
        item.validate_no_empty_key_values(attribute_updates, table.attribute_keys)
    if update_expression:
        _execute(table, item, update_expression, names, values)
    elif attribute_updates:
        item.update_with_attribute_updates(attribute_updates)
    raw = item.wire()
    attributes = loads(raw)
    try:
        _, size = table.checked(attributes)
    except ItemSizeTooLarge as error:
        raise ItemSizeToUpdateTooLarge from error
    return Prepared(table, key, raw, attributes, size)


def _execute(
    table: SimulatedTable,
    item: StoredItem,
    expression: str,
    names: Mapping[str, str] | None,
    values: Mapping[str, Any] | None,
) -> None:
    with localcontext(NUMBER_CONTEXT):
        validated = UpdateExpressionValidator(
            UpdateExpressionParser.make(expression),
            expression_attribute_names=names,
            expression_attribute_values=values,
            item=item,
            table=table,
        ).validate()
        validated.normalize()
        UpdateExpressionExecutor(validated, item, names).execute()


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
    """In place of moto's: an upsert is one change, and one that fails leaves nothing behind."""
    table = self.get_table(table_name)
    if not isinstance(table, SimulatedTable):
        return _update_item(
            self,
            table_name,
            key,
            update_expression,
            expression_attribute_names,
            expression_attribute_values,
            attribute_updates,
            expected,
            condition_expression,
            return_values_on_condition_check_failure,
        )
    names, values = expression_attribute_names, expression_attribute_values
    if update_expression:
        # Syntax comes before the condition, as it does on AWS.
        UpdateExpressionParser.make(update_expression)
    current_key = table.checked_key(key)
    current = current_item(table, current_key)
    if not get_expected(expected or {}).expr(current):
        raise refused(current, return_values_on_condition_check_failure)
    check_condition(table, current_key, condition_expression, names, values, return_values_on_condition_check_failure)
    prepared = prepare_update(table, key, update_expression, names, values, attribute_updates)
    prepared.store()
    return current_item(table, current_key)


def _sum(self: DynamoType, other: DynamoType) -> DynamoType:
    return _reckoned(_add, self, other, 1)


def _difference(self: DynamoType, other: DynamoType) -> DynamoType:
    return _reckoned(_subtract, self, other, -1)


_add = DynamoType.__add__
_subtract = DynamoType.__sub__


def _reckoned(original: Any, one: DynamoType, other: DynamoType, sign: int) -> DynamoType:
    if one.type != "N" or other.type != "N":
        return original(one, other)
    result = NUMBER_CONTEXT.add(
        NUMBER_CONTEXT.create_decimal(one.value), sign * NUMBER_CONTEXT.create_decimal(other.value)
    )
    plain = format(result, "f")
    return DynamoType({"N": plain if len(plain) <= 40 else str(result)})


REPLACEMENTS = (
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.update_item",
        update_item,
        "an upsert is one change of the item; moto puts the bare key first and then changes it in place",
        digest="218984588dd6",
    ),
    Replacement(
        "moto.dynamodb.models.dynamo_type:DynamoType.__add__",
        _sum,
        "sums keep 38 digits; moto reckons with 28 and refuses exponents",
        digest="c2852d8ddde0",
    ),
    Replacement(
        "moto.dynamodb.models.dynamo_type:DynamoType.__sub__",
        _difference,
        "differences keep 38 digits; moto reckons with 28 and refuses exponents",
        digest="1ccbee699609",
    ),
)
