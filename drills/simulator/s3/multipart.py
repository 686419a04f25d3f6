"""Multipart uploads. Source: S3 API reference; S3 user guide, Uploading and copying objects using multipart upload."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from urllib.parse import quote
from xml.etree import ElementTree

import moto.s3.models
from moto.core.utils import utcnow
from moto.s3.notifications import S3NotificationEvent

from drills.simulator.request import Request, Response
from drills.simulator.s3 import lock
from drills.simulator.s3.attributes import acl_in, check_write, encryption_headers, keep_checksum, metadata_in, tags_in
from drills.simulator.s3.attributes import storage_class_in as checked_class
from drills.simulator.s3.calls import Call, Refusal, answering, document, empty, escaped, invalid_argument, listed_time
from drills.simulator.s3.calls import version_headers as id_headers
from drills.simulator.s3.changes import write
from drills.simulator.s3.checksums import ALGORITHMS, DEFAULT, Checksum, ChecksumType, digest, encoded, given
from drills.simulator.s3.documents import malformed
from drills.simulator.s3.payload import parsed_body, payload_of
from drills.simulator.s3.uploads import Part, Upload, checksum_element
from drills.simulator.s3.versions import Version
from drills.simulator.s3.writing import COPIED_BYTES, copy_source, dress, unsupported_algorithm

MOST_PARTS = 10_000
ALGORITHM, TYPE = "x-amz-checksum-algorithm", "x-amz-checksum-type"
RANGE = re.compile(r"bytes=(\d+)-(\d+)")
NO_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed."
)
NO_PART = (
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
    "entity tag may not match the part's entity tag."
)
CONFLICT = "The conditional request cannot succeed due to a conflicting operation against this resource."


@answering
def create_multipart_upload(call: Call) -> Response:
    algorithm, kind = _checksums_asked(call)
    asked = lock.asked_lock(call.bucket, call.headers)
    for check in (metadata_in, tags_in, acl_in, checked_class):
        check(call.headers)
    upload = Upload(call.bucket, call.key, call.headers, asked, algorithm, kind, call.by)
    call.bucket.multiparts[upload.id] = upload
    content = f"<Bucket>{call.bucket.name}</Bucket><Key>{escaped(call.key)}</Key><UploadId>{upload.id}</UploadId>"
    headers = {ALGORITHM: algorithm, TYPE: str(kind)} if algorithm is not None else {}
    return document("InitiateMultipartUploadResult", content, headers)


def _checksums_asked(call: Call) -> tuple[str | None, ChecksumType | None]:
    algorithm, kind = call.header(ALGORITHM).upper() or None, call.header(TYPE).upper() or None
    if algorithm is None:
        if kind is not None:
            text = f"The {TYPE} header can only be used with the {ALGORITHM} header."
            raise Refusal("InvalidRequest", text)
        return None, None
    if algorithm not in ALGORITHMS:
        raise unsupported_algorithm()
    if kind is None:
        return algorithm, "FULL_OBJECT" if algorithm == DEFAULT else "COMPOSITE"
    impossible = algorithm == DEFAULT if kind == "COMPOSITE" else algorithm.startswith("SHA")
    if impossible:
        text = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        raise Refusal("InvalidRequest", text)
    if kind not in ("COMPOSITE", "FULL_OBJECT"):
        raise Refusal("InvalidRequest", f"Value for {TYPE} header is invalid.")
    return algorithm, "COMPOSITE" if kind == "COMPOSITE" else "FULL_OBJECT"


def upload_named(call: Call) -> Upload:
    """Raises Refusal where the bucket has no such upload of this key."""
    identifier = call.asked.get("uploadId", "")
    upload: Upload | None = call.bucket.multiparts.get(identifier)
    if upload is None or upload.key_name != call.key:
        raise Refusal("NoSuchUpload", NO_UPLOAD, 404, None, UploadId=identifier)
    return upload


# --- Parts -----------------------------------------------------------------------------------------------------------


@answering
def upload_part(call: Call) -> Response:
    if "x-amz-copy-source" in call.headers:
        return _part_copy(call)
    number = _part_number(call)
    upload = upload_named(call)
    payload = payload_of(call.request)
    if upload.algorithm is not None:
        actual = payload.checksum.algorithm.lower() if payload.checksum is not None else "null"
        if actual != upload.algorithm.lower():
            expected = upload.algorithm.lower()
            text = (
                f"Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {actual}"
            )
            raise Refusal("InvalidRequest", text)
    part = _store(upload, number, payload.body, payload.checksum)
    headers = {"etag": f'"{part.etag}"'}
    if payload.checksum is not None:
        headers[payload.checksum.header] = payload.checksum.value
    return empty(headers=headers)


@answering
def upload_part_copy(call: Call) -> Response:
    return _part_copy(call)


def _part_copy(call: Call) -> Response:
    number = _part_number(call)
    upload = upload_named(call)
    _, source, _ = copy_source(call)
    body = _range_of(call, source)
    checksum = Checksum(upload.algorithm, encoded(upload.algorithm, body)) if upload.algorithm is not None else None
    part = _store(upload, number, body, checksum)
    content = f'<LastModified>{listed_time(part.last_modified)}</LastModified><ETag>"{part.etag}"</ETag>'
    if checksum is not None:
        content += checksum_element(checksum)
    headers = {} if source.version_id == "null" else {"x-amz-copy-source-version-id": source.version_id}
    return document("CopyPartResult", content, headers)


def _range_of(call: Call, source: Version) -> bytes:
    asked = call.header("x-amz-copy-source-range")
    body = source.value
    if asked:
        found = RANGE.fullmatch(asked)
        if found is None:
            text = (
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            )
            raise invalid_argument(
                f"{text}zero-based offsets of the first and last bytes to copy", "x-amz-copy-source-range", asked
            )
        first, last = int(found[1]), int(found[2])
        if first <= last and first >= source.size:
            raise Refusal("InvalidRequest", "The specified copy range is invalid for the source object size")
        if first > last or last >= source.size:
            text = f"Range specified is not valid for source object of size: {source.size}"
            raise invalid_argument(text, "x-amz-copy-source-range", asked)
        body = body[first : last + 1]
    if len(body) > COPIED_BYTES:
        text = f"The specified copy source is larger than the maximum allowable size for a copy source: {COPIED_BYTES}"
        raise Refusal("InvalidRequest", text)
    return body


def _part_number(call: Call) -> int:
    text = call.asked.get("partNumber", "")
    if not text.isdigit() or not 1 <= int(text) <= MOST_PARTS:
        message = f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
        raise invalid_argument(message, "partNumber", text)
    return int(text)


def _store(upload: Upload, number: int, body: bytes, checksum: Checksum | None) -> Part:
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    part = Part(number, body, etag, utcnow(), checksum if upload.algorithm is not None else None)
    upload.parts[number] = part
    return part


# --- Completion ------------------------------------------------------------------------------------------------------


@answering
def complete_multipart_upload(call: Call) -> Response:
    upload = upload_named(call)
    root = parsed_body(_without_checksums(call))
    if root.tag != "CompleteMultipartUpload":
        raise malformed()
    _check_type(call, upload)
    parts = _named_parts(upload, root.findall("Part"))
    body = b"".join(part.body for part in parts)
    checksum = _checksum(call, upload, parts, body)
    _check_size(call, len(body))
    check_write(call)
    if upload.touched and ("if-match" in call.headers or "if-none-match" in call.headers):
        condition = "If-Match" if "if-match" in call.headers else "If-None-Match"
        raise Refusal("ConditionalRequestConflict", CONFLICT, 409, None, Condition=condition, Key=call.key)
    version = _put_together(call, upload, parts, body)
    keep_checksum(version, checksum)
    del call.bucket.multiparts[upload.id]
    write(call.bucket, version, event=S3NotificationEvent.OBJECT_CREATED_COMPLETE_MULTIPART_UPLOAD_EVENT)
    return _completed(call, version, checksum)


def _put_together(call: Call, upload: Upload, parts: list[Part], body: bytes) -> Version:
    md5s = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
    version = Version(call.bucket, call.key, body, etag=etag)
    version.set_metadata(metadata_in(upload.headers))
    dress(call, version, upload.headers, lock.lock_for(call.bucket, upload.asked_lock))
    version.written_by = upload.by
    version.parts = tuple(replace(part.kept(), number=place) for place, part in enumerate(parts, 1))
    return version


def _completed(call: Call, version: Version, checksum: Checksum) -> Response:
    bucket = call.bucket
    location = f"https://{bucket.name}.s3.{bucket.region_name}.amazonaws.com/{quote(call.key, safe='/')}"
    content = (
        f"<Location>{escaped(location)}</Location><Bucket>{bucket.name}</Bucket><Key>{escaped(call.key)}</Key>"
        f"<ETag>{version.etag}</ETag><{checksum.element}>{checksum.shown}</{checksum.element}>"
        f"<ChecksumType>{checksum.type}</ChecksumType>"
    )
    headers = {**id_headers(version, bucket), **encryption_headers(version)}
    return document("CompleteMultipartUploadResult", content, headers)


def _without_checksums(call: Call) -> Request:
    """The checksums of a completion's headers are the object's, not those of the list of parts in its body."""
    headers = {name: value for name, value in call.request.headers.items() if not name.startswith("x-amz-checksum-")}
    return replace(call.request, headers=headers)


def _named_parts(upload: Upload, named: list[ElementTree.Element]) -> list[Part]:
    """The parts in their order. Raises Refusal where one was not uploaded so, or one before the last is too small."""
    if not named:
        raise Refusal("InvalidRequest", "You must specify at least one part")
    numbers = [_number(one) for one in named]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        text = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise Refusal("InvalidPartOrder", text, 400, None, UploadId=upload.id)
    parts = [_named_part(upload, number, one) for number, one in zip(numbers, named, strict=True)]
    least = moto.s3.models.S3_UPLOAD_PART_MIN_SIZE
    for part in parts[:-1]:
        if part.size < least:
            text = "Your proposed upload is smaller than the minimum allowed size"
            sizes = {"MinSizeAllowed": str(least), "ProposedSize": str(part.size)}
            raise Refusal("EntityTooSmall", text, 400, None, ETag=part.etag, PartNumber=str(part.number), **sizes)
    return parts


def _named_part(upload: Upload, number: int, named: ElementTree.Element) -> Part:
    etag = (named.findtext("ETag") or "").strip().strip('"')
    part = upload.parts.get(number)
    if part is None or part.etag != etag:
        raise _no_part(upload, number, etag)
    _check_part(upload, part, named)
    return part


def _number(part: ElementTree.Element) -> int:
    text = part.findtext("PartNumber") or ""
    if not text.isdigit():
        raise malformed()
    return int(text)


def _check_part(upload: Upload, part: Part, named: ElementTree.Element) -> None:
    """Raises Refusal where the checksum that the list gives of a part is not what was uploaded, or is missing."""
    told = {name: named.findtext(f"Checksum{name}") for name in ALGORITHMS if named.find(f"Checksum{name}") is not None}
    if upload.algorithm is None:
        if told:
            raise _no_part(upload, part.number, part.etag)
        return
    for name, value in told.items():
        if name != upload.algorithm:
            text = f"The {name.lower()} you specified for part {part.number} did not match what we received."
            raise Refusal("BadDigest", text)
        if part.checksum is None or value != part.checksum.value:
            raise _no_part(upload, part.number, part.etag)
    if not told and upload.checksum_type == "COMPOSITE":
        text = (
            f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must include "
            f"the checksum for each part. It was missing for part {part.number} in the request."
        )
        raise Refusal("InvalidRequest", text)


def _no_part(upload: Upload, number: int, etag: str) -> Refusal:
    return Refusal("InvalidPart", NO_PART, 400, None, UploadId=upload.id, PartNumber=str(number), ETag=etag)


def _check_type(call: Call, upload: Upload) -> None:
    asked = call.headers.get(TYPE)
    if asked is not None and asked != upload.checksum_type:
        begun = upload.checksum_type or "null"
        text = (
            f"The upload was created using the {begun} checksum mode. The complete request must use the same checksum "
            "mode."
        )
        raise Refusal("InvalidRequest", text)


def _checksum(call: Call, upload: Upload, parts: list[Part], body: bytes) -> Checksum:
    """The object's checksum. Raises Refusal where the call gives another."""
    algorithm = upload.algorithm or DEFAULT
    if upload.checksum_type == "COMPOSITE":
        value = encoded(algorithm, b"".join(digest(algorithm, part.body) for part in parts))
        found = Checksum(algorithm, value, "COMPOSITE", len(parts))
    else:
        found = Checksum(algorithm, encoded(algorithm, body))
    told = given(call.headers)
    # Without its type, a checksum is taken for a composite one, which that of the whole object never equals.
    fits = told == (algorithm, found.shown) and (found.type == "COMPOSITE" or TYPE in call.headers)
    if told is not None and upload.algorithm is not None and not fits:
        raise Refusal("BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.")
    return found


def _check_size(call: Call, size: int) -> None:
    told = call.headers.get("x-amz-mp-object-size")
    if told is not None and told != str(size):
        text = f"The provided 'x-amz-mp-object-size' header value {told} does not match what was computed: {size}"
        raise Refusal("InvalidRequest", text)


@answering
def abort_multipart_upload(call: Call) -> Response:
    del call.bucket.multiparts[upload_named(call).id]
    return empty(204)


OPERATIONS = {
    "s3:CreateMultipartUpload": create_multipart_upload,
    "s3:UploadPart": upload_part,
    "s3:UploadPartCopy": upload_part_copy,
    "s3:CompleteMultipartUpload": complete_multipart_upload,
    "s3:AbortMultipartUpload": abort_multipart_upload,
}
