"""Listing versions: what a version costs as a bucket grows, what pages leave behind, and plain moto beside it.

All calls go through plain boto3 clients. The endpoint's time is that between botocore's sending and its parsing; the
whole is what a user waits for. Of that botocore's own reading of a page was more than nine tenths, so while a simulated
AWS is active two functions of botocore are replaced (simulator/s3/client_parsing.py); plain moto's pages are read by
botocore's own. Plain moto copies and sorts the whole bucket for every page: its time grows with the square of the
versions. It is measured once at 20,000. Seconds are those of the processor, as others may use it meanwhile, and the
garbage collector's are among them.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import s3_backends

from drills.simulator import SimulatedAWS
from drills.simulator.s3.changes import bucket_named, write
from drills.simulator.s3.versions import Version

pytestmark = pytest.mark.benchmark

CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
VERSIONS_OF_KEY = 2


@contextmanager
def simulated(count: int) -> Iterator[Any]:
    with SimulatedAWS():
        client = _bucket()
        bucket = bucket_named("many")
        assert bucket is not None
        for n in range(count):
            write(bucket, Version(bucket, _key(n), b"x"))
        yield client


@contextmanager
def plain_moto(count: int) -> Iterator[Any]:
    with mock_aws():
        client = _bucket()
        backend = s3_backends["123456789012"]["aws"]
        for n in range(count):
            backend.put_object("many", _key(n), b"x")
        yield client


def _bucket() -> Any:
    client: Any = boto3.client("s3", **CREDENTIALS)  # type: ignore[call-overload]
    client.create_bucket(Bucket="many")
    client.put_bucket_versioning(Bucket="many", VersioningConfiguration={"Status": "Enabled"})
    return client


def _key(n: int) -> str:
    """Keys come in no order, each with two versions."""
    return f"invoices/{(n // VERSIONS_OF_KEY) * 7919 % 1_000_003:08}.json"


class Watch:
    """Lists every page and drops it; adds up the seconds that the endpoint took, and those of the whole."""

    def __init__(self, client: Any, operation: str = "list_object_versions", entries: str = "Versions") -> None:
        self.client = client
        self.operation = operation
        self.entries = entries
        self.endpoint = self.whole = 0.0
        self._sent = 0.0
        name = client.meta.method_to_api_mapping[operation]
        client.meta.events.register_first(f"before-send.s3.{name}", self._sends)
        client.meta.events.register_first(f"before-parse.s3.{name}", self._parses)

    def _sends(self, **_: Any) -> None:
        self._sent = time.thread_time()

    def _parses(self, **_: Any) -> None:
        self.endpoint += time.thread_time() - self._sent

    def listed(self, expected: int) -> Watch:
        gc.collect()
        self.endpoint, began = 0.0, time.thread_time()
        pages = self.client.get_paginator(self.operation).paginate(Bucket="many")
        assert sum(len(page[self.entries]) for page in pages) == expected
        self.whole = time.thread_time() - began
        return self

    def best_of(self, rounds: int, expected: int) -> tuple[float, float]:
        """Seconds of the endpoint and of the whole, the least of some rounds each."""
        taken = [(self.listed(expected).endpoint, self.whole) for _ in range(rounds)]
        return min(endpoint for endpoint, _ in taken), min(whole for _, whole in taken)


def tell(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


def test_a_version_costs_the_same_in_a_bucket_of_any_size() -> None:
    """At the endpoint, through boto3, and where the user keeps every page, so that the collector walks all of them."""
    each: dict[int, list[float]] = {}
    for count in (10_000, 100_000):
        with simulated(count) as client:
            taken = [*Watch(client).best_of(4, count), min(kept(client, count) for _ in range(4))]
        each[count] = [seconds / count * 1e6 for seconds in taken]
        tell(
            f"{count:,} versions: {each[count][0]:.1f} µs each at the endpoint, {each[count][1]:.1f} through boto3, "
            f"{each[count][2]:.1f} where all pages are kept"
        )
    growth = [big / small for small, big in zip(each[10_000], each[100_000], strict=True)]
    assert max(growth[:2]) < 1.5
    assert growth[2] < 2


def kept(client: Any, expected: int) -> float:
    gc.collect()
    began = time.thread_time()
    pages = list(client.get_paginator("list_object_versions").paginate(Bucket="many"))
    taken = time.thread_time() - began
    assert sum(len(page["Versions"]) for page in pages) == expected
    return taken


def test_pages_leave_nothing_behind() -> None:
    """What is held after two hundred pages is what was held after the first ones, in bytes and in objects."""
    with simulated(20_000) as client:
        watch = Watch(client)
        watch.listed(20_000)
        tracemalloc.start()
        try:
            client.list_object_versions(Bucket="many")
            gc.collect()
            before, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
            for _ in range(10):
                watch.listed(20_000)
            gc.collect()
            after, more = tracemalloc.get_traced_memory()[0], len(gc.get_objects()) - objects
        finally:
            tracemalloc.stop()
    tell(f"held after 200 pages: {(after - before) / 1024:.0f} KiB and {more} objects more")
    assert after - before < 256 * 1024
    assert more < 200


def test_a_stored_version_is_one_object_for_the_collector() -> None:
    """A full collection walks through all that is stored, whatever caused it."""
    count = 20_000
    with simulated(VERSIONS_OF_KEY) as client:
        bucket = bucket_named("many")
        assert bucket is not None
        gc.collect()
        before = len(gc.get_objects())
        for n in range(count):
            write(bucket, Version(bucket, f"alone/{n:08}", b"x"))
        gc.collect()
        tracked = (len(gc.get_objects()) - before) / count
        assert len(client.list_objects_v2(Bucket="many", Prefix="alone/")["Contents"]) == 1000
    tell(f"{tracked:.2f} objects for the garbage collector a version")
    assert tracked < 1.1


def test_fifty_times_faster_than_plain_moto_at_20_000() -> None:
    """Versions at the endpoint and through boto3; objects, which plain moto lists faster, at least fifteen times."""
    count = 20_000
    keys = count // VERSIONS_OF_KEY
    with simulated(count) as client:
        ours, ours_whole = Watch(client).best_of(4, count)
        _, ours_objects = Watch(client, "list_objects_v2", "Contents").best_of(4, keys)
    with plain_moto(count) as client:
        theirs, theirs_whole = Watch(client).best_of(1, count)
        _, theirs_objects = Watch(client, "list_objects_v2", "Contents").best_of(1, keys)
    tell(
        f"{count:,} versions, simulated / plain moto: endpoint {ours:.2f} / {theirs:.1f} s, {theirs / ours:.0f} times; "
        f"through boto3 {ours_whole:.2f} / {theirs_whole:.1f} s, {theirs_whole / ours_whole:.0f} times; their "
        f"{keys:,} objects {ours_objects:.2f} / {theirs_objects:.1f} s, {theirs_objects / ours_objects:.0f} times"
    )
    assert theirs >= 50 * ours
    assert theirs_whole >= 50 * ours_whole
    assert theirs_objects >= 15 * ours_objects
