"""RestoreObject: what lies in an archive is readable when the modelled time is up, for as many days as were asked for.

Source: S3 API reference, RestoreObject; S3 user guide, Restoring an archived object: Expedited 1–5 minutes (not from
Deep Archive), Standard 3–5 hours, Bulk 5–12; from Deep Archive within 12 and 48 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from moto.moto_api import state_manager
from moto.s3 import notifications
from moto.s3.notifications import S3NotificationEvent

from drills.simulator.dynamodb.underway import later
from drills.simulator.request import Response
from drills.simulator.s3.calls import Call, Refusal, answering, empty, named_version
from drills.simulator.s3.documents import malformed, read
from drills.simulator.s3.lifecycle_rules import midnight_after
from drills.simulator.s3.versions import Version
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

MODEL = "s3::keyrestore"
NEVER = {"progression": "manual", "times": 1 << 60}
"""moto moves a restore on when it is looked at; here the clock does."""
TIERS = ("Expedited", "Standard", "Bulk")
FROM_GLACIER = {tier: f"s3.restore_{tier.lower()}" for tier in TIERS}
FROM_DEEP_ARCHIVE = {tier: f"s3.restore_deep_{tier.lower()}" for tier in TIERS[1:]}
GB = 1e9


@dataclass(frozen=True, slots=True)
class Restoring:
    """A restore under way. ``tier`` can still be made a faster one."""

    tier: str
    days: int
    number: int


def begin(simulation: Simulation) -> None:
    state_manager.set_transition(MODEL, NEVER)
    simulation.on_exit.append(lambda: state_manager.unset_transition(MODEL))


@answering
def restore_object(call: Call) -> Response:
    version = named_version(call)
    asked = read(call.request.body, "RestoreRequest") if call.request.body else {}
    tier = (asked.get("GlacierJobParameters") or {}).get("Tier") or asked.get("Tier") or "Standard"
    rows = {"GLACIER": FROM_GLACIER, "DEEP_ARCHIVE": FROM_DEEP_ARCHIVE}.get(str(version.storage_class))
    if rows is None:
        text = "Restore is not allowed for the object's current storage class"
        raise Refusal("InvalidObjectState", text, 403, None, StorageClass=str(version.storage_class))
    if tier not in TIERS or int(asked.get("Days") or 0) < 1:
        raise malformed()
    if tier not in rows:
        text = f"Retrieval option is not supported by this storage class: {tier}"
        raise Refusal("InvalidRequest", text)
    days = int(asked["Days"])
    if version._expiry is not None and version.status == "RESTORED":
        _keep(call.bucket, version, days)
        return empty(200)
    _start(call.bucket, version, tier, days, rows[tier])
    return empty(202)


def _start(bucket: Any, version: Version, tier: str, days: int, row: str) -> None:
    before: Restoring | None = getattr(version, "restoring", None)
    if before is not None and TIERS.index(tier) >= TIERS.index(before.tier):
        raise Refusal("RestoreAlreadyInProgress", "Object restore is already in progress", 409)
    number = before.number + 1 if before is not None else 1
    under_way = Restoring(tier, days, number)
    version.restoring = under_way
    version._expiry, version.status = current().clock.now().replace(tzinfo=None), "IN_PROGRESS"
    notifications.send_event(bucket.account_id, S3NotificationEvent.OBJECT_RESTORE_POST_EVENT, bucket, version)
    modelled = current().begin(row, f"{bucket.arn}/{version.name}", Size(version.size / GB, 1))
    where = frozenset({str(bucket.region_name)})
    later(str(bucket.account_id), where, modelled.seconds, lambda: _done(bucket, version, under_way))


def _done(bucket: Any, version: Version, under_way: Restoring) -> None:
    if getattr(version, "restoring", None) is not under_way:
        return
    version.restoring = None
    version.status = "RESTORED"
    _keep(bucket, version, under_way.days)
    notifications.send_event(bucket.account_id, S3NotificationEvent.OBJECT_RESTORE_COMPLETED_EVENT, bucket, version)


def _keep(bucket: Any, version: Version, days: int) -> None:
    """Keep the restored copy this many days from now, to the midnight that follows."""
    until = midnight_after(current().clock.now() + timedelta(days=days))
    version._expiry = until.replace(tzinfo=None)
    current().clock.call_at(until, lambda: _forget(version, until))


def _forget(version: Version, until: datetime) -> None:
    """The restored copy is gone, unless it is to be kept longer by now."""
    if version._expiry == until.replace(tzinfo=None) and version.status == "RESTORED":
        version._expiry, version.status = None, None


OPERATIONS = {"s3:RestoreObject": restore_object}
