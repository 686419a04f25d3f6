"""The SYSTEM backup that AWS keeps for 35 days of a table that was deleted while point-in-time recovery was on.

It holds the table as of its deletion and nothing before. Source: DynamoDB developer guide, Point-in-time backups,
"Deleting a table with point-in-time recovery enabled".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from drills.errors import PointUnreachable
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.protections import Resource, WayBack
from drills.protections.dynamodb_backup import backups_of
from drills.protections.dynamodb_restoring import refuse_other_accounts, restored
from drills.protections.options import only
from drills.site import Site
from drills.stores.dynamodb_recovery import recovery_window


class SystemBackupProtection:
    """Nothing to set up: it hangs on point-in-time recovery, which its health says."""

    name = "dynamodb_system_backup"
    kind = "dynamodb"
    summary = "what AWS keeps of a deleted table that had point-in-time recovery: its last state, for 35 days"
    way_back: WayBack = "new_store"
    needs = frozenset({"dynamodb", "dynamodb.pitr", "dynamodb.system_backup"})
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        return []

    def check(self, options: Mapping[str, JSON]) -> None:
        only(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """AWS makes the backup by itself, if point-in-time recovery is on when the table is deleted."""

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        at = site.primary()
        window = recovery_window(site.client("dynamodb", at.role, at.region), at.name)
        return [
            Finding(
                check="system_backup",
                verdict="fail" if window is None else "pass",
                subject=site.store.name,
                expected="point-in-time recovery on, without which AWS keeps nothing of a deleted table",
                observed="off" if window is None else "on",
            )
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Nothing was made. AWS deletes the backup by itself after 35 days; nobody else can."""

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        at = site.primary()
        found = backups_of(site.client("dynamodb", at.role, at.region), at.name, "SYSTEM")
        if not found:
            raise PointUnreachable(
                f"there is no SYSTEM backup of {at.name}: AWS makes one only when a table is deleted whose "
                "point-in-time recovery is on"
            )
        return [
            RecoveryPoint(
                id=backup["BackupName"],
                protection=self.name,
                account=at.account,
                region=at.region,
                as_of=backup["BackupCreationDateTime"],
                handle={"backup_arn": backup["BackupArn"]},
            )
            for backup in found
            if backup["BackupStatus"] == "AVAILABLE" and (before is None or backup["BackupCreationDateTime"] < before)
        ]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        refuse_other_accounts(to, "a SYSTEM backup")
        return restored(
            site,
            to,
            name,
            lambda dynamodb: dynamodb.restore_table_from_backup(
                BackupArn=point.handle["backup_arn"], TargetTableName=name
            ),
        )


protection = SystemBackupProtection()
