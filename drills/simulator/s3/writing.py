"""PutObject and CopyObject. Source: S3 API reference."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from moto.s3.models import FakeBucket
from moto.s3.notifications import S3NotificationEvent
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES

from drills.simulator.request import Response
from drills.simulator.s3 import lock
from drills.simulator.s3.attributes import (
    SSE,
    acl_in,
    check_write,
    encrypt_by,
    encryption_headers,
    failed_condition,
    keep_checksum,
    metadata_in,
    storage_class_in,
    tags_in,
)
from drills.simulator.s3.calls import (
    Call,
    Refusal,
    answering,
    document,
    empty,
    find_version,
    listed_time,
    precondition_failed,
    version_headers,
)
from drills.simulator.s3.changes import bucket_named, write
from drills.simulator.s3.checksums import ALGORITHMS, DEFAULT, Checksum, encoded, of_version
from drills.simulator.s3.payload import payload_of
from drills.simulator.s3.versions import Version

COPY_SOURCE = "x-amz-copy-source"
COPIED_BYTES = 5 * 1024**3
"""More is copied in parts."""
REDIRECT = "x-amz-website-redirect-location"
UNCHANGED = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)
MARKED = "The source of a copy request may not specifically refer to a delete marker by version id."
NOT_COPIED = frozenset({"content-md5"})


@answering
def put_object(call: Call) -> Response:
    if COPY_SOURCE in call.headers:
        return _copy(call)
    check_write(call)
    asked = lock.asked_lock(call.bucket, call.headers)
    granted = lock.lock_for(call.bucket, asked)
    if granted.mode is not None or granted.legal_hold == "ON":
        lock.check_integrity_given(call)
    payload = payload_of(call.request)
    version = Version(call.bucket, call.key, payload.body)
    version.set_metadata(metadata_in(call.headers))
    dress(call, version, call.headers, granted)
    keep_checksum(version, payload.checksum or Checksum(DEFAULT, encoded(DEFAULT, payload.body)))
    write(call.bucket, version, event=S3NotificationEvent.OBJECT_CREATED_PUT_EVENT)
    # S3 tells the null version's id of copies and deletions, but not of puts.
    told = version_headers(version, call.bucket) if version.version_id != "null" else {}
    headers = {"etag": version.etag, **told, **encryption_headers(version)}
    return empty(headers={**headers, **checksum_headers(version)})


def dress(call: Call, version: Version, headers: Mapping[str, str], granted: lock.Lock) -> None:
    """Give a version what the headers ask for, metadata and checksum excepted. Raises Refusal."""
    version.written_by = call.by
    version._storage_class = storage_class_in(headers)
    version.acl = acl_in(headers)
    version.tags = tags_in(headers)
    version.website_redirect_location = headers.get(REDIRECT)
    encrypt_by(headers, call.bucket, version)
    granted.put_on(version)


def checksum_headers(version: Version) -> dict[str, str]:
    checksum = of_version(version)
    if checksum is None:
        return {}
    return {checksum.header: checksum.shown, "x-amz-checksum-type": checksum.type}


# --- Copies ----------------------------------------------------------------------------------------------------------


@answering
def copy_object(call: Call) -> Response:
    return _copy(call)


def _copy(call: Call) -> Response:
    source_bucket, source, named = copy_source(call)
    if source.size > COPIED_BYTES:
        text = f"The specified copy source is larger than the maximum allowable size for a copy source: {COPIED_BYTES}"
        raise Refusal("InvalidRequest", text)
    check_write(call)
    _check_changes(call, source_bucket, source, named)
    granted = lock.lock_for(call.bucket, lock.asked_lock(call.bucket, call.headers))
    version = Version(call.bucket, call.key, source.value)
    if call.header("x-amz-metadata-directive") == "REPLACE":
        version.set_metadata(metadata_in(call.headers))
    else:
        version.set_metadata(source.metadata)
    dress(call, version, call.headers, granted)
    if call.header("x-amz-tagging-directive") != "REPLACE":
        version.tags = dict(source.tags)
    keep_checksum(version, _checksum_of_copy(call, source))
    write(call.bucket, version, event=S3NotificationEvent.OBJECT_CREATED_COPY_EVENT)
    checksum = of_version(version)
    content = f"<LastModified>{listed_time(version.last_modified)}</LastModified><ETag>{version.etag}</ETag>"
    if checksum is not None:
        content += f"<{checksum.element}>{checksum.value}</{checksum.element}><ChecksumType>FULL_OBJECT</ChecksumType>"
    headers = {**version_headers(version, call.bucket), **encryption_headers(version)}
    return document("CopyObjectResult", content, {**headers, **source_header(source)})


def source_header(source: Version) -> dict[str, str]:
    """S3 does not name the null version as a source."""
    return {} if source.version_id == "null" else {"x-amz-copy-source-version-id": source.version_id}


def copy_source(call: Call) -> tuple[FakeBucket, Version, bool]:
    """The bucket and the version that are copied from, and whether its version was named. Raises Refusal."""
    path, _, query = call.header(COPY_SOURCE).partition("?versionId=")
    name, _, key = unquote(path).removeprefix("/").partition("/")
    bucket = bucket_named(name)
    if bucket is None:
        raise Refusal("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
    try:
        source = find_version(bucket, key, unquote(query) or None)
    except Refusal as refusal:
        if refusal.code == "MethodNotAllowed":
            raise Refusal("InvalidRequest", MARKED) from None
        raise Refusal(refusal.code, refusal.message, refusal.status, None, **refusal.elements) from None
    failed = failed_condition(call.headers, source, "x-amz-copy-source-")
    if failed is not None:
        raise precondition_failed(f"x-amz-copy-source-{failed}")
    if is_archived(source):
        text = "Operation is not valid for the source object's storage class"
        raise Refusal("InvalidObjectState", text, 403, None, StorageClass=str(source.storage_class))
    return bucket, source, bool(query)


def is_archived(version: Version) -> bool:
    """Whether the version's bytes must be restored from the archive first."""
    if version.storage_class not in ARCHIVE_STORAGE_CLASSES:
        return False
    return version._expiry is None or version.status == "IN_PROGRESS"


def _check_changes(call: Call, source_bucket: FakeBucket, source: Version, named: bool) -> None:
    if source_bucket is not call.bucket or source.name != call.key:
        return
    changes = (
        call.header("x-amz-metadata-directive") == "REPLACE",
        "x-amz-storage-class" in call.headers,
        REDIRECT in call.headers,
        SSE in call.headers,
        bool(call.bucket.encryption),
        named and call.bucket.versioning_status is not None,
    )
    if not any(changes):
        raise Refusal("InvalidRequest", UNCHANGED)


def _checksum_of_copy(call: Call, source: Version) -> Checksum:
    """A copy has the checksum of the whole object, also where the source was uploaded in parts."""
    before = of_version(source)
    algorithm = call.header("x-amz-checksum-algorithm").upper()
    if algorithm and algorithm not in ALGORITHMS:
        raise unsupported_algorithm()
    algorithm = algorithm or (before.algorithm if before is not None else DEFAULT)
    if before is not None and before.algorithm == algorithm and before.type == "FULL_OBJECT":
        return before
    return Checksum(algorithm, encoded(algorithm, source.value))


def unsupported_algorithm() -> Refusal:
    kinds = ", ".join(sorted(ALGORITHMS))
    text = f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{kinds}]"
    return Refusal("InvalidRequest", text)


OPERATIONS = {"s3:PutObject": put_object, "s3:CopyObject": copy_object}
