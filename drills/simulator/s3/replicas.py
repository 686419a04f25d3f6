"""Making a replica: who must allow it, what of the original it keeps, and what the destination gives it.

Source: S3 user guide, What does Amazon S3 replicate; Setting up permissions for live replication; Changing the replica
owner; Replicating encrypted objects; Using Object Lock with S3 Replication.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.s3.models import FakeBucket
from moto.s3.notifications import S3NotificationEvent

from drills.simulator.s3 import access, changes, lock
from drills.simulator.s3.access import ENFORCED, ownership
from drills.simulator.s3.rights import REPLICATION, Denied, RoleOfService
from drills.simulator.s3.rules import Rule
from drills.simulator.s3.versions import PRIVATE, Marker, Version

KMS = ("aws:kms", "aws:kms:dsse")
ENCRYPT = ("kms:Encrypt", "kms:GenerateDataKey")
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")


def can_leave(rule: Rule, version: Version) -> bool:
    """Whether the rule takes this kind of object at all: not what is archived, nor encrypted without its say."""
    if version.storage_class in ARCHIVED:
        return False
    return version.encryption not in KMS or rule.kms_key is not None


def send(source: FakeBucket, version: Version | Marker, rule: Rule, role_arn: str) -> None:
    """Carry a version, or what has changed of it, to the rule's destination. Raises Denied."""
    role = RoleOfService(role_arn, REPLICATION, str(source.region_name))
    target = changes.bucket_named(rule.destination)
    if target is None:
        raise Denied(f"the destination bucket {rule.destination} does not exist")
    if target.versioning_status != "Enabled":
        raise Denied(f"versioning of the destination bucket {rule.destination} is not enabled")
    if rule.account is not None and rule.account != str(target.account_id):
        raise Denied(f"the destination bucket {rule.destination} is not of account {rule.account}")
    role.must(("s3:GetReplicationConfiguration",), _arn(source))
    if isinstance(version, Marker):
        _send_marker(role, source, version, target)
    else:
        _send_object(role, source, version, target, rule)


def _arn(bucket: FakeBucket, key: str = "") -> str:
    return f"arn:{bucket.partition}:s3:::{bucket.name}" + (f"/{key}" if key else "")


def _send_marker(role: RoleOfService, source: FakeBucket, marker: Marker, target: FakeBucket) -> None:
    role.must(("s3:ListBucket",), _arn(source))
    role.must(("s3:ReplicateDelete",), _arn(target, marker.name))
    if target.keys.find(marker.name, marker.version_id) is None:
        placed = changes.mark(
            target, marker.name, cause="replica", by=str(source.account_id), keeping_id=marker.version_id
        )
        placed.last_modified = marker.last_modified
        placed.replication_status = "REPLICA"


def _send_object(role: RoleOfService, source: FakeBucket, version: Version, target: FakeBucket, rule: Rule) -> None:
    _check_rights(role, source, version, target, rule)
    _check_keys(role, source, version, target, rule)
    if version.lock_mode or version.lock_legal_status == "ON":
        role.must(("s3:GetObjectRetention", "s3:GetObjectLegalHold"), _arn(source, version.name))
        if not target.object_lock_enabled:
            raise Denied(f"{version.name} is locked, and Object Lock of the bucket {target.name} is not enabled")
    present: Any = target.keys.find(version.name, version.version_id)
    if isinstance(present, Version) and present.etag == version.etag:
        _dress(version, present, source, target, rule)
    elif present is None or version.version_id == "null":
        _place(version, source, target, rule)


def _check_rights(role: RoleOfService, source: FakeBucket, version: Version, target: FakeBucket, rule: Rule) -> None:
    reading = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"]
    writing = ["s3:ReplicateObject"]
    if version.tags:
        reading.append("s3:GetObjectVersionTagging")
        writing.append("s3:ReplicateTags")
    if rule.owner is not None:
        writing.append("s3:ObjectOwnerOverrideToBucketOwner")
    role.must(reading, _arn(source, version.name))
    role.must(writing, _arn(target, version.name))
    if access.owner_of(source, version) != str(source.account_id) and not getattr(
        version, "shared_with_bucket_owner", False
    ):
        raise Denied(f"{version.name} is owned by another account, which has not let the bucket's owner read it")


def _check_keys(role: RoleOfService, source: FakeBucket, version: Version, target: FakeBucket, rule: Rule) -> None:
    if version.encryption not in KMS:
        return
    if version.kms_key_id:
        role.must_use("kms:Decrypt", version.kms_key_id, str(source.account_id), str(source.region_name))
    role.must_use("kms:Encrypt", str(rule.kms_key), str(target.account_id), str(target.region_name))


def _place(version: Version, source: FakeBucket, target: FakeBucket, rule: Rule) -> None:
    """A new version in the destination with the original's id, time and place in the order of writing."""
    replica = Version(target, version.name, version.body, etag=str(version.etag).strip('"'))
    for name in ("parts", "website_redirect_location", "multipart", "last_modified"):
        setattr(replica, name, getattr(version, name))
    for name in ("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts"):
        setattr(replica, name, getattr(version, name))
    replica._metadata = copy.copy(version._metadata)
    replica._storage_class = rule.storage_class or version.storage_class
    replica.encryption, replica.bucket_key_enabled = version.encryption, version.bucket_key_enabled
    if version.encryption in KMS:
        replica.kms_key_id = rule.kms_key
    elif version.encryption is None:
        changes.encrypt(target, replica, None, None)
    replica.sequence = version.sequence
    lock.lock_for(target, None).put_on(replica)
    replica.replication_status = "REPLICA"
    _dress(version, replica, source, target, rule, fresh=True)
    created = S3NotificationEvent.OBJECT_CREATED_PUT_EVENT
    changes.write(target, replica, cause="replica", event=created, keeping_id=version.version_id)


def _dress(
    version: Version, replica: Version, source: FakeBucket, target: FakeBucket, rule: Rule, *, fresh: bool = False
) -> None:
    """Give the replica the tags, ACL, owner and lock that the original has now; ``fresh``: it has just been made."""
    replica.tags = dict(version.tags)
    if ownership(target) == ENFORCED or rule.owner is not None:
        replica.written_by, replica.acl = str(target.account_id), PRIVATE
    else:
        replica.written_by, replica.acl = access.owner_of(source, version), version.acl
    until, kept = lock.until_of(version), lock.until_of(replica)
    if version.lock_mode and until is not None and (fresh or kept is None or until > kept or not _binding(replica)):
        replica.lock_mode, replica.lock_until = version.lock_mode, version.lock_until
    if version.lock_legal_status is not None:
        replica.lock_legal_status = version.lock_legal_status


def _binding(replica: Version) -> bool:
    """Whether a retention of the replica's own can be neither shortened nor taken away."""
    return replica.lock_mode == "COMPLIANCE" and lock.retained(replica)
