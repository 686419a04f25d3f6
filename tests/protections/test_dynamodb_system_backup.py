"""The SYSTEM backup: there only after a deletion, only where point-in-time recovery was on, as of the deletion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.errors import PointUnreachable
from drills.model import Place
from drills.protections.dynamodb_system_backup import protection
from drills.stores.dynamodb import kind
from drills.stores.dynamodb_recovery import set_recovery
from drills.world_site import WorldSite
from tests.stores.table_site import (
    as_of,
    by_check,
    contents,
    differences,
    filled,
    table_site,
    write_for_a_while,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill") as site:
        yield site


def test_it_has_no_options() -> None:
    protection.check({})
    with pytest.raises(ValueError, match="days: there is no such option; expected none"):
        protection.check({"days": 5})


def test_its_health_is_that_of_point_in_time_recovery(site: WorldSite) -> None:
    at = filled(site).at
    assert by_check(protection.health(site, {}))["system_backup"].verdict == "fail"
    set_recovery(site, at, 35)
    assert by_check(protection.health(site, {}))["system_backup"].verdict == "pass"


def test_while_the_table_is_there_there_is_none(site: WorldSite) -> None:
    set_recovery(site, filled(site).at, 35)
    protection.set_up(site, {})
    with pytest.raises(PointUnreachable, match="only when a table is deleted"):
        protection.recovery_points(site, {}, None)


@pytest.mark.parametrize("region", ["eu-west-1", "eu-north-1"])
def test_the_table_as_of_its_deletion_comes_back(site: WorldSite, region: str) -> None:
    workload = filled(site)
    set_recovery(site, workload.at, 35)
    settings = kind.settings(site, workload.at)
    write_for_a_while(workload, 30, 5)
    deleted = site.clock.now()
    kind.destroy(site, workload.at)
    site.clock.sleep(1800)
    (point,) = protection.recovery_points(site, {}, None)
    assert abs((point.as_of - deleted).total_seconds()) < 60
    at = protection.restore(site, {}, point, Place("production", region), site.name("restored"))
    assert contents(site, at) == as_of(workload, deleted)
    left_out = {"autoscaling", "billing", "ttl", "stream", "tags", "point_in_time_recovery", "deletion_protection"}
    assert differences(kind.settings(site, at), settings) == left_out
    kind.reconfigure(site, at, settings)
    assert kind.settings(site, at) == settings


def test_nothing_from_before_the_deletion(site: WorldSite) -> None:
    workload = filled(site)
    set_recovery(site, workload.at, 35)
    failed = site.clock.now()
    site.clock.sleep(600)
    kind.destroy(site, workload.at)
    assert protection.recovery_points(site, {}, failed) == []


def test_without_recovery_on_nothing_is_kept(site: WorldSite) -> None:
    workload = filled(site)
    kind.destroy(site, workload.at)
    with pytest.raises(PointUnreachable, match="there is no SYSTEM backup"):
        protection.recovery_points(site, {}, None)


def test_after_35_days_it_is_gone(site: WorldSite) -> None:
    workload = filled(site)
    set_recovery(site, workload.at, 35)
    kind.destroy(site, workload.at)
    site.clock.sleep(36 * 86_400)
    with pytest.raises(PointUnreachable):
        protection.recovery_points(site, {}, None)


def test_another_account_cannot_restore(site: WorldSite) -> None:
    workload = filled(site)
    set_recovery(site, workload.at, 35)
    kind.destroy(site, workload.at)
    (point,) = protection.recovery_points(site, {}, None)
    with pytest.raises(PointUnreachable, match="own account only"):
        protection.restore(site, {}, point, Place("recovery", "eu-north-1"), site.name("restored"))
