"""Protections. One file a mechanism: set up, list recovery points, restore — the three belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from drills.model import JSON, Finding, Location, Place, RecoveryPoint
from drills.site import Site


class Protection(Protocol):
    """One mechanism that makes recovery points of a store and restores from them.

    ``options`` are the protection's own keys of the estate file, checked by ``check`` before a drill starts.
    Calls that AWS refuses or that reach nobody raise botocore's exceptions or PointUnreachable; the engine turns them
    into findings.
    """

    name: str
    kind: str
    summary: str

    def check(self, options: Mapping[str, JSON]) -> None:
        """Raises ValueError naming the option, what is expected and what was found."""
        ...

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Protect the store, which may already hold records. Returns when protection is in force."""
        ...

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        """What the operators' monitoring would show now: lag, gap, alarms. Empty when there is nothing to watch.

        Asked once, at the end of the workload, just before the failure."""
        ...

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Delete what set_up made, as the infrastructure module that manages it would. Forced."""
        ...

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        """The recovery points that can be reached now, newest first.

        ``before``: only states strictly before this moment will do (data was mangled then); None: the newest will do.
        May wait (for instance until a window reaches ``before``) but not longer than AWS needs.
        """
        ...

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        """Restore ``point`` into a new store called ``name`` at ``to``, or, where the mechanism is a live copy
        that is itself put to use, return where that lies. Returns when the store can be read."""
        ...
