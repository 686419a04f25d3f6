"""What has to be done with one key so that it is as it was at a moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from drills.bucket_rollback.listing import Entry

Deed = Literal["kept", "undeleted", "copied", "set_aside", "lost", "archived", "failed"]
DEEDS: tuple[Deed, ...] = ("kept", "undeleted", "copied", "set_aside", "lost", "archived", "failed")
NULL = "null"
ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")
"""Storage classes that cannot be read before they are restored. Source: S3 user guide, Archiving."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a key. ``then`` is its version at that moment, None where it was not there.

    ``deed``: ``kept`` (nothing to do), ``undeleted`` (take ``markers`` away), ``copied`` (copy ``then`` onto the key),
    ``set_aside`` (lay a delete marker over what came later). ``lost``: why what the key held then may be gone for good.
    """

    key: str
    deed: Deed
    current: Entry
    then: Entry | None = None
    markers: tuple[str, ...] = ()
    lost: str = ""


def whole_second(moment: datetime) -> datetime:
    """S3 tells whole seconds: what was written within the second of the moment counts as later."""
    return moment.replace(microsecond=0)


def decide(entries: Sequence[Entry], to: datetime) -> Decision:
    """``entries``: all that S3 lists of one key, newest first. ``to``: what was written before this moment stands."""
    moment = whole_second(to)
    older = next((place for place, entry in enumerate(entries) if entry.modified < moment), len(entries))
    later, current = entries[:older], entries[0]
    state = entries[older] if older < len(entries) else None
    then = None if state is None or state.marker else state
    lost = _lost(later, state)
    if not later or (then is None and current.marker):
        return Decision(current.key, "kept", current, then, lost=lost)
    if then is None:
        return Decision(current.key, "set_aside", current, lost=lost)
    if all(entry.marker for entry in later):
        return Decision(current.key, "undeleted", current, then, tuple(entry.version_id for entry in later), lost)
    return Decision(current.key, "copied", current, then, lost=lost)


def _lost(later: Sequence[Entry], state: Entry | None) -> str:
    if any(entry.version_id == NULL for entry in later):
        return (
            "its null version was written after that moment, while versioning was suspended; what a null version held "
            "before is overwritten"
        )
    if state is None and later and later[-1].marker:
        return "it was deleted after that moment and the versions below the delete marker are deleted for good"
    return ""
