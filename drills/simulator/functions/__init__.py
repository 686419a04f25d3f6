"""Lambda functions of the simulated AWS: moto's control plane, invocations in this process.

The handler's module is imported from the deployment package's bytes, sees its own variables, and its boto3 clients have
the function's role. Nothing needs Docker. Only Python can be run: the handler runs on the interpreter at hand.
Source: Lambda API reference, Invoke, CreateFunction.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends

from drills.simulator import by_role
from drills.simulator.functions.environments import EnvironmentLost, Outcome
from drills.simulator.functions.running import RoleRefused, Runner, Throttled
from drills.simulator.gate import Request, Response
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

__all__ = ["OPERATIONS", "REPLACEMENTS", "EnvironmentLost", "Outcome", "begin", "function_named", "runner"]

INVOCATION = re.compile(r"/functions/(?P<name>[^/?]+)/invocations")
PAYLOAD_BYTES = 6_291_456
ASYNCHRONOUS_BYTES = 1_048_576

_runner: Runner | None = None


def begin(simulation: Simulation) -> None:
    """Forget the environments of an earlier simulated AWS."""
    global _runner
    _runner = Runner(simulation)
    simulation.on_region_down.append(_region_down)


def runner() -> Runner:
    """Runs the functions of the simulated AWS that is active."""
    assert _runner is not None
    return _runner


def _region_down(region: str) -> None:
    for account in list(lambda_backends):
        runner().lose_environments(account, region)


def function_named(account: str, region: str, name_or_arn: str, qualifier: str | None = None) -> Any | None:
    """moto's function by name, partial or full ARN; None if there is none."""
    parts = name_or_arn.split(":")
    if "function" in parts:
        account, region = (parts[4], parts[3]) if parts[0] == "arn" else (account, region)
        name, *rest = parts[parts.index("function") + 1 :]
        qualifier = rest[0] if rest else qualifier
    else:
        name = name_or_arn
    try:
        return lambda_backends[account][region].get_function(name, qualifier)
    except UnknownFunctionException:
        return None


def failure(status: int, code: str, message: str) -> Response:
    """An error as Lambda's API gives it."""
    body = json.dumps({"Type": "User", "Message": message, "message": message}).encode()
    return status, {"content-type": "application/json", "x-amzn-errortype": code}, body


# --- Operations


def create_function(request: Request) -> Response | None:
    """moto's, once it is clear that the role trusts Lambda."""
    body = json.loads(request.body or b"{}")
    role = str(body.get("Role", ""))
    if re.fullmatch(r"arn:[a-z-]+:iam::\d{12}:role/.+", role) and not by_role.trusted_by_lambda(current(), role):
        return failure(
            400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."
        )
    return None


def invoke(request: Request) -> Response:
    """Invoke: at once, later, or only asking whether it could be."""
    found = INVOCATION.search(urlsplit(request.url).path)
    name = unquote(found["name"]) if found else ""
    qualifier = parse_qs(urlsplit(request.url).query).get("Qualifier", [None])[0]
    function = function_named(request.account, request.region, name, qualifier)
    if function is None:
        arn = name if name.startswith("arn:") else f"arn:aws:lambda:{request.region}:{request.account}:function:{name}"
        return failure(
            404, "ResourceNotFoundException", f"Function not found: {arn}{f':{qualifier}' if qualifier else ''}"
        )
    kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
    if kind == "DryRun":
        return 204, {}, b""
    payload = request.body or b"{}"
    refusal = _payload_refusal(payload, ASYNCHRONOUS_BYTES if kind == "Event" else PAYLOAD_BYTES)
    if refusal is not None:
        return refusal
    if kind == "Event":
        runner().invoke_later(lambda: function_named(request.account, request.region, name, qualifier), payload)
        return 202, {}, b""
    try:
        outcome = runner().invoke(function, payload)
    except Throttled:
        return failure(429, "TooManyRequestsException", "Rate Exceeded.")
    except RoleRefused as error:
        return failure(403, "AccessDeniedException", str(error))
    return answer_of(outcome, with_log=request.headers.get("x-amz-log-type") == "Tail")


def _payload_refusal(payload: bytes, limit: int) -> Response | None:
    if len(payload) > limit:
        return failure(
            413,
            "RequestTooLargeException",
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
        )
    try:
        json.loads(payload)
    except ValueError as error:
        return failure(
            400,
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
        )
    return None


def answer_of(outcome: Outcome, *, with_log: bool = False) -> Response:
    """The response to a synchronous invocation."""
    headers = {"content-type": "application/json", "x-amz-executed-version": outcome.version}
    if outcome.error is not None:
        headers["x-amz-function-error"] = outcome.error
    if with_log:
        headers["x-amz-log-result"] = base64.b64encode(outcome.tail.encode()).decode()
    return 200, headers, outcome.payload


def delete_function(request: Request) -> None:
    """moto's; the environments go first."""
    name = unquote(urlsplit(request.url).path.rpartition("/functions/")[2])
    function = function_named(request.account, request.region, name)
    if function is not None:
        runner().forget(function.account_id, function.region, function.function_name)


# --- In place of moto's Docker, for what moto itself invokes: SQS mappings, SNS subscriptions, log subscriptions


def invoke_in_process(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
    """Result, whether it failed, and log."""
    try:
        outcome = runner().invoke(self, json.dumps({} if event is None else event).encode())
    except (Throttled, RoleRefused) as error:
        return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}), True, ""
    return outcome.payload.decode(), outcome.error is not None, outcome.tail


OPERATIONS = {
    "lambda:CreateFunction": create_function,
    "lambda:Invoke": invoke,
    "lambda:DeleteFunction": delete_function,
}

REPLACEMENTS = (
    Replacement(
        "moto.awslambda.models:LambdaFunction._invoke_lambda",
        invoke_in_process,
        "moto runs functions in Docker containers, with credentials of nobody and a clock of their own",
        digest="23ce7a8f956e",
    ),
)
