"""The vault's side of a copy: the bucket, locked and closed to all but replication, and its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from drills.bucket_copy.model import SOURCE, BucketCopy, Clients
from drills.bucket_copy.policies import copy_policy, key_policy, reading
from drills.bucket_rollback.unspeakable import apart
from drills.errors import ProtectionError
from drills.presence import exists

OURS = "BucketAlreadyOwnedByYou"
PUBLIC_ACCESS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
LIFECYCLE_RULE = "drills-noncurrent"
PENDING_DAYS = 30
HELD = ("AccessDenied", "InvalidRequest")
"""What S3 says of a version that Object Lock holds."""


def make_copy_bucket(copy: BucketCopy, clients: Clients) -> None:
    """Versioned, locked, closed to the public, owned by the vault. Safe to repeat."""
    s3 = clients("vault", "s3")
    _create(copy, s3)
    s3.put_bucket_versioning(**copy.copy, VersioningConfiguration={"Status": "Enabled"})
    s3.put_public_access_block(**copy.copy, PublicAccessBlockConfiguration=dict.fromkeys(PUBLIC_ACCESS, True))
    s3.put_bucket_ownership_controls(
        **copy.copy, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    s3.put_object_lock_configuration(**copy.copy, ObjectLockConfiguration=lock_configuration(copy))
    if copy.tags:
        s3.put_bucket_tagging(**copy.copy, Tagging={"TagSet": copy.tag_list})
    if copy.options.noncurrent_days:
        s3.put_bucket_lifecycle_configuration(**copy.copy, LifecycleConfiguration={"Rules": [_expiry(copy)]})
    elif exists(lambda: s3.get_bucket_lifecycle_configuration(**copy.copy)) is not None:
        s3.delete_bucket_lifecycle(**copy.copy)


def put_copy_policy(copy: BucketCopy, clients: Clients) -> None:
    """The bucket's policy. The role that it names must be there by now, or S3 refuses it."""
    clients("vault", "s3").put_bucket_policy(**copy.copy, Policy=json.dumps(copy_policy(copy)))


def _create(copy: BucketCopy, s3: Any) -> None:
    place = {} if copy.vault_region == "us-east-1" else {"LocationConstraint": copy.vault_region}
    request: dict[str, Any] = {"Bucket": copy.copy_bucket, "ObjectLockEnabledForBucket": True}
    if place:
        request["CreateBucketConfiguration"] = place
    if exists(lambda: s3.head_bucket(**copy.copy)) is not None:
        return
    try:
        s3.create_bucket(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] == OURS:
            return
        raise ProtectionError(
            f"bucket {copy.copy_bucket} in account {copy.vault_account}, {copy.vault_region}: expected to make it for "
            f"the copy of {copy.source_bucket}, S3 refused: {error}. Give the copy another name."
        ) from error


def lock_configuration(copy: BucketCopy) -> dict[str, Any]:
    retention = {"Mode": copy.options.lock_mode.upper(), "Days": copy.options.lock_days}
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}


def _expiry(copy: BucketCopy) -> dict[str, Any]:
    return {
        "ID": LIFECYCLE_RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": copy.options.noncurrent_days},
    }


# --- What the vault remembers of the source ------------------------------------------------------------------------


def remember_source(copy: BucketCopy, clients: Clients, source: Mapping[str, Any]) -> None:
    """Keep what a restore must know of the source when that is gone; written only where it changed."""
    if remembered_source(copy, clients) != source:
        clients("vault", "s3").put_object(**copy.copy, Key=SOURCE, Body=json.dumps(source, sort_keys=True).encode())


def remembered_source(copy: BucketCopy, clients: Clients) -> Mapping[str, Any]:
    """Empty where nothing was remembered yet."""
    found = exists(lambda: clients("vault", "s3").get_object(**copy.copy, Key=SOURCE))
    return {} if found is None else dict(json.loads(found["Body"].read()))


# --- The key -------------------------------------------------------------------------------------------------------


def make_key(copy: BucketCopy, clients: Clients) -> str:
    """The ARN of the vault's key for replicas of encrypted objects; made where it is not there."""
    kms = clients("vault", "kms")
    found = exists(lambda: kms.describe_key(KeyId=copy.key_alias))
    policy = json.dumps(key_policy(copy))
    if found is not None:
        arn = str(found["KeyMetadata"]["Arn"])
        kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=policy)
        return arn
    tags = [{"TagKey": key, "TagValue": value} for key, value in copy.tags.items()]
    made = kms.create_key(Description=key_description(copy), Policy=policy, Tags=tags)
    arn = str(made["KeyMetadata"]["Arn"])
    kms.create_alias(AliasName=copy.key_alias, TargetKeyId=arn)
    return arn


def key_description(copy: BucketCopy) -> str:
    return f"replicas of {copy.source_bucket}"


# --- Reading grants ------------------------------------------------------------------------------------------------


@contextmanager
def readable_by(s3: Any, bucket: Mapping[str, str], account: str) -> Iterator[None]:
    """Let an account read a bucket for a while; its policy is as before afterwards."""
    before = exists(lambda: s3.get_bucket_policy(**bucket))
    policy = json.loads(before["Policy"]) if before else {"Version": "2012-10-17", "Statement": []}
    statements = reading(bucket["Bucket"], account, f"ForNow{account}")
    s3.put_bucket_policy(**bucket, Policy=json.dumps({**policy, "Statement": [*policy["Statement"], *statements]}))
    try:
        yield
    finally:
        if before:
            s3.put_bucket_policy(**bucket, Policy=before["Policy"])
        else:
            s3.delete_bucket_policy(**bucket)


# --- The end -------------------------------------------------------------------------------------------------------


def remove_vault_side(copy: BucketCopy, clients: Clients) -> Iterator[Callable[[], Any]]:
    """The steps that delete it all. Versions under a compliance lock stay, and the bucket with them."""
    s3, kms = clients("vault", "s3"), clients("vault", "kms")
    yield lambda: _empty(copy, s3)
    yield lambda: s3.delete_bucket(**copy.copy)
    found = exists(lambda: kms.describe_key(KeyId=copy.key_alias))
    if found is not None:
        yield lambda: kms.delete_alias(AliasName=copy.key_alias)
        yield lambda: kms.schedule_key_deletion(KeyId=found["KeyMetadata"]["Arn"], PendingWindowInDays=PENDING_DAYS)


def _empty(copy: BucketCopy, s3: Any) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(**copy.copy):
        listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if not listed:
            continue
        named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed]
        together, alone = apart(named)
        _delete_together(copy, s3, together)
        for one in alone:
            try:
                s3.delete_object(**copy.copy, **one, BypassGovernanceRetention=True)
            except ClientError as error:
                if error.response["Error"]["Code"] not in HELD:
                    raise
                raise _held(copy, {"Key": one["Key"], **error.response["Error"]}) from error


def _delete_together(copy: BucketCopy, s3: Any, objects: list[dict[str, str]]) -> None:
    if not objects:
        return
    answer = s3.delete_objects(**copy.copy, Delete={"Objects": objects, "Quiet": True}, BypassGovernanceRetention=True)
    if answer.get("Errors"):
        raise _held(copy, answer["Errors"][0])


def _held(copy: BucketCopy, refused: Mapping[str, Any]) -> ProtectionError:
    return ProtectionError(
        f"bucket {copy.copy_bucket}, key {refused['Key']!r}: expected to delete it, S3 refused: {refused['Code']} "
        f"{refused.get('Message', '')}. Locked versions can be deleted when their retention is over."
    )
