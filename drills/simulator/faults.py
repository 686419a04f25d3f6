"""Faults by rate: throttled, rejected, written but never acknowledged, slow. Seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drills.simulator.state import Simulation

if TYPE_CHECKING:
    from drills.simulator.gate import Request, Response

THROTTLES = {"dynamodb": "ProvisionedThroughputExceededException", "s3": "SlowDown", "sqs": "RequestThrottled"}


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Shares of calls, 0 to 1, that go wrong, and seconds that each call takes."""

    throttle: float = 0.0
    reject: float = 0.0
    lose_acknowledgement: float = 0.0
    latency_seconds: float = 0.0
    services: frozenset[str] | None = None
    operations: frozenset[str] | None = None

    def concern(self, request: Request) -> bool:
        return (self.services is None or request.service in self.services) and (
            self.operations is None or request.operation in self.operations
        )


class Faults:
    """All rates in force now."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.rates: list[FaultRates] = []

    def around(self, request: Request, carry_out: Callable[[], Response]) -> Response:
        """Carry out the call, or let it go wrong."""
        from drills.simulator.gate import error_response

        rng = self._simulation.rng("faults")
        lost = False
        for rates in self.rates:
            if not rates.concern(request):
                continue
            if rates.latency_seconds:
                self._simulation.clock.sleep(rates.latency_seconds)
            if rng.random() < rates.throttle:
                code = THROTTLES.get(request.service, "ThrottlingException")
                return error_response(request, code, "Rate exceeded", 503 if request.service == "s3" else 400)
            if rng.random() < rates.reject:
                return error_response(request, "InternalServerError", "Internal server error", 500)
            lost |= rng.random() < rates.lose_acknowledgement
        response = carry_out()
        if lost:
            return error_response(request, "InternalServerError", "Internal server error", 500)
        return response
