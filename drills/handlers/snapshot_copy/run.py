"""One run of either function: what it knows, has made and tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .quotas import Room
from .reporting import Told
from .settings import Settings
from .snapshots import Snapshot

MARGIN_SECONDS = 20.0
"""What is left of the function's time must be enough for the calls about one database."""


class Run:
    """What both sides have in common."""

    def __init__(self, settings: Settings, seconds_left: Callable[[], float]) -> None:
        self.settings = settings
        self.seconds_left = seconds_left
        self.told = Told()
        self.now = datetime.now(UTC)
        self._room: dict[str, Room] = {}

    def count(self, snapshots: Mapping[str, Iterable[Snapshot]]) -> None:
        """Take note of all that there is, by region, before something is made of it."""
        self._room = {region: Room(self.settings, region, there) for region, there in snapshots.items()}

    def room(self, rds: Any) -> Room:
        """Of the client's region; one that was not counted is taken to be empty."""
        region = str(rds.meta.region_name)
        return self._room.setdefault(region, Room(self.settings, region, ()))

    def for_each(self, things: Iterable[Any], act: Callable[[Any], None]) -> None:
        """Do it for each; what AWS refuses for one is told and does not stop the others."""
        for one in things:
            if self.seconds_left() < MARGIN_SECONDS:
                self.told.waiting.append(f"{one} and what comes after it: the function's time is nearly over")
                return
            try:
                act(one)
            except (ClientError, BotoCoreError) as error:
                self.told.refused(str(one), error)
