"""PutItem, DeleteItem, UpdateItem and BatchWriteItem."""

from __future__ import annotations

import orjson

from drills.simulator.dynamodb.answers import invalid
from drills.simulator.dynamodb.calls import distinct, items_of, on_items

BATCH_ITEMS = 25


@on_items
def put_item(request, body):  # type: ignore[no-untyped-def]
    table = items_of(request, body["TableName"])
    if body.keys() - {"TableName", "Item"}:
        return None
    item = body["Item"]
    key, size = table.checked(item)
    table.commit(key, orjson.dumps(item), cause="user", attributes=item, size=size)
    return {}


@on_items
def batch_write_item(request, body):  # type: ignore[no-untyped-def]
    writes = []
    total = 0
    for name, wanted in body["RequestItems"].items():
        table = items_of(request, name)
        total += len(wanted)
        keys = []
        for one in wanted:
            if "PutRequest" in one:
                item = one["PutRequest"]["Item"]
                key, size = table.checked(item)
                writes.append((table, key, orjson.dumps(item), item, size))
            else:
                key = table.given_key(one["DeleteRequest"]["Key"])
                writes.append((table, key, None, None, 0))
            keys.append(key)
        distinct(keys)
    if total > BATCH_ITEMS:
        raise invalid("Too many items requested for the BatchWriteItem call")
    for table, key, raw, item, size in writes:
        table.commit(key, raw, cause="user", attributes=item, size=size)
    return {"UnprocessedItems": {}}
