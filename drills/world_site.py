"""A Site on a World: what one store of one scenario may see, with its calls and waits accounted for."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from drills.clock import Clock, pause_seconds
from drills.errors import ProtectionError
from drills.guard import Guard
from drills.guard_rules import Resource
from drills.history import Appends
from drills.measure import AVAILABLE
from drills.model import AccountRole, Estate, Location, Store
from drills.ownership import DRILL_TAG
from drills.plugins import load_store_kind
from drills.providers.interface import Call, World


@dataclass
class Stopwatch:
    """The time of one attempt, as if it had begun when the response was decided.

    Attempts run one after the other but stand for paths tried side by side; ``owed`` is what an attempt would have
    waited for a moment that the clock had passed already when its turn came.
    """

    clock: Clock
    decided: datetime
    began: datetime
    owed: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.decided + (self.clock.now() - self.began) + self.owed

    def wait_until(self, moment: datetime) -> None:
        needed = max(timedelta(0), moment - self.now())
        really = max(timedelta(0), moment - self.clock.now())
        really = min(needed, really)
        self.clock.sleep(really.total_seconds())
        self.owed += needed - really


@dataclass
class Calls:
    """API calls counted by who called what where, for the history."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    errors: Counter[tuple[tuple[str, ...], str]] = field(default_factory=Counter)

    def add(self, call: Call) -> None:
        what = (call.role, call.account, call.region, call.service, call.operation)
        self.counts[what] += 1
        if call.error:
            self.errors[what, call.error] += 1

    def take(self) -> list[dict[str, Any]]:
        """What was counted since the last take, in a stable order."""
        told = [
            {
                **dict(zip(("role", "account", "region", "service", "operation"), what, strict=True)),
                "count": count,
                "errors": {error: n for (of, error), n in sorted(self.errors.items()) if of == what},
            }
            for what, count in sorted(self.counts.items())
        ]
        self.counts.clear()
        self.errors.clear()
        return told


class WorldSite:
    """See drills.site.Site."""

    def __init__(
        self,
        world: World,
        estate: Estate,
        store: Store,
        *,
        drill_id: str,
        prefix: str,
        history: Appends,
        context: Mapping[str, str],
        capabilities: frozenset[str],
        guard: Guard | None = None,
    ) -> None:
        self.world = world
        self.estate = estate
        self.store = store
        self.tags: Mapping[str, str] = {DRILL_TAG: drill_id, "drills:store": store.name}
        self.capabilities = capabilities
        self.guard = guard or Guard(drill_id)
        self.stopwatch: Stopwatch | None = None
        self.writing = True
        self.loads_lazily = False
        """Whether what the path that is being tried has restored fetches what it reads for the first time."""
        self._prefix = prefix
        self._history = history
        self._context = dict(context)
        self._failed_at: datetime | None = None

    @property
    def clock(self) -> Clock:
        return self.world.clock

    def name(self, suffix: str = "") -> str:
        return "-".join(part for part in (self._prefix, self.store.name, suffix) if part)

    def account_id(self, role: AccountRole) -> str:
        return self.estate.accounts[role].id

    def region(self, role: AccountRole) -> str:
        return self.estate.accounts[role].region

    def client(self, service: str, role: AccountRole, region: str | None = None) -> Any:
        client = self.world.client(service, role, region or self.region(role))
        self.guard.watch(client, self.account_id(role))
        return client

    def reach(self, at: Location, kind: str) -> None:
        self.guard.own(Resource(kind, at.account, at.region, at.name), "a connection")
        self.world.reach(at)

    def statement(self, at: Location, kind: str, what: str, *, often: bool = False) -> AbstractContextManager[None]:
        there = Resource(kind, at.account, at.region, at.name)
        return self.guard.statement(self.client("rds", at.role, at.region), there, what, often=often)

    def primary(self) -> Location:
        account, region = self.account_id("production"), self.region("production")
        name = load_store_kind(self.store.kind).physical_name(self.name(), account, region)
        return Location("production", account, region, name)

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        # A schedule that began with the workload would meet the failure at the same point of its interval every time.
        drawn = random.Random(f"{self.tags[DRILL_TAG]}/{self.store.name}/{seconds}").random()
        self.world.every(seconds, action, until=lambda: not self.writing, first_seconds=seconds * drawn)

    def modelled(self, operation: str, *, items: int | None = None, size_gb: float | None = None) -> None:
        size = self.store.production
        size = replace(
            size,
            items=size.items if items is None else items,
            size_gb=size.size_gb if size_gb is None else size_gb,
        )
        self.world.modelled(operation, self.name(), size)

    def reckon(self, at: Location) -> None:
        self.world.reckon(self.store.kind, at, self.store.production)

    def wait_until(self, moment: datetime) -> None:
        if self.stopwatch is not None:
            self.stopwatch.wait_until(moment)
        else:
            self.clock.sleep((moment - self.clock.now()).total_seconds())

    def wait(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None:
        began = self.clock.now()
        while not ready():
            waited = (self.clock.now() - began).total_seconds()
            if waited >= limit_seconds:
                raise ProtectionError(
                    f"{what}: expected it within {limit_seconds:,.0f} s, and it was not there. "
                    "Look at the resource's state in its account; the calls so far are in history.jsonl."
                )
            self.clock.sleep(pause_seconds(every_seconds, waited))

    def note(self, kind: str, **data: Any) -> None:
        if kind == AVAILABLE:
            self.loads_lazily = bool(data.get("loads_lazily"))
        self._history.append(kind, self.clock.now(), **self._context, **data)

    def failed_at(self) -> datetime | None:
        return self._failed_at

    def failure_began(self, at: datetime) -> None:
        self._failed_at = at

    @property
    def attempted(self) -> str:
        """The protection whose path is being tried."""
        return self._context["protection"]

    def attempting(self, protection: str | None) -> None:
        """From now on what is noted belongs to this recovery path, or to none."""
        self._context.pop("protection", None)
        self.loads_lazily = False
        if protection is not None:
            self._context["protection"] = protection
