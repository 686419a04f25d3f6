"""An answer of ListObjectVersions, read in the order of the document. Source: Amazon S3 API reference.

Nearly all of the work of going through a bucket is here. So what is written as S3 writes it is taken apart by one
pattern, in a third of a parser's time; a document that is not so in every entry goes to a parser as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

STANDARD = "STANDARD"


class Entry(NamedTuple):
    """One version or delete marker of a key. ``modified`` is what S3 tells: whole seconds. ``size`` in bytes."""

    key: str
    version_id: str
    marker: bool
    latest: bool
    modified: datetime
    size: int = 0
    etag: str = ""
    storage_class: str = STANDARD


class Page(NamedTuple):
    """One page of a listing, in the order of the document; ``next`` are the markers for the following one."""

    entries: tuple[Entry, ...]
    next: Mapping[str, str] | None


def read_page(body: bytes) -> Page:
    """The answer of ListObjectVersions, asked for with keys in URL encoding."""
    return _usual_page(body) or _any_page(body)


# --- As S3 writes it ------------------------------------------------------------------------------------------------

_OWNER = r"(?:\s*<Owner>(?:<(?:ID|DisplayName)>[^<]*</(?:ID|DisplayName)>|\s+)*</Owner>)?"
_USUAL = re.compile(
    r"<(Version|DeleteMarker)>\s*<Key>([^<&]*)</Key>\s*<VersionId>([^<&]*)</VersionId>\s*"
    r"<IsLatest>(true|false)</IsLatest>\s*<LastModified>([^<&]*)</LastModified>"
    r'(?:\s*<ETag>(?:&quot;|&#34;|")?([^<&"]*)(?:&quot;|&#34;|")?</ETag>(?:\s*<Checksum\w+>[^<]*</Checksum\w+>)*'
    rf"\s*<Size>(\d+)</Size>)?{_OWNER}(?:\s*<StorageClass>([^<&]*)</StorageClass>)?{_OWNER}\s*</\1>"
)


def _usual_page(body: bytes) -> Page | None:
    text = body.decode("utf-8", "replace")
    found = _USUAL.findall(text)
    if not found or len(found) != text.count("<Version>") + text.count("<DeleteMarker>") or "<!" in text:
        return None
    first = re.search("<(?:Version|DeleteMarker)>", text)
    assert first is not None
    last = max(text.rfind("</Version>") + len("</Version>"), text.rfind("</DeleteMarker>") + len("</DeleteMarker>"))
    root = ElementTree.fromstring(text[: first.start()] + text[last:])
    encoded = _is_encoded(root)
    try:
        return Page(tuple([_usual_entry(encoded, *one) for one in found]), _next(root, encoded))
    except ValueError:
        return None  # Something is missing or written otherwise.


def _usual_entry(
    encoded: bool, kind: str, key: str, of: str, latest: str, modified: str, etag: str, size: str, storage_class: str
) -> Entry:
    if encoded and ("%" in key or "+" in key):
        key = unquote_plus(key)
    moment = datetime.fromisoformat(modified)
    if kind == "DeleteMarker":
        return Entry(key, of, True, latest == "true", moment)
    return Entry(key, of, False, latest == "true", moment, int(size), etag, storage_class or STANDARD)


# --- Any other way --------------------------------------------------------------------------------------------------


def _any_page(body: bytes) -> Page:
    root = ElementTree.fromstring(body)
    space, encoded = _space(root), _is_encoded(root)
    version, marker = f"{space}Version", f"{space}DeleteMarker"
    entries = tuple(
        _entry({child.tag[len(space) :]: child.text or "" for child in element}, element.tag == marker, encoded)
        for element in root
        if element.tag in (version, marker)
    )
    return Page(entries, _next(root, encoded))


def _entry(told: Mapping[str, str], marker: bool, encoded: bool) -> Entry:
    key, modified = _decoded(told["Key"], encoded), datetime.fromisoformat(told["LastModified"])
    latest = told.get("IsLatest") == "true"
    if marker:
        return Entry(key, told["VersionId"], True, latest, modified)
    etag, storage_class = told["ETag"].strip('"'), told.get("StorageClass") or STANDARD
    return Entry(key, told["VersionId"], False, latest, modified, int(told["Size"]), etag, storage_class)


# --- What stands around the entries ---------------------------------------------------------------------------------


def _space(root: ElementTree.Element) -> str:
    return root.tag[: root.tag.find("}") + 1]


def _is_encoded(root: ElementTree.Element) -> bool:
    return root.findtext(f"{_space(root)}EncodingType") == "url"


def _next(root: ElementTree.Element, encoded: bool) -> Mapping[str, str] | None:
    space = _space(root)
    if root.findtext(f"{space}IsTruncated") != "true":
        return None
    place = {"KeyMarker": _decoded(root.findtext(f"{space}NextKeyMarker") or "", encoded)}
    version_marker = root.findtext(f"{space}NextVersionIdMarker")
    if version_marker:
        place["VersionIdMarker"] = version_marker
    return place


def _decoded(text: str, encoded: bool) -> str:
    return unquote_plus(text) if encoded else text
