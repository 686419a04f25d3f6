"""Whether a principal may use a KMS key: the key's policy and grants, and across accounts the principal's own policies.

Source: AWS KMS developer guide, Determining access to AWS KMS keys; Allowing users in other accounts to use a KMS key.
"""

from __future__ import annotations

from typing import Any

from moto.kms.models import kms_backends

from drills.simulator import iam
from drills.simulator.accounts import Principal, parsed
from drills.simulator.conditions import Keys
from drills.simulator.needs.need import Need
from drills.simulator.s3 import access
from drills.simulator.statements import judge


def key_named(key_id: str, account: str, region: str) -> Any | None:
    """moto's KMS key by id, ARN, alias or alias' ARN. What is not an ARN is the account's, in the region."""
    if key_id.startswith("arn:"):
        if key_id.count(":") < 5:
            return None
        _, _, _, region, account, name = key_id.split(":", 5)
        key_id = name.removeprefix("key/")
    backend = kms_backends[account][region]
    if key_id.startswith("alias/"):
        key_id = backend.get_key_id_from_alias(key_id) or ""
    return backend.keys.get(key_id)


def key_denies(key: Any, principal: Principal, action: str, keys: Keys) -> str | None:
    """Why the principal may not do this with the key, None when it may.

    A key's policy has to let the principal in itself, or leave it to the account; a grant does as well. ``keys`` are
    the condition keys of the call that the key is used for.
    """
    need, policy = Need(action, str(key.arn)), parsed(key.policy)
    direct = judge([policy], need, keys, lambda one: access.names(one, principal, True))
    any_way = judge([policy], need, keys, lambda one: access.names(one, principal, False))
    if any_way == "deny":
        return "with an explicit deny in the key's policy"
    own = str(key.account_id) == principal.account
    grantees = {one.grantee_principal for one in key.grants.values() if action.partition(":")[2] in one.operations}
    partition = str(key.arn).split(":")[1]
    to_account = {principal.account, f"arn:{partition}:iam::{principal.account}:root"} & grantees
    if {principal.role_arn, principal.user_arn, principal.arn} & grantees or (own and direct == "allow"):
        return None
    if any_way != "allow" and not to_account:
        return "because the key's policy does not allow it"
    return iam.refused(principal, need, keys)
