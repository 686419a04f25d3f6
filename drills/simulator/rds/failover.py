"""Another primary for a global database, planned or not.

A switchover loses nothing: the primary stops, all that it wrote arrives, and the two change places. A failover loses
what was on its way; the old primary and the other secondaries are made anew from the new primary, as soon as they can
be reached, and what only the old primary had goes into a snapshot. Source: Aurora user guide, Using switchover or
failover in Aurora Global Database; API reference, FailoverGlobalCluster and SwitchoverGlobalCluster. Assumed: what is
made anew takes clients again when that is done; a switchover that an outage holds goes on afterwards, unless a failover
takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.dynamodb.underway import disturbed, later
from drills.simulator.rds import data_plane, failing, following, readers
from drills.simulator.rds.calls import Call, Refused, answering
from drills.simulator.rds.global_clusters import (
    described,
    global_named,
    global_of,
    member_named,
    members_of,
    primary_of,
)
from drills.simulator.rds.model import Cluster, Failover, GlobalCluster
from drills.simulator.rds.state import databases
from drills.simulator.rds.states import become, size_of
from drills.simulator.rds.taking import image_of, take
from drills.simulator.state import Simulation, current

DURATION = "aurora.global_failover"
MADE_ANEW = "aurora.secondary"
RESYNCING = "resyncing"
"""State of a cluster that is made anew from another: no client reaches it (A: the word is ours)."""


def begin(simulation: Simulation) -> None:
    """Make members anew when they can be reached again."""
    simulation.on_region_up.append(lambda _: _resync_all())
    simulation.on_account_reopened.append(lambda _: _resync_all())


def fail_over(call: Call) -> Mapping[str, Any]:
    """FailoverGlobalCluster: with AllowDataLoss a failover, else a switchover."""
    if call.params.get("AllowDataLoss") and "Switchover" in call.params:
        raise Refused(
            "InvalidParameterCombination", "Switchover and AllowDataLoss parameters cannot be specified together"
        )
    if not call.params.get("AllowDataLoss"):
        return switch_over(call)
    found, primary, target = _parties(call)
    if found.failover is not None and found.failover.data_loss_allowed:
        raise _busy(found)
    if found.failover is not None and not disturbed(primary.account, frozenset({primary.region})):
        raise _busy(found)
    _promotable(found, target)
    following.part(target)
    become(target, "promoting")
    _fence(primary)
    _begin(found, Failover("failing-over", primary.arn, target.arn, True), frozenset({target.region}))
    return {"GlobalCluster": described(found)}


def switch_over(call: Call) -> Mapping[str, Any]:
    """SwitchoverGlobalCluster: the two change places when both are sound, without a loss."""
    found, primary, target = _parties(call)
    if found.failover is not None:
        raise _busy(found)
    regions = frozenset({primary.region, target.region})
    if disturbed(primary.account, regions) or primary.status != "available":
        raise Refused(
            "InvalidGlobalClusterStateFault",
            f"The primary DB cluster {primary.arn} of global cluster {found.identifier} is not available for a "
            "switchover. To fail over with a possible loss of data, specify AllowDataLoss",
        )
    _promotable(found, target)
    _begin(found, Failover("switching-over", primary.arn, target.arn, False), regions)
    return {"GlobalCluster": described(found)}


def _parties(call: Call) -> tuple[GlobalCluster, Cluster, Cluster]:
    """The global cluster, its primary and the secondary that is named. Raises Refused."""
    found = global_named(call.account, call.params["GlobalClusterIdentifier"])
    target = member_named(found, call.params["TargetDbClusterIdentifier"])
    primary = primary_of(found)
    if primary is None or target is primary:
        raise Refused(
            "InvalidDBClusterStateFault",
            f"DB cluster {target.arn} is not a secondary cluster of global cluster {found.identifier}",
        )
    return found, primary, target


def _promotable(found: GlobalCluster, target: Cluster) -> None:
    if disturbed(target.account, frozenset({target.region})):
        raise Refused("InternalFailure", f"Region {target.region} of the target cluster does not answer", 500)
    writer = data_plane.writer_of(target)
    if target.status != "available" or writer is None or writer.status != "available" or target.arn in found.resyncing:
        raise Refused(
            "InvalidDBClusterStateFault",
            f"The target DB cluster {target.arn} must be available, in step with the primary, and have an available "
            f"DB instance; its state is {target.status}",
        )


def _busy(found: GlobalCluster) -> Refused:
    return Refused("InvalidGlobalClusterStateFault", f"Global cluster {found.identifier} is {found.status}")


def _begin(found: GlobalCluster, failover: Failover, regions: frozenset[str]) -> None:
    found.failover, found.status = failover, failover.status
    target = member_named(found, failover.to_arn)
    modelled = current().begin(DURATION, found.arn, size_of(target))
    later(found.account, regions, modelled.seconds, lambda: _end(found, failover))


def _end(found: GlobalCluster, failover: Failover) -> None:
    if found.failover is not failover:
        return
    old, new = member_named(found, failover.from_arn), member_named(found, failover.to_arn)
    if failover.data_loss_allowed:
        found.unsaved.add(old.arn)
    else:
        _hand_over(old, new)
    if not failing.attempt(new, lambda: following.promote(new)):
        found.failover, found.status = None, "available"
        return
    old.global_role, new.global_role = "secondary", "primary"
    found.members = [new.arn, *(arn for arn in found.members if arn != new.arn)]
    found.failover, found.status = None, "available"
    become(new, "available")
    readers.remake(new)
    others = [one for one in members_of(found) if one is not new]
    for one in others:
        found.resyncing.add(one.arn)
        _fence(one)
    for one in others:
        _resync(found, one, at_once=not failover.data_loss_allowed)


def _hand_over(old: Cluster, new: Cluster) -> None:
    """All that the old primary wrote arrives; from then on it takes no client."""
    one = following.following_of(new)
    if one is not None:
        one.finish()
    _fence(old)


def _fence(cluster: Cluster) -> None:
    """No client may write what nobody would know of."""
    following.part(cluster)
    if cluster.global_role == "primary" or cluster.status == "available":
        become(cluster, RESYNCING)


def _resync_all() -> None:
    for found in databases().global_clusters.values():
        for one in members_of(found):
            if one.arn in found.resyncing and found.failover is None:
                _resync(found, one, at_once=False)


def _resync(found: GlobalCluster, cluster: Cluster, *, at_once: bool) -> None:
    """Make a member anew from the primary it has now."""
    primary = primary_of(found)
    assert primary is not None
    regions = frozenset({primary.region, cluster.region})
    if disturbed(found.account, regions):
        return
    if at_once:
        _made_anew(found, cluster, primary)
        return
    modelled = current().begin(MADE_ANEW, cluster.arn, size_of(primary), cross_region=1.0)
    later(found.account, regions, modelled.seconds, lambda: _made_anew(found, cluster, primary))


def _made_anew(found: GlobalCluster, cluster: Cluster, primary: Cluster) -> None:
    """The rows of the new primary take the place of what was here."""
    if cluster.arn not in found.resyncing or primary_of(found) is not primary or global_of(cluster) is not found:
        return
    former = cluster.volume
    image = image_of(former.server) if former and former.server and cluster.arn in found.unsaved else None

    def follow() -> None:
        following.begin_line(cluster, following.follow(primary, cluster, following.GLOBAL_LAG))

    if not failing.attempt(cluster, follow):
        found.resyncing.discard(cluster.arn)
        return
    found.resyncing.discard(cluster.arn)
    found.unsaved.discard(cluster.arn)
    become(cluster, "available")
    readers.remake(cluster)
    if image is not None:
        name = f"rds:unplanned-global-failover-{cluster.identifier}-{current().clock.now():%Y-%m-%d-%H-%M}"
        take(cluster, name, "automated", {}, image)
    if former is not None and former.server is not None:
        former.server.destroy()


OPERATIONS = {
    "rds:FailoverGlobalCluster": answering(fail_over),
    "rds:SwitchoverGlobalCluster": answering(switch_over),
}
