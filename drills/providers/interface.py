"""Where a drill runs: a Provider opens one World for each scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from drills.clock import Clock
from drills.model import JSON, AccountRole, Estate, Grade, Location, ProductionSize


@dataclass(frozen=True, slots=True)
class ModelledDuration:
    """One simulated duration, drawn from the timing model. Seconds. ``assumed``: it rests on an assumption."""

    at: datetime
    operation: str
    resource: str
    seconds: float
    p50_seconds: float
    p95_seconds: float
    assumed: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One API call as it left and came back. ``error`` is AWS's code or the exception's name, None for success."""

    at: datetime
    role: AccountRole
    account: str
    region: str
    service: str
    operation: str
    resource: str
    error: str | None


class World(Protocol):
    """One set of accounts, for the length of one scenario."""

    @property
    def clock(self) -> Clock: ...

    def client(self, service: str, role: AccountRole, region: str) -> Any:
        """A boto3 client with that account role's credentials; every call is told to the listener."""
        ...

    def reach(self, at: Location) -> None:
        """Raises botocore's exception where what lies there is lost or down: for connections that are no API call."""
        ...

    def stranger(self, service: str, region: str) -> Any | None:
        """A client of an account that is none of the estate's; None where there is no such account to act with."""
        ...

    def listen(self, listener: Callable[[Call], None]) -> None: ...

    def every(
        self,
        seconds: float,
        action: Callable[[], None],
        until: Callable[[], bool],
        *,
        first_seconds: float | None = None,
    ) -> None:
        """Call ``action`` at this interval until ``until()``; the first time after ``first_seconds`` if given."""
        ...

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` once, so many seconds from now; at once-next where they are none. As long as the clock is
        waited by."""
        ...

    def close_account(self, role: AccountRole) -> None: ...

    def region_down(self, region: str) -> None: ...

    def reckon(self, kind: str, at: Location, size: ProductionSize) -> None:
        """Reckon with this size when durations for that store of this kind are modelled. No effect in real accounts."""
        ...

    def modelled(self, operation: str, resource: str, size: ProductionSize) -> None:
        """Let the modelled duration of a bulk operation of our own pass. No effect in real accounts."""
        ...

    def modelled_durations(self) -> tuple[ModelledDuration, ...]:
        """All modelled durations so far, oldest first. Empty in real accounts."""
        ...

    def remarks(self) -> tuple[tuple[str, Mapping[str, JSON]], ...]:
        """What the history must tell of this world, as kinds of events with their data, oldest first: how a failure
        was enforced, that the computer slept. Empty where nothing is to be told."""
        ...

    def close(self) -> tuple[str, ...]:
        """Clean up; returns what is left behind, each with its reason."""
        ...


class Provider(Protocol):
    """Where a drill runs. ``capabilities`` are data: what a drill may rely on here, and what is declared missing."""

    name: str
    grade: Grade
    prefix: str
    """How the names of everything begin that a drill makes here."""
    capabilities: frozenset[str]

    def open(self, estate: Estate, seed: int) -> AbstractContextManager[World]: ...
