"""ListObjectVersions, ListObjectsV2 and ListObjects.

A page is found by its marker in the sorted keys, so that it costs what is on it, whatever the bucket holds and whatever
has been deleted since the page before. Source: S3 API reference; the details are those of answers of AWS.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from urllib.parse import quote_plus

from drills.simulator.request import Response
from drills.simulator.s3 import client_parsing
from drills.simulator.s3.calls import Call, answering, document, escaped, invalid_argument, listed_time
from drills.simulator.s3.checksums import of_version
from drills.simulator.s3.versions import Marker, Version, Versions

MOST_KEYS = 1000
OWNER_ID = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"
OWNER = f"<Owner><ID>{OWNER_ID}</ID></Owner>"
UNQUOTED = re.compile(r"[A-Za-z0-9_.~/*-]*")
"""What is the same in URL encoding: most names, most of the time."""
CHECKSUM = "<ChecksumAlgorithm>{}</ChecksumAlgorithm><ChecksumType>{}</ChecksumType>"
LAST_CHARACTER = "\U0010ffff"
TOKEN = "The continuation token provided is incorrect"


@dataclass(slots=True)
class Page:
    """What was asked for, and what of it stands on the page.

    ``entries`` are XML in the order of their keys; ``last`` is the name of what came last, a key or a common prefix.
    """

    prefix: str
    delimiter: str
    most: int
    encoding: str
    entries: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    last_version: str = ""
    truncated: bool = False

    @property
    def count(self) -> int:
        return len(self.entries) + len(self.prefixes)

    def shown(self, name: str) -> str:
        """The name encoded as the call wants it."""
        if not self.encoding:
            return escaped(name)
        return name if UNQUOTED.fullmatch(name) else quote_plus(name, safe="/*")

    def common_prefix(self, name: str) -> str | None:
        """The prefix that the name is listed under, None where it is listed itself."""
        if not self.delimiter:
            return None
        end = name.find(self.delimiter, len(self.prefix))
        return None if end < 0 else name[: end + len(self.delimiter)]

    def common(self) -> str:
        return "".join(f"<CommonPrefixes><Prefix>{self.shown(one)}</Prefix></CommonPrefixes>" for one in self.prefixes)

    def is_full(self) -> bool:
        """Whether nothing more has room. Asked when there is something more, so that the page is then cut off."""
        full = self.count >= self.most
        self.truncated = full and self.most > 0
        return full

    def head(self, call: Call, *more: tuple[str, str]) -> str:
        """What every listing repeats of what it was asked."""
        elements = [("Name", str(call.bucket.name)), ("Prefix", self.shown(self.prefix)), *more]
        if self.delimiter:
            elements.append(("Delimiter", self.shown(self.delimiter)))
        elements += [("MaxKeys", str(self.most)), ("IsTruncated", str(self.truncated).lower())]
        if self.encoding:
            elements.append(("EncodingType", self.encoding))
        return "".join(f"<{name}>{value}</{name}>" for name, value in elements)


def page_asked(call: Call, most: str = "max-keys") -> Page:
    """Raises Refusal."""
    encoding = call.asked.get("encoding-type")
    if encoding is not None and encoding != "url":
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    return Page(
        prefix=call.asked.get("prefix", ""),
        delimiter=call.asked.get("delimiter", ""),
        most=number_asked(call, most, MOST_KEYS, MOST_KEYS),
        encoding=encoding or "",
    )


def number_asked(call: Call, name: str, default: int, most: int) -> int:
    text = call.asked.get(name)
    if text is None or text == "":
        return default
    if not text.isdigit():
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, text)
    return min(int(text), most)


# --- Through the sorted names ----------------------------------------------------------------------------------------


def names_from(names: Any, page: Page, after: str) -> Iterator[tuple[str, str | None]]:
    """Each name behind ``after``, or its common prefix once; what lies under a prefix is skipped, not walked through.

    ``names`` are sorted. A marker that is a common prefix, or lies under one, has left all of it behind.
    """
    start, inclusive = page.prefix, True
    if after and after >= page.prefix:
        start, inclusive = after, False
        under = page.common_prefix(after) if after.startswith(page.prefix) else None
        if under is not None:
            start, inclusive = _behind(under), True
    index: int | None = names.bisect_left(start) if inclusive else names.bisect_right(start)
    while index is not None:
        behind = None
        for name in names.islice(index):
            if not name.startswith(page.prefix):
                return
            under = page.common_prefix(name)
            yield under or name, under
            if under is not None:
                behind = names.bisect_left(_behind(under))
                break
        index = behind


def _behind(prefix: str) -> str:
    """The least name that does not begin with the prefix and comes behind all that do.

    Names are ordered by their code points, which is the order of their bytes in UTF-8.
    """
    kept = prefix.rstrip(LAST_CHARACTER)
    if not kept:
        return prefix + LAST_CHARACTER * 1024
    following = ord(kept[-1]) + 1
    # There are no characters between these: they are halves of others.
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


# --- Versions --------------------------------------------------------------------------------------------------------


@answering
def list_object_versions(call: Call) -> Response:
    page = page_asked(call)
    key_marker, version_marker = call.asked.get("key-marker", ""), call.asked.get("version-id-marker", "")
    if version_marker and not key_marker:
        text = "A version-id marker cannot be specified without a key marker."
        raise invalid_argument(text, "version-id-marker", version_marker)
    for name, version, latest in _versions_from(call.bucket.keys, page, key_marker, version_marker):
        if page.is_full():
            break
        page.last, page.last_version = name, ""
        if version is None:
            page.prefixes.append(name)
        else:
            page.last_version = version.version_id
            page.entries.append(_version_entry(page.shown(name), version, latest))
    head = page.head(call, ("KeyMarker", page.shown(key_marker)), ("VersionIdMarker", escaped(version_marker)))
    if page.truncated:
        head += f"<NextKeyMarker>{page.shown(page.last)}</NextKeyMarker>"
        if page.last_version:
            head += f"<NextVersionIdMarker>{page.last_version}</NextVersionIdMarker>"
    return document("ListVersionsResult", head + "".join(page.entries) + page.common())


def _versions_from(
    versions: Versions, page: Page, key_marker: str, version_marker: str
) -> Iterator[tuple[str, Version | Marker | None, bool]]:
    """Name, version and whether it is the latest, newest first for each key; a common prefix has no version."""
    if version_marker and key_marker.startswith(page.prefix) and page.common_prefix(key_marker) is None:
        place = versions.place_of(key_marker, version_marker)
        yield from _of_key(versions.of(key_marker), key_marker, place)
    for name, under in names_from(versions.names, page, key_marker):
        if under is not None:
            yield under, None, False
        else:
            yield from _of_key(versions.of(name), name, None)


def _of_key(of_key: list[Any], name: str, older_than: int | None) -> Iterator[tuple[str, Version | Marker, bool]]:
    newest = len(of_key) - 1
    first = newest if older_than is None else bisect_left(of_key, older_than, key=attrgetter("sequence")) - 1
    for index in range(first, -1, -1):
        yield name, of_key[index], index == newest


def _version_entry(shown: str, version: Version | Marker, latest: bool) -> str:
    told = (
        f"<Key>{shown}</Key><VersionId>{version.version_id}</VersionId>"
        f"<IsLatest>{'true' if latest else 'false'}</IsLatest>"
        f"<LastModified>{listed_time(version.last_modified)}</LastModified>"
    )
    if isinstance(version, Marker):
        return f"<DeleteMarker>{told}{OWNER}</DeleteMarker>"
    return f"<Version>{told}{_content(version)}{OWNER}</Version>"


def _content(version: Version) -> str:
    checksum = of_version(version) if version.checksum_algorithm else None
    told = "" if checksum is None else CHECKSUM.format(checksum.algorithm, checksum.type)
    etag, size, storage_class = version.etag, version.size, version.storage_class
    return f"<ETag>{etag}</ETag>{told}<Size>{size}</Size><StorageClass>{storage_class}</StorageClass>"


# --- Objects ---------------------------------------------------------------------------------------------------------


@answering
def list_objects_v2(call: Call) -> Response:
    token, start_after = call.asked.get("continuation-token"), call.asked.get("start-after", "")
    page = page_asked(call)
    after = start_after if token is None else _name_in(token)
    _fill_with_objects(page, call.bucket.keys, after, call.asked.get("fetch-owner", "").lower() == "true")
    more = [("KeyCount", str(page.count))]
    if token is not None:
        more.append(("ContinuationToken", escaped(token)))
    elif start_after:
        more.append(("StartAfter", page.shown(start_after)))
    if page.truncated:
        more.append(("NextContinuationToken", _token(page.last)))
    return document("ListBucketResult", page.head(call, *more) + "".join(page.entries) + page.common())


@answering
def list_objects(call: Call) -> Response:
    page = page_asked(call)
    marker = call.asked.get("marker", "")
    _fill_with_objects(page, call.bucket.keys, marker, with_owner=True)
    more = [("Marker", page.shown(marker))]
    if page.truncated and page.delimiter:
        more.append(("NextMarker", page.shown(page.last)))
    return document("ListBucketResult", page.head(call, *more) + "".join(page.entries) + page.common())


def _fill_with_objects(page: Page, versions: Versions, after: str, with_owner: bool) -> None:
    owner = OWNER if with_owner else ""
    for name, under in names_from(versions.live, page, after):
        if page.is_full():
            return
        page.last = name
        if under is not None:
            page.prefixes.append(under)
            continue
        version = versions.of(name)[-1]
        modified = f"<LastModified>{listed_time(version.last_modified)}</LastModified>"
        page.entries.append(f"<Contents><Key>{page.shown(name)}</Key>{modified}{_content(version)}{owner}</Contents>")


def _token(name: str) -> str:
    return "1" + base64.urlsafe_b64encode(name.encode()).decode()


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token[1:].encode(), b"-_", validate=True).decode() if token[0] == "1" else _no_token()
    except (ValueError, IndexError):  # binascii.Error and UnicodeError are ValueErrors.
        return _no_token()


def _no_token() -> str:
    raise invalid_argument(TOKEN, "continuation-token")


OPERATIONS = {
    "s3:ListObjectVersions": list_object_versions,
    "s3:ListObjectsV2": list_objects_v2,
    "s3:ListObjects": list_objects,
}

REPLACEMENTS = client_parsing.REPLACEMENTS
