"""How much AWS lets be made in a region: copies at the same time, and manual snapshots altogether.

Source: RDS user guide, Quotas and constraints: 20 snapshot copies in progress into one region, 100 manual snapshots of
instances and 100 of clusters in a region unless AWS was asked for more.
"""

from __future__ import annotations

from collections.abc import Iterable

from .settings import Settings
from .snapshots import CLUSTER, DB, Snapshot, Words


class Room:
    """What is left of one region's quotas, as far as one run takes and gives; whosever snapshots they are."""

    def __init__(self, settings: Settings, region: str, snapshots: Iterable[Snapshot]) -> None:
        there = [one for one in snapshots if one.kind == "manual"]
        self._settings = settings
        self._region = region
        under_way = sum(one.is_under_way and one.copied_from is not None for one in there)
        self._copies = settings.copies_at_once - under_way
        self._manual = {
            words.of: settings.manual_snapshots - sum(one.words.of == words.of for one in there)
            for words in (DB, CLUSTER)
        }

    def all_copies_under_way(self) -> str | None:
        """Why no copy can begin now, None when one can."""
        if self._copies > 0:
            return None
        return f"{self._settings.copies_at_once} copies are being made already"

    def all_manual_there(self, words: Words, wanted: int = 1) -> str | None:
        """Why so many more snapshots cannot be made, None when they can."""
        if self._manual[words.of] >= wanted:
            return None
        return (
            f"there are {self._settings.manual_snapshots - self._manual[words.of]} of at most "
            f"{self._settings.manual_snapshots} manual {words.of} snapshots in {self._region}: delete some, or let AWS "
            "raise the quota and tell the copy"
        )

    def takes(self, words: Words, *, copy: bool) -> None:
        self._manual[words.of] -= 1
        self._copies -= copy

    def gives(self, words: Words) -> None:
        self._manual[words.of] += 1
