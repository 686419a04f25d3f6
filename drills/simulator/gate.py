"""The gate: every call of every boto3 client passes here before anything answers it.

In order: is the region up, is the account open, does the session still hold, may the principal do it, is a fault due;
then a handler of the simulator's own, or moto; and what nobody answers is refused, never sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import EndpointConnectionError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.iam.models import get_account_id_from

from drills.errors import RealAWSRefused
from drills.simulator import accounts, iam
from drills.simulator.faults import Faults
from drills.simulator.replaced import parts
from drills.simulator.state import Simulation, active

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[["Request"], "Response | None"]

SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
ACCOUNT_ENDPOINT = re.compile(r"^(https?://)\d{12}\.(?:(streams)-)?ddb\.")
OWNER_IN_ARN = re.compile(rb"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}):")
GLOBAL_REGION = "us-east-1"


@dataclass
class Request:
    """One call as it arrived."""

    service: str
    """The signing name: ``dynamodb`` for streams as well."""
    operation: str
    account: str
    region: str
    access_key: str
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    principal: accounts.Principal = field(default_factory=accounts.Principal)

    def json(self) -> Any:
        """The body of a JSON protocol's call."""
        return self._json

    @cached_property
    def _json(self) -> Any:
        return orjson.loads(self.body) if self.body else {}


def json_response(status: int, body: Any) -> Response:
    """A response of an AWS JSON protocol."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return status, {"content-type": "application/x-amz-json-1.0", "content-length": str(len(raw))}, raw


def error_response(request: Request, code: str, message: str, status: int = 400) -> Response:
    """An error in the words of the protocol that the call came in."""
    content_type = request.headers.get("content-type", "")
    if "cbor" in content_type or request.headers.get("smithy-protocol", "") == "rpc-v2-cbor":
        body = b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", code, "message", message))
        return status, {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body
    if "x-amz-json" in content_type:
        return json_response(status, {"__type": f"com.amazonaws#{code}", "message": message, "Message": message})
    if "x-www-form-urlencoded" in content_type:
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{_escaped(message)}</Message></Error>"
        return status, {"content-type": "text/xml"}, f"<ErrorResponse>{inner}</ErrorResponse>".encode()
    if request.service in ("s3", "s3express"):
        body = f"<Error><Code>{code}</Code><Message>{_escaped(message)}</Message></Error>".encode()
        return status, {"content-type": "application/xml"}, body
    raw = orjson.dumps({"message": message, "Message": message})
    return status, {"content-type": "application/json", "x-amzn-errortype": code}, raw


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 24:
        return bytes([0x60 + len(raw)]) + raw
    return b"\x79" + len(raw).to_bytes(2, "big") + raw


class Gate:
    """Stands in for what botocore sends a request with."""

    def __init__(self, simulation: Simulation, faults: Faults) -> None:
        self.simulation = simulation
        self.faults = faults
        self.listeners: list[Callable[[Request, int], None]] = simulation.on_answered
        self.handlers: dict[str, list[Handler]] = {}
        self._accounts: dict[str, str] = {}
        self._stubber = BotocoreStubber()
        for part in parts():
            for name, handler in getattr(part, "OPERATIONS", {}).items():
                self.handlers.setdefault(name, []).append(handler)

    def answer(self, prepared: AWSPreparedRequest, operation: str) -> AWSResponse:
        """The response to one call. Raises botocore's connection errors and RealAWSRefused."""
        with self.simulation.clock.lock:
            request = self._understood(prepared, operation)
            response = self._judged(request, prepared)
            for listener in self.listeners:
                listener(request, response[0])
        status, headers, body = response
        return AWSResponse(prepared.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def _understood(self, prepared: AWSPreparedRequest, operation: str) -> Request:
        headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
        prepared.url = ACCOUNT_ENDPOINT.sub(
            lambda found: f"{found[1]}{'streams.' if found[2] else ''}dynamodb.", prepared.url
        )
        scope = SCOPE.search(headers.get("authorization", "")) or SCOPE.search(
            prepared.url.replace("X-Amz-Credential=", "Credential=").replace("%2F", "/")
        )
        access_key, region, service = scope.groups() if scope else ("", GLOBAL_REGION, "")
        body = prepared.body or b""
        if hasattr(body, "read"):
            body = b""
        return Request(
            service=service,
            operation=operation or headers.get("x-amz-target", "").rpartition(".")[2],
            account=self._account_of(access_key),
            region=region,
            access_key=access_key,
            method=prepared.method,
            url=prepared.url,
            headers=headers,
            body=body.encode() if isinstance(body, str) else bytes(body),
            principal=accounts.principal_of(access_key),
        )

    def _account_of(self, access_key: str) -> str:
        if access_key not in self._accounts:
            self._accounts[access_key] = str(get_account_id_from(access_key))
        return self._accounts[access_key]

    def _judged(self, request: Request, prepared: AWSPreparedRequest) -> Response:
        simulation = self.simulation
        if simulation.is_down(request.region):
            raise EndpointConnectionError(endpoint_url=prepared.url)
        accounts.note_caller(request.principal)
        refusal = self._account_refusal(request) or accounts.refusal(request.principal, simulation.clock.now())
        if refusal:
            code, message, status = refusal
            return error_response(request, code, message, status)
        if simulation.iam_enforced and (denial := iam.denial(request)):
            return error_response(request, "AccessDeniedException", denial, 400 if _is_json(request) else 403)
        return self.faults.around(request, lambda: self._carried_out(request, prepared))

    def _account_refusal(self, request: Request) -> tuple[str, str, int] | None:
        simulation = self.simulation
        if not simulation.closed:
            return None
        if simulation.is_closed(request.account) and self._session_ended(request):
            return "UnrecognizedClientException", "The security token included in the request is invalid.", 403
        for owner in OWNER_IN_ARN.findall(request.body):
            if simulation.is_closed(owner.decode()) and owner.decode() != request.account:
                return "AccessDeniedException", f"Account {owner.decode()} is suspended.", 400
        return None

    def _session_ended(self, request: Request) -> bool:
        if self.simulation.sessions_of_closed_accounts == "refused":
            return True
        issued: datetime | None = request.principal.issued
        return issued is None or issued >= self.simulation.closed[request.account]

    def _carried_out(self, request: Request, prepared: AWSPreparedRequest) -> Response:
        for handler in self.handlers.get(f"{request.service}:{request.operation}", ()):
            response = handler(request)
            if response is not None:
                return response
        answered = self._stubber.process_request(prepared)
        if answered is None or answered == (404, {}, "Not yet implemented"):
            raise RealAWSRefused(
                f"{request.service or 'a service'}:{request.operation or request.method} to {prepared.url} was refused "
                "before it was sent: the simulated AWS does not have it, and nothing may leave for a real endpoint. "
                "Take the endpoint_url away if one is set; otherwise this service is not simulated."
            )
        status, headers, body = answered
        return status, headers, body.encode() if isinstance(body, str) else body


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_json(request: Request) -> bool:
    return "x-amz-json" in request.headers.get("content-type", "")


def stub_call(self: Any, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
    """In place of ``BotocoreStubber.__call__``: the hook that moto registers with every client."""
    gate = _gate
    if gate is None or active() is None:
        return None
    return gate.answer(request, event_name.split(".", 2)[2] if event_name.count(".") >= 2 else "")


def barrier(self: Any, request: AWSPreparedRequest) -> AWSResponse:
    """In place of ``URLLib3Session.send``: what no hook caught is answered here or refused, never sent."""
    assert _gate is not None
    return _gate.answer(request, "")


_gate: Gate | None = None


def open_gate(gate: Gate | None) -> None:
    global _gate  # noqa: PLW0603 - botocore's hook is process-wide.
    _gate = gate
