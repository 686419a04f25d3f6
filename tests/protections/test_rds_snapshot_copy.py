"""The vault's copies of snapshots as a way back, with real rows: of instances and clusters, in all accounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from drills.protections.rds_snapshot_copy import protection
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from tests.protections.snapshot_copies import AWAY, HOME, OPTIONS, left_over
from tests.stores.database_site import (
    AURORA,
    DATABASE,
    RECOVERY,
    VAULT,
    aws,
    database_site,
    filled,
    inventory,
)
from tests.stores.table_site import as_of, write_for_a_while

OUR_OWN = "    customer_key: true\n"


@pytest.fixture(scope="module", params=["instance", "cluster with a key of its own"])
def protected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    """A database with its copies in the vault, which was written to for some hours."""
    text = DATABASE if request.param == "instance" else AURORA + OUR_OWN
    with database_site(tmp_path_factory.mktemp("drill") / "drill", text) as site:
        workload = filled(site)
        protection.set_up(site, OPTIONS)
        write_for_a_while(workload, 30, 301)
        yield workload


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interval": "1m"}, "interval: expected a duration from 15m to 35d, found 1m"),
        ({"each": "1h"}, "each: there is no such option"),
    ],
)
def test_wrong_options_are_named(options: Any, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert str(caught.value).startswith(said)


def test_a_sound_copy_is_healthy(protected: StoreWorkload) -> None:
    findings = protection.health(protected.site, OPTIONS)
    assert [one for one in findings if one.verdict != "pass"] == []


def test_the_state_of_the_copy_comes_back_in_the_recovery_account_and_at_home(protected: StoreWorkload) -> None:
    site: Any = protected.site
    points = protection.recovery_points(site, OPTIONS, None)
    assert list(points) == sorted(points, key=lambda one: one.as_of, reverse=True)
    assert all(point.account == VAULT for point in points)
    settings = kind.settings(site, protected.at)
    for to, point in ((AWAY, points[1]), (HOME, points[0])):
        name = kind.physical_name(site.name(f"from-{to.role}"), site.account_id(to.role), to.region)
        at = protection.restore(site, OPTIONS, point, to, name)
        assert (at.role, at.region, at.name) == (to.role, to.region, name)
        assert inventory(protected, at) == as_of(protected, point.as_of)
        assert kind.settings(site, at)["encryption"] == settings["encryption"]
        assert kind.settings(site, at)["parameters"] == settings["parameters"]
        assert left_over(site) == []


def test_only_what_is_from_before_the_damage_is_offered(protected: StoreWorkload) -> None:
    points = protection.recovery_points(protected.site, OPTIONS, None)
    before = points[0].as_of
    assert [one.as_of for one in protection.recovery_points(protected.site, OPTIONS, before)] == [
        one.as_of for one in points[1:]
    ]


def test_the_vault_alone_brings_it_back_when_production_is_lost(protected: StoreWorkload) -> None:
    """Last of the tests of this database: its account is closed."""
    site: Any = protected.site
    simulated = aws(site)
    simulated.close_account(site.account_id("production"))
    point = protection.recovery_points(site, OPTIONS, None)[0]
    name = kind.physical_name(site.name("away"), RECOVERY, AWAY.region)
    at = protection.restore(site, OPTIONS, point, AWAY, name)
    assert inventory(protected, at) == as_of(protected, point.as_of)
    simulated.reopen_account(site.account_id("production"))
