"""Point-in-time recovery as a recovery path: what it holds, until when, from where, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from drills.errors import PointUnreachable
from drills.model import Place
from drills.protections.dynamodb_pitr import protection
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
    seen_tags,
    table_site,
    write_for_a_while,
)

HERE = Place("production", "eu-west-1")
LEFT_OUT = {"autoscaling", "billing", "ttl", "stream", "tags", "point_in_time_recovery", "deletion_protection"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill") as site:
        yield site


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"period_days": 36}, "period_days: expected a whole number from 1 to 35, found 36"),
        ({"period_days": 0}, "period_days: expected a whole number from 1 to 35, found 0"),
        ({"period_days": "7"}, "period_days: expected a whole number from 1 to 35, found '7'"),
        ({"period_days": True}, "period_days: expected a whole number from 1 to 35, found True"),
        ({"days": 7}, "days: there is no such option; expected one of period_days"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value) == said


def test_right_options_pass() -> None:
    protection.check({})
    protection.check({"period_days": 7})


def test_it_is_switched_on_with_its_period(site: WorldSite) -> None:
    at = filled(site).at
    assert by_check(protection.health(site, {}))["pitr.enabled"].verdict == "fail"
    protection.set_up(site, {"period_days": 7})
    protection.set_up(site, {"period_days": 7})
    described = plain_client(site, at).describe_continuous_backups(TableName=at.name)["ContinuousBackupsDescription"]
    assert described["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 7
    assert by_check(protection.health(site, {"period_days": 7}))["pitr.enabled"].verdict == "pass"
    assert by_check(protection.health(site, {}))["pitr.enabled"].observed == "on, 7 days"
    assert by_check(protection.health(site, {}))["pitr.enabled"].verdict == "fail"
    protection.destroy(site, {})
    assert by_check(protection.health(site, {}))["pitr.enabled"].observed == "off"


@pytest.mark.parametrize("region", ["eu-west-1", "eu-north-1"])
def test_the_last_second_before_the_failure_comes_back(site: WorldSite, region: str) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    settings = kind.settings(site, workload.at)
    write_for_a_while(workload)
    failed = site.clock.now()
    site.failure_began(failed)
    kind.damage(site, workload.at, "all")
    write_for_a_while(workload, 10)
    (point,) = protection.recovery_points(site, {}, failed)
    assert timedelta(0) < failed - point.as_of <= timedelta(seconds=1)
    # The window's end is five minutes behind: it was waited for, and no longer than that.
    assert timedelta(minutes=5) <= site.clock.now() - point.as_of < timedelta(minutes=6)
    at = protection.restore(site, {}, point, Place("production", region), site.name("restored"))
    assert (at.region, at.account, at.name) == (region, site.account_id("production"), "drill-test-people-restored")
    assert contents(site, at) == as_of(workload, point.as_of)
    assert len(contents(site, at)) > 20
    assert differences(kind.settings(site, at), settings) == LEFT_OUT
    assert dict(seen_tags(site, at)) == dict(site.tags)
    kind.reconfigure(site, at, settings)
    assert kind.settings(site, at) == settings


def test_without_a_failure_the_newest_state_comes_back(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    write_for_a_while(workload)
    site.clock.sleep(600)
    (point,) = protection.recovery_points(site, {}, None)
    at = protection.restore(site, {}, point, HERE, site.name("restored"))
    assert contents(site, at) == as_of(workload, point.as_of) == contents(site, workload.at)


def test_before_the_window_there_is_no_point(site: WorldSite) -> None:
    filled(site)
    before = site.clock.now()
    site.clock.sleep(60)
    protection.set_up(site, {})
    with pytest.raises(PointUnreachable, match=r"the recovery window begins at .* is needed"):
        protection.recovery_points(site, {}, before)


def test_off_and_on_again_the_history_is_gone(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, {})
    site.clock.sleep(3600)
    before = site.clock.now()
    protection.destroy(site, {})
    protection.set_up(site, {})
    with pytest.raises(PointUnreachable, match="too late"):
        protection.recovery_points(site, {}, before)


def test_switched_off_there_is_no_point(site: WorldSite) -> None:
    filled(site)
    with pytest.raises(PointUnreachable, match="is off"):
        protection.recovery_points(site, {}, None)


def test_with_the_table_its_history_goes(site: WorldSite) -> None:
    workload = filled(site)
    protection.set_up(site, {})
    kind.destroy(site, workload.at)
    with pytest.raises(PointUnreachable, match="is gone, and its recovery window with it"):
        protection.recovery_points(site, {}, None)


def test_in_an_outage_or_a_closed_account_nothing_can_be_asked(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, {})
    with aws(site).region_down("eu-west-1"), pytest.raises(EndpointConnectionError):
        protection.recovery_points(site, {}, None)
    aws(site).close_account(site.account_id("production"))
    with pytest.raises(ClientError):
        protection.recovery_points(site, {}, None)


def test_another_account_cannot_restore(site: WorldSite) -> None:
    filled(site)
    protection.set_up(site, {})
    (point,) = protection.recovery_points(site, {}, None)
    with pytest.raises(PointUnreachable, match="own account only"):
        protection.restore(site, {}, point, Place("recovery", "eu-north-1"), site.name("restored"))
