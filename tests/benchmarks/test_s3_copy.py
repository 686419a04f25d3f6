"""Comparing and copying buckets over one HTTP endpoint, beside the raw requests that this needs.

The floor is those requests, signed beforehand and sent one after the other on one connection; nothing is parsed. Nearly
all of a request's time is the endpoint's own. Set ``S3_COPY_OBJECTS`` for other sizes than the quick one.
"""

from __future__ import annotations

import gc
import http.client
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from drills.bucket_copy import compare
from drills.bucket_copy.compare import pairs
from drills.bucket_rollback import keys_of, roll_back
from drills.bucket_rollback.copying import Keep
from tests.benchmarks.s3_endpoint import REPLICA, SOURCE, client_of, endpoint, key_of

pytestmark = pytest.mark.benchmark

OBJECTS = int(os.environ.get("S3_COPY_OBJECTS", "500"))
ROUNDS = 2
PAGE = 1_000
Raw = tuple[str, str, dict[str, str]]


def signed(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> Raw:
    request = AWSRequest(method, url + path, headers=headers or {})
    S3SigV4Auth(Credentials("a", "b"), "s3", "eu-west-1").add_auth(request)
    return method, path, dict(request.prepare().headers.items())


def send(url: str, requests: Sequence[Raw]) -> float:
    """Seconds for all of them."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    began = time.perf_counter()
    for method, path, headers in requests:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def listing(url: str, bucket: str, versions: list[tuple[str, str]]) -> list[Raw]:
    """The pages of a bucket that has these versions in this order."""
    places = [""] + [
        f"&key-marker={quote(key, safe='')}&version-id-marker={quote(of, safe='')}"
        for key, of in versions[PAGE - 1 : -1 : PAGE]
    ]
    return [signed(url, "GET", f"/{bucket}?versions&encoding-type=url{place}") for place in places]


def timed(run: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


class Filled:
    """A fresh endpoint: moto's listings take longer with everything that was done before."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.s3 = client_of(url)
        self.versions = [(key, one.version_id) for key, entries in keys_of(self.s3, SOURCE) for one in entries]
        newest = self.s3.list_object_versions(Bucket=SOURCE, Prefix=key_of(0))["Versions"][0]
        self.bad_since: datetime = newest["LastModified"]

    def pages(self, bucket: str) -> list[Raw]:
        return listing(self.url, bucket, self.versions)

    def heads(self) -> list[Raw]:
        return [signed(self.url, "HEAD", f"/{SOURCE}/{key}?versionId={of}") for key, of in self.good()]

    def copies(self) -> list[Raw]:
        return [
            signed(self.url, "PUT", f"/{SOURCE}/{key}", {"x-amz-copy-source": f"{SOURCE}/{key}?versionId={of}"})
            for key, of in self.good()
        ]

    def good(self) -> list[tuple[str, str]]:
        return list(dict(self.versions).items())


def ratio(floor: Callable[[Filled], float], ours: Callable[[Filled], float], what: str) -> float:
    """The best of both by turns, each on an endpoint of its own; what else the machine does meets both."""
    times: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, run in (("raw", floor), ("ours", ours)):
            with endpoint("moto", OBJECTS) as url:
                seconds = run(Filled(url))
            times[name] = min(seconds, times.get(name, seconds))
    found = times["ours"] / times["raw"]
    sys.stdout.write(
        f"\n{what}, {OBJECTS:,} objects: {times['ours']:.2f} s, raw {times['raw']:.2f} s, ratio {found:.2f}\n"
    )
    return found


def test_comparing_costs_little_more_than_listing() -> None:
    def ours(filled: Filled) -> float:
        def run() -> None:
            found = compare(pairs(keys_of(filled.s3, SOURCE), keys_of(filled.s3, REPLICA)))
            assert (found.keys, found.versions, found.missing.count) == (OBJECTS, 2 * OBJECTS, 0)

        return timed(run)

    def floor(filled: Filled) -> float:
        return send(filled.url, [*filled.pages(SOURCE), *filled.pages(REPLICA)])

    assert ratio(floor, ours, "comparing pairs") <= 1.15


@pytest.mark.parametrize(("keep", "most"), [("content", 1.10), ("everything", 1.15)])
def test_copying_back_costs_little_more_than_the_copies(keep: Keep, most: float) -> None:
    def ours(filled: Filled) -> float:
        def run() -> None:
            report = roll_back(filled.s3, SOURCE, filled.bad_since, workers=1, keep=keep, quick=Credentials("a", "b"))
            assert report.counts["copied"] == OBJECTS

        return timed(run)

    def floor(filled: Filled) -> float:
        heads = filled.heads() if keep == "everything" else []
        return send(filled.url, [*filled.pages(SOURCE), *heads, *filled.copies()])

    assert ratio(floor, ours, f"copying back, {keep}") <= most


def test_memory_does_not_grow_with_the_bucket() -> None:
    def peak(count: int) -> int:
        with endpoint("simulated", count) as url:
            filled = Filled(url)
            tracemalloc.start()
            try:
                found = compare(pairs(keys_of(filled.s3, SOURCE), keys_of(filled.s3, REPLICA)))
                said = roll_back(filled.s3, SOURCE, filled.bad_since, workers=1, dry_run=True, keep="content")
                assert (found.keys, said.counts["copied"]) == (count, count)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    few, many = 5 * OBJECTS, 50 * OBJECTS
    small, large = peak(few), peak(many)
    sys.stdout.write(f"\npeak {small / 1e6:.1f} MB for {few:,} objects, {large / 1e6:.1f} MB for {many:,}\n")
    assert large < 1.2 * small
