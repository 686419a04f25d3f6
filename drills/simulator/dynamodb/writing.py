"""PutItem, DeleteItem, UpdateItem and BatchWriteItem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from drills.simulator.dynamodb.answers import Body, Refused, invalid
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.calls import REQUEST_BYTES, distinct, items_of, on_items, one_of, one_style
from drills.simulator.dynamodb.capacity import Consumed, collection, collections_wanted, wanted
from drills.simulator.dynamodb.projection import projected, tree
from drills.simulator.dynamodb.rows import AttributeValue, Key, loads
from drills.simulator.dynamodb.table import SimulatedTable
from drills.simulator.dynamodb.update_expressions import Update
from drills.simulator.dynamodb.updating import (
    CONDITION,
    UPDATE,
    Prepared,
    check_condition,
    condition_in,
    prepare_put,
    prepare_update,
    update_in,
)

if TYPE_CHECKING:
    from drills.simulator.request import Request

BATCH_ITEMS = 25
RETURN_VALUES = ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW")
EXPECTED = ("Expected", "ConditionalOperator")
ON_FAILURE = "ReturnValuesOnConditionCheckFailure"


@on_items
def put_item(request: Request, body: Body) -> Body | None:
    name = body["TableName"]
    table = items_of(request, name)
    if one_style(body, (CONDITION,), EXPECTED):
        return None
    wants = _old_or_nothing(body)
    binding = Binding.of(body, CONDITION)
    condition = condition_in(body, binding)
    binding.finish()
    prepared = prepare_put(table, body["Item"])
    check_condition(table, prepared.key, condition, body.get(ON_FAILURE))
    old = _raw_under(table, prepared.key)
    prepared.store()
    return _answer(body, name, prepared, old, body["Item"], _attributes(old) if wants == "ALL_OLD" else {})


@on_items
def delete_item(request: Request, body: Body) -> Body | None:
    name = body["TableName"]
    table = items_of(request, name)
    if one_style(body, (CONDITION,), EXPECTED):
        return None
    wants = _old_or_nothing(body)
    binding = Binding.of(body, CONDITION)
    condition = condition_in(body, binding)
    binding.finish()
    key = table.given_key(body["Key"])
    check_condition(table, key, condition, body.get(ON_FAILURE))
    old = _raw_under(table, key)
    prepared = Prepared(table, key, None, None, 0)
    prepared.store()
    return _answer(body, name, prepared, old, body["Key"], _attributes(old) if wants == "ALL_OLD" else {})


@on_items
def update_item(request: Request, body: Body) -> Body | None:
    name = body["TableName"]
    table = items_of(request, name)
    if one_style(body, (UPDATE, CONDITION), ("AttributeUpdates", *EXPECTED)):
        return None
    wants = one_of(body, "ReturnValues", RETURN_VALUES, "NONE")
    binding = Binding.of(body, UPDATE, CONDITION)
    update = update_in(table, body, binding)
    condition = condition_in(body, binding)
    binding.finish()
    key = table.given_key(body["Key"])
    check_condition(table, key, condition, body.get(ON_FAILURE))
    old = _raw_under(table, key)
    prepared = prepare_update(table, key, body["Key"], update)
    prepared.store()
    return _answer(body, name, prepared, old, body["Key"], _updated(wants, old, prepared.raw, update))


def _updated(wants: str, old: bytes | None, new: bytes | None, update: Update | None) -> Body:
    if wants == "NONE":
        return {}
    raw = old if wants in ("ALL_OLD", "UPDATED_OLD") else new
    if wants in ("ALL_OLD", "ALL_NEW"):
        return _attributes(raw)
    attributes = projected(loads(raw), tree(update.paths)) if raw and update else {}
    return {"Attributes": attributes} if attributes else {}


def _raw_under(table: SimulatedTable, key: Key) -> bytes | None:
    row = table.row(key)
    return None if row is None else row.raw


def _attributes(raw: bytes | None) -> Body:
    return {} if raw is None else {"Attributes": orjson.Fragment(raw)}


def _old_or_nothing(body: Body) -> str:
    wants = one_of(body, "ReturnValues", RETURN_VALUES, "NONE")
    if wants not in ("ALL_OLD", "NONE"):
        raise invalid("Return values set to invalid value")
    return wants


def _answer(
    body: Body,
    name: str,
    written: Prepared,
    old: bytes | None,
    key_map: Mapping[str, AttributeValue],
    answer: Body,
) -> Body:
    detail = wanted(body)
    if detail != "NONE":
        consumed = Consumed(name, written.table)
        consumed.write(old, written.raw)
        answer["ConsumedCapacity"] = consumed.described(detail)
    if collections_wanted(body) and (metrics := collection(written.table, written.key, key_map)):
        answer["ItemCollectionMetrics"] = metrics
    return answer


# --- BatchWriteItem


@on_items
def batch_write_item(request: Request, body: Body) -> Body:
    requested = body["RequestItems"]
    _refuse_too_many(requested)
    if len(request.body) > REQUEST_BYTES:
        raise Refused("RequestEntityTooLarge", "Request size exceeds the limit of 16 MB", 413)
    detail, metrics = wanted(body), collections_wanted(body)
    prepared: dict[str, list[tuple[Prepared, Body]]] = {}
    for name, writes in requested.items():
        table = items_of(request, name)
        prepared[name] = [_prepared(table, write) for write in writes]
        distinct(write.key for write, _ in prepared[name])
    answer: Body = {"UnprocessedItems": {}}
    for name, writes in prepared.items():
        consumed = Consumed(name, writes[0][0].table)
        for write, key_map in writes:
            if detail != "NONE":
                consumed.write(_raw_under(write.table, write.key), write.raw)
            write.store()
            if metrics and (one := collection(write.table, write.key, key_map)):
                answer.setdefault("ItemCollectionMetrics", {}).setdefault(name, []).append(one)
        if detail != "NONE":
            answer.setdefault("ConsumedCapacity", []).append(consumed.described(detail))
    return answer


def _prepared(table: SimulatedTable, write: Body) -> tuple[Prepared, Any]:
    if len(write) != 1:
        # (A): AWS documents that there is one of the two, not the words.
        raise invalid("Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest")
    if "PutRequest" in write:
        item = write["PutRequest"]["Item"]
        return prepare_put(table, item), item
    key_map = write["DeleteRequest"]["Key"]
    return Prepared(table, table.given_key(key_map), None, None, 0), key_map


def _refuse_too_many(requested: Body) -> None:
    counts = [len(writes) for writes in requested.values()]
    if not counts or not all(1 <= count <= BATCH_ITEMS for count in counts):
        raise invalid(
            "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Map value must satisfy "
            "constraint: [Member must have length less than or equal to 25, Member must have length greater than or "
            "equal to 1]"
        )
    if sum(counts) > BATCH_ITEMS:
        raise invalid("Too many items requested for the BatchWriteItem call")
