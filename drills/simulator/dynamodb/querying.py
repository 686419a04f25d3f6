"""Scan and Query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from drills.simulator.dynamodb.answers import Body
from drills.simulator.dynamodb.calls import items_of, on_items
from drills.simulator.dynamodb.paging import Page, Source, after, read_page

if TYPE_CHECKING:
    pass

EXPRESSIONS = ("FilterExpression", "ProjectionExpression")
OLDER = ("ScanFilter", "QueryFilter", "KeyConditions", "ConditionalOperator", "AttributesToGet")
LATER = (*EXPRESSIONS, *OLDER, "Segment", "Select", "IndexName", "ReturnConsumedCapacity", "TotalSegments")


def _scan(request, body):  # type: ignore[no-untyped-def]
    table = items_of(request, body["TableName"])
    if any(name in body for name in LATER):
        return None
    source = Source(table, None)
    low = after(source.entry(body["ExclusiveStartKey"])) if "ExclusiveStartKey" in body else None
    page = read_page(source.rows(low, None), body.get("Limit"), None)
    return answer_of(page, source)


def answer_of(page: Page, source: Source) -> Body:
    answer: Body = {
        "Count": page.matched,
        "Items": [orjson.Fragment(raw) for raw in page.items],
        "ScannedCount": page.scanned,
    }
    if page.unfinished and page.last is not None:
        answer["LastEvaluatedKey"] = source.key_map(page.last)
    return answer


scan = on_items(_scan)
