"""How often Python looks for garbage in cycles: rarely in processes that are a drill's own and end with it.

A drill keeps nearly everything it makes, such as its ledgers, and so do the modules it loads; by default Python looks
through all of it again and again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 50_000
"""So many more objects than were given up have Python look among the newest, where its default is 700."""


def collect_rarely() -> None:
    """From now on, in this process."""
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])


@contextmanager
def collecting_rarely() -> Iterator[None]:
    before = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
