"""What calls of IAM, STS and KMS need. Source: service authorization reference, of each service."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator

from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from drills.simulator.accounts import partition_of
from drills.simulator.needs.need import Need, action, arn, named
from drills.simulator.request import Request

OWN_USER = ("GetUser", "CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "ChangePassword")
"""Calls that mean the caller's own user when they name none."""
KEY_ID = re.compile(rb"[0-9a-f-]{36}|mrk-[0-9a-f]{32}")


def iam(request: Request) -> Iterator[Need]:
    attached = named(request, "PolicyArn")
    keys = {
        "iam:policyarn": (attached,) if attached else None,
        "iam:permissionsboundary": (b,) if (b := named(request, "PermissionsBoundary")) else None,
    }
    yield Need(action(request), _iam_resource(request), keys)
    if request.operation == "AddRoleToInstanceProfile":
        yield Need("iam:PassRole", _of_kind(request, "role", named(request, "RoleName")), keys)


def _iam_resource(request: Request) -> str:
    for parameter, kind in (
        ("RoleName", "role"),
        ("UserName", "user"),
        ("GroupName", "group"),
        ("InstanceProfileName", "instance-profile"),
    ):
        name = named(request, parameter)
        if name:
            return _of_kind(request, kind, name)
    if named(request, "PolicyArn"):
        return named(request, "PolicyArn")
    if request.operation in OWN_USER and request.principal.user_arn:
        return request.principal.user_arn
    if named(request, "PolicyName"):
        return _of_kind(request, "policy", named(request, "PolicyName"))
    return named(request, "Arn", "ResourceArn") or "*"


def _of_kind(request: Request, kind: str, name: str) -> str:
    """With the path of what is there already, else the one that the call gives."""
    backend = iam_backends[request.account][partition_of(request.region)]
    for there in {"role": backend.roles, "user": backend.users, "group": backend.groups}.get(kind, {}).values():
        if there.name == name:
            return str(there.arn)
    path = named(request, "Path") or "/"
    return arn(request, f"{kind}{path}{name}", region=False)


def sts(request: Request) -> Iterator[Need]:
    keys = {
        "sts:externalid": (external,) if (external := named(request, "ExternalId")) else None,
        "sts:rolesessionname": (name,) if (name := named(request, "RoleSessionName")) else None,
    }
    yield Need(action(request), named(request, "RoleArn") or "*", keys)


def kms(request: Request) -> Iterator[Need]:
    alias = named(request, "AliasName")
    if alias and request.operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        yield Need(action(request), arn(request, alias))
    key = named(request, "TargetKeyId", "KeyId", "SourceKeyId") or _encrypted_with(request)
    if key or not alias:
        yield Need(action(request), _key_arn(request, key) if key else "*")


def _encrypted_with(request: Request) -> str:
    """A ciphertext of moto's begins with its key's id."""
    try:
        found = KEY_ID.match(b64decode(named(request, "CiphertextBlob")))
    except ValueError:
        return ""
    return found[0].decode() if found else ""


def _key_arn(request: Request, key: str) -> str:
    if key.startswith("arn:") and ":alias/" not in key:
        return key
    alias = key.partition(":alias/")[2]
    name = f"alias/{alias}" if alias else key
    if name.startswith("alias/"):
        backend = kms_backends[request.account][request.region]
        key = str(backend.get_key_id_from_alias(name) or name)
    return key if key.startswith("arn:") else arn(request, f"key/{key}")
