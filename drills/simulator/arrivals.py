"""What is on its way to one place: each thing arrives when it is due, unless something stands in the way."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from drills.clock import Event
from drills.simulator.state import Simulation
from drills.simulator.timing import Size

T = TypeVar("T")


class Arrivals(Generic[T]):
    """A queue by due time; what is due at the same moment arrives in the order in which it was sent.

    ``lag`` is the modelled duration each thing takes. ``arrive`` is given each with the time at which it was due.
    While ``interrupted`` says so nothing arrives: who interrupts calls ``hold``, and ``resume`` afterwards.
    """

    def __init__(
        self,
        simulation: Simulation,
        lag: str,
        arrive: Callable[[T, datetime], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._clock = simulation.clock
        self._timing = simulation.timing
        self._lag = lag
        self._arrive = arrive
        self._interrupted = interrupted
        self._queue: list[tuple[datetime, int, T]] = []
        self._order = itertools.count()
        self._event: Event | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[T]:
        """What is on its way, in the order in which it was sent."""
        return (thing for _, _, thing in sorted(self._queue, key=lambda entry: entry[1]))

    def send(self, thing: T, *, not_before: datetime | None = None) -> datetime:
        """Let it arrive after the lag, or later if it must not be earlier than something else. Gives when."""
        due = self._after_lag()
        if not_before is not None:
            due = max(due, not_before)
        heapq.heappush(self._queue, (due, next(self._order), thing))
        self._await()
        return due

    def hold(self) -> None:
        """Let nothing arrive while it is interrupted; nothing happens if it is not."""
        if self._interrupted():
            self._forget_event()

    def resume(self) -> datetime | None:
        """Go on after an interruption: what is overdue arrives one lag from now. Gives when; None: nothing goes on."""
        if not self._queue or self._event is not None or self._interrupted():
            return None
        soonest = self._after_lag()
        self._queue = [(max(due, soonest), order, thing) for due, order, thing in self._queue]
        heapq.heapify(self._queue)
        self._await()
        return soonest

    def drop(self) -> None:
        """Forget what is on its way."""
        self._forget_event()
        self._queue.clear()

    def _after_lag(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._timing.duration(self._lag, Size(0, 1)).seconds)

    def _forget_event(self) -> None:
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def _await(self) -> None:
        """Wake up when the first of what is on its way is due."""
        if not self._queue or self._interrupted():
            return
        due = self._queue[0][0]
        if self._event is not None:
            if self._event.due <= due:
                return
            self._event.cancel()
        self._event = self._clock.call_at(due, self._wake)

    def _wake(self) -> None:
        self._event = None
        while self._queue and self._queue[0][0] <= self._clock.now():
            due, _, thing = heapq.heappop(self._queue)
            self._arrive(thing, due)
        self._await()
