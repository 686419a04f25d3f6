"""Automated backups: any second before the failure, from another region in an outage, retained after a deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drills.errors import PointUnreachable, ProtectionError
from drills.model import Place
from drills.protections.rds_automated_backup import protection
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.database_site import AURORA, DATABASE, aws, by_check, database_site, filled, inventory, plain_client
from tests.stores.table_site import as_of, write_for_a_while

HERE, FAR = Place("production", "eu-west-1"), Place("production", "eu-north-1")
PLAIN: dict[str, Any] = {}
REPLICATED: dict[str, Any] = {"replicate_to": "eu-north-1"}


@pytest.fixture(params=["instance", "cluster"])
def workload(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreWorkload]:
    with database_site(tmp_path / "drill", DATABASE if request.param == "instance" else AURORA) as site:
        yield filled(site)


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[StoreWorkload]:
    with database_site(tmp_path / "drill") as site:
        workload = filled(site)
        protection.set_up(site, REPLICATED)
        yield workload


def named(site: WorldSite, suffix: str) -> str:
    return kind.physical_name(site.name(suffix), "", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"days": 0}, "days: expected a whole number from 1 to 35, found 0"),
        ({"replicate_to": "Stockholm"}, "replicate_to: expected a region such as eu-west-1, found 'Stockholm'"),
        ({"maximum_gap": "1m"}, "maximum_gap: expected a duration from 6m to 7d, found 1m"),
        ({"keep": 1}, "keep: there is no such option; expected one of days, replicate_to, maximum_gap"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_the_second_before_the_failure_comes_back(workload: StoreWorkload) -> None:
    site: Any = workload.site
    protection.set_up(site, PLAIN)
    write_for_a_while(workload, 20, 61.3)
    site.clock.sleep((site.estate.workload_minutes) * 60)
    assert {one.verdict for one in protection.health(site, PLAIN)} == {"pass"}
    write_for_a_while(workload, 10, 1.7)
    failed = site.clock.now()
    kind.damage(site, workload.at, "all")
    (point,) = protection.recovery_points(site, PLAIN, failed)
    assert failed - timedelta(seconds=1) <= point.as_of < failed
    assert site.clock.now() >= point.as_of  # It had to be waited for until the log was saved.
    at = protection.restore(site, PLAIN, point, HERE, named(site, "back"))
    assert inventory(workload, at) == as_of(workload, point.as_of)


def test_the_newest_there_is_when_nothing_was_mangled(workload: StoreWorkload) -> None:
    site: Any = workload.site
    protection.set_up(site, PLAIN)
    write_for_a_while(workload, 20, 61.3)
    (point,) = protection.recovery_points(site, PLAIN, None)
    assert point.since is not None
    assert point.since < point.as_of <= site.clock.now()
    at = protection.restore(site, PLAIN, point, HERE, named(site, "back"))
    assert inventory(workload, at) == as_of(workload, point.as_of)


@pytest.mark.parametrize("kept", [False, True])
def test_after_a_deletion_only_what_was_retained(workload: StoreWorkload, kept: bool) -> None:
    site: Any = workload.site
    protection.set_up(site, PLAIN)
    write_for_a_while(workload, 20, 61.3)
    rds, name = plain_client(site, workload.at), workload.at.name
    gone = {"SkipFinalSnapshot": True, "DeleteAutomatedBackups": not kept}
    if site.store.config.is_aurora:
        rds.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
        for one in rds.describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]:
            rds.delete_db_instance(DBInstanceIdentifier=one["DBInstanceIdentifier"], SkipFinalSnapshot=True)
        site.clock.sleep(900)
        rds.delete_db_cluster(DBClusterIdentifier=name, **gone)
    else:
        rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
        site.clock.sleep(300)
        rds.delete_db_instance(DBInstanceIdentifier=name, **gone)
    site.clock.sleep(1800)
    if not kept:
        with pytest.raises(PointUnreachable, match=f"no automated backup of {name} can be restored: there is none"):
            protection.recovery_points(site, PLAIN, None)
        return
    (point,) = protection.recovery_points(site, PLAIN, None)
    at = protection.restore(site, PLAIN, point, HERE, named(site, "back"))
    assert inventory(workload, at) == as_of(workload, point.as_of)


def test_a_window_that_begins_too_late_is_told(workload: StoreWorkload) -> None:
    site: Any = workload.site
    too_early = site.clock.now() - timedelta(days=1)
    protection.set_up(site, PLAIN)
    with pytest.raises(PointUnreachable, match="automated backups were switched on, or off and on again, too late"):
        protection.recovery_points(site, PLAIN, too_early)


def test_elsewhere_it_is_out_of_reach(workload: StoreWorkload) -> None:
    site: Any = workload.site
    protection.set_up(site, PLAIN)
    point = protection.recovery_points(site, PLAIN, None)[0]
    with pytest.raises(PointUnreachable, match="can be restored in the database's own account only"):
        protection.restore(site, PLAIN, point, Place("recovery", "eu-north-1"), "away")


# --- Replicated ----------------------------------------------------------------------------------------------------


def test_in_an_outage_what_was_replicated_comes_back(replicated: StoreWorkload) -> None:
    site: Any = replicated.site
    write_for_a_while(replicated, 20, 61.3)
    site.clock.sleep(1800)
    assert by_check(protection.health(site, REPLICATED))["automated_backup.replica"].verdict == "pass"
    write_for_a_while(replicated, 10, 61.3)
    aws(site).region_down("eu-west-1")
    (point,) = protection.recovery_points(site, REPLICATED, None)
    assert point.region == "eu-north-1"
    at = protection.restore(site, REPLICATED, point, FAR, named(site, "far"))
    assert inventory(replicated, at) == as_of(replicated, point.as_of)
    with pytest.raises(PointUnreachable, match="eu-west-1: "):
        protection.recovery_points(site, PLAIN, None)


def test_a_replica_that_stopped_is_told_and_destroying_leaves_nothing(replicated: StoreWorkload) -> None:
    site: Any = replicated.site
    far = plain_client(site, replicated.at).meta.region_name
    assert far == "eu-west-1"
    rds = aws(site).session(replicated.at.account, "eu-north-1").client("rds")
    assert len(rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]) == 1
    arn = f"arn:aws:rds:eu-west-1:{replicated.at.account}:db:{replicated.at.name}"
    rds.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=arn)
    finding = by_check(protection.health(site, REPLICATED))["automated_backup.replica"]
    assert (finding.verdict, finding.observed) == ("fail", "nothing that could be restored")
    protection.destroy(site, REPLICATED)
    assert rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"] == []
    assert by_check(protection.health(site, PLAIN))["automated_backup.enabled"].verdict == "fail"


def test_what_cannot_be_replicated_is_refused(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill", AURORA) as site:
        filled(site, 1)
        with pytest.raises(ProtectionError, match="RDS replicates automated backups of instances only"):
            protection.set_up(site, REPLICATED)
