"""The recovery window of a DynamoDB table: how far back, how close to now, and waiting for it to reach a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from drills.model import Location
from drills.site import Site

RECOVERY_LAG = timedelta(minutes=5)
"""How far a recovery window's end is behind. Source: DynamoDB developer guide, Point-in-time recovery."""


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """Earliest and latest restorable moment, and how many days it is set to reach back."""

    earliest: datetime
    latest: datetime
    period_days: int


def recovery_window(dynamodb: Any, table: str) -> RecoveryWindow | None:
    """The window as it is now, None without point-in-time recovery."""
    found = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = found.get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        return None
    return RecoveryWindow(
        recovery["EarliestRestorableDateTime"],
        recovery["LatestRestorableDateTime"],
        recovery.get("RecoveryPeriodInDays", 35),
    )


def last_second_before(moment: datetime) -> datetime:
    """The last whole second strictly before a moment: recovery goes by seconds."""
    floor = moment.replace(microsecond=0)
    return floor if floor < moment else floor - timedelta(seconds=1)


def moment_within(site: Site, dynamodb: Any, table: str, before: datetime) -> datetime | None:
    """The last second before ``before``, once the window has reached it; None where the window begins later."""
    moment = last_second_before(before)
    site.wait_until(moment + RECOVERY_LAG)
    window = recovery_window(dynamodb, table)
    if window is None or moment < window.earliest:
        return None

    def reached() -> bool:
        now = recovery_window(dynamodb, table)
        return now is None or now.latest >= moment

    site.wait(
        f"point-in-time recovery of {table} to reach {moment:%H:%M:%S}", reached, every_seconds=15, limit_seconds=3600
    )
    return moment


def set_recovery(site: Site, at: Location, period_days: int | None) -> None:
    """Turn point-in-time recovery on with this period, or, with None, off; a new table takes a moment to allow it."""
    dynamodb = site.client("dynamodb", at.role, at.region)
    specification: dict[str, Any] = {"PointInTimeRecoveryEnabled": period_days is not None}
    if period_days is not None:
        specification["RecoveryPeriodInDays"] = period_days

    def taken() -> bool:
        try:
            dynamodb.update_continuous_backups(TableName=at.name, PointInTimeRecoverySpecification=specification)
        except dynamodb.exceptions.ContinuousBackupsUnavailableException:
            return False
        return True

    def reached() -> bool:
        window = recovery_window(dynamodb, at.name)
        return (window.period_days if window else None) == period_days

    what = f"point-in-time recovery of {at.name}"
    site.wait(what, taken, every_seconds=5, limit_seconds=600)
    site.wait(what, reached, every_seconds=2, limit_seconds=600)
