"""What DynamoDB's control plane answers: JSON with times as epoch seconds, errors with their AWS code."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from moto.dynamodb.models import dynamodb_backends

Response = tuple[int, dict[str, str], bytes]
Body = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
PREFIX = "com.amazonaws.dynamodb.v20120810#"
HEADERS = {"Content-Type": "application/x-amz-json-1.0"}


class Request(Protocol):
    """The part of the gate's request that an operation reads."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def operation(self) -> str: ...

    def json(self) -> Any: ...


class Refused(Exception):
    """AWS refuses the call: becomes an error response with this code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> Refused:
    return Refused("ValidationException", message)


def as_utc(moment: datetime) -> datetime:
    """The moment with its zone; moto keeps naive UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _epoch(value: object) -> Any:
    if isinstance(value, datetime):
        return as_utc(value).timestamp()
    raise TypeError(f"cannot answer with a {type(value).__name__}")


def answer(body: Body) -> Response:
    """A successful response."""
    return 200, dict(HEADERS), orjson.dumps(body, default=_epoch, option=orjson.OPT_PASSTHROUGH_DATETIME)


def operation(handler: Callable[[Request, Body], Body | None]) -> Callable[[Request], Response | None]:
    """A gate handler from a function that takes the request's body and gives the answer's; None leaves it to moto."""

    @functools.wraps(handler)
    def handle(request: Request) -> Response | None:
        try:
            result = handler(request, request.json())
        except Refused as refusal:
            error = {"__type": PREFIX + refusal.code, "message": refusal.message}
            return refusal.status, dict(HEADERS), orjson.dumps(error)
        return None if result is None else answer(result)

    return handle


def backend(account: str, region: str) -> Any:
    """moto's tables of one account in one region."""
    return dynamodb_backends[account][region]


def find_table(account: str, region: str, name_or_arn: str) -> Any | None:
    """The table by its name or ARN in this account and region, None if it does not exist."""
    return backend(account, region).tables.get(table_name(name_or_arn)) if _here(account, region, name_or_arn) else None


def table_name(name_or_arn: str) -> str:
    return name_or_arn.split("/")[1] if name_or_arn.startswith("arn:") else name_or_arn


def _here(account: str, region: str, name_or_arn: str) -> bool:
    return not name_or_arn.startswith("arn:") or name_or_arn.split(":")[3:5] == [region, account]


def table_or_not_found(request: Request, name_or_arn: str, code: str = "TableNotFoundException") -> Any:
    """The table, else the error that the operation gives on AWS: some say Table-, some ResourceNotFoundException."""
    table = find_table(request.account, request.region, name_or_arn)
    if table is not None:
        return table
    name = table_name(name_or_arn)
    if code == "TableNotFoundException":
        raise Refused(code, f"Table not found: {name}")
    raise Refused(code, f"Requested resource not found: Table: {name} not found")


def check_name(value: str, parameter: str) -> None:
    """Raises the ValidationException for a table's or backup's name that DynamoDB does not take."""
    if not NAME.fullmatch(value):
        raise invalid(
            f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have length between 3 and 255"
        )


def in_use(name: str, why: str) -> Refused:
    return Refused("ResourceInUseException", f"Attempt to change a resource which is still in use: {why}: {name}")
