"""How AWS words a refusal: the code, the message and the status differ by service and protocol."""

from __future__ import annotations

import re

from drills.simulator.request import Request, Response, error_response

DENIED_AS = {"s3": "AccessDenied", "ec2": "UnauthorizedOperation", "sqs": "AccessDenied"}
SERVER_ERRORS = {"s3": "InternalError", "ec2": "InternalError", "lambda": "ServiceException"}
THROTTLES = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "sqs": ("RequestThrottled", 403),
    "lambda": ("TooManyRequestsException", 429),
    "ec2": ("RequestLimitExceeded", 503),
}
THROTTLED_TEXT = {
    "dynamodb": "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
    "provisioning level with the UpdateTable API.",
    "s3": "Please reduce your request rate.",
}

CONTROL_PLANE = re.compile(
    r"(Create|Delete|Describe|Disable|Enable|Export|Import|List|Restore|Tag|Untag|Update)"
    r"(?!Item|Records|Stream|Shard)[A-Za-z]+$"
)
"""DynamoDB's calls of tables, which no table's throughput bounds. Source: DynamoDB developer guide, error handling."""


def invalid_key(request: Request) -> Response:
    """The access key is nobody's, inactive, or of an account that is no more."""
    text = "The security token included in the request is invalid."
    if request.service == "s3":
        text = "The AWS Access Key Id you provided does not exist in our records."
        return error_response(request, "InvalidAccessKeyId", text, 403)
    if request.protocol == "ec2":
        text = "AWS was not able to validate the provided access credentials"
        return error_response(request, "AuthFailure", text, 401)
    if request.protocol in ("query", "xml"):
        return error_response(request, "InvalidClientTokenId", text, 403)
    return error_response(request, "UnrecognizedClientException", text, 400 if request.protocol == "json" else 403)


def expired(request: Request) -> Response:
    """The session has ended."""
    text = "The security token included in the request is expired"
    if request.service == "s3":
        return error_response(request, "ExpiredToken", "The provided token has expired.", 400)
    if request.protocol == "ec2":
        return error_response(request, "RequestExpired", "Request has expired.", 400)
    if request.protocol in ("query", "xml"):
        return error_response(request, "ExpiredToken", text, 403)
    return error_response(request, "ExpiredTokenException", text, 400 if request.protocol == "json" else 403)


def denied(request: Request, why: str) -> Response:
    """A policy forbids it, or none allows it."""
    code = DENIED_AS.get(request.service)
    if code is None:
        code = "AccessDenied" if request.protocol in ("query", "xml") else "AccessDeniedException"
    return error_response(request, code, why, 400 if request.protocol == "json" else 403)


def suspended(request: Request, account: str) -> Response:
    """The call names a resource of a closed account."""
    return denied(request, f"Account {account} is suspended: it has been closed, and its resources are out of reach.")


def throttled(request: Request) -> Response:
    if request.service == "dynamodb" and CONTROL_PLANE.match(request.operation):
        return error_response(request, "ThrottlingException", "Rate of requests exceeds the allowed throughput.")
    code, status = THROTTLES.get(request.service, ("ThrottlingException", 400))
    if code == "ThrottlingException" and request.protocol in ("query", "xml"):
        code = "Throttling"
    return error_response(request, code, THROTTLED_TEXT.get(request.service, "Rate exceeded"), status)


def server_error(request: Request) -> Response:
    code = SERVER_ERRORS.get(request.service)
    if code is None:
        code = "InternalFailure" if request.protocol in ("query", "xml") else "InternalServerError"
    return error_response(request, code, "Internal server error", 500)


def unavailable(request: Request) -> Response:
    """The region answers, and what it depends on in another region does not."""
    return error_response(request, "ServiceUnavailable", "Please reduce your request rate.", 503)
