"""Global tables, version 2019.11.21, eventually consistent, within one account: replicas come and go by UpdateTable.

Source: DynamoDB developer guide, Global tables: core concepts and tutorials; API reference, UpdateTable
(ReplicaUpdates) and ReplicaDescription. The words of the errors are those AWS is known to answer with. Assumed, as
AWS does not say: a replica takes as long to create as a restore; it is deleted at once, and what it sent arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import boto3
from moto.dynamodb.exceptions import MockValidationException, ResourceInUseException

from drills.errors import SimulatorError
from drills.simulator.dynamodb.answers import Body, Refused, Request, backend, find_table, in_use, invalid, operation
from drills.simulator.dynamodb.images import image_of
from drills.simulator.dynamodb.overrides import creation_of
from drills.simulator.dynamodb.replica_settings import catch_up, read_units, share_settings
from drills.simulator.dynamodb.replication import GlobalTable, Member
from drills.simulator.dynamodb.settings import refuse_unless_active
from drills.simulator.dynamodb.table import SimulatedTable, table_deleted, table_deleting, table_described
from drills.simulator.dynamodb.underway import later
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

VERSION = "2019.11.21"
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
ONE = "One or more parameter values were invalid: "
LOCAL_REGION = (
    "Cannot add, delete, or update the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or "
    "UpdateTable as required."
)
UNKNOWN_REPLICA = "Replica specified in the Replica Update or Replica Delete action of the request was not found."
STILL_SOURCE = (
    "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to the table in "
    "the last 24 hours."
)
NOT_SIMULATED = {
    "MultiRegionConsistency": "multi-Region strong consistency",
    "GlobalTableWitnessUpdates": "witnesses of multi-Region strong consistency",
    "GlobalTableSettingsReplicationMode": "global tables across accounts",
    "GlobalTableSourceArn": "global tables across accounts",
    "DisassociationProtectionEnabled": "disassociation of replicas",
}
ALONE = ("TableName", "ReplicaUpdates", "MultiRegionConsistency")
OVERRIDES = (
    "KMSMasterKeyId",
    "ProvisionedThroughputOverride",
    "OnDemandThroughputOverride",
    "GlobalSecondaryIndexes",
)

_global_tables: dict[str, GlobalTable] = {}
"""By the id of each member's table."""


def begin(simulation: Simulation) -> None:
    """Forget the global tables of an earlier simulation and follow this one's outages, closed accounts and settings."""
    _global_tables.clear()
    simulation.on_region_down.append(lambda _: _each("hold"))
    simulation.on_account_closed.append(lambda _: _each("hold"))
    simulation.on_account_reopened.append(lambda _: _each("resume"))
    simulation.on_region_up.append(lambda _: _each("resume"))
    simulation.on_answered.append(_follow_call)


def _each(action: str) -> None:
    for one in dict.fromkeys(_global_tables.values()):
        getattr(one, action)()
        if action == "resume":
            catch_up(one)


def global_table_of(table: SimulatedTable) -> GlobalTable | None:
    """The global table that a table is a member of; None while it stands alone."""
    return _global_tables.get(table.id)


def _is_replicated(table: SimulatedTable) -> bool:
    one = global_table_of(table)
    return one is not None and len(one.members) > 1


# --- UpdateTable


@operation
def update_table(request: Request, body: Body) -> Body | None:
    """The replica updates of UpdateTable; the rest is left to the next."""
    _refuse_what_is_not_simulated(body)
    table = find_table(request.account, request.region, body["TableName"])
    if table is None:
        return None
    refuse_unless_active(table)
    wanted = body.get("StreamSpecification")
    if wanted is not None and not wanted.get("StreamEnabled") and _is_replicated(table):
        raise invalid(f"{ONE}Disabling Stream is not allowed for a Global Table replica.")
    if not body.get("ReplicaUpdates"):
        return None
    _update_replicas(request, table, body)
    described: Body = {"TableDescription": table.describe()["TableDescription"]}
    return described


def _refuse_what_is_not_simulated(body: Body) -> None:
    for parameter, what in NOT_SIMULATED.items():
        if parameter in body and body[parameter] != "EVENTUAL":
            raise SimulatorError(
                f"{parameter}={body[parameter]!r} on table {body['TableName']}: {what} cannot be simulated. Expected a "
                "global table of version 2019.11.21 with eventual consistency in one account: UpdateTable with "
                "ReplicaUpdates alone."
            )


def _update_replicas(request: Request, table: SimulatedTable, body: Body) -> None:
    others = sorted(body.keys() - set(ALONE))
    if others:
        raise invalid(f"{ONE}ReplicaUpdates cannot be combined with {', '.join(others)} in one UpdateTable call")
    updates = body["ReplicaUpdates"]
    if len(updates) != 1 or len(updates[0]) != 1:
        raise invalid(f"{ONE}Only one replica update is allowed in one UpdateTable call")
    ((kind, action),) = updates[0].items()
    if kind == "Disassociate":
        raise SimulatorError(
            f"ReplicaUpdates Disassociate on table {table.name}: disassociation of replicas cannot be simulated. "
            "Expected Create, Update or Delete."
        )
    region = action["RegionName"]
    if region == request.region:
        raise invalid(LOCAL_REGION)
    if kind == "Create":
        _create(table, region, action)
    else:
        member = _other_member(table, region)
        if kind == "Delete":
            _delete(member)
        else:
            _override(member, action)


def _other_member(table: SimulatedTable, region: str) -> Member:
    one = global_table_of(table)
    if one is None or region not in one.members:
        raise invalid(UNKNOWN_REPLICA)
    _refuse_if_down(region)
    return one.members[region]


def _refuse_if_down(region: str) -> None:
    if current().is_down(region):
        raise Refused("InternalServerError", "Internal server error", status=500)


# --- Creating a replica


def _create(table: SimulatedTable, region: str, action: Mapping[str, Any]) -> None:
    _check_creation(table, region)
    if not (table.stream_specification or {}).get("StreamEnabled"):
        # Switched on by DynamoDB itself, seen in hashicorp/terraform-provider-aws#43625.
        table.set_stream_specification(dict(STREAM))
    one = global_table_of(table)
    if one is None:
        one = _global_tables[table.id] = GlobalTable(current(), table)
    source = one.members[table.region_name]
    replica = _replica(table, region, action)
    member = one.join(replica, source)
    _global_tables[replica.id] = one
    member.overrides = _overrides(action)
    source.sourced = current().clock.now()
    table.status, replica.status = "UPDATING", "CREATING"
    modelled = current().begin(
        "dynamodb.replica_creation", replica.table_arn, _inherited_size(table, replica), gsis=len(table.global_indexes)
    )

    def complete() -> None:
        table.status = replica.status = "ACTIVE"
        one.fill(member, source)
        share_settings(table, member)
        catch_up(one)

    later(table.account_id, frozenset({table.region_name, region}), modelled.seconds, complete)


def _check_creation(table: SimulatedTable, region: str) -> None:
    if region not in boto3.session.Session().get_available_regions("dynamodb"):
        raise invalid(f"{ONE}Region {region} is not a valid region for a replica")
    _refuse_if_down(region)
    if find_table(table.account_id, region, table.name) is not None:
        raise invalid(
            f"Failed to create a the new replica of table with name: '{table.name}' because one or more replicas "
            "already existed as tables."
        )
    stream = table.stream_specification or {}
    if stream.get("StreamEnabled") and stream.get("StreamViewType") != STREAM["StreamViewType"]:
        raise invalid(
            f"{ONE}Table {table.name} must have a stream with StreamViewType NEW_AND_OLD_IMAGES to be replicated; "
            f"found {stream.get('StreamViewType')}"
        )
    if table.billing_mode != "PAY_PER_REQUEST" and not _scales(table):
        raise invalid("Table write capacity should either be Pay-Per-Request or AutoScaled.")


def _scales(table: SimulatedTable) -> bool:
    """Whether Application Auto Scaling looks after the table's write capacity."""
    from moto.applicationautoscaling.models import applicationautoscaling_backends

    targets = applicationautoscaling_backends[table.account_id][table.region_name].targets
    return f"table/{table.name}" in targets.get("dynamodb:table:WriteCapacityUnits", {})


def _replica(table: SimulatedTable, region: str, action: Mapping[str, Any]) -> SimulatedTable:
    """The new table with the settings that replicas have in common. Tags, recovery and protection are its own."""
    creation = creation_of(image_of(table), {}, region)
    if creation["sse_specification"] and action.get("KMSMasterKeyId"):
        creation["sse_specification"]["KMSMasterKeyId"] = action["KMSMasterKeyId"]
    creation["streams"] = dict(STREAM)
    replica: SimulatedTable = backend(table.account_id, region).create_table(table.name, **creation)
    read_units(replica, action)
    return replica


def _inherited_size(table: SimulatedTable, replica: SimulatedTable) -> Size:
    simulation = current()
    if table.table_arn in simulation.sizes:
        simulation.sizes.setdefault(replica.table_arn, simulation.sizes[table.table_arn])
    return Size(table.size_bytes / 1e9, len(table))


def _overrides(action: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: action[name] for name in OVERRIDES if name in action}
    if "TableClassOverride" in action:
        kept["ReplicaTableClassSummary"] = {"TableClass": action["TableClassOverride"]}
    return kept


def _override(member: Member, action: Mapping[str, Any]) -> None:
    if not member.ready:
        raise in_use(member.table.name, "Table is being created")
    member.overrides.update(_overrides(action))
    read_units(member.table, action)


# --- Deleting one


def _reason_against_deleting(member: Member, one: GlobalTable) -> Refused | None:
    table = member.table
    try:
        refuse_unless_active(table)
    except Refused as refusal:
        return refusal
    kept = timedelta(seconds=current().replica_source_kept_seconds)
    recently = member.sourced is not None and current().clock.now() - member.sourced < kept
    return invalid(STILL_SOURCE) if recently and len(one.members) > 1 else None


def _delete(member: Member) -> None:
    table = member.table
    one = _global_tables[table.id]
    refusal = _reason_against_deleting(member, one)
    if refusal is not None:
        raise refusal
    if table.deletion_protection_enabled:
        raise invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
            "protection first."
        )
    backend(table.account_id, table.region_name).delete_table(table.name)


def _object_to_deletion(table: SimulatedTable) -> None:
    one = global_table_of(table)
    refusal = None if one is None else _reason_against_deleting(one.members[table.region_name], one)
    if refusal is None:
        return
    if refusal.code == "ResourceInUseException":
        raise ResourceInUseException(refusal.message)
    raise MockValidationException(refusal.message)


def _leave(table: SimulatedTable) -> None:
    one = _global_tables.pop(table.id, None)
    if one is not None:
        one.leave(one.members[table.region_name])


table_deleting.append(_object_to_deletion)
table_deleted.append(_leave)


# --- Describing


def _described(table: SimulatedTable) -> Mapping[str, Any]:
    """The other members as DescribeTable gives them; nothing for a table that stands alone."""
    if not _is_replicated(table):
        return {}
    one = _global_tables[table.id]
    return {
        "GlobalTableVersion": VERSION,
        "Replicas": [
            {
                "RegionName": region,
                "ReplicaStatus": "ACTIVE" if member.ready else "CREATING",
                "ReplicaArn": member.table.table_arn,
                **member.overrides,
            }
            for region, member in sorted(one.members.items())
            if region != table.region_name
        ],
    }


table_described.append(_described)


# --- Settings that members have in common


def _follow_call(request: Any, status: int) -> None:
    """Carry what a call changed over to the other members."""
    if status != 200 or request.service != "dynamodb" or request.operation not in ("UpdateTable", "UpdateTimeToLive"):
        return
    table = find_table(request.account, request.region, request.json()["TableName"])
    one = None if table is None else global_table_of(table)
    if one is not None:
        one.behind.pop(request.region, None)
        one.behind.update({region: request.region for region in one.members if region != request.region})
        catch_up(one)


# --- The older version, which none of these tables have


@operation
def create_global_table(_: Request, body: Body) -> Body:
    """Refused: version 2017.11.29 cannot be simulated."""
    raise SimulatorError(
        f"CreateGlobalTable {body['GlobalTableName']}: global tables of version 2017.11.29 cannot be simulated. Use "
        "UpdateTable with ReplicaUpdates, which makes one of version 2019.11.21."
    )


@operation
def no_such_global_table(_: Request, body: Body) -> Body:
    """There are none of version 2017.11.29."""
    raise Refused("GlobalTableNotFoundException", f"Global table not found: {body['GlobalTableName']}")


@operation
def list_global_tables(_request: Request, _body: Body) -> Body:
    """There are none of version 2017.11.29."""
    return {"GlobalTables": []}


@operation
def create_table(_: Request, body: Body) -> None:
    """Nothing of a table's creation is served here, but what cannot be simulated is not passed over."""
    _refuse_what_is_not_simulated(body)


OPERATIONS = {
    "dynamodb:UpdateTable": update_table,
    "dynamodb:CreateTable": create_table,
    "dynamodb:CreateGlobalTable": create_global_table,
    "dynamodb:UpdateGlobalTable": no_such_global_table,
    "dynamodb:DescribeGlobalTable": no_such_global_table,
    "dynamodb:DescribeGlobalTableSettings": no_such_global_table,
    "dynamodb:UpdateGlobalTableSettings": no_such_global_table,
    "dynamodb:ListGlobalTables": list_global_tables,
}
REPLACEMENTS: tuple[Replacement, ...] = ()
