"""On-demand backups on a schedule: made, kept, pruned, restored, and nobody else's touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills.errors import PointUnreachable
from drills.model import Place
from drills.protections.dynamodb_backup import protection
from drills.stores.dynamodb import kind
from drills.world_site import WorldSite
from tests.stores.table_site import (
    as_of,
    aws,
    by_check,
    contents,
    differences,
    filled,
    plain_client,
    table_site,
    write_for_a_while,
)

HERE = Place("production", "eu-west-1")
OPTIONS: dict[str, Any] = {"every": "10m", "keep": 3}
KEPT_FOR_LONG: dict[str, Any] = {"every": "10m", "keep": 24}
LEFT_OUT = {"autoscaling", "billing", "ttl", "stream", "tags", "deletion_protection"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill") as site:
        yield site


def backups(site: WorldSite) -> list[str]:
    client = plain_client(site, site.primary())
    pages = client.get_paginator("list_backups").paginate(BackupType="ALL")
    return [backup["BackupName"] for page in pages for backup in page["BackupSummaries"]]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 10}, "every: expected a duration with its unit, such as 90s, 15m, 4h or 1d, found 10"),
        ({"every": "5s"}, "every: expected a duration from 1m to 35d, found 5s"),
        ({"keep": 0}, "keep: expected a whole number from 1 to 1000, found 0"),
        ({"each": "1h"}, "each: there is no such option; expected one of every, keep"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_the_first_backup_is_there_at_once(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, OPTIONS)
    assert by_check(protection.health(site, OPTIONS))["backup.age"].verdict == "pass"
    (point,) = protection.recovery_points(site, OPTIONS, None)
    assert point.as_of <= site.clock.now()


def test_the_schedule_goes_on_and_keeps_so_many(site: WorldSite) -> None:
    filled(site)
    client = plain_client(site, site.primary())
    client.create_backup(TableName=site.primary().name, BackupName="by-hand")
    protection.set_up(site, OPTIONS)
    site.clock.sleep(3 * 3600 + 300)
    made = backups(site)
    assert made[0] == "by-hand"
    assert len(made) == 1 + 3
    assert all(name.startswith("drills-test-1-") for name in made[1:])
    assert by_check(protection.health(site, OPTIONS))["backup.age"].verdict == "pass"


def test_the_newest_that_is_good_is_never_deleted(site: WorldSite) -> None:
    """With one to keep, the one before stays until the new one can be restored."""
    filled(site)
    options = {"every": "10m", "keep": 1}
    protection.set_up(site, options)
    for _ in range(60):
        site.clock.sleep(60)
        assert len(protection.recovery_points(site, options, None)) in (1, 2)
        assert len(backups(site)) <= 2


def test_with_the_workload_the_schedule_ends(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, OPTIONS)
    site.writing = False
    site.clock.sleep(3600)
    assert len(backups(site)) == 1
    finding = by_check(protection.health(site, OPTIONS))["backup.age"]
    assert finding.verdict == "fail"
    assert "the newest is 3,7" in finding.observed


def test_a_backup_that_fails_is_noted_and_the_schedule_goes_on(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, OPTIONS)
    with aws(site).faults(reject=1.0, operations=["CreateBackup"]):
        site.clock.sleep(1500)
    assert by_check(protection.health(site, OPTIONS))["backup.age"].verdict == "fail"
    site.clock.sleep(1200)
    assert by_check(protection.health(site, OPTIONS))["backup.age"].verdict == "pass"


def test_backups_that_are_pruned_before_anybody_misses_their_data(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, OPTIONS)
    finding = by_check(protection.health(site, {"every": "2m", "keep": 3}))["backup.reach"]
    assert finding.verdict == "fail"
    assert finding.observed == "3 of them, 2m apart: 4m at the least"
    assert by_check(protection.health(site, OPTIONS))["backup.reach"].verdict == "pass"


def test_the_newest_before_the_failure_comes_back(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, KEPT_FOR_LONG)
    settings = kind.settings(site, workload.at)
    write_for_a_while(workload, 100, 14.7)
    failed = site.clock.now()
    kind.damage(site, workload.at, "all")
    write_for_a_while(workload, 100, 14.7)
    points = protection.recovery_points(site, KEPT_FOR_LONG, failed)
    assert points
    assert all(point.as_of < failed for point in points)
    assert list(points) == sorted(points, key=lambda point: point.as_of, reverse=True)
    at = protection.restore(site, OPTIONS, points[0], HERE, site.name("restored"))
    assert contents(site, at) == as_of(workload, points[0].as_of)
    assert differences(kind.settings(site, at), settings) == LEFT_OUT
    kind.reconfigure(site, at, settings)
    assert kind.settings(site, at) == settings


@pytest.mark.parametrize("region", ["eu-west-1", "eu-north-1"])
def test_backups_outlive_their_table(site: WorldSite, region: str) -> None:
    workload = filled(site)
    protection.set_up(site, OPTIONS)
    write_for_a_while(workload, 60, 14.7)
    kind.destroy(site, workload.at)
    points = protection.recovery_points(site, OPTIONS, None)
    at = protection.restore(site, OPTIONS, points[0], Place("production", region), site.name("restored"))
    assert contents(site, at) == as_of(workload, points[0].as_of)


def test_one_that_is_still_being_made_is_no_point_yet(site: WorldSite) -> None:
    filled(site)
    before = len(backups(site))
    client = plain_client(site, site.primary())
    client.create_backup(TableName=site.primary().name, BackupName="drills-test-1-now")
    assert len(backups(site)) == before + 1
    assert protection.recovery_points(site, OPTIONS, None) == []


def test_another_account_cannot_restore(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, OPTIONS)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    with pytest.raises(PointUnreachable, match="own account only"):
        protection.restore(site, OPTIONS, point, Place("recovery", "eu-north-1"), site.name("restored"))


def test_destroy_deletes_its_own_backups_only(site: WorldSite) -> None:
    filled(site)
    client = plain_client(site, site.primary())
    client.create_backup(TableName=site.primary().name, BackupName="by-hand")
    client.create_backup(TableName=site.primary().name, BackupName="drills-test-10-other")
    protection.set_up(site, OPTIONS)
    site.clock.sleep(1210)
    protection.destroy(site, OPTIONS)
    assert sorted(backups(site)) == ["by-hand", "drills-test-10-other"]
