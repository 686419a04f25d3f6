"""Protections. One file a mechanism: set up, list recovery points, restore — the three belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.site import Site

WayBack = Literal["new_store", "live_copy", "in_place"]
"""What a restore gives: a store of its own, the copy itself put to use, or the store itself put back as it was."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that protecting a store makes, or a setting of the store that it changes: ``what`` it is, its
    ``name``, and where it lies."""

    what: str
    name: str
    role: AccountRole
    region: str


class Hold(Protocol):
    """Keeps the newest recovery point that will do from being pruned, for the restore that is to be called ``name`` at
    ``to``, until it has ended or for some days.

    ``before`` as for ``recovery_points``. Safe to repeat; raises as a restore does.
    """

    def __call__(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None, to: Place, name: str
    ) -> None: ...


class Protection(Protocol):
    """One mechanism that makes recovery points of a store and restores from them.

    ``options`` are the protection's own keys of the estate file, checked by ``check`` before a drill starts.
    Calls that AWS refuses or that reach nobody raise botocore's exceptions or PointUnreachable; the engine turns them
    into findings. One whose recovery points are pruned by what goes on after the failure has ``hold`` besides, a Hold,
    and holds what it restores from.
    """

    name: str
    kind: str
    summary: str
    way_back: WayBack
    needs: frozenset[str]
    """The capabilities it relies on, by their names in drills.providers.capabilities.

    One that relies on more to restore to before data was mangled has ``needs_to_go_back`` besides.
    """
    restores_into: Sequence[AccountRole]
    """The accounts that a store can be restored into."""

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        """What ``set_up`` makes and changes where nothing of it is there yet. Calls nothing."""
        ...

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
