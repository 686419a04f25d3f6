"""Instances and clusters deleted: what stands in the way, what is kept of them, and when they are gone.

Source: RDS user guide, Deleting a DB instance; Aurora user guide, Deleting Aurora DB clusters; RDS API reference,
DeleteDBInstance and DeleteDBCluster. Automated backups go too unless the call says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb import underway
from drills.simulator.rds import passwords, shapes, states
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.finding import cluster_named, instance_named
from drills.simulator.rds.instances import answer
from drills.simulator.rds.model import Cluster, Held, Instance
from drills.simulator.rds.snapshot_words import CLUSTER, DB, Words, check_new
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

FINAL = "FinalDBSnapshotIdentifier"
SNAPSHOT_STATES = frozenset({"available", "storage-optimization", "backing-up", "stopped"})
"""States in which a final snapshot can be taken."""


def delete_instance(call: Call) -> Mapping[str, Any]:
    instance = instance_named(call)
    _check_protection(instance, "Instance", "InvalidDBInstanceState")
    final = _final_snapshot(call, instance, DB)
    if final is not None and instance.replica_of is not None:
        raise Refused(
            "InvalidDBInstanceState", "FinalDBSnapshotIdentifier can not be specified when deleting a read replica."
        )
    automated_too = bool(call.params.get("DeleteAutomatedBackups", True))
    instance.pending.clear()
    _go(instance, final, automated_too)
    if instance.cluster is not None:
        _leave_cluster(instance)
    seconds = current().begin("rds.delete", instance.arn, Size(0, 0)).seconds
    _later(instance, seconds, lambda: _instance_gone(instance))
    return answer(instance)


def delete_cluster(call: Call) -> Mapping[str, Any]:
    cluster = cluster_named(call)
    _check_protection(cluster, "Cluster", "InvalidDBClusterStateFault")
    instances = databases().of(cluster.account, cluster.region).instances
    staying = [name for name in cluster.members if name in instances and instances[name].status != "deleting"]
    if staying:
        raise Refused(
            "InvalidDBClusterStateFault",
            "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
        )
    if cluster.global_cluster is not None:
        raise Refused(
            "InvalidDBClusterStateFault",
            "This cluster is a part of a global cluster, please remove it from globalcluster first",
        )
    final = _final_snapshot(call, cluster, CLUSTER)
    _go(cluster, final, bool(call.params.get("DeleteAutomatedBackups", True)))
    seconds = current().begin("aurora.delete", cluster.arn, Size(0, 0)).seconds
    _later(cluster, seconds, lambda: _cluster_gone(cluster))
    return {"DBCluster": shapes.db_cluster(cluster)}


def _check_protection(held: Instance | Cluster, word: str, code: str) -> None:
    if held.status == "deleting":
        raise Refused(code, f"{word} {held.identifier} is already being deleted.")
    if held.deletion_protection:
        raise Refused(
            "InvalidParameterCombination",
            f"Cannot delete protected {'DB Instance' if word == 'Instance' else 'Cluster'}, please disable deletion "
            "protection and try again.",
        )


def _final_snapshot(call: Call, held: Instance | Cluster, words: Words) -> str | None:
    """The name of the final snapshot, None where the call skips it. Raises Refused where it says neither, or both."""
    skip, name = bool(call.params.get("SkipFinalSnapshot", False)), call.params.get(FINAL)
    if isinstance(held, Instance) and held.cluster is not None:
        if name:
            raise Refused(
                "InvalidParameterCombination",
                f"{FINAL} can not be specified when deleting a cluster instance.",
            )
        return None
    if skip and name:
        raise Refused("InvalidParameterCombination", f"{FINAL} can not be specified when SkipFinalSnapshot is enabled.")
    if skip:
        return None
    if not name:
        raise Refused("InvalidParameterCombination", f"{FINAL} is required unless SkipFinalSnapshot is specified.")
    if held.status not in SNAPSHOT_STATES or held.volume is None:
        code = "InvalidDBClusterStateFault" if isinstance(held, Cluster) else "InvalidDBInstanceState"
        raise Refused(code, f"Cannot take the final {words.one} of {held.identifier} in state {held.status}.")
    return check_new(call, words, str(name))


def _go(held: Instance | Cluster, final: str | None, automated_too: bool) -> None:
    """The final snapshot and what is retained are of this moment; from here on nobody connects."""
    if final is not None:
        take = databases().final_snapshot
        assert take is not None, "the part that keeps snapshots says how one is taken"
        take(held, final, held.tags if held.copy_tags_to_snapshot else {})
    if held.volume is not None:
        for tell in databases().on_deleting:
            tell(held, automated_too)
    states.become(held, "deleting")


def _later(held: Held, seconds: float, action: Any) -> None:
    underway.later(held.account, frozenset({held.region}), seconds, action)


def _leave_cluster(instance: Instance) -> None:
    """The writer of a cluster with readers hands over to the one of the lowest tier before it goes."""
    place = databases().of(instance.account, instance.region)
    cluster = place.clusters.get(instance.cluster or "")
    if cluster is None or cluster.members[:1] != [instance.identifier]:
        return
    others = [place.instances[one] for one in cluster.members[1:] if one in place.instances]
    ready = [one for one in others if one.status == "available"]
    if not ready:
        return
    heir = min(ready, key=lambda one: (one.promotion_tier, one.identifier)).identifier
    cluster.members = [heir, *(one for one in cluster.members if one != heir)]
    if cluster.volume is not None and cluster.volume.server is not None:
        cluster.volume.server.stop()  # Sessions end with the writer that they are with.
    states.become(cluster, cluster.status)
    for tell in databases().on_new_writer:
        tell(cluster)


def _instance_gone(instance: Instance) -> None:
    place = databases().of(instance.account, instance.region)
    place.instances.pop(instance.identifier, None)
    cluster = place.clusters.get(instance.cluster or "")
    if cluster is not None:
        cluster.members = [one for one in cluster.members if one != instance.identifier]
        states.become(cluster, cluster.status)
    _forget(instance)
    for other in (one for each in databases().regions.values() for one in each.instances.values()):
        other.replicas = [arn for arn in other.replicas if arn != instance.arn]


def _cluster_gone(cluster: Cluster) -> None:
    databases().of(cluster.account, cluster.region).clusters.pop(cluster.identifier, None)
    _forget(cluster)


def _forget(held: Held) -> None:
    passwords.forget_secret(held)
    if held.volume is not None and held.volume.server is not None:
        held.volume.server.destroy()
        held.volume.server = None


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "rds:DeleteDBInstance": answering(delete_instance),
    "rds:DeleteDBCluster": answering(delete_cluster),
}
