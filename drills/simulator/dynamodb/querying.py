"""Scan and Query.

Rows are read in the order of their keys, as plain moto does. AWS reads partitions in the order of a hash that it does
not tell: code that counts on an order of partitions is wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import orjson

from drills.simulator.dynamodb.answers import Body, invalid
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.calls import items_of, on_items, one_of, one_style
from drills.simulator.dynamodb.capacity import Consumed, read_units, wanted
from drills.simulator.dynamodb.conditions import Predicate, condition_of, paths_of, predicate
from drills.simulator.dynamodb.key_conditions import LABEL as KEY_CONDITION
from drills.simulator.dynamodb.key_conditions import Stretch, stretch_of
from drills.simulator.dynamodb.paging import Page, Source, after, in_segment, read_page, segment_of
from drills.simulator.dynamodb.projection import LABEL as PROJECTION
from drills.simulator.dynamodb.projection import Tree, paths_wanted, projected, tree
from drills.simulator.dynamodb.rows import Row, cast, loads
from drills.simulator.dynamodb.validation import item_size

if TYPE_CHECKING:
    from drills.simulator.request import Request

FILTER = "FilterExpression"
SELECT = ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
MOST_SEGMENTS = 1_000_000


@on_items
def scan(request: Request, body: Body) -> Body | None:
    table = items_of(request, body["TableName"])
    if one_style(body, (FILTER, PROJECTION), ("ScanFilter", "ConditionalOperator", "AttributesToGet")):
        return None
    source = _source(table, body)
    view = View(source, body, Binding.of(body, FILTER, PROJECTION))
    segment = _segment(body)
    low = None
    if "ExclusiveStartKey" in body:
        low = after(source.entry(body["ExclusiveStartKey"]))
        _refuse_key_of_other_segment(source, body, segment)
    rows: Iterable[Row] = source.rows(low, None)
    if segment is not None:
        rows = in_segment(rows, source, *segment)
    return _answer(body, source, view, rows)


@on_items
def query(request: Request, body: Body) -> Body | None:
    table = items_of(request, body["TableName"])
    older = ("KeyConditions", "QueryFilter", "ConditionalOperator", "AttributesToGet")
    if one_style(body, (KEY_CONDITION, FILTER, PROJECTION), older):
        return None
    if KEY_CONDITION not in body:
        raise invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    source = _source(table, body)
    binding = Binding.of(body, KEY_CONDITION, FILTER, PROJECTION)
    stretch = stretch_of(body[KEY_CONDITION], binding, source)
    view = View(source, body, binding, keys_apart=True)
    backward = not body.get("ScanIndexForward", True)
    if "ExclusiveStartKey" in body:
        stretch = _rest(stretch, source.entry(body["ExclusiveStartKey"]), backward=backward)
    return _answer(body, source, view, source.rows(stretch.low, stretch.high, backward=backward))


def _source(table: object, body: Body) -> Source:
    source = Source(table, body.get("IndexName"))  # type: ignore[arg-type]
    if source.is_global and body.get("ConsistentRead", False):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    limit = body.get("Limit")
    if limit is not None and limit < 1:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        )
    return source


def _rest(stretch: Stretch, start: tuple[object, ...], *, backward: bool) -> Stretch:
    if not stretch.holds(start):
        raise invalid("The provided starting key is outside query boundaries based on provided conditions")
    return Stretch(stretch.low, start) if backward else Stretch(after(start), stretch.high)


def _segment(body: Body) -> tuple[int, int] | None:
    segment, total = body.get("Segment"), body.get("TotalSegments")
    if segment is None and total is None:
        return None
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if not 1 <= total <= MOST_SEGMENTS:
        bound = "greater than or equal to 1" if total < 1 else f"less than or equal to {MOST_SEGMENTS}"
        raise invalid(
            f"1 validation error detected: Value '{total}' at 'totalSegments' failed to satisfy constraint: "
            f"Member must have value {bound}"
        )
    if not 0 <= segment < total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment, total


def _refuse_key_of_other_segment(source: Source, body: Body, segment: tuple[int, int] | None) -> None:
    part = cast(body["ExclusiveStartKey"][source.names("HASH")[0]])
    if segment is not None and segment_of(part, segment[1]) != segment[0]:
        raise invalid(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
            f"correct Segment. TotalSegments: {segment[1]} Segment: {segment[0]}"
        )


class View:
    """What a call wants to see of each row: which, by its filter, and how much, by its index and projection."""

    def __init__(self, source: Source, body: Body, binding: Binding, *, keys_apart: bool = False) -> None:
        self.filter = _filter(source, body, binding, keys_apart=keys_apart)
        paths = paths_wanted(body[PROJECTION], binding) if PROJECTION in body else None
        binding.finish()
        self.count_only = _check_select(source, body) == "COUNT"
        self.held = source.held
        self.projection: Tree | None = None
        fetches = body.get("Select") == "ALL_ATTRIBUTES"
        if paths is not None:
            self.projection = tree(paths)
            fetches = self.held is not None and not {path[0] for path in paths} <= self.held
            if fetches and source.is_global:
                missing = sorted({str(path[0]) for path in paths} - (self.held or frozenset()))
                raise invalid(
                    "One or more parameter values were invalid: Global secondary index "
                    f"{source.index_name} does not project [{', '.join(missing)}]"
                )
        if fetches:
            # A local index fetches from the table what it does not hold itself.
            self.held = None

    def seen(self) -> Callable[[Row], tuple[int, bytes | None]] | None:
        """What read_page asks of each row; None where rows are seen whole."""
        if self.filter is None and self.held is None and self.projection is None:
            return None
        return self._seen

    def _seen(self, row: Row) -> tuple[int, bytes | None]:
        item = loads(row.raw)
        size, raw = row.size, row.raw
        if self.held is not None:
            item = {name: value for name, value in item.items() if name in self.held}
            size = item_size(item)
        if self.filter is not None and not self.filter(item):
            return size, None
        if self.projection is not None:
            item = projected(item, self.projection)
        elif self.held is None:
            return size, raw
        return size, b"" if self.count_only else orjson.dumps(item)


def _filter(source: Source, body: Body, binding: Binding, *, keys_apart: bool) -> Predicate | None:
    if FILTER not in body:
        return None
    condition = condition_of(body[FILTER], FILTER)
    if keys_apart:
        keys = [part["AttributeName"] for part in source.schema]
        for path in paths_of(condition):
            name = binding.path(path, FILTER)[0]
            if name in keys:
                raise invalid(
                    f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
                )
    return predicate(condition, binding, FILTER)


def _check_select(source: Source, body: Body) -> str:
    select = one_of(body, "Select", SELECT, "") if "Select" in body else ""
    if select == "SPECIFIC_ATTRIBUTES" and PROJECTION not in body:
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    if select and select != "SPECIFIC_ATTRIBUTES" and PROJECTION in body:
        chosen = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the ProjectionExpression when choosing to get {chosen}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and source.index is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if select == "ALL_ATTRIBUTES" and source.is_global and source.held is not None:
        raise invalid(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global "
            f"secondary index {source.index_name} because its projection type is not ALL"
        )
    return select


def _answer(body: Body, source: Source, view: View, rows: Iterable[Row]) -> Body:
    page = read_page(rows, body.get("Limit"), view.seen())
    answer: Body = {"Count": page.matched, "ScannedCount": page.scanned}
    if not view.count_only:
        answer["Items"] = [orjson.Fragment(raw) for raw in page.items]
    if page.unfinished and page.last is not None:
        answer["LastEvaluatedKey"] = source.key_map(page.last)
    detail = wanted(body)
    if detail != "NONE":
        answer["ConsumedCapacity"] = _consumed(body, source, page).described(detail)
    return answer


def _consumed(body: Body, source: Source, page: Page) -> Consumed:
    consumed = Consumed(body["TableName"], source.table)
    consumed.read(read_units(page.size, consistent=body.get("ConsistentRead", False)), source.index_name)
    return consumed
