"""One thing that a call needs a permission for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore import parsers

from drills.simulator.accounts import partition_of
from drills.simulator.conditions import Keys
from drills.simulator.request import Request

PREFIXES = {
    "monitoring": "cloudwatch",
    "email": "ses",
    "tagging": "tag",
    "awsmobilehubservice": "mobilehub",
}
"""IAM's name of a service where it differs from the name that requests are signed for."""


@dataclass(frozen=True, slots=True)
class Need:
    """An action on a resource; ``keys`` are condition keys of the service, in lower case."""

    action: str
    resource: str
    keys: Keys = field(default_factory=dict)


def action(request: Request, name: str = "") -> str:
    return f"{PREFIXES.get(request.service, request.service)}:{name or request.operation}"


def arn(request: Request, rest: str, *, region: bool = True, service: str = "") -> str:
    """The ARN of something in the caller's account."""
    service = service or PREFIXES.get(request.service, request.service)
    where = request.region if region else ""
    return f"arn:{partition_of(request.region)}:{service}:{where}:{request.account}:{rest}"


def parameters(request: Request) -> Mapping[str, Any]:
    """The call's parameters by name, whatever its protocol; of REST ones, those in the body and the query."""
    protocol = request.protocol
    if protocol == "xml":
        return asked(request)
    try:
        if protocol in ("query", "ec2"):
            return request.form
        if protocol == "cbor":
            return dict(parsers.RpcV2CBORParser().parse_data_item(BytesIO(request.body)))
        content = request.json()
    except ValueError:
        return asked(request)
    return {**asked(request), **content} if isinstance(content, dict) else asked(request)


def asked(request: Request) -> dict[str, str]:
    """What stands in the query of the URL."""
    query = urlsplit(request.url).query
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}


def named(request: Request, *names: str) -> str:
    """The first of these parameters that the call has, empty when it has none."""
    given = parameters(request)
    return next((str(given[name]) for name in names if given.get(name)), "")
