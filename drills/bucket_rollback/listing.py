"""The versions of a bucket, key by key, newest first, as S3 lists them.

S3 tells times in whole seconds, so two versions of one second can be told apart by their order in the list only. That
order is lost in boto3's answer, which has versions and delete markers in two lists; so the answer is read here before
boto3 takes it apart. Source: Amazon S3 API reference, ListObjectVersions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from itertools import pairwise
from typing import Any

from drills.bucket_rollback.answer import Entry, Page, read_page
from drills.bucket_rollback.quick import Quick, quick_of
from drills.bucket_rollback.wiring import sends_over_the_network

__all__ = ["Entry", "Page", "keys_of", "newest_first", "pages_of", "read_page"]

EVENT = "before-parse.s3.ListObjectVersions"
NOTHING = b"<ListVersionsResult/>"
LISTING = b"ListVersionsResult"
HEAD_BYTES = 1_000
"""S3 may answer 200 with an error in the body; a listing says so at its beginning."""


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
    """The pages of a listing. Where time is real, the following one is on its way while one is worked on."""
    s3.meta.events.register(EVENT, _take, unique_id="drills.bucket_rollback.listing")
    request: dict[str, Any] = {"Bucket": bucket, "EncodingType": "url"}
    if prefix:
        request["Prefix"] = prefix
    if owner is not None:
        request["ExpectedBucketOwner"] = owner
    if after_key:
        request["KeyMarker"] = after_key
    if sends_over_the_network(s3, "ListObjectVersions"):
        yield from _ahead(s3, request)
    else:
        # Simulated accounts answer one call at a time, and threads would make a seeded drill differ from run to run.
        yield from _one_by_one(s3, request)


def _one_by_one(s3: Any, request: Mapping[str, Any]) -> Iterator[Page]:
    page = _page(s3, request)
    yield page
    while page.next is not None:
        page = _page(s3, {**request, **page.next})
        yield page


def _ahead(s3: Any, request: Mapping[str, Any]) -> Iterator[Page]:
    quick = quick_of(s3)
    with nullcontext() if quick is None else closing(quick), ThreadPoolExecutor(1, "listing") as pool:
        under_way = pool.submit(_page, s3, request, quick)
        while True:
            page = under_way.result()
            if page.next is None:
                yield page
                return
            under_way = pool.submit(_page, s3, {**request, **page.next}, quick)
            try:
                yield page
            except GeneratorExit:
                under_way.cancel()
                raise


class _Wanted(threading.local):
    """Whether the call that this thread makes just now is ours: everybody else's answers stay boto3's business."""

    now = False


_wanted = _Wanted()


def _page(s3: Any, request: Mapping[str, Any], quick: Quick | None = None) -> Page:
    body = quick.versions(request) if quick is not None else None
    if body is not None:
        return read_page(body)
    _wanted.now = True
    try:
        answer = s3.list_object_versions(**request)
    finally:
        _wanted.now = False
    page: Page = answer["_page"]
    return page


def _take(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if _wanted.now and response_dict["status_code"] == 200 and LISTING in response_dict["body"][:HEAD_BYTES]:
        customized_response_dict["_page"] = read_page(response_dict["body"])
        response_dict["body"] = NOTHING
