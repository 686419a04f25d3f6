"""The secondary cluster: used in an outage, on its own where the primary was deleted, no way back from a bug."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drills.errors import PointUnreachable, ProtectionError
from drills.model import Location, Place
from drills.protections.aurora_global_database import protection
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.database_site import AURORA, as_ledger_says, aws, by_check, database_site, filled, inventory, told

OPTIONS: dict[str, Any] = {}
RECOVERY_REGION = Place("production", "eu-north-1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with database_site(tmp_path / "drill", AURORA) as site:
        yield site


def copy_of(site: WorldSite) -> Location:
    at = site.primary()
    return replace(at, region="eu-north-1", name=f"{at.name}-secondary")


def write_for_a_while(workload: StoreWorkload, writes: int, seconds: float) -> None:
    for _ in range(writes):
        workload.write_once()
        workload.site.clock.sleep(seconds)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"region": 7}, "region: expected a region such as eu-west-1, found 7"),
        ({"maximum_lag": "0s"}, "maximum_lag: expected a duration from 1s to 1d, found 0s"),
        ({"readers": 2}, "readers: there is no such option; expected one of region, maximum_lag"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_it_is_made_follows_and_is_watched(site: WorldSite) -> None:
    workload = filled(site)
    assert by_check(protection.health(site, OPTIONS))["global_database.secondary"].verdict == "fail"
    protection.set_up(site, OPTIONS)
    protection.set_up(site, OPTIONS)
    write_for_a_while(workload, 20, 7)
    site.clock.sleep(60)
    assert inventory(workload, copy_of(site)) == as_ledger_says(workload)
    found = protection.health(site, OPTIONS)
    assert [(one.check, one.verdict) for one in found] == [
        ("global_database.secondary", "pass"),
        ("global_database.lag", "pass"),
        ("global_database.password", "pass"),
        ("global_database.settings", "pass"),
    ]
    failed = site.clock.now()
    site.failure_began(failed)
    kind.damage(site, workload.at, "all")
    site.clock.sleep(120)
    assert inventory(workload, copy_of(site)) == {}
    assert protection.recovery_points(site, OPTIONS, failed) == []


def test_in_an_outage_it_is_failed_over_to(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    settings = kind.settings(site, workload.at)
    write_for_a_while(workload, 20, 7)
    site.clock.sleep(30)
    told(site, workload.at, "CREATE TABLE on_its_way (n int)")
    failed = site.clock.now()
    site.failure_began(failed)
    outage = aws(site).region_down("eu-west-1")
    site.clock.sleep(1800)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    assert failed - timedelta(seconds=1) < point.as_of < failed
    at = protection.restore(site, OPTIONS, point, RECOVERY_REGION, "unused")
    assert at == protection.restore(site, OPTIONS, point, RECOVERY_REGION, "unused") == copy_of(site)
    assert inventory(workload, at) == as_ledger_says(workload)
    kind.reconfigure(site, at, settings)
    assert kind.settings(site, at) == settings
    assert {finding.verdict for finding in kind.probe(site, at)} == {"pass"}
    told(site, at, "CREATE TABLE on_its_way (n int)")
    with pytest.raises(PointUnreachable, match="rds_snapshot_copy"):
        protection.restore(site, OPTIONS, point, Place("recovery", "eu-north-1"), "unused")
    outage.end()
    protection.destroy(site, OPTIONS)
    kind.destroy(site, workload.at)
    for region in ("eu-west-1", "eu-north-1"):
        rds = site.client("rds", "production", region)
        assert rds.describe_db_clusters()["DBClusters"] == rds.describe_global_clusters()["GlobalClusters"] == []


def test_it_outlives_the_primary_but_not_its_own_module(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    write_for_a_while(workload, 10, 7)
    site.clock.sleep(10)
    kind.destroy(site, workload.at)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    at = protection.restore(site, OPTIONS, point, Place("production", "eu-west-1"), "unused")
    assert inventory(workload, at) == as_ledger_says(workload)
    told(site, at, "CREATE TABLE new (n int)")
    protection.destroy(site, OPTIONS)
    protection.destroy(site, OPTIONS)
    with pytest.raises(PointUnreachable, match="there is no secondary cluster"):
        protection.recovery_points(site, OPTIONS, None)


def test_productions_own_region_is_no_other_region(site: WorldSite) -> None:
    with pytest.raises(ProtectionError, match="expected another region than production's"):
        protection.set_up(site, {"region": "eu-west-1"})
