"""GetObject, HeadObject and GetObjectAttributes. Source: S3 API reference."""

from __future__ import annotations

from collections.abc import Mapping

from drills.simulator.request import Response
from drills.simulator.s3.attributes import encryption_headers, failed_condition
from drills.simulator.s3.calls import (
    Call,
    Refusal,
    answering,
    document,
    header_time,
    invalid_argument,
    named_version,
    precondition_failed,
    request_ids,
    version_headers,
)
from drills.simulator.s3.checksums import of_version
from drills.simulator.s3.versions import Version
from drills.simulator.s3.writing import checksum_headers, is_archived

OVERRIDES = {
    "response-content-type": "content-type",
    "response-content-language": "content-language",
    "response-expires": "expires",
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
}
FROM_MOTO = ("x-amz-storage-class", "x-amz-restore", "x-amz-replication-status", "x-amz-expiration")


@answering
def get_object(call: Call) -> Response:
    version = named_version(call)
    if is_archived(version):
        text = "The operation is not valid for the object's storage class"
        raise Refusal("InvalidObjectState", text, 403, None, StorageClass=str(version.storage_class))
    return _read(call, version)


@answering
def head_object(call: Call) -> Response:
    version = named_version(call)
    status, headers, _ = _read(call, version)
    return status, headers, b""


def _read(call: Call, version: Version) -> Response:
    version.advance()
    failed = failed_condition(call.headers, version)
    if failed in ("If-None-Match", "If-Modified-Since"):
        headers = {"etag": version.etag, "last-modified": header_time(version.last_modified)}
        raise Refusal("NotModified", "Not Modified", 304, {**headers, **version_headers(version, call.bucket)})
    if failed is not None:
        raise precondition_failed(failed)
    headers = {**request_ids(), **headers_of(call, version)}
    part = call.asked.get("partNumber")
    if part is not None:
        if call.header("range"):
            raise Refusal("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
        return _part(call, version, part, headers)
    asked = span(call.header("range"), version.size)
    if asked is None:
        if call.header("x-amz-checksum-mode").upper() == "ENABLED":
            headers.update(checksum_headers(version))
        return 200, {**headers, "content-length": str(version.size)}, version.value
    begin, end = asked
    return _piece(version, begin, end, headers)


def headers_of(call: Call, version: Version) -> dict[str, str]:
    """What is told of a version beside its bytes and checksum."""
    held = version.response_dict
    headers = {
        **version.metadata,
        "etag": version.etag,
        "last-modified": header_time(version.last_modified),
        "accept-ranges": "bytes",
        **version_headers(version, call.bucket),
        **encryption_headers(version),
        **{name: str(held[name]) for name in FROM_MOTO if held.get(name)},
        **_lock_headers(version),
    }
    if version.replication_status is not None:
        headers["x-amz-replication-status"] = version.replication_status
    if version.website_redirect_location:
        headers["x-amz-website-redirect-location"] = version.website_redirect_location
    if version.tags:
        headers["x-amz-tagging-count"] = str(len(version.tags))
    headers.update((header, call.asked[name]) for name, header in OVERRIDES.items() if name in call.asked)
    return headers


def _lock_headers(version: Version) -> dict[str, str]:
    found = {
        "x-amz-object-lock-mode": version.lock_mode,
        "x-amz-object-lock-retain-until-date": version.lock_until,
        "x-amz-object-lock-legal-hold": version.lock_legal_status,
    }
    return {name: value for name, value in found.items() if value}


# --- Parts of an object ----------------------------------------------------------------------------------------------


def span(text: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte of a ``Range``, None where the whole is answered. Raises Refusal outside the object.

    What S3 cannot read, and several ranges in one, it answers with the whole.
    """
    unit, equals, asked = text.partition("=")
    first, dash, last = asked.partition("-")
    if unit.strip() != "bytes" or not equals or not dash or "," in asked:
        return None
    first, last = first.strip(), last.strip()
    if not (first or last) or not all(not one or one.isdigit() for one in (first, last)):
        return None
    if not first:
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
    if begin >= size or (not first and int(last) == 0):
        message = "The requested range is not satisfiable"
        raise Refusal("InvalidRange", message, 416, None, RangeRequested=text, ActualObjectSize=str(size))
    return begin, end


def _piece(version: Version, begin: int, end: int, headers: Mapping[str, str]) -> Response:
    body = version.value[begin : end + 1]
    told = {"content-range": f"bytes {begin}-{end}/{version.size}", "content-length": str(len(body))}
    return 206, {**headers, **told}, body


def _part(call: Call, version: Version, text: str, headers: dict[str, str]) -> Response:
    """One part of a multipart upload; any other object is its own only part."""
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise invalid_argument("Part number must be an integer between 1 and 10000, inclusive", "partNumber", text)
    number = int(text)
    if number > max(1, len(version.parts)):
        message = "The requested partnumber is not satisfiable"
        actual = str(len(version.parts) or 1)
        raise Refusal("InvalidPartNumber", message, 416, None, PartNumberRequested=text, ActualPartCount=actual)
    asked = call.header("x-amz-checksum-mode").upper() == "ENABLED"
    if not version.parts:
        told = checksum_headers(version) if asked else {}
        if version.size == 0:
            return 206, {**headers, **told, "content-length": "0"}, b""
        return _piece(version, 0, version.size - 1, {**headers, **told})
    begin = sum(part.size for part in version.parts[: number - 1])
    part = version.parts[number - 1]
    headers["x-amz-mp-parts-count"] = str(len(version.parts))
    if asked and version.checksum_type == "COMPOSITE" and part.checksum is not None:
        headers.update({part.checksum.header: part.checksum.value, "x-amz-checksum-type": "COMPOSITE"})
    if part.size == 0:
        return 206, {**headers, "content-length": "0"}, b""
    return _piece(version, begin, begin + part.size - 1, headers)


# --- Attributes ------------------------------------------------------------------------------------------------------


@answering
def get_object_attributes(call: Call) -> Response:
    version = named_version(call)
    wanted = {one.strip() for one in call.header("x-amz-object-attributes").split(",")}
    content = ""
    if "ETag" in wanted:
        content += f"<ETag>{version.etag.strip(chr(34))}</ETag>"
    checksum = of_version(version)
    if "Checksum" in wanted and checksum is not None:
        value = f"<{checksum.element}>{checksum.value}</{checksum.element}>"
        content += f"<Checksum>{value}<ChecksumType>{checksum.type}</ChecksumType></Checksum>"
    if "ObjectParts" in wanted and version.parts:
        content += _object_parts(call, version)
    if "StorageClass" in wanted:
        content += f"<StorageClass>{version.storage_class}</StorageClass>"
    if "ObjectSize" in wanted:
        content += f"<ObjectSize>{version.size}</ObjectSize>"
    headers = {"last-modified": header_time(version.last_modified), **version_headers(version, call.bucket)}
    return document("GetObjectAttributesResponse", content, headers)


def _object_parts(call: Call, version: Version) -> str:
    """S3 tells the parts one by one only where each has a checksum of its own."""
    total = f"<PartsCount>{len(version.parts)}</PartsCount>"
    if version.checksum_type != "COMPOSITE":
        return f"<ObjectParts>{total}</ObjectParts>"
    most = int(call.header("x-amz-max-parts") or 1000)
    after = int(call.header("x-amz-part-number-marker") or 0)
    following = [part for part in version.parts if part.number > after]
    shown = following[:most]
    parts = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><Size>{part.size}</Size>{part.checksum_element}</Part>"
        for part in shown
    )
    last = shown[-1].number if shown else 0
    paging = (
        f"<PartNumberMarker>{after}</PartNumberMarker><NextPartNumberMarker>{last}</NextPartNumberMarker>"
        f"<MaxParts>{most}</MaxParts><IsTruncated>{str(len(following) > len(shown)).lower()}</IsTruncated>"
    )
    return f"<ObjectParts>{total}{paging}{parts}</ObjectParts>"


OPERATIONS = {
    "s3:GetObject": get_object,
    "s3:HeadObject": head_object,
    "s3:GetObjectAttributes": get_object_attributes,
}
