"""Copies of a database's snapshots in the vault account, made by two functions on a schedule; RDS and Aurora.

RDS itself brings no snapshot into another account: with the account, everything it keeps of a database is lost. The
vault shares its copies with the accounts that people may respond from, so that nothing of the vault has to be changed,
nor any function to run, before one is restored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drills.durations import written
from drills.errors import ProtectionError
from drills.handlers.snapshot_copy import CLUSTER, DB, VAULT_TAG, Snapshot, Words, snapshot_named, snapshots_in
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint, Verdict
from drills.ownership import DRILL_TAG, refuse_outside_a_drill
from drills.protections import Resource, WayBack
from drills.protections.rds_holding import SHARED_SECONDS, Hold, held
from drills.protections.rds_restoring import RESTORE_SECONDS, from_snapshot, restored
from drills.protections.schedule import Schedule
from drills.site import Site
from drills.snapshot_copy import (
    Options,
    Side,
    SnapshotCopy,
    Status,
    copies_of,
    deploy,
    parts_of,
    remove,
    status,
)
from drills.snapshot_copy.model import shortened
from drills.stores.rds_instances import is_aurora, tag_list
from drills.stores.rds_making import make_key

FIRST_COPY_SECONDS = 7 * 86_400.0
EVERY_SECONDS = 60.0


class SnapshotCopyProtection:
    """Snapshots taken or used, made sharable, shared, copied by the vault with its own key."""

    name = "rds_snapshot_copy"
    kind = "rds"
    summary = "copies of snapshots in the vault account, with its own key, kept by two Lambda functions"
    needs = frozenset({"lambda.schedules", "rds", "rds.sharing", "rds.snapshots"})
    way_back: WayBack = "new_store"
    restores_into: Sequence[AccountRole] = ("production", "recovery")

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        return [Resource(one.what, one.name, one.side, one.region) for one in parts_of(copy_of(site, options))]

    def check(self, options: Mapping[str, JSON]) -> None:
        Options.parse(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Deploys both sides; returns when a first copy in the vault can be restored: before, nothing is protected."""
        copy = copy_of(site, options)
        deploy(copy, _Clients(site), site.wait)
        site.wait(
            f"the first copy of {site.primary().name} in the vault",
            lambda: any(VAULT_TAG in one.tags for one in _good(site, copy)),
            every_seconds=EVERY_SECONDS,
            limit_seconds=FIRST_COPY_SECONDS,
        )

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        copy = copy_of(site, options)
        found = status(copy, _Clients(site), site.clock)

        def finding(check: str, expected: str, wrong: Sequence[str], right: str = "") -> Finding:
            verdict: Verdict = "fail" if wrong else "pass"
            return Finding(
                f"snapshot_copy.{check}", verdict, site.store.name, expected, "; ".join(wrong) or right or expected
            )

        limit = written(copy.options.objective_seconds)
        return [
            finding("age", f"the newest copy at most {limit} old", found.stale, _ages(found)),
            finding("coverage", "copied, or excluded by a rule", found.uncovered, _covered(found)),
            finding("stuck", "no snapshot that failed, hangs or is not shared", found.stuck),
            finding("drift", "as it was deployed", found.drift),
            finding(
                "isolated",
                "no role of the vault by which production could destroy the copies",
                found.exposed,
            ),
            Schedule(copy.options.interval_seconds, copy.options.vault_keep).reach(site, "snapshot_copy.reach"),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        refuse_outside_a_drill(site, f"the copies of database {site.primary().name}", "deleting")
        remove(copy_of(site, options), _Clients(site), site.wait)

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        copy = copy_of(site, options)
        return [
            RecoveryPoint(
                id=one.identifier,
                protection=self.name,
                account=copy.vault_account,
                region=copy.vault_region,
                as_of=one.age_key[0],
                handle={"snapshot_arn": one.arn, "encrypted": one.key is not None},
            )
            for one in _good(site, copy)
            if before is None or one.age_key[0] < before
        ]

    def hold(self, site: Site, options: Mapping[str, JSON], before: datetime | None, to: Place, name: str) -> None:
        point = next(iter(self.recovery_points(site, options, before)), None)
        if point is not None:
            Hold.of(site, point, Location(to.role, site.account_id(to.role), to.region, name)).put()

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        at = Location(to.role, site.account_id(to.role), to.region, name)
        words = CLUSTER if is_aurora(site) else DB
        with held(site, point, at), _within_reach(site, at, words, point) as snapshot:
            return restored(site, at, from_snapshot(site, at, snapshot))


# --- From the vault to where it is restored --------------------------------------------------------------------------


@contextmanager
def _within_reach(site: Site, at: Location, words: Words, point: RecoveryPoint) -> Iterator[str]:
    """A snapshot that can be restored there, by its ARN; what had to be copied on the way is gone afterwards.

    A shared snapshot that is encrypted has to be copied before it can be restored, and within its own region before it
    is copied into another. Source: RDS user guide, Copying a DB snapshot; Sharing encrypted snapshots.
    """
    shared: str = point.handle["snapshot_arn"]
    encrypted: bool = point.handle["encrypted"]
    _wait_until_shared(site, at, point)
    steps = [region for region in dict.fromkeys((point.region, at.region)) if encrypted or region != point.region]
    made: list[_Step] = []
    try:
        for region in steps:
            here = _Step(site, at, words, region)
            made.append(here)
            shared = here.copy_of(shared, encrypted)
            for earlier in made[:-1]:
                earlier.delete()
        yield shared
    finally:
        for step in made:
            step.delete()


def _wait_until_shared(site: Site, at: Location, point: RecoveryPoint) -> None:
    """The vault's function shares a copy with its next run after it has become available."""
    rds, arn = site.client("rds", at.role, point.region), point.handle["snapshot_arn"]
    site.wait(
        f"{arn} to be shared with account {at.account}",
        lambda: any(one.arn == arn for one in snapshots_in(rds, "shared")),
        every_seconds=EVERY_SECONDS,
        limit_seconds=SHARED_SECONDS,
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """A copy in the account that is restored into, on the way there."""

    site: Site
    at: Location
    words: Words
    region: str

    @property
    def rds(self) -> Any:
        return self.site.client("rds", self.at.role, self.region)

    @property
    def name(self) -> str:
        return f"{shortened(self.at.name, 200)}-from-vault"

    def copy_of(self, source: str, encrypted: bool) -> str:
        """Its ARN, once it is available."""
        asked: dict[str, Any] = {
            f"Source{self.words.identifier}": source,
            f"Target{self.words.identifier}": self.name,
            "Tags": tag_list(self.site.tags),
        }
        if encrypted:
            asked["KmsKeyId"] = self._key()
        there = source.split(":")[3]
        if there != self.region:
            asked["SourceRegion"] = there
        getattr(self.rds, self.words.copy)(**asked)
        self.site.wait(
            f"copy {self.name} of {source}", self._is_there, every_seconds=EVERY_SECONDS, limit_seconds=RESTORE_SECONDS
        )
        found = self._found()
        assert found is not None
        return found.arn

    def _key(self) -> str:
        """What is restored has the key of its snapshot: the last one decides."""
        if self.region == self.at.region and self.site.store.config.customer_key:
            return make_key(self.site, self.at)
        return "alias/aws/rds"

    def _found(self) -> Snapshot | None:
        return snapshot_named(self.rds, self.words, self.name)

    def _is_there(self) -> bool:
        found = self._found()
        if found is None or found.status == "failed":
            raise ProtectionError(
                f"copy {self.name} in account {self.at.account}, {self.region}: expected it to become available, "
                f"found {'none' if found is None else 'that it failed'}. Look at the keys of both sides, and try again."
            )
        return found.status == "available"

    def delete(self) -> None:
        if self._found() is not None:
            getattr(self.rds, self.words.delete)(**{self.words.identifier: self.name})


# --- What it is ------------------------------------------------------------------------------------------------------


def copy_of(site: Site, options: Mapping[str, JSON]) -> SnapshotCopy:
    """The copy that protects the site's store, and answers for it alone."""
    at = site.primary()
    return SnapshotCopy(
        source_account=at.account,
        source_region=at.region,
        vault_account=site.account_id("vault"),
        vault_region=site.region("vault"),
        name=site.name("snapshots"),
        scope=(at.name,),
        readers=tuple(dict.fromkeys((site.account_id("production"), site.account_id("recovery")))),
        tags=site.tags,
        options=Options.parse(options),
        removable=DRILL_TAG in site.tags,
    )


def _good(site: Site, copy: SnapshotCopy) -> list[Snapshot]:
    """The vault's good copies of the store, newest first."""
    words = CLUSTER if is_aurora(site) else DB
    return [
        one
        for one in copies_of(copy, _Clients(site))
        if one.is_good and one.words is words and one.source == site.primary().name
    ]


def _ages(found: Status) -> str:
    return ", ".join(f"{one.age_seconds:,.0f} s, {one.copies} copies" for one in found.databases)


def _covered(found: Status) -> str:
    said = [f"{len(found.databases)} copied"]
    said += [f"{arn} excluded, as {rule}" for arn, rule in found.excluded.items()]
    return "; ".join(said)


class _Clients:
    """The site's clients, as the copy's parts ask for them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, side: Side, service: str, region: str) -> Any:
        return self._site.client(service, side, region)


protection = SnapshotCopyProtection()
