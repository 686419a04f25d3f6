"""Calls about parameter groups that change servers which use them; moto keeps the groups themselves.

Source: RDS API reference, ModifyDBParameterGroup, ResetDBParameterGroup and those of DB cluster parameter groups,
DeleteDBParameterGroup; RDS user guide, Parameter groups for Amazon RDS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.rds.models import rds_backends

from drills.simulator.rds import parameters
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.state import Simulation

NAMES = {False: "DBParameterGroupName", True: "DBClusterParameterGroupName"}


def _group(call: Call, of_clusters: bool) -> Any:
    """The call's parameter group. Raises Refused; default ones cannot be changed."""
    name = str(call.params.get(NAMES[of_clusters], "")).lower()
    backend = rds_backends[call.account][call.region]
    group = (backend.db_cluster_parameter_groups if of_clusters else backend.db_parameter_groups).get(name)
    if group is None:
        # The API names both kinds alike.
        raise Refused("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    if name.startswith("default."):
        raise Refused("InvalidDBParameterGroupState", f"Default parameter group {name} cannot be changed.")
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


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "rds:ModifyDBParameterGroup": answering(lambda call: modify(call, False)),
    "rds:ModifyDBClusterParameterGroup": answering(lambda call: modify(call, True)),
    "rds:ResetDBParameterGroup": answering(lambda call: reset(call, False)),
    "rds:ResetDBClusterParameterGroup": answering(lambda call: reset(call, True)),
    "rds:DeleteDBParameterGroup": answering(lambda call: delete(call, False)),
    "rds:DeleteDBClusterParameterGroup": answering(lambda call: delete(call, True)),
}
