"""Point-in-time recovery: the window of each table, and restores to any second of it.

Source: DynamoDB developer guide, Point-in-time backups for DynamoDB; API reference of the three operations below.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drills.simulator.dynamodb import restoring, underway
from drills.simulator.dynamodb.answers import (
    Body,
    Refused,
    Request,
    find_table,
    invalid,
    operation,
    table_name,
    table_or_not_found,
)
from drills.simulator.dynamodb.history import History
from drills.simulator.dynamodb.images import image_of
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

DEFAULT_DAYS = 35
DAYS = range(1, 36)

_histories: dict[str, History] = {}


def begin(simulation: Simulation) -> None:
    _histories.clear()
    restoring.begin()
    underway.begin(simulation)


def history_of(table: Any) -> History | None:
    """The table's recovery window, None while point-in-time recovery is off."""
    return _histories.get(table.id)


def set_recovery(table: Any, *, enabled: bool, period_days: int | None = None) -> None:
    """Turn a table's point-in-time recovery on (a new window starts now), off (its history is gone), or resize it."""
    history = _histories.get(table.id)
    if not enabled:
        if history is not None:
            table.observers.remove(history.observe)
            del _histories[table.id]
        return
    if history is None:
        history = History(table, current().clock.now, period_days or DEFAULT_DAYS)
        _histories[table.id] = history
        table.observers.append(history.observe)
    elif period_days is not None and period_days != history.period_days:
        history.resize(period_days)


def _description(table: Any) -> Body:
    history = _histories.get(table.id)
    recovery: Body = {"PointInTimeRecoveryStatus": "DISABLED"}
    if history is not None:
        recovery = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": history.period_days,
            "EarliestRestorableDateTime": history.earliest,
            "LatestRestorableDateTime": history.latest,
        }
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }
    }


@operation
def describe_continuous_backups(request: Request, body: Body) -> Body:
    """The window as it is now; it moves with the clock."""
    return _description(table_or_not_found(request, body["TableName"]))


@operation
def update_continuous_backups(request: Request, body: Body) -> Body:
    """Turn recovery on or off, or change its period. Off and on again starts a new window."""
    specification = body["PointInTimeRecoverySpecification"]
    days = specification.get("RecoveryPeriodInDays")
    if days is not None and days not in DAYS:
        bound, word = (DAYS[0], "greater") if days < DAYS[0] else (DAYS[-1], "less")
        raise invalid(
            f"1 validation error detected: Value '{days}' at 'pointInTimeRecoverySpecification.recoveryPeriodInDays' "
            f"failed to satisfy constraint: Member must have value {word} than or equal to {bound}"
        )
    table = table_or_not_found(request, body["TableName"])
    if table.status == "CREATING":
        raise Refused(
            "ContinuousBackupsUnavailableException",
            f"Backups are being enabled for the table: {table.name}. Please retry later",
        )
    set_recovery(table, enabled=specification["PointInTimeRecoveryEnabled"], period_days=days)
    return _description(table)


@operation
def restore_table_to_point_in_time(request: Request, body: Body) -> Body:
    """Restore a table as of any second of its window into a new one, here or, called in another region, there."""
    source = _source(request, body)
    restoring.refuse_if_taken(request.account, request.region, body["TargetTableName"])
    history = _histories.get(source.id)
    if history is None:
        raise Refused(
            "PointInTimeRecoveryUnavailableException",
            f"Point in time recovery is not enabled for table '{source.name}'",
        )
    moment = _moment(body, history)
    image = image_of(source, history.state_at(moment))
    restore = restoring.start_restore(image, account=request.account, region=request.region, body=body, moment=moment)
    return {"TableDescription": restore.table.describe()["TableDescription"]}


def _source(request: Request, body: Body) -> Any:
    named, arn = body.get("SourceTableName"), body.get("SourceTableArn")
    if not arn:
        if not named:
            raise invalid("One of SourceTableName or SourceTableArn must be specified")
        return table_or_not_found(request, named)
    region, account = arn.split(":")[3:5]
    if account != request.account:
        raise Refused(
            "AccessDeniedException",
            f"Cross-account restore is not authorized: {arn} belongs to another account than the caller's "
            f"{request.account}",
        )
    if current().is_down(region):
        raise Refused("InternalServerError", "Internal server error", status=500)
    table = find_table(account, region, arn)
    if table is None or (named and named != table.name):
        raise Refused("TableNotFoundException", f"Table not found: {table_name(arn)}")
    return table


def _moment(body: Body, history: History) -> datetime:
    given = body.get("RestoreDateTime")
    if body.get("UseLatestRestorableTime"):
        if given is not None:
            raise invalid("RestoreDateTime and UseLatestRestorableTime cannot be specified at the same time")
        return history.latest
    if given is None:
        raise invalid("Either RestoreDateTime or UseLatestRestorableTime must be specified")
    moment = datetime.fromtimestamp(float(given), UTC).replace(microsecond=0)
    if not history.earliest <= moment <= history.latest:
        raise Refused(
            "InvalidRestoreTimeException",
            "An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime and "
            "LatestRestorableDateTime.",
        )
    return moment


OPERATIONS = {
    "dynamodb:DescribeContinuousBackups": describe_continuous_backups,
    "dynamodb:UpdateContinuousBackups": update_continuous_backups,
    "dynamodb:RestoreTableToPointInTime": restore_table_to_point_in_time,
}
REPLACEMENTS: tuple[Replacement, ...] = ()
