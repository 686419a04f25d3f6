"""The gate: every call of every boto3 client passes here before anything answers it.

In order: is the region up, is the access key good and its account open, does the session still hold, may the principal
do it, is a fault due; then a handler of the simulator's own, or moto; and what nobody answers is refused, never sent.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from drills.errors import RealAWSRefused, SimulatorError
from drills.simulator import accounts, closures, iam, outage, refusals
from drills.simulator.faults import Faults
from drills.simulator.replaced import parts
from drills.simulator.request import Request, Response, error_response, json_response, understood
from drills.simulator.state import Simulation, active

__all__ = ["Gate", "Handler", "Request", "Response", "error_response", "json_response"]

Handler = Callable[[Request], Response | None]
Listener = Callable[[Request, int], None]

CHANGES_KEYS = frozenset({"iam", "sts", "cloudformation"})
"""Services whose calls may make or take away an access key."""
READS = ("Get", "List", "Describe", "Simulate", "Generate")


class Gate:
    """Stands in for what botocore sends a request with."""

    def __init__(self, simulation: Simulation, faults: Faults) -> None:
        self.simulation = simulation
        self.faults = faults
        self.listeners: list[Listener] = simulation.on_answered
        self.handlers: dict[str, list[Handler]] = {}
        self._stubber = BotocoreStubber()
        self._numbers = itertools.count()
        for part in parts():
            for name, handler in getattr(part, "OPERATIONS", {}).items():
                self.handlers.setdefault(name, []).append(handler)

    def respond(self, prepared: AWSPreparedRequest, operation: str) -> Response:
        """The response to one call. Raises botocore's connection errors and RealAWSRefused."""
        with self.simulation.clock.lock:
            request = understood(prepared, operation)
            prepared.url = request.url
            try:
                response = self._judged(request, prepared)
            except KeyError as error:
                if error.args != (request.region,) or request.region in outage.regions():
                    raise
                raise outage.no_connection(request) from error  # There is no such region, and so no such host.
            for listener in self.listeners:
                listener(request, response[0])
        return response

    def answer(self, prepared: AWSPreparedRequest, operation: str) -> AWSResponse:
        """The response as botocore wants it."""
        status, headers, body = self.respond(prepared, operation)
        headers = self._with_id(headers)
        return AWSResponse(prepared.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def _with_id(self, headers: dict[str, str]) -> dict[str, str]:
        """Headers with a request's id, which every answer of AWS has and code that logs calls relies on."""
        if any(name.lower() in ("x-amzn-requestid", "x-amz-request-id") for name in headers):
            return headers
        number = blake2b(next(self._numbers).to_bytes(8, "big"), digest_size=16).digest()
        return {**headers, "x-amzn-RequestId": str(uuid.UUID(bytes=number, version=4))}

    def _judged(self, request: Request, prepared: AWSPreparedRequest) -> Response:
        simulation = self.simulation
        if simulation.regions_down:
            if outage.unreachable(simulation, request):
                raise outage.no_connection(request)
            if outage.depends_on_what_is_down(simulation, request):
                return refusals.unavailable(request)
        refusal = closures.refusal(simulation, request)
        if refusal is not None:
            return refusal
        if simulation.iam_enforced and (why := iam.denial(request)):
            return refusals.denied(request, why)
        return self.faults.around(request, lambda wanted: self._carried_out(wanted, request, prepared))

    def _carried_out(self, wanted: Request, asked: Request, prepared: AWSPreparedRequest) -> Response:
        """``wanted`` is what was asked, or the part of it that a fault has left."""
        response = None
        for handler in self.handlers.get(f"{wanted.service}:{wanted.operation}", ()):
            response = handler(wanted)
            if response is not None:
                break
        if response is None:
            whole = wanted is asked and not hasattr(prepared.body, "read")  # What streams has been read.
            response = self._by_moto(wanted, prepared if whole else _with_body(prepared, wanted.body))
        if wanted.service in CHANGES_KEYS and not wanted.operation.startswith(READS):
            accounts.keys_changed()
        return response

    def _by_moto(self, request: Request, prepared: AWSPreparedRequest) -> Response:
        try:
            with accounts.answering_for(request.account):
                answered = self._stubber.process_request(prepared)
        except NotImplementedError as error:
            raise SimulatorError(
                f"{request.service}:{request.operation} is not there in the simulated AWS ({error}). "
                "Do without the call where it is simulated; SimulatedAWS.missing says what else is not there"
            ) from error
        if answered is None or answered == (404, {}, "Not yet implemented"):
            raise RealAWSRefused(
                f"{request.service or 'a service'}:{request.operation or request.method} to {request.url} was refused "
                "before it was sent: the simulated AWS does not have it, and nothing may leave for a real endpoint. "
                "Take the endpoint_url (or AWS_ENDPOINT_URL) away if one is set; else this service is not simulated."
            )
        status, headers, body = answered
        return status, headers, body.encode() if isinstance(body, str) else body


def _with_body(prepared: AWSPreparedRequest, body: bytes) -> AWSPreparedRequest:
    headers = HTTPHeaders()
    for name, value in prepared.headers.items():
        headers[name] = value if name.lower() != "content-length" else str(len(body))
    return AWSPreparedRequest(prepared.method, prepared.url, headers, body, prepared.stream_output)


# --- The hooks -------------------------------------------------------------------------------------------------------

_gate: Gate | None = None


def open_gate(gate: Gate | None) -> None:
    global _gate  # Botocore's hook is process-wide.
    _gate = gate


def stub_call(self: Any, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
    """In place of ``BotocoreStubber.__call__``: the hook that moto registers with every client."""
    if _gate is None or active() is None:
        return None
    return _gate.answer(request, event_name.split(".", 2)[2] if event_name.count(".") >= 2 else "")


def send(self: Any, request: AWSPreparedRequest) -> AWSResponse:
    """In place of ``URLLib3Session.send``: what no hook caught is answered here or refused, never sent."""
    assert _gate is not None
    if outage.gives_credentials(request.url):
        raise outage.no_metadata(request.url)
    return _gate.answer(request, "")


def plain_http(request: AWSPreparedRequest) -> Response:
    """In place of what moto answers the ``requests`` library with, such as calls by presigned URL."""
    assert _gate is not None
    with outage.told_to_requests():
        return _gate.respond(request, "")
