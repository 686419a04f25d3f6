"""roll_back: every key of a bucket as it was at a moment, from its own versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from drills.bucket_rollback.checkpoint import Checkpoint
from drills.bucket_rollback.copying import Copying, Keep
from drills.bucket_rollback.deciding import decide
from drills.bucket_rollback.doing import Doing, carry_out
from drills.bucket_rollback.errors import RollBackRefused
from drills.bucket_rollback.listing import keys_of
from drills.bucket_rollback.report import Report, Tally, Tell


def roll_back(
    s3: Any,
    bucket: str,
    to: datetime,
    prefix: str = "",
    *,
    workers: int = 8,
    keep: Keep = "everything",
    checkpoint: Checkpoint | None = None,
    progress: Callable[[int, str], None] | None = None,
    tell: Tell | None = None,
    dry_run: bool = False,
    owner: str | None = None,
    copying: Mapping[str, Any] | None = None,
) -> Report:
    """Put every key of the bucket, or of the prefix, back to its state at ``to``; nothing is destroyed.

    ``to`` has a zone. S3 tells whole seconds, so what was written within the second of ``to`` counts as later. A
    deleted key gets its delete marker taken away; an overwritten one gets its old version copied onto it; one that was
    born later is set aside below a delete marker. What cannot come back is named in the report: versions deleted for
    good as far as their traces tell, null versions overwritten while versioning was suspended, archived objects. A
    newest version deleted for good above an older one leaves no trace here; a copy of the bucket still knows it.

    The keys are streamed: memory does not grow with the bucket. ``workers`` batches of keys are worked on at a time.
    ``checkpoint`` lets an interrupted run go on; it stays behind the first key that failed. ``progress`` is called with
    the count of keys so far and the last one; ``tell`` with each outcome but ``kept``. ``owner`` is the account that
    the bucket must belong to. ``copying``: further arguments of Copying, such as ``part_bytes``.

    The workload may go on writing, but what it writes to a key before that key's turn is taken for later than ``to``.
    Raises RollBackRefused before anything is done, RollBackStopped with the key it stopped at, botocore's errors.
    """
    if to.tzinfo is None:
        raise RollBackRefused(f"roll back to {to.isoformat()}: expected a time with a zone, such as 2026-01-05T09:00Z")
    if to > datetime.now(UTC):
        raise RollBackRefused(f"roll back to {to.isoformat()}: expected a moment that has passed; it has not come yet")
    expected = {"ExpectedBucketOwner": owner} if owner else {}
    _require_versioning(s3, bucket, expected, dry_run)
    job = {"bucket": bucket, "prefix": prefix, "to": to.astimezone(UTC).isoformat()}
    after_key = checkpoint.last_key(job) if checkpoint is not None else ""
    how = Copying(
        s3,
        s3,
        bucket,
        bucket,
        keep,
        retention=_locked(s3, bucket, expected),
        grants=_grants(s3, bucket, expected),
        source_owner=owner,
        target_owner=owner,
        **(copying or {}),
    )
    tally = Tally(tell)
    listed = keys_of(s3, bucket, prefix, after_key=after_key, owner=owner)
    with how.quickly() as quick:
        carry_out(
            Doing(s3, bucket, owner, quick, dry_run),
            (decide(entries, to) for _, entries in listed),
            tally,
            workers=workers,
            checkpoint=None if checkpoint is None or dry_run else (checkpoint, job),
            progress=progress,
        )
    return tally.report(bucket, prefix, to, dry_run, after_key)


def _require_versioning(s3: Any, bucket: str, expected: Mapping[str, str], dry_run: bool) -> None:
    status = s3.get_bucket_versioning(Bucket=bucket, **expected).get("Status")
    if status == "Enabled" or (status == "Suspended" and dry_run):
        return
    if status == "Suspended":
        raise RollBackRefused(
            f"bucket {bucket}: expected versioning to be enabled, found it suspended. A delete marker or a copy would "
            "now destroy the null version below it. Enable versioning first; the versions that are there stay."
        )
    raise RollBackRefused(
        f"bucket {bucket}: expected versioning to be enabled, found that it never was. There are no versions to go "
        "back to; restore from a copy of the bucket."
    )


def _locked(s3: Any, bucket: str, expected: Mapping[str, str]) -> bool:
    try:
        found = s3.get_object_lock_configuration(Bucket=bucket, **expected)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return bool(found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")


def _grants(s3: Any, bucket: str, expected: Mapping[str, str]) -> bool:
    """Whether ACLs are in force. A bucket without ownership controls is from before they were off by default."""
    try:
        found = s3.get_bucket_ownership_controls(Bucket=bucket, **expected)
    except ClientError as error:
        if error.response["Error"]["Code"] == "OwnershipControlsNotFoundError":
            return True
        raise
    rules = found["OwnershipControls"]["Rules"]
    return not any(rule["ObjectOwnership"] == "BucketOwnerEnforced" for rule in rules)
