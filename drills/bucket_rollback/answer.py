"""An answer of ListObjectVersions, read in the order of the document. Source: Amazon S3 API reference.

Nearly all of the work of going through a bucket is here. Implementations of S3 differ in the order of elements, but
each writes all its entries alike. So the first entry gives a pattern that takes all of them apart, in half a parser's
time; a document that it does not fit in every entry goes to a parser as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple, cast
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


# --- Every entry written as the first one is ------------------------------------------------------------------------

_VERSION = ("Key", "VersionId", "IsLatest", "LastModified", "ETag", "Size", "StorageClass")
_MARKER = _VERSION[:4]
_OWNER = r"\s*<Owner>(?:<(?:ID|DisplayName)>[^<]*</(?:ID|DisplayName)>|\s+)*</Owner>"
_AROUND = ("<EncodingType>", "<IsTruncated>", "<NextKeyMarker>", "<NextVersionIdMarker>")
_QUOTE = '(?:&quot;|&#34;|")?'

Shape = tuple[str, ...]
"""The names of an entry's elements, in their order."""
Fields = Callable[[tuple[str, ...]], tuple[str, ...]]


def _usual_page(body: bytes) -> Page | None:
    """None where the entries are not all written alike."""
    text = body.decode("utf-8", "replace")
    shapes = _shape(text, "Version"), _shape(text, "DeleteMarker")
    if not any(shapes) or "<!" in text:
        return None
    pattern, version, marker = _reading(*shapes)
    found = pattern.findall(text)
    if len(found) != text.count("<Version>") + text.count("<DeleteMarker>"):
        return None
    first = min(place for place in (text.find("<Version>"), text.find("<DeleteMarker>")) if place >= 0)
    last = max(text.rfind(end) + len(end) for end in ("</Version>", "</DeleteMarker>") if end in text)
    if any(text.find(name, first, last) >= 0 for name in _AROUND):
        return None  # It stands between the entries, as some implementations write it.
    root = ElementTree.fromstring(text[:first] + text[last:])
    encoded = _is_encoded(root)
    try:
        entries = tuple([_usual_entry(version(one), marker(one), encoded) for one in found])
    except ValueError:
        return None  # Something is missing or written otherwise.
    return Page(entries, _next(root, encoded))


def _usual_entry(version: tuple[str, ...], marker: tuple[str, ...], encoded: bool) -> Entry:
    key, of, latest, modified, etag, size, storage_class = version
    if not key:
        key, of, latest, modified = marker
    if encoded and ("%" in key or "+" in key):
        key = unquote_plus(key)
    moment, newest = datetime.fromisoformat(modified), latest == "true"
    if not version[0]:
        return Entry(key, of, True, newest, moment)
    return Entry(key, of, False, newest, moment, int(size), etag, storage_class or STANDARD)


def _shape(text: str, kind: str) -> Shape:
    """Of the first entry of its kind; empty where there is none."""
    start = text.find(f"<{kind}>")
    if start < 0:
        return ()
    entry = text[start + len(kind) + 2 : text.find(f"</{kind}>", start)]
    return tuple(re.findall(r"<(\w+)", re.sub(r"<Owner>.*?</Owner>", "<Owner>", entry, flags=re.DOTALL)))


@lru_cache(maxsize=64)
def _reading(version: Shape, marker: Shape) -> tuple[re.Pattern[str], Fields, Fields]:
    """The pattern of one entry, and what picks the fields of a version and of a marker from what it finds."""
    kinds = [(kind, shape) for kind, shape in (("Version", version), ("DeleteMarker", marker)) if shape]
    written = [f"<{kind}>{''.join(_written(name, kind) for name in shape)}\\s*</{kind}>" for kind, shape in kinds]
    # What stands nowhere is read from the empty group at the end.
    pattern = re.compile(f"(?:{'|'.join(written)})()()")
    groups = [(kind, name) for kind, shape in kinds for name in shape if name in _fields(kind)]

    def picked(kind: str) -> Fields:
        places = [groups.index((kind, name)) if (kind, name) in groups else len(groups) for name in _fields(kind)]
        return cast(Fields, itemgetter(*places))

    return pattern, picked("Version"), picked("DeleteMarker")


def _fields(kind: str) -> Shape:
    return _VERSION if kind == "Version" else _MARKER


def _written(name: str, kind: str) -> str:
    if name == "Owner":
        return _OWNER
    if name == "ETag" and kind == "Version":
        return rf'\s*<ETag>{_QUOTE}([^<&"]*){_QUOTE}</ETag>'
    text = "([^<&]*)" if name in _fields(kind) else "[^<]*"
    return rf"\s*<{name}>{text}</{name}>"


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
