"""Which moments can be restored: from the first image to where the log was last saved, which is every five minutes.

Source: RDS user guide, Restoring a DB instance to a specified time (LatestRestorableTime, typically in the last five
minutes); API reference, RestoreWindow.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from drills.simulator.postgres.interface import Image
from drills.simulator.rds.model import AutomatedBackup, Held, Line
from drills.simulator.rds.state import databases
from drills.simulator.state import current

LOG_SAVED_SECONDS = 300


def lines(backup: AutomatedBackup) -> list[Line]:
    """All of its lines, oldest first."""
    return [*backup.earlier, Line(backup.archive, backup.positions, backup.images, backup.cut)]


def image_before(backup: AutomatedBackup, moment: datetime) -> tuple[Line, datetime, Image]:
    """The newest image that is not of after the moment, when it was taken, and the line that goes on from it."""
    return [(line, at, image) for line in lines(backup) for at, image in line.images if at <= moment][-1]


def gap(backup: AutomatedBackup, moment: datetime) -> datetime | None:
    """Where nothing was backed up at a moment within the window: since when; else None."""
    line, _, _ = image_before(backup, moment)
    return line.until if line.until is not None and moment > line.until else None


def window(backup: AutomatedBackup) -> tuple[datetime, datetime] | None:
    """The oldest and the newest moment that can be restored; None until the first image is there."""
    first = next((at for line in lines(backup) for at, _ in line.images), None)
    if backup.status == "creating" or first is None:
        return None
    now = current().clock.now()
    end = min(moment for moment in (now, backup.ended, backup.cut) if moment is not None)
    latest = max(first, _last_saved(backup, end - timedelta(seconds=backup.lag_seconds)))
    latest = gap(backup, latest) or latest
    return max(first, min(latest, now - timedelta(days=backup.retention_days))), latest


def _last_saved(backup: AutomatedBackup, moment: datetime) -> datetime:
    """Up to when the log has been saved at a moment: every five minutes, each database at seconds of its own."""
    chance = random.Random(f"{current().seed}/rds.log_saved/{backup.source.resource_id}")
    phase, since = chance.randrange(LOG_SAVED_SECONDS), int(moment.timestamp())
    return datetime.fromtimestamp((since - phase) // LOG_SAVED_SECONDS * LOG_SAVED_SECONDS + phase, tz=moment.tzinfo)


def backup_of(held: Held) -> AutomatedBackup | None:
    """The automated backup of what is there, None where it has none."""
    backup = databases().of(held.account, held.region).automated.get(held.resource_id)
    return backup if backup is not None and backup.status in ("creating", "active") else None


def window_of(held: Held) -> tuple[datetime, datetime] | None:
    """Its EarliestRestorableTime and LatestRestorableTime."""
    backup = backup_of(held)
    return window(backup) if backup is not None else None
