"""Invocations: which environment runs them, what is counted and logged, and what comes of asynchronous ones.

Source: Lambda developer guide, Understanding Lambda function scaling; Asynchronous invocation; Types of metrics.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.logs.models import logs_backends

from drills.simulator import by_role, metrics
from drills.simulator.functions.environments import Environment, Outcome, Version, credentials_of
from drills.simulator.state import Simulation

RETRY_AFTER_SECONDS = (60.0, 120.0)
"""A failed asynchronous invocation is made twice more. Source: Lambda developer guide, Asynchronous invocation."""


class Throttled(Exception):
    """The function's reserved concurrency is used up."""


class RoleRefused(Exception):
    """The function's role is gone or does not trust Lambda any more."""


@dataclass
class Pool:
    """The environments of one function."""

    idle: dict[Version, list[Environment]] = field(default_factory=dict)
    busy: int = 0
    count: int = 0


class Runner:
    """Runs the functions of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._pools: dict[str, Pool] = {}
        self._rng = simulation.rng("functions")

    def request_id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def invoke(self, function: Any, payload: bytes) -> Outcome:
        """Run moto's function on a JSON event. Raises Throttled and RoleRefused when it does not even begin."""
        version = Version.of(function)
        pool = self._pools.setdefault(f"{version.account}/{version.region}/{version.name}", Pool())
        limit = function.reserved_concurrency
        if limit is not None and pool.busy >= int(limit):
            self._count(version, "Throttles", 1.0, "Count")
            raise Throttled(version.name)
        environment = self._environment(pool, version, function)
        pool.busy += 1
        try:
            outcome = environment.run(payload, self.request_id())
        finally:
            pool.busy -= 1
        if not environment.ended:
            pool.idle.setdefault(version, []).append(environment)
        self._tell(environment, outcome)
        return outcome

    def _environment(self, pool: Pool, version: Version, function: Any) -> Environment:
        now = self.simulation.clock.now()
        waiting = pool.idle.get(version)
        if waiting is None:
            # Code or configuration changed: the environments of what it was before are not used again.
            pool.idle = {version: []} if version.number == "$LATEST" else {**pool.idle, version: []}
            waiting = pool.idle[version]
        while waiting:
            environment = waiting.pop()
            if environment.usable(now):
                return environment
        if not by_role.trusted_by_lambda(self.simulation, version.role):
            raise RoleRefused("The role defined for the function cannot be assumed by Lambda.")
        pool.count += 1
        code: bytes = getattr(function, "code_bytes", b"")
        return Environment(self.simulation, version, code, pool.count, credentials_of(version.role, version.name))

    def forget(self, account: str, region: str, name: str) -> None:
        """The function's environments are no more: the next invocation of each loads the module anew."""
        self._pools.pop(f"{account}/{region}/{name}", None)

    def lose_environments(self, account: str, region: str) -> None:
        """All environments there are gone, as after an outage."""
        for key in [key for key in self._pools if key.startswith(f"{account}/{region}/")]:
            self._pools[key].idle.clear()

    # --- Asynchronous

    def invoke_later(self, function_of: Callable[[], Any | None], payload: bytes, attempt: int = 0) -> None:
        """Put the event into the function's queue. ``function_of`` finds the function when its turn has come."""
        wait = 0.0 if attempt == 0 else RETRY_AFTER_SECONDS[attempt - 1]
        self.simulation.clock.call_later(wait, lambda: self._invoke_now(function_of, payload, attempt))

    def _invoke_now(self, function_of: Callable[[], Any | None], payload: bytes, attempt: int) -> None:
        function = function_of()
        if function is None or self.simulation.is_closed(function.account_id):
            return
        if self.simulation.is_down(function.region):
            return
        try:
            failed = self.invoke(function, payload).error is not None
        except (Throttled, RoleRefused):
            failed = True
        if failed and attempt < len(RETRY_AFTER_SECONDS):
            self.invoke_later(function_of, payload, attempt + 1)

    # --- What is seen of it

    def _tell(self, environment: Environment, outcome: Outcome) -> None:
        version = environment.version
        self._count(version, "Invocations", 1.0, "Count")
        self._count(version, "Errors", 0.0 if outcome.error is None else 1.0, "Count")
        self._count(version, "Duration", outcome.seconds * 1000, "Milliseconds")
        if outcome.log:
            _write_log(self.simulation, environment, outcome)

    def _count(self, version: Version, name: str, value: float, unit: str) -> None:
        count_for_function(version.account, version.region, version.name, name, value, unit)


def count_for_function(account: str, region: str, function: str, name: str, value: float, unit: str) -> None:
    """One datum of a function's metric."""
    metrics.count(account, region, "AWS/Lambda", name, (("FunctionName", function),), value, unit)


def _write_log(simulation: Simulation, environment: Environment, outcome: Outcome) -> None:
    """To CloudWatch Logs, if the role may; what is in the embedded metric format becomes metrics."""
    version = environment.version
    group, stream = f"/aws/lambda/{version.name}", environment.log_stream
    body = {"logGroupName": group}
    request = by_role.request_by(version.role, "logs", "PutLogEvents", version.region, body, version.name)
    if by_role.denial(simulation, request):
        return
    backend = logs_backends[version.account][version.region]
    backend.ensure_log_group(group)
    if stream not in backend.groups[group].streams:
        backend.create_log_stream(group, stream)
    now_ms = int(simulation.clock.now().timestamp() * 1000)
    ends = f"END RequestId: {outcome.request_id}"
    report = f"REPORT RequestId: {outcome.request_id}\tDuration: {outcome.seconds * 1000:.2f} ms"
    lines = (f"START RequestId: {outcome.request_id} Version: {version.number}", *outcome.log, ends, report)
    backend.put_log_events(group, stream, [{"timestamp": now_ms, "message": line} for line in lines])
    for line in outcome.log:
        if line.startswith("{") and '"_aws"' in line:
            _embedded_metrics(version, line, simulation.clock.now())


def _embedded_metrics(version: Version, line: str, now: datetime) -> None:
    """Source: CloudWatch user guide, Specification: Embedded metric format."""
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
        for directive in directives:
            for names in directive.get("Dimensions", [[]]):
                dimensions = tuple((str(name), str(document[name])) for name in names)
                for metric in directive["Metrics"]:
                    values = document[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        metrics.count(
                            version.account,
                            version.region,
                            directive["Namespace"],
                            metric["Name"],
                            dimensions,
                            float(value),
                            metric.get("Unit", "None"),
                        )
    except (KeyError, TypeError, ValueError):
        return  # A line that does not follow the format is a line of the log and nothing else.
