"""How time passes while a simulated AWS is active: the process's wall clock and its sleeping follow the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from unittest import mock

import time_machine
from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.bucket import TokenBucket

from drills.clock import SimulatedClock
from drills.errors import SimulatorError
from drills.simulator.turns import Turns, handing_on


def begin(
    stack: ExitStack, start: datetime, lock: Turns, on_move: list[Callable[[datetime], None]] | None = None
) -> SimulatedClock:
    """A clock that the whole process follows, until the stack is unwound. ``on_move``: told before it moves."""
    watching = on_move if on_move is not None else []
    traveller = stack.enter_context(time_machine.travel(start, tick=False))
    moves: list[Callable[[datetime], None]] = [traveller.move_to]

    def move(to: datetime) -> None:
        for tell in watching:
            tell(to)
        moves[-1](to)

    clock = SimulatedClock(start, move, lock)
    stack.callback(moves.append, _over)
    stack.enter_context(mock.patch.object(threading.Thread, "start", handing_on(threading.Thread.start)))
    stack.enter_context(mock.patch.object(time, "sleep", sleeping(clock.sleep)))
    stack.enter_context(mock.patch.object(TokenBucket, "_acquire", _acquire))
    return clock


def sleeping(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """``time.sleep`` by another clock; it refuses what Python's own refuses."""

    def time_sleep(seconds: float, /) -> None:
        if not isinstance(seconds, (int, float)):
            raise TypeError(f"'{type(seconds).__name__}' object cannot be interpreted as an integer")
        if not seconds >= 0:
            raise ValueError("sleep length must be non-negative")
        sleep(seconds)

    return time_sleep


def _over(to: datetime) -> None:
    raise SimulatorError(
        f"the simulated AWS of this clock has been left, and its time stands still; it cannot go on to {to.isoformat()}"
    )


def _acquire(self: Any, amount: float, block: bool) -> bool:
    """In place of botocore's, which in the adaptive retry mode waits for real time to pass: here it stands still."""
    if self._last_timestamp is not None and self._last_timestamp > self._clock.current_time():
        self._last_timestamp = None  # The client is from before the simulated clock began.
    self._refill()
    if amount > self._current_capacity and not block:
        raise CapacityNotAvailableError()
    while (missing := self._sleep_amount(amount)) > 0:
        # What happens meanwhile may need the same bucket. A microsecond is the least that the clock can move.
        self._lock.release()
        try:
            self._clock.sleep(max(missing, 1e-6))
        finally:
            self._lock.acquire()
        self._refill()
    self._current_capacity -= amount
    return True
