"""The settings that the members of a global table have in common: what is changed on one is carried over to the others.

Indexes, time to live, billing, encryption and write capacity; tags, point-in-time recovery, deletion protection and
policies are each replica's own. Source: DynamoDB developer guide, Global tables: core concepts (settings).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb.replication import GlobalTable, Member
from drills.simulator.dynamodb.table import SimulatedTable
from drills.simulator.dynamodb.ttl import set_time_to_live
from drills.simulator.state import current

EXPIRES_ELSEWHERE_SECONDS = 600.0
"""An expired item is deleted in one region, and the deletion replicates; the others delete it if that does not come."""


def catch_up(one: GlobalTable) -> None:
    """Bring the members that are behind up to the newer settings, where an outage does not stand in the way."""
    simulation = current()
    for region, newer in list(one.behind.items()):
        if region not in one.members or newer not in one.members:
            del one.behind[region]
        elif one.members[region].ready and not (simulation.is_down(region) or simulation.is_down(newer)):
            del one.behind[region]
            share_settings(one.members[newer].table, one.members[region])


def share_settings(source: SimulatedTable, member: Member) -> None:
    """Indexes, time to live, billing, encryption and write capacity; read capacity and key may be a replica's own."""
    table = member.table
    table.attr = copy.deepcopy(source.attr)
    table.global_indexes = copy.deepcopy(source.global_indexes)
    if table.ttl != source.ttl:
        set_time_to_live(table, source.ttl.get("AttributeName"), later_seconds=EXPIRES_ELSEWHERE_SECONDS)
    table.billing_mode = source.billing_mode
    table.throughput = dict(source.throughput)
    read_units(table, member.overrides)
    table.sse_specification = _encryption(source, member)


def _encryption(source: SimulatedTable, member: Member) -> dict[str, Any] | None:
    own: dict[str, Any] | None = member.table.sse_specification
    if not (source.sse_specification or {}).get("Enabled"):
        return None
    if own:
        return own
    key = member.overrides.get("KMSMasterKeyId") or member.table._get_default_encryption_key(
        member.table.account_id, member.region
    )
    return {**source.sse_specification, "KMSMasterKeyId": key}


def read_units(replica: SimulatedTable, action: Mapping[str, Any]) -> None:
    """The read capacity that is the replica's own, if the action names one."""
    units = action.get("ProvisionedThroughputOverride", {}).get("ReadCapacityUnits")
    if units is not None:
        replica.throughput["ReadCapacityUnits"] = units
