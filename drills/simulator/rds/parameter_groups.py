"""Parameter groups made and described: which families and names there are, and what a group says of each parameter.

moto keeps the groups. Source: RDS API reference, CreateDBParameterGroup, DescribeDBParameterGroups,
DescribeDBParameters, Parameter, and those of DB cluster parameter groups; RDS user guide, Parameter groups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.rds.models import rds_backends

from drills.simulator.rds import groups, parameters, settings
from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.model import AURORA, POSTGRES
from drills.simulator.state import Simulation

OURS = re.compile(rf"(?:default\.)?({POSTGRES}|{AURORA})(\d+)")
VERSIONS = range(11, 19)
NAMES = {False: "DBParameterGroup", True: "DBClusterParameterGroup"}
LONGEST_NAME = 255
MOST_GROUPS = 50
"""Of each kind, in an account's region. Source: RDS user guide, Quotas and constraints."""
SOURCES = ("user", "system", "engine-default")


def create(call: Call, of_clusters: bool) -> None:
    """Refuse what AWS does; moto makes the others. Families of other engines are moto's alone."""
    family, parameter = str(call.params.get("DBParameterGroupFamily", "")), f"{NAMES[of_clusters]}Name"
    name = str(call.params.get(parameter, ""))
    if settings.IDENTIFIER.fullmatch(name) is None or len(name) > LONGEST_NAME:
        raise Refused(
            "InvalidParameterValue",
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must contain "
            "only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive "
            "hyphens.",
        )
    backend = rds_backends[call.account][call.region]
    there = backend.db_cluster_parameter_groups if of_clusters else backend.db_parameter_groups
    if sum(not one.startswith("default.") for one in there) >= MOST_GROUPS:
        raise Refused(
            "DBParameterGroupQuotaExceeded", f"DB parameter group quota exceeded. Maximum: {MOST_GROUPS} in a region"
        )
    ours = OURS.fullmatch(family)
    if family.startswith((POSTGRES, AURORA)) and (ours is None or int(ours[2]) not in VERSIONS):
        raise Refused("InvalidParameterValue", f"ParameterGroupFamily {family} is not a valid parameter group family")


def named(call: Call, of_clusters: bool) -> Any:
    """The group that the call names. AWS's own of each family are always there. Raises Refused."""
    name = str(call.params.get(f"{NAMES[of_clusters]}Name", "")).lower()
    default = OURS.fullmatch(name)
    if default is not None and name.startswith("default.") and int(default[2]) in VERSIONS:
        make = groups.cluster_parameter_group if of_clusters else groups.parameter_group
        make(call, None, default[1], default[2])
    backend = rds_backends[call.account][call.region]
    group = (backend.db_cluster_parameter_groups if of_clusters else backend.db_parameter_groups).get(name)
    if group is None:
        # The API names both kinds alike.
        raise Refused("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    return group


def describe_groups(call: Call, of_clusters: bool) -> None:
    """Refuse a name that is none, where moto lists nothing; moto describes the others."""
    if call.params.get(f"{NAMES[of_clusters]}Name"):
        named(call, of_clusters)


def describe_parameters(call: Call, of_clusters: bool) -> Mapping[str, Any]:
    """What the group sets, and what its family leaves to the engine."""
    group, wanted = named(call, of_clusters), call.params.get("Source")
    if wanted is not None and wanted not in SOURCES:
        raise Refused("InvalidParameterValue", f"Invalid parameter source: {wanted}")
    there = parameters.known()
    shapes = [_shape(name, there.get(name), group.parameters.get(name)) for name in sorted({*there, *group.parameters})]
    found = [shape for shape in shapes if wanted in (None, shape["Source"])]
    return page(call, found, "Parameters")


def _shape(name: str, known: parameters.Known | None, said: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Values that nobody has set are the engine's, and not told."""
    static = name in parameters.STATIC or (known is not None and known.context in parameters.AT_START)
    modifiable = name not in parameters.NOT_MODIFIABLE and (known is None or known.context != "internal")
    shape: dict[str, Any] = {
        "ParameterName": name,
        "Source": "engine-default" if said is None else "user",
        "ApplyType": "static" if static else "dynamic",
        "IsModifiable": modifiable,
        "ApplyMethod": "pending-reboot",
    }
    if known is not None:
        shape |= {"Description": known.description, "DataType": parameters.DATA_TYPES[known.kind]}
        if known.least or known.most:
            shape["AllowedValues"] = f"{known.least}-{known.most}"
    if said is not None:
        shape |= {key: said[key] for key in ("ParameterValue", "ApplyMethod") if said.get(key) is not None}
    return shape


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "rds:CreateDBParameterGroup": answering(lambda call: create(call, False)),
    "rds:CreateDBClusterParameterGroup": answering(lambda call: create(call, True)),
    "rds:DescribeDBParameterGroups": answering(lambda call: describe_groups(call, False)),
    "rds:DescribeDBClusterParameterGroups": answering(lambda call: describe_groups(call, True)),
    "rds:DescribeDBParameters": answering(lambda call: describe_parameters(call, False)),
    "rds:DescribeDBClusterParameters": answering(lambda call: describe_parameters(call, True)),
}
