"""The source and its copy, side by side: two listings, merged by key, in flat memory.

A replica keeps the id of the version that it is of, so the ids tell what is missing. Source: S3 user guide, What does
Amazon S3 replicate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice, takewhile
from typing import Any

from drills.bucket_copy.model import RESERVED, BucketCopy, Clients
from drills.bucket_rollback import Entry, keys_of

Listing = Iterator[tuple[str, list[Entry]]]
SAMPLED = 200


@dataclass(frozen=True, slots=True)
class Pair:
    """One key on both sides, newest first; empty where a side does not have it."""

    key: str
    source: Sequence[Entry]
    copy: Sequence[Entry]


@dataclass(slots=True)
class Sample:
    """How many there are, and some of them, evenly spread over all keys; the oldest is always among them."""

    count: int = 0
    oldest: tuple[str, Entry] | None = None
    _spread: list[tuple[str, Entry]] = field(default_factory=list)
    _stride: int = 1

    def add(self, key: str, entry: Entry) -> None:
        if self.count % self._stride == 0:
            self._spread.append((key, entry))
        self.count += 1
        if self.oldest is None or entry.modified < self.oldest[1].modified:
            self.oldest = (key, entry)
        if len(self._spread) > SAMPLED:
            del self._spread[1::2]
            self._stride *= 2

    @property
    def some(self) -> list[tuple[str, Entry]]:
        """In the order of keys."""
        if self.oldest is None or self.oldest in self._spread:
            return list(self._spread)
        return sorted([*self._spread, self.oldest], key=lambda one: one[0])


@dataclass(slots=True)
class Comparison:
    """What two listings tell.

    ``missing``: versions of the source that the copy does not have. ``differing``: the same version with another size
    or ETag. ``covered``: keys whose newest version of the copy is not the source's, which lies below it.
    """

    keys: int = 0
    versions: int = 0
    missing: Sample = field(default_factory=Sample)
    differing: Sample = field(default_factory=Sample)
    covered: Sample = field(default_factory=Sample)
    newest: datetime | None = None
    """When the newest version that is in the copy was written."""


def pairs(source: Listing, copy: Listing) -> Iterator[Pair]:
    """Every key of either side, in order."""
    left, right = next(source, None), next(copy, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield Pair(left[0], left[1], ())
            left = next(source, None)
        elif left is None or right[0] < left[0]:
            yield Pair(right[0], (), right[1])
            right = next(copy, None)
        else:
            yield Pair(left[0], left[1], right[1])
            left, right = next(source, None), next(copy, None)


def both(copy: BucketCopy, clients: Clients, prefix: str | None = None) -> Iterator[Pair]:
    """The pairs of a copy, without what the copy keeps for itself."""
    prefix = copy.options.prefix if prefix is None else prefix
    source = keys_of(clients("production", "s3"), copy.source_bucket, prefix, owner=copy.source_account)
    replicas = keys_of(clients("vault", "s3"), copy.copy_bucket, prefix, owner=copy.vault_account)
    return (pair for pair in pairs(source, replicas) if not pair.key.startswith(RESERVED))


def compare(found: Iterator[Pair], *, every_version: bool = True, most_keys: int | None = None) -> Comparison:
    """``every_version``: also those that were written over since. ``most_keys``: stop after so many."""
    result = Comparison()
    for pair in islice(found, most_keys):
        result.keys += 1
        _compare_key(pair, every_version, result)
    return result


def _compare_key(pair: Pair, every_version: bool, result: Comparison) -> None:
    replicas = {entry.version_id: entry for entry in pair.copy if not entry.marker}
    versions = [entry for entry in pair.source if not entry.marker]
    known = {entry.version_id for entry in versions}
    foreign = [replica for replica in replicas.values() if replica.version_id not in known]
    for place, entry in enumerate(versions if every_version else versions[:1]):
        result.versions += 1
        replica = replicas.get(entry.version_id) or _copied_directly(entry, foreign)
        if replica is None:
            result.missing.add(pair.key, entry)
            continue
        if result.newest is None or replica.modified > result.newest:
            result.newest = replica.modified
        if replica.size != entry.size or (replica.etag != entry.etag and replica.version_id == entry.version_id):
            result.differing.add(pair.key, entry)
        if place == 0 and pair.copy[0].version_id != replica.version_id:
            result.covered.add(pair.key, pair.copy[0])


def _copied_directly(entry: Entry, foreign: Sequence[Entry]) -> Entry | None:
    """A version that was brought in by a plain copy has an id of its own; its content tells."""
    return next((one for one in foreign if (one.etag, one.size) == (entry.etag, entry.size)), None)


def newest_erased(pair: Pair) -> list[Entry]:
    """The versions of the copy that stand above all that the source has, and that the source has no more.

    A key that the source does not have at all is a deletion, and one whose newest version is not in the copy yet will
    be judged when it is.
    """
    if not pair.source or not pair.copy:
        return []
    versions = [entry for entry in pair.source if not entry.marker]
    known = {entry.version_id for entry in versions}
    if versions and all(entry.version_id != versions[0].version_id for entry in pair.copy):
        return []
    # What was copied directly has an id of its own, and the content of a version of the source.
    contents = {(entry.etag, entry.size) for entry in versions}
    above = takewhile(lambda entry: entry.version_id not in known, pair.copy)
    return [
        entry
        for entry in above
        if not entry.marker and entry.modified >= pair.source[0].modified and (entry.etag, entry.size) not in contents
    ]


def encrypted_by_kms(s3: Any, bucket: dict[str, str], key: str, entry: Entry) -> bool:
    """Then the ETag says nothing of the content, and differs between the sides."""
    told = s3.head_object(**bucket, Key=key, VersionId=entry.version_id)
    return str(told.get("ServerSideEncryption", "")).startswith("aws:kms")
