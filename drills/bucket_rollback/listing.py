"""The versions of a bucket, key by key, newest first, as S3 lists them.

S3 tells times in whole seconds, so two versions of one second can be told apart by their order in the list only. That
order is lost in boto3's answer, which has versions and delete markers in two lists; so the answer is read here before
boto3 takes it apart. Source: Amazon S3 API reference, ListObjectVersions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

EVENT = "before-parse.s3.ListObjectVersions"
NOTHING = b"<ListVersionsResult/>"


@dataclass(frozen=True, slots=True)
class Entry:
    """One version or delete marker of a key. ``modified`` is what S3 tells: whole seconds. ``size`` in bytes."""

    key: str
    version_id: str
    marker: bool
    latest: bool
    modified: datetime
    size: int = 0
    etag: str = ""
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, in the order of the document; ``next`` are the markers for the following one."""

    entries: tuple[Entry, ...]
    next: Mapping[str, str] | None


def keys_of(
    s3: Any, bucket: str, prefix: str = "", *, after_key: str = "", owner: str | None = None
) -> Iterator[tuple[str, list[Entry]]]:
    """Every key with all its versions, newest first. Keys come in S3's order; memory is one page and one key.

    ``after_key``: only keys behind this one. ``owner``: the account that must own the bucket, for its name may have
    been taken by somebody else since. Raises botocore's ClientError and BotoCoreError.
    """
    carried: list[Entry] = []
    for page in pages_of(s3, bucket, prefix, after_key=after_key, owner=owner):
        by_key: dict[str, list[Entry]] = {}
        for entry in (*carried, *page.entries):
            by_key.setdefault(entry.key, []).append(entry)
        last = max(by_key, default=None)
        carried = by_key.pop(last) if last is not None and page.next is not None else []
        for key in sorted(key for key in by_key if key > after_key):
            # Some implementations of S3 begin with the key itself, and go on with its versions.
            yield key, newest_first(by_key[key])
    if carried and carried[0].key > after_key:
        yield carried[0].key, newest_first(carried)


def newest_first(entries: list[Entry]) -> list[Entry]:
    """The entries of one key in order. S3's own order stands; where it is not by time, it is put right.

    Other implementations of S3 list all markers behind all versions.
    """
    if all(a.modified >= b.modified and not b.latest for a, b in pairwise(entries)):
        return entries
    return sorted(entries, key=lambda entry: (entry.latest, entry.modified), reverse=True)


def pages_of(
    s3: Any, bucket: str, prefix: str = "", *, after_key: str = "", owner: str | None = None
) -> Iterator[Page]:
    """The pages of a listing."""
    s3.meta.events.register(EVENT, _take, unique_id="drills.bucket_rollback.listing")
    request: dict[str, Any] = {"Bucket": bucket, "EncodingType": "url"}
    if prefix:
        request["Prefix"] = prefix
    if owner is not None:
        request["ExpectedBucketOwner"] = owner
    place: Mapping[str, str] | None = {"KeyMarker": after_key} if after_key else {}
    while place is not None:
        page = _page(s3, {**request, **place})
        yield page
        place = page.next


class _Wanted(threading.local):
    """Whether the call that this thread makes just now is ours: everybody else's answers stay boto3's business."""

    now = False


_wanted = _Wanted()


def _page(s3: Any, request: Mapping[str, Any]) -> Page:
    _wanted.now = True
    try:
        answer = s3.list_object_versions(**request)
    finally:
        _wanted.now = False
    page: Page = answer["_page"]
    return page


def _take(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if _wanted.now and response_dict["status_code"] == 200:
        customized_response_dict["_page"] = read_page(response_dict["body"])
        response_dict["body"] = NOTHING


def read_page(body: bytes) -> Page:
    """The answer of ListObjectVersions, asked for with keys in URL encoding."""
    root = ElementTree.fromstring(body)
    space = root.tag[: root.tag.find("}") + 1]
    encoded = root.findtext(f"{space}EncodingType") == "url"
    version, marker = f"{space}Version", f"{space}DeleteMarker"
    entries = tuple(
        _entry({child.tag[len(space) :]: child.text or "" for child in element}, element.tag == marker, encoded)
        for element in root
        if element.tag in (version, marker)
    )
    if root.findtext(f"{space}IsTruncated") != "true":
        return Page(entries, None)
    place = {"KeyMarker": _decoded(root.findtext(f"{space}NextKeyMarker") or "", encoded)}
    version_marker = root.findtext(f"{space}NextVersionIdMarker")
    if version_marker:
        place["VersionIdMarker"] = version_marker
    return Page(entries, place)


def _entry(told: Mapping[str, str], marker: bool, encoded: bool) -> Entry:
    key, modified = _decoded(told["Key"], encoded), datetime.fromisoformat(told["LastModified"])
    if marker:
        return Entry(key, told["VersionId"], True, told.get("IsLatest") == "true", modified)
    return Entry(
        key,
        told["VersionId"],
        False,
        told.get("IsLatest") == "true",
        modified,
        int(told["Size"]),
        told["ETag"].strip('"'),
        told.get("StorageClass") or "STANDARD",
    )


def _decoded(text: str, encoded: bool) -> str:
    return unquote_plus(text) if encoded else text
