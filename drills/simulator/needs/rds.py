"""What calls of RDS need: each on all that it names, with the tags of both call and resource for conditions.

Source: service authorization reference, Amazon RDS; RDS user guide, Specifying conditions: using custom tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.rds.models import rds_backends

from drills.simulator.accounts import account_in, partition_of
from drills.simulator.conditions import Keys
from drills.simulator.needs.need import Need, action, parameters
from drills.simulator.rds.state import databases
from drills.simulator.request import Request

NAMED = {
    "DBInstanceIdentifier": "db",
    "SourceDBInstanceIdentifier": "db",
    "TargetDBInstanceIdentifier": "db",
    "NewDBInstanceIdentifier": "db",
    "SourceDBInstanceArn": "db",
    "DBClusterIdentifier": "cluster",
    "DbClusterIdentifier": "cluster",
    "SourceDBClusterIdentifier": "cluster",
    "NewDBClusterIdentifier": "cluster",
    "TargetDbClusterIdentifier": "cluster",
    "ReplicationSourceIdentifier": "cluster",
    "DBSnapshotIdentifier": "snapshot",
    "SourceDBSnapshotIdentifier": "snapshot",
    "TargetDBSnapshotIdentifier": "snapshot",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "SourceDBClusterSnapshotIdentifier": "cluster-snapshot",
    "TargetDBClusterSnapshotIdentifier": "cluster-snapshot",
    "SnapshotIdentifier": "cluster-snapshot",
    "DBParameterGroupName": "pg",
    "SourceDBParameterGroupIdentifier": "pg",
    "TargetDBParameterGroupIdentifier": "pg",
    "DBClusterParameterGroupName": "cluster-pg",
    "SourceDBClusterParameterGroupIdentifier": "cluster-pg",
    "TargetDBClusterParameterGroupIdentifier": "cluster-pg",
    "OptionGroupName": "og",
    "SourceOptionGroupIdentifier": "og",
    "TargetOptionGroupIdentifier": "og",
    "DBSubnetGroupName": "subgrp",
    "GlobalClusterIdentifier": "global-cluster",
    "DbiResourceId": "auto-backup",
    "SourceDbiResourceId": "auto-backup",
    "DBInstanceAutomatedBackupsArn": "auto-backup",
    "SourceDBInstanceAutomatedBackupsArn": "auto-backup",
    "DbClusterResourceId": "cluster-auto-backup",
    "SourceDbClusterResourceId": "cluster-auto-backup",
    "ResourceName": "",
}
"""Parameters that name a resource, and its kind where an ARN does not say."""
LISTED = {
    "DescribeDBInstances": "db",
    "DescribeDBClusters": "cluster",
    "DescribeDBParameterGroups": "pg",
    "DescribeDBClusterParameterGroups": "cluster-pg",
    "DescribeDBSubnetGroups": "subgrp",
    "DescribeGlobalClusters": "global-cluster",
    "DescribeDBInstanceAutomatedBackups": "auto-backup",
    "DescribeDBSnapshots": "snapshot",
    "DescribeDBClusterSnapshots": "cluster-snapshot",
}
"""What a call that names nothing is about: all of a kind."""
NEW = ("Create", "Copy", "Restore")
FINAL = {
    "DeleteDBInstance": ("CreateDBSnapshot", "snapshot"),
    "DeleteDBCluster": ("CreateDBClusterSnapshot", "cluster-snapshot"),
}
TAG_KEY = re.compile(r"Tags\.(?:Tag|member)\.(\d+)\.Key")
GIVEN = {
    "DBInstanceClass": "rds:databaseclass",
    "Engine": "rds:databaseengine",
    "DBName": "rds:databasename",
    "MultiAZ": "rds:multiaz",
    "AllocatedStorage": "rds:storagesize",
    "StorageEncrypted": "rds:storageencrypted",
    "ManageMasterUserPassword": "rds:managemasteruserpassword",
}
"""Condition keys of the settings that a call gives."""


def needs(request: Request) -> Iterator[Need]:
    given = parameters(request)
    shared = {**_settings(given), **_request_tags(given)}
    resources = _resources(request, given)
    for resource in resources:
        yield Need(action(request), resource, {**shared, **_resource_tags(resource)})
    if not resources:
        kind = LISTED.get(request.operation)
        resource = _arn(request, kind, "*") if kind else "*"
        yield Need(action(request), resource, {**shared, **_resource_tags(resource)})
    if resources and request.operation.startswith(NEW) and _tags(given):
        yield Need("rds:AddTagsToResource", _made(request, given) or resources[0], shared)
    if request.operation in FINAL and given.get("FinalDBSnapshotIdentifier"):
        name, kind = FINAL[request.operation]
        for resource in (*resources, _arn(request, kind, str(given["FinalDBSnapshotIdentifier"]).lower())):
            yield Need(f"rds:{name}", resource, {**shared, **_resource_tags(resource)})
    for parameter in ("RoleArn", "MonitoringRoleArn"):
        if given.get(parameter):
            service = "monitoring.rds.amazonaws.com" if parameter.startswith("M") else "rds.amazonaws.com"
            yield Need("iam:PassRole", str(given[parameter]), {"iam:passedtoservice": (service,)})


def _resources(request: Request, given: Mapping[str, Any]) -> list[str]:
    found = []
    for parameter, kind in NAMED.items():
        value = str(given.get(parameter) or "")
        if value:
            found.append(value if value.startswith("arn:") else _arn(request, kind, _name(kind, value)))
    return list(dict.fromkeys(found))


def _name(kind: str, value: str) -> str:
    # An automated backup's own name is not that of what it is a backup of.
    return "*" if kind.endswith("auto-backup") else value.lower()


def _made(request: Request, given: Mapping[str, Any]) -> str | None:
    """What a call brings into being, where it names something else as well."""
    for parameter in ("TargetDBSnapshotIdentifier", "TargetDBClusterSnapshotIdentifier", "TargetDBInstanceIdentifier"):
        if given.get(parameter):
            return _arn(request, NAMED[parameter], str(given[parameter]).lower())
    parameter = request.operation.removeprefix("Create") + "Identifier"
    if parameter in NAMED and given.get(parameter):
        return _arn(request, NAMED[parameter], str(given[parameter]).lower())
    return None


def _arn(request: Request, kind: str, name: str) -> str:
    where = "" if kind == "global-cluster" else request.region
    return f"arn:{partition_of(request.region)}:rds:{where}:{request.account}:{kind}:{name}"


# --- Condition keys --------------------------------------------------------------------------------------------------


def _settings(given: Mapping[str, Any]) -> Keys:
    return {key: (str(given[name]),) if given.get(name) else None for name, key in GIVEN.items()}


def _tags(given: Mapping[str, Any]) -> dict[str, str]:
    tags = {}
    for name, key in given.items():
        found = TAG_KEY.fullmatch(name)
        if found:
            tags[str(key)] = str(given.get(name.removesuffix("Key") + "Value", ""))
    return tags


def _request_tags(given: Mapping[str, Any]) -> Keys:
    tags = _tags(given)
    removed = tuple(str(value) for name, value in given.items() if name.startswith("TagKeys."))
    keys: dict[str, tuple[str, ...] | None] = {
        # That a tag is not among those given is known.
        "aws:requesttag/": None,
        "rds:req-tag/": None,
        "aws:tagkeys": (*tags, *removed) or None,
    }
    for key, value in tags.items():
        keys[f"aws:requesttag/{key.lower()}"] = keys[f"rds:req-tag/{key.lower()}"] = (value,)
    return keys


def _resource_tags(resource: str) -> Keys:
    kind = resource.split(":", 6)[5] if resource.count(":") > 5 else ""
    keys: dict[str, tuple[str, ...] | None] = {"aws:resourcetag/": None, f"rds:{kind}-tag/": None}
    for key, value in _tags_of(resource).items():
        keys[f"aws:resourcetag/{key.lower()}"] = keys[f"rds:{kind}-tag/{key.lower()}"] = (value,)
    return keys


def _tags_of(resource: str) -> Mapping[str, str]:
    """The tags of what is there, none of what is not or is named by a pattern."""
    account = account_in(resource)
    if not account:
        return {}
    _, _, _, region, _, kind, name = resource.split(":", 6)
    found: Any = None
    if kind == "global-cluster":
        found = databases().global_clusters.get((account, name))
    elif (account, region) in databases().regions:
        place = databases().of(account, region)
        kept: dict[str, Mapping[str, Any]] = {
            "db": place.instances,
            "cluster": place.clusters,
            "snapshot": place.snapshots,
            "cluster-snapshot": place.cluster_snapshots,
        }
        found = kept.get(kind, {}).get(name)
    if found is not None:
        return dict(found.tags)
    return _tags_of_group(account, region, kind, name)


GROUPS = {
    "pg": "db_parameter_groups",
    "cluster-pg": "db_cluster_parameter_groups",
    "og": "option_groups",
    "subgrp": "subnet_groups",
}


def _tags_of_group(account: str, region: str, kind: str, name: str) -> Mapping[str, str]:
    if kind not in GROUPS or account not in rds_backends or region not in rds_backends[account]:
        return {}
    group = getattr(rds_backends[account][region], GROUPS[kind]).get(name)
    return {tag["Key"]: tag.get("Value", "") for tag in group.get_tags()} if group is not None else {}
