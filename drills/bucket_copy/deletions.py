"""The register of deletions: what production deleted and when, kept in the vault and not followed there.

A copy that does not follow deletions would bring back, after a loss, all that was ever deleted. A copy that does would
lose, with a bug in production, all that it is for. So each pass writes down the delete markers of the source, and a
restore asks the register which keys were there at its moment.

Whoever deletes a key's newest version for good lets an older one become current, and leaves no trace in the source. The
copy still has that version, above all that the source has: so it is noticed, as of the pass that sees it first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import TemporaryFile
from typing import IO, Any

from drills.bucket_copy.compare import Pair, both, newest_erased
from drills.bucket_copy.model import REGISTER, BucketCopy, Clients
from drills.bucket_rollback import Entry
from drills.bucket_rollback.deciding import whole_second
from drills.errors import ProtectionError
from drills.presence import exists

SEEN_AT = "seen-at"
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Deletion:
    """When a key was deleted, to the second, and the version that was deleted; empty where nobody knows any more."""

    at: datetime
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """All deletions of one key. ``erased``: versions that were deleted for good while they were its newest."""

    key: str
    deletions: tuple[Deletion, ...]
    erased: tuple[Deletion, ...] = ()

    @classmethod
    def read(cls, line: bytes) -> Registered:
        told = json.loads(line)
        return cls(told["key"], _read(told["deletions"]), _read(told.get("erased", ())))

    def line(self) -> bytes:
        told = {"key": self.key, "deletions": _told(self.deletions)}
        return json.dumps({**told, "erased": _told(self.erased)} if self.erased else told).encode() + b"\n"


def _read(told: Iterable[Sequence[str]]) -> tuple[Deletion, ...]:
    return tuple(Deletion(datetime.fromisoformat(at), of) for at, of in told)


def _told(deletions: Iterable[Deletion]) -> list[list[str]]:
    return [[one.at.isoformat(), one.version_id] for one in deletions]


def deleted_by(moment: datetime, state: Entry, deletions: Iterable[Deletion]) -> bool:
    """Whether a key whose newest version before the moment is ``state`` had been deleted by then."""
    before = (one for one in deletions if one.at < whole_second(moment))
    return any(one.version_id == state.version_id or one.at > state.modified for one in before)


def erased_by(moment: datetime, erased: Iterable[Deletion]) -> set[str]:
    """The versions that had been deleted for good by then."""
    return {one.version_id for one in erased if one.at < whole_second(moment)}


def record_deletions(copy: BucketCopy, clients: Clients, now: datetime) -> int:
    """One pass; returns how many keys with deletions the register holds now. Memory is flat.

    Raises ProtectionError for a source that is empty while the copy is not: that is no deletion but a disaster, and
    registering it would let the next restore bring back nothing.
    """
    vault = clients("vault", "s3")
    before, after = hashlib.sha256(), hashlib.sha256()
    count = kept_in_source = 0
    with TemporaryFile() as file:
        for pair, known in _with_known(both(copy, clients), _lines(vault, copy, before)):
            kept_in_source += bool(pair.source)
            found = Registered(pair.key, _deletions(pair, known.deletions, now), _erased(pair, known.erased, now))
            if found.deletions or found.erased:
                line = found.line()
                after.update(line)
                file.write(line)
                count += 1
        if not kept_in_source and (count or _any_replica(copy, clients)):
            raise ProtectionError(
                f"bucket {copy.source_bucket} holds nothing, not even delete markers, and its copy does. That is not "
                "registered as a deletion: restore the bucket from the copy, or remove the copy."
            )
        if before.digest() != after.digest() or exists(lambda: vault.head_object(**copy.copy, Key=REGISTER)) is None:
            _put(vault, copy, file)
    # A tag can be changed without a new version, of which a locked bucket would keep thousands.
    seen = {"TagSet": [{"Key": SEEN_AT, "Value": now.astimezone(UTC).isoformat()}]}
    vault.put_object_tagging(**copy.copy, Key=REGISTER, Tagging=seen)
    return count


def registered(copy: BucketCopy, clients: Clients) -> Iterator[Registered]:
    """All keys with deletions, in the order of keys."""
    return _lines(clients("vault", "s3"), copy, hashlib.sha256())


def seen_at(copy: BucketCopy, clients: Clients) -> datetime | None:
    """When the last pass was, None before the first."""
    vault = clients("vault", "s3")
    found = exists(lambda: vault.get_object_tagging(**copy.copy, Key=REGISTER))
    tags = {tag["Key"]: tag["Value"] for tag in found["TagSet"]} if found else {}
    return datetime.fromisoformat(tags[SEEN_AT]) if SEEN_AT in tags else None


def _lines(vault: Any, copy: BucketCopy, digest: Any) -> Iterator[Registered]:
    found = exists(lambda: vault.get_object(**copy.copy, Key=REGISTER))
    for line in found["Body"].iter_lines(CHUNK_BYTES) if found else ():
        digest.update(line + b"\n")
        yield Registered.read(line)


def _put(vault: Any, copy: BucketCopy, file: IO[bytes]) -> None:
    file.flush()
    file.seek(0)
    vault.put_object(**copy.copy, Key=REGISTER, Body=file)


def _any_replica(copy: BucketCopy, clients: Clients) -> bool:
    return any(pair.copy for pair in both(copy, clients))


def _with_known(found: Iterator[Pair], known: Iterator[Registered]) -> Iterator[tuple[Pair, Registered]]:
    """Each pair with what is registered of its key already; keys that neither side has any more are dropped."""
    entry = next(known, None)
    for pair in found:
        while entry is not None and entry.key < pair.key:
            entry = next(known, None)
        yield pair, entry if entry is not None and entry.key == pair.key else Registered(pair.key, ())
    for _ in known:
        # To the end, so that the digest is that of the whole register.
        pass


def _deletions(pair: Pair, known: Sequence[Deletion], now: datetime) -> tuple[Deletion, ...]:
    if not pair.source:
        newest = max((entry.modified for entry in pair.copy), default=now)
        if any(one.at >= newest for one in known):
            return tuple(known)
        return (*known, Deletion(whole_second(now)))
    # As far back as the source reaches it is right: a delete marker that was taken away again is no deletion.
    oldest = pair.source[-1].modified
    older = [one for one in known if one.at < oldest]
    return (*older, *_markers(pair.source))


def _erased(pair: Pair, known: Sequence[Deletion], now: datetime) -> tuple[Deletion, ...]:
    """What is registered and still in the copy, and what is missing from the source since."""
    held = {entry.version_id for entry in pair.copy}
    kept = [one for one in known if one.version_id in held]
    registered_before = {one.version_id for one in kept}
    new = (version for version in newest_erased(pair) if version.version_id not in registered_before)
    return (*kept, *(Deletion(whole_second(now), version.version_id) for version in new))


def _markers(entries: Sequence[Entry]) -> Iterator[Deletion]:
    for place in range(len(entries) - 1, -1, -1):
        if entries[place].marker:
            below = next((entry.version_id for entry in entries[place + 1 :] if not entry.marker), "")
            yield Deletion(entries[place].modified, below)
