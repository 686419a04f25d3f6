"""The one seam through which a bucket's versions come into being and go.

A put, a copy, the completion of a multipart upload, a replica, a delete marker and the deletion of a version all end
here, and everybody who must know of it listens here. Source: S3 user guide, How S3 Versioning works, Adding objects to
versioning-suspended buckets, Deleting objects from versioning-suspended buckets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from moto.s3 import notifications
from moto.s3.exceptions import AccessDeniedByLock, InvalidStorageClass
from moto.s3.models import FakeBucket, FakeKey, s3_backends
from moto.s3.notifications import S3NotificationEvent
from moto.s3.utils import STORAGE_CLASS

from drills.simulator.replaced import Replacement
from drills.simulator.s3.identifiers import NULL, sequence_of, version_id
from drills.simulator.s3.versions import UNWRITTEN, Marker, Version
from drills.simulator.state import Simulation, current

Kind = Literal["put", "marker", "version_deleted"]
Cause = Literal["user", "replica", "lifecycle", "restore"]


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What happened to one key of a bucket.

    ``account`` owns the bucket and ``region`` is where it lies. ``version`` is what was written or deleted: a
    ``Version`` with all that belongs to it, or a ``Marker``. ``by`` is the account that did it.
    """

    bucket_name: str
    account: str
    region: str
    key: str
    version_id: str
    kind: Kind
    at: datetime
    cause: Cause
    version: Version | Marker
    by: str


Observer = Callable[[ObjectChange], None]

observers: list[Observer] = []
"""Told of every change, in the order of writing. A part adds its own in ``begin``, after this one's has emptied it."""

_sequence: Iterator[int] = itertools.count(1)


def begin(simulation: Simulation) -> None:
    global _sequence  # Like moto's backends, the order of writing is the process's.
    _sequence = itertools.count(1)
    observers.clear()
    simulation.on_exit.append(observers.clear)


def bucket_named(name: str) -> FakeBucket | None:
    """The bucket, whoever owns it; None when there is none of this name."""
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        return None
    partition, account = owner
    found: FakeBucket | None = s3_backends[account][partition].buckets.get(name)
    return found


def write(
    bucket: FakeBucket,
    version: Version,
    *,
    cause: Cause = "user",
    event: S3NotificationEvent | None = None,
    keeping_id: str | None = None,
) -> Version:
    """Make a complete version, metadata, tags and lock included, the bucket's.

    Where versioning is enabled it gets an id of its own, else it is the null version, and the null version of before is
    gone. ``keeping_id`` is the id of the version that this one replicates: it takes its place in the order of writing.
    """
    _place(bucket, version, keeping_id)
    version._is_versioned = bucket.versioning_status is not None
    bucket.keys.add(version)
    _tell(bucket, version, "put", cause, version.written_by)
    if event is not None:
        notifications.send_event(bucket.account_id, event, bucket, version)
    return version


def mark(
    bucket: FakeBucket,
    name: str,
    *,
    cause: Cause = "user",
    by: str = "",
    keeping_id: str | None = None,
) -> Marker:
    """Write a delete marker: one with an id where versioning is enabled, the null one where it is suspended."""
    marker = Marker(bucket, name)
    _place(bucket, marker, keeping_id)
    bucket.keys.add(marker)
    _tell(bucket, marker, "marker", cause, by)
    event = S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
    notifications.send_event(bucket.account_id, event, bucket, marker)
    return marker


def remove(bucket: FakeBucket, version: Version | Marker, *, cause: Cause = "user", by: str = "") -> None:
    """Delete a version or a marker for good. Whether a lock forbids it is asked before."""
    bucket.keys.remove(version)
    version.dispose()
    _tell(bucket, version, "version_deleted", cause, by)
    notifications.send_event(bucket.account_id, S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT, bucket, version)


def delete(bucket: FakeBucket, name: str, *, cause: Cause = "user", by: str = "") -> Marker | None:
    """What a deletion without a version id does: a marker, or in a bucket that was never versioned the object's end."""
    if bucket.versioning_status is not None:
        return mark(bucket, name, cause=cause, by=by)
    null = bucket.keys.find(name, NULL)
    if null is not None:
        remove(bucket, null, cause=cause, by=by)
    return None


def _place(bucket: FakeBucket, version: Version | Marker, keeping_id: str | None) -> None:
    """Give the version its id and its place in the order of writing."""
    if keeping_id is not None:
        version._version_id = keeping_id
        if version.sequence == UNWRITTEN:
            version.sequence = _sequence_kept(keeping_id)
        return
    if version.sequence == UNWRITTEN:
        version.sequence = next(_sequence)
    if bucket.versioning_status == "Enabled":
        version._version_id = version_id(version.sequence, current().rng("s3.version_ids").randbytes(12))
    else:
        version._version_id = NULL


def _sequence_kept(identifier: str) -> int:
    sequence = sequence_of(identifier)
    return sequence if sequence is not None else next(_sequence)


def _tell(bucket: FakeBucket, version: Version | Marker, kind: Kind, cause: Cause, by: str) -> None:
    for upload in bucket.multiparts.values():
        if upload.key_name == version.name:
            upload.touched = True
    if not observers:
        return
    change = ObjectChange(
        bucket_name=str(bucket.name),
        account=str(bucket.account_id),
        region=str(bucket.region_name),
        key=version.name,
        version_id=version.version_id,
        kind=kind,
        at=current().clock.now(),
        cause=cause,
        version=version,
        by=by or str(bucket.account_id),
    )
    for observer in list(observers):
        observer(change)


# --- What moto itself writes and deletes -----------------------------------------------------------------------------


def put_object(
    self: Any,
    bucket_name: str,
    key_name: str,
    value: bytes | str,
    storage: str | None = None,
    etag: str | None = None,
    multipart: Any = None,
    encryption: str | None = None,
    kms_key_id: str | None = None,
    bucket_key_enabled: Any = None,
    lock_mode: str | None = None,
    lock_legal_status: str | None = None,
    lock_until: str | None = None,
    checksum_value: str | None = None,
    request_method: str | None = "PUT",
    disable_notification: bool | None = False,
) -> Version:
    """In place of ``S3Backend.put_object``: uploads by form, exports, logs and what other services of moto write."""
    if storage is not None and storage not in STORAGE_CLASS:
        raise InvalidStorageClass(storage=storage)
    bucket = self.get_bucket(bucket_name)
    body = value.encode() if isinstance(value, str) else value
    version = Version(bucket, key_name, body, etag=etag)
    version._storage_class = storage or "STANDARD"
    version.lock_mode, version.lock_until, version.lock_legal_status = lock_mode, lock_until, lock_legal_status
    version.checksum_value = checksum_value
    version.written_by = str(self.account_id)
    encrypt(bucket, version, encryption, kms_key_id, bucket_key_enabled)
    created = S3NotificationEvent.OBJECT_CREATED_PUT_EVENT
    if request_method == "POST":
        created = S3NotificationEvent.OBJECT_CREATED_POST_EVENT
    return write(bucket, version, event=None if disable_notification else created)


def encrypt(
    bucket: FakeBucket, version: Version, algorithm: str | None, kms_key_id: str | None, bucket_key_enabled: Any = None
) -> None:
    """Encrypt a version as the call asks for it, else as the bucket does by default."""
    default = bucket.encryption["Rule"] if bucket.encryption else {}
    by_default = default.get("ApplyServerSideEncryptionByDefault", {})
    version.encryption = algorithm or by_default.get("SSEAlgorithm") or "AES256"
    version.kms_key_id = kms_key_id or (by_default.get("KMSMasterKeyID") if not algorithm else None)
    version.bucket_key_enabled = bucket_key_enabled or default.get("BucketKeyEnabled")


def delete_object(
    self: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: bool = False
) -> tuple[bool, dict[str, Any]]:
    """In place of ``S3Backend.delete_object``: what other services of moto delete. A lock holds against them too."""
    bucket = self.get_bucket(bucket_name)
    if version_id is None:
        marker = delete(bucket, key_name, by=str(self.account_id))
        return True, {} if marker is None else {"version-id": marker.version_id, "delete-marker": "true"}
    version = bucket.keys.find(key_name, version_id)
    if version is None:
        return False, {}
    if isinstance(version, FakeKey) and version.is_locked(governance_bypass=bypass):
        raise AccessDeniedByLock
    remove(bucket, version, by=str(self.account_id))
    return True, {"version-id": version_id}


DESTROYS = "moto destroys older versions when versioning is suspended, and tells nobody of what it writes"
REPLACEMENTS = (
    Replacement("moto.s3.models:S3Backend.put_object", put_object, DESTROYS, "db803f2da9d7"),
    Replacement("moto.s3.models:S3Backend.delete_object", delete_object, DESTROYS, "5c1677b52971"),
)
