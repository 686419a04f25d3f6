"""Manual snapshots on a schedule: taken, kept, pruned, restored, and nobody else's touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from drills.errors import PointUnreachable, ProtectionError
from drills.model import Place
from drills.protections.rds_snapshot import protection
from drills.simulator.rds.state import databases
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.database_site import AURORA, DATABASE, aws, by_check, database_site, filled, inventory, plain_client
from tests.stores.table_site import as_of, write_for_a_while

HERE = Place("production", "eu-west-1")
OPTIONS: dict[str, Any] = {"every": "30m", "keep": 3}


@pytest.fixture(scope="module", params=["instance", "cluster"])
def protected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    """A database with its snapshots, one of them by hand, which was written to for some hours."""
    text = DATABASE if request.param == "instance" else AURORA
    with database_site(tmp_path_factory.mktemp("drill") / "drill", text) as site:
        workload = filled(site)
        rds, name = plain_client(site, workload.at), workload.at.name
        if request.param == "instance":
            rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier="by-hand")
        else:
            rds.create_db_cluster_snapshot(DBClusterIdentifier=name, DBClusterSnapshotIdentifier="by-hand")
        site.clock.sleep(900)
        protection.set_up(site, OPTIONS)
        write_for_a_while(workload, 30, 303)
        yield workload


def snapshots(site: WorldSite) -> list[str]:
    rds = plain_client(site, site.primary())
    found = [one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]]
    clusters = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    return [*found, *(one["DBClusterSnapshotIdentifier"] for one in clusters)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 10}, "every: expected a duration with its unit, such as 90s, 15m, 4h or 1d, found 10"),
        ({"every": "1m"}, "every: expected a duration from 15m to 35d, found 1m"),
        ({"keep": 0}, "keep: expected a whole number from 1 to 90, found 0"),
        ({"each": "1h"}, "each: there is no such option; expected one of every, keep"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_the_schedule_keeps_so_many_and_leaves_others_alone(protected: StoreWorkload) -> None:
    site: Any = protected.site
    found = snapshots(site)
    assert "by-hand" in found
    assert 3 <= len(found) - 1 <= 4  # The one that is being taken makes nothing needless yet.
    findings = by_check(protection.health(site, OPTIONS))
    assert {name: one.verdict for name, one in findings.items()} == {
        "snapshot.age": "pass",
        "snapshot.failed": "pass",
        "snapshot.reach": "pass",
    }


def test_the_newest_before_the_failure_comes_back(protected: StoreWorkload) -> None:
    site: Any = protected.site
    points = protection.recovery_points(site, OPTIONS, None)
    (point, *older) = points
    assert [one.as_of for one in older] == sorted((one.as_of for one in older), reverse=True)
    assert protection.recovery_points(site, OPTIONS, point.as_of) == older
    assert protection.recovery_points(site, OPTIONS, point.as_of + timedelta(seconds=1)) == points
    at = protection.restore(site, OPTIONS, point, HERE, kind.physical_name(site.name("back"), "", ""))
    assert inventory(protected, at) == as_of(protected, point.as_of)


def test_elsewhere_it_is_out_of_reach(protected: StoreWorkload) -> None:
    site: Any = protected.site
    point = protection.recovery_points(site, OPTIONS, None)[0]
    with pytest.raises(PointUnreachable, match="can be restored in the database's own account only"):
        protection.restore(site, OPTIONS, point, Place("recovery", "eu-north-1"), "away")
    with pytest.raises(PointUnreachable, match="can be restored in its own region only, which is eu-west-1"):
        protection.restore(site, OPTIONS, point, Place("production", "eu-north-1"), "away")


def test_snapshots_that_fail_are_noted_and_seen_by_their_age(protected: StoreWorkload) -> None:
    site: Any = protected.site
    with aws(site).faults(reject=1.0, operations=["CreateDBSnapshot", "CreateDBClusterSnapshot"]):
        site.clock.sleep(2 * 3600)
    assert by_check(protection.health(site, OPTIONS))["snapshot.age"].verdict == "fail"
    assert protection.recovery_points(site, OPTIONS, None)
    site.clock.sleep(3600)
    assert by_check(protection.health(site, OPTIONS))["snapshot.age"].verdict == "pass"


def test_a_database_that_was_busy_has_it_taken_soon_after(protected: StoreWorkload) -> None:
    site: Any = protected.site
    site.clock.sleep(1800 - 300)
    before = set(snapshots(site))
    held = databases().of(protected.at.account, protected.at.region)
    found: Any = {**held.instances, **held.clusters}[protected.at.name]
    assert found.status == "available"
    found.status = "backing-up"
    site.clock.sleep(1800)
    assert set(snapshots(site)) == before
    found.status = "available"
    site.clock.sleep(240)
    assert len(set(snapshots(site)) - before) == 1


def test_they_outlive_their_database_and_go_when_they_are_destroyed(protected: StoreWorkload) -> None:
    """Last of the tests of this database: it is deleted."""
    site: Any = protected.site
    site.writing = False
    kind.destroy(site, protected.at)
    assert protection.recovery_points(site, OPTIONS, None)
    protection.destroy(site, OPTIONS)
    assert protection.recovery_points(site, OPTIONS, None) == []
    assert snapshots(site) == ["by-hand"]


def test_outside_of_a_drill_none_is_deleted(protected: StoreWorkload, monkeypatch: pytest.MonkeyPatch) -> None:
    site: Any = protected.site
    monkeypatch.setattr(site, "tags", {"drills:managed": "shop"}, raising=False)
    with pytest.raises(ProtectionError, match="expected a drill before deleting it"):
        protection.destroy(site, OPTIONS)


def test_snapshots_that_are_pruned_before_anybody_misses_their_data(protected: StoreWorkload) -> None:
    site: Any = protected.site
    found = by_check(protection.health(site, {"every": "15m", "keep": 1}))["snapshot.reach"]
    assert (found.verdict, found.observed) == ("fail", "1 of them, 15m apart: 0s at the least")
