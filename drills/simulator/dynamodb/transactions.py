"""TransactWriteItems: everything is judged against the items as they are, and only then stored.

An item occurs once in a transaction, so no write sees another's; working all of them out first makes it all or
nothing without a copy of any table. Source: DynamoDB developer guide, "Amazon DynamoDB Transactions: How it works".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.dynamodb.exceptions import (
    ConditionalCheckFailed,
    ItemSizeTooLarge,
    ItemSizeToUpdateTooLarge,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.dynamodb.models import DynamoDBBackend

from drills.simulator.dynamodb.materialised import dumps
from drills.simulator.dynamodb.rows import AttributeValue, loads
from drills.simulator.dynamodb.table import Change, SimulatedTable
from drills.simulator.dynamodb.updating import Prepared, check_condition, prepare_update
from drills.simulator.replaced import Replacement

MOST_ITEMS = 100
KINDS = ("ConditionCheck", "Put", "Delete", "Update")
NO_REASON = (None, None, None)

_transact_write_items = DynamoDBBackend.transact_write_items


def transact_write_items(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """In place of moto's. Raises TransactionCanceledException with a reason for each item, in their order."""
    if len(transact_items) > MOST_ITEMS:
        raise TooManyTransactionsException
    if not all(isinstance(table, SimulatedTable) for table in self.tables.values()):
        return _transact_write_items(self, transact_items)
    prepared, reasons = judged(self, transact_items)
    if any(code is not None for code, _, _ in reasons):
        raise TransactionCanceledException(reasons)
    store(prepared)
    return None


def judged(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> tuple[list[Prepared], list[Any]]:
    """The writes to be stored, and for each item the reason that speaks against it."""
    prepared: list[Prepared] = []
    reasons: list[Any] = []
    seen: set[tuple[str, Any]] = set()
    for one in transact_items:
        if len(one) != 1:
            raise TransactWriteSingleOpException
        ((kind, operation),) = one.items()
        if kind not in KINDS:
            raise TransactWriteSingleOpException
        table = backend.get_table(operation["TableName"])
        key = table.checked_key(operation["Item" if kind == "Put" else "Key"])
        if (table.table_arn, key) in seen:
            raise MultipleTransactionsException
        seen.add((table.table_arn, key))
        try:
            write = _prepared(table, key, kind, operation)
        except ConditionalCheckFailed as refusal:
            reasons.append(("ConditionalCheckFailed", str(refusal.message), _old_item(table, key, operation)))
            continue
        except (ItemSizeTooLarge, ItemSizeToUpdateTooLarge) as refusal:
            reasons.append(("ValidationError", str(refusal.message), None))
            continue
        reasons.append(NO_REASON)
        if write is not None:
            prepared.append(write)
    return prepared, reasons


def _prepared(table: SimulatedTable, key: Any, kind: str, operation: Mapping[str, Any]) -> Prepared | None:
    names, values = operation.get("ExpressionAttributeNames"), operation.get("ExpressionAttributeValues")
    check_condition(table, key, operation.get("ConditionExpression"), names, values)
    if kind == "Put":
        raw = dumps(operation["Item"])
        attributes = loads(raw)
        _, size = table.checked(attributes)
        return Prepared(table, key, raw, attributes, size)
    if kind == "Update":
        return prepare_update(table, operation["Key"], operation["UpdateExpression"], names, values)
    return Prepared(table, key, None, None, 0) if kind == "Delete" else None


def _old_item(table: SimulatedTable, key: Any, operation: Mapping[str, Any]) -> Mapping[str, AttributeValue] | None:
    if operation.get("ReturnValuesOnConditionCheckFailure") != "ALL_OLD":
        return None
    row = table.row(key)
    return None if row is None else loads(row.raw)


def store(prepared: list[Prepared]) -> None:
    """Apply all, then tell the observers, in order."""
    changes: list[Change] = []
    for write in prepared:
        change = write.table.apply(write.key, write.raw, cause="user", attributes=write.attributes, size=write.size)
        if change is not None:
            changes.append(change)
    for change in changes:
        change.table.tell(change)


REPLACEMENTS = (
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.transact_write_items",
        transact_write_items,
        "all or nothing without copying tables, and nobody hears of a transaction that failed",
        digest="81db2cb7d94e",
    ),
)
