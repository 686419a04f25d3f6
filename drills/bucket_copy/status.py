"""How old, how whole and how safe a copy is: from both sides, and from the vault alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from drills.bucket_copy.compare import Comparison, both, compare, encrypted_by_kms
from drills.bucket_copy.deletions import seen_at
from drills.bucket_copy.model import RESERVED, RULE, BucketCopy, Clients
from drills.bucket_copy.policies import copy_policy
from drills.bucket_copy.production_side import replication_of, wanted_rule
from drills.bucket_copy.vault_side import PUBLIC_ACCESS, lock_configuration
from drills.bucket_rollback import Entry, keys_of
from drills.presence import exists


@dataclass(frozen=True, slots=True)
class Status:
    """What is not as it should be is told in words, empty where all is well.

    ``missing``: versions of the source that the copy does not have, yet or at all. S3 is asked about a sample of them:
    ``pending``, ``failed``, or ``uncovered``, which it was never told to replicate, with ``first_failed`` and
    ``left_out`` naming keys. ``lag_seconds``: how long the oldest that is pending has waited. ``altered``: keys of the
    copy that are not as the source wrote them, or not any more as the source has them.
    """

    keys: int
    versions: int
    lag_seconds: float
    pending: int
    failed: int
    uncovered: int
    missing: int
    left_out: tuple[str, ...]
    first_failed: tuple[str, ...]
    altered: tuple[str, ...]
    rule: tuple[str, ...]
    unprotected: tuple[str, ...]
    key: tuple[str, ...]
    deletions_seen: datetime | None
    newest: datetime | None


def status(copy: BucketCopy, clients: Clients, now: datetime) -> Status:
    """From both sides, by two listings and a look at what they do not agree on. Reads only."""
    found = compare(both(copy, clients), every_version=not copy.options.noncurrent_days)
    production = clients("production", "s3")
    said: dict[str, list[tuple[str, Entry]]] = {"PENDING": [], "FAILED": [], "COMPLETED": [], "": []}
    for key, entry in found.missing.some:
        said[_replication_status(copy, production, key, entry)].append((key, entry))
    waited = [(now - entry.modified).total_seconds() for _, entry in said["PENDING"]]
    rule, key_arn = _rule(copy, production)
    return Status(
        keys=found.keys,
        versions=found.versions,
        lag_seconds=max(waited, default=0.0),
        pending=len(said["PENDING"]),
        failed=len(said["FAILED"]),
        uncovered=len(said[""]),
        missing=found.missing.count,
        left_out=_names(said[""]),
        first_failed=_names(said["FAILED"]),
        altered=_altered(copy, clients, found, said["COMPLETED"]),
        rule=tuple(rule),
        unprotected=tuple(_unprotected(copy, clients("vault", "s3"))),
        key=tuple(_key(clients, key_arn)),
        deletions_seen=seen_at(copy, clients),
        newest=found.newest,
    )


def newest_write(copy: BucketCopy, clients: Clients) -> datetime | None:
    """When the newest version that the copy holds was written, from the vault alone; None for an empty copy."""
    listed = keys_of(clients("vault", "s3"), copy.copy_bucket, owner=copy.vault_account)
    times = (
        entry.modified
        for key, entries in listed
        if not key.startswith(RESERVED)
        for entry in entries
        if not entry.marker
    )
    return max(times, default=None)


def _names(found: list[tuple[str, Entry]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key, _ in found))


def _replication_status(copy: BucketCopy, s3: Any, key: str, entry: Entry) -> str:
    try:
        told = s3.head_object(**copy.source, Key=key, VersionId=entry.version_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchVersion", "NoSuchKey"):
            return "PENDING"  # Deleted since it was listed: nothing to wait for, and nothing to complain of.
        raise
    said = str(told.get("ReplicationStatus", ""))
    return "COMPLETED" if said in ("COMPLETE", "COMPLETED") else said if said in ("PENDING", "FAILED") else ""


def _altered(copy: BucketCopy, clients: Clients, found: Comparison, gone: list[tuple[str, Entry]]) -> tuple[str, ...]:
    production = clients("production", "s3")
    told = [f"{key!r} was replicated and is gone from the copy" for key, _ in gone]
    told += [_covered(copy, clients("vault", "s3"), key, entry) for key, entry in found.covered.some]
    told += [
        f"{key!r} differs in size or content"
        for key, entry in found.differing.some
        if not encrypted_by_kms(production, copy.source, key, entry)
    ]
    return tuple(told)


def _covered(copy: BucketCopy, vault: Any, key: str, entry: Entry) -> str:
    """Why the newest of the copy is not the source's: a replica came from production, and all else did not."""
    if entry.marker:
        return f"{key!r} is below a delete marker that is not the source's"
    told = exists(lambda: vault.head_object(**copy.copy, Key=key, VersionId=entry.version_id)) or {}
    if told.get("ReplicationStatus") == "REPLICA":
        return f"{key!r} has an older version current in production, where its newest was deleted for good"
    return f"{key!r} is below a version that is not the source's"


# --- As it was deployed? -------------------------------------------------------------------------------------------


def _rule(copy: BucketCopy, s3: Any) -> tuple[list[str], str | None]:
    """What is not right about the rule, and the key that it names."""
    found = replication_of(copy, s3)
    rule = next((one for one in found.get("Rules", []) if one.get("ID") == RULE), None)
    if rule is None:
        return [f"{copy.source_bucket} has no rule {RULE}"], None
    encryption = rule["Destination"].get("EncryptionConfiguration", {})
    key_arn = encryption.get("ReplicaKmsKeyID")
    wrong = [] if found["Role"] == copy.role_arn else [f"the role is {found['Role']}, expected {copy.role_arn}"]
    if exists(lambda: s3.get_bucket_versioning(**copy.source)).get("Status") != "Enabled":
        wrong.append(f"versioning of {copy.source_bucket} is not enabled, and without it nothing is replicated")
    if key_arn is None and _encrypts_by_kms(copy, s3):
        wrong.append("objects are encrypted by KMS, and the rule does not say that they are replicated")
    wanted = wanted_rule(copy, key_arn)
    wanted["Priority"] = rule.get("Priority")
    for name, value in wanted.items():
        if not _says(rule.get(name), value):
            wrong.append(f"{name} is {json.dumps(rule.get(name))}, expected {json.dumps(value)}")
    return wrong, key_arn


def _says(found: Any, wanted: Any) -> bool:
    """Whether S3's answer says what was asked for; it may say more, and leave out what is empty."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_says(found.get(name), value) for name, value in wanted.items())
    return bool(found == wanted or (not wanted and not found))


def _encrypts_by_kms(copy: BucketCopy, s3: Any) -> bool:
    found = exists(lambda: s3.get_bucket_encryption(**copy.source))
    rules = found["ServerSideEncryptionConfiguration"]["Rules"] if found else []
    return any(
        str(rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "")).startswith("aws:kms")
        for rule in rules
    )


def _unprotected(copy: BucketCopy, s3: Any) -> list[str]:
    weak = []
    status = s3.get_bucket_versioning(**copy.copy).get("Status", "never enabled")
    if status != "Enabled":
        weak.append(f"versioning is {status}")
    lock = exists(lambda: s3.get_object_lock_configuration(**copy.copy))
    found = lock["ObjectLockConfiguration"] if lock else {}
    if not _says(found, lock_configuration(copy)):
        retention = found.get("Rule", {}).get("DefaultRetention", {})
        weak.append(f"Object Lock is {json.dumps(retention) if retention else 'without a default retention'}")
    policy = exists(lambda: s3.get_bucket_policy(**copy.copy))
    if policy is None or json.loads(policy["Policy"]) != copy_policy(copy):
        weak.append("the bucket's policy is not the one that was put there")
    block = exists(lambda: s3.get_public_access_block(**copy.copy))
    if not block or not all(block["PublicAccessBlockConfiguration"].get(name) for name in PUBLIC_ACCESS):
        weak.append("public access is not blocked")
    return weak


def _key(clients: Clients, key_arn: str | None) -> list[str]:
    if key_arn is None:
        return []
    found = exists(lambda: clients("vault", "kms").describe_key(KeyId=key_arn))
    if found is None:
        return [f"key {key_arn} is gone"]
    state = found["KeyMetadata"]["KeyState"]
    return [] if state == "Enabled" else [f"key {key_arn} is {state}"]


def age_seconds(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else (now - moment.astimezone(UTC)).total_seconds()
