"""One call as it arrives at the gate, and errors in the words of the protocol that it came in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from botocore.awsrequest import AWSPreparedRequest

from drills.simulator import accounts, routes

Response = tuple[int, dict[str, str], bytes]
GLOBAL_REGION = "us-east-1"

SCOPE = re.compile(r"Credential=([^/,&\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
SIGNATURE_V2 = re.compile(r"(?:^AWS (?=[^:]+:)|[?&]AWSAccessKeyId=)([^:&]+)")
ACCOUNT_ENDPOINT = re.compile(r"^(https?://)\d{12}\.(?:(streams)-)?ddb\.")
REGION_IN_HOST = re.compile(r"(?:^|[.-])([a-z]{2}(?:-[a-z]+)+-\d)(?=\.)")


@dataclass
class Request:
    """One call as it arrived. Header names are in lower case."""

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
    also_used: list[tuple[str, str]] = field(default_factory=list)
    """Actions, each with an ARN, that a service asks of the caller while it carries out the call: those on keys."""

    @property
    def principal_arn(self) -> str:
        return self.principal.arn

    def json(self) -> Any:
        """The body of a JSON protocol's call."""
        return self._json

    @cached_property
    def _json(self) -> Any:
        return orjson.loads(self.body) if self.body else {}

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The parameters of a query protocol's call; of a repeated one, the first."""
        return {name: values[0] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}

    @property
    def protocol(self) -> str:
        """``json``, ``query``, ``ec2``, ``cbor``, ``xml`` or ``rest-json``: how errors must be worded."""
        content_type = self.headers.get("content-type", "")
        if self.headers.get("smithy-protocol") == "rpc-v2-cbor":
            return "cbor"
        if "x-amz-json" in content_type or self.headers.get("x-amz-target"):
            return "json"
        if self.service in XML_SERVICES:
            return "xml"
        if "x-www-form-urlencoded" in content_type:
            return "ec2" if self.service == "ec2" else "query"
        return "rest-json"


XML_SERVICES = frozenset({"s3", "s3express", "route53", "cloudfront"})


def understood(prepared: AWSPreparedRequest, operation: str) -> Request:
    """What a prepared HTTP request asks for. ``operation`` is botocore's name of it, empty when not known."""
    headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    url = regional(prepared.url)
    access_key, region, service = _scope(headers, url)
    raw = prepared.body or b""
    if hasattr(raw, "read"):
        raw = raw.read()
    body = raw.encode() if isinstance(raw, str) else bytes(raw)
    principal = accounts.principal_of(access_key)
    request = Request(
        service=service,
        operation=operation,
        account=_account(access_key, principal, headers),
        region=region,
        access_key=access_key,
        method=prepared.method,
        url=url,
        headers=headers,
        body=body,
        principal=principal,
    )
    request.operation = operation or _operation(request)
    return request


def _account(access_key: str, principal: accounts.Principal, headers: Mapping[str, str]) -> str:
    """The account that the call works in; code that ran on moto may have named it by moto's own means."""
    if accounts.is_moto_default(access_key):
        return os.environ.get("MOTO_ACCOUNT_ID") or headers.get("x-moto-account-id") or principal.account
    return principal.account


def regional(url: str) -> str:
    """The URL with a DynamoDB endpoint of one account turned into the region's, which moto knows.

    botocore uses the account's own endpoint when the credentials or an ARN tell the account.
    """
    return ACCOUNT_ENDPOINT.sub(lambda found: f"{found[1]}{'streams.' if found[2] else ''}dynamodb.", url)


def _scope(headers: Mapping[str, str], url: str) -> tuple[str, str, str]:
    """Access key, region and signing name: from the signature where there is one, else from the host.

    The signature comes first because S3 and IAM in us-east-1 have no region in their host.
    """
    authorization = headers.get("authorization", "")
    query = url.partition("?")[2]
    signed = SCOPE.search(authorization) or (SCOPE.search(unquote(query)) if "X-Amz-Credential" in query else None)
    if signed:
        return signed[1], signed[2], signed[3]
    host = urlsplit(url).hostname or ""
    region = REGION_IN_HOST.search(host)
    older = SIGNATURE_V2.search(authorization) or SIGNATURE_V2.search(url)
    service = "s3" if re.search(r"(?:^|\.)s3[.-]", host) else host.partition(".")[0]
    return older[1] if older else "", region[1] if region else GLOBAL_REGION, service


def _operation(request: Request) -> str:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if request.protocol in ("query", "ec2") or "Action=" in request.url:
        action = request.form.get("Action") or parse_qs(urlsplit(request.url).query).get("Action", [""])[0]
        if action:
            return action
    return routes.operation_of(request.service, request.method, request.url)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


# --- Answers ---------------------------------------------------------------------------------------------------------


def json_response(status: int, body: Any) -> Response:
    """A response of an AWS JSON protocol."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return status, {"content-type": "application/x-amz-json-1.0", "content-length": str(len(raw))}, raw


def error_response(request: Request, code: str, message: str, status: int = 400) -> Response:
    """An error in the words of the protocol that the call came in."""
    protocol = request.protocol
    if protocol == "cbor":
        body = b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", code, "message", message))
        return status, {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, body
    if protocol == "json":
        return json_response(status, {"__type": f"com.amazonaws#{code}", "message": message, "Message": message})
    if protocol == "rest-json":
        raw = orjson.dumps({"message": message, "Message": message})
        return status, {"content-type": "application/json", "x-amzn-errortype": code}, raw
    error = f"<Code>{code}</Code><Message>{_escaped(message)}</Message>"
    if protocol == "ec2":
        document = f"<Response><Errors><Error>{error}</Error></Errors></Response>"
    elif request.service in ("s3", "s3express"):
        document = f"<Error>{error}</Error>"
    else:
        kind = "Sender" if status < 500 else "Receiver"
        document = f"<ErrorResponse><Error><Type>{kind}</Type>{error}</Error></ErrorResponse>"
    return status, {"content-type": "application/xml"}, b"" if request.method == "HEAD" else document.encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _cbor_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 24:
        return bytes([0x60 + len(raw)]) + raw
    return b"\x79" + len(raw).to_bytes(2, "big") + raw
