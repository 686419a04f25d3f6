"""How each kind of resource that a drill of a database makes is deleted: replicas before what they follow, members
before their cluster, and nothing that a global database still holds.

Source: RDS user guide, Deleting a DB instance; Retaining automated backups; Aurora user guide, Deleting Aurora DB
clusters and DB instances; Removing a cluster from an Aurora global database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from drills import guard_databases as databases
from drills.clock import Clock
from drills.deleting import Deleter, NotYet, asked_when_born, one_call
from drills.errors import ProtectionError
from drills.guard_databases import CLUSTER, INSTANCE
from drills.guard_rules import Resource, resource
from drills.intentions import Intention

ALL_AT_ONCE = {"SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
IN_USE = frozenset({INSTANCE, CLUSTER})
"""What a group must not be taken from."""
BEING_MADE = frozenset({"creating", "copying", "pending"})


def _busy(status: str) -> None:
    if status == "deleting":
        raise NotYet("it is deleting")


def _instance(rds: Any, there: Resource, _: Clock) -> None:
    about = rds.describe_db_instances(DBInstanceIdentifier=there.name)["DBInstances"][0]
    _busy(about["DBInstanceStatus"])
    if about.get("DBClusterIdentifier"):
        # Its backups are its cluster's, and so is its protection.
        rds.delete_db_instance(DBInstanceIdentifier=there.name, SkipFinalSnapshot=True)
        return
    if about.get("DeletionProtection"):
        rds.modify_db_instance(DBInstanceIdentifier=there.name, DeletionProtection=False, ApplyImmediately=True)
        raise NotYet("its deletion protection is being turned off")
    rds.delete_db_instance(DBInstanceIdentifier=there.name, **ALL_AT_ONCE)


def _cluster(rds: Any, there: Resource, _: Clock) -> None:
    about = rds.describe_db_clusters(DBClusterIdentifier=there.name)["DBClusters"][0]
    _busy(about["Status"])
    if members := [str(one["DBInstanceIdentifier"]) for one in about.get("DBClusterMembers", [])]:
        raise NotYet(f"it still has the instance {members[0]}; if the drill did not make that, delete it by hand")
    if about.get("DeletionProtection"):
        rds.modify_db_cluster(DBClusterIdentifier=there.name, DeletionProtection=False, ApplyImmediately=True)
        raise NotYet("its deletion protection is being turned off")
    rds.delete_db_cluster(DBClusterIdentifier=there.name, **ALL_AT_ONCE)


def _global(rds: Any, there: Resource, _: Clock) -> None:
    """Secondaries leave first, each promoted by that; the primary when it is alone."""
    about = rds.describe_global_clusters(GlobalClusterIdentifier=there.name)["GlobalClusters"][0]
    members = sorted(about.get("GlobalClusterMembers", []), key=lambda one: bool(one["IsWriter"]))
    if members:
        going = [one for one in members if not one["IsWriter"]] or members
        for one in going:
            rds.remove_from_global_cluster(GlobalClusterIdentifier=there.name, DbClusterIdentifier=one["DBClusterArn"])
        raise NotYet(f"{len(members)} clusters are leaving it")
    if about.get("DeletionProtection"):
        rds.modify_global_cluster(GlobalClusterIdentifier=there.name, DeletionProtection=False)
    rds.delete_global_cluster(GlobalClusterIdentifier=there.name)


def _snapshot(rds: Any, there: Resource, _: Clock) -> None:
    about = rds.describe_db_snapshots(DBSnapshotIdentifier=there.name)["DBSnapshots"][0]
    _delete_snapshot(rds, there.kind, about)


def _cluster_snapshot(rds: Any, there: Resource, _: Clock) -> None:
    about = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=there.name)["DBClusterSnapshots"][0]
    _delete_snapshot(rds, there.kind, about)


def _delete_snapshot(rds: Any, kind: str, about: Mapping[str, Any]) -> None:
    if about["Status"] in BEING_MADE:
        raise NotYet(f"{databases.identifier(about)} is {about['Status']}: RDS deletes no snapshot before it is made")
    if kind == databases.SNAPSHOT:
        rds.delete_db_snapshot(DBSnapshotIdentifier=databases.identifier(about))
    else:
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=databases.identifier(about))


def _copies(rds: Any, there: Resource, _: Clock) -> None:
    """Each on its own: the guard looks at its name, its tags and what it is of."""
    problems: list[Exception] = []
    for kind, about in list(databases.copies(rds, there.name)):
        try:
            _delete_snapshot(rds, kind, about)
        except (NotYet, ClientError, ProtectionError) as error:
            problems.append(error)
    # Whatever passes by itself comes first: it is tried again, and what does not is told in the end.
    for problem in sorted(problems, key=lambda one: isinstance(one, ProtectionError)):
        raise problem


def _backup(rds: Any, there: Resource, _: Clock) -> None:
    """One that was replicated from another region; the others go with their database."""
    arn = databases.arn(rds.meta.partition, there.region, there.account, there.kind, there.name)
    found = databases.backup(rds, arn)
    if found is None:
        return
    _busy(found["Status"])
    if found["Status"] != "retained":
        # While it is replicated it cannot be deleted; once that has ended it is retained.
        rds.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=found["DBInstanceArn"])
    rds.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=found["DBInstanceAutomatedBackupsArn"])


def _replicated(rds: Any, intention: Intention) -> Iterator[Resource]:
    """What a call that began to replicate automated backups may have made, whose answer would have named it."""
    source = intention.clues["SourceDBInstanceArn"]
    pages = rds.get_paginator("describe_db_instance_automated_backups").paginate()
    for page in pages:
        for one in page["DBInstanceAutomatedBackups"]:
            if one.get("DBInstanceArn") == source and one.get("DBInstanceAutomatedBackupsArn"):
                yield resource(databases.ANY, one["DBInstanceAutomatedBackupsArn"], intention.account, intention.region)


def _secret(manager: Any, there: Resource, _: Clock) -> None:
    manager.delete_secret(SecretId=there.name, ForceDeleteWithoutRecovery=True)


_INSTANCE_BORN = asked_when_born("describe_db_instances", "DBInstanceIdentifier", "DBInstances[0].InstanceCreateTime")
_CLUSTER_BORN = asked_when_born("describe_db_clusters", "DBClusterIdentifier", "DBClusters[0].ClusterCreateTime")
_TAKEN = asked_when_born("describe_db_snapshots", "DBSnapshotIdentifier", "DBSnapshots[0].SnapshotCreateTime")
_CLUSTER_TAKEN = asked_when_born(
    "describe_db_cluster_snapshots", "DBClusterSnapshotIdentifier", "DBClusterSnapshots[0].SnapshotCreateTime"
)
_SECRET_BORN = asked_when_born("describe_secret", "SecretId", "CreatedDate")
_PG, _CLUSTER_PG, _OG = (databases.KINDS[word] for word in ("pg", "cluster-pg", "og"))
_IN = "[].DBInstanceIdentifier"

DATABASES: Sequence[Deleter] = (
    Deleter(databases.COPIES, "rds", _copies),
    Deleter(
        databases.SNAPSHOT,
        "rds",
        _snapshot,
        ("describe_db_snapshots", "DBSnapshots[?SnapshotType=='manual'].DBSnapshotIdentifier"),
        _TAKEN,
    ),
    Deleter(
        databases.CLUSTER_SNAPSHOT,
        "rds",
        _cluster_snapshot,
        ("describe_db_cluster_snapshots", "DBClusterSnapshots[?SnapshotType=='manual'].DBClusterSnapshotIdentifier"),
        _CLUSTER_TAKEN,
    ),
    Deleter(databases.BACKUP, "rds", _backup, find=_replicated),
    Deleter(databases.GLOBAL, "rds", _global, ("describe_global_clusters", "GlobalClusters[].GlobalClusterIdentifier")),
    Deleter(INSTANCE, "rds", _instance, ("describe_db_instances", f"DBInstances{_IN}"), _INSTANCE_BORN),
    Deleter(CLUSTER, "rds", _cluster, ("describe_db_clusters", "DBClusters[].DBClusterIdentifier"), _CLUSTER_BORN),
    Deleter(
        _PG,
        "rds",
        one_call("delete_db_parameter_group", "DBParameterGroupName"),
        ("describe_db_parameter_groups", "DBParameterGroups[].DBParameterGroupName"),
        after=IN_USE,
    ),
    Deleter(
        _CLUSTER_PG,
        "rds",
        one_call("delete_db_cluster_parameter_group", "DBClusterParameterGroupName"),
        ("describe_db_cluster_parameter_groups", "DBClusterParameterGroups[].DBClusterParameterGroupName"),
        after=IN_USE,
    ),
    Deleter(
        _OG,
        "rds",
        one_call("delete_option_group", "OptionGroupName"),
        after=IN_USE,
    ),
    Deleter("secret", "secretsmanager", _secret, ("list_secrets", "SecretList[].Name"), _SECRET_BORN),
)
"""In the order of deletion. Global databases come before clusters: a member cannot be deleted."""
DATABASES_OF_A_KIND: Mapping[tuple[str, str], str] = {
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): databases.BACKUP,
}
DATABASES_ALONE = frozenset({"rds", "secretsmanager"})
"""Only where a drill made something of these are all of their kinds listed."""


def of_databases(made: Iterable[Resource]) -> bool:
    """Whether there is a database, or anything that goes with one, among these."""
    kinds = {one.kind for one in DATABASES}
    return any(one.kind in kinds for one in made)
