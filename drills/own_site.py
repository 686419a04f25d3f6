"""A Site on accounts of the user's own: what exists there, real time, and no drill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from drills.clock import Clock, pause_seconds
from drills.durations import written
from drills.errors import ProtectionError, UsageError
from drills.model import AccountRole, Estate, Location, Store
from drills.own_accounts import OwnAccounts
from drills.ownership import MANAGED_TAG

TOLD_SECONDS = 30
Progress = Callable[[str], None]


class OwnSite:
    """See drills.site.Site. One store that exists; nothing is ever destroyed through it."""

    capabilities: frozenset[str] = frozenset()
    """Nothing is relied on that an endpoint may lack: what a protection can do by its own means it does so."""

    def __init__(self, accounts: OwnAccounts, estate: Estate, store: Store, clock: Clock, progress: Progress) -> None:
        if store.exists is None:
            raise UsageError(f"store {store.name!r} of the estate {estate.name}: expected 'exists', found none")
        self.estate = estate
        self.store = store
        self.clock = clock
        self.tags: Mapping[str, str] = {MANAGED_TAG: estate.name}
        self.noted: list[tuple[str, Mapping[str, Any]]] = []
        """What the protections told, oldest first."""
        self._accounts = accounts
        self._progress = progress
        self._physical = store.exists

    def name(self, suffix: str = "") -> str:
        return "-".join(part for part in ("drills", self.estate.name, self.store.name, suffix) if part)

    def account_id(self, role: AccountRole) -> str:
        return self.estate.accounts[role].id

    def region(self, role: AccountRole) -> str:
        return self.estate.accounts[role].region

    def client(self, service: str, role: AccountRole, region: str | None = None) -> Any:
        return self._accounts.client(service, role, region or self.region(role))

    def reach(self, at: Location, kind: str) -> None:
        """Nothing is lost or down but for real."""

    def statement(self, at: Location, kind: str, what: str, *, often: bool = False) -> AbstractContextManager[None]:
        """Whose a database is, its tag tells; no record is kept outside of drills."""
        return nullcontext()

    def primary(self) -> Location:
        return Location("production", self.account_id("production"), self.region("production"), self._physical)

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        self._progress(
            f"{self.store.name}: nothing of this keeps running: repeat `drills protect` at least every "
            f"{written(seconds)}, for instance from cron"
        )

    def modelled(self, operation: str, *, items: int | None = None, size_gb: float | None = None) -> None:
        """Real time passes by itself."""

    def reckon(self, at: Location) -> None:
        """The store has the size it has."""

    def wait_until(self, moment: datetime) -> None:
        seconds = (moment - self.clock.now()).total_seconds()
        if seconds > 0:
            self._progress(f"{self.store.name}: waiting {written(seconds)}, until {moment:%H:%M:%S} UTC")
            self.clock.sleep(seconds)

    def wait(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None:
        began = self.clock.now()
        tell_after = timedelta(0)
        while not ready():
            waited = self.clock.now() - began
            if waited >= timedelta(seconds=limit_seconds):
                raise ProtectionError(
                    f"{what}: expected it within {written(limit_seconds)}, and it was not there. Look at the "
                    "resource's state in its account; once that is in order the command can be repeated."
                )
            if waited >= tell_after:
                # Less and less often: where there is no terminal each of these is a line.
                so_far = f" ({written(waited.total_seconds())} so far)" if waited else ""
                self._progress(f"{self.store.name}: waiting for {what}{so_far}")
                tell_after = max(waited * 2, timedelta(seconds=TOLD_SECONDS))
            self.clock.sleep(pause_seconds(every_seconds, waited.total_seconds()))

    def note(self, kind: str, **data: Any) -> None:
        self.noted.append((kind, data))

    def failed_at(self) -> datetime | None:
        return None
