"""The workload: what becomes of each write goes into the ledger as far as a client can know it, and no further."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.clock import microseconds
from drills.drill_plan import SIMULATED_START
from drills.history import History
from drills.live_keys import LiveKeys
from drills.model import Observed, WorkloadMix
from drills.plugins import load_store_kind
from drills.simulator import SimulatedAWS
from drills.verify import Expectations, Reading, verify
from drills.workload import StoreWorkload, write_for
from drills.world_site import WorldSite
from tests.small_drill import ReachableProvider, estate


@contextmanager
def seeded(folder: Path, seed: int = 1, records: int = 10) -> Iterator[tuple[SimulatedAWS, StoreWorkload]]:
    """A provisioned and seeded store; its workload has not written yet."""
    provider = ReachableProvider()
    with History.create(folder) as history, provider.open(estate(), seed) as world:
        store = replace(estate().stores[0], workload=WorkloadMix(60, 3, 4, 1, 2))
        site = WorldSite(
            world,
            estate(),
            store,
            drill_id="test",
            prefix="drill-test",
            history=history,
            context={},
            capabilities=provider.capabilities,
        )
        kind = load_store_kind("dynamodb")
        workload = StoreWorkload(site, kind, kind.provision(site), seed, SIMULATED_START)
        workload.seed(records)
        assert provider.aws is not None
        yield provider.aws, workload


def inventory(workload: StoreWorkload) -> list[Observed]:
    return list(workload.kind.inventory(workload.site, workload.at))


def deviations(workload: StoreWorkload) -> list[Any]:
    """How the store differs from what the ledger allows now."""
    now = microseconds(workload.site.clock.now())
    found = verify(Expectations(workload.ledger), inventory(workload), Reading(0, now))
    return [one for one in found.deviations if one.record_class != "indeterminate"]


def test_the_ledger_says_what_is_there(tmp_path: Path) -> None:
    with seeded(tmp_path) as (_, workload):
        write_for([workload], 120, workload.site.clock)
        writes = list(workload.ledger)
        assert len(writes) == 10 + 120
        assert {write.kind for write in writes} == {"put", "delete", "erase"}
        assert all(write.acknowledged_us is not None and write.acknowledged_us >= write.sent_us for write in writes)
        assert deviations(workload) == []
        assert {one.key for one in inventory(workload)} == set(workload.live._at)


def test_what_a_kind_leaves_out_when_it_seeds_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = load_store_kind("dynamodb")
    whole = kind.seed
    monkeypatch.setattr(kind, "seed", lambda site, at, records: whole(site, at, islice(records, 7)), raising=False)
    with seeded(tmp_path) as (_, workload):
        assert len(workload.ledger) == len(workload.live) == 10
        assert [one.record_class for one in deviations(workload)] == ["lost"] * 3


def test_writes_arrive_within_their_time_and_the_same_for_a_seed(tmp_path: Path) -> None:
    told = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        (tmp_path / name).mkdir()
        with seeded(tmp_path / name, seed) as (_, workload):
            begun = workload.site.clock.now()
            write_for([workload], 60, workload.site.clock)
            assert workload.site.clock.now() == begun + timedelta(seconds=60)
            told.append([(write.key, write.kind, write.sent_us) for write in workload.ledger])
            sent = [write.sent_us for write in workload.ledger][10:]
            assert sent == sorted(sent)
            assert microseconds(begun) < sent[0] < sent[-1] < microseconds(workload.site.clock.now())
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_a_write_that_aws_refused_is_not_in_the_ledger(tmp_path: Path) -> None:
    with seeded(tmp_path) as (aws, workload):
        client = aws.session(workload.at.account, workload.at.region).client("dynamodb")
        client.update_table(TableName=workload.at.name, DeletionProtectionEnabled=False)
        client.delete_table(TableName=workload.at.name)
        write_for([workload], 10, workload.site.clock)
        assert len(list(workload.ledger)) == 10


@pytest.mark.parametrize("fault", ["lose_acknowledgement", "reject"])
def test_a_write_that_was_never_acknowledged_is_indeterminate(tmp_path: Path, fault: str) -> None:
    with seeded(tmp_path) as (aws, workload):
        rates: dict[str, Any] = {fault: 1.0, "operations": {"PutItem", "DeleteItem"}}
        with aws.faults(**rates):
            write_for([workload], 10, workload.site.clock)
        writes = list(workload.ledger)[10:]
        assert writes
        assert {write.acknowledged_us for write in writes} == {None}
        assert deviations(workload) == []


def test_a_throttled_write_may_have_arrived_with_an_earlier_try(tmp_path: Path) -> None:
    """The client's last answer is a clean refusal, but a try before it was carried out and its answer lost."""
    with seeded(tmp_path) as (aws, workload):
        tries: list[int] = []

        def then_throttled(request: Any, status: int) -> None:
            if request.operation in ("PutItem", "DeleteItem"):
                tries.append(status)

        aws.on_call(then_throttled)
        with aws.faults(throttle=0.6, lose_acknowledgement=0.6, operations={"PutItem", "DeleteItem"}):
            write_for([workload], 60, workload.site.clock)
        assert 400 in tries
        assert 500 in tries
        assert deviations(workload) == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 1000),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
)
def test_whatever_goes_wrong_the_ledger_allows_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, seed: int, throttle: float, reject: float, lose: float
) -> None:
    with seeded(tmp_path_factory.mktemp("drill"), seed) as (aws, workload):
        operations = {"PutItem", "DeleteItem"}
        with aws.faults(throttle=throttle, reject=reject, lose_acknowledgement=lose, operations=operations):
            write_for([workload], 40, workload.site.clock)
        assert deviations(workload) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
def test_live_keys_are_a_set_to_draw_from(steps: list[tuple[bool, int]]) -> None:
    keys, model = LiveKeys(), {}
    for add, number in steps:
        if add:
            keys.add(f"k{number}", number)
            model[f"k{number}"] = number
        elif f"k{number}" in model:
            keys.remove(f"k{number}")
            del model[f"k{number}"]
        assert len(keys) == len(model)
        assert set(keys._keys) == set(model)
        assert keys._number == model
