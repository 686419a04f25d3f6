"""The vault's side: copy what is shared, keep so many of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from .clients import own_client, reader
from .copying import copy, may_copy
from .deciding import by_database, is_ours, newest, next_to_copy, to_prune
from .holds import unreadable_holds
from .making import name_for, tags_for
from .option_groups import delete_groups
from .pruning import delete_all, delete_failed, prune
from .reporting import said, tell
from .run import Run
from .selection import coverage
from .settings import Settings
from .sharing import share
from .snapshots import DATABASE_TAG, VAULT_TAG, DatabaseKey, Snapshot, databases_in, snapshots_in


class VaultRun(Run):
    """One run of the vault's function."""

    def __init__(self, settings: Settings, seconds_left: Callable[[], float]) -> None:
        super().__init__(settings, seconds_left)
        self.rds = own_client("rds", settings.vault_region)
        self.production = reader(settings)
        self.copies: dict[DatabaseKey, list[Snapshot]] = {}

    def run(self) -> dict[str, Any]:
        self._look()
        visible = {one.arn for one in snapshots_in(self.rds, "shared")}
        groups = by_database(self._offered()).values()
        self.for_each(sorted(groups, key=self._turn), lambda group: self._advance(group, visible))
        kept = [one for group in self.copies.values() for one in group]
        self.for_each([one for one in kept if one.is_good], self._let_read)
        keep = self.settings.vault_keep
        needless = [one for group in self.copies.values() for one in to_prune(group, keep, self.now)]
        self.for_each(needless, lambda one: prune(self, self.rds, one, f"{keep} newer ones are kept"))
        self.told.problems += [problem for one in kept for problem in unreadable_holds(one)]
        self._tell_ages()
        return tell(self.settings, self.told, "vault")

    def remove(self) -> dict[str, Any]:
        delete_all(self, self.rds)
        delete_groups(self, self.rds)
        return self.told.as_answer()

    def _look(self) -> None:
        """At the vault's snapshots; the copies that failed are made anew."""
        there = snapshots_in(self.rds, "manual")
        self.count({self.settings.vault_region: there})
        copies = [one for one in there if is_ours(self.settings, one, "kept")]
        failed = [one for one in copies if one.status == "failed"]
        self.for_each(failed, lambda one: delete_failed(self, self.rds, one))
        self.copies = by_database(one for one in copies if one.status != "failed")

    def _offered(self) -> list[Snapshot]:
        """What production has made to be shared, with its tags, which only production can read."""
        try:
            found = snapshots_in(self.production("rds", self.settings.vault_region), "manual")
        except (ClientError, BotoCoreError) as error:
            self.told.problems.append(f"production's snapshots cannot be read: {said(error)}")
            return []
        return [one for one in found if is_ours(self.settings, one, "shared")]

    # --- One database

    def _turn(self, group: Sequence[Snapshot]) -> tuple[datetime, str]:
        """Whose newest copy is oldest comes first, when there is not room for all."""
        last = newest(self.copies.get(group[0].database_key, ()))
        return (last.age_key[0] if last is not None else datetime.min.replace(tzinfo=UTC)), group[0].arn

    def _advance(self, group: Sequence[Snapshot], visible: Set[str]) -> None:
        copies = self.copies.get(group[0].database_key, [])
        self._mark(group, copies)
        offer = next_to_copy(group, copies)
        if offer is None:
            return
        if offer.arn not in visible:
            self.told.waiting.append(f"{offer.arn} is not shared with the vault yet")
            return
        assert offer.as_of is not None
        if may_copy(self, self.rds, offer):
            self._mark_one(offer, "copying")
            tags = tags_for(self, "kept", offer.tags.get(DATABASE_TAG, offer.source), offer.tags, offer)
            name = name_for(self, offer.source, offer.as_of)
            source_rds = self.production("rds", self.settings.vault_region)
            copy(self, self.rds, offer, name, self.settings.vault_key, tags, source_rds)

    def _mark(self, group: Sequence[Snapshot], copies: Sequence[Snapshot]) -> None:
        """Production keeps what is being copied. Marks that a run left behind are put right."""
        for one in group:
            of_it = [copied for copied in copies if copied.copied_from == one.arn]
            if any(copied.is_good for copied in of_it):
                self._mark_one(one, "copied")
            elif not any(copied.is_under_way for copied in of_it) and one.tags.get(VAULT_TAG) == "copying":
                self._mark_one(one, "waiting")

    def _mark_one(self, one: Snapshot, state: str) -> None:
        if one.tags.get(VAULT_TAG) != state:
            self.production("rds", self.settings.vault_region).add_tags_to_resource(
                ResourceName=one.arn, Tags=[{"Key": VAULT_TAG, "Value": state}]
            )

    def _let_read(self, one: Snapshot) -> None:
        """So that nothing in the vault has to be changed, or reached, before it can be restored elsewhere."""
        readers = " ".join(self.settings.readers)
        if readers and one.tags.get(VAULT_TAG) != readers:
            share(self, self.rds, one, self.settings.readers)
            self.rds.add_tags_to_resource(ResourceName=one.arn, Tags=[{"Key": VAULT_TAG, "Value": readers}])

    # --- How old the copies are

    def _tell_ages(self) -> None:
        """Of every database that production has now; of all that were ever copied, when it cannot be asked."""
        try:
            there = databases_in(self.production("rds", self.settings.source_region))
        except (ClientError, BotoCoreError) as error:
            self.told.problems.append(f"production's databases cannot be listed: {said(error)}")
            for group in self.copies.values():
                last = newest(group)
                if last is not None:
                    self._tell_age(last.tags.get(DATABASE_TAG, last.source), last.age_key[0])
            return
        found = coverage(self.settings.selection, there)
        self.told.problems += found.uncovered.values()
        for one in found.chosen:
            last = newest(self.copies.get(one.database_key, ()))
            self._tell_age(one.arn, last.age_key[0] if last is not None else one.created)

    def _tell_age(self, database: str, since: datetime) -> None:
        self.told.ages[database] = (self.now - since).total_seconds()
