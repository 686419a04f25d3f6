"""SimulatedAWS: AWS accounts in this process, with a clock of their own."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Literal
from unittest import mock

import boto3
import time_machine
from botocore.httpsession import URLLib3Session
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.moto_api._internal import mock_random

from drills.clock import SimulatedClock
from drills.errors import RealAWSRefused, SimulatorError
from drills.simulator import accounts, gate, state
from drills.simulator.capabilities import CAPABILITIES, MISSING
from drills.simulator.faults import FaultRates, Faults
from drills.simulator.replaced import Replaced, parts
from drills.simulator.state import ModelledDuration, Simulation
from drills.simulator.timing import Size, TimingModel

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
REAL_AWS = ("amazonaws.com", ".aws", "api.aws", "amazonaws.com.cn")
CREDENTIAL_ENDPOINTS = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254")


class Outage:
    """A region that is down, until ``end()`` or the end of the ``with``."""

    def __init__(self, simulation: Simulation, region: str) -> None:
        self._simulation = simulation
        self.region = region

    def end(self) -> None:
        """Every call to the region is answered again."""
        if self.region in self._simulation.regions_down:
            self._simulation.regions_down.discard(self.region)
            for tell in self._simulation.on_region_up:
                tell(self.region)

    def __enter__(self) -> Outage:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class SimulatedAWS:
    """AWS accounts in this process: use as a context manager; inside, plain boto3 clients reach it and nothing else.

    ``seed`` decides every draw. ``start`` is when the simulated clock begins. ``durations``: ``p50`` (every operation
    takes its median) or ``drawn``. ``iam``: ``enforced`` (policies of roles and users are judged) or ``off`` (as moto).
    ``closed_account_sessions``: whether sessions issued before an account was closed are ``refused`` (default) or ``kept``
    until they expire.
    """

    capabilities: frozenset[str] = CAPABILITIES
    missing: Mapping[str, str] = MISSING

    def __init__(
        self,
        *,
        seed: int = 0,
        start: datetime = START,
        durations: Literal["p50", "drawn"] = "p50",
        iam: Literal["enforced", "off"] = "enforced",
        closed_account_sessions: Literal["refused", "kept"] = "refused",
    ) -> None:
        self._start = start
        self._seed = seed
        self._drawn = durations == "drawn"
        self._iam = iam
        self._closed_account_sessions = closed_account_sessions
        self._stack = ExitStack()
        self._simulation: Simulation | None = None

    # --- Entering and leaving

    def __enter__(self) -> SimulatedAWS:
        if state.active() is not None:
            raise SimulatorError(
                "a simulated AWS is active already, and there can be one in a process at a time: leave it before "
                "entering another"
            )
        with ExitStack() as stack:
            self._enter(stack)
            self._stack = stack.pop_all()
        return self

    def _enter(self, stack: ExitStack) -> None:
        traveller = stack.enter_context(time_machine.travel(self._start, tick=False))
        self.clock = SimulatedClock(self._start, on_move=traveller.move_to)
        stack.enter_context(mock.patch.object(time, "sleep", self.clock.sleep))
        chance = random.getstate()
        stack.callback(random.setstate, chance)
        random.seed(self._seed)
        stack.callback(mock_random.setstate, mock_random.getstate())
        mock_random.seed(self._seed)
        draw = random.Random(f"{self._seed}/durations") if self._drawn else None
        simulation = Simulation(
            clock=self.clock,
            seed=self._seed,
            timing=TimingModel(draw=draw),
            iam_enforced=self._iam == "enforced",
            sessions_of_closed_accounts=self._closed_account_sessions,
        )
        self._simulation = simulation
        self._faults = Faults(simulation)
        replaced = Replaced()
        stack.callback(replaced.restore)
        replaced.install()
        stack.enter_context(mock_aws())
        state.activate(simulation)
        stack.callback(state.activate, None)
        for part in parts():
            if hasattr(part, "begin"):
                part.begin(simulation)
        self._gate = gate.Gate(simulation, self._faults)
        gate.open_gate(self._gate)
        stack.callback(gate.open_gate, None)
        stack.enter_context(mock.patch.object(BotocoreStubber, "__call__", gate.stub_call))
        stack.enter_context(mock.patch.object(URLLib3Session, "send", gate.barrier))
        stack.enter_context(mock.patch.object(socket, "getaddrinfo", _refusing(socket.getaddrinfo)))
        stack.callback(self._leave)

    def _leave(self) -> None:
        for action in self._current().on_exit:
            action()

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _current(self) -> Simulation:
        if self._simulation is None:
            raise SimulatorError("this simulated AWS has not been entered: use it as `with SimulatedAWS() as aws:`")
        return self._simulation

    # --- Accounts, regions, faults

    def session(self, account_id: str, region: str = "us-east-1") -> boto3.Session:
        """A session of an administrator of this account, which comes into being when first named."""
        self._current()
        if not (len(account_id) == 12 and account_id.isdigit()):
            raise SimulatorError(f"account id {account_id!r}: expected twelve digits")
        key = accounts.administrator_key(account_id)
        return boto3.Session(
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            region_name=region,
        )

    def close_account(self, account_id: str) -> None:
        """Close an account: its resources are out of everybody's reach. Source: AWS Organizations user guide."""
        simulation = self._current()
        simulation.closed[account_id] = self.clock.now()
        for tell in simulation.on_account_closed:
            tell(account_id)

    def reopen_account(self, account_id: str) -> None:
        """Everything in a closed account is within reach again, and what was under way in it goes on."""
        simulation = self._current()
        if simulation.closed.pop(account_id, None) is not None:
            for tell in simulation.on_account_reopened:
                tell(account_id)

    def region_down(self, name: str) -> Outage:
        """Every call to the region fails to connect, for every service and account, and what was in flight is lost."""
        simulation = self._current()
        simulation.regions_down.add(name)
        for tell in simulation.on_region_down:
            tell(name)
        return Outage(simulation, name)

    @contextmanager
    def faults(
        self,
        *,
        throttle: float = 0.0,
        reject: float = 0.0,
        lose_acknowledgement: float = 0.0,
        latency_seconds: float = 0.0,
        services: Iterable[str] | None = None,
        operations: Iterable[str] | None = None,
    ) -> Iterator[None]:
        """Let calls go wrong at these rates: throttled and rejected ones store nothing; with a lost acknowledgement
        the call is carried out and the client gets a 500."""
        rates = FaultRates(
            throttle,
            reject,
            lose_acknowledgement,
            latency_seconds,
            None if services is None else frozenset(services),
            None if operations is None else frozenset(operations),
        )
        self._faults.rates.append(rates)
        try:
            yield
        finally:
            self._faults.rates.remove(rates)

    # --- Sizes and durations

    def reckon(self, arn: str, *, size_gb: float, items: int) -> None:
        """Reckon with this size for the resource when its durations are modelled."""
        self._current().sizes[arn] = Size(size_gb, items)

    def elapse(self, operation: str, *, resource: str, size_gb: float, items: int, **details: float) -> None:
        """Let the modelled duration of an operation pass that is carried out from outside, such as a bulk copy."""
        simulation = self._current()
        modelled = simulation.timing.duration(operation, Size(size_gb, items), **details)
        simulation.record(operation, resource, modelled)
        self.clock.sleep(modelled.seconds)

    @property
    def durations(self) -> tuple[ModelledDuration, ...]:
        """Every duration the timing model has given so far, oldest first."""
        return tuple(self._current().durations)

    def on_call(self, listener: Callable[[gate.Request, int], None]) -> None:
        """Call ``listener`` with each request that was answered and its HTTP status."""
        self._gate.listeners.append(listener)


def _refusing(getaddrinfo: Callable[..., Any]) -> Callable[..., Any]:
    """Names of the real AWS are not even looked up, whatever client asks."""

    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if name.rstrip(".").endswith(REAL_AWS) or name in CREDENTIAL_ENDPOINTS:
            raise RealAWSRefused(
                f"{name}: a connection to the real AWS was refused before it was made, because a simulated AWS is active"
            )
        return getaddrinfo(host, *args, **kwargs)

    return guarded
