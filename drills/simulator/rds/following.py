"""The log of a database on its way to a standby of it: each part arrives the modelled lag after it was written.

What has not arrived when the source or the link is lost, is lost for the standby. What an outage holds arrives when it
is over. How long the lag is at which moment, the seed decides, not how often anybody looks.
Source: RDS user guide, Monitoring read replication (ReplicaLag); Aurora user guide, Monitoring an Aurora global
database (AuroraGlobalDBReplicationLag, in milliseconds). Assumed: the lag changes by the minute.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drills.simulator import metrics
from drills.simulator.dynamodb.underway import disturbed
from drills.simulator.postgres.interface import Position, Server, Standby
from drills.simulator.rds import failing
from drills.simulator.rds.model import Cluster, Held, Positions, Volume
from drills.simulator.rds.state import databases
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

REPLICA_LAG = "rds.replica_lag"
GLOBAL_LAG = "aurora.global_lag"
READER_LAG = "aurora.reader_lag"
METRICS = {
    REPLICA_LAG: (("ReplicaLag", "Seconds", 1.0),),
    GLOBAL_LAG: (
        ("AuroraGlobalDBReplicationLag", "Milliseconds", 1_000.0),
        ("AuroraGlobalDBRPOLag", "Milliseconds", 1_000.0),
    ),
    READER_LAG: (("AuroraReplicaLag", "Milliseconds", 1_000.0),),
}
"""By the row of the lag: the metrics, their units, and how many of these a second has."""
MINUTE = timedelta(minutes=1)
MINUTES_LOOKED_BACK = 3
"""What was written later does not arrive earlier. A lag of more than so many minutes is cut to them."""


@dataclass(frozen=True, slots=True)
class Part:
    """The log up to ``position``, written at ``made``, there at ``due``."""

    made: datetime
    due: datetime
    position: Position


@dataclass(eq=False, slots=True)
class Following:
    """One standby and what is on its way to it. ``operation`` is the row of the timing model for the lag."""

    simulation: Simulation
    source: Held
    target: Held
    volume: Volume
    """The source's, whose line is followed."""
    standby: Standby
    operation: str
    heard: datetime
    """The last moment at which nothing stood between the two."""
    sent: Position
    on_its_way: deque[Part] = field(default_factory=deque)

    def send(self) -> None:
        """Let what has been written until now set out."""
        now = self.simulation.clock.now()
        reached = self.volume.positions.at(now)
        if reached is not None:
            self._set_out(now, reached)

    def _set_out(self, made: datetime, position: Position) -> None:
        if position > self.sent:
            self.sent = position
            self.on_its_way.append(Part(made, self._due(made), position))

    def arrive(self, until: datetime) -> None:
        """Hand over what is due at that moment, unless something stands in the way."""
        if self.interrupted:
            return
        self.heard = until
        newest: Part | None = None
        while self.on_its_way and self.on_its_way[0].due <= until and self.standby.running:
            newest = self.on_its_way.popleft()
        if newest is None:
            return
        position = newest.position
        if not failing.attempt(self.target, lambda: self.standby.let(position)):
            part(self.target)
            return
        for one in followers_of(self.target):
            # What follows the standby hears of it at the moment of its arrival, be the clock's step ever so long.
            one._set_out(newest.due, newest.position)
            one.arrive(until)

    def resume(self) -> None:
        """After an interruption nothing arrives before one lag from now."""
        soonest = self._due(self.simulation.clock.now())
        self.on_its_way = deque(Part(part.made, max(part.due, soonest), part.position) for part in self.on_its_way)

    def finish(self) -> None:
        """Hand over everything to the last commit, as a source that ends in good order does."""
        server = self.volume.server
        if server is not None and server.running and self.standby.running and not self.interrupted:
            self.sent = server.position()
            self.standby.let(self.sent)
            self.on_its_way.clear()

    @property
    def interrupted(self) -> bool:
        return disturbed(self.source.account, frozenset({self.source.region, self.target.region}))

    def lag_seconds(self) -> float:
        """How old the oldest commit is that may be missing from the standby."""
        now = self.simulation.clock.now()
        missing = self.on_its_way[0].made if self.on_its_way else now
        return (now - min(missing, self.heard)).total_seconds()

    def _due(self, made: datetime) -> datetime:
        """When what was written then is there: not before what was written earlier."""
        minute = made.replace(second=0, microsecond=0)
        due = made + self._lag(minute)
        for before in range(1, MINUTES_LOOKED_BACK + 1):
            due = max(due, minute + (1 - before) * MINUTE + self._lag(minute - before * MINUTE))
        return due

    def _lag(self, minute: datetime) -> timedelta:
        chance = random.Random(f"{self.simulation.seed}/{self.operation}/{arn_of(self.target)}/{minute.isoformat()}")
        seconds = self.simulation.timing.duration_by(chance, self.operation, Size(0, 1))
        return min(timedelta(seconds=seconds), MINUTES_LOOKED_BACK * MINUTE)


_followings: list[Following] = []
_standbys: list[Standby] = []
"""Those that have not been promoted, whether or not they still follow."""
_watching: list[Simulation] = []


def begin(simulation: Simulation) -> None:
    """Forget the standbys of an earlier simulation and go on with this one's when an outage is over."""
    _followings.clear()
    _standbys.clear()
    _watching.clear()
    simulation.on_region_up.append(lambda region: _resume(lambda one: region in (one.source.region, one.target.region)))
    simulation.on_account_reopened.append(lambda account: _resume(lambda one: account == one.source.account))


def follow(source: Held, target: Held, operation: str) -> Standby:
    """A standby of the source as it is now, for ``target``, to which from now on the log is sent."""
    simulation, volume = current(), source.volume
    assert volume is not None
    assert volume.server is not None
    standby = volume.server.standby()
    reached = volume.server.position()
    standby.let(reached)
    _standbys.append(standby)
    now = simulation.clock.now()
    _followings.append(Following(simulation, source, target, volume, standby, operation, now, reached))
    _watch(simulation)
    return standby


def following_of(target: Held) -> Following | None:
    """What is on its way to this one; None where it follows nobody, or not any more."""
    return next((one for one in _followings if one.target is target), None)


def followers_of(source: Held) -> list[Following]:
    return [one for one in _followings if one.source is source]


def part(target: Held) -> None:
    """Send nothing more. What has arrived is there, and what was on its way is lost."""
    one = following_of(target)
    if one is not None:
        _followings.remove(one)
        one.standby.cut()


def promote(target: Held) -> None:
    """Let what follows another become a database of its own, with what has arrived; its line begins now. What has been
    a primary stays what it was."""
    server = target.volume.server if target.volume is not None else None
    assert server is not None
    part(target)
    if not server.running:
        server.start()
    standby = next((one for one in _standbys if one is server), None)
    if standby is not None:
        _standbys.remove(standby)
        standby.promote()
        begin_line(target, standby)


def begin_line(held: Held, server: Server) -> None:
    """From now on this server holds the rows, and its positions count anew."""
    now = current().clock.now()
    held.volume = Volume(server, Positions(), now)
    held.volume.positions.note(now, server.position())
    for one in followers_of(held):
        one.volume = held.volume
    for tell in databases().on_new_line:
        tell(held)


def arn_of(held: Held) -> str:
    kind = "cluster" if isinstance(held, Cluster) else "db"
    return f"arn:aws:rds:{held.region}:{held.account}:{kind}:{held.identifier}"


def _watch(simulation: Simulation) -> None:
    if simulation in _watching:
        return
    _watching.append(simulation)
    simulation.on_move.append(_moving)
    _measure_later(simulation)


def _moving(to: datetime) -> None:
    for one in tuple(_followings):
        one.send()
        one.arrive(to)


def _resume(concerned: Callable[[Following], bool]) -> None:
    for one in _followings:
        if concerned(one) and not one.interrupted:
            one.resume()


# --- What CloudWatch shows, at the full minutes


def _measure_later(simulation: Simulation) -> None:
    now = simulation.clock.now()
    simulation.clock.call_at(now.replace(second=0, microsecond=0) + MINUTE, lambda: _measure(simulation))


def _measure(simulation: Simulation) -> None:
    for one in tuple(_followings):
        if not disturbed(one.target.account, frozenset({one.target.region})):
            _write(one)
    if _followings:
        _measure_later(simulation)
    else:
        _watching.clear()
        simulation.on_move.remove(_moving)


def _write(one: Following) -> None:
    account, region, name = one.target.account, one.target.region, one.target.identifier
    dimension = "DBClusterIdentifier" if isinstance(one.target, Cluster) else "DBInstanceIdentifier"
    for metric, unit, per_second in METRICS[one.operation]:
        metrics.count(account, region, "AWS/RDS", metric, ((dimension, name),), one.lag_seconds() * per_second, unit)
