"""Comparing and copying buckets over one HTTP endpoint, beside the raw requests that this needs, in CPU time of both.

The floor is those requests, signed beforehand and sent one after the other on one connection; nothing is parsed. Ours
is what users run, clients as a session makes them, and one worker, so that both have one request under way at a time.
Set ``S3_COPY_OBJECTS`` for other sizes than the quick one, ``S3_COPY_ROUNDS`` for how often each is tried, and
``S3_COPY_ENDPOINT=simulated`` for an endpoint that answers in a tenth of moto's time, where nothing is asserted.
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
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from drills.bucket_copy import compare
from drills.bucket_copy.compare import pairs
from drills.bucket_rollback import keys_of, roll_back
from drills.bucket_rollback.copying import Keep
from tests.benchmarks.s3_endpoint import REPLICA, SOURCE, Kind, client_of, endpoint, key_of

pytestmark = pytest.mark.benchmark

OBJECTS = int(os.environ.get("S3_COPY_OBJECTS", "500"))
ROUNDS = int(os.environ.get("S3_COPY_ROUNDS", "3"))
ENDPOINT: Kind = "simulated" if os.environ.get("S3_COPY_ENDPOINT") == "simulated" else "moto"
FEW, MANY = 5_000, 50_000
PAGE = 1_000
Run = Callable[[], None]
Raw = tuple[str, str, dict[str, str]]


def signed(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> Raw:
    request = AWSRequest(method, url + path, headers=headers or {})
    S3SigV4Auth(Credentials("a", "b"), "s3", "eu-west-1").add_auth(request)
    return method, path, dict(request.prepare().headers.items())


def send(url: str, requests: Sequence[Raw]) -> None:
    """Send all of them."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    for method, path, headers in requests:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def listing(url: str, bucket: str, versions: list[tuple[str, str]]) -> list[Raw]:
    """The pages of a bucket that has these versions in this order."""
    places = [""] + [
        f"&key-marker={quote(key, safe='')}&version-id-marker={quote(of, safe='')}"
        for key, of in versions[PAGE - 1 : -1 : PAGE]
    ]
    return [signed(url, "GET", f"/{bucket}?versions&encoding-type=url{place}") for place in places]


def cpu_seconds(server: int) -> float:
    """What both processes have used so far. They work by turns, so alone on a machine it is the time that passes."""
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def ratio(floor: Callable[[Filled], Run], ours: Callable[[Filled], Run], what: str) -> float:
    """The best of both by turns, each on an endpoint of its own; what else the machine does meets both."""
    times: dict[str, float] = {}
    walls: dict[str, float] = {}
    for _ in range(ROUNDS):
        for name, run in (("raw", floor), ("ours", ours)):
            with endpoint(ENDPOINT, OBJECTS) as (url, server):
                ready = run(Filled(url))
                gc.collect()
                began, wall = cpu_seconds(server), time.perf_counter()
                ready()
                seconds, wall = cpu_seconds(server) - began, time.perf_counter() - wall
            times[name] = min(seconds, times.get(name, seconds))
            walls[name] = min(wall, walls.get(name, wall))
    found = times["ours"] / times["raw"]
    sys.stdout.write(
        f"\n{what}, {OBJECTS:,} objects, {ENDPOINT}: {times['ours']:.2f} s, raw {times['raw']:.2f} s, ratio {found:.2f}"
        f" (by the clock {walls['ours']:.2f} s, raw {walls['raw']:.2f} s)\n"
    )
    return found


def judge(found: float, most: float) -> None:
    assert ENDPOINT == "simulated" or found <= most


def test_comparing_costs_little_more_than_listing() -> None:
    def ours(filled: Filled) -> Run:
        def run() -> None:
            found = compare(pairs(keys_of(filled.s3, SOURCE), keys_of(filled.s3, REPLICA)))
            assert (found.keys, found.versions, found.missing.count) == (OBJECTS, 2 * OBJECTS, 0)

        return run

    def floor(filled: Filled) -> Run:
        return partial(send, filled.url, [*filled.pages(SOURCE), *filled.pages(REPLICA)])

    judge(ratio(floor, ours, "comparing pairs"), 1.15)


@pytest.mark.parametrize(("keep", "most"), [("content", 1.10), ("everything", 1.15)])
def test_copying_back_costs_little_more_than_the_copies(keep: Keep, most: float) -> None:
    def ours(filled: Filled) -> Run:
        def run() -> None:
            report = roll_back(filled.s3, SOURCE, filled.bad_since, workers=1, keep=keep)
            assert report.counts["copied"] == OBJECTS

        return run

    def floor(filled: Filled) -> Run:
        heads = filled.heads() if keep == "everything" else []
        return partial(send, filled.url, [*filled.pages(SOURCE), *heads, *filled.copies()])

    judge(ratio(floor, ours, f"copying back, {keep}"), most)


def test_memory_does_not_grow_with_the_bucket() -> None:
    def peak(count: int) -> int:
        with endpoint("simulated", count) as (url, _):
            filled = Filled(url)
            tracemalloc.start()
            try:
                found = compare(pairs(keys_of(filled.s3, SOURCE), keys_of(filled.s3, REPLICA)))
                said = roll_back(filled.s3, SOURCE, filled.bad_since, workers=1, dry_run=True, keep="content")
                assert (found.keys, said.counts["copied"]) == (count, count)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    small, large = peak(FEW), peak(MANY)
    sys.stdout.write(f"\npeak {small / 1e6:.1f} MB for {FEW:,} objects, {large / 1e6:.1f} MB for {MANY:,}\n")
    assert large < 1.2 * small
