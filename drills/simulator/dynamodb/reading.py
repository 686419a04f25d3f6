"""GetItem, BatchGetItem and TransactGetItems."""

from __future__ import annotations

from drills.simulator.dynamodb.calls import item_of, items_of, on_items


@on_items
def get_item(request, body):  # type: ignore[no-untyped-def]
    table = items_of(request, body["TableName"])
    if body.keys() - {"TableName", "Key", "ConsistentRead"}:
        return None
    row = table.row(table.given_key(body["Key"]))
    return dict(item_of(None if row is None else row.raw))
