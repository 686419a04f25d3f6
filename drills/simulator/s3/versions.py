"""The versions of a bucket, in the order of their keys and, of one key, in the order in which they were written.

moto keeps a dict of lists that it copies and sorts for every page of a listing, tells the latest version by its time,
and keeps what was deleted in memory. Here the keys stand in a sorted list, so that a page costs what is on it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.s3.models import FakeAcl, FakeBucket, FakeDeleteMarker, FakeKey, get_canned_acl
from moto.s3.utils import _VersionedKeyStore
from sortedcontainers import SortedList

from drills.simulator.replaced import Replacement
from drills.simulator.s3.identifiers import NULL, sequence_of

UNWRITTEN = -1
ARCHIVE_TRANSITIONS: list[tuple[str | None, str]] = [(None, "IN_PROGRESS"), ("IN_PROGRESS", "RESTORED")]

PRIVATE = get_canned_acl("private")
NO_TAGS: Mapping[str, str] = {}
BINARY: Mapping[str, str] = {"content-type": "binary/octet-stream"}
"""One of each for all versions: they are replaced, never changed."""


class Version(FakeKey):  # type: ignore[misc]
    """One version of an object: moto's, with its bytes, tags and parts in itself.

    ``sequence`` is its place in the order of writing. ``parts`` are the sizes and checksums of a multipart upload's.
    """

    # What most versions do not have stands in the class: there may be a hundred thousand of them, and the garbage
    # collector walks through all that each of them refers to.
    sequence = UNWRITTEN
    acl: FakeAcl | None = PRIVATE
    tags: Mapping[str, str] = NO_TAGS
    replication_status: str | None = None
    parts: tuple[Any, ...] = ()
    multipart = None
    disposed = False
    website_redirect_location: str | None = None
    checksum_algorithm: str | None = None
    checksum_value: str | None = None
    checksum_type: str | None = None
    checksum_parts: int | None = None
    encryption: str | None = None
    kms_key_id: str | None = None
    bucket_key_enabled: Any = None
    lock_mode: str | None = None
    lock_legal_status: str | None = None
    lock_until: str | None = None
    _expiry: datetime | None = None
    _storage_class: str | None = "STANDARD"
    _is_versioned = False
    _metadata: Mapping[str, str] = BINARY
    _version_id = NULL
    # How far a restore from the archive is. moto would move it on as time passes; here the simulated clock does.
    model_name = "s3::keyrestore"
    _transitions = ARCHIVE_TRANSITIONS
    _status: str | None = None
    _tick = 0
    _time_progressed = datetime.min  # noqa: DTZ901 - moto has it without a zone

    def __new__(cls, *_: Any, **__: Any) -> Version:
        # moto keeps every instance until it is reset, deleted ones too.
        return object.__new__(cls)

    def __init__(self, bucket: FakeBucket, name: str, body: bytes, *, etag: str | None = None) -> None:
        self.name = name
        self.bucket_name = bucket.name
        self.account_id = bucket.account_id
        self.region_name = bucket.region_name
        self.partition = bucket.partition
        self.written_by = str(bucket.account_id)
        self.body = body
        self.last_modified: datetime = utcnow()
        self._etag = etag if etag is not None else hashlib.md5(body, usedforsecurity=False).hexdigest()

    @property
    def value(self) -> bytes:
        return self.body

    @value.setter
    def value(self, body: bytes | str) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self._etag = hashlib.md5(self.body, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        return f'"{self._etag}"'

    @property
    def contentsize(self) -> int:
        return len(self.body)

    @property
    def size(self) -> int:
        return len(self.body)

    def set_metadata(self, metadata: Any, replace: bool = False) -> None:
        """Add to the metadata, which are headers by their names in lower case."""
        changed = {} if replace else dict(self._metadata)
        for name, value in metadata.items():
            if name.lower() == "content-encoding":
                value = ",".join(one for one in value.split(",") if one.strip() != "aws-chunked")
                if not value:
                    continue
            changed[name.lower()] = value
        if changed != self._metadata:
            self._metadata = changed

    def dispose(self, garbage: bool = False) -> None:
        """moto closes the file that an object lies in; here it lies in none."""
        self.disposed = True

    def __del__(self) -> None:
        """moto warns of objects that were not disposed of."""

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class Marker(FakeDeleteMarker):  # type: ignore[misc]
    """One delete marker. It has no bytes, tags or lock."""

    sequence = UNWRITTEN
    replication_status: str | None = None
    etag = '""'
    size = 0

    def __new__(cls, *_: Any, **__: Any) -> Marker:
        return object.__new__(cls)

    def __init__(self, bucket: FakeBucket, name: str) -> None:
        self.key = None
        self.name = name
        self.bucket_name = bucket.name
        self.account_id = bucket.account_id
        self.last_modified: datetime = utcnow()
        self._version_id = NULL

    def dispose(self, garbage: bool = False) -> None:
        """As of a version."""


class Versions(_VersionedKeyStore):  # type: ignore[misc]
    """A bucket's versions: of each key a list, oldest first, as moto reads it; ``names`` and ``live`` are sorted.

    ``live`` are the keys whose latest version is no marker: what ListObjects shows. Most keys have one version, which
    is kept without a list around it: a list takes memory and is one more thing for the garbage collector to walk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: Any = SortedList()
        self.live: Any = SortedList()
        self._nulls: dict[str, Version | Marker] = {}
        self._nulls_of_before: dict[str, int] = {}

    # --- Reading

    def of(self, name: str) -> list[Any]:
        """The versions of one key, oldest first; empty where there is none."""
        return _listed(dict.get(self, name))

    def latest(self, name: str) -> Any | None:
        found = dict.get(self, name)
        return found[-1] if isinstance(found, list) else found

    def find(self, name: str, identifier: str) -> Any | None:
        """The version or marker of this id."""
        if identifier == NULL:
            return self._nulls.get(name)
        versions = self.of(name)
        sequence = sequence_of(identifier)
        if sequence is not None:
            index = bisect_left(versions, sequence, key=_sequence)
            if index < len(versions) and versions[index].version_id == identifier:
                return versions[index]
        return None

    def place_of(self, name: str, identifier: str) -> int | None:
        """When the version was written, also of one that has been deleted; None where that is not known."""
        if identifier != NULL:
            return sequence_of(identifier)
        null = self._nulls.get(name)
        return null.sequence if null is not None else self._nulls_of_before.get(name)

    def count(self) -> int:
        """How many versions and markers there are. Looks at every key."""
        return sum(map(len, self._lists()))

    def _lists(self) -> Iterator[list[Any]]:
        yield from map(_listed, dict.values(self))

    # --- Changing

    def add(self, version: Any) -> None:
        """Put a version or marker in its place by its sequence; a null one takes the place of the null before it."""
        name = version.name
        versions = self.of(name)
        if not versions:
            self.names.add(name)
        if version.version_id == NULL:
            before = self._nulls.pop(name, None)
            if before is not None:
                versions.remove(before)
            self._nulls[name] = version
            self._nulls_of_before.pop(name, None)
        if versions and versions[-1].sequence > version.sequence:
            versions.insert(bisect_left(versions, version.sequence, key=_sequence), version)
        else:
            versions.append(version)
        self._keep(name, versions)

    def remove(self, version: Any) -> None:
        """Take a version or marker away for good."""
        name = version.name
        versions = self.of(name)
        index = bisect_left(versions, version.sequence, key=_sequence)
        if index >= len(versions) or versions[index] is not version:
            raise KeyError(name)
        del versions[index]
        if version.version_id == NULL:
            self._nulls.pop(name, None)
            self._nulls_of_before[name] = version.sequence
        if not versions:
            self.names.remove(name)
            self._nulls_of_before.pop(name, None)
        self._keep(name, versions)

    def _keep(self, name: str, versions: list[Any]) -> None:
        if versions:
            dict.__setitem__(self, name, versions[0] if len(versions) == 1 else versions)
        else:
            dict.__delitem__(self, name)
        alive = bool(versions) and isinstance(versions[-1], FakeKey)
        if alive is not (name in self.live):
            (self.live.add if alive else self.live.remove)(name)

    # --- What moto itself calls

    def __setitem__(self, name: str, version: Any) -> None:
        raise NotImplementedError(f"{name}: a version comes into being by changes.write and changes.mark only")

    setlist = __setitem__

    def pop(self, name: str, *default: Any) -> None:
        for version in list(self.of(name)):
            self.remove(version)

    def __sgetitem__(self, name: str) -> list[Any]:
        return _listed(dict.__getitem__(self, name))

    def _self_iterable(self) -> dict[str, Any]:
        return self

    def _iterlists(self) -> Iterator[tuple[str, list[Any]]]:
        yield from zip(dict.keys(self), self._lists(), strict=True)


def _listed(found: Any | None) -> list[Any]:
    """What is kept of a key: the list of its versions, its only version, or None."""
    if isinstance(found, list):
        return found
    return [] if found is None else [found]


def _sequence(version: Any) -> int:
    return int(version.sequence)


_bucket_init = FakeBucket.__init__


def bucket_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """In place of ``FakeBucket.__init__``."""
    _bucket_init(self, *args, **kwargs)
    self.keys = Versions()


REPLACEMENTS = (
    Replacement(
        "moto.s3.models:FakeBucket.__init__",
        bucket_init,
        "moto's store of versions is copied and sorted for every page, and destroys versions when it is suspended",
        "8965d4badfee",
    ),
)
