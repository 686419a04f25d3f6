"""The site: what a store, a protection or a scenario may see of the place where a drill runs.

One Site per store and scenario. It is the only way to reach AWS, so that what the responders can no longer reach is
out of reach for every protection alike, and every call lands in the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from drills.clock import Clock
from drills.model import AccountRole, Estate, Location, Store


class Site(Protocol):
    """Where one store of one scenario lives."""

    @property
    def estate(self) -> Estate: ...

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags every resource gets at creation, so that nothing else is ever touched."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What the provider can do; a protection that needs more says which is missing."""
        ...

    def name(self, suffix: str = "") -> str:
        """The physical name of this store's resource: the drill's prefix, the store's name, the suffix."""
        ...

    def account_id(self, role: AccountRole) -> str: ...

    def region(self, role: AccountRole) -> str:
        """The home region of that account role."""
        ...

    def client(self, service: str, role: AccountRole, region: str | None = None) -> Any:
        """A boto3 client with that role's credentials, in its home region unless another is given."""
        ...

    def reach(self, at: Location, kind: str) -> None:
        """Asked before a connection to a database is opened or used: raises as a call there would where nothing answers
        any more, and ProtectionError for one that is not the site's. ``kind`` is the guard's word for it."""
        ...

    def statement(self, at: Location, kind: str, what: str, *, often: bool = False) -> AbstractContextManager[None]:
        """Around statements that change what is in a database, which no client of boto3's sends.

        ``kind`` is the guard's word for it; ``what`` is done. Raises ProtectionError for one that is not the site's.
        ``often``: as with a record, its tag is not looked up each time.
        """
        ...

    def primary(self) -> Location:
        """Where the store lies before the failure."""
        ...

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` at this interval for as long as the workload goes on (a schedule of the estate's)."""
        ...

    def modelled(self, operation: str, *, items: int | None = None, size_gb: float | None = None) -> None:
        """Let the time pass that a bulk operation of our own takes at production size.

        In a simulated drill the clock moves by what the timing model says for ``operation`` (for instance
        ``"dynamodb.refill"``); against real accounts time passes by itself and this does nothing.
        Size defaults to the store's production size.
        """
        ...

    def reckon(self, at: Location) -> None:
        """Reckon with the store's production size when durations for this physical copy of it are modelled.

        For every table, bucket or database that a protection keeps the store's data in. No effect in real accounts.
        """
        ...

    def wait_until(self, moment: datetime) -> None:
        """Wait for a moment that AWS needs to reach, such as the end of a recovery window.

        Attempts are made one after the other but measured as if each began when the response was decided: what an
        attempt would have had to wait is counted even when the clock is past that moment by now.
        """
        ...

    def wait(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None:
        """Poll until ``ready()``; a ProtectionError names ``what`` when the limit passes.

        What takes long is asked for more and more rarely (``drills.clock.pause_seconds``).
        """
        ...

    def note(self, kind: str, **data: Any) -> None:
        """Append an event about this store to the history."""
        ...

    def failed_at(self) -> datetime | None:
        """When the failure began, None before it."""
        ...
