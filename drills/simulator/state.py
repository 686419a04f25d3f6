"""What one simulated AWS is at the moment: its clock, its chance, what is down and closed, how long things took."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from drills.clock import SimulatedClock
from drills.errors import SimulatorError
from drills.simulator.timing import Modelled, Size, TimingModel
from drills.simulator.turns import Turns


@dataclass(frozen=True, slots=True)
class ModelledDuration:
    """One duration that the timing model gave. Seconds."""

    at: datetime
    operation: str
    resource: str
    seconds: float
    p50_seconds: float
    p95_seconds: float
    assumed: bool


@dataclass
class Simulation:
    """The state that the parts of the simulator share."""

    clock: SimulatedClock
    turns: Turns
    """The clock's lock."""
    seed: int
    timing: TimingModel
    iam_enforced: bool = True
    sessions_of_closed_accounts: Literal["refused", "kept"] = "refused"
    replica_source_kept_seconds: float = 86_400.0
    """How long the table that a replica was made from cannot be deleted."""
    sizes: dict[str, Size] = field(default_factory=dict)
    durations: list[ModelledDuration] = field(default_factory=list)
    outages: list[Any] = field(default_factory=list)
    regions_down: set[str] = field(default_factory=set)
    closed: dict[str, datetime] = field(default_factory=dict)
    on_move: list[Callable[[datetime], None]] = field(default_factory=list)
    """Told each time to which the clock is about to move, while it still shows the one before."""
    on_region_down: list[Callable[[str], None]] = field(default_factory=list)
    on_region_up: list[Callable[[str], None]] = field(default_factory=list)
    on_account_closed: list[Callable[[str], None]] = field(default_factory=list)
    on_account_reopened: list[Callable[[str], None]] = field(default_factory=list)
    on_exit: list[Callable[[], None]] = field(default_factory=list)
    on_answered: list[Callable[[Any, int], None]] = field(default_factory=list)
    """Told each request that was answered and its HTTP status."""
    _rngs: dict[str, random.Random] = field(default_factory=dict)

    def rng(self, purpose: str) -> random.Random:
        """Chance for one purpose, so that a draw more for one does not change another's."""
        if purpose not in self._rngs:
            self._rngs[purpose] = random.Random(f"{self.seed}/{purpose}")
        return self._rngs[purpose]

    def is_down(self, region: str) -> bool:
        return region in self.regions_down

    def is_closed(self, account: str) -> bool:
        return account in self.closed

    def size_of(self, resource: str, really: Size) -> Size:
        """The size to reckon with for a resource: what ``reckon`` said, else what is really there."""
        return self.sizes.get(resource, really)

    def begin(
        self, operation: str, resource: str, really: Size, *, after_seconds: float = 0.0, **details: float
    ) -> Modelled:
        """The duration of an operation that begins now, or so much later, kept among the durations."""
        modelled = self.timing.duration(operation, self.size_of(resource, really), **details)
        self.record(operation, resource, modelled, after_seconds)
        return modelled

    def record(self, operation: str, resource: str, modelled: Modelled, after_seconds: float = 0.0) -> None:
        self.durations.append(
            ModelledDuration(
                self.clock.now() + timedelta(seconds=after_seconds),
                operation,
                resource,
                modelled.seconds,
                modelled.p50_seconds,
                modelled.p95_seconds,
                modelled.assumed,
            )
        )


_current: Simulation | None = None


def current() -> Simulation:
    """The simulation that is active. Raises SimulatorError outside a SimulatedAWS."""
    if _current is None:
        raise SimulatorError("no simulated AWS is active: use `with SimulatedAWS() as aws:` around this call")
    return _current


def active() -> Simulation | None:
    return _current


def activate(simulation: Simulation | None) -> None:
    global _current  # Botocore's own hooks are process-wide, so there can be only one.
    _current = simulation
