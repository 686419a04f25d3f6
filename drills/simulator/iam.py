"""IAM as far as drills rely on it: identity policies of roles and users, session policies, trust policies.

Not judged: permission boundaries, service control policies, resource policies other than a role's trust. A condition
operator that is not known never allows and always denies.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.iam.models import iam_backends

if TYPE_CHECKING:
    from drills.simulator.accounts import Principal
    from drills.simulator.gate import Request


def denial(request: Request) -> str | None:
    """Why the principal may not do this, None when it may."""
    principal = request.principal
    if principal.role_arn is None and principal.user_arn is None:
        return None
    action = f"{request.service}:{request.operation}"
    if action in ("sts:GetCallerIdentity", "sts:GetSessionToken"):
        return None
    identity = list(_documents(principal))
    session = [json.loads(principal.session_policy)] if principal.session_policy else None
    for resource in resources_of(request):
        for layer in (identity, session):
            verdict = "allow" if layer is None else _judge(layer, action, resource, {})
            if verdict != "allow":
                because = (
                    "with an explicit deny in an identity-based policy"
                    if verdict == "deny"
                    else f"because no {'session' if layer is session else 'identity-based'} policy allows the "
                    f"{action} action"
                )
                return f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} {because}"
    return None


def trusts(role: Any, caller: Principal, external_id: str | None) -> bool:
    """Does the role's trust policy let the caller assume it?"""
    document = _parsed(role.assume_role_policy_document)
    context = {"sts:externalid": external_id or ""}
    verdict = False
    for statement in _statements(document):
        if not _matches_action(statement, "sts:AssumeRole") or not _names(statement.get("Principal"), caller):
            continue
        if _conditions_hold(statement, context) is not True:
            continue
        if statement.get("Effect") == "Deny":
            return False
        verdict = True
    return verdict


def trusts_service(role: Any, service: str) -> bool:
    """Does the role's trust policy name this service, such as ``lambda.amazonaws.com``?"""
    return any(
        statement.get("Effect") == "Allow" and service in _listed((statement.get("Principal") or {}).get("Service"))
        for statement in _statements(_parsed(role.assume_role_policy_document))
        if isinstance(statement.get("Principal"), dict)
    )


def _names(principal: Any, caller: Principal) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, dict):
        return False
    mine = {caller.account, f"arn:aws:iam::{caller.account}:root", caller.arn, caller.role_arn, caller.user_arn, "*"}
    return any(name in mine for name in _listed(principal.get("AWS")))


def _documents(principal: Principal) -> Iterator[dict[str, Any]]:
    backend = iam_backends[principal.account]["aws"]
    if principal.role_arn is not None:
        holders = [role for role in backend.roles.values() if role.arn == principal.role_arn]
    else:
        user = next(user for user in backend.users.values() if user.arn == principal.user_arn)
        holders = [user, *backend.get_groups_for_user(user.name)]
    for holder in holders:
        for inline in holder.policies.values() if isinstance(holder.policies, dict) else holder.policies:
            yield _parsed(inline)
        for managed in holder.managed_policies.values():
            yield _parsed(managed.document)


def _parsed(document: Any) -> dict[str, Any]:
    if isinstance(document, dict) and "policy_document" in document:
        document = document["policy_document"]
    return json.loads(document) if isinstance(document, str) else document


def _judge(documents: Iterable[dict[str, Any]], action: str, resource: str, context: dict[str, str]) -> str:
    verdict = "none"
    for document in documents:
        for statement in _statements(document):
            if not _matches_action(statement, action) or not _matches_resource(statement, resource):
                continue
            holds = _conditions_hold(statement, context)
            if statement.get("Effect") == "Deny" and holds is not False:
                return "deny"
            if statement.get("Effect") == "Allow" and holds is True:
                verdict = "allow"
    return verdict


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for s in _listed(document.get("Statement")) if isinstance(s, dict)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _matches_action(statement: dict[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(_like(action.lower(), str(p).lower()) for p in _listed(statement["NotAction"]))
    return any(_like(action.lower(), str(p).lower()) for p in _listed(statement.get("Action")))


def _matches_resource(statement: dict[str, Any], resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_like(resource, str(p)) for p in _listed(statement["NotResource"]))
    return any(_like(resource, str(p)) for p in _listed(statement.get("Resource")))


def _like(text: str, pattern: str) -> bool:
    # Square brackets are letters in a policy, but ranges to fnmatch.
    return fnmatch.fnmatchcase(text, re.sub(r"\[", "[[]", pattern))


def _conditions_hold(statement: dict[str, Any], context: dict[str, str]) -> bool | None:
    """None: a condition that is not judged here."""
    for operator, wanted in (statement.get("Condition") or {}).items():
        for key, values in wanted.items():
            found = context.get(key.lower())
            if found is None:
                return None
            if operator in ("StringEquals", "ArnEquals"):
                held = found in [str(v) for v in _listed(values)]
            elif operator in ("StringLike", "ArnLike"):
                held = any(_like(found, str(v)) for v in _listed(values))
            elif operator == "StringNotEquals":
                held = found not in [str(v) for v in _listed(values)]
            else:
                return None
            if not held:
                return False
    return True


def resources_of(request: Request) -> list[str]:
    """The ARNs a call is about; ``*`` where drills do not rely on it."""
    prefix = f"arn:aws:{request.service}:{request.region}:{request.account}"
    if request.service == "dynamodb":
        return _dynamodb_resources(request, prefix)
    if request.service == "sts":
        return parse_qs(request.body.decode()).get("RoleArn", ["*"])
    if request.service == "lambda":
        found = re.search(r"/functions/([^/?]+)", request.url)
        name = found[1] if found else ""
        return [name if name.startswith("arn:") else f"{prefix}:function:{name}"] if name else ["*"]
    if request.service == "sqs":
        url = str(_body(request).get("QueueUrl", ""))
        return [f"{prefix}:{url.rpartition('/')[2]}"] if url else ["*"]
    if request.service == "s3":
        return [_s3_resource(request)]
    if request.service == "ssm":
        name = str(_body(request).get("Name", ""))
        return [f"{prefix}:parameter/{name.lstrip('/')}"] if name else ["*"]
    if request.service == "logs":
        name = str(_body(request).get("logGroupName", ""))
        return [f"{prefix}:log-group:{name}:*"] if name else ["*"]
    return ["*"]


def _body(request: Request) -> dict[str, Any]:
    try:
        parsed = request.json()
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _s3_resource(request: Request) -> str:
    host, _, path = request.url.partition("//")[2].partition("/")
    path = path.partition("?")[0]
    bucket = host.partition(".s3")[0] if ".s3" in host else ""
    return f"arn:aws:s3:::{bucket}/{path}".rstrip("/") if bucket else f"arn:aws:s3:::{path}"


def _dynamodb_resources(request: Request, prefix: str) -> list[str]:
    body = _body(request)

    def table(name: Any) -> str:
        return str(name) if str(name).startswith("arn:") else f"{prefix}:table/{name}"

    for key in ("StreamArn", "BackupArn", "ResourceArn", "TableArn", "ExportArn"):
        if body.get(key):
            return [str(body[key])]
    if body.get("ShardIterator"):
        return [str(body["ShardIterator"]).partition("|")[0]]
    names = set(body.get("RequestItems", {}))
    names |= {next(iter(item.values())).get("TableName") for item in body.get("TransactItems", [])}
    names |= {body[key] for key in ("TableName", "SourceTableName", "TargetTableName") if body.get(key)}
    if not names:
        return ["*"]
    if body.get("IndexName"):
        return [f"{table(body['TableName'])}/index/{body['IndexName']}"]
    return sorted(table(name) for name in names)
