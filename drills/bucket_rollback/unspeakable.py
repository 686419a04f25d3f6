"""Keys that DeleteObjects cannot name: its request is XML, which has no control characters.

A carriage return would even arrive as a line feed, which is another key. In a URL every key can be named. Source: S3
user guide, Naming Amazon S3 objects, XML related object key constraints.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
Named = dict[str, str]
"""``Key``, and ``VersionId`` where one version is meant."""


def apart(entries: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """Those that can be named in one request, and those of which each needs a request of its own."""
    alone = [entry for entry in entries if _UNSPEAKABLE.search(entry["Key"])]
    return ([entry for entry in entries if entry not in alone] if alone else list(entries)), alone
