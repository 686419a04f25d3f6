"""A replica in another region of the same account. Whatever happens to one happens to the other: it is no backup.

Source: DynamoDB developer guide, Global tables (version 2019.11.21, eventually consistent).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drills.differences import differences
from drills.errors import PointUnreachable, ProtectionError
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.protections import Resource, WayBack
from drills.protections.dynamodb_restoring import refuse_other_accounts
from drills.protections.options import only, region
from drills.site import Site
from drills.stores.dynamodb_autoscaling import autoscaling_of, drop_autoscaling, put_autoscaling
from drills.stores.dynamodb_settings import INDEX, settings_of
from drills.stores.dynamodb_tables import RESTORE_SECONDS, delete_table, described, own, wait_active

ALIKE = ("key_schema", "ttl", "billing", "autoscaling")
"""Settings that members of a global table share, or must share to carry the same load."""
LAG_SECONDS = 60.0
"""Items arrive independently of each other, usually within a second; there is no promise."""


class GlobalTableProtection:
    """UpdateTable with ReplicaUpdates; after the failure the replica is itself put to use."""

    name = "dynamodb_global_table"
    kind = "dynamodb"
    summary = "a replica in another region of the account; erases replicate, so it is no backup"
    way_back: WayBack = "live_copy"
    needs = frozenset({"dynamodb", "dynamodb.global_tables"})
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        replica = _replica(site, options)
        return [Resource("replica of the table", replica.name, replica.role, replica.region)]

    def check(self, options: Mapping[str, JSON]) -> None:
        only(options, "region")
        region(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        at, replica = site.primary(), _replica(site, options)
        if replica.region == at.region:
            raise ProtectionError(
                f"region: expected another region than production's for the replica of {at.name}, found {at.region} "
                "for both. Give the protection, or the recovery account, another region."
            )
        dynamodb = site.client("dynamodb", at.role, at.region)
        if _state(dynamodb, at.name, replica.region) is None:
            create = {"Create": {"RegionName": replica.region}}
            dynamodb.update_table(TableName=at.name, ReplicaUpdates=[create])
        site.wait(
            f"replica of {at.name} in {replica.region}",
            lambda: _state(dynamodb, at.name, replica.region) == "ACTIVE",
            every_seconds=15,
            limit_seconds=RESTORE_SECONDS,
        )
        wait_active(site, at)
        wait_active(site, replica)
        own(site, replica)
        # Write units are the same everywhere, and a replica whose own do not scale would hold the others back.
        indexes = _indexes(site, at)
        put_autoscaling(site, replica, indexes, autoscaling_of(site, at, indexes))

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        at, replica = site.primary(), _replica(site, options)
        state = _state(site.client("dynamodb", at.role, at.region), at.name, replica.region)
        there = Finding(
            check="global_table.replica",
            verdict="pass" if state == "ACTIVE" else "fail",
            subject=site.store.name,
            expected=f"ACTIVE in {replica.region}",
            observed=f"{state} in {replica.region}" if state else f"no replica in {replica.region}",
        )
        return [there] if state is None else [there, _alike(site, at, replica)]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        at, replica = site.primary(), _replica(site, options)
        if described(site.client("dynamodb", replica.role, replica.region), replica.name) is None:
            return
        indexes = _indexes(site, replica)
        delete_table(site, replica)
        drop_autoscaling(site, replica, indexes)
        dynamodb = site.client("dynamodb", at.role, at.region)
        site.wait(
            f"table {at.name} to let go of its replica in {replica.region}",
            lambda: _state(dynamodb, at.name, replica.region) is None,
            every_seconds=5,
            limit_seconds=RESTORE_SECONDS,
        )

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        replica = _replica(site, options)
        if described(site.client("dynamodb", replica.role, replica.region), replica.name) is None:
            raise PointUnreachable(f"there is no replica of {replica.name} in {replica.region} any more")
        now = site.clock.now()
        # Nothing was written to it after the failure; but where data was mangled, that was replicated like any write.
        as_of = now if before is not None else site.failed_at() or now
        return [
            RecoveryPoint(
                id=f"{replica.name}@{replica.region}",
                protection=self.name,
                account=replica.account,
                region=replica.region,
                as_of=as_of,
                handle={"table": replica.name},
                lag_seconds=LAG_SECONDS,
            )
        ]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        refuse_other_accounts(to, "a replica")
        replica = Location("production", point.account, point.region, point.handle["table"])
        wait_active(site, replica)
        return replica


def _replica(site: Site, options: Mapping[str, JSON]) -> Location:
    """A replica has its table's name."""
    at = site.primary()
    return Location(at.role, at.account, region(options) or site.region("recovery"), at.name)


def _state(dynamodb: Any, table: str, region: str) -> str | None:
    """What the table says of its replica there, None where it has none."""
    replicas = (described(dynamodb, table) or {}).get("Replicas", [])
    return next((replica["ReplicaStatus"] for replica in replicas if replica["RegionName"] == region), None)


def _alike(site: Site, at: Location, replica: Location) -> Finding:
    """Whether the application could use the replica as it is, without anything put back first."""
    wanted, found = (
        {name: value for name, value in settings_of(site, one).items() if name in ALIKE or name.startswith(INDEX)}
        for one in (at, replica)
    )
    wrong = list(differences(wanted, found))
    return Finding(
        check="global_table.settings",
        verdict="fail" if wrong else "pass",
        subject=site.store.name,
        expected="; ".join(place.expected_text() for place in wrong) or "keys, indexes, time to live, capacity alike",
        observed="; ".join(place.observed_text() for place in wrong) or "all alike",
    )


def _indexes(site: Site, at: Location) -> list[str]:
    found = described(site.client("dynamodb", at.role, at.region), at.name) or {}
    return [index["IndexName"] for index in found.get("GlobalSecondaryIndexes", [])]


protection = GlobalTableProtection()
