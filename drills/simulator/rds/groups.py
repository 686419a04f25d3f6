"""Parameter, option, subnet and security groups, which moto keeps: looked up, and the default ones made when needed.

Source: RDS API reference, errors of CreateDBInstance and CreateDBCluster; RDS user guide, Parameter groups.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.models import DBClusterParameterGroup, DBParameterGroup, OptionGroup, rds_backends

from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import POSTGRES


def family(engine: str, version: str) -> str:
    """Such as ``postgres17`` and ``aurora-postgresql17``."""
    major = version.partition(".")[0]
    return f"{engine}{major}"


def parameter_group(call: Call, given: str | None, engine: str, version: str) -> str:
    """The name of a DB parameter group that fits the engine's version. Raises Refused."""
    backend, wanted = rds_backends[call.account][call.region], family(engine, version)
    default = f"default.{wanted}"
    if default not in backend.db_parameter_groups:
        backend.db_parameter_groups[default] = DBParameterGroup(
            backend, default, f"Default parameter group for {wanted}", wanted
        )
    name = (given or default).lower()
    group = backend.db_parameter_groups.get(name)
    if group is None:
        raise Refused("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    _check_family(name, str(group.family), wanted)
    return name


def cluster_parameter_group(call: Call, given: str | None, engine: str, version: str) -> str:
    """The name of a DB cluster parameter group that fits the engine's version. Raises Refused."""
    backend, wanted = rds_backends[call.account][call.region], family(engine, version)
    default = f"default.{wanted}"
    if default not in backend.db_cluster_parameter_groups:
        backend.db_cluster_parameter_groups[default] = DBClusterParameterGroup(
            backend, default, f"Default cluster parameter group for {wanted}", wanted
        )
    name = (given or default).lower()
    group = backend.db_cluster_parameter_groups.get(name)
    if group is None:
        raise Refused("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}", 404)
    _check_family(name, str(group.db_parameter_group_family), wanted)
    return name


def _check_family(name: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise Refused(
            "InvalidParameterCombination",
            f"The parameter group {name} with DBParameterGroupFamily {found} can't be used for this instance. Please "
            f"use a parameter group with DBParameterGroupFamily {wanted}.",
        )


def option_group(call: Call, given: str | None, version: str) -> str:
    """The name of an option group for RDS for PostgreSQL of this version. Raises Refused."""
    backend, major = rds_backends[call.account][call.region], version.partition(".")[0]
    default = f"default:postgres-{major}"
    if default not in backend.option_groups:
        backend.option_groups[default] = OptionGroup(
            backend, default, POSTGRES, major, f"Default option group for postgres {major}"
        )
    name = (given or default).lower()
    group = backend.option_groups.get(name)
    if group is None:
        raise Refused("OptionGroupNotFoundFault", f"Specified OptionGroupName: {name} not found.", 404)
    if (group.engine_name, group.major_engine_version) != (POSTGRES, major):
        raise Refused(
            "InvalidParameterCombination",
            f"The option group {name} is associated with a different engine or version than postgres {major}.",
        )
    return name


def subnet_group(call: Call, given: str | None) -> str | None:
    """The name of a DB subnet group, None for the default one. Raises Refused."""
    if not given or given.lower() == "default":
        return None
    if given.lower() not in {name.lower() for name in rds_backends[call.account][call.region].subnet_groups}:
        raise Refused("DBSubnetGroupNotFoundFault", f"DBSubnetGroup not found: {given}", 404)
    return given.lower()


def security_groups(call: Call, given: list[str] | None) -> list[str]:
    """The ids of security groups, of the default VPC's own when none is named. Raises Refused."""
    backend = ec2_backends[call.account][call.region]
    if not given:
        return [str(backend.get_default_security_group(backend.default_vpc.id).id)]
    known = {group_id for groups in backend.groups.values() for group_id in groups}
    missing = [name for name in given if name not in known]
    if missing:
        raise Refused("InvalidParameterValue", f"Invalid security group , groupId= {missing[0]}, groupName=")
    return list(given)


def subnet_group_shape(account: str, region: str, name: str | None) -> dict[str, Any]:
    """A DB subnet group as an instance shows it."""
    group: Any = None
    if name is not None:
        groups = rds_backends[account][region].subnet_groups
        group = next((one for key, one in groups.items() if key.lower() == name), None)
    if group is None:
        backend = ec2_backends[account][region]
        vpc = backend.default_vpc
        subnets = list(backend.describe_subnets(filters={"vpc-id": [vpc.id]}))
        name, description, vpc_id = name or "default", "default", str(vpc.id)
    else:
        subnets, description, vpc_id = group._subnets, group.description, str(group.vpc_id)
    return {
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": description,
        "VpcId": vpc_id,
        "SubnetGroupStatus": "Complete",
        "Subnets": [
            {
                "SubnetIdentifier": str(one.id),
                "SubnetAvailabilityZone": {"Name": str(one.availability_zone)},
                "SubnetOutpost": {},
                "SubnetStatus": "Active",
            }
            for one in subnets
        ],
    }
