"""What a drill is reckoned to cost."""

from __future__ import annotations

from collections import Counter

import pytest

from drills.deeds import Done
from drills.guard_rules import Resource
from drills.model import AccountRole
from drills.prices import ELSEWHERE, cost, database_month_usd, instance_hour_usd, month_usd

HOUR = 3_600.0


def database(name: str) -> Resource:
    return Resource("database resource", "101010101010", "eu-west-1", name)


@pytest.mark.parametrize(
    ("instance_class", "aurora", "usd"),
    [
        ("db.t4g.micro", False, 0.016),
        ("db.t4g.medium", False, 0.065),
        ("db.t4g.medium", True, 0.073),
        ("db.r6g.large", False, 0.225),
        ("db.r6g.large", True, 0.260),
        ("db.r6g.4xlarge", True, 2.080),
    ],
)
def test_an_instance_costs_what_aws_publishes(instance_class: str, aurora: bool, usd: float) -> None:
    assert instance_hour_usd(instance_class, aurora=aurora) == pytest.approx(usd, abs=0.001)


def test_an_instance_of_an_unknown_family_or_size_is_taken_for_a_dear_one() -> None:
    assert instance_hour_usd("db.x99.large", aurora=False) > instance_hour_usd("db.r7g.large", aurora=True)
    assert instance_hour_usd("db.r6g.metal", aurora=False) > instance_hour_usd("db.r6g.16xlarge", aurora=False)


def test_a_databases_hours_storage_and_snapshots_are_in_the_cost() -> None:
    an_hour = cost({}, [Done("make", "production", database("db:orders"))], HOUR)
    assert 0.073 * ELSEWHERE < an_hour.usd < 0.08 * ELSEWHERE
    for name in ("db:orders", "cluster:orders", "snapshot:orders", "cluster-snapshot:orders", "auto-backup:ab-1"):
        assert month_usd(database(name)) > 0
    assert month_usd(database("pg:orders")) == 0
    copied: Counter[tuple[AccountRole, str, str]] = Counter({("vault", "rds", "CopyDBSnapshot"): 1})
    assert cost(copied, [], HOUR, more_records=9).usd == pytest.approx(20 * 0.02 * ELSEWHERE)


def test_an_instance_of_a_minute_costs_ten() -> None:
    done = [Done("restore", "recovery", database("db:orders"))]
    assert cost({}, done, 60.0).usd == cost({}, done, 600.0).usd < cost({}, done, 601.0).usd


def test_whoever_knows_the_databases_class_and_size_says_so() -> None:
    done = [Done("make", "production", database("db:orders"))]
    large = cost({}, done, HOUR, month_of=lambda one: database_month_usd(one.name, "db.r6g.4xlarge", 500))
    assert large.usd > 25 * cost({}, done, HOUR).usd


def test_what_was_destroyed_and_made_costs_once() -> None:
    done = [Done(what, "production", database("db:orders")) for what in ("make", "destroy")]
    assert cost({}, done, HOUR) == cost({}, done[:1], HOUR)
