"""Accounts and who calls: principals by access key, and how long their sessions hold.

An access key that nobody issued here is moto's default: an administrator of the default account. That is what makes
code that ran on moto run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import BaseResponse
from moto.iam.models import AccessKey, get_account_id_from, iam_backends
from moto.moto_api._internal import mock_random
from moto.sts.models import sts_backends
from moto.utilities.utils import PARTITION_NAMES, get_partition

from drills.simulator.replaced import Replacement
from drills.simulator.state import current


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. ``role_arn`` for a session of a role, ``user_arn`` for a user; neither for an administrator.

    ``session_policies`` narrow what the role or user may do; ``expires`` is None for a long-term key.
    """

    account: str = ""
    arn: str = ""
    role_arn: str | None = None
    user_arn: str | None = None
    session_policies: tuple[str, ...] = ()
    issued: datetime | None = None
    expires: datetime | None = None
    active: bool = True
    user_id: str = ""

    @property
    def administrator(self) -> bool:
        return self.role_arn is None and self.user_arn is None


@dataclass
class _Keys:
    """Access keys and whose they are."""

    issued: dict[str, Principal] = field(default_factory=dict)
    """By the simulator itself: administrators, sessions."""
    moto: dict[str, Principal] = field(default_factory=dict)
    """By moto: users' keys and sessions of federated identities, as they were after the last call that changes any."""
    gone: set[str] = field(default_factory=set)
    """Users' keys that were deleted: moto would take them for its default, AWS refuses them."""
    strangers: dict[str, Principal] = field(default_factory=dict)


_keys = _Keys()


def begin(_: Any) -> None:
    """Forget the keys of an earlier simulated AWS."""
    global _keys  # One simulated AWS at a time.
    _keys = _Keys()


def administrator_key(account: str) -> AccessKey:
    """A new access key of an administrator of the account."""
    key = AccessKey(user_name=None, prefix="AKIA", account_id=account)
    iam_backends[account]["aws"].access_keys[key.access_key_id] = key
    arn = f"arn:aws:iam::{account}:user/administrator"
    issue(key.access_key_id, Principal(account, arn, issued=current().clock.now(), user_id=f"AIDA{account:0>17}"))
    return key


def issue(access_key: str, principal: Principal) -> None:
    """From now on a call with this access key comes from this principal."""
    _keys.issued[access_key] = principal


def is_moto_default(access_key: str) -> bool:
    """Whether nobody issued this key here, so that it stands for moto's default administrator."""
    return not any(access_key in keys for keys in (_keys.issued, _keys.moto, _keys.gone))


def principal_of(access_key: str) -> Principal:
    """The principal behind an access key; moto's default credentials are an administrator's."""
    found = _keys.issued.get(access_key) or _keys.moto.get(access_key) or _keys.strangers.get(access_key)
    if found is not None:
        return found
    account = str(get_account_id_from(access_key)) if access_key else DEFAULT_ACCOUNT_ID
    stranger = Principal(account, f"arn:aws:sts::{account}:user/moto", active=access_key not in _keys.gone)
    if stranger.active:
        _keys.strangers[access_key] = stranger
    return stranger


def keys_changed() -> None:
    """Look again at whose keys moto holds. The gate tells after each call that may change them."""
    now = dict([*_users(), *_federated()])
    _keys.gone |= {key for key, old in _keys.moto.items() if old.user_arn and key not in now}
    _keys.moto = now
    _keys.strangers.clear()


def _users() -> Iterator[tuple[str, Principal]]:
    for account, backend in _backends():
        for user in backend.users.values():
            for key in user.access_keys:
                yield (
                    key.access_key_id,
                    Principal(
                        account, user.arn, user_arn=user.arn, active=key.status == "Active", user_id=str(user.id)
                    ),
                )


def _federated() -> Iterator[tuple[str, Principal]]:
    """Sessions that moto issues by itself, for SAML and web identities."""
    for account, partitions in list(sts_backends.items()):
        for backend in list(partitions.values()):
            for one in backend.assumed_roles:
                policies = (one.policy,) if one.policy else ()
                expires = one.expiration.replace(tzinfo=UTC)
                principal = Principal(
                    account, one.arn, one.role_arn, None, policies, expires=expires, user_id=one.user_id
                )
                yield one.access_key_id, principal


def _backends() -> Iterator[tuple[str, Any]]:
    for account, partitions in list(iam_backends.items()):
        for backend in list(partitions.values()):
            yield str(account), backend


def backend_of(arn: str) -> Any | None:
    """moto's IAM of the account and partition of an ARN, None when the text is not an ARN of an account."""
    account, partition = account_in(arn), arn.split(":")[1] if arn.count(":") > 4 else ""
    return iam_backends[account][partition] if account and partition in PARTITION_NAMES else None


def role_named(role_arn: str) -> Any | None:
    """moto's role by ARN, None when it does not exist or the text is not a role's ARN."""
    backend = backend_of(role_arn)
    roles = backend.roles.values() if backend is not None else ()
    return next((role for role in roles if role.arn == role_arn), None)


def user_named(user_arn: str) -> Any | None:
    """moto's user by ARN, None when it does not exist."""
    backend = backend_of(user_arn)
    users = backend.users.values() if backend is not None else ()
    return next((user for user in users if user.arn == user_arn), None)


def account_in(arn: str) -> str:
    """The account of an ARN, empty when it names none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 and parts[0] == "arn" and len(parts[4]) == 12 and parts[4].isdigit() else ""


def partition_of(region: str) -> str:
    return str(get_partition(region))


def session_of_role(role_arn: str, session_name: str, seconds: int) -> dict[str, Any]:
    """Credentials of a service that runs as this role, such as Lambda. The caller has judged the trust."""
    return new_session(role_session(role_arn, session_name, (), seconds))


def new_session(principal: Principal) -> dict[str, Any]:
    """Temporary credentials of this principal."""
    partition = principal.arn.split(":")[1]
    key = iam_backends[principal.account][partition].create_temp_access_key()
    key.role_arn = principal.role_arn
    issue(key.access_key_id, principal)
    return {
        "aws_access_key_id": key.access_key_id,
        "aws_secret_access_key": key.secret_access_key,
        "aws_session_token": "simulated-" + key.access_key_id,
        "expires": principal.expires,
    }


def role_session(role_arn: str, session_name: str, policies: tuple[str, ...], seconds: int) -> Principal:
    """A session of a role that begins now."""
    account, partition = account_in(role_arn), role_arn.split(":")[1]
    role, now = role_named(role_arn), current().clock.now()
    role_id = str(role.id) if role is not None else "AROA" + mock_random.get_random_hex(16).upper()
    return Principal(
        account=account,
        arn=f"arn:{partition}:sts::{account}:assumed-role/{role_arn.rpartition('/')[2]}/{session_name}",
        role_arn=role_arn,
        session_policies=policies,
        issued=now,
        expires=now + timedelta(seconds=seconds),
        user_id=f"{role_id}:{session_name}",
    )


def parsed(document: Any) -> dict[str, Any]:
    """A policy document as moto keeps it: text, a dict, or a dict that holds one."""
    if isinstance(document, dict) and "policy_document" in document:
        document = document["policy_document"]
    return _loaded(document) if isinstance(document, str) else dict(document)


@lru_cache(4096)
def _loaded(text: str) -> dict[str, Any]:
    # moto takes any text for a policy; what is not one says nothing.
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


# --- The account that moto answers for -------------------------------------------------------------------------------

_answering: list[str] = []
_get_current_account = BaseResponse.get_current_account


@contextmanager
def answering_for(account: str) -> Iterator[None]:
    """While moto answers a call of this account."""
    _answering.append(account)
    try:
        yield
    finally:
        _answering.pop()


def get_current_account(self: Any) -> str:
    """In place of moto's: the account that the gate found."""
    return _answering[-1] if _answering else str(_get_current_account(self))


REPLACEMENTS = (
    Replacement(
        "moto.core.responses:BaseResponse.get_current_account",
        get_current_account,
        "moto does not find the access key of a call that is signed in its URL, walks through all accounts for each "
        "call, and lets MOTO_ACCOUNT_ID override credentials that were issued for another account",
        digest="73816bc14741",
    ),
)
