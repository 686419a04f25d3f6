"""Production's side: take, make sharable, share, clean up.

What is done of one database does not wait for its other snapshots: while one is copied, later ones are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .clients import own_client
from .copying import copy, may_copy
from .deciding import by_database, is_ours, newest, next_to_copy, offered_too_long, taken_in_vain
from .holds import unreadable_holds
from .making import name_for, tags_for
from .option_groups import delete_groups
from .pruning import delete, delete_all, delete_failed, prune
from .reporting import tell
from .run import Run
from .selection import coverage
from .settings import Settings
from .sharing import can_be_shared, share
from .snapshots import (
    DATABASE_TAG,
    STAGE_TAG,
    VAULT_TAG,
    Database,
    DatabaseKey,
    Snapshot,
    databases_in,
    snapshots_in,
)
from .taking import automated, take_if_due


class ProductionRun(Run):
    """One run of production's function."""

    def __init__(self, settings: Settings, seconds_left: Callable[[], float]) -> None:
        super().__init__(settings, seconds_left)
        self.here = own_client("rds", settings.source_region)
        self.there = own_client("rds", settings.vault_region)
        self.snapshots: dict[DatabaseKey, list[Snapshot]] = {}
        self.taken: dict[DatabaseKey, list[Snapshot]] = {}
        self.shared: dict[DatabaseKey, list[Snapshot]] = {}

    def run(self) -> dict[str, Any]:
        settings = self.settings
        found = coverage(settings.selection, databases_in(self.here))
        self.told.excluded |= found.excluded
        self.told.problems += found.uncovered.values()
        self._look()
        self.for_each(sorted(found.chosen, key=self._turn), self._advance)
        known = {one.database_key for one in found.chosen}
        self.for_each([key for key in {**self.shared, **self.taken} if key not in known], self._see_off)
        return tell(settings, self.told, "production")

    def remove(self) -> dict[str, Any]:
        for rds in {self.settings.source_region: self.here, self.settings.vault_region: self.there}.values():
            delete_all(self, rds)
            delete_groups(self, rds)
        return self.told.as_answer()

    def _look(self) -> None:
        """At all snapshots that there are on this side; those that failed are made anew."""
        settings = self.settings
        here = snapshots_in(self.here)
        there = snapshots_in(self.there, "manual") if settings.crosses_regions else here
        self.count({settings.source_region: here, settings.vault_region: there})
        self.snapshots = by_database(here)
        taken = [one for one in here if is_ours(settings, one, "taken")]
        shared = [one for one in there if is_ours(settings, one, "shared")]
        for rds, some in ((self.here, taken), (self.there, shared)):
            failed = [one for one in some if one.status == "failed"]
            self.for_each(failed, lambda one, rds=rds: delete_failed(self, rds, one))  # type: ignore[misc]
        self.taken = by_database(one for one in taken if one.status != "failed")
        self.shared = by_database(one for one in shared if one.status != "failed")

    @property
    def _keep(self) -> int:
        return self.settings.production_keep if self.settings.crosses_accounts else self.settings.vault_keep

    def _turn(self, database: Database) -> tuple[datetime, str]:
        """Whose newest shared snapshot is oldest comes first, when there is not room for all."""
        last = newest(self.shared.get(database.database_key, ()))
        return (last.age_key[0] if last is not None else datetime.min.replace(tzinfo=UTC)), database.arn

    # --- One database

    def _advance(self, database: Database) -> None:
        settings, key = self.settings, database.database_key
        taken, shared = self.taken.get(key, []), self.shared.get(key, [])
        last = newest(shared)
        self.told.ages[database.arn] = (self.now - (last.age_key[0] if last else database.created)).total_seconds()
        self._tidy(taken, shared)
        if settings.take == "own":
            to_come = 0 if settings.crosses_regions else 1
            take_if_due(self, self.here, database, taken, shared, to_come=to_come)
            sources = taken
        else:
            sources = automated(self, database, self.snapshots.get(key, []))
        self._make_sharable(sources, shared, database.arn, database.tags)
        self._share(last)

    def _make_sharable(
        self, sources: Iterable[Snapshot], shared: Sequence[Snapshot], database: str, tags: Mapping[str, str]
    ) -> None:
        """Of what cannot be shared as it is, a copy is made that can."""
        one = next_to_copy(sources, shared)
        if one is None:
            return
        assert one.as_of is not None
        if can_be_shared(self.settings, one):
            self.here.add_tags_to_resource(ResourceName=one.arn, Tags=[{"Key": STAGE_TAG, "Value": "shared"}])
        elif may_copy(self, self.there, one):
            name = name_for(self, one.source, one.as_of, "-shared")
            ours = tags_for(self, "shared", database, tags, one)
            key = self.settings.production_key
            copy(self, self.there, one, name, key, ours, self.here if self.settings.crosses_regions else None)

    def _share(self, last: Snapshot | None) -> None:
        if last is not None and self.settings.crosses_accounts and last.tags.get(VAULT_TAG) != "copied":
            share(self, self.there, last, [self.settings.vault_account])

    def _tidy(self, taken: Sequence[Snapshot], shared: Sequence[Snapshot]) -> None:
        self.for_each(
            taken_in_vain(taken, shared), lambda one: delete(self, self.here, one, "a later one is or will be shared")
        )
        needless = offered_too_long(shared, self._keep, self.now)
        self.for_each(needless, lambda one: prune(self, self.there, one, f"{self._keep} newer ones are shared"))
        self.told.problems += [problem for one in shared for problem in unreadable_holds(one)]

    def _see_off(self, key: DatabaseKey) -> None:
        """A database that is gone or is not chosen any more: what was taken of it last is still shared."""
        taken, shared = self.taken.get(key, []), self.shared.get(key, [])
        self._tidy(taken, shared)
        one = newest(taken)
        if one is not None:
            self._make_sharable(taken, shared, one.tags.get(DATABASE_TAG, one.source), one.tags)
        self._share(newest(shared))
