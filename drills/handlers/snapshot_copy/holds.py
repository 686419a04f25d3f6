"""Holds: whoever restores from a copy keeps it from being pruned, by a tag that says until when, and no longer.

Each restore has a tag of its own on the copy, so that one that ends takes away nobody else's hold. People may set the
plain tag by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from .snapshots import HELD_TAG, Snapshot, is_hold


def hold_key(holder: str) -> str:
    """The tag of one restore. ``holder``: what it restores into, such as ``333333333333:eu-north-1:orders-2``."""
    return f"{HELD_TAG}:{holder}"


def hold_until(moment: datetime) -> str:
    """The value of such a tag: ``2026-01-05T09:41:00Z``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def is_held(snapshot: Snapshot, now: datetime) -> bool:
    """Whether a hold on it has not ended, or says nothing that could be understood."""
    return any(until is None or until > now for until in _holds(snapshot.tags).values())


def unreadable_holds(snapshot: Snapshot) -> list[str]:
    """Those that say nothing that could be understood, in words."""
    return [
        f"{snapshot.arn}: expected the tag {key} to be a moment with its zone, such as 2026-01-05T09:41:00Z, found "
        f"{snapshot.tags[key]!r}; it is kept until the tag is put right or taken off"
        for key, until in sorted(_holds(snapshot.tags).items())
        if until is None
    ]


def _holds(tags: Mapping[str, str]) -> dict[str, datetime | None]:
    """By tag, until when; None for what says no moment."""
    return {key: _moment(value) for key, value in tags.items() if is_hold(key)}


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    # A moment without its zone may be hours away from what was meant.
    return found if found.tzinfo is not None else None
