"""Whether production could destroy the copy: roles of the vault that production may use, and what they may do.

A copy in another account helps against the loss of an account only as long as the keys that are lost with it open
nothing there. Reads only, in the vault.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from drills.stream_copy.model import Clients, StreamCopy

DESTRUCTIVE = (
    "dynamodb:DeleteTable",
    "dynamodb:UpdateTable",
    "dynamodb:UpdateContinuousBackups",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:UpdateAssumeRolePolicy",
    "s3:DeleteBucket",
    "s3:DeleteObjectVersion",
)
"""What destroys the copy and its history, or leads to it."""


def exposed(copy: StreamCopy, clients: Clients) -> tuple[str, ...]:
    """The vault's roles that production may use and that may destroy, each with what it may do."""
    return exposed_to(clients("vault", "iam"), copy.source_account, DESTRUCTIVE)


def exposed_to(iam: Any, account: str, destructive: Sequence[str]) -> tuple[str, ...]:
    """The roles that this account may use and that may do any of what is destructive."""
    found = []
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if _trusts(role["AssumeRolePolicyDocument"], account):
                allowed = [action for action in destructive if _allows(_policies(iam, role["RoleName"]), action)]
                if allowed:
                    found.append(f"{role['RoleName']} trusts production and may {', '.join(allowed)}")
    return tuple(found)


def _trusts(document: Any, account: str) -> bool:
    for statement in _statements(document):
        principal = statement.get("Principal", {})
        named = principal if isinstance(principal, str) else _texts(principal.get("AWS", []))
        if statement["Effect"] == "Allow" and any(name == "*" or account in name for name in _texts(named)):
            return True
    return False


def _policies(iam: Any, role: str) -> Iterator[Any]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            yield iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for attached in page["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
            answer = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)
            yield answer["PolicyVersion"]["Document"]


def _allows(policies: Iterator[Any], action: str) -> bool:
    """Whether any statement allows the action on anything. Denials are not weighed: they may be taken away."""
    for document in policies:
        for statement in _statements(document):
            if statement["Effect"] != "Allow":
                continue
            if "NotAction" in statement or any(
                fnmatchcase(action.lower(), pattern.lower()) for pattern in _texts(statement.get("Action", []))
            ):
                return True
    return False


def _statements(document: Any) -> list[Mapping[str, Any]]:
    parsed = json.loads(document) if isinstance(document, str) else document
    found: list[Mapping[str, Any]] = _listed(parsed["Statement"])
    return found


def _texts(value: Any) -> list[str]:
    return [str(one) for one in _listed(value)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
