"""The application goes on writing while a failure waits until it can begin.

A scenario's ``lead_up`` may wait for hours of the clock, as for a snapshot in progress. What is written meanwhile is
lost with the rest: without it a drill would tell too few writes lost. In real accounts they come at the pace that the
estate says. In a simulated drill, where an hour passes in no time, its writes would take the processor almost as long
as all the rest of the scenario: there a twentieth of them are sent. So the count of writes lost is too small by
what was not sent, and the RPO too short by the time between two such writes at the most.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drills.model import Grade
from drills.providers.interface import World
from drills.workload import StoreWorkload

PACE: Mapping[Grade, float] = {"simulated": 0.05, "sandbox": 1.0}
"""By the drill's grade, the part of its writes that a workload sends while a failure waits. A drill that is to run in
real accounts is rehearsed at their pace."""


@dataclass
class Waited:
    """How long a failure waited until it could begin, and how many writes were sent meanwhile, by store."""

    pace: float
    seconds: float = 0.0
    sent: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def going_on_writing(workloads: Sequence[StoreWorkload], world: World, pace: float) -> Iterator[Waited]:
    """Let every store's workload write at this part of its rate for as long as the block waits by the world's clock.

    What is yielded is filled in at the end. Whoever waits for no time writes nothing.
    """
    began, waited = world.clock.now(), Waited(pace)
    before = {one.site.store.name: one.sent.due for one in workloads}
    writing = _Writing(workloads, world, pace)
    try:
        yield waited
    finally:
        writing.over = True
    waited.seconds = (world.clock.now() - began).total_seconds()
    waited.sent = {one.site.store.name: one.sent.due - before[one.site.store.name] for one in workloads}


class _Writing:
    """One write after the other, over all stores: the next is due only once the one before has its answer."""

    def __init__(self, workloads: Sequence[StoreWorkload], world: World, pace: float) -> None:
        self.over = False
        self._workloads = workloads
        self._world = world
        self._pace = pace
        self._due: list[tuple[datetime, int]] = []
        for index in range(len(workloads)):
            self._arrives(index, world.clock.now())
        self._wait()

    def _arrives(self, index: int, after: datetime) -> None:
        """Enter when the next write of a store arrives, if it ever does."""
        seconds = self._workloads[index].gap_seconds(self._pace)
        if seconds is not None:
            heapq.heappush(self._due, (after + timedelta(seconds=seconds), index))

    def _wait(self) -> None:
        if self._due:
            self._world.later((self._due[0][0] - self._world.clock.now()).total_seconds(), self._turn)

    def _turn(self) -> None:
        if self.over:
            return
        due, index = heapq.heappop(self._due)
        self._workloads[index].write_once()
        self._arrives(index, due)
        self._wait()
