"""How objects are written: at one go, in parts, as a copy of what is there; and how they are deleted and erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.clock import Clock
from drills.errors import ProtectionError
from drills.model import Write
from drills.stores.s3_buckets import delete_versions, error_code, is_locking, versions_of
from drills.stores.s3_objects import ARCHIVED, checksum, parsed, put_arguments, trusted_sha256

PART_BYTES = 5 * 1024 * 1024
"""The least that a part may have, but for the last. Source: S3 user guide, Multipart upload limits."""
ONE_GO_BYTES = 16 * 1024 * 1024
"""Larger bodies are uploaded in parts, as the AWS SDKs do."""
IN_PARTS_EVERY, COPIED_EVERY = 9, 4
"""Applications do not only put: every so many writes are uploaded in parts, or are copies where the body stays."""


def write_object(s3: Any, bucket: str, write: Write, body: bytes | None, clock: Clock) -> None:
    """Send one write. How a put is sent follows from its sequence, so that a seed gives the same calls."""
    if write.kind == "erase":
        erase_keys(s3, bucket, [write.key], clock)
    elif write.item is None or body is None:
        s3.delete_object(Bucket=bucket, Key=write.key)
    elif body and write.sequence % IN_PARTS_EVERY == 0:
        put_in_parts(s3, bucket, write.key, parsed(write.item), body)
    elif write.sequence % COPIED_EVERY or not _copied(s3, bucket, write.key, parsed(write.item)):
        put_object(s3, bucket, write.key, parsed(write.item), body)


def put_object(s3: Any, bucket: str, key: str, item: Mapping[str, Any], body: bytes) -> None:
    """Put an object with its checksum, which S3 verifies and keeps."""
    if len(body) > ONE_GO_BYTES:
        put_in_parts(s3, bucket, key, item, body)
        return
    digest = checksum(item["body"]["sha256"])
    s3.put_object(Bucket=bucket, Key=key, Body=body, ChecksumSHA256=digest, **put_arguments(item))


def put_in_parts(s3: Any, bucket: str, key: str, item: Mapping[str, Any], body: bytes) -> None:
    """Upload an object in parts; what was begun is taken back when it fails."""
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256", **put_arguments(item))
    upload = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
    try:
        parts = []
        for number, start in enumerate(range(0, len(body), PART_BYTES), 1):
            part = body[start : start + PART_BYTES]
            sent = s3.upload_part(**upload, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256")
            parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except (ClientError, BotoCoreError):
        # The first error is the one that matters; an upload that stays costs money until the lifecycle ends it.
        with suppress(ClientError, BotoCoreError):
            s3.abort_multipart_upload(**upload)
        raise


def _copied(s3: Any, bucket: str, key: str, item: Mapping[str, Any]) -> bool:
    """Where the body stays, the object is copied onto itself with its new headers and tags."""
    try:
        there = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey"):
            return False
        raise
    if trusted_sha256(there) != item["body"]["sha256"] or there.get("StorageClass") in ARCHIVED:
        return False
    s3.copy_object(
        Bucket=bucket,
        Key=key,
        CopySource={"Bucket": bucket, "Key": key},
        CopySourceIfMatch=there["ETag"],
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        ChecksumAlgorithm="SHA256",
        **put_arguments(item),
    )
    return True


def erase_keys(s3: Any, bucket: str, keys: Iterable[str], clock: Clock) -> None:
    """Erase persons' objects: every version of them, so that nobody brings them back from an older one.

    Raises ProtectionError where Object Lock in COMPLIANCE mode holds a version: what the law wants erased and what the
    bucket must keep is for people to decide.
    """
    bypass = is_locking(s3, bucket)
    versions = (version for key in keys for version in versions_of(s3, bucket, key))
    held = delete_versions(s3, bucket, versions, clock, bypass=bypass)
    if held:
        raise ProtectionError(
            f"bucket {bucket}: expected every version of {held[0].key} to be erased, found {len(held)} in all held by "
            "Object Lock until their retention ends. Keep what persons may have erased in a bucket without a default "
            "retention in COMPLIANCE mode, or shorten it."
        )
