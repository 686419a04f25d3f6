"""KMS keys as RDS uses them: its default key, who may use which, and what becomes of data whose key is gone.

Source: RDS user guide, Encrypting Amazon RDS resources; Sharing encrypted snapshots; AWS KMS developer guide, Grants;
Deleting AWS KMS keys.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from moto.kms.models import KmsBackend, kms_backends

from drills.simulator import iam
from drills.simulator.conditions import Keys
from drills.simulator.dynamodb.underway import later
from drills.simulator.key_rights import key_denies, key_named
from drills.simulator.rds.calls import Call, Refused
from drills.simulator.rds.model import Cluster, Held, Instance
from drills.simulator.rds.state import databases
from drills.simulator.replaced import Replacement
from drills.simulator.request import Request, Response, error_response, json_response
from drills.simulator.state import Simulation, current

DEFAULT = "alias/aws/rds"
NOTICED_SECONDS = 300.0
"""How long RDS takes to notice that a key cannot be used any more (A: AWS does not say)."""
RECOVERABLE = timedelta(days=7)
LOST_FOR_NOW = "inaccessible-encryption-credentials-recoverable"
LOST = "inaccessible-encryption-credentials"
READING = ("kms:DescribeKey", "kms:CreateGrant", "kms:Decrypt")
WRITING = ("kms:DescribeKey", "kms:CreateGrant", "kms:GenerateDataKey")
"""What the caller needs so that RDS may read or write with a key for it. Source: the policy in Sharing encrypted
snapshots; which of its actions are looked at is not said, so that encrypting and re-encrypting are left out (A)."""
GRANTED = ["Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo", "CreateGrant", "DescribeKey"]


def default_key(account: str, region: str) -> Any:
    """The account's key of RDS in the region, made when it is first needed."""
    key = key_named(DEFAULT, account, region)
    assert key is not None
    if key.key_manager != "AWS":
        key.key_manager = "AWS"
        key.description = "Default key that protects my RDS database volumes when no other key is defined"
    return key


def is_default(key_arn: str) -> bool:
    """Whether it is the default key of RDS, which stays with its account."""
    key = key_named(key_arn, "", "")
    return key is not None and DEFAULT in key.aliases


def usable(key_arn: str | None) -> bool:
    """Whether what is encrypted with the key can be read now; what is not encrypted can."""
    if key_arn is None:
        return True
    key = key_named(key_arn, "", "")
    return key is not None and key.key_state == "Enabled" and not current().is_closed(str(key.account_id))


def check(call: Call, key_id: str, actions: Iterable[str], what: str, region: str | None = None) -> str:
    """The key's ARN, if the caller may let RDS do these things with it. ``what`` begins the refusal's words, such as
    ``The target KMS key``. ``region``: where it has to lie, None where its ARN says.

    Raises Refused.
    """
    refusal = Refused(
        "KMSKeyNotAccessibleFault",
        f"{what} [{key_id}] does not exist, is not enabled or you do not have permissions to access it.",
    )
    if key_id == DEFAULT:
        return str(default_key(call.account, region or call.region).arn)
    key = key_named(key_id, call.account, region or call.region)
    if key is None or not usable(str(key.arn)) or (region is not None and key.region != region):
        raise refusal
    if any(_denied(call, key, action) is not None for action in actions):
        raise refusal
    return str(key.arn)


def _denied(call: Call, key: Any, action: str) -> str | None:
    """The default key lets in whoever of its account comes by way of RDS, and nobody else."""
    if is_default(str(key.arn)):
        return None if str(key.account_id) == call.account else "because the key is another account's"
    call.request.also_used.append((action, str(key.arn)))
    if not current().iam_enforced:
        return None
    return key_denies(key, call.request.principal, action, _conditions(call.request, key))


def _conditions(request: Request, key: Any) -> Keys:
    """The condition keys of what RDS does with a key for a caller. Source: KMS developer guide, condition keys."""
    return {
        **iam.keys_of(request, current().clock.now()),
        "aws:viaawsservice": ("true",),
        "aws:calledvia": ("rds.amazonaws.com",),
        "kms:viaservice": (f"rds.{key.region}.amazonaws.com",),
        "kms:calleraccount": (request.account,),
        "kms:grantisforawsresource": ("true",),
        "kms:grantoperations": tuple(GRANTED),
        "kms:granteeprincipal": (f"rds.{key.region}.amazonaws.com",),
        "kms:keyspec": (str(key.key_spec),),
        "kms:keyusage": (str(key.key_usage),),
    }


# --- Grants ----------------------------------------------------------------------------------------------------------


def grant(key_arn: str | None, name: str) -> str | None:
    """A grant by which RDS goes on using the key until ``retire``; None where there is nothing to grant."""
    key = key_named(key_arn, "", "") if key_arn is not None else None
    if key is None:
        return None
    service = f"rds.{key.region}.amazonaws.com"
    return str(key.add_grant(name, service, GRANTED, constraints={}, retiring_principal=service).id)


def still_granted(key_arn: str | None, grant_id: str | None) -> bool:
    """Whether the key can be used and the grant has not been revoked."""
    if key_arn is None:
        return True
    key = key_named(key_arn, "", "")
    return usable(key_arn) and key is not None and grant_id in key.grants


def retire(key_arn: str | None, grant_id: str | None) -> None:
    key = key_named(key_arn, "", "") if key_arn is not None else None
    if key is not None and grant_id is not None:
        key.grants.pop(grant_id, None)


# --- Keys that are taken away ----------------------------------------------------------------------------------------


def _key_of(request: Request) -> Any | None:
    return key_named(str(request.json().get("KeyId", "")), request.account, request.region)


def disabling(request: Request) -> None:
    """moto carries it out; what is encrypted with the key becomes unreadable when RDS notices."""
    key = _key_of(request)
    if key is not None:
        _notice_later(str(key.account_id), str(key.region), str(key.arn))


def scheduling_deletion(request: Request) -> None:
    """As disabling, and after the waiting period the key is gone for good."""
    disabling(request)
    key = _key_of(request)
    if key is None:
        return
    due = current().clock.now() + timedelta(days=request.json().get("PendingWindowInDays", 30))
    current().clock.call_at(due, lambda: _delete(str(key.account_id), str(key.region), str(key.id)))


def _delete(account: str, region: str, key_id: str) -> None:
    backend = kms_backends[account][region]
    key = backend.keys.get(key_id)
    if key is None or key.key_state != "PendingDeletion" or key.deletion_date is None:
        return
    if key.deletion_date.timestamp() <= current().clock.now().timestamp():
        backend.delete_key(key_id)


def _notice_later(account: str, region: str, key_arn: str) -> None:
    later(account, frozenset({region}), NOTICED_SECONDS, lambda: _notice(key_arn))


def _notice(key_arn: str) -> None:
    if usable(key_arn):
        return
    for held in _encrypted_with(key_arn):
        if held.volume is not None and held.volume.server is not None and held.volume.server.running:
            held.volume.server.stop()
        held.status = LOST_FOR_NOW
        current().clock.call_later(RECOVERABLE.total_seconds(), lambda held=held: _lose(held))  # type: ignore[misc]


def _lose(held: Held) -> None:
    if held.status == LOST_FOR_NOW:
        held.status = LOST


def reopens(held: Held) -> bool:
    """Whether what was out of reach for its key can be started again: its key is back in time."""
    return held.status == LOST_FOR_NOW and usable(held.kms_key_id)


def _encrypted_with(key_arn: str) -> list[Held]:
    """What runs on storage that is encrypted with the key."""
    found: list[Held] = []
    for place in databases().regions.values():
        every: list[Instance | Cluster] = [*place.instances.values(), *place.clusters.values()]
        found += [held for held in every if held.kms_key_id == key_arn and held.status not in (LOST_FOR_NOW, LOST)]
    return found


# --- Keys of another account -----------------------------------------------------------------------------------------


def describe_key(request: Request) -> Response | None:
    """Describe a key of another account, named by its ARN; moto knows only the caller's own."""
    key = _of_another(request)
    if key is None:
        return None
    refusal = _refusal(request, key, "kms:DescribeKey")
    return refusal or json_response(200, key.to_dict())


def create_grant(request: Request) -> Response | None:
    """Grant the use of a key of another account whose policy lets the caller."""
    key = _of_another(request)
    if key is None:
        return None
    body = request.json()
    refusal = _refusal(request, key, "kms:CreateGrant")
    if refusal is not None:
        return refusal
    made = key.add_grant(
        body.get("Name", ""),
        body["GranteePrincipal"],
        body.get("Operations", []),
        constraints=body.get("Constraints", {}),
        retiring_principal=body.get("RetiringPrincipal", ""),
    )
    return json_response(200, {"GrantId": made.id, "GrantToken": made.token})


def _of_another(request: Request) -> Any | None:
    key_id = str(request.json().get("KeyId", ""))
    if not key_id.startswith("arn:") or key_id.count(":") < 5 or key_id.split(":")[4] == request.account:
        return None
    return key_named(key_id, request.account, request.region)


def _refusal(request: Request, key: Any, action: str) -> Response | None:
    if not current().iam_enforced:
        return None
    keys: Keys = {**iam.keys_of(request, current().clock.now()), "kms:calleraccount": (request.account,)}
    why = key_denies(key, request.principal, action, keys)
    if why is None:
        return None
    text = f"User: {request.principal.arn} is not authorized to perform: {action} on resource: {key.arn} {why}"
    return error_response(request, "AccessDeniedException", text)


def _by_arn_too(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, key_id: str, *more: Any) -> Any:
        return original(self, self.get_key_id(key_id), *more)

    return method


def begin(_: Simulation) -> None:
    """Nothing is kept here."""


OPERATIONS = {
    "kms:DisableKey": disabling,
    "kms:ScheduleKeyDeletion": scheduling_deletion,
    "kms:DescribeKey": describe_key,
    "kms:CreateGrant": create_grant,
}
REPLACEMENTS = tuple(
    Replacement(
        f"moto.kms.models:KmsBackend.{name}",
        _by_arn_too(getattr(KmsBackend, name)),
        "moto fails where the key is named by its ARN, as AWS lets one",
        digest=digest,
    )
    for name, digest in (
        ("disable_key", "1ff4941e3a72"),
        ("enable_key", "9bfe9d7ee5df"),
        ("schedule_key_deletion", "1b7e09ff9b72"),
        ("cancel_key_deletion", "7a719485219b"),
    )
)
