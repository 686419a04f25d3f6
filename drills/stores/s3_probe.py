"""Whether a bucket answers as the application needs: by key, by prefix, and for an object written just now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.model import Finding, Location, Verdict
from drills.ownership import owner_tag
from drills.site import Site
from drills.stores.s3_buckets import client, delete_versions, exists, is_locking, is_own, refused, versions_of
from drills.stores.s3_objects import ARCHIVED, checksum, trusted_sha256
from drills.stores.s3_reading import body_digest

SAMPLE = 20
CANARY = b"A canary of a recovery drill, of no meaning; it is removed at once.\n"
RETENTION = timedelta(minutes=1)

Answer = tuple[Verdict, str, int]
"""Verdict, what was observed, and how many objects were looked at."""


def probe_bucket(site: Site, at: Location) -> list[Finding]:
    """A finding for reads by key and by prefix, for a canary, and for the name of a bucket that lies elsewhere now."""
    probe = _Probe(site, at)
    findings = [
        probe.finding("get", "every sampled object by its key, with the bytes that its checksum says", probe.by_key),
        probe.finding("list", "every sampled object by a listing of its prefix", probe.by_prefix),
        probe.finding("canary", "a new object written, read, listed and removed with all its versions", probe.canary),
    ]
    return findings + _name(site, at)


class _Probe:
    """The questions to one bucket."""

    def __init__(self, site: Site, at: Location) -> None:
        self.site = site
        self.bucket = at.name
        self.s3 = client(site, at)

    def finding(self, check: str, expected: str, ask: Callable[[], Answer]) -> Finding:
        try:
            verdict, observed, covered = ask()
        except ClientError as error:
            # What AWS refuses to the probe it refuses to the application too; a failure of its own says nothing.
            verdict, observed, covered = "fail" if refused(error) else "unknown", str(error), 0
        except Exception as error:  # noqa: BLE001 - a check that crashes says so and leaves the others standing.
            verdict, observed, covered = "unknown", f"{type(error).__name__}: {error}", 0
        return Finding(check, verdict, self.site.store.name, expected, observed, covered)

    def sample(self) -> list[Any]:
        return list(self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=SAMPLE).get("Contents", []))

    def by_key(self) -> Answer:
        sample = [entry["Key"] for entry in self.sample()]
        read = [key for key in sample if self._is_readable(key)]
        wrong = [key for key in read if not self._reads(key)]
        if wrong:
            return "fail", f"{len(wrong)} of {len(read)} not as listed, the first {wrong[0]}", len(read)
        archived = f"; {len(sample) - len(read)} are archived" if len(read) < len(sample) else ""
        return "pass", f"{len(read)} objects as listed{archived}" if sample else "there is no object to read", len(read)

    def _is_readable(self, key: str) -> bool:
        return self.s3.head_object(Bucket=self.bucket, Key=key).get("StorageClass") not in ARCHIVED

    def _reads(self, key: str) -> bool:
        answer = self.s3.get_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        expected = trusted_sha256(answer)
        return expected in (None, body_digest(answer))

    def by_prefix(self) -> Answer:
        sample = [entry["Key"] for entry in self.sample()]
        wrong = [key for key in sample if not self._lists(key)]
        if wrong:
            return "fail", f"{len(wrong)} of {len(sample)} not found by prefix, the first {wrong[0]}", len(sample)
        return "pass", f"{len(sample)} objects found" if sample else "it answers; there is no object", len(sample)

    def _lists(self, key: str) -> bool:
        answer = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        return [entry["Key"] for entry in answer.get("Contents", [])] == [key]

    # --- The canary

    def canary(self) -> Answer:
        key = f"drills-canary/{owner_tag(self.site)[1]}"
        if self._lists(key):
            return "fail", f"there is an object {key} already; expected none of that name", 1
        try:
            self.s3.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=CANARY,
                ChecksumSHA256=checksum(hashlib.sha256(CANARY).hexdigest()),
                **self._short_retention(),
            )
            with self.s3.get_object(Bucket=self.bucket, Key=key)["Body"] as body:
                missed = [] if body.read() == CANARY else ["its key"]
            missed += [] if self._lists(key) else ["its prefix"]
            self.s3.delete_object(Bucket=self.bucket, Key=key)
            missed += ["its absence, once deleted"] if self._lists(key) else []
        finally:
            versions = versions_of(self.s3, self.bucket, key)
            bypass = is_locking(self.s3, self.bucket)
            left = delete_versions(self.s3, self.bucket, versions, self.site.clock, bypass=bypass)
        if missed:
            return "fail", f"written, but not found by {', '.join(missed)}", 1
        if left:
            return "fail", f"written and read, but {len(left)} versions of it cannot be removed", 1
        return "pass", "written, read, listed and removed", 1

    def _short_retention(self) -> dict[str, Any]:
        """Where new versions are locked, the canary is locked for a minute, in the mode that can be overruled."""
        if not is_locking(self.s3, self.bucket):
            return {}
        until = self.site.clock.now() + RETENTION
        return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}


def _name(site: Site, at: Location) -> list[Finding]:
    """Whether the name the application had belongs to somebody else by now, where the bucket has another one.

    Only the account that had it can tell somebody else's bucket from its own. It asks from where the restored bucket
    is, so that nothing depends on a region that may be down.
    """
    before = site.primary()
    if before.name == at.name or before.account != at.account:
        return []
    s3 = client(site, at)
    try:
        if not exists(s3, before.name) or is_own(site, s3, before.name):
            return []
    except BotoCoreError:
        return []
    return [
        Finding(
            check="name",
            verdict="pass",
            subject=site.store.name,
            expected="restored under a name of our own",
            observed=f"restored as {at.name}; the name {before.name} was taken by another account once it was free, "
            "and whoever still sends to it sends to a stranger",
        )
    ]
