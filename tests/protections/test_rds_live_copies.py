"""The two live copies of a database: used where their region is, and no way back from what was replicated to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drills.errors import PointUnreachable, ProtectionError
from drills.model import Location, Place
from drills.plugins import load_protection
from drills.protections import Protection
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests.stores.database_site import (
    AURORA,
    DATABASE,
    as_ledger_says,
    aws,
    by_check,
    database_site,
    filled,
    inventory,
    told,
)
from tests.stores.small_site import write_for_a_while

OPTIONS: dict[str, Any] = {}
RECOVERY_REGION = Place("production", "eu-north-1")


@dataclass(frozen=True)
class Copied:
    """A store with the live copy that its kind of database has."""

    site: WorldSite
    protection: Protection
    checks: str
    copy: str

    @property
    def copy_at(self) -> Location:
        at = self.site.primary()
        return replace(at, region="eu-north-1", name=f"{at.name}-{self.copy}")

    def protected(self) -> StoreWorkload:
        workload = filled(self.site)
        self.protection.set_up(self.site, OPTIONS)
        return workload


@pytest.fixture(params=["read replica", "global database"])
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copied]:
    replica = request.param == "read replica"
    with database_site(tmp_path / "drill", DATABASE if replica else AURORA) as site:
        if replica:
            yield Copied(site, load_protection("rds_read_replica"), "read_replica", "replica")
        else:
            yield Copied(site, load_protection("aurora_global_database"), "global_database", "secondary")


def test_it_is_made_follows_and_is_watched(copied: Copied) -> None:
    site, protection = copied.site, copied.protection
    workload = filled(site)
    assert by_check(protection.health(site, OPTIONS))[f"{copied.checks}.{copied.copy}"].verdict == "fail"
    protection.set_up(site, OPTIONS)
    protection.set_up(site, OPTIONS)
    write_for_a_while(workload, 20, 7)
    site.clock.sleep(60)
    assert inventory(workload, copied.copy_at) == as_ledger_says(workload)
    found = protection.health(site, OPTIONS)
    assert [(one.check, one.verdict) for one in found] == [
        (f"{copied.checks}.{copied.copy}", "pass"),
        (f"{copied.checks}.lag", "pass"),
        (f"{copied.checks}.password", "pass"),
        (f"{copied.checks}.settings", "pass"),
    ]
    _test_an_erase_is_replicated(copied, workload)


def _test_an_erase_is_replicated(copied: Copied, workload: StoreWorkload) -> None:
    site = copied.site
    failed = site.clock.now()
    site.failure_began(failed)
    kind.damage(site, workload.at, "all")
    site.clock.sleep(120)
    assert inventory(workload, copied.copy_at) == {}
    assert copied.protection.recovery_points(site, OPTIONS, failed) == []


def test_in_an_outage_it_is_put_to_use(copied: Copied) -> None:
    site, protection = copied.site, copied.protection
    workload = copied.protected()
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
    assert point.lag_seconds == 0
    at = protection.restore(site, OPTIONS, point, RECOVERY_REGION, "unused")
    assert at == protection.restore(site, OPTIONS, point, RECOVERY_REGION, "unused") == copied.copy_at
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
        assert rds.describe_db_instances()["DBInstances"] == rds.describe_db_clusters()["DBClusters"] == []
        assert rds.describe_global_clusters()["GlobalClusters"] == []


def test_it_outlives_the_primary_but_not_its_own_module(copied: Copied) -> None:
    site, protection = copied.site, copied.protection
    workload = copied.protected()
    write_for_a_while(workload, 10, 7)
    site.clock.sleep(10)
    kind.destroy(site, workload.at)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    at = protection.restore(site, OPTIONS, point, Place("production", "eu-west-1"), "unused")
    assert inventory(workload, at) == as_ledger_says(workload)
    told(site, at, "CREATE TABLE new (n int)")
    protection.destroy(site, OPTIONS)
    protection.destroy(site, OPTIONS)
    with pytest.raises(PointUnreachable, match=f"there is no (read |){copied.copy}"):
        protection.recovery_points(site, OPTIONS, None)


def test_productions_own_region_is_no_other_region(copied: Copied) -> None:
    with pytest.raises(ProtectionError, match="expected another region than production's"):
        copied.protection.set_up(copied.site, {"region": "eu-west-1"})
