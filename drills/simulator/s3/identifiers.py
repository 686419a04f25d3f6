"""Version ids: opaque to clients, and each tells when its version was written.

AWS's ids keep the order of writing as well: a listing goes on behind a version that has been deleted meanwhile, and an
id that AWS never gave is refused as invalid, not as unknown.
"""

from __future__ import annotations

import base64
import hashlib
import re

NULL = "null"
FORM = re.compile(r"[A-Za-z0-9._]{32}")
ALTERNATIVES = b"._"
CHANCE_BYTES = 12
SEQUENCE_BYTES = 8
CHECK_BYTES = 4


def version_id(sequence: int, chance: bytes) -> str:
    """The id of the version that was written as this one; ``chance`` is twelve random bytes."""
    mask, check = _mask_and_check(chance)
    hidden = (sequence ^ mask).to_bytes(SEQUENCE_BYTES, "big")
    return base64.b64encode(chance + hidden + check, ALTERNATIVES).decode()


def sequence_of(identifier: str) -> int | None:
    """The place in the order of writing, None for ``null`` and for what is no version id."""
    if not FORM.fullmatch(identifier):
        return None
    raw = base64.b64decode(identifier, ALTERNATIVES)
    chance, hidden = raw[:CHANCE_BYTES], raw[CHANCE_BYTES:-CHECK_BYTES]
    mask, check = _mask_and_check(chance)
    if raw[-CHECK_BYTES:] != check:
        return None
    return int.from_bytes(hidden, "big") ^ mask


def _mask_and_check(chance: bytes) -> tuple[int, bytes]:
    digest = hashlib.blake2b(chance, digest_size=SEQUENCE_BYTES + CHECK_BYTES).digest()
    return int.from_bytes(digest[:SEQUENCE_BYTES], "big"), digest[SEQUENCE_BYTES:]
