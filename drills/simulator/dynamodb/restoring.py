"""A restore under way: the new table is CREATING until the modelled time is up, then holds its items at one stroke."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drills.simulator.dynamodb.answers import Body, Refused, backend, check_name
from drills.simulator.dynamodb.images import TableImage, copied
from drills.simulator.dynamodb.overrides import creation_of
from drills.simulator.dynamodb.table import table_deleted
from drills.simulator.dynamodb.underway import later
from drills.simulator.state import current

CONCURRENT_RESTORES = 50


@dataclass
class Restore:
    """One restore: its new table, and the summary that DescribeTable gives of it."""

    table: Any
    source_arn: str
    moment: datetime
    backup_arn: str | None = None
    in_progress: bool = True
    on_end: list[Any] = field(default_factory=list)

    def summary(self) -> Body:
        named = {"SourceBackupArn": self.backup_arn} if self.backup_arn else {}
        return {
            **named,
            "SourceTableArn": self.source_arn,
            "RestoreDateTime": self.moment,
            "RestoreInProgress": self.in_progress,
        }


_restores: dict[str, Restore] = {}


def begin() -> None:
    """Forget the restores of an earlier simulation, and from now on those whose table is deleted."""
    _restores.clear()
    if _forget not in table_deleted:
        table_deleted.append(_forget)


def _forget(table: Any) -> None:
    _restores.pop(table.id, None)


def restore_of(table: Any) -> Restore | None:
    """The restore that made this table."""
    return _restores.get(table.id)


def refuse_if_taken(account: str, region: str, name: str) -> None:
    """Raise the error for a target whose name exists, or for one restore too many."""
    check_name(name, "targetTableName")
    if name in backend(account, region).tables:
        raise Refused("TableAlreadyExistsException", f"Table already exists: {name}")
    running = sum(one.in_progress and one.table.account_id == account for one in _restores.values())
    if running >= CONCURRENT_RESTORES:
        raise Refused(
            "LimitExceededException",
            f"Subscriber limit exceeded: There is a limit of {CONCURRENT_RESTORES} concurrent restores per subscriber",
        )


def start_restore(
    image: TableImage, *, account: str, region: str, body: Body, moment: datetime, backup_arn: str | None = None
) -> Restore:
    """Make the new table and begin to fill it. ``body`` is the call with its overrides."""
    name = body["TargetTableName"]
    refuse_if_taken(account, region, name)
    creation = creation_of(image, body, region)
    table = backend(account, region).create_table(name, **creation)
    table.status = "CREATING"
    restore = Restore(table, image.arn, moment, backup_arn)
    _restores[table.id] = restore
    elsewhere = image.region != region
    modelled = current().begin(
        "dynamodb.restore_cross_region" if elsewhere else "dynamodb.restore",
        table.table_arn,
        _inherited_size(image, table),
        gsis=float(len(creation["global_indexes"])),
    )
    later(account, frozenset({region, image.region}), modelled.seconds, lambda: _complete(restore, image))
    return restore


def _inherited_size(image: TableImage, table: Any) -> Any:
    simulation = current()
    if image.arn in simulation.sizes:
        simulation.sizes.setdefault(table.table_arn, simulation.sizes[image.arn])
    return simulation.size_of(image.arn, image.size)


def _complete(restore: Restore, image: TableImage) -> None:
    restore.table.load(copied(image.rows))
    restore.table.status = "ACTIVE"
    restore.in_progress = False
    for tell in restore.on_end:
        tell()
