"""ListMultipartUploads and ListParts. Source: S3 API reference."""

from __future__ import annotations

from drills.simulator.request import Response
from drills.simulator.s3.calls import Call, answering, document, escaped, invalid_argument, listed_time
from drills.simulator.s3.listing import MOST_KEYS, OWNER, OWNER_ID, Page, number_asked, page_asked
from drills.simulator.s3.multipart import upload_named
from drills.simulator.s3.uploads import Upload, checksum_element

INITIATOR = f"<Initiator><ID>{OWNER_ID}</ID></Initiator>"
MOST_PART_NUMBERS = 2_147_483_647


@answering
def list_multipart_uploads(call: Call) -> Response:
    page = page_asked(call, "max-uploads")
    key_marker, id_marker = call.asked.get("key-marker", ""), call.asked.get("upload-id-marker", "")
    for upload in _behind(call, page, key_marker, id_marker):
        under = page.common_prefix(upload.key_name)
        if under is not None and (page.prefixes[-1:] == [under] or under == key_marker):
            continue
        if page.is_full():
            break
        page.last, page.last_version = under or upload.key_name, "" if under else upload.id
        if under is not None:
            page.prefixes.append(under)
        else:
            page.entries.append(_upload_entry(page, upload))
    head = [
        ("Bucket", str(call.bucket.name)),
        ("Prefix", page.shown(page.prefix)),
        ("KeyMarker", page.shown(key_marker)),
        ("UploadIdMarker", escaped(id_marker)),
        ("NextKeyMarker", page.shown(page.last)),
        ("NextUploadIdMarker", page.last_version),
        ("Delimiter", page.shown(page.delimiter)),
        ("EncodingType", page.encoding),
    ]
    told = "".join(f"<{name}>{value}</{name}>" for name, value in head if value or name.endswith("Marker"))
    told += f"<MaxUploads>{page.most}</MaxUploads><IsTruncated>{str(page.truncated).lower()}</IsTruncated>"
    return document("ListMultipartUploadsResult", told + "".join(page.entries) + page.common())


def _behind(call: Call, page: Page, key_marker: str, id_marker: str) -> list[Upload]:
    """The uploads under the prefix and behind the markers, by their keys and, of one key, in the order of beginning."""
    uploads: list[Upload] = sorted(call.bucket.multiparts.values(), key=lambda one: one.key_name)
    found = [one for one in uploads if one.key_name.startswith(page.prefix) and one.key_name >= key_marker]
    of_marker = [one.id for one in found if one.key_name == key_marker]
    begun = of_marker.index(id_marker) + 1 if id_marker in of_marker else len(of_marker)
    return [one for one in found if one.key_name != key_marker or not key_marker or one.id in of_marker[begun:]]


def _upload_entry(page: Page, upload: Upload) -> str:
    checksum = ""
    if upload.algorithm is not None:
        checksum = f"<ChecksumAlgorithm>{upload.algorithm}</ChecksumAlgorithm>"
        checksum += f"<ChecksumType>{upload.checksum_type}</ChecksumType>"
    storage = upload.headers.get("x-amz-storage-class", "STANDARD")
    return (
        f"<Upload><Key>{page.shown(upload.key_name)}</Key><UploadId>{upload.id}</UploadId>{INITIATOR}{OWNER}"
        f"<StorageClass>{storage}</StorageClass><Initiated>{listed_time(upload.initiated)}</Initiated>{checksum}</Upload>"
    )


@answering
def list_parts(call: Call) -> Response:
    upload = upload_named(call)
    after, most = _part_marker(call), number_asked(call, "max-parts", MOST_KEYS, MOST_KEYS)
    following = [part for number, part in sorted(upload.parts.items()) if number > after]
    shown = following[:most]
    parts = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><LastModified>{listed_time(part.last_modified)}</LastModified>"
        f'<ETag>"{part.etag}"</ETag><Size>{part.size}</Size>'
        f"{checksum_element(part.checksum) if part.checksum is not None else ''}</Part>"
        for part in shown
    )
    elements = {
        "Bucket": str(call.bucket.name),
        "Key": escaped(call.key),
        "UploadId": upload.id,
        "PartNumberMarker": str(after),
        "NextPartNumberMarker": str(shown[-1].number if shown else 0),
        "MaxParts": str(most),
        "IsTruncated": str(len(following) > len(shown)).lower(),
        "StorageClass": upload.headers.get("x-amz-storage-class", "STANDARD"),
        "ChecksumAlgorithm": upload.algorithm or "",
        "ChecksumType": str(upload.checksum_type or ""),
    }
    told = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items() if value)
    return document("ListPartsResult", f"{told}{INITIATOR}{OWNER}{parts}")


def _part_marker(call: Call) -> int:
    text = call.asked.get("part-number-marker") or "0"
    if not text.isdigit() or int(text) > MOST_PART_NUMBERS:
        message = "Provided part-number-marker not an integer or within integer range"
        raise invalid_argument(message, "part-number-marker", text)
    return int(text)


OPERATIONS = {"s3:ListMultipartUploads": list_multipart_uploads, "s3:ListParts": list_parts}
