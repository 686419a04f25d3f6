"""Point-in-time recovery: any second of the last days, in the table's own account, in this or another region.

It goes with its table: once that is deleted, what AWS keeps is the system backup. Source: DynamoDB developer guide,
Point-in-time backups for DynamoDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from botocore.exceptions import ClientError

from drills.errors import PointUnreachable
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.ownership import refuse_outside_a_drill
from drills.protections import Resource, WayBack
from drills.protections.dynamodb_restoring import refuse_other_accounts, restored, window_finding
from drills.protections.options import only, whole_number
from drills.site import Site
from drills.stores.dynamodb_recovery import RecoveryWindow, moment_within, recovery_window, set_recovery
from drills.stores.dynamodb_tables import NOT_THERE, table_arn

LONGEST_DAYS = 35


def _period_days(options: Mapping[str, JSON]) -> int:
    only(options, "period_days")
    return whole_number(options, "period_days", LONGEST_DAYS, 1, LONGEST_DAYS)


class RecoveryProtection:
    """RestoreTableToPointInTime, to the last second before the data was mangled, or to the newest there is."""

    name = "dynamodb_pitr"
    kind = "dynamodb"
    summary = "point-in-time recovery: any second of the last days, within the account"
    way_back: WayBack = "new_store"
    needs = frozenset({"dynamodb", "dynamodb.pitr"})
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        at, days = site.primary(), _period_days(options)
        return [Resource(f"point-in-time recovery over {days} days of the table", at.name, at.role, at.region)]

    def check(self, options: Mapping[str, JSON]) -> None:
        _period_days(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """A window that reaches further back than asked for is left as it is: shortening it would lose history."""
        days, at = _period_days(options), site.primary()
        window = recovery_window(site.client("dynamodb", at.role, at.region), at.name)
        if window is None or window.period_days < days:
            set_recovery(site, at, days)

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        days, at = _period_days(options), site.primary()
        dynamodb = site.client("dynamodb", at.role, at.region)
        window = recovery_window(dynamodb, at.name)
        fine = window is not None and window.period_days >= days
        observed = "off" if window is None else f"on, {window.period_days} days"
        return [
            Finding("pitr.enabled", "pass" if fine else "fail", site.store.name, f"on, {days} days", observed),
            window_finding(site, "pitr.window", dynamodb, at.name),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        refuse_outside_a_drill(site, f"point-in-time recovery of table {site.primary().name}", "turning off")
        set_recovery(site, site.primary(), None)

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        at = site.primary()
        dynamodb = site.client("dynamodb", at.role, at.region)
        try:
            window = recovery_window(dynamodb, at.name)
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_THERE:
                raise PointUnreachable(f"table {at.name} is gone, and its recovery window with it") from error
            raise
        if window is None:
            raise PointUnreachable(f"point-in-time recovery of {at.name} is off, so there is no history to restore")
        moment = window.latest if before is None else moment_within(site, dynamodb, at.name, before)
        if moment is None:
            raise PointUnreachable(_too_young(window, before))
        return [
            RecoveryPoint(
                id=f"{at.name}@{moment:%Y-%m-%dT%H:%M:%SZ}",
                protection=self.name,
                account=at.account,
                region=at.region,
                as_of=moment,
                handle={"table_arn": table_arn(at)},
                since=window.earliest,
            )
        ]

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        refuse_other_accounts(to, "point-in-time recovery")
        return restored(
            site,
            to,
            name,
            lambda dynamodb: dynamodb.restore_table_to_point_in_time(
                SourceTableArn=point.handle["table_arn"], TargetTableName=name, RestoreDateTime=point.as_of
            ),
        )


def _too_young(window: RecoveryWindow, before: datetime | None) -> str:
    return (
        f"the recovery window begins at {window.earliest:%Y-%m-%d %H:%M:%S}, and a state from before "
        f"{before:%Y-%m-%d %H:%M:%S} is needed: it was switched on, or off and on again, too late"
    )


protection = RecoveryProtection()
