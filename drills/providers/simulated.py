"""Drills in the simulated AWS, on this machine: no network, no account, simulated durations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config

from drills.clock import Clock
from drills.model import JSON, AccountRole, Estate, Grade, Location, ProductionSize
from drills.providers.calls import tell_of_calls
from drills.providers.interface import Call, ModelledDuration
from drills.simulator import SimulatedAWS

CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 4}, parameter_validation=False)
"""Parameters are not checked by botocore as well: the gate checks them, and it is a fifth of a drill's time."""

STRANGERS = ("909090909090", "808080808080", "707070707070", "606060606060")
"""Accounts of nobody in the estate, which has three: one of these is free."""
ARNS: dict[str, Callable[[Location], tuple[str, ...]]] = {
    "dynamodb": lambda at: (f"arn:aws:dynamodb:{at.region}:{at.account}:table/{at.name}",),
    "s3": lambda at: (f"arn:aws:s3:::{at.name}",),
    "rds": lambda at: tuple(f"arn:aws:rds:{at.region}:{at.account}:{of}:{at.name}" for of in ("db", "cluster")),
}
"""How the simulated AWS names a store of each kind; a database is an instance or a cluster of that name."""


class SimulatedProvider:
    """Every scenario gets accounts of its own, made from the seed and discarded afterwards."""

    name = "simulated"
    prefix = "drill"
    grade: Grade = "simulated"
    summary = "the simulated AWS on this machine (moto, with time, history, streams and failures of its own)"
    capabilities: frozenset[str] = SimulatedAWS.capabilities

    @contextmanager
    def open(self, estate: Estate, seed: int) -> Iterator[SimulatedWorld]:
        # The estate stands for one that is older than a day, and AWS lets go of a table replicas were made from.
        with SimulatedAWS(seed=seed, replica_source_kept_seconds=0) as aws:
            yield SimulatedWorld(aws, estate)


class SimulatedWorld:
    """The accounts of one estate in one simulated AWS."""

    def __init__(self, aws: SimulatedAWS, estate: Estate) -> None:
        self._aws = aws
        self._estate = estate
        self._listeners: list[Callable[[Call], None]] = []
        self._sessions = {role: aws.session(account.id) for role, account in estate.accounts.items()}
        for role, session in self._sessions.items():
            tell_of_calls(session, role, estate.accounts[role].id, self.clock, self._tell)
        self._clients: dict[tuple[str, str, str], Any] = {}

    @property
    def clock(self) -> Clock:
        return self._aws.clock

    def client(self, service: str, role: AccountRole, region: str) -> Any:
        key = (service, role, region)
        if key not in self._clients:
            client = self._sessions[role].client(service, region_name=region, config=CLIENT_CONFIG)  # type: ignore[call-overload]
            self._clients[key] = client
        return self._clients[key]

    def reach(self, at: Location) -> None:
        """The simulated AWS itself cuts connections."""

    def stranger(self, service: str, region: str) -> Any:
        ids = {account.id for account in self._estate.accounts.values()}
        stranger = next(id for id in STRANGERS if id not in ids)
        return self._aws.session(stranger).client(service, region_name=region, config=CLIENT_CONFIG)  # type: ignore[call-overload]

    def listen(self, listener: Callable[[Call], None]) -> None:
        self._listeners.append(listener)

    def _tell(self, call: Call) -> None:
        for listener in self._listeners:
            listener(call)

    def every(
        self,
        seconds: float,
        action: Callable[[], None],
        until: Callable[[], bool],
        *,
        first_seconds: float | None = None,
    ) -> None:
        def turn() -> None:
            if until():
                return
            action()
            self._aws.clock.call_later(seconds, turn)

        self._aws.clock.call_later(seconds if first_seconds is None else first_seconds, turn)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self._aws.clock.call_later(seconds, action)

    def close_account(self, role: AccountRole) -> None:
        self._aws.close_account(self._estate.accounts[role].id)

    def region_down(self, region: str) -> None:
        self._aws.region_down(region)

    def reckon(self, kind: str, at: Location, size: ProductionSize) -> None:
        for arn in ARNS[kind](at):
            self._aws.reckon(arn, size_gb=size.size_gb, items=size.items)

    def modelled(self, operation: str, resource: str, size: ProductionSize) -> None:
        self._aws.elapse(operation, resource=resource, size_gb=size.size_gb, items=size.items)

    def modelled_durations(self) -> tuple[ModelledDuration, ...]:
        return tuple(
            ModelledDuration(d.at, d.operation, d.resource, d.seconds, d.p50_seconds, d.p95_seconds, d.assumed)
            for d in self._aws.durations
        )

    def remarks(self) -> tuple[tuple[str, Mapping[str, JSON]], ...]:
        return ()

    def close(self) -> tuple[str, ...]:
        """What is left behind: nothing, as the accounts themselves are discarded."""
        return ()
