"""Faults by rate: throttled, rejected, written but never acknowledged, slow. Seeded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from random import Random
from typing import Any

from botocore.session import get_session

from drills.errors import SimulatorError
from drills.simulator import refusals
from drills.simulator.request import Request, Response
from drills.simulator.routes import SERVICES_BY_SIGNING_NAME
from drills.simulator.state import Simulation

CarryOut = Callable[[Request], Response]

SIGNING_NAMES = {name: signing for signing, name in SERVICES_BY_SIGNING_NAME.items()} | {"dynamodbstreams": "dynamodb"}
"""By boto3's name of the service, where requests are signed for another."""
IN_PARTS = {"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}
"""Calls that a throttled table carries out in part, and where they say what is left."""


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Shares of calls, 0 to 1, that go wrong, and seconds that each call takes."""

    throttle: float = 0.0
    reject: float = 0.0
    lose_acknowledgement: float = 0.0
    latency_seconds: float = 0.0
    services: frozenset[str] | None = None
    operations: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for name in ("throttle", "reject", "lose_acknowledgement"):
            share = getattr(self, name)
            if not (isinstance(share, (int, float)) and 0 <= share <= 1):
                raise SimulatorError(f"faults: {name} is a share of calls, from 0 to 1; got {share!r}")
        latency = self.latency_seconds
        if not (isinstance(latency, (int, float)) and 0 <= latency < math.inf):
            raise SimulatorError(f"faults: latency_seconds is a number that is not negative; got {latency!r}")
        for name in self.services or ():
            if name not in _services():
                near = ", ".join(get_close_matches(name, _services(), 3)) or "dynamodb or s3"
                raise SimulatorError(f"faults: service {name!r}: expected boto3's name of one, such as {near}")
        for name in self.operations or ():
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name):
                raise SimulatorError(
                    f"faults: operation {name!r}: expected the API's own name, such as PutItem or ListObjectsV2"
                )

    def concern(self, request: Request) -> bool:
        services = None if self.services is None else {SIGNING_NAMES.get(name, name) for name in self.services}
        return (services is None or request.service in services) and (
            self.operations is None or request.operation in self.operations
        )


@cache
def _services() -> frozenset[str]:
    """boto3's names, and those that requests are signed for."""
    return frozenset([*get_session().get_available_services(), *SIGNING_NAMES.values()])


class Faults:
    """All rates in force now."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.rates: list[FaultRates] = []

    def around(self, request: Request, carry_out: CarryOut) -> Response:
        """Carry out the call, or let it go wrong."""
        if not self.rates:
            return carry_out(request)
        rng = self._simulation.rng("faults")
        concerned = [rates for rates in self.rates if rates.concern(request)]
        lost = False
        for rates in concerned:
            if rates.latency_seconds:
                self._simulation.clock.sleep(rates.latency_seconds)
            if rates.throttle and request.operation in IN_PARTS and request.service == "dynamodb":
                carry_out = _in_part(carry_out, rates.throttle, rng)
            elif rng.random() < rates.throttle:
                return refusals.throttled(request)
            if rng.random() < rates.reject:
                return refusals.server_error(request)
            lost |= rng.random() < rates.lose_acknowledgement
        response = carry_out(request)
        return refusals.server_error(request) if lost else response


class FaultsInForce:
    """Faults that were let loose, until ``end()`` or the end of the ``with``."""

    def __init__(self, faults: Faults, rates: FaultRates) -> None:
        self._faults = faults
        self._rates = rates
        faults.rates.append(rates)

    def end(self) -> None:
        """No further call goes wrong because of these."""
        self._faults.rates = [rates for rates in self._faults.rates if rates is not self._rates]

    def __enter__(self) -> FaultsInForce:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _in_part(carry_out: CarryOut, throttle: float, rng: Random) -> CarryOut:
    """Leave out each item with this chance, as a table short of throughput does.

    Source: DynamoDB API reference, BatchWriteItem: throttled only when none of the items can be processed.
    """

    def part(request: Request) -> Response:
        done, left = _split(request.json().get("RequestItems", {}), throttle, rng)
        if not done:
            return refusals.throttled(request)
        status, headers, body = carry_out(replace(request, body=_with_items(request, done)))
        if status != 200 or not left:
            return status, headers, body
        answer = json.loads(body)
        unprocessed = answer.setdefault(IN_PARTS[request.operation], {})
        for table, content in left.items():
            unprocessed[table] = _joined(unprocessed.get(table), content)
        raw = json.dumps(answer).encode()
        return status, {name: value for name, value in headers.items() if name.lower() not in STALE}, raw

    return part


STALE = ("content-length", "x-amz-crc32")


def _with_items(request: Request, items: dict[str, Any]) -> bytes:
    return json.dumps({**request.json(), "RequestItems": items}).encode()


def _split(tables: dict[str, Any], throttle: float, rng: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of ``RequestItems`` that are processed, and those that are not."""
    done: dict[str, Any] = {}
    left: dict[str, Any] = {}
    for table, content in tables.items():
        items = content["Keys"] if isinstance(content, dict) else content
        chances = [(item, rng.random() < throttle) for item in items]
        for part, wanted in ((done, False), (left, True)):
            chosen = [item for item, throttled in chances if throttled is wanted]
            if chosen:
                part[table] = {**content, "Keys": chosen} if isinstance(content, dict) else chosen
    return done, left


def _joined(first: Any, second: Any) -> Any:
    if not first:
        return second
    return {**second, "Keys": [*first["Keys"], *second["Keys"]]} if isinstance(second, dict) else [*first, *second]
