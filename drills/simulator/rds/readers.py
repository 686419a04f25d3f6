"""Readers of an Aurora cluster: each has a server of its own, which follows the writer's.

In AWS all read one storage and lag by what their caches do. Source: Aurora user guide, Replication with Amazon Aurora
(replica lag usually well under 100 ms after the primary wrote); API reference, FailoverDBCluster; High availability for
Amazon Aurora. A failover within a cluster loses nothing, as the storage stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from drills.simulator.dynamodb.underway import later
from drills.simulator.postgres.interface import Server
from drills.simulator.rds import failing, following, shapes
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.finding import cluster_named
from drills.simulator.rds.model import Cluster, Instance
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import become, size_of
from drills.simulator.state import Simulation, current


def begin(_: Simulation) -> None:
    databases().reader_server = server_of
    databases().on_new_writer.append(remake)


def server_of(cluster: Cluster, reader: Instance) -> Server | None:
    """A server for a reader, with what the writer's has now; None while that does not run."""
    server = cluster.volume.server if cluster.volume is not None else None
    if server is None or not server.running:
        return None
    return following.follow(cluster, reader, following.READER_LAG)


def remake(cluster: Cluster) -> None:
    """Give the readers servers that follow the cluster's server of now, and the writer none of its own."""
    for number, name in enumerate(cluster.members):
        member = databases().of(cluster.account, cluster.region).instances.get(name)
        if member is None or member.status in ("creating", "deleting", *failing.NEVER_THERE):
            continue
        former, member.volume = member.volume, None
        following.part(member)
        if number > 0:
            failing.attempt(member, partial(_follow, cluster, member))
        if former is not None and former.server is not None:
            former.server.destroy()


def _follow(cluster: Cluster, reader: Instance) -> None:
    server = server_of(cluster, reader)
    if server is not None:
        following.begin_line(reader, server)


def fail_over(call: Call) -> Mapping[str, Any]:
    """FailoverDBCluster: a reader becomes the writer, by promotion tier unless one is named; clients are dropped."""
    cluster = cluster_named(call, call.params["DBClusterIdentifier"])
    if cluster.status != "available":
        raise Refused("InvalidDBClusterStateFault", f"DB cluster {cluster.identifier} is in state {cluster.status}")
    readers = [one for one in _members(cluster)[1:] if one.status == "available"]
    if not readers:
        raise Refused("InvalidDBClusterStateFault", f"DB cluster {cluster.identifier} has no reader to fail over to")
    wanted = call.params.get("TargetDBInstanceIdentifier", "").lower()
    if wanted and wanted not in [one.identifier for one in readers]:
        raise Refused(
            "InvalidDBInstanceState",
            f"DB instance {wanted} is not an available reader of DB cluster {cluster.identifier}",
        )
    become(cluster, "failing-over")
    modelled = current().begin("aurora.failover", cluster.arn, size_of(cluster))
    target = wanted or min(readers, key=lambda one: (one.promotion_tier, one.identifier)).identifier
    later(cluster.account, frozenset({cluster.region}), modelled.seconds, lambda: _failed_over(cluster, target))
    return {"DBCluster": shapes.db_cluster(cluster)}


def _failed_over(cluster: Cluster, target: str) -> None:
    if cluster.status != "failing-over":
        return
    if target in cluster.members:
        cluster.members = [target, *(one for one in cluster.members if one != target)]
    become(cluster, "available")
    remake(cluster)


def _members(cluster: Cluster) -> list[Instance]:
    there = databases().of(cluster.account, cluster.region).instances
    return [there[name] for name in cluster.members if name in there]


OPERATIONS = {"rds:FailoverDBCluster": answering(fail_over)}
