"""Manual snapshots, taken on a schedule and pruned. They outlive their database, but not their account.

Source: RDS user guide, Creating a DB snapshot; Aurora user guide, Creating a DB cluster snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from drills.durations import written
from drills.handlers.snapshot_copy import CLUSTER, DB, Snapshot, Words, newest, snapshot_of, to_prune
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint, Verdict
from drills.ownership import owner_tag, refuse_outside_a_drill
from drills.protections import Resource, WayBack
from drills.protections.rds_restoring import from_snapshot, refuse_other_accounts, refuse_other_regions, restored
from drills.protections.schedule import Bounds, Schedule
from drills.site import Site
from drills.stores.rds import identifier
from drills.stores.rds_instances import is_aurora, tag_list, wait_available

SNAPSHOT_SECONDS = 3 * 86_400
"""Longest wait for one snapshot."""
BUSY = frozenset({"InvalidDBInstanceState", "InvalidDBClusterStateFault"})
BOUNDS = Bounds(every="6h", least="15m", most="35d", keep=8, most_kept=90)
"""A hundred manual snapshots are allowed in a region. Source: RDS user guide, Quotas."""


class SnapshotProtection:
    """CreateDBSnapshot or CreateDBClusterSnapshot at an interval, restored from the newest that will do."""

    name = "rds_snapshot"
    kind = "rds"
    summary = "manual snapshots on a schedule, within the account; they outlive their database"
    needs = frozenset({"rds", "rds.snapshots"})
    way_back: WayBack = "new_store"
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        at = site.primary()
        return [Resource("snapshot, if one is due, of the database", at.name, at.role, at.region)]

    def check(self, options: Mapping[str, JSON]) -> None:
        Schedule.parse(options, BOUNDS)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Takes a snapshot if one is due, and lets the schedule go on for as long as the site does."""
        parsed = Schedule.parse(options, BOUNDS)
        last = newest(_own(site))
        if last is None or (site.clock.now() - last.age_key[0]).total_seconds() >= parsed.every_seconds:
            _take(site)
            what = f"snapshot of {site.primary().name}"
            site.wait(what, lambda: _none_under_way(site), every_seconds=15, limit_seconds=SNAPSHOT_SECONDS)
            wait_available(site, site.primary())
            _prune(site, parsed.keep)
        parsed.begin(site, lambda: _take_turn(site, parsed.keep), "snapshot.failed", BUSY)

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        parsed = Schedule.parse(options, BOUNDS)
        # The newest that can be restored may be one that was taken an interval ago, while the next is being made.
        limit = 2 * parsed.every_seconds
        found, now = _own(site), site.clock.now()
        last = newest(found)
        age = (now - last.age_key[0]).total_seconds() if last is not None else None
        failed = [one.identifier for one in found if one.status == "failed"]
        age_verdict: Verdict = "pass" if age is not None and age <= limit else "fail"
        return [
            Finding(
                "snapshot.age",
                age_verdict,
                site.store.name,
                f"the newest at most {written(limit)} old",
                "no snapshot that is available" if age is None else f"the newest is {age:,.0f} s old",
            ),
            Finding(
                "snapshot.failed",
                "fail" if failed else "pass",
                site.store.name,
                "no snapshot that failed",
                ", ".join(failed) or "no snapshot that failed",
            ),
            parsed.reach(site, "snapshot.reach"),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        refuse_outside_a_drill(site, f"the snapshots of database {site.primary().name}", "deleting")
        # One that is still being taken cannot be deleted yet.
        site.wait(
            f"snapshots of {site.primary().name} to be taken",
            lambda: _none_under_way(site),
            every_seconds=15,
            limit_seconds=SNAPSHOT_SECONDS,
        )
        for one in _own(site):
            _delete(site, one)

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        at = site.primary()
        return [
            RecoveryPoint(
                id=one.identifier,
                protection=self.name,
                account=at.account,
                region=at.region,
                as_of=one.age_key[0],
                handle={"snapshot_arn": one.arn},
            )
            for one in sorted(_own(site), key=lambda one: one.age_key, reverse=True)
            if one.is_good and (before is None or one.age_key[0] < before)
        ]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        refuse_other_accounts(to, "a manual snapshot")
        refuse_other_regions(to, point, "a manual snapshot")
        at = Location(to.role, site.account_id(to.role), to.region, name)
        return restored(site, at, from_snapshot(site, at, str(point.handle["snapshot_arn"])))


# --- Taking and pruning ----------------------------------------------------------------------------------------------


def _words(site: Site) -> Words:
    return CLUSTER if is_aurora(site) else DB


def _prefix(site: Site) -> str:
    """What the identifiers of the site's own snapshots begin with."""
    return identifier(f"{site.name('snapshot')}-{owner_tag(site)[1]}")


def _take(site: Site) -> None:
    words, at = _words(site), site.primary()
    asked = {words.source: at.name, words.identifier: f"{_prefix(site)}-{site.clock.now():%Y%m%d-%H%M%S}"}
    getattr(_client(site), words.create)(**asked, Tags=tag_list(site.tags))


def _take_turn(site: Site, keep: int) -> None:
    """What the schedule does each time."""
    _take(site)
    _prune(site, keep)


def _prune(site: Site, keep: int) -> None:
    """Delete the oldest of the site's own good snapshots, but never the newest, and those that failed."""
    own = _own(site)
    for one in [*to_prune(own, keep, site.clock.now()), *(one for one in own if one.status == "failed")]:
        _delete(site, one)


def _delete(site: Site, one: Snapshot) -> None:
    try:
        getattr(_client(site), one.words.delete)(**{one.words.identifier: one.identifier})
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise


def _none_under_way(site: Site) -> bool:
    return not any(one.is_under_way for one in _own(site))


def _own(site: Site) -> list[Snapshot]:
    """The site's own snapshots of the database, by name and tag; whether it is still there or not."""
    words, (tag, owner) = _words(site), owner_tag(site)
    pages = _client(site).get_paginator(words.describe).paginate(SnapshotType="manual")
    found = [snapshot_of(words, one) for page in pages for one in page[f"{words.member}s"]]
    own = re.compile(re.escape(_prefix(site)) + r"-\d{8}-\d{6}")
    return [
        one
        for one in found
        if one.source == site.primary().name and own.fullmatch(one.identifier) and one.tags.get(tag) == owner
    ]


def _client(site: Site) -> Any:
    at = site.primary()
    return site.client("rds", at.role, at.region)


protection = SnapshotProtection()
