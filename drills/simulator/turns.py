"""Whose turn it is: one thread at a time does something to the simulated AWS.

While a function runs, the thread that invoked it has the turn, and may wait for threads that the function started, such
as those of a pool or of an S3 transfer. Therefore a function's threads take turns of their own, inside of its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

_NAME = "_drills_turn"


class Turn:
    """What one thread at a time may have: the world's, or that of one execution environment while it runs."""

    __slots__ = ("depth", "open", "owner")

    def __init__(self) -> None:
        self.owner: int | None = None
        self.depth = 0
        self.open = False


class Turns:
    """Use as a lock that its owner may take again. Which turn is taken, the calling thread decides."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._world = Turn()

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._changed:
            # Looked up again after each wait: the environment may have begun or ended its work meanwhile.
            while (turn := self._mine()).owner not in (None, me):
                self._changed.wait()
            turn.owner = me
            turn.depth += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            turn = self._mine()
            turn.depth -= 1
            if turn.depth == 0:
                turn.owner = None
                self._changed.notify_all()

    def _mine(self) -> Turn:
        turn: Turn | None = vars(threading.current_thread()).get(_NAME)
        return turn if turn is not None and turn.open else self._world

    @contextmanager
    def inside(self, turn: Turn) -> Iterator[None]:
        """Until the end, this thread and those that were started from within take turns with one another.

        Ends when none of them is in the middle of anything; what they do later waits for the world's turn.
        """
        of_thread = vars(threading.current_thread())
        before = of_thread.get(_NAME)
        with self._changed:
            turn.open = True
            self._changed.notify_all()
        of_thread[_NAME] = turn
        try:
            yield
        finally:
            with self._changed:
                while turn.owner is not None:
                    self._changed.wait()
                turn.open = False
            of_thread[_NAME] = before


def handing_on(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """``Thread.start``, by which a thread belongs where the one that starts it belongs."""

    @wraps(start)
    def start_here(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        vars(self)[_NAME] = vars(threading.current_thread()).get(_NAME)
        start(self, *args, **kwargs)

    return start_here
