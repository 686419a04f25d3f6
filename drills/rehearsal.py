"""A rehearsal: a drill that is to run in real accounts, run first in the simulated AWS, for its plan.

What a drill makes, restores and destroys, which calls it sends and which permissions they need are so told by the very
code that will run, the user's own protections and scenarios included, and by no list that somebody has to keep.
Durations are those of the timing model for what the stores really hold, as nothing is reckoned at production's size.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from drills.deeds import Deeds, Done
from drills.drill_plan import SIMULATED_START, Plan, ScenarioUse
from drills.engine import run_scenario
from drills.errors import ProtectionError
from drills.evidence import Evidence
from drills.model import AccountRole, Estate, Grade, Location, ProductionSize
from drills.providers.interface import Call, Provider
from drills.providers.simulated import SimulatedWorld
from drills.simulator import SimulatedAWS
from drills.simulator.needs import needs_of
from drills.simulator.needs.s3 import bucket_and_key

MOST_RECORDS = 200
"""More records send more of the same calls; they are counted up instead of rehearsed."""


@dataclass(frozen=True, slots=True)
class Permission:
    """An IAM action on a resource's ARN, as one call needed it."""

    role: AccountRole
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the rehearsal of one scenario told. ``calls``: how often each role called each operation of each service."""

    scenario: str
    seconds: float
    done: tuple[Done, ...]
    permissions: frozenset[Permission]
    calls: Mapping[tuple[AccountRole, str, str], int]


def rehearse(plan: Plan) -> tuple[Rehearsed, ...]:
    """Rehearse each scenario of a plan. Raises ProtectionError where the rehearsal itself breaks."""
    provider = _Rehearsing(plan.provider)
    # The id tells the time, and schedules are drawn by it: the plan of the same drill would differ from hour to hour.
    drill = replace(plan.drill, started=SIMULATED_START, id=f"{plan.drill.estate}-{plan.drill.id[-6:]}")
    rehearsed = replace(plan, provider=provider, drill=drill, records=min(plan.records, MOST_RECORDS))
    return tuple(_one(rehearsed, use, provider) for use in plan.scenarios)


def _one(plan: Plan, use: ScenarioUse, provider: _Rehearsing) -> Rehearsed:
    told = _Told()
    with tempfile.TemporaryDirectory(prefix="drills-rehearsal-") as folder:
        evidence = Evidence.create(Path(folder) / "drill", plan.as_json())
        ended = run_scenario(plan, use, told, evidence, lambda _: None)
    if told.error is not None:
        raise ProtectionError(
            f"{use.label} broke when it was rehearsed in the simulated AWS: {told.error}. Nothing was done in the "
            "accounts. Run it with `drills run` first, until it passes there."
        )
    heard = provider.heard
    seconds = (ended - SIMULATED_START).total_seconds()
    return Rehearsed(use.label, seconds, tuple(heard.deeds.done), frozenset(heard.permissions), dict(heard.calls))


@dataclass
class _Told:
    """A history of which only what broke is kept."""

    error: str | None = None

    def append(self, kind: str, at: datetime, **data: Any) -> None:
        if kind == "error" and self.error is None:
            self.error = str(data["error"])


@dataclass
class _Heard:
    """What was heard in one rehearsed world."""

    deeds: Deeds = field(default_factory=Deeds)
    permissions: set[Permission] = field(default_factory=set)
    calls: Counter[tuple[AccountRole, str, str]] = field(default_factory=Counter)


class _Rehearsing:
    """See drills.providers.interface.Provider: a simulated AWS that can do what the real place can, and no more."""

    grade: Grade = "sandbox"

    def __init__(self, real: Provider) -> None:
        self.name = real.name
        self.prefix = real.prefix
        self.capabilities = real.capabilities
        self.heard = _Heard()

    @contextmanager
    def open(self, estate: Estate, seed: int) -> Iterator[_RehearsedWorld]:
        self.heard = _Heard()
        with SimulatedAWS(seed=seed, start=SIMULATED_START, replica_source_kept_seconds=0) as aws:
            yield _RehearsedWorld(aws, estate, self.heard)


class _RehearsedWorld(SimulatedWorld):
    """Durations are those of what is there, nobody is a stranger, and everything is listened to."""

    def __init__(self, aws: SimulatedAWS, estate: Estate, heard: _Heard) -> None:
        super().__init__(aws, estate)
        self._heard = heard
        self._lost: set[AccountRole] = set()
        self._roles = {account.id: role for role, account in estate.accounts.items()}
        self.listen(self._count)
        aws.on_call(self._asked)

    def client(self, service: str, role: AccountRole, region: str) -> Any:
        client = super().client(service, role, region)
        self._heard.deeds.watch(client, role, self._estate.accounts[role].id)
        return client

    def _count(self, call: Call) -> None:
        self._heard.calls[call.role, call.service, call.operation] += 1

    def _asked(self, request: Any, status: int) -> None:
        # What a function of the drill's calls needs its own role's permissions; what is lost is not called for real.
        role = self._roles.get(request.account)
        if role is None or role in self._lost or not request.principal.administrator or request.service == "sts":
            return
        if request.operation == "DeleteObjects":
            # No action of IAM's: each key is judged by itself.
            objects = f"arn:aws:s3:::{bucket_and_key(request.url)[0]}/*"
            for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
                self._heard.permissions.add(Permission(role, action, objects))
            return
        for need in needs_of(request):
            self._heard.permissions.add(Permission(role, need.action, need.resource))
        for action, resource in request.also_used:
            self._heard.permissions.add(Permission(role, action, resource))

    def close_account(self, role: AccountRole) -> None:
        super().close_account(role)
        self._lost.add(role)

    def stranger(self, service: str, region: str) -> Any:
        return None

    def reckon(self, kind: str, at: Location, size: ProductionSize) -> None:
        """The stores of a drill in real accounts are as large as they are."""

    def modelled(self, operation: str, resource: str, size: ProductionSize) -> None:
        """Real time passes by itself, and for a small store next to none does."""
