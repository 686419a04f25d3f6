"""What a role of replication or of a batch job may do, and which KMS keys it may use.

Source: S3 user guide, Setting up permissions for live replication; Replicating encrypted objects; AWS KMS developer
guide, Determining access to AWS KMS keys.
"""

from __future__ import annotations

from collections.abc import Iterable

from drills.simulator import accounts, by_role, iam
from drills.simulator.accounts import Principal
from drills.simulator.conditions import Keys
from drills.simulator.key_rights import key_denies, key_named
from drills.simulator.needs.need import Need
from drills.simulator.state import current

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
        # S3 asks for it where the key lies. Source: KMS developer guide, kms:ViaService.
        keys: Keys = {**self.keys, "kms:viaservice": (f"s3.{str(key.arn).split(':')[3]}.amazonaws.com",)}
        why = key_denies(key, self.principal, action, keys) if self._enforced else None
        if why is not None:
            raise Denied(f"{self.principal.role_arn} may not {action} with {key.arn}, {why}")
