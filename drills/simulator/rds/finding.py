"""The instances and clusters that a call names, by identifier or ARN, and the states in which something may be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import Cluster, Held, Instance
from drills.simulator.rds.state import databases


def instance_named(call: Call, name: Any = None) -> Instance:
    """The caller's instance in the call's region. Raises Refused."""
    given = str(name if name is not None else call.params.get("DBInstanceIdentifier", ""))
    found = databases().of(call.account, call.region).instances.get(_identifier(call, given, "db"))
    if found is None:
        raise Refused("DBInstanceNotFound", f"DBInstance {_last(given)} not found.", 404)
    return found


def cluster_named(call: Call, name: Any = None) -> Cluster:
    """The caller's cluster in the call's region. Raises Refused."""
    given = str(name if name is not None else call.params.get("DBClusterIdentifier", ""))
    found = databases().of(call.account, call.region).clusters.get(_identifier(call, given, "cluster"))
    if found is None:
        raise Refused("DBClusterNotFoundFault", f"DBCluster {_last(given)} not found.", 404)
    return found


def _identifier(call: Call, given: str, kind: str) -> str:
    """Of an ARN that is of another account, region or kind: nothing that there is."""
    if not given.startswith("arn:"):
        return given.lower()
    parts = given.split(":", 6)
    mine = len(parts) == 7 and (parts[3], parts[4], parts[5]) == (call.region, call.account, kind)
    return parts[6].lower() if mine else ""


def _last(given: str) -> str:
    return given.rpartition(":")[2].lower()


def check_state(held: Held, *states: str) -> None:
    """Raises Refused unless it is in one of these states, by default ``available``."""
    if held.status in (states or ("available", "storage-optimization")):
        return
    if isinstance(held, Cluster):
        raise Refused("InvalidDBClusterStateFault", f"DB cluster {held.identifier} is not in available state.")
    raise Refused("InvalidDBInstanceState", "Database instance is not in available state.")


def passing(found: Iterable[Any], filters: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> list[Any]:
    """Those that pass all filters; ``known`` gives by a filter's name the values that one has. Raises Refused."""
    for one in filters:
        if one["Name"] not in known:
            raise Refused("InvalidParameterValue", f"Unrecognized filter name: {one['Name']}")
        if not one.get("Values"):
            raise Refused("InvalidParameterCombination", f"The parameter for filter {one['Name']} must have values.")
    return [held for held in found if all(set(map(str, one["Values"])) & known[one["Name"]](held) for one in filters)]
