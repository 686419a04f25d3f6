"""On-demand backups, made on a schedule and pruned. They outlive their table, but not their account.

Source: DynamoDB developer guide, On-demand backup and restore for DynamoDB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint, Verdict
from drills.ownership import owner_tag, refuse_outside_a_drill
from drills.protections import Resource, WayBack
from drills.protections.dynamodb_restoring import refuse_other_accounts, restored
from drills.protections.schedule import Bounds, Schedule
from drills.site import Site

BACKUP_SECONDS = 3_600
"""Longest wait for one backup."""
SLACK_SECONDS = 600
"""How much older than the schedule says the newest may be: a backup takes minutes to become available."""


BOUNDS = Bounds(every="1h", least="1m", most="35d", keep=24, most_kept=1000)


class BackupProtection:
    """CreateBackup at an interval, RestoreTableFromBackup from the newest that will do."""

    name = "dynamodb_backup"
    kind = "dynamodb"
    summary = "on-demand backups on a schedule, within the account; they outlive their table"
    way_back: WayBack = "new_store"
    needs = frozenset({"dynamodb", "dynamodb.backup"})
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        at = site.primary()
        return [Resource("backup, if one is due, of the table", at.name, at.role, at.region)]

    def check(self, options: Mapping[str, JSON]) -> None:
        Schedule.parse(options, BOUNDS)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Makes a backup if one is due, and lets the schedule go on for as long as the site does."""
        parsed = Schedule.parse(options, BOUNDS)
        if _is_due(site, parsed.every_seconds):
            arn = _make(site)
            dynamodb = _client(site)
            site.wait(
                f"backup of {site.primary().name}",
                lambda: _status(dynamodb, arn) == "AVAILABLE",
                every_seconds=15,
                limit_seconds=BACKUP_SECONDS,
            )
            _prune(site, parsed.keep)
        parsed.begin(site, lambda: _take_turn(site, parsed.keep), "backup.failed")

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        parsed = Schedule.parse(options, BOUNDS)
        limit = parsed.every_seconds + SLACK_SECONDS
        reach = parsed.reach(site, "backup.reach")
        made = _available(site)
        expected = f"the newest at most {limit:,.0f} s old"
        if not made:
            return [Finding("backup.age", "fail", site.store.name, expected, "no backup that is available"), reach]
        age = (site.clock.now() - made[0]["BackupCreationDateTime"]).total_seconds()
        verdict: Verdict = "pass" if age <= limit else "fail"
        return [Finding("backup.age", verdict, site.store.name, expected, f"the newest is {age:,.0f} s old"), reach]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        refuse_outside_a_drill(site, f"the backups of table {site.primary().name}", "deleting")
        dynamodb = _client(site)
        for backup in _own(site):
            arn = backup["BackupArn"]
            # One that is still being made, or restored from, cannot be deleted yet.
            site.wait(
                f"backup {backup['BackupName']} to be deleted",
                lambda arn=arn: _deleted(dynamodb, arn),  # type: ignore[misc]
                every_seconds=15,
                limit_seconds=BACKUP_SECONDS,
            )

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        at = site.primary()
        return [
            RecoveryPoint(
                id=backup["BackupName"],
                protection=self.name,
                account=at.account,
                region=at.region,
                as_of=backup["BackupCreationDateTime"],
                handle={"backup_arn": backup["BackupArn"]},
            )
            for backup in _available(site)
            if before is None or backup["BackupCreationDateTime"] < before
        ]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        refuse_other_accounts(to, "an on-demand backup")
        return restored(
            site,
            to,
            name,
            lambda dynamodb: dynamodb.restore_table_from_backup(
                BackupArn=point.handle["backup_arn"], TargetTableName=name
            ),
        )


# --- Making and pruning --------------------------------------------------------------------------------------------


def _prefix(site: Site) -> str:
    """What the names of the site's own backups begin with: backups have no tags of their own."""
    return f"drills-{owner_tag(site)[1]}-"


def _is_due(site: Site, every_seconds: float) -> bool:
    made = _available(site)
    return not made or (site.clock.now() - made[0]["BackupCreationDateTime"]).total_seconds() >= every_seconds


def _make(site: Site) -> str:
    name = f"{_prefix(site)}{site.clock.now():%Y%m%dT%H%M%S}"
    answer = _client(site).create_backup(TableName=site.primary().name, BackupName=name)
    return str(answer["BackupDetails"]["BackupArn"])


def _take_turn(site: Site, keep: int) -> None:
    """What the schedule does each time."""
    _make(site)
    _prune(site, keep)


def _prune(site: Site, keep: int) -> None:
    """Delete the oldest of the site's own backups, but never the newest that could be restored."""
    dynamodb = _client(site)
    made = _own(site)
    good = [backup["BackupArn"] for backup in made if backup["BackupStatus"] == "AVAILABLE"]
    for backup in made[keep:]:
        if backup["BackupArn"] in good[1:]:
            _deleted(dynamodb, backup["BackupArn"])


def _deleted(dynamodb: Any, arn: str) -> bool:
    """Whether the backup is gone now; False while something is being done with it."""
    try:
        dynamodb.delete_backup(BackupArn=arn)
    except dynamodb.exceptions.BackupInUseException:
        return False
    except dynamodb.exceptions.BackupNotFoundException:
        return True
    return True


def _own(site: Site) -> list[Mapping[str, Any]]:
    """The site's own backups of the table, newest first; whether the table is still there or not."""
    found = backups_of(_client(site), site.primary().name, "USER")
    own = re.compile(re.escape(_prefix(site)) + r"\d{8}T\d{6}")
    return [backup for backup in found if own.fullmatch(backup["BackupName"])]


def _available(site: Site) -> list[Mapping[str, Any]]:
    return [backup for backup in _own(site) if backup["BackupStatus"] == "AVAILABLE"]


def backups_of(dynamodb: Any, table: str, kind: str) -> list[Mapping[str, Any]]:
    """All backups of a table of one kind, newest first."""
    pages = dynamodb.get_paginator("list_backups").paginate(TableName=table, BackupType=kind)
    found = [backup for page in pages for backup in page["BackupSummaries"]]
    return sorted(found, key=lambda backup: (backup["BackupCreationDateTime"], backup["BackupArn"]), reverse=True)


def _status(dynamodb: Any, arn: str) -> str:
    return str(dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"])


def _client(site: Site) -> Any:
    at = site.primary()
    return site.client("dynamodb", at.role, at.region)


protection = BackupProtection()
