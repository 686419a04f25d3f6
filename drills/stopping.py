"""What stops a drill in sandbox accounts: from then on nothing is changed any more, and it is cleaned up.

Asked before every change and while the drill waits. Reasons are looked for in this order: a signal, the stop file, the
time limit, the cost limit, the alarm.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.clock import Clock, ClockKind

STOP_FILE = "stop"
ALARM_EVERY_SECONDS = 15.0
Condition = Callable[[], str | None]
"""Why the drill must stop, None while it need not."""


class Stopping(BaseException):
    """The drill was told to stop. Not an Exception: no step of a drill may take it for a failure of its own."""


class Stop:
    """The conditions of one drill. Once one holds, it holds for good."""

    def __init__(self, conditions: Sequence[Condition] = ()) -> None:
        self.reason: str | None = None
        self._conditions = list(conditions)
        self._signalled: str | None = None

    def add(self, condition: Condition) -> None:
        self._conditions.append(condition)

    def tell(self, reason: str) -> None:
        """Stop for this reason at the next occasion."""
        self._signalled = self._signalled or reason

    def check(self) -> None:
        """Raises Stopping once a condition holds."""
        if self.reason is None:
            self.reason = self._signalled or next(filter(None, (holds() for holds in self._conditions)), None)
        if self.reason is not None:
            raise Stopping(self.reason)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop the drill at its next call or wait; a second one leaves at once, unclean."""
        if threading.current_thread() is not threading.main_thread():
            # Python lets no other thread listen to signals.
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def told(number: int, _: FrameType | None) -> None:
            if self._signalled is not None:
                raise KeyboardInterrupt
            self.tell("Ctrl-C" if number == signal.SIGINT else "SIGTERM")

        for number in before:
            signal.signal(number, told)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


SLICE_SECONDS = 1.0


class StoppingClock:
    """See drills.clock.Clock. Whoever waits by it is woken when the drill must stop."""

    def __init__(self, inner: Clock, stop: Stop) -> None:
        self._inner = inner
        self._stop = stop

    @property
    def kind(self) -> ClockKind:
        return self._inner.kind

    def now(self) -> datetime:
        return self._inner.now()

    def sleep(self, seconds: float) -> None:
        left = max(0.0, seconds)
        while left > 0:
            self._stop.check()
            self._inner.sleep(min(left, SLICE_SECONDS))
            left -= SLICE_SECONDS
        self._stop.check()


def stop_file(folder: Path) -> Condition:
    """A file of this name in the drill's folder, whatever is in it."""
    path = folder / STOP_FILE
    return lambda: f"the stop file {path} is there" if path.exists() else None


def time_limit(seconds: float, spent_seconds: float = 0.0) -> Condition:
    """So many seconds from now by the wall clock, of which some are spent already: a computer that sleeps does not
    stretch them."""
    began = time.time() - spent_seconds
    return lambda: f"the time limit of {seconds:,.0f} s has passed" if time.time() - began >= seconds else None


def cost_limit(limit_usd: float, spent_usd: Callable[[], float]) -> Condition:
    """What the drill has cost so far by the price table."""

    def holds() -> str | None:
        spent = spent_usd()
        return f"it has cost {spent:,.2f} USD; the limit is {limit_usd:,.2f} USD" if spent >= limit_usd else None

    return holds


def alarm(cloudwatch: Any, name: str) -> Condition:
    """A CloudWatch alarm, metric or composite, in ALARM; or one that cannot be read, as then nobody watches."""
    asked_at: float | None = None

    def holds() -> str | None:
        nonlocal asked_at
        if asked_at is not None and time.monotonic() - asked_at < ALARM_EVERY_SECONDS:
            return None
        asked_at = time.monotonic()
        return alarm_problem(cloudwatch, name)

    return holds


def alarm_problem(cloudwatch: Any, name: str) -> str | None:
    """Why a drill must not go on by this alarm; None where it is there and not in ALARM."""
    try:
        answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    except (ClientError, BotoCoreError) as error:
        return f"the alarm {name} cannot be read ({type(error).__name__}), so that nothing would stop the drill"
    found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    if not found:
        return f"there is no alarm {name}, so that nothing would stop the drill"
    return f"the alarm {name} is in ALARM" if found[0]["StateValue"] == "ALARM" else None
