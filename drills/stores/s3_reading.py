"""Reading a bucket back: every object with its digest, headers and tags, by key, page by page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from drills.clock import Clock
from drills.model import Observed
from drills.stores.s3_buckets import error_code, in_order
from drills.stores.s3_config import BucketConfig
from drills.stores.s3_objects import observed, trusted_sha256

CHUNK_BYTES = 1 << 20
GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion"})


def key_pages(s3: Any, bucket: str, prefix: str = "") -> Iterator[list[str]]:
    """The keys of all objects that are there, page by page."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield [entry["Key"] for entry in page.get("Contents", [])]


def read_bucket(s3: Any, bucket: str, config: BucketConfig, clock: Clock) -> Iterator[Observed]:
    """Every object, by key. No body is read twice, and none whose checksum in S3 can be trusted.

    ``config.read_every_byte`` trusts none.
    """

    def read(key: str) -> Observed | None:
        return read_object(s3, bucket, key, config)

    for keys in key_pages(s3, bucket):
        yield from (found for found in in_order(clock, read, keys) if found is not None)


def read_object(s3: Any, bucket: str, key: str, config: BucketConfig) -> Observed | None:
    """One object in canonical form, None when it has gone since it was listed."""
    asked = {"Bucket": bucket, "Key": key}
    try:
        answer, digest = _answer_and_digest(s3, asked, config)
        version = {"VersionId": answer["VersionId"]} if answer.get("VersionId") else {}
        tagging = s3.get_object_tagging(**asked, **version)["TagSet"]
    except ClientError as error:
        if error_code(error) in GONE:
            return None
        raise
    return Observed(key, observed(config, answer, digest, {tag["Key"]: tag["Value"] for tag in tagging}))


def _answer_and_digest(s3: Any, asked: Mapping[str, str], config: BucketConfig) -> tuple[Mapping[str, Any], str]:
    if not config.read_every_byte:
        head: Mapping[str, Any] = s3.head_object(**asked, ChecksumMode="ENABLED")
        digest = trusted_sha256(head)
        if digest is not None:
            return head, digest
    answer: Mapping[str, Any] = s3.get_object(**asked)
    return answer, body_digest(answer)


def body_digest(answer: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of the body of a GET, read once and not kept."""
    digest = hashlib.sha256()
    with answer["Body"] as body:
        for chunk in iter(lambda: body.read(CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()
