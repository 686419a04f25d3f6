"""How instances and clusters go from one state to the next as simulated time passes.

Source: RDS user guide, Viewing Amazon RDS DB instance status; Aurora user guide, Viewing DB cluster status. An outage
of the region or the closing of the account holds what is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from drills.simulator.dynamodb import underway
from drills.simulator.postgres.interface import Server
from drills.simulator.rds import data_plane, failing, parameters
from drills.simulator.rds.failing import Otherwise
from drills.simulator.rds.model import Cluster, Held, Instance, Positions, Volume
from drills.simulator.rds.state import databases
from drills.simulator.state import current
from drills.simulator.timing import Size

Source = Callable[[], Server | None]
"""Yields the running server of something new, at the moment its time has passed; None when that failed."""
STOPPED_AT_MOST = timedelta(days=7)


def new_instance(
    instance: Instance,
    server: Source | None,
    *,
    seconds: float,
    full_speed_seconds: float | None = None,
    otherwise: Otherwise = failing.failed,
) -> Instance:
    """Register an instance in state ``creating``; it is there after ``seconds``.

    ``server`` yields its running server then: created, restored or a standby; None for a member of an Aurora cluster,
    which answers from its cluster's. Afterwards, with a backup retention, comes ``backing-up``, then ``available``.
    ``full_speed_seconds``: how long after that moment what was restored is still loaded lazily.
    ``otherwise``: the state where the server cannot be made.
    """
    instance.status = "creating"
    databases().of(instance.account, instance.region).instances[instance.identifier] = instance
    after(instance, seconds, lambda: _instance_is_there(instance, server, full_speed_seconds, otherwise))
    return instance


def new_cluster(cluster: Cluster, server: Source, *, seconds: float, otherwise: Otherwise = failing.failed) -> Cluster:
    """Register a cluster in state ``creating``; it is ``available`` after ``seconds``.

    ``server`` yields its running server then. It takes connections while a member of the cluster is there.
    """
    cluster.status = "creating"
    databases().of(cluster.account, cluster.region).clusters[cluster.identifier] = cluster
    after(cluster, seconds, lambda: _cluster_is_there(cluster, server, otherwise))
    return cluster


def after(held: Held, seconds: float, action: Callable[[], None]) -> None:
    """Do it after these seconds in which the region is up and the account open, unless it is being deleted by then."""
    underway.later(
        held.account, frozenset({held.region}), seconds, lambda: None if held.status == "deleting" else action()
    )


def become(held: Held, status: str) -> bool:
    """Take on a state, and let clients reach it or not accordingly. False where its server did not start for it."""
    held.status = status
    data_plane.settle(held)
    return held.status == status


def size_of(held: Held) -> Size:
    """How big what it holds really is; small ones count with their files' least."""
    server = held.volume.server if held.volume is not None else None
    return Size(data_plane.gigabytes(server) if server is not None else 0.0, 0)


def _hold(held: Held, server: Server) -> None:
    now = current().clock.now()
    held.volume = Volume(server, Positions(), now)
    held.volume.positions.note(now, server.position())
    data_plane.watch()


def _made(held: Held, source: Source, otherwise: Otherwise) -> bool:
    """Whether it has its server now; its state says so where it has not."""
    found: list[Server | None] = []

    def make() -> None:
        server = source()
        found.append(server)
        if server is not None:
            _hold(held, server)

    if not failing.attempt(held, make, otherwise):
        return False
    if found == [None]:
        failing.fail(held, failing.FAILED, "What it is made from, or the key of that, cannot be used any more.")
        return False
    return True


def _instance_is_there(
    instance: Instance, source: Source | None, full_speed_seconds: float | None, otherwise: Otherwise
) -> None:
    if source is not None and not _made(instance, source, otherwise):
        return
    if full_speed_seconds is not None:
        instance.full_speed_at = current().clock.now() + timedelta(seconds=full_speed_seconds)
    if source is None or parameters.apply_all(instance):
        serve(instance)


def serve(instance: Instance) -> None:
    """Let clients reach it the first time; what is backed up is ``available`` after the first backup."""
    if instance.volume is not None and instance.cluster is None and instance.backup_retention_days > 0:
        if become(instance, "backing-up") and failing.attempt(
            instance, lambda: _told(databases().on_serving, instance)
        ):
            backing_up = current().begin("rds.backing_up", instance.arn, size_of(instance))
            after(instance, backing_up.seconds, lambda: _available(instance))
        return
    data_plane.settle(instance)
    if failing.attempt(instance, lambda: _told(databases().on_serving, instance)):
        _available(instance)


def _available(instance: Instance) -> None:
    if instance.status in failing.NEVER_THERE or not become(instance, "available"):
        return
    cluster = databases().of(instance.account, instance.region).clusters.get(instance.cluster or "")
    if cluster is not None and not _answers(instance, cluster):
        return
    first, instance.been_available = not instance.been_available, True
    if first:
        _told(databases().on_available, instance)


def _answers(member: Instance, cluster: Cluster) -> bool:
    """Whether a member of a cluster can be used, as far as that is the cluster's doing."""
    if member.volume is None and cluster.status in failing.NEVER_THERE:
        failing.fail(member, failing.FAILED, f"DB cluster {cluster.identifier} is {cluster.status}.")
        return False
    data_plane.settle(cluster)
    # What a cluster's group says is refused or taken when its server starts, and so by its first member.
    if data_plane.writer_of(cluster) is member and cluster.parameter_status != "in-sync":
        parameters.apply_all(cluster)
    return member.status == "available"


def _cluster_is_there(cluster: Cluster, source: Source, otherwise: Otherwise) -> None:
    if not _made(cluster, source, otherwise):
        return
    parameters.apply_all(cluster)
    if not failing.attempt(cluster, lambda: _told(databases().on_serving, cluster)):
        return
    cluster.been_available = True
    cluster.status = "available"
    _told(databases().on_available, cluster)
    data_plane.settle(cluster)


def _told(observers: list[Callable[[Held], None]], held: Held) -> None:
    if held.volume is not None:
        for tell in observers:
            tell(held)


# --- Stopped and started ---------------------------------------------------------------------------------------------


def stop(held: Held, seconds: float) -> None:
    """``stopping`` for these seconds, then ``stopped``; after seven days AWS starts it again by itself."""
    for one in _with_members(held):
        become(one, "stopping")
    after(held, seconds, lambda: _stopped(held))


def _stopped(held: Held) -> None:
    for one in _with_members(held):
        become(one, "stopped")
    held.started_by_itself_at = due = current().clock.now() + STOPPED_AT_MOST

    def again() -> None:
        if held.status == "stopped" and held.started_by_itself_at == due:
            operation = "aurora.start" if isinstance(held, Cluster) else "rds.start"
            assert isinstance(held, Instance | Cluster)
            start(held, current().begin(operation, held.arn, Size(0, 0)).seconds)

    after(held, STOPPED_AT_MOST.total_seconds(), again)


def start(held: Held, seconds: float) -> None:
    """``starting`` for these seconds, then ``available``; of a cluster with all its members."""
    held.started_by_itself_at = None
    for one in _with_members(held):
        become(one, "starting")
    after(held, seconds, lambda: _started(held))


def _started(held: Held) -> None:
    for one in reversed(_with_members(held)):
        if become(one, "available"):
            parameters.apply_all(one)


def _with_members(held: Held) -> list[Held]:
    """A cluster and then its members; an instance alone."""
    if not isinstance(held, Cluster):
        return [held]
    instances = databases().of(held.account, held.region).instances
    members = [instances[name] for name in held.members if name in instances]
    return [held, *(one for one in members if one.status not in failing.NEVER_THERE)]
