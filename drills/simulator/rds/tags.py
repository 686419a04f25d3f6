"""Tags of everything that RDS has, by ARN and only by its own account.

Source: RDS API reference, AddTagsToResource, ListTagsForResource, RemoveTagsFromResource; RDS user guide, Tagging.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.rds.models import rds_backends

from drills.simulator.rds import settings, shapes
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.model import Tags
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation

NOT_FOUND = {
    "db": ("DBInstanceNotFound", "DBInstance"),
    "cluster": ("DBClusterNotFoundFault", "DBCluster"),
    "snapshot": ("DBSnapshotNotFound", "DBSnapshot"),
    "cluster-snapshot": ("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot"),
    "auto-backup": ("DBInstanceAutomatedBackupNotFound", "DBInstanceAutomatedBackup"),
    "cluster-auto-backup": ("DBClusterAutomatedBackupNotFoundFault", "DBClusterAutomatedBackup"),
    "global-cluster": ("GlobalClusterNotFoundFault", "GlobalCluster"),
    "pg": ("DBParameterGroupNotFound", "DBParameterGroup"),
    "cluster-pg": ("DBClusterParameterGroupNotFound", "DBClusterParameterGroup"),
    "og": ("OptionGroupNotFoundFault", "OptionGroup"),
    "subgrp": ("DBSubnetGroupNotFoundFault", "DBSubnetGroup"),
}
MOTO_KEEPS = {
    "pg": "db_parameter_groups",
    "cluster-pg": "db_cluster_parameter_groups",
    "og": "option_groups",
    "subgrp": "subnet_groups",
}


def _parts(call: Call) -> tuple[str, str]:
    """Kind and name of the call's resource. Raises Refused for one of another account or region, as if not there."""
    arn = str(call.params.get("ResourceName", ""))
    parts = arn.split(":", 6)
    if len(parts) < 7 or parts[2] != "rds" or parts[5] not in NOT_FOUND:
        raise Refused("InvalidParameterValue", f"Invalid resource name: {arn}")
    if parts[4] != call.account or parts[3] not in (call.region, ""):
        raise Refused(
            "InvalidParameterValue",
            f"The specified resource name does not match an RDS resource in this region: {arn}",
        )
    return parts[5], parts[6]


def _own_tags(call: Call, kind: str, name: str) -> Tags | None:
    """The tags of what is ours, to be changed in place; None where there is none of that name."""
    place = databases().of(call.account, call.region)
    found: Any
    if kind == "global-cluster":
        found = databases().global_clusters.get((call.account, name))
    elif kind in ("auto-backup", "cluster-auto-backup"):
        found = next((one for one in place.automated.values() if one.arn.endswith(f":{kind}:{name}")), None)
        return found.source.tags if found is not None else None
    else:
        kept: dict[str, Mapping[str, Any]] = {
            "db": place.instances,
            "cluster": place.clusters,
            "snapshot": place.snapshots,
            "cluster-snapshot": place.cluster_snapshots,
        }
        found = kept[kind].get(name)
    return found.tags if found is not None else None


def _tags(call: Call) -> Tags | None:
    """Of ours; None for what moto keeps, once it is sure that it is there. Raises Refused."""
    kind, name = _parts(call)
    code, word = NOT_FOUND[kind]
    missing = Refused(code, f"{word} {name} not found.", 404)
    if kind in MOTO_KEEPS:
        if name not in getattr(rds_backends[call.account][call.region], MOTO_KEEPS[kind]):
            raise missing
        return None
    tags = _own_tags(call, kind, name)
    if tags is None:
        raise missing
    return tags


def list_tags(call: Call) -> Mapping[str, Any] | None:
    tags = _tags(call)
    return None if tags is None else {"TagList": shapes.tag_list(tags)}


def add(call: Call) -> Mapping[str, Any] | None:
    tags, given = _tags(call), settings.tags_in(call.params)
    if tags is None:
        return None
    if len(tags.keys() | given.keys()) > settings.MOST_TAGS:
        raise Refused("InvalidParameterValue", f"A resource may have at most {settings.MOST_TAGS} tags.")
    tags.update(given)
    return {}


def remove(call: Call) -> Mapping[str, Any] | None:
    tags = _tags(call)
    if tags is None:
        return None
    for key in call.params.get("TagKeys", ()):
        tags.pop(str(key), None)
    return {}


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "rds:AddTagsToResource": answering(add),
    "rds:ListTagsForResource": answering(list_tags),
    "rds:RemoveTagsFromResource": answering(remove),
}
