"""What AWS is doing by itself and over time: an outage or the closing of its account holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from drills.clock import Event
from drills.simulator.state import Simulation, current


@dataclass(eq=False)
class Work:
    """Something done in some regions of an account: ``action`` runs once ``seconds`` have passed in which they were up.

    Work that was held goes on when the outage is over or the account reopened, for the time that was left (A: AWS does
    not say).
    """

    simulation: Simulation
    account: str
    regions: frozenset[str]
    seconds: float
    action: Callable[[], None]
    _since: datetime | None = None
    _event: Event | None = None

    def start(self) -> None:
        """Go on, unless something still stands in the way."""
        if self._event is not None or disturbed(self.account, self.regions):
            return
        self._since = self.simulation.clock.now()
        self._event = self.simulation.clock.call_later(self.seconds, self._end)

    def hold(self) -> None:
        """Stop for now."""
        if self._event is None or self._since is None:
            return
        self._event.cancel()
        self._event = None
        self.seconds = max(0.0, self.seconds - (self.simulation.clock.now() - self._since).total_seconds())

    def _end(self) -> None:
        self._event = None
        _underway.remove(self)
        self.action()


_underway: list[Work] = []


def begin(simulation: Simulation) -> None:
    """Forget the work of an earlier simulation and follow this one's outages and closed accounts."""
    _underway.clear()
    simulation.on_region_down.append(lambda region: _hold(lambda work: region in work.regions))
    simulation.on_account_closed.append(lambda account: _hold(lambda work: work.account == account))
    simulation.on_region_up.append(lambda region: _resume(lambda work: region in work.regions))
    simulation.on_account_reopened.append(lambda account: _resume(lambda work: work.account == account))


def later(account: str, regions: frozenset[str], seconds: float, action: Callable[[], None]) -> None:
    """Do ``action`` after this many seconds in which the regions are up and the account is open."""
    work = Work(current(), account, regions, seconds, action)
    _underway.append(work)
    work.start()


def disturbed(account: str, regions: frozenset[str]) -> bool:
    """Whether the account is closed or one of the regions down."""
    simulation = current()
    return simulation.is_closed(account) or any(map(simulation.is_down, regions))


def _hold(concerned: Callable[[Work], bool]) -> None:
    for work in list(_underway):
        if concerned(work):
            work.hold()


def _resume(concerned: Callable[[Work], bool]) -> None:
    for work in list(_underway):
        if concerned(work):
            work.start()
