"""Time to live: items whose time has passed are deleted by DynamoDB itself, some while later.

Nothing polls: each table keeps its items' moments in a heap, and one event on the clock waits for the earliest. An
entry is only a reminder; what counts when it is due is the item as it is then. The timing model gives the lag between
expiry and deletion once for each time it is enabled on a table, so that a hundred thousand items cost one draw.
Source: DynamoDB developer guide, "Using time to live (TTL) in DynamoDB"; API reference, UpdateTimeToLive.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from drills.clock import Event
from drills.simulator.dynamodb.answers import Body, Request, invalid, operation, table_or_not_found
from drills.simulator.dynamodb.history import EPOCH, microseconds
from drills.simulator.dynamodb.rows import Key, loads
from drills.simulator.dynamodb.settings import refuse_unless_active
from drills.simulator.dynamodb.table import Change, SimulatedTable, table_deleted
from drills.simulator.dynamodb.underway import disturbed
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

IGNORED_AFTER = timedelta(days=5 * 365) // timedelta(microseconds=1)
"""An item that expired longer ago than this is never deleted."""

BETWEEN_CHANGES = timedelta(hours=1)
FAR_FUTURE_SECONDS = 250_000_000_000
ATTRIBUTE_NAME_LENGTH = 255


class Reaper:
    """Deletes one table's expired items, from the moment time to live was enabled."""

    def __init__(self, table: SimulatedTable, attribute: str, lag_seconds: float) -> None:
        self._table = table
        self._attribute = attribute
        self._lag_microseconds = round(lag_seconds * 1e6)
        self._quoted = orjson.dumps(attribute) if attribute.isascii() else b""
        self._clock = current().clock
        self._event: Event | None = None
        self._order = 0
        self._heap: list[tuple[int, int, Key]] = []
        now = microseconds(self._clock.now())
        for row in table.rows():
            due = self._due(row.raw, now)
            if due is not None:
                self._order += 1
                self._heap.append((due, self._order, row.key))
        heapq.heapify(self._heap)
        table.observers.append(self.observe)
        self.wait()

    def observe(self, change: Change) -> None:
        """Note when the item that was written will go."""
        if change.new is None:
            return
        if change.old is not None and self._expiry(change.old) == self._expiry(change.new):
            return
        due = self._due(change.new, microseconds(change.at))
        if due is None:
            return
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, change.key))
        if self._heap[0][1] == self._order:
            self.wait()

    def stop(self) -> None:
        """Delete nothing more."""
        if self.observe in self._table.observers:
            self._table.observers.remove(self.observe)
        self._heap.clear()
        self.wait()

    def wait(self) -> None:
        """Have the clock call when the earliest is due; not while the region is down or the account closed."""
        if self._event is not None:
            self._event.cancel()
            self._event = None
        if self._heap and not self.held():
            due = EPOCH + timedelta(microseconds=self._heap[0][0])
            self._event = self._clock.call_at(due, self._reap)

    def held(self) -> bool:
        return disturbed(self._table.account_id, frozenset({self._table.region_name}))

    def _reap(self) -> None:
        self._event = None
        now = microseconds(self._clock.now())
        while self._heap and self._heap[0][0] <= now and not self.held():
            _, _, key = heapq.heappop(self._heap)
            row = self._table.row(key)
            expiry = None if row is None else self._expiry(row.raw)
            # The item may have been given more time, or have been written again: then another entry is its own.
            if expiry is not None and now - IGNORED_AFTER < expiry <= now - self._lag_microseconds:
                self._table.commit(key, None, cause="ttl")
        self.wait()

    def _due(self, raw: bytes, now: int) -> int | None:
        """When the item is to be deleted, microseconds since 1970; None if never."""
        expiry = self._expiry(raw)
        if expiry is None or expiry <= now - IGNORED_AFTER:
            return None
        return max(expiry, now) + self._lag_microseconds

    def _expiry(self, raw: bytes) -> int | None:
        if self._quoted not in raw:
            return None
        seconds = expiry_seconds(loads(raw).get(self._attribute))
        return None if seconds is None else seconds * 1_000_000


def expiry_seconds(value: Mapping[str, Any] | None) -> int | None:
    """Seconds since 1970 in a time-to-live attribute; None if it is not a Number or nothing that can come to pass."""
    if value is None or "N" not in value:
        return None
    try:
        seconds = Decimal(value["N"])
    except InvalidOperation:
        return None
    return int(seconds) if abs(seconds) < FAR_FUTURE_SECONDS else None


_reapers: dict[str, Reaper] = {}
_changed: dict[str, datetime] = {}


def begin(simulation: Simulation) -> None:
    """Forget the reapers of an earlier simulation and follow this one's outages and closed accounts."""
    _reapers.clear()
    _changed.clear()
    if _forget not in table_deleted:
        table_deleted.append(_forget)
    for told in (simulation.on_region_down, simulation.on_region_up):
        told.append(_all_wait)
    for told in (simulation.on_account_closed, simulation.on_account_reopened):
        told.append(_all_wait)


def _all_wait(_: str) -> None:
    for reaper in _reapers.values():
        reaper.wait()


def _forget(table: SimulatedTable) -> None:
    set_time_to_live(table, None)
    _changed.pop(table.id, None)


def set_time_to_live(table: SimulatedTable, attribute: str | None, *, later_seconds: float = 0.0) -> None:
    """Enable time to live by this attribute, or disable it (None). ``later_seconds`` are added to the lag."""
    reaper = _reapers.pop(table.id, None)
    if reaper is not None:
        reaper.stop()
    if attribute is None:
        table.ttl = {"TimeToLiveStatus": "DISABLED"}
        return
    table.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}
    size = Size(table.size_bytes / 1e9, len(table))
    modelled = current().begin("dynamodb.ttl_deletion", table.table_arn, size)
    _reapers[table.id] = Reaper(table, attribute, modelled.seconds + later_seconds)


@operation
def update_time_to_live(request: Request, body: Body) -> Body:
    """Enable or disable; in force at once, and not to be changed again within the hour."""
    table = table_or_not_found(request, body["TableName"], "ResourceNotFoundException")
    refuse_unless_active(table)
    specification = body["TimeToLiveSpecification"]
    attribute, enabled = str(specification["AttributeName"]), bool(specification["Enabled"])
    if not 1 <= len(attribute) <= ATTRIBUTE_NAME_LENGTH:
        raise invalid(
            f"1 validation error detected: Value '{attribute}' at 'timeToLiveSpecification.attributeName' failed to "
            f"satisfy constraint: Member must have length between 1 and {ATTRIBUTE_NAME_LENGTH}"
        )
    _refuse_as_it_is(table.ttl, attribute, enabled)
    now = current().clock.now()
    changed = _changed.get(table.id)
    if changed is not None and now - changed < BETWEEN_CHANGES:
        raise invalid("Time to live has been modified multiple times within a fixed interval")
    _changed[table.id] = now
    set_time_to_live(table, attribute if enabled else None)
    return {"TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": enabled}}


def _refuse_as_it_is(ttl: Mapping[str, Any], attribute: str, enabled: bool) -> None:
    active = ttl.get("AttributeName") if ttl["TimeToLiveStatus"] == "ENABLED" else None
    if active is None and not enabled:
        raise invalid("TimeToLive is already disabled")
    if active is not None and attribute != active:
        raise invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {active}")
    if active is not None and enabled:
        raise invalid("TimeToLive is already enabled")


@operation
def describe_time_to_live(request: Request, body: Body) -> Body:
    """The status, and the attribute while it is enabled."""
    table = table_or_not_found(request, body["TableName"], "ResourceNotFoundException")
    return {"TimeToLiveDescription": dict(table.ttl)}


OPERATIONS = {
    "dynamodb:UpdateTimeToLive": update_time_to_live,
    "dynamodb:DescribeTimeToLive": describe_time_to_live,
}
REPLACEMENTS: tuple[Replacement, ...] = ()
