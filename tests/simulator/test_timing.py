"""How long things take: medians, spreads, what rests on an assumption."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator import SimulatedAWS
from drills.simulator.timing import ROWS, Z95, Size, TimingModel

DETAILS = {"gsis": 1.0, "skew": 1.0, "warm": 0.0}


@pytest.mark.parametrize(("gigabytes", "minutes"), [(10, 37), (1_000, 47), (10_000, 52)])
def test_a_restore_takes_what_the_model_says(gigabytes: float, minutes: float) -> None:
    found = TimingModel().duration("dynamodb.restore", Size(gigabytes, 1))
    assert found.seconds == found.p50_seconds == pytest.approx(minutes * 60)
    assert found.p95_seconds == pytest.approx(minutes * 60 * math.exp(Z95 * 0.5))
    assert found.assumed


@pytest.mark.parametrize(("gigabytes", "hours"), [(10, 0.6), (1_000, 8.7), (10_000, 76)])
def test_a_refill_is_bound_by_write_units(gigabytes: float, hours: float) -> None:
    found = TimingModel().duration("dynamodb.refill", Size(gigabytes, 1))
    assert found.seconds == pytest.approx(hours * 3600, rel=0.15)
    warm = TimingModel().duration("dynamodb.refill", Size(gigabytes, 1), warm=1.0)
    assert warm.seconds == pytest.approx(gigabytes * 1e6 / 40_000)
    # Many small items cost a unit each.
    assert TimingModel().duration("dynamodb.refill", Size(0.001, 1_000_000)).seconds == pytest.approx(250)


@settings(max_examples=30, deadline=None)
@given(operation=st.sampled_from(sorted(ROWS)), size_gb=st.floats(0, 1e5), items=st.integers(0, 10**10))
def test_durations_are_sane_and_grow_with_size(operation: str, size_gb: float, items: int) -> None:
    model = TimingModel()
    found = model.duration(operation, Size(size_gb, items))
    assert 0 <= found.seconds < math.inf
    assert found.p95_seconds >= found.p50_seconds
    assert model.duration(operation, Size(size_gb * 2, items * 2)).seconds >= found.seconds


def test_drawn_durations_spread_about_the_median() -> None:
    model = TimingModel(draw=random.Random(1))
    drawn = [model.duration("dynamodb.restore", Size(10, 1)) for _ in range(2000)]
    assert statistics.median(one.seconds for one in drawn) == pytest.approx(drawn[0].p50_seconds, rel=0.1)
    beyond = sum(one.seconds > one.p95_seconds for one in drawn) / len(drawn)
    assert 0.03 < beyond < 0.07


def test_every_operation_says_what_it_rests_on() -> None:
    for row in ROWS.values():
        assert row.basis
        assert row.assumed is ("(A)" in row.basis) or not row.assumed, row.basis


def test_an_operation_without_a_row_is_named() -> None:
    with pytest.raises(KeyError, match=r"dynamodb\.no_such_thing"):
        TimingModel().duration("dynamodb.no_such_thing", Size(1, 1))


def test_work_from_outside_takes_simulated_time(simulated_aws: SimulatedAWS) -> None:
    began = simulated_aws.clock.now()
    simulated_aws.elapse("dynamodb.refill", resource="orders", size_gb=10, items=1)
    (one,) = simulated_aws.durations
    assert (simulated_aws.clock.now() - began).total_seconds() == pytest.approx(one.seconds)
    assert (one.operation, one.resource, one.at) == ("dynamodb.refill", "orders", began)


def test_the_seed_decides_what_is_drawn() -> None:
    def drawn(seed: int) -> list[float]:
        with SimulatedAWS(seed=seed, durations="drawn") as aws:
            for _ in range(3):
                aws.elapse("dynamodb.backup", resource="orders", size_gb=1, items=1)
            return [one.seconds for one in aws.durations]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 3
