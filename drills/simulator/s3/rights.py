"""What a role of replication or of a batch job may do, and which KMS keys it may use.

Source: S3 user guide, Setting up permissions for live replication; Replicating encrypted objects; AWS KMS developer
guide, Determining access to AWS KMS keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.kms.models import kms_backends

from drills.simulator import accounts, by_role, iam
from drills.simulator.accounts import Principal, parsed
from drills.simulator.conditions import Keys
from drills.simulator.needs.need import Need
from drills.simulator.s3 import access
from drills.simulator.state import current
from drills.simulator.statements import judge

REPLICATION = "s3.amazonaws.com"
BATCH = "batchoperations.s3.amazonaws.com"


class Denied(Exception):
    """The role may not, or a key cannot be used. The message says which action on what, and why."""


class RoleOfService:
    """A role that S3 takes on. Raises Denied when it is not there or does not trust the service."""

    def __init__(self, role_arn: str, service: str, region: str) -> None:
        role = accounts.role_named(role_arn)
        if role is None:
            raise Denied(f"the role {role_arn} does not exist")
        self._enforced = current().iam_enforced
        if self._enforced and not iam.trusts_service(role, service):
            raise Denied(f"the role {role_arn} does not trust {service}")
        request = by_role.request_by(role_arn, "s3", "Replicate", region, {}, session="s3-replication")
        self.principal: Principal = request.principal
        self.keys: Keys = {
            **iam.keys_of(request, current().clock.now()),
            "aws:viaawsservice": ("true",),
            "aws:principalisawsservice": ("false",),
        }

    def must(self, actions: Iterable[str], resource: str, **more: tuple[str, ...]) -> None:
        """Raises Denied unless the role may do all of these on the resource."""
        if not self._enforced:
            return
        for action in actions:
            need = Need(action, resource)
            why = iam.denied(self.principal, need, {**self.keys, **more})
            if why is not None:
                raise Denied(f"{self.principal.role_arn} may not {action} on {resource}, {why}")

    def must_use(self, action: str, key_id: str, account: str, region: str) -> None:
        """Raises Denied unless the role may do this with the KMS key, and the key is enabled."""
        key = key_named(key_id, account, region)
        if key is None:
            raise Denied(f"the KMS key {key_id} does not exist in account {account} and {region}")
        if key.key_state != "Enabled":
            raise Denied(f"the KMS key {key.arn} is {key.key_state}")
        if current().is_closed(str(key.account_id)):
            raise Denied(f"the KMS key {key.arn} went with its account, which is closed")
        why = self._key_denies(key, action) if self._enforced else None
        if why is not None:
            raise Denied(f"{self.principal.role_arn} may not {action} with {key.arn}, {why}")

    def _key_denies(self, key: Any, action: str) -> str | None:
        """A key's policy has to let the role in itself, or leave it to the account; a grant does as well."""
        need, policy = Need(action, str(key.arn)), parsed(key.policy)
        # S3 asks for it where the key lies. Source: KMS developer guide, kms:ViaService.
        keys: Keys = {**self.keys, "kms:viaservice": (f"s3.{str(key.arn).split(':')[3]}.amazonaws.com",)}
        direct = judge([policy], need, keys, lambda one: access.names(one, self.principal, True))
        any_way = judge([policy], need, keys, lambda one: access.names(one, self.principal, False))
        if any_way == "deny":
            return "with an explicit deny in the key's policy"
        own = str(key.account_id) == self.principal.account
        granted = any(
            grant.grantee_principal == self.principal.role_arn and action.partition(":")[2] in grant.operations
            for grant in key.grants.values()
        )
        if granted or (own and direct == "allow"):
            return None
        if any_way != "allow":
            return "because the key's policy does not allow it"
        return iam.refused(self.principal, need, keys)


def key_named(key_id: str, account: str, region: str) -> Any | None:
    """moto's KMS key by id, ARN, alias or alias' ARN. What is not an ARN is the account's, in the region."""
    if key_id.startswith("arn:"):
        _, _, _, region, account, name = key_id.split(":", 5)
        key_id = name.removeprefix("key/")
    backend = kms_backends[account][region]
    if key_id.startswith("alias/"):
        key_id = backend.get_key_id_from_alias(key_id) or ""
    return backend.keys.get(key_id)
