"""Time, injected. Durations in a drill come from a Clock and never from the time module."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

from drills.errors import SimulatorError

ClockKind = Literal["simulated", "wall"]


def microseconds(moment: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


class Clock(Protocol):
    """Where a drill gets the time from and waits."""

    @property
    def kind(self) -> ClockKind: ...

    def now(self) -> datetime:
        """Current time, timezone-aware UTC, microsecond resolution."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait this many seconds, at least zero."""
        ...


class WallClock:
    """Real time."""

    kind: ClockKind = "wall"

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


MOST_SECONDS_BETWEEN = 60.0
"""As seldom as AWS's own waiters ask. Source: boto3's waiters of RDS, 30 to 60 s."""


def pause_seconds(every_seconds: float, waited_seconds: float) -> float:
    """How long to pause before asking again for what has been waited for so long already.

    ``every_seconds`` at first; then a sixtieth of the wait, so that its end is seen 2 % too late at most, and no more
    than a minute.
    """
    return max(every_seconds, min(waited_seconds / 60, MOST_SECONDS_BETWEEN))


LONGEST_SECONDS = 100 * 365 * 86_400
MOST_AT_ONCE = 1_000_000


@dataclass(order=True)
class Event:
    """Something due at a moment on a SimulatedClock. ``cancel()`` takes it back."""

    due: datetime
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class SimulatedClock:
    """A discrete-event loop: ``sleep`` advances the time and runs what falls due on the way, in order.

    Events due at the same microsecond run in the order in which they were scheduled. An event may sleep itself: what
    falls due meanwhile runs inside that sleep, as the world does not wait for one handler. ``on_move`` is told each
    new time, before the event that is due at it runs; it is how a simulation moves other clocks along.
    """

    kind: ClockKind = "simulated"

    def __init__(
        self,
        start: datetime,
        on_move: Callable[[datetime], None] | None = None,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        if start.tzinfo is None:
            raise ValueError("a simulated clock starts at a timezone-aware time; got a naive datetime")
        self._now = start.astimezone(UTC)
        self._on_move = on_move
        self._queue: list[Event] = []
        self._order = itertools.count()
        self._at_once = 0
        self.lock: AbstractContextManager[Any] = threading.RLock() if lock is None else lock
        """Held while events run; whoever must not be interleaved with them takes it too."""

    def now(self) -> datetime:
        return self._now

    def call_at(self, due: datetime, action: Callable[[], None]) -> Event:
        """Run ``action`` once at ``due`` (at once-next if that is past)."""
        with self.lock:
            event = Event(max(due, self._now), next(self._order), action)
            heapq.heappush(self._queue, event)
            return event

    def call_later(self, seconds: float, action: Callable[[], None]) -> Event:
        """Run ``action`` once, this many seconds from now."""
        return self.call_at(self._now + timedelta(seconds=seconds), action)

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass, at least zero. Raises SimulatorError for what is no number of seconds."""
        if not isinstance(seconds, (int, float)) or not seconds < LONGEST_SECONDS:
            raise SimulatorError(f"the simulated clock sleeps a number of seconds, below a century; got {seconds!r}")
        self.run_until(self._now + timedelta(seconds=max(0.0, seconds)))

    def run_until(self, deadline: datetime) -> None:
        """Advance to ``deadline``, running every event due up to and including it; not back, if it is past."""
        if deadline.tzinfo is None:
            raise SimulatorError(f"the simulated clock runs until a time with a zone, such as …, UTC; got {deadline!r}")
        with self.lock:
            while self._queue and self._queue[0].due <= deadline:
                event = heapq.heappop(self._queue)
                if event.cancelled:
                    continue
                self._move(event.due)
                self._count()
                event.action()
            self._move(deadline)

    def _count(self) -> None:
        """Tell of events that go on for ever at one moment; nothing else would."""
        self._at_once += 1
        if self._at_once > MOST_AT_ONCE:
            raise SimulatorError(
                f"{MOST_AT_ONCE:,} events fell due at {self._now.isoformat()} and the simulated clock could not go on: "
                "something schedules itself again without any delay"
            )

    def _move(self, to: datetime) -> None:
        # An event that slept may already have taken the time past its own successor's due time.
        if to > self._now:
            if self._on_move is not None:
                self._on_move(to)
            self._now = to
            self._at_once = 0
