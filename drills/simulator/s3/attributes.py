"""What belongs to an object beside its bytes: metadata, tags, storage class, ACL, encryption, and conditions on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from moto.s3.models import FakeAcl, FakeBucket, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import STORAGE_CLASS

from drills.simulator.s3.calls import (
    NO_KEY,
    Call,
    Refusal,
    aware,
    invalid_argument,
    not_implemented,
    precondition_failed,
)
from drills.simulator.s3.changes import encrypt
from drills.simulator.s3.checksums import Checksum
from drills.simulator.s3.versions import PRIVATE, Version

CONTENT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
CANNED = frozenset(
    {
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
        "log-delivery-write",
    }
)
META = "x-amz-meta-"
METADATA_BYTES = 2048
SSE = "x-amz-server-side-encryption"
TAGS = 10
TAG_KEY, TAG_VALUE = 128, 256
TAG_TEXT = re.compile(r"[\w\s+\-=.:/@]*")
"""Letters, digits and blanks of any script and a few signs. Source: S3 user guide, Categorizing objects using tags."""
TAGGED_BADLY = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
    "duplicates."
)


def metadata_in(headers: Mapping[str, str]) -> dict[str, str]:
    """The metadata that these headers give, the content's type among it. Raises Refusal where it is too large."""
    found = {name: value for name, value in headers.items() if name.startswith(META)}
    size = sum(len(name) - len(META) + len(value.encode()) for name, value in found.items())
    if size > METADATA_BYTES:
        text = "Your metadata headers exceed the maximum allowed metadata size"
        raise Refusal("MetadataTooLarge", text, Size=str(size), MaxSizeAllowed=str(METADATA_BYTES))
    found.update((name, headers[name]) for name in CONTENT_HEADERS if headers.get(name))
    return found


def tags_in(headers: Mapping[str, str]) -> dict[str, str]:
    """The tags of ``x-amz-tagging``. Raises Refusal."""
    given = headers.get("x-amz-tagging", "")
    pairs = parse_qsl(given, keep_blank_values=True)
    # What the header says twice is another error than what a document says twice.
    if len(pairs) <= TAGS and (len(dict(pairs)) < len(pairs) or any(part.count("=") > 1 for part in given.split("&"))):
        raise invalid_argument(TAGGED_BADLY, "x-amz-tagging", given)
    return checked_tags(pairs)


def checked_tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Raises Refusal for what cannot be an object's tags."""
    if len(pairs) > TAGS:
        raise Refusal("BadRequest", "Object tags cannot be greater than 10")
    tags = dict(pairs)
    if len(tags) < len(pairs):
        raise Refusal("InvalidTag", "Cannot provide multiple Tags with the same key")
    for key, value in tags.items():
        if key.startswith("aws:"):
            raise Refusal("InvalidTag", "Your TagKey cannot be prefixed with aws:")
        if not key or len(key) > TAG_KEY or not TAG_TEXT.fullmatch(key):
            raise Refusal("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > TAG_VALUE or not TAG_TEXT.fullmatch(value):
            raise Refusal("InvalidTag", "The TagValue you have provided is invalid", TagKey=key, TagValue=value)
    return tags


def acl_in(headers: Mapping[str, str]) -> FakeAcl:
    """The ACL that these headers give; without any, an object is private. Raises Refusal."""
    canned = headers.get("x-amz-acl")
    if canned is None and not any(name.startswith("x-amz-grant-") for name in headers):
        return PRIVATE
    if canned is not None and canned not in CANNED:
        raise invalid_argument("", "x-amz-acl", canned)
    found: FakeAcl | None = S3Response._acl_from_headers(None, dict(headers))
    return PRIVATE if found is None else found


def storage_class_in(headers: Mapping[str, str]) -> str:
    """Raises Refusal."""
    asked = headers.get("x-amz-storage-class", "STANDARD")
    if asked not in STORAGE_CLASS:
        text = "The storage class you specified is not valid"
        raise Refusal("InvalidStorageClass", text, StorageClassRequested=asked)
    return asked


def encrypt_by(headers: Mapping[str, str], bucket: FakeBucket, version: Version) -> None:
    bucket_key = headers.get(f"{SSE}-bucket-key-enabled")
    key_id = headers.get(f"{SSE}-aws-kms-key-id")
    encrypt(bucket, version, headers.get(SSE), key_id, None if bucket_key is None else bucket_key.lower())


def keep_checksum(version: Version, checksum: Checksum) -> None:
    version.checksum_algorithm, version.checksum_value = checksum.algorithm, checksum.value
    version.checksum_type = checksum.type
    version.checksum_parts = checksum.parts or None


def encryption_headers(version: Version) -> dict[str, str]:
    if version.encryption is None:
        return {}
    headers = {SSE: str(version.encryption)}
    if str(version.encryption).startswith("aws:kms"):
        if version.kms_key_id is not None:
            headers[f"{SSE}-aws-kms-key-id"] = str(version.kms_key_id)
        if version.bucket_key_enabled is not None:
            headers[f"{SSE}-bucket-key-enabled"] = str(version.bucket_key_enabled).lower()
    return headers


# --- Conditions ------------------------------------------------------------------------------------------------------


def check_write(call: Call) -> None:
    """Raises Refusal where a condition on what the key holds now does not hold.

    Source: S3 user guide, How to prevent object overwrites with conditional writes.
    """
    match, none_match = call.headers.get("if-match"), call.headers.get("if-none-match")
    if match is None and none_match is None:
        return
    if match is not None and none_match is not None:
        raise not_implemented("If-Match,If-None-Match", "Multiple conditional request headers present in the request")
    for name, value, refused in (("If-Match", match, match == "*"), ("If-None-Match", none_match, none_match != "*")):
        if value is not None and refused:
            raise not_implemented(name, f"We don't accept the provided value of {name} header for this API")
    latest: Any = call.bucket.keys.latest(call.key)
    exists = isinstance(latest, Version)
    if none_match is not None and exists:
        raise precondition_failed("If-None-Match")
    if match is not None:
        if not exists:
            raise Refusal("NoSuchKey", NO_KEY, 404, None, Key=call.key)
        if not same_etag(match, latest):
            raise precondition_failed("If-Match")


def same_etag(given: str, version: Version) -> bool:
    """S3 does not mind the quotes."""
    return given.strip().strip('"') == str(version.etag).strip('"')


def failed_condition(headers: Mapping[str, str], version: Version, prefix: str = "") -> str | None:
    """The condition on reading that does not hold, None when all do. Source: RFC 7232, section 6.

    A date in the future is no condition.
    """
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    modified = aware(version.last_modified).replace(microsecond=0)
    unmodified_since = _date(headers.get(f"{prefix}if-unmodified-since"))
    modified_since = _date(headers.get(f"{prefix}if-modified-since"))
    if match is not None:
        if match != "*" and not same_etag(match, version):
            return "If-Match"
    elif unmodified_since is not None and modified > unmodified_since:
        return "If-Unmodified-Since"
    if none_match is not None:
        if none_match == "*" or same_etag(none_match, version):
            return "If-None-Match"
    elif modified_since is not None and modified <= modified_since <= datetime.now(UTC):
        return "If-Modified-Since"
    return None


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return aware(parsedate_to_datetime(text))
    except ValueError:
        return None


def owner_backend(bucket: FakeBucket) -> Any:
    """moto's backend of the account that owns the bucket."""
    return s3_backends[bucket.account_id][bucket.partition]
