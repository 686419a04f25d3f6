"""What the approved plan does not list is not sent: checked on every call that changes something, right before it is.

The plan lists calls by account role, service and operation, as its rehearsal sent them, and what deletes the things
that it makes. What only reads is allowed as a class: how often one waits and looks, no plan can tell.

It listens to the events of the boto3 clients that a world hands out. Source of the events: botocore, ``Extensibility
guide``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drills.errors import ProtectionError
from drills.guard_rules import READS
from drills.model import AccountRole

OTHER_OPERATIONS = {"s3:DeleteObject": ("DeleteObject", "DeleteObjects"), "s3:DeleteObjectVersion": ()}
"""Actions of IAM's that allow operations of other names. Source: service authorization reference, Amazon S3."""
PlannedCall = tuple[AccountRole, str, str]
"""The account role, the service and the operation."""


@dataclass(frozen=True, slots=True)
class PlannedCalls:
    """The calls that may be sent. ``plan``: how a message names what lists them. Services by either of their names."""

    plan: str
    calls: frozenset[PlannedCall]

    def watch(self, client: Any, role: AccountRole) -> None:
        """Let no call of this client pass that changes something and is not listed."""

        def sending(model: Any, **_: Any) -> None:
            service = model.service_model
            # Actions of IAM's go by the name that requests are signed with: s3control's are those of s3.
            names = (service.service_name, service.service_id.hyphenize(), service.signing_name)
            self.check(role, names, model.name)

        client.meta.events.register("before-call", sending, unique_id="drills-planned-calls")

    def check(self, role: AccountRole, service: tuple[str, ...], operation: str) -> None:
        """Raises ProtectionError for a call that is not listed. ``service``: its names."""
        if operation.startswith(READS) or "sts" in service:
            return
        if any((role, name, operation) in self.calls for name in service):
            return
        raise ProtectionError(
            f"{service[0]} {operation} as {role}: expected a call that {self.plan} lists, found one that it does not. "
            "It was not sent. Look at `drills plan --on` again: what runs is what was approved and nothing else."
        )


def deleting(permissions: Iterable[tuple[AccountRole, str]]) -> frozenset[PlannedCall]:
    """The calls that these actions allow: ``("vault", "s3:DeleteBucket")`` → ``("vault", "s3", "DeleteBucket")``."""
    return frozenset(
        (role, action.partition(":")[0], operation)
        for role, action in permissions
        for operation in OTHER_OPERATIONS.get(action, (action.partition(":")[2],))
    )
