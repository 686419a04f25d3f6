"""Accounts and sessions: who calls, whether the session still holds, whether a role may be assumed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.iam.models import AccessKey, get_account_id_from, iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.models import STSBackend

from drills.simulator import iam
from drills.simulator.replaced import Replacement
from drills.simulator.state import active, current


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``role_arn`` for a session of a role, ``user_arn`` for a user; neither for an administrator."""

    account: str = ""
    arn: str = ""
    role_arn: str | None = None
    user_arn: str | None = None
    session_policy: str | None = None
    issued: datetime | None = None
    expires: datetime | None = None


_principals: dict[str, Principal] = {}


def begin(_: Any) -> None:
    _principals.clear()


def administrator_key(account: str) -> AccessKey:
    """A new access key of an administrator of the account."""
    key = AccessKey(user_name=None, prefix="AKIA", account_id=account)
    iam_backends[account]["aws"].access_keys[key.access_key_id] = key
    _principals[key.access_key_id] = Principal(account, f"arn:aws:iam::{account}:root", issued=current().clock.now())
    return key


def principal_of(access_key: str) -> Principal:
    """The principal behind an access key; moto's default credentials are an administrator's."""
    if access_key in _principals:
        return _principals[access_key]
    for account, backends in list(iam_backends.items()):
        user = backends["aws"].get_user_from_access_key_id(access_key) if access_key else None
        if user is not None:
            return Principal(account, user.arn, user_arn=user.arn)
    account = str(get_account_id_from(access_key))
    return Principal(account, f"arn:aws:iam::{account}:root")


def refusal(principal: Principal, now: datetime) -> tuple[str, str, int] | None:
    """Code, message and status when the session has expired."""
    if principal.expires is not None and now >= principal.expires:
        return "ExpiredTokenException", "The security token included in the request is expired", 400
    return None


_assume_role = STSBackend.assume_role


def assume_role(
    self: Any,
    region_name: str,
    role_session_name: str,
    role_arn: str,
    policy: str | None,
    duration: int,
    external_id: str | None,
) -> Any:
    """As AWS: the role must exist, trust the caller, and the session ends.

    Source: STS API reference, AssumeRole; IAM user guide, policy evaluation across accounts.
    """
    simulation = active()
    caller = _caller.get("principal", Principal())
    role = role_named(role_arn)
    if simulation is not None and simulation.iam_enforced:
        target = role_arn.split(":")[4]
        trusted = role is not None and not simulation.is_closed(target) and iam.trusts(role, caller, external_id)
        if not trusted:
            who = caller.arn or f"arn:aws:iam::{self.account_id}:root"
            raise STSClientError(
                "AccessDenied",
                f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            )
    session = _assume_role(self, region_name, role_session_name, role_arn, policy, duration, external_id)
    now = current().clock.now()
    _principals[session.access_key_id] = Principal(
        account=session.account_id,
        arn=session.arn,
        role_arn=role_arn,
        session_policy=policy,
        issued=now,
        expires=now + timedelta(seconds=duration),
    )
    return session


_caller: dict[str, Principal] = {}


def note_caller(principal: Principal) -> None:
    """Who the call that is being answered comes from; moto's back end is not told."""
    _caller["principal"] = principal


def role_named(role_arn: str) -> Any | None:
    """moto's role by ARN, None when it does not exist."""
    account = role_arn.split(":")[4]
    for role in iam_backends[account]["aws"].roles.values():
        if role.arn == role_arn:
            return role
    return None


def session_of_role(role_arn: str, session_name: str, seconds: int) -> dict[str, Any]:
    """Credentials of a service that runs as this role, such as Lambda. The caller has judged the trust."""
    account = role_arn.split(":")[4]
    key = iam_backends[account]["aws"].create_temp_access_key()
    key.role_arn = role_arn
    name = role_arn.rpartition("/")[2]
    now = current().clock.now()
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}"
    _principals[key.access_key_id] = Principal(
        account, arn, role_arn=role_arn, issued=now, expires=now + timedelta(seconds=seconds)
    )
    return {
        "aws_access_key_id": key.access_key_id,
        "aws_secret_access_key": key.secret_access_key,
        "aws_session_token": "simulated-" + key.access_key_id,
        "expires": now.astimezone(UTC) + timedelta(seconds=seconds),
    }


def parsed(document: Any) -> dict[str, Any]:
    return json.loads(document) if isinstance(document, str) else dict(document)


REPLACEMENTS = (
    Replacement(
        "moto.sts.models:STSBackend.assume_role",
        assume_role,
        "moto assumes roles that do not exist or do not trust the caller, and its sessions never end",
    ),
)
