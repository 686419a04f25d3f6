"""SimulatedAWS: AWS accounts in this process, with a clock of their own."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Literal

import boto3
from moto import mock_aws
from moto.core.models import MockAWS
from moto.moto_api._internal import mock_random

from drills.clock import SimulatedClock
from drills.errors import SimulatorError
from drills.simulator import accounts, barrier, descriptions, gate, passing, state
from drills.simulator.capabilities import CAPABILITIES, MISSING
from drills.simulator.faults import FaultRates, Faults, FaultsInForce
from drills.simulator.outage import Outage, check_region
from drills.simulator.replaced import Replaced, check_moto, parts
from drills.simulator.state import ModelledDuration, Simulation
from drills.simulator.timing import ROWS, Size, TimingModel
from drills.simulator.turns import Turns

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


class SimulatedAWS:
    """AWS accounts in this process: use as a context manager; inside, plain boto3 clients reach it and nothing else.

    ``boto3.client(…)`` without credentials is an administrator of account 123456789012; ``session(account_id)`` is one
    of any other. There can be one simulated AWS in a process at a time; entered again, it begins anew.

    ``seed`` decides every draw. ``start`` is when the simulated clock begins, with a zone. ``durations``: ``p50``
    (every operation takes its median) or ``drawn``. ``iam``: ``enforced`` (policies of roles and users are judged) or
    ``off`` (as moto). ``closed_account_sessions``: whether sessions issued before an account was closed are ``refused``
    (default) or ``kept`` until they expire. ``replica_source_kept_seconds``: how long AWS refuses to delete a table
    that gave its items to a new replica; 0 if the replica stands for one that is older. ``changed_moto``: whether to go
    on where something that is replaced in moto is not what it was.

    ``time.sleep`` moves the simulated clock, in whatever thread it is called; a function that was imported as
    ``from time import sleep`` before does not.

    ``capabilities`` names what a drill can ask of it; ``missing`` tells, by capability, what it does not simulate.

    Raises SimulatorError when it is used in a way it cannot be: not entered, or left.
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
        replica_source_kept_seconds: float = 86_400.0,
        changed_moto: Literal["refused", "accepted"] = "refused",
    ) -> None:
        _one_of("durations", durations, "p50", "drawn")
        _one_of("iam", iam, "enforced", "off")
        _one_of("closed_account_sessions", closed_account_sessions, "refused", "kept")
        _one_of("changed_moto", changed_moto, "refused", "accepted")
        if not isinstance(start, datetime) or start.tzinfo is None:
            raise SimulatorError(f"start {start}: expected a time with a zone, such as datetime(…, tzinfo=UTC)")
        _not_negative("SimulatedAWS: replica_source_kept_seconds", replica_source_kept_seconds)
        self._changed_moto: Literal["refused", "accepted"] = changed_moto
        self._start = start
        self._seed = seed
        self._drawn = durations == "drawn"
        self._iam = iam
        self._closed_account_sessions = closed_account_sessions
        self._replica_source_kept_seconds = replica_source_kept_seconds
        self._stack = ExitStack()
        self._simulation: Simulation | None = None
        self._left = False

    # --- Entering and leaving

    def __enter__(self) -> SimulatedAWS:
        if state.active() is not None:
            raise SimulatorError(
                "a simulated AWS is active already, and there can be one in a process at a time: leave it before "
                "entering another"
            )
        if MockAWS._nested_count > 0:
            raise SimulatorError(
                "moto's mock_aws is active already, and what was made in it would not behave as AWS: take the mock_aws "
                "around SimulatedAWS away; inside of SimulatedAWS it may stay"
            )
        check_moto(self._changed_moto)
        with ExitStack() as stack:
            self._enter(stack)
            self._stack = stack.pop_all()
        self._left = False
        return self

    def _enter(self, stack: ExitStack) -> None:
        turns = Turns()
        on_move: list[Callable[[datetime], None]] = []
        clock = passing.begin(stack, self._start, turns, on_move)
        _seed_chance(stack, self._seed)
        draw = random.Random(f"{self._seed}/durations") if self._drawn else None
        simulation = Simulation(
            clock=clock,
            turns=turns,
            seed=self._seed,
            timing=TimingModel(draw=draw),
            iam_enforced=self._iam == "enforced",
            sessions_of_closed_accounts=self._closed_account_sessions,
            replica_source_kept_seconds=self._replica_source_kept_seconds,
            on_move=on_move,
        )
        self._simulation = simulation
        self._faults = Faults(simulation)
        replaced = Replaced()
        stack.callback(replaced.restore)
        replaced.install()
        stack.enter_context(mock_aws())
        stack.callback(_keep_for_moto, {name: os.environ.get(name) for name in MOTO_CREDENTIALS})
        state.activate(simulation)
        stack.callback(state.activate, None)
        for part in parts():
            if hasattr(part, "begin"):
                part.begin(simulation)
        self._gate = gate.Gate(simulation, self._faults)
        gate.open_gate(self._gate)
        stack.callback(gate.open_gate, None)
        barrier.shut(stack)
        stack.enter_context(descriptions.shared())
        stack.callback(_leave, simulation)

    def __exit__(self, *error: Any) -> None:
        self._left = self._simulation is not None
        self._stack.__exit__(*error)

    def _entered(self) -> Simulation:
        if self._simulation is None:
            raise SimulatorError("this simulated AWS has not been entered: use it as `with SimulatedAWS() as aws:`")
        return self._simulation

    def _current(self) -> Simulation:
        if self._left:
            raise SimulatorError(
                "this simulated AWS has been left, and nothing can happen in it any more: do this inside of its "
                "`with`, or enter it again to begin anew"
            )
        return self._entered()

    @property
    def clock(self) -> SimulatedClock:
        """The simulated time: ``now()``, and ``sleep(seconds)``, which lets what falls due on the way happen."""
        return self._entered().clock

    # --- Accounts, regions, faults

    def session(self, account_id: str, region: str = "us-east-1") -> boto3.Session:
        """A session of an administrator of this account, which comes into being when first named.

        Raises SimulatorError for an account id that is not twelve digits and a region that AWS does not have.
        """
        self._current()
        _check_account(account_id)
        check_region(region)
        key = accounts.administrator_key(account_id)
        return boto3.Session(
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            region_name=region,
            botocore_session=descriptions.new_session(),
        )

    def close_account(self, account_id: str) -> None:
        """Close an account: its resources are out of everybody's reach, and nothing in it goes on.

        Source: AWS Organizations user guide, closing a member account.
        """
        simulation = self._current()
        _check_account(account_id)
        simulation.closed[account_id] = self.clock.now()
        for tell in simulation.on_account_closed:
            tell(account_id)

    def reopen_account(self, account_id: str) -> None:
        """Open a closed account again, as AWS Support does within 90 days: what is in it is within reach, keys and
        sessions hold as before, and what was under way in it goes on."""
        simulation = self._current()
        _check_account(account_id)
        if simulation.closed.pop(account_id, None) is not None:
            for tell in simulation.on_account_reopened:
                tell(account_id)

    def region_down(self, name: str) -> Outage:
        """Every call to the region fails to connect, for every service and account, and what was in flight is lost.

        Begins at once; the outage that is returned ends with ``end()`` or at the end of a ``with``. Raises
        SimulatorError for a region that AWS does not have.
        """
        simulation = self._current()
        check_region(name)
        return Outage(simulation, name)

    def faults(
        self,
        *,
        throttle: float = 0.0,
        reject: float = 0.0,
        lose_acknowledgement: float = 0.0,
        latency_seconds: float = 0.0,
        services: Iterable[str] | None = None,
        operations: Iterable[str] | None = None,
    ) -> FaultsInForce:
        """Let calls go wrong at these rates, from now until ``end()`` or the end of a ``with``.

        Throttled and rejected calls store nothing; with a lost acknowledgement the call is carried out and the client
        gets a 500. A batch of DynamoDB's is throttled item by item. ``services`` are boto3's names, ``operations`` the
        API's, such as ``PutItem``; None means all.
        """
        self._current()
        rates = FaultRates(
            throttle,
            reject,
            lose_acknowledgement,
            latency_seconds,
            _names("services", services),
            _names("operations", operations),
        )
        return FaultsInForce(self._faults, rates)

    # --- Sizes and durations

    def reckon(self, arn: str, *, size_gb: float, items: int) -> None:
        """Reckon with this size for the resource when its durations are modelled, whatever it holds."""
        simulation = self._current()
        if not arn.startswith("arn:"):
            raise SimulatorError(f"reckon: expected the ARN of a resource, such as a table's; got {arn!r}")
        simulation.sizes[arn] = _size("reckon", size_gb, items)

    def elapse(self, operation: str, *, resource: str, size_gb: float, items: int, **details: float) -> None:
        """Let the modelled duration of an operation pass that is carried out from outside, such as a bulk copy.

        ``operation`` is one that the timing model has, such as ``dynamodb.refill``; SimulatorError names them all.
        """
        simulation = self._current()
        size = _size("elapse", size_gb, items)
        try:
            modelled = simulation.timing.duration(operation, size, **details)
        except KeyError:
            raise SimulatorError(
                f"elapse: operation {operation!r}: expected one of {', '.join(sorted(ROWS))}"
            ) from None
        simulation.record(operation, resource, modelled)
        self.clock.sleep(modelled.seconds)

    @property
    def durations(self) -> tuple[ModelledDuration, ...]:
        """Every duration the timing model has given so far, oldest first; to be read after the end as well."""
        return tuple(self._entered().durations)

    def on_call(self, listener: Callable[[gate.Request, int], None]) -> None:
        """Call ``listener`` with each request that was answered and its HTTP status, until the end."""
        self._current().on_answered.append(listener)


MOTO_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def _keep_for_moto(credentials: dict[str, str | None]) -> None:
    # moto takes its credentials out of the environment at its end, and fails if a test has done so before.
    for name, value in credentials.items():
        os.environ.setdefault(name, value or "")


def _seed_chance(stack: ExitStack, seed: int) -> None:
    """Whatever draws from the process's random numbers draws by the seed; afterwards they go on as before."""
    for chance in (random, mock_random):
        stack.callback(chance.setstate, chance.getstate())
        chance.seed(seed)


def _leave(simulation: Simulation) -> None:
    with ExitStack() as actions:
        for action in reversed(simulation.on_exit):
            actions.callback(action)


def _check_account(account_id: str) -> None:
    if not (isinstance(account_id, str) and len(account_id) == 12 and account_id.isdigit()):
        raise SimulatorError(f"account id {account_id!r}: expected a text of twelve digits")


def _one_of(name: str, value: str, *allowed: str) -> None:
    if value not in allowed:
        raise SimulatorError(f"SimulatedAWS: {name} is {' or '.join(map(repr, allowed))}; got {value!r}")


def _not_negative(what: str, value: float) -> None:
    if not (isinstance(value, (int, float)) and 0 <= value < math.inf):
        raise SimulatorError(f"{what} is a number that is not negative; got {value!r}")


def _size(what: str, size_gb: float, items: int) -> Size:
    _not_negative(f"{what}: size_gb", size_gb)
    _not_negative(f"{what}: items", items)
    return Size(size_gb, items)


def _names(what: str, names: Iterable[str] | None) -> frozenset[str] | None:
    if isinstance(names, str):
        raise SimulatorError(f"faults: {what} is a list of names; got the text {names!r}")
    return None if names is None else frozenset(names)
