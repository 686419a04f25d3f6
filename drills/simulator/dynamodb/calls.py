"""What every call on items has in common: the table it names, its answer as bytes, its errors in AWS's words."""

from __future__ import annotations

import functools
import itertools
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
from moto.core.exceptions import JsonRESTError

from drills.simulator.dynamodb.answers import HEADERS, PREFIX, Body, Refused, find_table, invalid
from drills.simulator.dynamodb.rows import Key
from drills.simulator.dynamodb.table import SimulatedTable

if TYPE_CHECKING:
    from drills.simulator.request import Request, Response

READY = frozenset(("ACTIVE", "UPDATING"))
"""Statuses in which a table's items can be read and written."""

REQUIRED = {
    "BatchGetItem": ("RequestItems",),
    "BatchWriteItem": ("RequestItems",),
    "DeleteItem": ("TableName", "Key"),
    "GetItem": ("TableName", "Key"),
    "PutItem": ("TableName", "Item"),
    "Query": ("TableName",),
    "Scan": ("TableName",),
    "TransactGetItems": ("TransactItems",),
    "TransactWriteItems": ("TransactItems",),
    "UpdateItem": ("TableName", "Key"),
}
"""Parameters that a call must have; clients check it as well, unless they are told not to."""

REQUEST_BYTES = 16 * 1024 * 1024

_numbers = itertools.count(1)


class RefusedWith(Refused):
    """A refusal whose error carries more than a message, such as the item that a condition was checked against."""

    def __init__(self, code: str, message: str, details: Body) -> None:
        super().__init__(code, message)
        self.details = details


def begin() -> None:
    """Start numbering requests anew, so that the same seed gives the same request ids."""
    global _numbers
    _numbers = itertools.count(1)


def on_items(handler: Callable[[Request, Body], Body | None]) -> Callable[[Request], Response | None]:
    """A gate handler from a function that gives the answer's body, with ``orjson.Fragment`` for items' bytes.

    A body of None leaves the call to moto.
    """

    @functools.wraps(handler)
    def handle(request: Request) -> Response | None:
        try:
            parameters = request.json()
            _refuse_missing(request.operation, parameters)
            body = handler(request, parameters)
        except Refused as refusal:
            error = {"__type": PREFIX + refusal.code, "message": refusal.message, **getattr(refusal, "details", {})}
            return refusal.status, _headers(), orjson.dumps(error)
        except JsonRESTError as error:
            return 400, _headers(), error.description.encode()
        return None if body is None else (200, _headers(), orjson.dumps(body))

    return handle


def _refuse_missing(operation: str, parameters: Body) -> None:
    for name in REQUIRED[operation]:
        if parameters.get(name) is None:
            raise invalid(
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed to satisfy "
                "constraint: Member must not be null"
            )


def _headers() -> dict[str, str]:
    number = next(_numbers).to_bytes(8, "big")
    request_id = b32encode(blake2b(number, digest_size=32).digest()).decode().rstrip("=")
    return {**HEADERS, "x-amzn-RequestId": request_id}


def items_of(request: Request, name_or_arn: str) -> SimulatedTable:
    """The table whose items a call wants. Raises as AWS does for one that is not there, or not there yet.

    A table of another account can be named by its ARN, but no table here has a resource policy that lets strangers in.
    """
    if name_or_arn.startswith("arn:"):
        owner = name_or_arn.split(":")[4]
        if owner != request.account:
            action = f"dynamodb:{request.operation}"
            raise Refused(
                "AccessDeniedException",
                f"User: {request.principal_arn} is not authorized to perform: {action} on resource: {name_or_arn} "
                f"because no resource-based policy allows the {action} action",
            )
    table = find_table(request.account, request.region, name_or_arn)
    if not isinstance(table, SimulatedTable) or table.status not in READY:
        raise Refused("ResourceNotFoundException", "Requested resource not found")
    return table


def one_style(body: Body, expressions: Iterable[str], older: Iterable[str]) -> bool:
    """Whether the call is written in the older, expressionless style. Raises where it mixes the two."""
    old = [name for name in older if name in body]
    if not old:
        return False
    new = [name for name in expressions if name in body]
    if new:
        raise invalid(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(old)}}} Expression parameters: {{{', '.join(new)}}}"
        )
    return True


def one_of(body: Body, name: str, allowed: tuple[str, ...], default: str) -> str:
    """An enumerated parameter of a call. Raises for a value that the API does not know."""
    value = body.get(name, default)
    if value not in allowed:
        member = name[0].lower() + name[1:]
        raise invalid(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        )
    return str(value)


def distinct(keys: Iterable[Key]) -> None:
    """Raises where a batch names an item twice."""
    seen: set[Key] = set()
    for key in keys:
        if key in seen:
            raise invalid("Provided list of item keys contains duplicates")
        seen.add(key)


def item_of(raw: bytes | None) -> Mapping[str, Any]:
    """``{"Item": …}`` of a row, nothing where there is none."""
    return {} if raw is None else {"Item": orjson.Fragment(raw)}
