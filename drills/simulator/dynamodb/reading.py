"""GetItem, BatchGetItem and TransactGetItems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from drills.simulator.dynamodb.answers import Body, invalid
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.calls import distinct, items_of, on_items, one_style
from drills.simulator.dynamodb.capacity import Consumed, read_units, wanted
from drills.simulator.dynamodb.projection import LABEL, Tree, paths_wanted, projected, tree
from drills.simulator.dynamodb.rows import Row, loads
from drills.simulator.dynamodb.table import SimulatedTable

if TYPE_CHECKING:
    from drills.simulator.request import Request

BATCH_KEYS = 100
BATCH_BYTES = 16 * 1024 * 1024
TRANSACTION_ITEMS = 100
TRANSACTION_BYTES = 4 * 1024 * 1024


def projection_in(parameters: Body) -> Tree | None:
    """What a read wants of each item; None for all of it. Takes AttributesToGet, the older way to say it, as well."""
    older = one_style(parameters, (LABEL,), ("AttributesToGet",))
    binding = Binding.of(parameters, LABEL)
    if older:
        return tree([(name,) for name in parameters["AttributesToGet"]])
    if LABEL not in parameters:
        return None
    wanted_paths = tree(paths_wanted(parameters[LABEL], binding))
    binding.finish()
    return wanted_paths


def shown(row: Row, projection: Tree | None) -> Any:
    """A row as it goes into an answer."""
    return orjson.Fragment(row.raw) if projection is None else projected(loads(row.raw), projection)


@on_items
def get_item(request: Request, body: Body) -> Body:
    name = body["TableName"]
    table = items_of(request, name)
    projection = projection_in(body)
    row = table.row(table.given_key(body["Key"]))
    answer: Body = {} if row is None else {"Item": shown(row, projection)}
    detail = wanted(body)
    if detail != "NONE":
        consumed = Consumed(name, table)
        consumed.read(_units(row, body))
        answer["ConsumedCapacity"] = consumed.described(detail)
    return answer


def _units(row: Row | None, parameters: Body) -> float:
    return read_units(0 if row is None else row.size, consistent=parameters.get("ConsistentRead", False))


@on_items
def batch_get_item(request: Request, body: Body) -> Body:
    requested = body["RequestItems"]
    _refuse_too_many(requested)
    detail = wanted(body)
    tables = {name: items_of(request, name) for name in requested}
    projections = {name: projection_in(parameters) for name, parameters in requested.items()}
    responses: dict[str, list[Any]] = {name: [] for name in requested}
    unprocessed: dict[str, Body] = {}
    consumed: list[Body] = []
    room = BATCH_BYTES
    keys = {name: [tables[name].given_key(key) for key in parameters["Keys"]] for name, parameters in requested.items()}
    for name in requested:
        distinct(keys[name])
    for name, parameters in requested.items():
        of_table = Consumed(name, tables[name])
        for key, key_map in zip(keys[name], parameters["Keys"], strict=True):
            row = tables[name].row(key)
            if row is not None and row.size > room:
                unprocessed.setdefault(name, {**parameters, "Keys": []})["Keys"].append(key_map)
                continue
            of_table.read(_units(row, parameters))
            if row is not None:
                room -= row.size
                responses[name].append(shown(row, projections[name]))
        consumed.append(of_table.described(detail))
    answer: Body = {"Responses": responses, "UnprocessedKeys": unprocessed}
    return answer if detail == "NONE" else {**answer, "ConsumedCapacity": consumed}


def _refuse_too_many(requested: Body) -> None:
    for name, parameters in requested.items():
        if not 1 <= len(parameters["Keys"]) <= BATCH_KEYS:
            bound = f"less than or equal to {BATCH_KEYS}" if parameters["Keys"] else "greater than or equal to 1"
            raise invalid(
                f"1 validation error detected: Value at 'requestItems.{name}.member.keys' failed to satisfy "
                f"constraint: Member must have length {bound}"
            )
    if not requested:
        raise invalid(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1"
        )
    if sum(len(parameters["Keys"]) for parameters in requested.values()) > BATCH_KEYS:
        raise invalid("Too many items requested for the BatchGetItem call")


@on_items
def transact_get_items(request: Request, body: Body) -> Body:
    gets = [one["Get"] for one in body["TransactItems"]]
    if not 1 <= len(gets) <= TRANSACTION_ITEMS:
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length {'less than or equal to 100' if gets else 'greater than or equal to 1'}"
        )
    detail = wanted(body)
    found: list[tuple[SimulatedTable, Body, Row | None, Tree | None]] = []
    for get in gets:
        table = items_of(request, get["TableName"])
        row = table.row(table.given_key(get["Key"]))
        found.append((table, get, row, projection_in(get)))
    distinct((id(table), table.given_key(get["Key"])) for table, get, _, _ in found)  # type: ignore[misc]
    if sum(row.size for _, _, row, _ in found if row is not None) > TRANSACTION_BYTES:
        raise invalid("Transaction size exceeds the limit of 4 MB")  # (A): AWS documents the limit, not the words.
    answer: Body = {
        "Responses": [{} if row is None else {"Item": shown(row, projection)} for _, _, row, projection in found]
    }
    if detail != "NONE":
        consumed: dict[str, Consumed] = {}
        for table, get, row, _ in found:
            of_table = consumed.setdefault(get["TableName"], Consumed(get["TableName"], table))
            of_table.read(2 * read_units(0 if row is None else row.size, consistent=True))
        answer["ConsumedCapacity"] = [one.described(detail, kind="Read") for one in consumed.values()]
    return answer
