"""Snapshots of DB instances and Aurora clusters: taken, described, deleted.

A snapshot's rows are as of the moment it was asked for. Source: RDS API reference of the operations below; RDS user
guide, Creating a DB snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.rds.calls import Call, Refused, answering, page
from drills.simulator.rds.finding import passing
from drills.simulator.rds.model import Cluster, Held, Snapshot, Tags
from drills.simulator.rds.settings import tags_in
from drills.simulator.rds.snapshot_shapes import shape
from drills.simulator.rds.snapshot_words import (
    CLUSTER,
    DB,
    Words,
    check_name,
    check_new,
    every,
    named,
    not_found,
)
from drills.simulator.rds.state import databases
from drills.simulator.rds.taking import arn_of, remove, take
from drills.simulator.state import Simulation


def create_db_snapshot(call: Call) -> Mapping[str, Any]:
    identifier = check_new(call, DB, call.params["DBSnapshotIdentifier"])
    name = call.params["DBInstanceIdentifier"].lower()
    instance = databases().of(call.account, call.region).instances.get(name)
    if instance is None:
        raise Refused("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    if instance.cluster is not None:
        raise Refused(
            "InvalidDBInstanceState",
            "The specified instance is a member of a cluster and a snapshot cannot be created directly. Please use the "
            "CreateDBClusterSnapshot API instead.",
        )
    if instance.status not in ("available", "storage-optimization"):
        raise Refused(
            "InvalidDBInstanceState",
            f"Cannot create a snapshot because the database instance {name} is not currently in the available state.",
        )
    return {"DBSnapshot": shape(call, take(instance, identifier, "manual", tags_in(call.params)))}


def final(held: Held, identifier: str, tags: Tags) -> Snapshot:
    """The last snapshot of what is about to go or to stop. Raises Refused for a name that may not be taken."""
    words = CLUSTER if isinstance(held, Cluster) else DB
    return take(held, check_name(words, held.account, held.region, identifier), "manual", tags)


def create_db_cluster_snapshot(call: Call) -> Mapping[str, Any]:
    identifier = check_new(call, CLUSTER, call.params["DBClusterSnapshotIdentifier"])
    name = call.params["DBClusterIdentifier"].lower()
    cluster = databases().of(call.account, call.region).clusters.get(name)
    if cluster is None:
        raise Refused("DBClusterNotFoundFault", f"DBCluster {name} not found.", 404)
    if cluster.status != "available":
        raise Refused(
            "InvalidDBClusterStateFault",
            f"Cannot create a snapshot because the database cluster {name} is not currently in the available state.",
        )
    return {"DBClusterSnapshot": shape(call, take(cluster, identifier, "manual", tags_in(call.params)))}


# --- Deleting --------------------------------------------------------------------------------------------------------


def delete(call: Call, words: Words) -> Mapping[str, Any]:
    """Delete a manual snapshot. A copy that is being made of it, or that it is itself, comes to its end.

    Source: API reference, DeleteDBSnapshot: "If the snapshot is being copied, the copy operation is terminated."
    """
    identifier = call.params[words.identifier]
    snapshot = named(call, words, identifier)
    if snapshot.account != call.account or snapshot.region != call.region:
        raise not_found(words, identifier)
    if snapshot.kind != "manual":
        raise Refused(words.invalid_state, "Only manual snapshots may be deleted.")
    copying = snapshot.copied_from is not None and snapshot.status in ("pending", "creating", "copying")
    if snapshot.status not in ("available", "failed") and not copying:
        raise Refused(
            words.invalid_state,
            f"Cannot delete the snapshot because it is not currently in the available or failed state: {identifier}",
        )
    remove(snapshot)
    return {words.one: shape(call, snapshot)}


# --- Describing ------------------------------------------------------------------------------------------------------


def describe(call: Call, words: Words) -> Mapping[str, Any]:
    """Own, shared and public snapshots, as SnapshotType, IncludeShared, IncludePublic, names and filters say."""
    wanted, given = call.params.get(words.identifier), call.params
    kind = given.get("SnapshotType")
    if kind not in (None, "automated", "manual", "shared", "public", "awsbackup"):
        raise Refused("InvalidParameterValue", f"Invalid snapshot type: {kind}")
    chosen = [one for one in every(words, call.region) if _of_type(call, one, kind) and _named_so(one, wanted)]
    if wanted is not None and not chosen:
        raise not_found(words, wanted)
    source, resource = given.get(words.source), given.get(words.resource_id)
    chosen = [
        one
        for one in chosen
        if (source is None or _is_source(one, source)) and (resource is None or one.source.resource_id == resource)
    ]
    chosen = passing(chosen, given.get("Filters", ()), _filters(words))
    chosen.sort(key=lambda one: (one.account != call.account, one.created, one.identifier))
    return page(call, [shape(call, one) for one in chosen], f"{words.one}s")


def _of_type(call: Call, snapshot: Snapshot, kind: str | None) -> bool:
    own = snapshot.account == call.account
    shared = not own and call.account in snapshot.shared_with
    public = "all" in snapshot.shared_with
    if kind in ("automated", "manual"):
        return own and snapshot.kind == kind
    if kind in ("shared", "public"):
        return shared if kind == "shared" else public
    if kind == "awsbackup":
        return False
    return (
        own
        or (shared and call.params.get("IncludeShared", False))
        or (public and not own and call.params.get("IncludePublic", False))
    )


def _named_so(snapshot: Snapshot, wanted: str | None) -> bool:
    return wanted is None or wanted.lower() in (snapshot.identifier.lower(), snapshot.arn.lower())


def _is_source(snapshot: Snapshot, wanted: str) -> bool:
    return wanted.lower() == snapshot.source_identifier or wanted == arn_of(snapshot.source)


def _filters(words: Words) -> Mapping[str, Any]:
    """The values that a snapshot has, by filter."""
    prefix, word = (
        ("db-cluster", "db-cluster-resource-id") if words.of == "cluster" else ("db-instance", "dbi-resource-id")
    )
    return {
        f"{prefix}-id": lambda one: {one.source_identifier, arn_of(one.source)},
        "db-cluster-snapshot-id" if words.of == "cluster" else "db-snapshot-id": lambda one: {one.identifier, one.arn},
        word: lambda one: {one.source.resource_id},
        "snapshot-type": lambda one: {one.kind},
        "engine": lambda one: {one.source.engine},
    }


def begin(_: Simulation) -> None:
    """Snapshots are kept with the databases; whoever deletes or stops one may ask for a last snapshot."""
    databases().final_snapshot = final


OPERATIONS = {
    "rds:CreateDBSnapshot": answering(create_db_snapshot),
    "rds:CreateDBClusterSnapshot": answering(create_db_cluster_snapshot),
    "rds:DescribeDBSnapshots": answering(lambda call: describe(call, DB)),
    "rds:DescribeDBClusterSnapshots": answering(lambda call: describe(call, CLUSTER)),
    "rds:DeleteDBSnapshot": answering(lambda call: delete(call, DB)),
    "rds:DeleteDBClusterSnapshot": answering(lambda call: delete(call, CLUSTER)),
}
