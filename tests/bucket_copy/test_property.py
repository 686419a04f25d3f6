"""Whatever happened in production, the copy brings back what was there, by its own versions and its register."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from drills.bucket_copy import BucketCopy, bring_back, bring_in, deploy, readable_by, record_deletions, remove, status
from drills.simulator import SimulatedAWS
from tests.bucket_rollback.buckets import contents
from tests.kept_clients import client_of

PRODUCTION, VAULT, RECOVERY = "111111111111", "222222222222", "333333333333"
COPY = BucketCopy(PRODUCTION, "eu-west-1", "papers", VAULT, "eu-central-1", "papers-copy", "papers-copy", (RECOVERY,))
DEEDS = ("put", "delete", "undelete", "drop", "erase")
STEP = st.tuples(st.sampled_from(DEEDS), st.sampled_from("abc"), st.sampled_from([0.1, 0.7, 40]))
STEPS = st.lists(STEP, max_size=7)


class _World:
    """The three accounts, with the source made."""

    def __init__(self, aws: SimulatedAWS) -> None:
        self.aws = aws
        self.s3 = self.client(PRODUCTION, "eu-west-1")
        self._make(self.s3, "papers", "eu-west-1")
        self.writes = 0

    def client(self, account: str, region: str, service: str = "s3") -> Any:
        return client_of(self.aws, account, service, region)

    def clients(self, side: str, service: str) -> Any:
        return self.client(*((PRODUCTION, "eu-west-1") if side == "production" else (VAULT, "eu-central-1")), service)

    def _make(self, s3: Any, name: str, region: str) -> None:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def wait(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None:
        while not ready():
            self.aws.clock.sleep(every_seconds)

    def step(self, deed: str, key: str, seconds: float) -> None:
        self.writes += 1
        listed = self.s3.list_object_versions(Bucket="papers", Prefix=key)
        if deed == "put":
            self.s3.put_object(Bucket="papers", Key=key, Body=str(self.writes))
        elif deed == "delete":
            self.s3.delete_object(Bucket="papers", Key=key)
        elif deed == "undelete":
            for marker in (one for one in listed.get("DeleteMarkers", []) if one["IsLatest"]):
                self.s3.delete_object(Bucket="papers", Key=key, VersionId=marker["VersionId"])
        elif deed == "drop":
            for newest in (one for one in listed.get("Versions", []) if one["IsLatest"]):
                self.s3.delete_object(Bucket="papers", Key=key, VersionId=newest["VersionId"])
        else:
            for one in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
                self.s3.delete_object(Bucket="papers", Key=key, VersionId=one["VersionId"])
        self.aws.clock.sleep(seconds)

    def settle(self) -> None:
        """Everything is replicated and a pass has been made."""
        self.aws.clock.sleep(900)
        record_deletions(COPY, self.clients, self.aws.clock.now())
        self.aws.clock.sleep(2)

    def brought_back(self, name: str, **moments: Any) -> dict[str, bytes]:
        target = self.client(RECOVERY, "eu-north-1")
        self._make(target, name, "eu-north-1")
        with readable_by(self.clients("vault", "s3"), COPY.copy, RECOVERY):
            done = bring_back(COPY, self.clients, target, name, workers=1, **moments)
        assert done.whole
        return contents(target, name)


@settings(max_examples=int(os.environ.get("BUCKET_COPY_EXAMPLES", "12")), deadline=None)
@given(older=STEPS, before=STEPS, after=STEPS)
def test_the_state_at_a_moment_comes_back(
    older: list[tuple[str, str, float]], before: list[tuple[str, str, float]], after: list[tuple[str, str, float]]
) -> None:
    with SimulatedAWS() as aws:
        world = _World(aws)
        for one in older:
            world.step(*one)
        # Something is always there: an empty source is refused, as no deletion empties it.
        world.step("put", "anchor", 1)
        deploy(COPY, world.clients)
        bring_in(COPY, world.clients, world.wait)
        for one in before:
            world.step(*one)
        world.settle()
        held, to = contents(world.s3, "papers"), aws.clock.now()
        aws.clock.sleep(1)
        assert world.brought_back("live", to=aws.clock.now()) == held
        # Markers and versions that are destroyed leave only what the register knew of them before.
        for deed, key, seconds in after:
            world.step("put" if deed == "undelete" else deed, key, seconds)
        world.settle()
        assert world.brought_back("as-of", to=to) == held


def test_a_newest_version_that_is_deleted_for_good_is_noticed() -> None:
    """S3 lets the older one become current and keeps no trace of it; the copy still has both."""
    with SimulatedAWS() as aws:
        world = _World(aws)
        deploy(COPY, world.clients)
        for step in (("put", "a", 40), ("put", "a", 40), ("put", "b", 40)):
            world.step(*step)
        world.settle()
        assert status(COPY, world.clients, aws.clock.now()).altered == ()
        before_it = aws.clock.now()
        world.step("drop", "a", 40)
        (said,) = status(COPY, world.clients, aws.clock.now()).altered
        assert "'a' has an older version current in production" in said
        world.settle()
        aws.clock.sleep(2)
        now = aws.clock.now()
        assert contents(world.s3, "papers") == {"a": b"1", "b": b"3"}
        assert world.brought_back("as-it-is", to=now) == {"a": b"1", "b": b"3"}
        assert world.brought_back("as-before", to=before_it) == {"a": b"2", "b": b"3"}
        assert world.brought_back("by-a-failure", to=now, deletions_to=before_it) == {"a": b"2", "b": b"3"}


def test_a_copy_with_keys_that_xml_cannot_carry_is_emptied() -> None:
    with SimulatedAWS() as aws:
        world = _World(aws)
        deploy(COPY, world.clients)
        for key in ("a\x01b", "c\rd", "c\nd", "plain"):
            world.s3.put_object(Bucket="papers", Key=key, Body=key)
        world.settle()
        assert len(contents(world.clients("vault", "s3"), COPY.copy_bucket)) > 4
        remove(COPY, world.clients)
        assert world.clients("vault", "s3").list_buckets()["Buckets"] == []
