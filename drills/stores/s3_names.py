"""What a bucket is called. Names of buckets are shared by all accounts of the world, and narrower than an estate's."""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 63
"""Source: S3 user guide, General purpose bucket naming rules."""
DIGEST_LENGTH = 10


def bucket_name(wanted: str, account: str, region: str) -> str:
    """A valid name of a bucket for ``wanted``, always the same, and another for another account or region.

    Lower-case, at most 63 characters, without dots, which TLS certificates of S3 do not cover. The account is in the
    digest, so that two teams that run one estate do not meet.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    digest = hashlib.sha256(f"{wanted}/{account}/{region}".encode()).hexdigest()[:DIGEST_LENGTH]
    # A digest before the cut: what was cut off would otherwise no longer tell two names apart.
    kept = plain[: LONGEST_NAME - DIGEST_LENGTH - 1].strip("-")
    return f"{kept}-{digest}" if kept else f"bucket-{digest}"
