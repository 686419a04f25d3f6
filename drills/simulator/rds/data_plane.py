"""The servers behind the endpoints: who can connect when, and how far their logs reached at which simulated moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from drills.simulator.dynamodb.underway import disturbed
from drills.simulator.postgres.interface import Server
from drills.simulator.rds import failing
from drills.simulator.rds.model import Cluster, Held, Instance
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation, current

SERVING = frozenset(
    {
        "available",
        "backing-up",
        "modifying",
        "renaming",
        "resetting-master-credentials",
        "storage-optimization",
        "promoting",
        "upgrading",
    }
)
"""States in which clients can connect."""


def begin(simulation: Simulation) -> None:
    """Follow outages and closed accounts: what is out of reach drops its clients at once."""
    simulation.on_region_down.append(lambda region: _settle_all(lambda held: held.region == region))
    simulation.on_region_up.append(lambda region: _settle_all(lambda held: held.region == region))
    simulation.on_account_closed.append(lambda account: _settle_all(lambda held: held.account == account))
    simulation.on_account_reopened.append(lambda account: _settle_all(lambda held: held.account == account))
    _watching.clear()


_watching: list[Simulation] = []


def watch() -> None:
    """From now on positions are noted as the clock moves; without databases nothing is done then."""
    simulation = current()
    if simulation not in _watching:
        _watching.append(simulation)
        simulation.on_move.append(lambda _: note())


def note() -> None:
    """Note how far every running server's log reaches at the moment that ends now."""
    now = current().clock.now()
    for held in everything():
        volume = held.volume
        if volume is not None and volume.server is not None and volume.server.running:
            volume.positions.note(now, volume.server.position())


def everything() -> Iterator[Instance | Cluster]:
    """All instances and clusters of all accounts and regions."""
    for place in list(databases().regions.values()):
        yield from list(place.instances.values())
        yield from list(place.clusters.values())


def settle(held: Held) -> None:
    """Let the server run where clients could reach it now, and only there. One that does not start has failed."""
    server = held.volume.server if held.volume is not None else None
    if server is None:
        return
    wanted = serves(held)
    if wanted and not server.running:
        failing.attempt(held, server.start)
    elif server.running and not wanted:
        _note_last(held, server)
        server.stop(at_once=disturbed(held.account, frozenset({held.region})))


def serves(held: Held) -> bool:
    """Whether clients can connect: by its state, and of a cluster also by its writer's; and nothing is down."""
    if held.status not in SERVING or disturbed(held.account, frozenset({held.region})):
        return False
    if not isinstance(held, Cluster):
        return True
    writer = writer_of(held)
    return writer is not None and writer.status in SERVING


def writer_of(cluster: Cluster) -> Instance | None:
    """The first of the members, None while there is none."""
    instances = databases().of(cluster.account, cluster.region).instances
    return instances.get(cluster.members[0]) if cluster.members else None


def gigabytes(server: Server) -> float:
    """What the server holds, as far as its log tells; in whole GB, as the log's last bytes are not the seed's."""
    return max(1.0, math.ceil(server.position() / 1e9))


def _note_last(held: Held, server: Server) -> None:
    assert held.volume is not None
    held.volume.positions.note(current().clock.now(), server.position())


def _settle_all(concerned: Callable[[Held], bool]) -> None:
    # Clusters' servers look at their members' states, which do not change here.
    for held in everything():
        if concerned(held):
            settle(held)
