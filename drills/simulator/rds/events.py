"""What RDS tells of instances and clusters: those events that say why one cannot be used.

Source: RDS API reference, DescribeEvents and Event; RDS user guide, Amazon RDS event categories and event messages
(RDS-EVENT-0031 and RDS-EVENT-0035, of the category ``failure``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.model import Cluster, Event, Held, Instance
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation, current

KEPT = timedelta(days=14)
HOUR_MINUTES = 60
FAILURE = "failure"
INSTANCE, CLUSTER = "db-instance", "db-cluster"


def tell(held: Held, category: str, message: str) -> None:
    """An event of an instance or a cluster, as of now."""
    assert isinstance(held, Instance | Cluster)
    kind = CLUSTER if isinstance(held, Cluster) else INSTANCE
    databases().events.append(
        Event(held.account, held.region, current().clock.now(), kind, held.identifier, held.arn, category, message)
    )


def describe(call: Call) -> Mapping[str, Any]:
    """Those of the last hour, unless the call says otherwise; none is older than fourteen days."""
    params, now = call.params, current().clock.now()
    if params.get("SourceIdentifier") and not params.get("SourceType"):
        raise Refused("InvalidParameterCombination", "Cannot specify source identifier without source type")
    end = params.get("EndTime", now)
    start = params.get("StartTime", end - timedelta(minutes=params.get("Duration", HOUR_MINUTES)))
    if start > end:
        raise Refused("InvalidParameterCombination", "The StartTime is later than the EndTime.")
    found = [
        {"Number": str(number), **_shape(one)}
        for number, one in enumerate(databases().events)
        if (one.account, one.region) == (call.account, call.region)
        and max(start, now - KEPT) <= one.at <= end
        and params.get("SourceType", one.source_type) == one.source_type
        and str(params.get("SourceIdentifier") or one.identifier).lower() == one.identifier
        and one.category in (params.get("EventCategories") or [one.category])
    ]
    return page(call, found, "Events")


def _shape(event: Event) -> Mapping[str, Any]:
    return {
        "SourceIdentifier": event.identifier,
        "SourceType": event.source_type,
        "Message": event.message,
        "EventCategories": [event.category],
        "Date": event.at,
        "SourceArn": event.arn,
    }


def begin(_: Simulation) -> None:
    """Events are kept with the databases."""


OPERATIONS = {"rds:DescribeEvents": answering(describe)}
