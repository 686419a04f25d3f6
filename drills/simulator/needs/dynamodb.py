"""What calls of DynamoDB and its streams need.

Source: service authorization reference, Amazon DynamoDB; DynamoDB developer guide, IAM and transactions, IAM policies
for PartiQL, Using IAM with backup and restore (a restore also needs the data plane of its target).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from drills.simulator.conditions import Keys
from drills.simulator.needs.need import Need, action, arn, parameters
from drills.simulator.request import Request

OF_RESTORE = ("PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan", "BatchWriteItem")
PARTIQL = re.compile(
    r'^\s*(SELECT|INSERT|UPDATE|DELETE)\b.*?(?:FROM|INTO|UPDATE)?\s*"([^"]+)"', re.IGNORECASE | re.DOTALL
)
ARN_PARAMETERS = ("StreamArn", "BackupArn", "ResourceArn", "TableArn", "ExportArn", "ImportArn", "SourceTableArn")
TRANSACTED = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
    "Get": "GetItem",
    "ConditionCheck": "ConditionCheckItem",
}


def needs(request: Request) -> Iterator[Need]:
    body = parameters(request)
    operation = request.operation
    if operation in ("TransactWriteItems", "TransactGetItems"):
        for item in body.get("TransactItems", ()):
            for kind, content in item.items():
                yield _one(request, TRANSACTED.get(kind, kind), content)
    elif operation in ("BatchWriteItem", "BatchGetItem"):
        for name in body.get("RequestItems", {}):
            yield Need(action(request), table_arn(request, name), _leading_keys(_batched(body["RequestItems"][name])))
    elif operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
        yield from _partiql(request, body)
    elif operation in ("RestoreTableToPointInTime", "RestoreTableFromBackup"):
        yield from _restore(request, body)
    elif operation == "GetRecords":
        stream = body.get("StreamArn") or str(body.get("ShardIterator", "")).partition("|")[0]
        yield Need(action(request), str(stream))
    elif operation == "ListStreams":
        named = body.get("TableName")
        yield Need(action(request), f"{table_arn(request, named)}/stream/*" if named else "*")
    else:
        yield from _plain(request, body)


def table_arn(request: Request, name: Any) -> str:
    """The ARN of a table that a call names by its name or ARN."""
    return str(name) if str(name).startswith("arn:") else arn(request, f"table/{name}")


def _plain(request: Request, body: Any) -> Iterator[Need]:
    for parameter in ARN_PARAMETERS:
        if body.get(parameter):
            yield Need(action(request), str(body[parameter]))
            return
    name = body.get("TableName") or body.get("GlobalTableName")
    if not name:
        yield Need(action(request), "*")
        return
    yield _one(request, request.operation, body)


def _one(request: Request, operation: str, content: Any) -> Need:
    resource = table_arn(request, content.get("TableName") or content.get("GlobalTableName"))
    if content.get("IndexName"):
        resource += f"/index/{content['IndexName']}"
    keys = {**_leading_keys([content.get("Key") or content.get("Item")]), **_selected(content)}
    return Need(action(request, operation), resource, keys)


def _selected(content: Any) -> Keys:
    selected = content.get("Select")
    return {"dynamodb:select": (str(selected),) if selected else None}


def _batched(content: Any) -> list[Any]:
    if isinstance(content, dict):
        return list(content.get("Keys", ()))
    return [next(iter(one.values())).get("Item") or next(iter(one.values())).get("Key") for one in content]


def _leading_keys(items: list[Any]) -> Keys:
    """Not known for a query or an item whose table has another name for its key: then the condition is not judged."""
    if any(not isinstance(item, dict) for item in items):
        return {}
    singles = [next(iter(item.values())) for item in items if len(item) == 1]
    if len(singles) != len(items):
        return {}
    return {"dynamodb:leadingkeys": tuple(str(next(iter(value.values()))) for value in singles)}


def _restore(request: Request, body: Any) -> Iterator[Need]:
    source = body.get("BackupArn") or body.get("SourceTableArn") or table_arn(request, body.get("SourceTableName"))
    yield Need(action(request), str(source))
    target = table_arn(request, body.get("TargetTableName"))
    for name in (request.operation, *OF_RESTORE):
        yield Need(action(request, name), target)


def _partiql(request: Request, body: Any) -> Iterator[Need]:
    statements = [body, *body.get("Statements", ()), *body.get("TransactStatements", ())]
    for statement in statements:
        found = PARTIQL.match(str(statement.get("Statement", "")))
        if found:
            table, _, index = found[2].partition(".")
            verb = found[1].capitalize()
            yield Need(
                action(request, f"PartiQL{verb}"), table_arn(request, table) + (f"/index/{index}" if index else "")
            )
