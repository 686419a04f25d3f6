"""IAM as far as drills rely on it: identity and session policies, permission boundaries, trust policies of roles.

Source: IAM user guide, Policy evaluation logic, within an account and across accounts. What is not judged stands in
``capabilities.MISSING``; a condition that cannot be judged never allows and always denies.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from drills.simulator import accounts
from drills.simulator.accounts import Principal, parsed
from drills.simulator.conditions import Keys, hold, listed
from drills.simulator.needs import needs_of
from drills.simulator.needs.need import Need
from drills.simulator.request import Request
from drills.simulator.s3 import access
from drills.simulator.state import current
from drills.simulator.statements import Document, about_action, judge, statements

OPEN_TO_ALL = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
"""They need no permission. Source: STS API reference."""
ASSUMING = frozenset({"sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"})
"""Judged together with the role's trust, where the role is assumed."""
KEY_BY_KEY = frozenset({"s3:DeleteObjects"})
"""Each key is judged by itself, where it is deleted."""


def denial(request: Request) -> str | None:
    """Why the caller may not do this, in AWS's words; None when it may."""
    principal = request.principal
    if request.service == "s3" and access.names_another_owner(request):
        return "Access Denied"
    if principal.administrator and not principal.session_policies and not access.concerns(request):
        return None
    if f"{request.service}:{request.operation}" in OPEN_TO_ALL | ASSUMING | KEY_BY_KEY:
        return None
    shared = keys_of(request, current().clock.now())
    for need in needs_of(request):
        why = denied(principal, need, {**shared, **need.keys})
        if why is not None:
            resource = f'"{need.resource}"' if request.service == "s3" else need.resource
            return f"User: {principal.arn} is not authorized to perform: {need.action} on resource: {resource} {why}"
    return None


def denied(principal: Principal, need: Need, keys: Keys) -> str | None:
    """The reason why the principal may not, its own policies and the bucket's taken together; None when it may.

    Within an account one of the two has to allow it, across accounts both. Source: IAM user guide, Policy evaluation
    logic; S3 user guide, How Amazon S3 authorizes a request.
    """
    bucket = access.bucket_of(need)
    if bucket is None:
        return refused(principal, need, keys)
    said = access.says(bucket, principal, need, keys)
    if said == "deny":
        return "with an explicit deny in a resource-based policy"
    own = bucket.account_id == principal.account
    why = refused(principal, need, keys, granted=own and said == "allow")
    if why is None and not own and said != "allow":
        return f"because no resource-based policy allows the {need.action} action"
    return why


def refused(principal: Principal, need: Need, keys: Keys, *, granted: bool = False) -> str | None:
    """The reason why none of the principal's own policies allows it, or one denies it; None when it may.

    ``granted``: the resource's policy allows the principal, so that its identity-based policies only must not deny.
    """
    for kind, documents in _layers(principal):
        verdict = judge(documents, need, keys)
        if verdict == "deny":
            return f"with an explicit deny in {'an' if kind.startswith('i') else 'a'} {kind}"
        if verdict != "allow" and not (granted and kind == "identity-based policy"):
            return f"because no {kind} allows the {need.action} action"
    return None


def _layers(principal: Principal) -> Iterator[tuple[str, list[Document]]]:
    """Every layer must allow; within one, a deny wins."""
    if not principal.administrator:
        holders = _holders(principal)
        yield "identity-based policy", [document for holder in holders for document in _documents(holder)]
        for holder in holders[:1]:
            boundary = getattr(holder, "permissions_boundary_arn", None)
            if boundary:
                text = managed_policy(principal.account, boundary)
                yield "permissions boundary", [parsed(text)] if text is not None else []
    if principal.session_policies:
        yield "session policy", [parsed(policy) for policy in principal.session_policies]


def _holders(principal: Principal) -> list[Any]:
    if principal.role_arn is not None:
        role = accounts.role_named(principal.role_arn)
        return [role] if role is not None else []
    user = accounts.user_named(str(principal.user_arn))
    if user is None:
        return []
    backend = accounts.backend_of(user.arn)
    return [user, *(group for group in backend.groups.values() if user in group.users)] if backend else [user]


def _documents(holder: Any) -> Iterator[Document]:
    for inline in holder.policies.values():
        yield parsed(inline)
    for managed in holder.managed_policies.values():
        yield parsed(_text_of(managed))


def managed_policy(account: str, policy_arn: str) -> str | None:
    """The text of a managed policy, None when the account has none of this ARN."""
    for backend in iam_backends[account].values():
        for policy in backend.managed_policies.values():
            if policy.arn == policy_arn:
                return _text_of(policy)
    return None


def _text_of(policy: Any) -> str:
    """The document of a managed policy's default version."""
    chosen = (version.document for version in policy.versions if version.version_id == policy.default_version_id)
    return str(next(chosen, ""))


# --- Trust -----------------------------------------------------------------------------------------------------------


def trust(role: Any, caller: Principal, keys: Keys) -> str:
    """What a role's trust policy says to this caller: ``deny``, ``none``, ``account`` or ``principal``.

    ``account``: it trusts the caller's whole account, which then must let the caller by its own policies.
    ``principal``: it names the caller itself.
    """
    verdict = "none"
    for statement in statements(parsed(role.assume_role_policy_document)):
        if not about_action(statement, "sts:AssumeRole"):
            continue
        named = _named(statement, caller)
        if not named:
            continue
        holds = hold(statement.get("Condition") or {}, keys)
        if statement.get("Effect") == "Deny" and holds is not False:
            return "deny"
        if statement.get("Effect") == "Allow" and holds is True and verdict != "principal":
            verdict = named
    return verdict


def _named(statement: Document, caller: Principal) -> str:
    """How a statement names the caller: ``principal``, ``account``, or not at all."""
    if "NotPrincipal" in statement:
        return "" if _among(statement["NotPrincipal"], caller) else "account"
    return _among(statement.get("Principal"), caller)


def _among(principal: Any, caller: Principal) -> str:
    names = listed(principal.get("AWS")) if isinstance(principal, dict) else listed(principal)
    if any(name in (caller.arn, caller.role_arn, caller.user_arn) for name in names):
        return "principal"
    partition = caller.arn.split(":")[1] if caller.arn else "aws"
    return (
        "account"
        if any(n in ("*", caller.account, f"arn:{partition}:iam::{caller.account}:root") for n in names)
        else ""
    )


def trusts_service(role: Any, service: str) -> bool:
    """Does the role's trust policy let this service, such as ``lambda.amazonaws.com``, assume it for its account?"""
    account = accounts.account_in(str(role.arn))
    keys: Keys = {"aws:sourceaccount": (account,), "aws:principalisawsservice": ("true",), "sts:externalid": None}
    trusted = False
    for statement in statements(parsed(role.assume_role_policy_document)):
        named = statement.get("Principal")
        services = listed(named.get("Service")) if isinstance(named, dict) else listed(named)
        if not {service, "*"} & set(services) or not about_action(statement, "sts:AssumeRole"):
            continue
        holds = hold(statement.get("Condition") or {}, keys)
        if statement.get("Effect") == "Deny" and holds is not False:
            return False
        trusted |= statement.get("Effect") == "Allow" and holds is True and service in services
    return trusted


# --- Condition keys --------------------------------------------------------------------------------------------------


def keys_of(request: Request, now: datetime) -> dict[str, tuple[str, ...] | None]:
    """The global condition keys. Source: IAM user guide, AWS global condition context keys."""
    principal = request.principal
    holder = next(iter(_holders(principal)), None) if not principal.administrator else None
    session = principal.expires is not None
    keys: dict[str, tuple[str, ...] | None] = {
        "aws:principalaccount": (principal.account,),
        "aws:principalarn": (principal.role_arn or principal.user_arn or principal.arn,),
        "aws:principaltype": ("AssumedRole" if principal.role_arn else "User",),
        "aws:userid": (principal.user_id,) if principal.user_id else None,
        "aws:username": (str(holder.name),) if principal.user_arn and holder is not None else None,
        "aws:requestedregion": (request.region,),
        "aws:securetransport": ("true" if request.url.startswith("https:") else "false",),
        "aws:viaawsservice": ("false",),
        "aws:principalisawsservice": ("false",),
        "aws:calledvia": None,
        "aws:sourceaccount": None,
        "aws:sourcearn": None,
        "aws:sourcevpc": None,
        "aws:sourcevpce": None,
        "aws:principalorgid": organization_of(principal.account),
        "aws:multifactorauthpresent": ("false",) if session else None,
        "aws:multifactorauthage": None,
        "aws:currenttime": (now.isoformat(),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:tokenissuetime": (principal.issued.isoformat(),) if session and principal.issued else None,
        "aws:useragent": (request.headers.get("user-agent", ""),),
    }
    for name, value in _tags(holder).items():
        keys[f"aws:principaltag/{name.lower()}"] = (value,)
    return keys


def organization_of(account: str) -> tuple[str, ...] | None:
    """The id of the organization that the account is a member of."""
    for backends in list(organizations_backends.values()):
        for backend in list(backends.values()):
            if backend.org is not None and any(member.id == account for member in backend.accounts):
                return (str(backend.org.id),)
    return None


def _tags(holder: Any) -> dict[str, str]:
    tags = getattr(holder, "tags", None) or {}
    entries = tags.values() if isinstance(tags, dict) else tags
    return {one["Key"]: one["Value"] for one in entries if isinstance(one, dict) and "Key" in one}
