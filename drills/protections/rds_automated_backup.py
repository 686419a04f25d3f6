"""Automated backups: a state of any second of the retention, in the database's region and, replicated, in another.

They go with their database unless they are retained when it is deleted, and with their account in any case. Source: RDS
user guide, Introduction to backups; Restoring a DB instance to a specified time; Replicating automated backups; Aurora
user guide, the same of clusters, whose backups cannot be replicated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.durations import written
from drills.errors import PointUnreachable, ProtectionError
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint, Verdict
from drills.ownership import DRILL_TAG, refuse_outside_a_drill
from drills.protections import Resource, WayBack
from drills.protections.options import duration_seconds, only, region, whole_number
from drills.protections.rds_restoring import refuse_other_accounts, restored
from drills.site import Site
from drills.stores.dynamodb_recovery import last_second_before
from drills.stores.rds_instances import arn, is_aurora, label, modify, there
from drills.stores.rds_making import make_key

BEGUN_SECONDS = 3 * 86_400
"""Longest wait for the first backup, or for its copy in the other region."""
SAVED_EVERY = timedelta(minutes=5)
"""How often the log is saved. Source: RDS user guide, Restoring a DB instance to a specified time."""
REACHED_SECONDS = 3_600
LIVE = ("active", "replicating")
KEPT = (*LIVE, "retained")


@dataclass(frozen=True, slots=True)
class Options:
    """``days`` of retention; ``replicate_to``: a region, None for none; how far the newest moment may be behind."""

    days: int
    replicate_to: str | None
    maximum_gap_seconds: float

    @classmethod
    def parse(cls, given: Mapping[str, JSON]) -> Options:
        """Raises ValueError naming the option, what is expected and what was found."""
        only(given, "days", "replicate_to", "maximum_gap")
        return cls(
            whole_number(given, "days", 7, 1, 35),
            region(given, "replicate_to"),
            duration_seconds(given, "maximum_gap", "30m", "6m", "7d"),
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """One automated backup. ``earliest`` and ``latest`` are None until its first image is there."""

    region: str
    resource_id: str
    arn: str
    status: str
    days: int
    earliest: datetime | None
    latest: datetime | None


class AutomatedBackupProtection:
    """RestoreDB…ToPointInTime, to the last second before the data was mangled, or to the newest there is."""

    name = "rds_automated_backup"
    kind = "rds"
    summary = "automated backups: any second of the last days, within the account, also in another region if replicated"
    needs = frozenset({"rds", "rds.pitr"})
    way_back: WayBack = "new_store"
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        parsed, at = Options.parse(options), site.primary()
        found = [Resource(f"automated backups over {parsed.days} days of the database", at.name, at.role, at.region)]
        if parsed.replicate_to is not None:
            found.append(Resource("replicated automated backups", at.name, at.role, parsed.replicate_to))
        return found

    def check(self, options: Mapping[str, JSON]) -> None:
        Options.parse(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        """A retention that is longer than asked for is left as it is: shortening it would lose history."""
        parsed, at = Options.parse(options), site.primary()
        _refuse_replication(site, parsed)
        if int(there(site, at).get("BackupRetentionPeriod", 0)) < parsed.days:
            modify(site, at, BackupRetentionPeriod=parsed.days)
        what = f"the first automated backup of {at.name}"
        site.wait(what, lambda: _live(site, at.region) is not None, every_seconds=30, limit_seconds=BEGUN_SECONDS)
        if parsed.replicate_to is not None and _live(site, parsed.replicate_to) is None:
            self._replicate(site, parsed, parsed.replicate_to)

    def _replicate(self, site: Site, options: Options, to: str) -> None:
        at = site.primary()
        found, client = there(site, at), site.client("rds", at.role, to)
        asked: dict[str, Any] = {"SourceDBInstanceArn": arn(site, found), "BackupRetentionPeriod": options.days}
        if found.get("StorageEncrypted"):
            # A key never leaves its region.
            far = Location(at.role, at.account, to, at.name)
            asked["KmsKeyId"] = make_key(site, far) if site.store.config.customer_key else "alias/aws/rds"
        client.start_db_instance_automated_backups_replication(**asked, SourceRegion=at.region)
        what = f"automated backups of {at.name} to be replicated to {to}"
        site.wait(what, lambda: _live(site, to) is not None, every_seconds=60, limit_seconds=BEGUN_SECONDS)

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        parsed, at = Options.parse(options), site.primary()
        found = _live(site, at.region)
        fine = found is not None and found.days >= parsed.days
        said = "off" if found is None else f"on, {found.days} days"
        findings = [
            _finding(site, "enabled", fine, f"on, {parsed.days} days", said),
            _gap(site, "gap", found, parsed),
            _window(site, found),
        ]
        if parsed.replicate_to is not None:
            replica = _live(site, parsed.replicate_to)
            findings.append(_gap(site, "replica", replica, parsed, f", in {parsed.replicate_to}"))
        return findings

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        """Ends the backups with their history, here and in the other region."""
        parsed, at = Options.parse(options), site.primary()
        refuse_outside_a_drill(site, f"automated backups of database {at.name}", "turning off")
        if parsed.replicate_to is not None and not is_aurora(site):
            client = site.client("rds", at.role, parsed.replicate_to)
            name = f"arn:aws:rds:{at.region}:{at.account}:db:{at.name}"
            if _live(site, parsed.replicate_to) is not None:
                client.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=name)
            for one in _backups(site, parsed.replicate_to):
                client.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=one.arn)
        if not is_aurora(site):
            modify(site, at, BackupRetentionPeriod=0)

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        parsed, at = Options.parse(options), site.primary()
        if parsed.replicate_to is None:
            return self._there(site, [at.region], before)
        if before is None and any(one.status == "replicating" for one in _backups(site, parsed.replicate_to)):
            # Nothing was mangled or deleted, so that it is the region that is lost: it must not be needed.
            return self._there(site, [parsed.replicate_to], before)
        return self._there(site, [at.region, parsed.replicate_to], before)

    def _there(self, site: Site, regions: Sequence[str], before: datetime | None) -> Sequence[RecoveryPoint]:
        """Those in the first of the regions that has any: at home, if it can be."""
        unreachable: list[str] = []
        for where in regions:
            try:
                points = list(self._points(site, where, before))
            except (BotoCoreError, PointUnreachable) as error:
                unreachable.append(f"{where}: {error}")
            else:
                if points:
                    return sorted(points, key=lambda point: point.as_of, reverse=True)
        raise PointUnreachable(
            f"no automated backup of {site.primary().name} can be restored"
            + (f"; {'; '.join(unreachable)}" if unreachable else ": there is none, it went with the database")
        )

    def _points(self, site: Site, where: str, before: datetime | None) -> Iterator[RecoveryPoint]:
        at, found = site.primary(), _backups(site, where)
        for one in found:
            moment = _moment_within(site, one, before)
            if moment is not None:
                yield RecoveryPoint(
                    id=f"{at.name}@{moment:%Y-%m-%dT%H:%M:%SZ}" + ("" if where == at.region else f", {where}"),
                    protection=self.name,
                    account=at.account,
                    region=where,
                    as_of=moment,
                    handle={"resource_id": one.resource_id, "backup_arn": one.arn if where != at.region else ""},
                    since=one.earliest,
                )
        if found and before is not None and all(one.earliest is None or one.earliest >= before for one in found):
            raise PointUnreachable(
                f"the window begins after {before:%Y-%m-%d %H:%M:%S}, before which a state is needed: automated "
                "backups were switched on, or off and on again, too late"
            )

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        """What was replicated comes back in the region that it was replicated to, wherever people respond from."""
        refuse_other_accounts(to, "an automated backup")
        at = Location(to.role, site.account_id(to.role), point.region, name)
        return restored(site, at, lambda rds, wanted: _restore(site, rds, at, point, wanted))


def _restore(site: Site, rds: Any, at: Location, point: RecoveryPoint, wanted: Mapping[str, Any]) -> None:
    source = str(point.handle["resource_id"])
    if is_aurora(site):
        rds.restore_db_cluster_to_point_in_time(
            DBClusterIdentifier=at.name, SourceDbClusterResourceId=source, RestoreToTime=point.as_of, **wanted
        )
        return
    replica = str(point.handle["backup_arn"])
    by = {"SourceDBInstanceAutomatedBackupsArn": replica} if replica else {"SourceDbiResourceId": source}
    rds.restore_db_instance_to_point_in_time(
        TargetDBInstanceIdentifier=at.name, RestoreTime=point.as_of, **by, **wanted
    )


def _refuse_replication(site: Site, options: Options) -> None:
    """Raises ProtectionError where backups cannot be replicated as asked."""
    to, at = options.replicate_to, site.primary()
    if to is not None and is_aurora(site):
        raise ProtectionError(
            f"replicate_to: expected none for {label(site, at)}, as RDS replicates automated backups of instances "
            f"only, found {to}. Use aurora_global_database, or rds_snapshot_copy with a vault in another region."
        )
    if to == at.region:
        raise ProtectionError(
            f"replicate_to: expected another region than the database's, found {to} for both. Name another."
        )


# --- What there is ---------------------------------------------------------------------------------------------------


def _backups(site: Site, where: str) -> list[Backup]:
    """The automated backups of the database that are kept there, also those that were retained after it."""
    at = site.primary()
    rds, aurora = site.client("rds", at.role, where), is_aurora(site)
    word = "cluster" if aurora else "instance"
    member = f"DB{word.capitalize()}AutomatedBackups"
    try:
        # By a filter, as an identifier that nothing is kept of any more would be an error.
        pages = rds.get_paginator(f"describe_db_{word}_automated_backups").paginate()
        found = [
            one for page in pages for one in page[member] if one.get(f"DB{word.capitalize()}Identifier") == at.name
        ]
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        found = []
    return [_backup(one, where, aurora) for one in found if one.get("Status") in KEPT]


def _backup(one: Mapping[str, Any], where: str, aurora: bool) -> Backup:
    window = one.get("RestoreWindow") or {}
    return Backup(
        where,
        str(one.get("DbClusterResourceId" if aurora else "DbiResourceId", "")),
        str(one.get("DBClusterAutomatedBackupsArn" if aurora else "DBInstanceAutomatedBackupsArn", "")),
        str(one.get("Status", "")),
        int(one.get("BackupRetentionPeriod", 0)),
        _utc(window.get("EarliestTime")),
        _utc(window.get("LatestTime")),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment is not None else None


def _live(site: Site, where: str) -> Backup | None:
    """The one that goes on there, once something can be restored from it."""
    return next((one for one in _backups(site, where) if one.status in LIVE and one.latest is not None), None)


def _moment_within(site: Site, backup: Backup, before: datetime | None) -> datetime | None:
    """The newest moment that will do, waiting for the log to be saved up to it; None where the window has none."""
    if backup.latest is None or backup.earliest is None:
        return None
    if before is None:
        return backup.latest
    moment = last_second_before(before.astimezone(UTC))
    if moment < backup.earliest:
        return None
    if backup.status != "active" or moment <= backup.latest:
        return min(moment, backup.latest)
    site.wait_until(moment + SAVED_EVERY)

    def now() -> Backup | None:
        return next((one for one in _backups(site, backup.region) if one.arn == backup.arn), None)

    def reached() -> bool:
        found = now()
        return found is None or found.latest is None or found.latest >= moment

    what = f"the log of {site.primary().name} to be saved up to {moment:%H:%M:%S}"
    site.wait(what, reached, every_seconds=15, limit_seconds=REACHED_SECONDS)
    found = now()
    return moment if found is not None and found.earliest is not None and found.earliest <= moment else None


# --- Findings --------------------------------------------------------------------------------------------------------


def _finding(site: Site, check: str, fine: bool, expected: str, observed: str) -> Finding:
    verdict: Verdict = "pass" if fine else "fail"
    return Finding(f"automated_backup.{check}", verdict, site.store.name, expected, observed)


def _gap(site: Site, check: str, backup: Backup | None, options: Options, where: str = "") -> Finding:
    """How far the newest moment that can be restored is behind."""
    limit = options.maximum_gap_seconds
    expected = f"the newest restorable moment at most {written(limit)} ago{where}"
    if backup is None or backup.latest is None:
        return _finding(site, check, False, expected, "nothing that could be restored")
    gap = (site.clock.now() - backup.latest).total_seconds()
    return _finding(site, check, gap <= limit, expected, f"{gap:,.0f} s ago")


def _window(site: Site, backup: Backup | None) -> Finding:
    """Whether the window reaches back to when the workload began: backups that were off in between, be it for a minute,
    have lost what they held. Outside of a drill there is no workload."""
    in_a_drill = DRILL_TAG in site.tags
    needed = site.clock.now() - timedelta(minutes=site.estate.workload_minutes if in_a_drill else 0)
    earliest = backup.earliest if backup is not None else None
    # At a drill's end the window may not reach so far by the few minutes in which the log is saved.
    latest = backup.latest if backup is not None and backup.latest is not None else needed
    fine = earliest is not None and earliest <= (needed if in_a_drill else max(needed, latest))
    observed = "no window" if earliest is None else f"since {earliest:%Y-%m-%d %H:%M:%S}"
    return _finding(site, "window", fine, f"every second since {needed:%Y-%m-%d %H:%M:%S}", observed)


protection = AutomatedBackupProtection()
