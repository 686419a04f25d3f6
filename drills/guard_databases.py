"""What the guard knows of databases: which call changes which, and what is made besides without a call of the drill's.

Plain data and what reads it; the rules themselves are made of it in drills.guard_rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

ANY = "database resource"
"""The kind of what is named by an ARN whose word is not known here."""
INSTANCE, CLUSTER, GLOBAL = "DB instance", "DB cluster", "global cluster"
SNAPSHOT, CLUSTER_SNAPSHOT, BACKUP = "DB snapshot", "DB cluster snapshot", "automated backup"
COPIES = "snapshots of a copy"
"""What a function that copies snapshots makes: all of one prefix in one place."""
KINDS: Mapping[str, str] = {
    "db": INSTANCE,
    "cluster": CLUSTER,
    "snapshot": SNAPSHOT,
    "cluster-snapshot": CLUSTER_SNAPSHOT,
    "auto-backup": BACKUP,
    "global-cluster": GLOBAL,
    "pg": "DB parameter group",
    "cluster-pg": "DB cluster parameter group",
    "og": "option group",
}
"""By the word in its ARNs. Source: service authorization reference, Amazon RDS, resource types."""
ENCRYPTED = frozenset({INSTANCE, CLUSTER, SNAPSHOT, CLUSTER_SNAPSHOT, BACKUP, COPIES})
"""Kinds that a key may be needed for."""
DESCRIBED: Mapping[str, tuple[str, str, str]] = {
    INSTANCE: ("describe_db_instances", "DBInstanceIdentifier", "DBInstances"),
    CLUSTER: ("describe_db_clusters", "DBClusterIdentifier", "DBClusters"),
    SNAPSHOT: ("describe_db_snapshots", "DBSnapshotIdentifier", "DBSnapshots"),
    CLUSTER_SNAPSHOT: ("describe_db_cluster_snapshots", "DBClusterSnapshotIdentifier", "DBClusterSnapshots"),
    GLOBAL: ("describe_global_clusters", "GlobalClusterIdentifier", "GlobalClusters"),
    KINDS["pg"]: ("describe_db_parameter_groups", "DBParameterGroupName", "DBParameterGroups"),
    KINDS["cluster-pg"]: (
        "describe_db_cluster_parameter_groups",
        "DBClusterParameterGroupName",
        "DBClusterParameterGroups",
    ),
    KINDS["og"]: ("describe_option_groups", "OptionGroupName", "OptionGroupsList"),
}
"""By kind: the call that describes one, the parameter that names it, and where its answer has it."""
WORDS: Mapping[str, str] = {kind: word for word, kind in KINDS.items()}

CALLS: Mapping[str, Mapping[str, str]] = {
    "MAKES": {
        "CopyDBClusterSnapshot": "cluster-snapshot:TargetDBClusterSnapshotIdentifier",
        "CopyDBSnapshot": "snapshot:TargetDBSnapshotIdentifier",
        "CreateDBCluster": "cluster:DBClusterIdentifier",
        "CreateDBClusterParameterGroup": "cluster-pg:DBClusterParameterGroupName",
        "CreateDBClusterSnapshot": "cluster-snapshot:DBClusterSnapshotIdentifier",
        "CreateDBInstance": "db:DBInstanceIdentifier",
        "CreateDBInstanceReadReplica": "db:DBInstanceIdentifier",
        "CreateDBParameterGroup": "pg:DBParameterGroupName",
        "CreateDBSnapshot": "snapshot:DBSnapshotIdentifier",
        "CreateGlobalCluster": "global-cluster:GlobalClusterIdentifier",
        "CreateOptionGroup": "og:OptionGroupName",
        "RestoreDBClusterFromSnapshot": "cluster:DBClusterIdentifier",
        "RestoreDBClusterToPointInTime": "cluster:DBClusterIdentifier",
        "RestoreDBInstanceFromDBSnapshot": "db:DBInstanceIdentifier",
        "RestoreDBInstanceToPointInTime": "db:TargetDBInstanceIdentifier",
    },
    # Called where the replica is, from where the source's tags cannot be read; the source itself stays as it is.
    "FILLS": {
        "StartDBInstanceAutomatedBackupsReplication": ":SourceDBInstanceArn",
        "StopDBInstanceAutomatedBackupsReplication": ":SourceDBInstanceArn",
    },
    "CHANGES": {
        "AddRoleToDBCluster": "cluster:DBClusterIdentifier",
        "AddRoleToDBInstance": "db:DBInstanceIdentifier",
        "AddTagsToResource": ":ResourceName",
        "DeleteDBCluster": "cluster:DBClusterIdentifier",
        "DeleteDBClusterParameterGroup": "cluster-pg:DBClusterParameterGroupName",
        "DeleteDBClusterSnapshot": "cluster-snapshot:DBClusterSnapshotIdentifier",
        "DeleteDBInstance": "db:DBInstanceIdentifier",
        "DeleteDBInstanceAutomatedBackup": ":DBInstanceAutomatedBackupsArn",
        "DeleteDBParameterGroup": "pg:DBParameterGroupName",
        "DeleteDBSnapshot": "snapshot:DBSnapshotIdentifier",
        "DeleteGlobalCluster": "global-cluster:GlobalClusterIdentifier",
        "DeleteOptionGroup": "og:OptionGroupName",
        "FailoverDBCluster": "cluster:DBClusterIdentifier",
        "FailoverGlobalCluster": "global-cluster:GlobalClusterIdentifier",
        "ModifyDBCluster": "cluster:DBClusterIdentifier",
        "ModifyDBClusterParameterGroup": "cluster-pg:DBClusterParameterGroupName",
        "ModifyDBClusterSnapshotAttribute": "cluster-snapshot:DBClusterSnapshotIdentifier",
        "ModifyDBInstance": "db:DBInstanceIdentifier",
        "ModifyDBParameterGroup": "pg:DBParameterGroupName",
        "ModifyDBSnapshotAttribute": "snapshot:DBSnapshotIdentifier",
        "ModifyGlobalCluster": "global-cluster:GlobalClusterIdentifier",
        "ModifyOptionGroup": "og:OptionGroupName",
        "PromoteReadReplica": "db:DBInstanceIdentifier",
        "PromoteReadReplicaDBCluster": "cluster:DBClusterIdentifier",
        "RebootDBCluster": "cluster:DBClusterIdentifier",
        "RebootDBInstance": "db:DBInstanceIdentifier",
        "RemoveFromGlobalCluster": "global-cluster:GlobalClusterIdentifier",
        "RemoveRoleFromDBCluster": "cluster:DBClusterIdentifier",
        "RemoveRoleFromDBInstance": "db:DBInstanceIdentifier",
        "RemoveTagsFromResource": ":ResourceName",
        "ResetDBClusterParameterGroup": "cluster-pg:DBClusterParameterGroupName",
        "ResetDBParameterGroup": "pg:DBParameterGroupName",
        "SwitchoverGlobalCluster": "global-cluster:GlobalClusterIdentifier",
    },
}
"""By deed and call: the word of its ARNs for the resource, and the parameter that names it. Source: RDS API reference;
service authorization reference, Amazon RDS, resource types."""


def kind_and_name(rest: str) -> tuple[str, str]:
    """From the end of an ARN, such as ``db:orders``."""
    word, _, name = rest.partition(":")
    return (KINDS[word], name) if word in KINDS else (ANY, rest)


def arn(partition: str, region: str, account: str, kind: str, name: str) -> str:
    word = WORDS.get(kind)
    return f"arn:{partition}:rds:{region}:{account}:{f'{word}:{name}' if word else name}"


def also_made(params: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[str]:
    """What a database is called from now on, and the replica of its automated backups; by the ends of their ARNs, or by
    these."""
    replica = answer.get("DBInstanceAutomatedBackup", {}).get("DBInstanceAutomatedBackupsArn")
    if replica and "SourceDBInstanceArn" in params:
        yield str(replica).lower()
    for word, parameter in (("db", "NewDBInstanceIdentifier"), ("cluster", "NewDBClusterIdentifier")):
        if params.get(parameter):
            yield f"{word}:{params[parameter]}".lower()


# --- What functions make ---------------------------------------------------------------------------------------------

DRILL_TAG, COPY_TAG = "drills:drill", "drills:copy"
SETTINGS = "DRILLS_SNAPSHOT_COPY"


def copied_by(params: Mapping[str, Any], account: str) -> Iterator[tuple[str, str]]:
    """By the settings of a function that is created: in which regions of its account it makes snapshots, and which.

    The name says how theirs begin, which ends with the database's, and of which drill they are, as in
    ``drill-7-snapshots-drill-7-orders-* of shop-7``.
    """
    text = params.get("Environment", {}).get("Variables", {}).get(SETTINGS)
    if not text:
        return
    given = json.loads(text)
    drill = given.get("tags", {}).get(DRILL_TAG)
    if drill is None:
        return
    regions = [given["source_region"], given["vault_region"]]
    for region in dict.fromkeys(regions if account == given["source_account"] else regions[1:]):
        for database in given.get("selection", {}).get("scope", ()):
            yield region, f"{given['prefix']}-{database}-* of {drill}"


def copies(rds: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The kind of each snapshot that ``copied_by`` names so, and it as AWS describes it."""
    prefix, _, drill = name.partition("* of ")
    for kind, call in ((SNAPSHOT, "describe_db_snapshots"), (CLUSTER_SNAPSHOT, "describe_db_cluster_snapshots")):
        for page in rds.get_paginator(call).paginate(SnapshotType="manual"):
            for one in page["DBSnapshots" if kind == SNAPSHOT else "DBClusterSnapshots"]:
                tags = {tag["Key"]: tag.get("Value", "") for tag in one.get("TagList", ())}
                ours = tags.get(DRILL_TAG) == drill and COPY_TAG in tags
                if ours and identifier(one).startswith(prefix) and prefix.endswith(f"-{source(one)[1]}-"):
                    yield kind, one


def backup(rds: Any, arn_of_it: str) -> Mapping[str, Any] | None:
    """An automated backup as AWS describes it; names are compared as AWS does, whatever their case."""
    for page in rds.get_paginator("describe_db_instance_automated_backups").paginate():
        for one in page["DBInstanceAutomatedBackups"]:
            if str(one.get("DBInstanceAutomatedBackupsArn", "")).lower() == arn_of_it.lower():
                return dict(one)
    return None


def identifier(snapshot: Mapping[str, Any]) -> str:
    return str(snapshot.get("DBSnapshotIdentifier") or snapshot.get("DBClusterSnapshotIdentifier"))


def source(snapshot: Mapping[str, Any]) -> tuple[str, str]:
    """The kind and the name of the database that it is a snapshot of."""
    if "DBSnapshotIdentifier" in snapshot:
        return INSTANCE, str(snapshot["DBInstanceIdentifier"])
    return CLUSTER, str(snapshot["DBClusterIdentifier"])
