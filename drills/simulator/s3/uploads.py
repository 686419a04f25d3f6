"""Multipart uploads while they are under way: what was asked for at their beginning, and their parts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.s3.models import FakeBucket, FakeMultipart

from drills.simulator.s3.checksums import Checksum, ChecksumType
from drills.simulator.s3.lock import Lock
from drills.simulator.state import current

UPLOAD_ID_BYTES = 48


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it arrived. ``checksum`` is kept only where the upload was begun with an algorithm."""

    number: int
    body: bytes
    etag: str
    last_modified: datetime
    checksum: Checksum | None

    @property
    def size(self) -> int:
        return len(self.body)

    def kept(self) -> KeptPart:
        return KeptPart(self.number, self.size, self.checksum)


@dataclass(frozen=True, slots=True)
class KeptPart:
    """What an object remembers of a part that it was put together from."""

    number: int
    size: int
    checksum: Checksum | None

    @property
    def checksum_element(self) -> str:
        return "" if self.checksum is None else checksum_element(self.checksum)


def checksum_element(checksum: Checksum) -> str:
    return f"<{checksum.element}>{checksum.value}</{checksum.element}>"


class Upload(FakeMultipart):  # type: ignore[misc]
    """An upload under way. ``headers`` are those of the call that began it: they describe the object.

    ``touched``: whether its key has been written or deleted since.
    """

    def __new__(cls, *_: Any, **__: Any) -> Upload:
        return object.__new__(cls)

    def __init__(
        self,
        bucket: FakeBucket,
        key: str,
        headers: Mapping[str, str],
        asked_lock: Lock | None,
        algorithm: str | None,
        checksum_type: ChecksumType | None,
        by: str,
    ) -> None:
        chance = current().rng("s3.upload_ids").randbytes(UPLOAD_ID_BYTES)
        self.id = base64.b64encode(chance, b"._").decode()
        self.key_name = key
        self.account_id, self.region_name = bucket.account_id, bucket.region_name
        self.metadata = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": checksum_type}
        self.headers = dict(headers)
        self.asked_lock = asked_lock
        self.algorithm = algorithm
        self.checksum_type = checksum_type
        self.by = by
        self.initiated: datetime = utcnow()
        self.parts: dict[int, Part] = {}
        self.touched = False

    def dispose(self) -> None:
        self.parts = {}
