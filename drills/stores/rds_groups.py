"""The parameter group of a database: one of its own, with what the estate sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from drills.model import Location
from drills.site import Site
from drills.stores.rds_instances import Found, client, is_aurora, tag_list

AT_ONCE = 20
"""Source: RDS API reference, ModifyDBParameterGroup: parameters in one request."""


def group_name(at: Location) -> str:
    """What the database's own parameter group is called; the same in every account."""
    return f"{at.name}-parameters"


def group_of(site: Site, found: Found) -> str:
    """The name of the parameter group that a database uses, empty when it is not told."""
    if is_aurora(site):
        return str(found.get("DBClusterParameterGroup", ""))
    groups = found.get("DBParameterGroups", [])
    return str(groups[0]["DBParameterGroupName"]) if groups else ""


def set_by_user(site: Site, at: Location, group: str) -> dict[str, str]:
    """The parameters of a group that differ from those of its family, by name."""
    if not group:
        return {}
    rds = client(site, at)
    if is_aurora(site):
        pages = rds.get_paginator("describe_db_cluster_parameters").paginate(
            DBClusterParameterGroupName=group, Source="user"
        )
    else:
        pages = rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=group, Source="user")
    found = [one for page in pages for one in page["Parameters"] if "ParameterValue" in one]
    return {
        one["ParameterName"]: one["ParameterValue"] for one in sorted(found, key=lambda one: str(one["ParameterName"]))
    }


def put_group(site: Site, at: Location, family: str, parameters: Mapping[str, str]) -> str:
    """Make the database's own group say this, whether it is there yet; returns its name.

    What it says takes effect with the next start of the servers.
    """
    rds, name = client(site, at), group_name(at)
    about: dict[str, Any] = {
        "DBParameterGroupFamily": family,
        "Description": f"Parameters of {at.name}",
        "Tags": tag_list(site.tags),
    }
    try:
        if is_aurora(site):
            rds.create_db_cluster_parameter_group(DBClusterParameterGroupName=name, **about)
        else:
            rds.create_db_parameter_group(DBParameterGroupName=name, **about)
    except ClientError as error:
        if "AlreadyExists" not in error.response["Error"]["Code"]:
            raise
    now = set_by_user(site, at, name)
    _reset(site, at, [parameter for parameter in now if parameter not in parameters])
    changed = {parameter: value for parameter, value in parameters.items() if now.get(parameter) != value}
    for some in _some(changed):
        given = [
            {"ParameterName": one, "ParameterValue": changed[one], "ApplyMethod": "pending-reboot"} for one in some
        ]
        if is_aurora(site):
            rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=name, Parameters=given)
        else:
            rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=given)
    return name


def _reset(site: Site, at: Location, parameters: list[str]) -> None:
    rds, name = client(site, at), group_name(at)
    for some in _some(parameters):
        given = [{"ParameterName": one, "ApplyMethod": "pending-reboot"} for one in some]
        if is_aurora(site):
            rds.reset_db_cluster_parameter_group(DBClusterParameterGroupName=name, Parameters=given)
        else:
            rds.reset_db_parameter_group(DBParameterGroupName=name, Parameters=given)


def _some(parameters: Mapping[str, str] | list[str]) -> Iterator[list[str]]:
    names = sorted(parameters)
    return (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE))


def family_of(engine: str, version: str) -> str:
    """The family of parameter groups of an engine's version, such as ``postgres17``.

    Source: RDS user guide and Aurora user guide, Parameter groups: since PostgreSQL 10 the major version alone.
    """
    return f"{engine}{version.partition('.')[0]}"
