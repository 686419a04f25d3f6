"""How a client reads a listing: as botocore does, with less work for its many small elements.

More than nine tenths of the time of a listed page is the client's, whoever answers it: botocore makes a node of every
element, twice, and asks each entry for all the members that it could have. The nodes are also most of what the garbage
collector has to look at. Here the entries are taken out of the document first, by the one form in which the simulated
S3 writes them, and the rest is read by botocore's own parser. What comes out is the same. A document that has entries
of any other form is botocore's as a whole, and its own functions are back when the simulated AWS is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.parsers import expat

from botocore import handlers
from botocore.model import StructureShape
from botocore.parsers import ResponseParserError, RestXMLParser

from drills.simulator.replaced import Replacement

TEXT = "([^<>]*)"
OWNER = f"<Owner><ID>{TEXT}</ID></Owner>"
IDENTITY = f"<VersionId>{TEXT}</VersionId><IsLatest>(true|false)</IsLatest>"
MODIFIED = f"<LastModified>{TEXT}</LastModified>"
CHECKSUM = f"<ChecksumAlgorithm>{TEXT}</ChecksumAlgorithm><ChecksumType>{TEXT}</ChecksumType>"
CONTENT = f"<ETag>{TEXT}</ETag>(?:{CHECKSUM})?<Size>([0-9]{{1,18}})</Size><StorageClass>{TEXT}</StorageClass>"
VERSION = re.compile(f"<Version><Key>{TEXT}</Key>{IDENTITY}{MODIFIED}{CONTENT}{OWNER}</Version>")
MARKER = re.compile(f"<DeleteMarker><Key>{TEXT}</Key>{IDENTITY}{MODIFIED}{OWNER}</DeleteMarker>")
OBJECT = re.compile(f"<Contents><Key>{TEXT}</Key>{MODIFIED}{CONTENT}(?:{OWNER})?</Contents>")

HEAD = re.compile(rb'(?:<\?xml [^<>]*\?>\n?)?<\w+(?: xmlns="[^"<>&]*")?>(?:<(\w+)>[^<>]*</\1>)*')
"""What may stand before the first entry: the root's beginning, and elements of nothing but text."""
PLAIN = bytes(code for code in range(0x20, 0x7F) if code != ord("&"))
"""What stands for itself in XML. Names in URL encoding, which boto3 asks for by itself, consist of it."""

Entry = dict[str, Any]
Entries = dict[str, list[Entry]]
"""Entries by the member of the answer that they go to."""

_is_error: Any = handlers._looks_like_special_case_error  # type: ignore[attr-defined]
_payload: Any = RestXMLParser._parse_payload  # type: ignore[attr-defined]


class _Moments(dict[str, datetime]):
    """The dates of one page by their text: the objects of a page were often written together."""

    def __init__(self, parse: Callable[[str], datetime]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, text: str) -> datetime:
        self[text] = moment = self._parse(text)
        return moment


class _OtherForm(Exception):
    """The document's entries are not of the form that is read here, or there are none."""


def parse_payload(
    self: Any, response: dict[str, Any], shape: StructureShape, member_shapes: Any, final_parsed: dict[str, Any]
) -> None:
    """In place of ``RestXMLParser._parse_payload``."""
    kind = KINDS.get(shape.name)
    if kind is not None:
        try:
            final_parsed.update(_parsed(self, response, shape, member_shapes, kind))
            return
        except (_OtherForm, ResponseParserError):
            pass  # From the beginning, so that an error is botocore's too.
    _payload(self, response, shape, member_shapes, final_parsed)


def _parsed(self: Any, response: dict[str, Any], shape: StructureShape, member_shapes: Any, kind: Kind) -> Entry:
    """The members of the answer that are in its body. Raises _OtherForm."""
    body: bytes = response["body"]
    start, end = _place(body, kind)
    entries = kind.read(_text(body[start:end]), _Moments(self._timestamp_parser))
    parsed: Entry = {}
    _payload(self, {**response, "body": body[:start] + body[end:]}, shape, member_shapes, parsed)
    if not parsed.keys().isdisjoint(kind.members):
        raise _OtherForm
    parsed.update(entries)
    return {name: parsed[name] for name in member_shapes if name in parsed}


def _place(body: bytes, kind: Kind) -> tuple[int, int]:
    """Where the entries begin and end."""
    head = HEAD.match(body)
    if head is None:
        raise _OtherForm
    end = max(body.rfind(closing) + len(closing) for closing in kind.closings)
    if end <= head.end():
        raise _OtherForm
    return head.end(), end


def _text(raw: bytes) -> str:
    if raw.translate(None, PLAIN):
        raise _OtherForm
    return raw.decode("ascii")


def _versions(text: str, moments: _Moments) -> Entries:
    versions: list[Entry] = []
    markers: list[Entry] = []
    at = 0
    while at < len(text):
        found = VERSION.match(text, at)
        if found is None:
            found = MARKER.match(text, at)
            if found is None:
                raise _OtherForm
            key, identifier, latest, modified, owner = found.groups()
            marker = {"Owner": {"ID": owner}, "Key": key, "VersionId": identifier}
            markers.append({**marker, "IsLatest": latest == "true", "LastModified": moments[modified]})
        else:
            key, identifier, latest, modified, etag, algorithm, kind, size, storage, owner = found.groups()
            version: Entry = {"ETag": etag}
            if algorithm is not None:
                version["ChecksumAlgorithm"] = [algorithm]
                version["ChecksumType"] = kind
            version["Size"] = int(size)
            version["StorageClass"] = storage
            version["Key"] = key
            version["VersionId"] = identifier
            version["IsLatest"] = latest == "true"
            version["LastModified"] = moments[modified]
            version["Owner"] = {"ID": owner}
            versions.append(version)
        at = found.end()
    return {name: entries for name, entries in (("Versions", versions), ("DeleteMarkers", markers)) if entries}


def _objects(text: str, moments: _Moments) -> Entries:
    objects: list[Entry] = []
    at = 0
    while at < len(text):
        found = OBJECT.match(text, at)
        if found is None:
            raise _OtherForm
        key, modified, etag, algorithm, kind, size, storage, owner = found.groups()
        told: Entry = {"Key": key, "LastModified": moments[modified], "ETag": etag}
        if algorithm is not None:
            told["ChecksumAlgorithm"] = [algorithm]
            told["ChecksumType"] = kind
        told["Size"] = int(size)
        told["StorageClass"] = storage
        if owner is not None:
            told["Owner"] = {"ID": owner}
        objects.append(told)
        at = found.end()
    return {"Contents": objects}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of listing: the members of its answer that are entries, and how these are read."""

    members: tuple[str, ...]
    closings: tuple[bytes, ...]
    read: Callable[[str, _Moments], Entries]


OF_VERSIONS = Kind(("Versions", "DeleteMarkers"), (b"</Version>", b"</DeleteMarker>"), _versions)
OF_OBJECTS = Kind(("Contents",), (b"</Contents>",), _objects)
KINDS = {
    "ListObjectVersionsOutput": OF_VERSIONS,
    "ListObjectsV2Output": OF_OBJECTS,
    "ListObjectsOutput": OF_OBJECTS,
}

# --- Errors with the status of a success ----------------------------------------------------------------------------


def is_error(status_code: int, body: bytes) -> bool:
    """In place of ``_looks_like_special_case_error``: reads the document through as well, and keeps its root's name."""
    if status_code != 200 or not body or b"<!" in body:
        told: bool = _is_error(status_code, body)
        return told
    parser = expat.ParserCreate("utf-8", "}")
    roots: list[str] = []

    def begins(name: str, _: object) -> None:
        roots.append(name)
        parser.StartElementHandler = None

    parser.StartElementHandler = begins
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        return True
    return roots == ["Error"]


REPLACEMENTS = (
    Replacement(
        "botocore.parsers:RestXMLParser._parse_payload",
        parse_payload,
        "an entry of a listing is read by its one form; botocore makes nodes and dictionaries of each of its elements",
        "c5acef6cb7c0",
    ),
    Replacement(
        "botocore.handlers:_looks_like_special_case_error",
        is_error,
        "every answer is read through for an error in it; botocore makes nodes of all of its elements for that",
        "d4f3acf13f8e",
    ),
)
