"""TransactWriteItems: everything is judged against the items as they are, and only then stored.

An item occurs once in a transaction, so no write sees another's; working all of them out first makes it all or
nothing without a copy of any table. Source: DynamoDB developer guide, "Amazon DynamoDB Transactions: How it works".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
from moto.dynamodb.exceptions import ConditionalCheckFailed, MockValidationException

from drills.simulator.dynamodb.answers import Body, Refused, invalid
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.calls import RefusedWith, items_of, on_items
from drills.simulator.dynamodb.capacity import Consumed, collection, collections_wanted, read_units, wanted
from drills.simulator.dynamodb.conditions import Predicate
from drills.simulator.dynamodb.rows import Key
from drills.simulator.dynamodb.table import Change, SimulatedTable
from drills.simulator.dynamodb.update_expressions import Update
from drills.simulator.dynamodb.updating import (
    CONDITION,
    UPDATE,
    Prepared,
    attributes_under,
    check_condition,
    condition_in,
    prepare_put,
    prepare_update,
    update_in,
)
from drills.simulator.state import Simulation, current

if TYPE_CHECKING:
    from drills.simulator.request import Request

MOST_ITEMS = 100
MOST_BYTES = 4 * 1024 * 1024
KINDS = ("ConditionCheck", "Put", "Delete", "Update")
TOKEN_KEPT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Operation:
    """One item's part of a transaction, its expressions read."""

    kind: str
    name: str
    table: SimulatedTable
    parameters: Body
    condition: Predicate | None
    update: Update | None

    @property
    def key_map(self) -> Body:
        """The attributes that hold the key."""
        key_map: Body = self.parameters["Item" if self.kind == "Put" else "Key"]
        return key_map

    def key(self) -> Key:
        """The item's key. Raises a ValidationException where it is none of the table."""
        return self.table.checked_key(self.key_map) if self.kind == "Put" else self.table.given_key(self.key_map)

    def prepared(self) -> Prepared:
        """What is to be stored. Raises ConditionalCheckFailed and ValidationExceptions."""
        key = self.key()
        check_condition(self.table, key, self.condition, self.parameters.get("ReturnValuesOnConditionCheckFailure"))
        if self.kind == "Put":
            return prepare_put(self.table, self.parameters["Item"])
        if self.kind == "Update":
            return prepare_update(self.table, key, self.key_map, self.update)
        row = self.table.row(key)
        kept = row is not None and self.kind == "ConditionCheck"
        return Prepared(self.table, key, row.raw if kept and row is not None else None, None, row.size if row else 0)


@on_items
def transact_write_items(request: Request, body: Body) -> Body:
    items = body["TransactItems"]
    if not 1 <= len(items) <= MOST_ITEMS:
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have "
            f"length {'less than or equal to 100' if items else 'greater than or equal to 1'}"
        )
    operations = [_operation(request, one) for one in items]
    repeated = _requests.seen(request, body)
    if repeated:
        return _answer(body, operations, None)
    _refuse_twice(operations)
    prepared = _judged(operations)
    if sum(write.size for write in prepared) > MOST_BYTES:
        raise invalid("Transaction size exceeds the limit of 4 MB")  # (A): AWS documents the limit, not the words.
    old = [attributes_under(write.table, write.key) for write in prepared]
    store([write for one, write in zip(operations, prepared, strict=True) if one.kind != "ConditionCheck"])
    _requests.keep(request, body)
    return _answer(body, operations, list(zip(prepared, old, strict=True)))


def _operation(request: Request, one: Body) -> Operation:
    kinds = [kind for kind in KINDS if kind in one]
    if len(kinds) != 1 or len(one) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    (kind,) = kinds
    parameters = one[kind]
    name = parameters["TableName"]
    table = items_of(request, name)
    binding = Binding.of(parameters, *((UPDATE, CONDITION) if kind == "Update" else (CONDITION,)))
    update = update_in(table, parameters, binding) if kind == "Update" else None
    condition = condition_in(parameters, binding)
    binding.finish()
    return Operation(kind, name, table, parameters, condition, update)


def _refuse_twice(operations: list[Operation]) -> None:
    keys: list[Any] = []
    for one in operations:
        try:
            keys.append((one.table.table_arn, one.key()))
        except MockValidationException:
            continue  # It is among the reasons that cancel the transaction.
    if len(set(keys)) != len(keys):
        raise invalid("Transaction request cannot include multiple operations on one item")


def _judged(operations: list[Operation]) -> list[Prepared]:
    """The writes that may be stored. Raises TransactionCanceledException with a reason for each item, in order."""
    prepared: list[Prepared] = []
    reasons: list[Body] = []
    for one in operations:
        try:
            prepared.append(one.prepared())
            reasons.append({"Code": "None"})
        except ConditionalCheckFailed as refusal:
            item = orjson.loads(refusal.description).get("Item")
            reason = {"Code": "ConditionalCheckFailed", "Message": str(refusal.message)}
            reasons.append({**reason, "Item": item} if item else reason)
        except MockValidationException as refusal:
            reasons.append({"Code": "ValidationError", "Message": str(refusal.message)})
        except Refused as refusal:
            reasons.append({"Code": "ValidationError", "Message": refusal.message})
    if len(prepared) < len(operations):
        codes = ", ".join(reason["Code"] for reason in reasons)
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        raise RefusedWith("TransactionCanceledException", message, {"Message": message, "CancellationReasons": reasons})
    return prepared


def store(prepared: list[Prepared]) -> None:
    """Apply all, then tell the observers, in order."""
    changes: list[Change] = []
    for write in prepared:
        change = write.table.apply(write.key, write.raw, cause="user", attributes=write.attributes, size=write.size)
        if change is not None:
            changes.append(change)
    for change in changes:
        change.table.tell(change)


def _answer(
    body: Body, operations: list[Operation], written: list[tuple[Prepared, Mapping[str, Any] | None]] | None
) -> Body:
    """``written`` is None for a call that was carried out before: it only reads."""
    answer: Body = {}
    detail = wanted(body)
    if detail != "NONE":
        consumed: dict[str, Consumed] = {}
        for at, one in enumerate(operations):
            of_table = consumed.setdefault(one.name, Consumed(one.name, one.table))
            if written is None:
                row = one.table.row(one.key())
                of_table.read(2 * read_units(0 if row is None else row.size, consistent=True))
            else:
                write, old = written[at]
                of_table.write(None if old is None else orjson.dumps(old), write.raw, times=2)
        kind = "Read" if written is None else "Write"
        answer["ConsumedCapacity"] = [one.described(detail, kind=kind) for one in consumed.values()]  # type: ignore[arg-type]
    if collections_wanted(body):
        for one in operations:
            if metrics := collection(one.table, one.key(), one.key_map):
                answer.setdefault("ItemCollectionMetrics", {}).setdefault(one.name, []).append(metrics)
    return answer


class Requests:
    """The transactions that were carried out, by their ClientRequestToken, for ten minutes.

    Source: API reference, TransactWriteItems, ClientRequestToken.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[datetime, bytes]] = {}

    def seen(self, request: Request, body: Body) -> bool:
        """Whether this very call was carried out. Raises where another one was, under the same token."""
        now = current().clock.now()
        while self._kept:
            oldest = next(iter(self._kept))
            if now - self._kept[oldest][0] < TOKEN_KEPT:
                break
            del self._kept[oldest]
        token = self._token(request, body)
        kept = self._kept.get(token) if token else None
        if kept is None:
            return False
        if kept[1] != self._content(body):
            raise Refused(
                "IdempotentParameterMismatchException",
                "DynamoDB rejected the request because you retried a request with a different payload but with an "
                "idempotent token that was already used.",
            )
        return True

    def keep(self, request: Request, body: Body) -> None:
        """Remember a call that was carried out."""
        token = self._token(request, body)
        if token:
            self._kept[token] = (current().clock.now(), self._content(body))

    @staticmethod
    def _token(request: Request, body: Body) -> bytes | None:
        token = body.get("ClientRequestToken")
        if not token:
            return None
        return blake2b(f"{request.account}/{request.region}/{token}".encode(), digest_size=16).digest()

    @staticmethod
    def _content(body: Body) -> bytes:
        return blake2b(orjson.dumps(body["TransactItems"], option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


_requests = Requests()


def begin(_: Simulation) -> None:
    """Forget the calls of an earlier simulation."""
    global _requests
    _requests = Requests()
