"""What AWS services do with a role's rights, such as Lambda reading a stream: judged as a call through the gate is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from drills.simulator import accounts, gate, iam
from drills.simulator.gate import Request, Response
from drills.simulator.state import Simulation


def request_by(
    role_arn: str, service: str, operation: str, region: str, body: Any, session: str = "service"
) -> Request:
    """The call that the service makes."""
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    principal = accounts.Principal(account, f"arn:aws:sts::{account}:assumed-role/{name}/{session}", role_arn=role_arn)
    return Request(
        service=service,
        operation=operation,
        account=account,
        region=region,
        access_key="",
        method="POST",
        url=f"https://{service}.{region}.amazonaws.com/",
        headers={"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{service}.{operation}"},
        body=orjson.dumps(body),
        principal=principal,
    )


def denial(simulation: Simulation, request: Request) -> str | None:
    """Why the role may not, None when it may."""
    if not simulation.iam_enforced:
        return None
    return iam.denial(request)


def trusted_by_lambda(simulation: Simulation, role_arn: str) -> bool:
    """Whether the role exists and lets Lambda assume it."""
    role = accounts.role_named(role_arn)
    return role is not None and (not simulation.iam_enforced or iam.trusts_service(role, "lambda.amazonaws.com"))


def with_faults(request: Request, carry_out: Callable[[Request], Response]) -> Response:
    """Carry out the call with the faults that are in force for such calls."""
    opened = gate._gate
    if opened is None or not opened.faults.rates:
        return carry_out(request)
    return opened.faults.around(request, carry_out)
