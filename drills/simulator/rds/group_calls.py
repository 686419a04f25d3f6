"""Calls about groups that databases use: what they change on servers, and what must stay; moto keeps the groups.

Source: RDS API reference, ModifyDBParameterGroup, ResetDBParameterGroup and those of DB cluster parameter groups,
DeleteDBParameterGroup; RDS user guide, Parameter groups for Amazon RDS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.rds.models import OptionGroup, rds_backends

from drills.simulator.rds import parameter_groups, parameters, settings
from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.model import POSTGRES, Held
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation

NEWER = frozenset(map(str, range(14, 19)))
"""Major versions of PostgreSQL for which moto makes no option group."""
NAMES = {False: "DBParameterGroupName", True: "DBClusterParameterGroupName"}


def _group(call: Call, of_clusters: bool) -> Any:
    """The call's parameter group. Raises Refused; default ones cannot be changed."""
    group = parameter_groups.named(call, of_clusters)
    if group.name.startswith("default."):
        raise Refused("InvalidDBParameterGroupState", f"Default parameter group {group.name} cannot be changed.")
    return group


def modify(call: Call, of_clusters: bool) -> None:
    """Refuse what AWS does and tell the servers; moto keeps what was said."""
    group, given = _group(call, of_clusters), list(call.params.get("Parameters", ()))
    parameters.check(given)
    values = {str(one["ParameterName"]): one.get("ParameterValue") for one in given}
    now = frozenset(str(one["ParameterName"]) for one in given if one["ApplyMethod"] == "immediate")
    for held in parameters.users_of(call, group.name, of_clusters=of_clusters):
        parameters.changed(held, values, now)


def reset(call: Call, of_clusters: bool) -> Mapping[str, Any]:
    """Parameters have their defaults again: dynamic ones at once, static ones after the next reboot."""
    group, everything = _group(call, of_clusters), bool(call.params.get("ResetAllParameters", False))
    given = list(call.params.get("Parameters", ()))
    if everything == bool(given):
        raise Refused("InvalidParameterCombination", "Say either ResetAllParameters or Parameters.")
    names = list(group.parameters) if everything else [str(one["ParameterName"]) for one in given]
    names = [name for name in names if name in group.parameters]
    methods = {str(one["ParameterName"]): one.get("ApplyMethod") for one in given}
    now = frozenset(name for name in names if name not in parameters.STATIC and methods.get(name) != "pending-reboot")
    for held in parameters.users_of(call, group.name, of_clusters=of_clusters):
        parameters.changed(held, dict.fromkeys(names), now)
    for name in names:
        del group.parameters[name]
    return {NAMES[of_clusters]: group.name}


def delete(call: Call, of_clusters: bool) -> None:
    """Refuse to delete what is in use; moto deletes the others."""
    group = _group(call, of_clusters)
    if any(True for _ in parameters.users_of(call, group.name, of_clusters=of_clusters)):
        raise Refused(
            "InvalidDBParameterGroupState",
            f"One or more database instances are still members of this parameter group {group.name}, so the group "
            "cannot be deleted",
        )


# --- Option and subnet groups ----------------------------------------------------------------------------------------


def create_option_group(call: Call) -> Mapping[str, Any] | None:
    """Of versions of PostgreSQL that moto does not know; moto makes the others."""
    params = call.params
    name, major = str(params.get("OptionGroupName", "")).lower(), str(params.get("MajorEngineVersion", ""))
    backend = rds_backends[call.account][call.region]
    if params.get("EngineName") != POSTGRES or major not in NEWER or name in backend.option_groups:
        return None
    settings.check_identifier(name, "OptionGroupName")
    tags = [{"Key": key, "Value": value} for key, value in settings.tags_in(params).items()]
    group = OptionGroup(backend, name, POSTGRES, major, params.get("OptionGroupDescription"), tags)
    backend.option_groups[name] = group
    return {"OptionGroup": _option_group(group)}


def _option_group(group: OptionGroup) -> Mapping[str, Any]:
    return {
        "OptionGroupName": group.name,
        "OptionGroupDescription": group.description,
        "EngineName": group.engine_name,
        "MajorEngineVersion": group.major_engine_version,
        "Options": group.options,
        "AllowsVpcAndNonVpcInstanceMemberships": False,
        "OptionGroupArn": group.arn,
    }


def describe_option_groups(call: Call) -> Mapping[str, Any] | None:
    """All of them, which moto fails to list; moto describes one by its name."""
    if call.params.get("OptionGroupName"):
        return None
    groups = rds_backends[call.account][call.region].option_groups.values()
    engine, major = call.params.get("EngineName"), call.params.get("MajorEngineVersion")
    chosen = [
        _option_group(one)
        for one in sorted(groups, key=lambda one: one.name)
        if engine in (None, one.engine_name) and major in (None, one.major_engine_version)
    ]
    return page(call, chosen, "OptionGroupsList")


def delete_option_group(call: Call) -> None:
    """Refuse to delete one that an instance or a snapshot uses; moto deletes the others."""
    name, place = str(call.params.get("OptionGroupName", "")).lower(), databases().of(call.account, call.region)
    users = [one.identifier for one in place.instances.values() if one.option_group == name]
    users += [one.identifier for one in place.snapshots.values() if one.option_group == name]
    if users:
        words = f"The option group {name} cannot be deleted because it is in use by {', '.join(users)}."
        raise Refused("InvalidOptionGroupStateFault", words)


def delete_subnet_group(call: Call) -> None:
    """Refuse to delete one that a database lies in; moto deletes the others."""
    name, place = str(call.params.get("DBSubnetGroupName", "")).lower(), databases().of(call.account, call.region)
    held: list[Held] = [*place.instances.values(), *place.clusters.values()]
    users = [one.identifier for one in held if one.subnet_group == name]
    if users:
        words = f"Cannot delete the subnet group '{name}' because at least one database instance is still using it."
        raise Refused("InvalidDBSubnetGroupStateFault", words)


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "rds:CreateOptionGroup": answering(create_option_group),
    "rds:DescribeOptionGroups": answering(describe_option_groups),
    "rds:DeleteOptionGroup": answering(delete_option_group),
    "rds:DeleteDBSubnetGroup": answering(delete_subnet_group),
    "rds:ModifyDBParameterGroup": answering(lambda call: modify(call, False)),
    "rds:ModifyDBClusterParameterGroup": answering(lambda call: modify(call, True)),
    "rds:ResetDBParameterGroup": answering(lambda call: reset(call, False)),
    "rds:ResetDBClusterParameterGroup": answering(lambda call: reset(call, True)),
    "rds:DeleteDBParameterGroup": answering(lambda call: delete(call, False)),
    "rds:DeleteDBClusterParameterGroup": answering(lambda call: delete(call, True)),
}
