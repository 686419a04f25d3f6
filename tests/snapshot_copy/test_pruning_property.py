"""Whatever happens, in whatever order: the newest good copy stays, and nothing of anybody else's is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from drills.handlers.snapshot_copy import DB, HELD_TAG, Snapshot, hold_key, hold_until, newest, snapshots_in, to_prune
from drills.simulator.rds.state import databases
from drills.snapshot_copy import Side
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, RECOVERY, REGION, VAULT, copy_named, rowless_site
from tests.snapshot_copy.crashing import counted_calls

START = datetime(2026, 1, 5, tzinfo=UTC)
SIDES: list[Side] = ["production", "vault"]


NOW = START + timedelta(hours=60)
HOLDS = st.dictionaries(
    st.sampled_from([HELD_TAG, f"{HELD_TAG}:333:eu:one", f"{HELD_TAG}:333:eu:two", "drills:held", "team"]),
    st.integers(-5, 5).map(lambda hours: hold_until(NOW + timedelta(hours=hours)))
    | st.sampled_from(["", "soon", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z"]),
    max_size=3,
)


def made(number: int, status: str, hours: int | None, tags: Mapping[str, str]) -> Snapshot:
    as_of = START + timedelta(hours=hours) if hours is not None else None
    kind, arn = "manual", f"arn:{number}"
    return Snapshot(DB, f"s{number}", arn, status, kind, "db", "db-1", as_of, as_of, None, "", None, tags)


def has_ended(value: str) -> bool:
    """Written otherwise than what is tested: only what ``hold_until`` writes can have ended."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) is not None and value <= hold_until(NOW)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["available", "creating", "failed", "copying"]), st.none() | st.integers(0, 50), HOLDS
        ),
        max_size=12,
    ),
    st.integers(0, 5),
)
def test_what_newer_good_ones_make_needless_is_pruned_unless_it_is_held(
    found: list[tuple[str, int | None, dict[str, str]]], keep: int
) -> None:
    snapshots = [made(number, *one) for number, one in enumerate(found)]
    good = sorted((one for one in snapshots if one.is_good), key=lambda one: one.age_key, reverse=True)
    surplus = good[max(1, keep) :]
    held = [
        one
        for one in good
        if any(key.startswith("drills:held-until") and not has_ended(value) for key, value in one.tags.items())
    ]
    assert to_prune(snapshots, keep, NOW) == [one for one in surplus if one not in held]
    assert newest(snapshots) not in to_prune(snapshots, keep, NOW)


class CopyMachine(RuleBasedStateMachine):
    """A copy of two databases, and what may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        copy = copy_named("c", vault_region=OTHER, interval="15m", production_keep=1, vault_keep=2)
        self.site = self.stack.enter_context(rowless_site(copy, "one", "two"))
        self.calls = self.stack.enter_context(counted_calls())
        self.failing = 0
        databases().failing_copies.append(self._fails)
        self.foreign: set[str] = set()
        self.newest: dict[tuple[str, str], Any] = {}
        self.held: dict[str, datetime] = {}

    def _fails(self, _: object) -> bool:
        self.failing -= 1
        return self.failing >= 0

    def teardown(self) -> None:
        try:
            self.come_to_rest()
        finally:
            self.stack.close()

    def come_to_rest(self) -> None:
        """Left alone for a while, both databases have a fresh copy, and production holds no more than it is to."""
        self.failing, self.calls.die_at = 0, None
        self.site.rounds(9)
        now = self.site.world.now
        for name in ("one", "two"):
            ages = [
                (now - one.age_key[0]).total_seconds()
                for one in self.site.snapshots("vault")
                if one.is_good and one.source == name
            ]
            # A third may have become good after the last run.
            held = len([arn for arn, until in self.held.items() if until > now and f"c-{name}-" in arn])
            assert 2 <= len(ages) <= 3 + held
            assert min(ages) < 5_400
        assert all(one.status != "failed" for side in SIDES for one in self.site.snapshots(side))
        # Of each the one that is being copied, or was until just now, and the next.
        taken = [one.source for one in self.site.snapshots("production", REGION)]
        assert all(taken.count(name) <= 2 for name in taken)

    @initialize(rounds=st.integers(0, 3))
    def begin(self, rounds: int) -> None:
        self.site.rounds(rounds)

    @rule(side=st.sampled_from(SIDES), minutes=st.sampled_from([0, 3, 8]))
    def runs(self, side: Side, minutes: int) -> None:
        self.site.invoke(side)
        self.site.world.pass_minutes(minutes)

    @rule(side=st.sampled_from(SIDES), call=st.integers(1, 12), after=st.booleans())
    def dies(self, side: Side, call: int, after: bool) -> None:
        self.calls.count, self.calls.die_at, self.calls.after = 0, call, after
        self.site.invoked(side)
        self.calls.die_at = None

    @rule(side=st.sampled_from(SIDES), share=st.sampled_from([0.2, 0.7]), lost=st.booleans())
    def stutters(self, side: Side, share: float, lost: bool) -> None:
        throttle, lost_share = (0.0, share) if lost else (share, 0.0)
        with self.site.world.aws.faults(throttle=throttle, lose_acknowledgement=lost_share, services=["rds", "sts"]):
            self.site.invoked(side)

    @rule()
    def next_copy_fails(self) -> None:
        self.failing = 1

    @rule(minutes=st.sampled_from([20, 90, 3 * 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.site.world.pass_minutes(minutes)

    @rule(name=st.sampled_from(["one", "two"]))
    def somebody_takes_a_snapshot(self, name: str) -> None:
        rds = self.site.world.rds()
        if rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"] == "available":
            identifier = f"c-by-hand-{len(self.foreign)}"
            rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=identifier)
            self.foreign.add(identifier)

    @rule()
    def somebody_deletes_what_is_shared(self) -> None:
        for one in self.site.snapshots("production")[-1:]:
            if one.status == "available":
                self.site.world.rds(PRODUCTION, OTHER).delete_db_snapshot(DBSnapshotIdentifier=one.identifier)

    @rule(which=st.integers(0, 9), hours=st.sampled_from([1, 5, 100]))
    def somebody_restores(self, which: int, hours: int) -> None:
        """From any good copy, newest or about to be pruned, which is held for so long."""
        good = [one for one in self.site.snapshots("vault") if one.is_good]
        if good:
            one, until = good[which % len(good)], self.site.world.now + timedelta(hours=hours)
            tag = {"Key": hold_key(f"{RECOVERY}:{OTHER}:restored-{which}"), "Value": hold_until(until)}
            self.site.world.rds(VAULT, OTHER).add_tags_to_resource(ResourceName=one.arn, Tags=[tag])
            values = [
                value for key, value in {**one.tags, tag["Key"]: tag["Value"]}.items() if key.startswith(HELD_TAG)
            ]
            self.held[one.arn] = datetime.fromisoformat(max(values))

    @invariant()
    def what_is_restored_from_stays(self) -> None:
        there = {one.arn for one in self.site.snapshots("vault") if one.is_good}
        now = self.site.world.now
        assert {arn for arn, until in self.held.items() if until > now} <= there
        self.held = {arn: until for arn, until in self.held.items() if until > now}

    @invariant()
    def the_newest_good_copy_stays(self) -> None:
        now: dict[tuple[str, str], Any] = {}
        for one in snapshots_in(self.site.clients("vault", "rds", OTHER), "manual"):
            if one.is_good:
                key = (one.source, one.resource_id)
                now[key] = max(now.get(key, START), one.as_of)
        for key, as_of in self.newest.items():
            assert key in now
            assert now[key] >= as_of
        self.newest = now

    @invariant()
    def nothing_of_anybody_elses_is_touched(self) -> None:
        there = snapshots_in(self.site.clients("production", "rds", REGION), "manual")
        assert self.foreign <= {one.identifier for one in there}
        attributes = self.site.world.rds().describe_db_snapshot_attributes
        for identifier in sorted(self.foreign)[:1]:
            told = attributes(DBSnapshotIdentifier=identifier)["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
            assert VAULT not in told[0]["AttributeValues"]


@pytest.mark.parametrize("examples", [3, pytest.param(25, marks=pytest.mark.soak)])
def test_whatever_happens_the_newest_good_copy_stays(examples: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        CopyMachine,
        settings=settings(max_examples=examples, stateful_step_count=15, deadline=None, suppress_health_check=checks),
    )
