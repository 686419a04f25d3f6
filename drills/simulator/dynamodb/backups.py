"""On-demand backups, and the SYSTEM backup that a deleted table leaves when point-in-time recovery was on.

Source: DynamoDB developer guide, On-demand backups and Point-in-time backups ("Deleting a table with point-in-time
recovery enabled"); API reference of the operations below.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from drills.simulator.dynamodb import recovery, restoring
from drills.simulator.dynamodb.answers import (
    Body,
    Refused,
    Request,
    check_name,
    invalid,
    operation,
    table_or_not_found,
)
from drills.simulator.dynamodb.history import microseconds
from drills.simulator.dynamodb.images import TableImage, image_of, source_details, source_features
from drills.simulator.dynamodb.table import table_deleted
from drills.simulator.dynamodb.underway import later
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

SYSTEM_BACKUP_KEPT = timedelta(days=35)
SYSTEM_SUFFIX = "00000000"
PAGE = 100


@dataclass(eq=False)
class Backup:
    """One backup. ``expires`` is None for those that a user made."""

    arn: str
    name: str
    type: str
    image: TableImage
    created: datetime
    status: str
    expires: datetime | None = None
    restores: int = 0

    def details(self) -> Body:
        expiry = {} if self.expires is None else {"BackupExpiryDateTime": self.expires}
        return {
            "BackupArn": self.arn,
            "BackupName": self.name,
            "BackupSizeBytes": self.image.size_bytes,
            "BackupStatus": self.status,
            "BackupType": self.type,
            "BackupCreationDateTime": self.created,
            **expiry,
        }

    def summary(self) -> Body:
        table = {"TableName": self.image.name, "TableId": self.image.table_id, "TableArn": self.image.arn}
        return {**table, **self.details()}

    def description(self) -> Body:
        return {
            "BackupDescription": {
                "BackupDetails": self.details(),
                "SourceTableDetails": source_details(self.image),
                "SourceTableFeatureDetails": source_features(self.image),
            }
        }


_backups: dict[str, Backup] = {}


def begin(simulation: Simulation) -> None:
    _backups.clear()
    if keep_deleted_table not in table_deleted:
        table_deleted.append(keep_deleted_table)


def _new(image: TableImage, name: str, kind: str, status: str) -> Backup:
    simulation = current()
    now = simulation.clock.now()
    suffix = SYSTEM_SUFFIX if kind == "SYSTEM" else f"{simulation.rng('dynamodb.backups').getrandbits(32):08x}"
    milliseconds = microseconds(now) // 1000
    while (arn := f"{image.arn}/backup/{milliseconds:014d}-{suffix}") in _backups:
        milliseconds += 1
    backup = Backup(arn, name, kind, image, now, status)
    _backups[arn] = backup
    return backup


def keep_deleted_table(table: Any) -> None:
    """Keep what a deleted table held at this moment, if it had point-in-time recovery, for 35 days."""
    if recovery.history_of(table) is None:
        return
    image = image_of(table)
    recovery.set_recovery(table, enabled=False)
    backup = _new(image, f"{table.name}$DeletedTableBackup", "SYSTEM", "AVAILABLE")
    backup.expires = backup.created + SYSTEM_BACKUP_KEPT
    current().clock.call_at(backup.expires, lambda: _expire(backup))


def _expire(backup: Backup) -> None:
    _backups.pop(backup.arn, None)


@operation
def create_backup(request: Request, body: Body) -> Body:
    """Back a table up as of now; AVAILABLE when the modelled time has passed."""
    check_name(body["BackupName"], "backupName")
    table = table_or_not_found(request, body["TableName"])
    if table.status == "CREATING":
        raise Refused("TableInUseException", f"Table is being created: {table.name}")
    image = image_of(table)
    backup = _new(image, body["BackupName"], "USER", "CREATING")
    modelled = current().begin("dynamodb.backup", image.arn, image.size)

    def finish() -> None:
        backup.status = "AVAILABLE"

    later(image.account, frozenset({image.region}), modelled.seconds, finish)
    return {"BackupDetails": backup.details()}


@operation
def describe_backup(request: Request, body: Body) -> Body:
    return _own(request, body["BackupArn"]).description()


@operation
def delete_backup(request: Request, body: Body) -> Body:
    """Delete a backup that nothing is being done with. SYSTEM ones go by themselves, after 35 days.

    AWS refuses to delete a SYSTEM backup; its code and words for that are not published (A).
    """
    backup = _own(request, body["BackupArn"])
    if backup.type == "SYSTEM":
        raise invalid(f"SYSTEM backups cannot be deleted: {backup.arn}")
    _refuse_busy(backup, backup.restores > 0)
    del _backups[backup.arn]
    backup.status = "DELETED"
    return backup.description()


def _refuse_busy(backup: Backup, restored_from: bool = False) -> None:
    if backup.status == "CREATING" or restored_from:
        raise Refused(
            "BackupInUseException",
            "There is another ongoing conflicting backup control plane operation on the table. The backup "
            f"{backup.arn} is either being created, deleted or restored to a table.",
        )


def _own(request: Request, arn: str, any_region: bool = False) -> Backup:
    """The caller's backup by its ARN; another account's is as good as not there."""
    backup = _backups.get(arn)
    if backup is None or backup.image.account != request.account:
        raise _not_found(arn)
    if backup.image.region != request.region and not any_region:
        raise _not_found(arn)
    return backup


def _not_found(arn: str) -> Refused:
    return Refused("BackupNotFoundException", f"Backup not found: {arn}")


@operation
def list_backups(request: Request, body: Body) -> Body:
    """The caller's backups in this region, oldest first. Without BackupType those a user made, as on AWS."""
    kind = body.get("BackupType", "USER")
    chosen = [
        backup
        for backup in _backups.values()
        if (backup.image.account, backup.image.region) == (request.account, request.region)
        and kind in ("ALL", backup.type)
        and _named(backup, body.get("TableName"))
        and _created_within(backup, body.get("TimeRangeLowerBound"), body.get("TimeRangeUpperBound"))
    ]
    chosen.sort(key=lambda backup: (backup.created, backup.arn))
    return _page(chosen, body)


def _named(backup: Backup, table: str | None) -> bool:
    return table is None or table in (backup.image.name, backup.image.arn)


def _created_within(backup: Backup, lower: float | None, upper: float | None) -> bool:
    created = backup.created.timestamp()
    return (lower is None or created >= lower) and (upper is None or created < upper)


def _page(chosen: list[Backup], body: Body) -> Body:
    start, limit = body.get("ExclusiveStartBackupArn"), body.get("Limit", PAGE)
    if not 1 <= limit <= PAGE:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {PAGE}"
        )
    arns = [backup.arn for backup in chosen]
    if start is not None:
        if start not in arns:
            raise invalid(f"The provided ExclusiveStartBackupArn is invalid: {start}")
        chosen = chosen[arns.index(start) + 1 :]
    page: Body = {"BackupSummaries": [backup.summary() for backup in chosen[:limit]]}
    if len(chosen) > limit:
        page["LastEvaluatedBackupArn"] = chosen[limit - 1].arn
    return page


@operation
def restore_table_from_backup(request: Request, body: Body) -> Body:
    """Restore a backup into a new table, in this region even if the backup lies in another one of the same account."""
    backup = _own(request, body["BackupArn"], any_region=True)
    if current().is_down(backup.image.region):
        raise Refused("InternalServerError", "Internal server error", status=500)
    _refuse_busy(backup)
    restore = restoring.start_restore(
        backup.image,
        account=request.account,
        region=request.region,
        body=body,
        moment=backup.created,
        backup_arn=backup.arn,
    )
    backup.restores += 1

    def finish() -> None:
        backup.restores -= 1

    restore.on_end.append(finish)
    return {"TableDescription": restore.table.describe()["TableDescription"]}


OPERATIONS = {
    "dynamodb:CreateBackup": create_backup,
    "dynamodb:DescribeBackup": describe_backup,
    "dynamodb:DeleteBackup": delete_backup,
    "dynamodb:ListBackups": list_backups,
    "dynamodb:RestoreTableFromBackup": restore_table_from_backup,
}
REPLACEMENTS: tuple[Replacement, ...] = ()
