"""STS: roles are assumed as AWS lets them be, and sessions end.

Source: STS API reference, AssumeRole, GetSessionToken, GetFederationToken, GetCallerIdentity; IAM user guide, Policy
evaluation logic across accounts, Methods to assume a role (role chaining).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from drills.simulator import accounts, iam
from drills.simulator.accounts import Principal
from drills.simulator.needs.need import Need
from drills.simulator.request import Request, Response, error_response
from drills.simulator.state import current
from drills.simulator.statements import statements

DEFAULT_SECONDS = 3600
CHAINED_SECONDS = 3600
SHORTEST_SECONDS = 900
LONGEST_SECONDS = 43_200
TOKEN_SECONDS = 43_200
LONGEST_TOKEN_SECONDS = 129_600
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
FEDERATED_NAME = re.compile(r"[\w+=,.@-]{2,32}", re.ASCII)
NO_PERMISSION = '{"Statement": []}'


class Refused(Exception):
    """STS refuses the call."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> Refused:
    return Refused("ValidationError", message)


def _operation(handler: Callable[[Request], str | None]) -> Callable[[Request], Response | None]:
    def handle(request: Request) -> Response | None:
        try:
            result = handler(request)
        except Refused as refusal:
            return error_response(request, refusal.code, refusal.message, refusal.status)
        return None if result is None else _answer(request.operation, result)

    return handle


def _answer(operation: str, result: str) -> Response:
    text = (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>{result}'
        f"</{operation}Result><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId>"
        f"</ResponseMetadata></{operation}Response>"
    )
    return 200, {"content-type": "text/xml"}, text.encode()


def _credentials(principal: Principal) -> str:
    issued = accounts.new_session(principal)
    expires: datetime = issued["expires"].astimezone(UTC)
    return (
        f"<Credentials><AccessKeyId>{issued['aws_access_key_id']}</AccessKeyId>"
        f"<SecretAccessKey>{escape(issued['aws_secret_access_key'])}</SecretAccessKey>"
        f"<SessionToken>{issued['aws_session_token']}</SessionToken>"
        f"<Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
    )


# --- AssumeRole ------------------------------------------------------------------------------------------------------


@_operation
def assume_role(request: Request) -> str:
    """AssumeRole. Session tags and source identity are taken and forgotten."""
    arn, name = request.form.get("RoleArn", ""), request.form.get("RoleSessionName", "")
    if not SESSION_NAME.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: [\\w+=,.@-]* and have length between 2 and 64"
        )
    if accounts.account_in(arn) == "" or ":role/" not in arn:
        raise invalid(f"{arn} is invalid")
    seconds = _seconds(request, DEFAULT_SECONDS, LONGEST_SECONDS)
    policies = _session_policies(request, accounts.account_in(arn))
    role = accounts.role_named(arn)
    if current().is_closed(accounts.account_in(arn)):
        raise _denied(request.principal, arn)
    if current().iam_enforced:
        _allowed(request, arn, role)
    _within_limits(request, role, seconds)
    session = accounts.role_session(arn, name, policies, seconds)
    user = f"<AssumedRoleId>{session.user_id}</AssumedRoleId><Arn>{escape(session.arn)}</Arn>"
    return f"{_credentials(session)}<AssumedRoleUser>{user}</AssumedRoleUser><PackedPolicySize>6</PackedPolicySize>"


def _seconds(request: Request, default: int, longest: int) -> int:
    text = request.form.get("DurationSeconds", str(default))
    if not text.isdigit() or not SHORTEST_SECONDS <= int(text) <= longest:
        side = "greater" if text.isdigit() and int(text) < SHORTEST_SECONDS else "less"
        limit = SHORTEST_SECONDS if side == "greater" else longest
        raise invalid(
            f"1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: Member "
            f"must have value {side} than or equal to {limit}"
        )
    return int(text)


def _within_limits(request: Request, role: Any, seconds: int) -> None:
    if request.principal.role_arn and seconds > CHAINED_SECONDS:
        raise invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    longest = int(getattr(role, "max_session_duration", None) or DEFAULT_SECONDS) if role is not None else seconds
    if seconds > longest:
        raise invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _session_policies(request: Request, account: str) -> tuple[str, ...]:
    """Inline and managed ones are one layer: either may allow."""
    documents = [accounts.parsed(text) for text in _inline(request)]
    for name, arn in request.form.items():
        if re.fullmatch(r"PolicyArns\.member\.\d+\.arn", name):
            text = iam.managed_policy(account, arn)
            if text is None:
                raise invalid(f"PolicyArns: there is no managed policy {arn} in account {account}")
            documents.append(accounts.parsed(text))
    if not documents:
        return ()
    return (json.dumps({"Statement": [one for document in documents for one in statements(document)]}),)


def _inline(request: Request) -> list[str]:
    text = request.form.get("Policy")
    if text is None:
        return []
    if not accounts.parsed(text):
        raise Refused("MalformedPolicyDocument", "The policy is not in the valid JSON format.")
    return [text]


def _allowed(request: Request, arn: str, role: Any) -> None:
    """The role's trust, and the caller's own policies where the trust does not name the caller in its own account."""
    caller, denied = request.principal, _denied(request.principal, arn)
    if role is None:
        raise denied
    own: dict[str, tuple[str, ...] | None] = {
        "sts:externalid": _one(request, "ExternalId"),
        "sts:rolesessionname": _one(request, "RoleSessionName"),
    }
    keys = {**iam.keys_of(request, current().clock.now()), **own}
    trusted = iam.trust(role, caller, keys)
    why = iam.refused(caller, Need("sts:AssumeRole", arn, own), keys)
    explicitly = why is not None and why.startswith("with an explicit deny")
    by_name = trusted == "principal" and accounts.account_in(arn) == caller.account and not caller.session_policies
    if trusted in ("none", "deny") or explicitly or (why is not None and not by_name):
        raise denied


def _denied(caller: Principal, arn: str) -> Refused:
    # As on AWS, a role that does not exist and one that does not trust the caller look the same.
    message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    return Refused("AccessDenied", message, 403)


def _one(request: Request, name: str) -> tuple[str, ...] | None:
    value = request.form.get(name)
    return (value,) if value else None


# --- Tokens and identity ---------------------------------------------------------------------------------------------


@_operation
def get_session_token(request: Request) -> str:
    """GetSessionToken: temporary credentials of the same user."""
    caller = request.principal
    if caller.expires is not None:
        raise Refused("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    return _credentials(_for(request, caller))


@_operation
def get_federation_token(request: Request) -> str:
    """GetFederationToken: what both the user's policies and the given ones allow; nothing when none is given."""
    caller, name = request.principal, request.form.get("Name", "")
    if caller.expires is not None:
        raise Refused("AccessDenied", "Cannot call GetFederationToken with session credentials", 403)
    if not FEDERATED_NAME.fullmatch(name):
        raise invalid(f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint")
    policies = _session_policies(request, request.account) or (NO_PERMISSION,)
    partition = accounts.partition_of(request.region)
    arn = f"arn:{partition}:sts::{request.account}:federated-user/{name}"
    user_id = f"{request.account}:{name}"
    session = replace(_for(request, caller), arn=arn, session_policies=policies, user_id=user_id)
    user = f"<FederatedUserId>{user_id}</FederatedUserId><Arn>{escape(arn)}</Arn>"
    return f"{_credentials(session)}<FederatedUser>{user}</FederatedUser><PackedPolicySize>6</PackedPolicySize>"


def _for(request: Request, caller: Principal) -> Principal:
    """The caller, for as long as is asked for."""
    now = current().clock.now()
    seconds = _seconds(request, TOKEN_SECONDS, LONGEST_TOKEN_SECONDS)
    return replace(caller, account=request.account, issued=now, expires=now + timedelta(seconds=seconds))


@_operation
def get_caller_identity(request: Request) -> str | None:
    """GetCallerIdentity. moto's default credentials have moto's own identity."""
    caller = request.principal
    if accounts.is_moto_default(request.access_key):
        return None
    return (
        f"<Arn>{escape(caller.arn)}</Arn><UserId>{escape(caller.user_id)}</UserId><Account>{caller.account}</Account>"
    )


OPERATIONS = {
    "sts:AssumeRole": assume_role,
    "sts:GetSessionToken": get_session_token,
    "sts:GetFederationToken": get_federation_token,
    "sts:GetCallerIdentity": get_caller_identity,
}
