"""Real time with schedules: what falls due is carried out while the drill waits, as one person would do it.

A computer that slept is noticed by its two clocks: the one that counts while it runs, and the one on the wall.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from drills.clock import Clock, ClockKind

NOTICED_SECONDS = 5.0
"""A difference between the clocks from here on is no correction by a time server any more."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock went on by so many seconds, or back, while the computer did not run. ``at``: noticed then."""

    at: datetime
    seconds: float


class RealTime:
    """See drills.clock.Clock. ``inner`` gives the time; ``running`` counts seconds while the computer runs."""

    kind: ClockKind = "wall"

    def __init__(self, inner: Clock, running: Callable[[], float] = time.monotonic) -> None:
        self.jumps: list[Jump] = []
        self._inner = inner
        self.running = running
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wall_seen, self._running_seen = inner.now(), running()

    def now(self) -> datetime:
        wall, running = self._inner.now(), self.running()
        slept = (wall - self._wall_seen).total_seconds() - (running - self._running_seen)
        if abs(slept) >= NOTICED_SECONDS:
            self.jumps.append(Jump(wall, slept))
        self._wall_seen, self._running_seen = wall, running
        return wall

    def sleep(self, seconds: float) -> None:
        """Wait, and carry out what falls due meanwhile."""
        until = self.now() + timedelta(seconds=max(0.0, seconds))
        while self._due and self._due[0][0] <= until:
            due, _, action = heapq.heappop(self._due)
            self._wait(due)
            action()
        self._wait(until)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now() + timedelta(seconds=seconds), next(self._order), action))

    def forget(self) -> None:
        """Nothing that is scheduled will be carried out any more."""
        self._due.clear()

    def _wait(self, until: datetime) -> None:
        seconds = (until - self.now()).total_seconds()
        if seconds > 0:
            self._inner.sleep(seconds)
