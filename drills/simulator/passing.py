"""How time passes while a simulated AWS is active: the process's wall clock and its sleeping follow the clock."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from unittest import mock

import time_machine
from botocore.exceptions import CapacityNotAvailableError
from botocore.retries.bucket import TokenBucket

from drills.clock import SimulatedClock
from drills.simulator.turns import Turns, handing_on


def begin(stack: ExitStack, start: datetime, lock: Turns) -> SimulatedClock:
    """A clock that the whole process follows, until the stack is unwound."""
    traveller = stack.enter_context(time_machine.travel(start, tick=False))
    clock = SimulatedClock(start, traveller.move_to, lock)
    stack.enter_context(mock.patch.object(threading.Thread, "start", handing_on(threading.Thread.start)))
    stack.enter_context(mock.patch.object(time, "sleep", clock.sleep))
    stack.enter_context(mock.patch.object(TokenBucket, "_acquire", _acquire))
    return clock


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
