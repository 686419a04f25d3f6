"""Clusters that join a global database as they are made, and what may not be done to its members.

Source: Aurora user guide, Adding an AWS Region to an Aurora Global Database; Removing a cluster; Deleting; API
reference, CreateDBCluster (GlobalClusterIdentifier). The words of the refusals are AWS's where known, else ours (A).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb.underway import disturbed
from drills.simulator.postgres.interface import Server
from drills.simulator.rds import clusters, following, keys, settings, shapes
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.global_clusters import MOST_SECONDARIES, global_named, global_of, join, members_of, primary_of
from drills.simulator.rds.model import AURORA, Cluster, GlobalCluster
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import new_cluster, size_of
from drills.simulator.state import current

OF_THE_PRIMARY = {
    "MasterUsername": "user name",
    "MasterUserPassword": "password",
    "ManageMasterUserPassword": "a managed password",
    "DatabaseName": "database name",
}


def create(call: Call) -> Mapping[str, Any] | None:
    """CreateDBCluster with a global cluster: the first is its primary, any other a secondary."""
    named = call.params.get("GlobalClusterIdentifier")
    if not named:
        return None
    found = global_named(call.account, named)
    if found.failover is not None:
        raise Refused("InvalidGlobalClusterStateFault", f"Global cluster {found.identifier} is {found.status}")
    if call.params.get("Engine") != AURORA:
        raise Refused(
            "InvalidParameterCombination",
            f"Engine {call.params.get('Engine')} is not that of global cluster {found.identifier}, which has {AURORA}",
        )
    primary = primary_of(found)
    cluster = _first(call, found) if primary is None else _secondary(call, found, primary)
    return {"DBCluster": shapes.db_cluster(cluster)}


def _first(call: Call, found: GlobalCluster) -> Cluster:
    """A cluster like any other; it becomes the primary."""
    clusters.create(call)
    cluster = databases().of(call.account, call.region).clusters[call.params["DBClusterIdentifier"].lower()]
    join(found, cluster, "primary")
    return cluster


def _secondary(call: Call, found: GlobalCluster, primary: Cluster) -> Cluster:
    """A cluster that follows the primary. Raises Refused."""
    name = settings.new_cluster_identifier(call, call.params["DBClusterIdentifier"])
    for parameter, words in OF_THE_PRIMARY.items():
        if call.params.get(parameter):
            raise Refused("InvalidParameterCombination", f"Cannot specify {words} for cross region replication cluster")
    _check_place(call, found, primary)
    version = call.params.get("EngineVersion", primary.engine_version)
    if version != primary.engine_version:
        raise Refused(
            "InvalidParameterCombination",
            f"The engine version {version} does not match {primary.engine_version} of global cluster "
            f"{found.identifier}",
        )
    cluster = settings.cluster_from(call, name, version=version, source=primary)
    cluster.kms_key_id = _key(call, primary)
    join(found, cluster, "secondary")
    size = current().size_of(primary.arn, size_of(primary))
    modelled = current().begin("aurora.secondary", cluster.arn, size, cross_region=1.0)
    return new_cluster(cluster, lambda: _standby(found, cluster), seconds=modelled.seconds)


def _check_place(call: Call, found: GlobalCluster, primary: Cluster) -> None:
    if disturbed(call.account, frozenset({primary.region})):
        raise Refused("InternalFailure", f"Region {primary.region} of the primary DB cluster does not answer", 500)
    if primary.status != "available":
        raise Refused(
            "InvalidDBClusterStateFault", f"The primary DB cluster {primary.arn} is in state {primary.status}"
        )
    members = members_of(found)
    there = next((one for one in members if one.region == call.region), None)
    if there is not None:
        raise Refused(
            "InvalidParameterValue",
            f"Global cluster {found.identifier} has a member in {call.region} already: {there.identifier}",
        )
    if len(members) > MOST_SECONDARIES:
        raise Refused(
            "InvalidGlobalClusterStateFault",
            f"Global cluster {found.identifier} has {MOST_SECONDARIES} secondary clusters, which is the maximum",
        )


def _key(call: Call, primary: Cluster) -> str | None:
    """The key of the secondary's storage, which is encrypted if the primary's is. Raises Refused."""
    given = call.params.get("KmsKeyId")
    if primary.kms_key_id is None:
        if given or call.params.get("StorageEncrypted"):
            raise Refused(
                "InvalidParameterCombination",
                f"Source cluster {primary.arn} is not encrypted; the secondary DB cluster cannot be encrypted",
            )
        return None
    if not given:
        raise Refused(
            "InvalidParameterCombination",
            f"Source cluster {primary.arn} is encrypted; pass a valid KmsKeyId from the current region",
        )
    return keys.check(call, given, keys.WRITING, "The specified KMS key", call.region)


def _standby(found: GlobalCluster, cluster: Cluster) -> Server | None:
    """The secondary's server, as the primary is at that moment; None when it cannot be followed."""
    primary = primary_of(found)
    volume = primary.volume if primary is not None else None
    if primary is None or global_of(cluster) is not found or volume is None or volume.server is None:
        return None
    return following.follow(primary, cluster, following.GLOBAL_LAG) if volume.server.running else None


# --- What may not be done


def deleting_cluster(call: Call) -> None:
    """DeleteDBCluster is refused for a member, as it must be removed first."""
    name = call.params["DBClusterIdentifier"].rpartition(":")[2].lower()
    cluster = databases().of(call.account, call.region).clusters.get(name)
    found = global_of(cluster) if cluster is not None else None
    if cluster is None or found is None:
        return
    if cluster.global_role == "primary" and len(found.members) > 1:
        raise Refused(
            "InvalidGlobalClusterStateFault",
            "Unable to delete cluster that is a primary member of global cluster while there are other global cluster "
            "members",
        )
    raise Refused(
        "InvalidDBClusterStateFault",
        "This cluster is a part of a global cluster, please remove it from globalcluster first",
    )


def deleting_instance(call: Call) -> None:
    """DeleteDBInstance is refused for the last instance of a primary with secondaries."""
    name = call.params["DBInstanceIdentifier"].rpartition(":")[2].lower()
    place = databases().of(call.account, call.region)
    instance = place.instances.get(name)
    cluster = place.clusters.get(instance.cluster or "") if instance is not None else None
    found = global_of(cluster) if cluster is not None else None
    if cluster is None or found is None or cluster.global_role != "primary":
        return
    if len(cluster.members) == 1 and len(found.members) > 1:
        raise Refused(
            "InvalidDBClusterStateFault",
            "Cannot delete the last instance of the master cluster. Delete the replica cluster before deleting the "
            "last master cluster instance.",
        )


def modifying_cluster(call: Call) -> None:
    """ModifyDBCluster cannot change the password of a secondary: it is its primary's."""
    name = call.params["DBClusterIdentifier"].rpartition(":")[2].lower()
    cluster = databases().of(call.account, call.region).clusters.get(name)
    wanted = call.params.get("MasterUserPassword") or call.params.get("ManageMasterUserPassword")
    if wanted and cluster is not None and cluster.global_role == "secondary":
        raise Refused("InvalidDBClusterStateFault", f"The master password of DB cluster {name} is that of its primary")


OPERATIONS = {
    "rds:CreateDBCluster": answering(create),
    "rds:DeleteDBCluster": answering(deleting_cluster),
    "rds:DeleteDBInstance": answering(deleting_instance),
    "rds:ModifyDBCluster": answering(modifying_cluster),
}
