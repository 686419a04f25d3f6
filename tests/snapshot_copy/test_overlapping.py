"""Snapshots of one database do not wait for each other: how old its copy becomes, by interval and pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.handlers.snapshot_copy import DB, VAULT_TAG, Snapshot, newest
from drills.handlers.snapshot_copy.deciding import next_to_copy, offered_too_long, taken_in_vain
from drills.simulator.rds.state import databases
from drills.snapshot_copy import SnapshotCopy
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, REGION, CopySite, copy_named, rowless_site

START = datetime(2026, 1, 5, tzinfo=UTC)
TAKEN, COPIED = timedelta(minutes=3), timedelta(minutes=5)
"""What AWS takes for a snapshot, and for a copy, beside what the size takes: the simulator's medians."""
GB_A_MINUTE = 3.6
EVERY_MINUTES = 5.0


def reckoned(site: CopySite, size_gb: float) -> None:
    """Let the database be so big in what AWS's durations are worked out from."""
    site.world.aws.reckon(f"arn:aws:rds:{REGION}:{PRODUCTION}:db:orders", size_gb=size_gb, items=0)


def worst_age(copy: SnapshotCopy, size_gb: float, hours: int) -> timedelta:
    """Of the vault's newest good copy, over so many hours from when the copy is in its stride."""
    with rowless_site(copy, "orders", scheduled=True) as site:
        reckoned(site, size_gb)
        site.world.pass_minutes(4 * 60)
        return max(_ages(site, hours))


def _ages(site: CopySite, hours: int) -> Iterator[timedelta]:
    for _ in range(round(hours * 60 / EVERY_MINUTES)):
        site.world.pass_minutes(EVERY_MINUTES)
        last = newest(site.snapshots("vault"))
        assert last is not None
        assert last.as_of is not None
        yield site.world.now - last.as_of


@pytest.mark.parametrize(
    ("interval", "size_gb", "region"),
    [
        ("45m", 100.0, REGION),
        ("15m", 30.0, OTHER),
        pytest.param("15m", 10.0, REGION, marks=pytest.mark.soak),
        pytest.param("15m", 100.0, REGION, marks=pytest.mark.soak),
        pytest.param("2h", 100.0, OTHER, marks=pytest.mark.soak),
    ],
)
def test_a_copy_is_as_old_as_its_pipeline_and_one_interval(interval: str, size_gb: float, region: str) -> None:
    """Where an interval is shorter than AWS takes for one copy, that takes its place: of one database RDS makes copies
    one after the other. A run comes every five minutes, and each of the pipeline's six steps may wait for one."""
    copy = copy_named("c", vault_region=region, interval=interval, every_minutes=5, vault_keep=20)
    loading = timedelta(minutes=size_gb / GB_A_MINUTE)
    one_copy = COPIED + loading
    pipeline = TAKEN + loading + 2 * one_copy
    cycle = max(timedelta(seconds=copy.options.interval_seconds), one_copy + timedelta(minutes=EVERY_MINUTES))
    assert worst_age(copy, size_gb, 4) <= pipeline + cycle + 6 * timedelta(minutes=EVERY_MINUTES)


def test_the_next_is_taken_while_the_last_is_still_on_its_way() -> None:
    with rowless_site(copy_named("c", interval="15m"), "orders") as site:
        reckoned(site, 100.0)
        site.rounds(3)
        site.world.pass_minutes(1)
        site.invoke("production")
        here = site.snapshots("production")
        assert len([one for one in here if one.copied_from is None]) >= 2
        assert any(one.is_under_way for one in here)
        assert site.snapshots("vault") == []


def test_of_what_waits_for_its_turn_only_the_newest_stays() -> None:
    """While all twenty places are taken by others, snapshots do not pile up, and the newest is copied first."""
    copy = copy_named("c", scope=["orders"], vault_region=OTHER, interval="15m", copies_at_once=1)
    with rowless_site(copy, "orders") as site:
        production = site.world.rds(PRODUCTION, OTHER)
        site.database("theirs")
        site.world.pass_minutes(30)
        site.world.rds().create_db_snapshot(DBInstanceIdentifier="theirs", DBSnapshotIdentifier="theirs")
        site.world.pass_minutes(10)
        production.copy_db_snapshot(
            SourceDBSnapshotIdentifier=f"arn:aws:rds:{REGION}:{PRODUCTION}:snapshot:theirs",
            TargetDBSnapshotIdentifier="theirs",
            SourceRegion=REGION,
            KmsKeyId="alias/aws/rds",
        )
        place = databases().of(PRODUCTION, OTHER).snapshots["theirs"]
        for _ in range(6):
            place.status = "creating"
            site.invoke("production")
            assert len(site.snapshots("production", REGION)) <= 2
            site.world.pass_minutes(15)
        place.status = "available"
        site.invoke("production")
        (waited,) = [one for one in site.snapshots("production", REGION) if one.is_good]
        (begun,) = site.snapshots("production")
        assert begun.copied_from == waited.arn
        assert (site.world.now - (waited.as_of or START)).total_seconds() <= 15 * 60


def test_the_last_places_of_the_quota_are_for_what_is_taken_already() -> None:
    """Nothing is taken that could not be copied, and that the quota is full is told."""
    with rowless_site(copy_named("c", manual_snapshots=10), "orders") as site:
        rds = site.world.rds()
        for number in range(9):
            rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=f"theirs-{number}")
            site.world.pass_minutes(10)
        told = site.invoke("production")
        assert site.snapshots("production") == []
        assert told["problems"] == [
            "no snapshot of DB instance orders is taken: there are 9 of at most 10 manual db snapshots in "
            f"{REGION}: delete some, or let AWS raise the quota and tell the copy"
        ]
        rds.delete_db_snapshot(DBSnapshotIdentifier="theirs-0")
        site.rounds(5)
        assert len([one for one in site.snapshots("vault") if one.is_good]) == 1


# --- What is decided -------------------------------------------------------------------------------------------------


def made(
    name: str, status: str, minutes: int, copied_from: str | None = None, tags: dict[str, str] | None = None
) -> Snapshot:
    as_of = START + timedelta(minutes=minutes)
    return Snapshot(DB, name, name, status, "manual", "db", "db-1", as_of, as_of, None, "", copied_from, tags or {})


STATUSES = st.sampled_from(["available", "creating", "copying", "failed"])
TAKEN_ONES = st.lists(st.tuples(STATUSES, st.integers(0, 9)), max_size=8)
SHARED_ONES = st.lists(st.tuples(STATUSES, st.integers(0, 9), st.integers(0, 7)), max_size=8)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(TAKEN_ONES, SHARED_ONES)
def test_what_was_taken_goes_only_when_it_is_not_needed(
    takes: list[tuple[str, int]], copies: list[tuple[str, int, int]]
) -> None:
    taken = [made(f"t{number}", status, minutes) for number, (status, minutes) in enumerate(takes)]
    shared = [
        made(f"s{number}", status, minutes, f"t{source}") for number, (status, minutes, source) in enumerate(copies)
    ]
    gone = taken_in_vain(taken, shared)
    good = newest([one for one in (*taken, *shared) if one not in gone])
    assert (good and good.as_of) == ((best := newest([*taken, *shared])) and best.as_of)
    being_copied = {one.copied_from for one in shared if one.is_under_way}
    assert all(one.is_good and one.arn not in being_copied for one in gone)
    waiting = [one for one in taken if one.is_good and one not in gone and one.arn not in being_copied]
    assert len(waiting) <= 1


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(TAKEN_ONES, SHARED_ONES)
def test_the_newest_is_copied_and_one_at_a_time(
    takes: list[tuple[str, int]], copies: list[tuple[str, int, int]]
) -> None:
    taken = [made(f"t{number}", status, minutes) for number, (status, minutes) in enumerate(takes)]
    shared = [
        made(f"s{number}", status, minutes, f"t{source}") for number, (status, minutes, source) in enumerate(copies)
    ]
    chosen = next_to_copy(taken, shared)
    if chosen is None:
        best, last = newest(taken), newest(shared)
        assert (
            best is None
            or any(one.is_under_way for one in shared)
            or (last is not None and last.age_key[0] >= best.age_key[0])
        )
    else:
        assert chosen == newest(taken)
        assert not any(one.is_under_way for one in shared)


def test_what_the_vault_copies_is_kept_but_not_without_end() -> None:
    """A copy that takes longer than production's own come and go would never come to its end."""
    copying = {VAULT_TAG: "copying"}
    offered = [made("old", "available", 0, tags=copying)] + [made(f"n{n}", "available", n) for n in range(1, 9)]
    assert [one.arn for one in offered_too_long(offered, 2, START)] == ["n6", "n5", "n4", "n3", "n2", "n1"]
    many = [made(f"c{n}", "available", n, tags=copying) for n in range(6)]
    assert [one.arn for one in offered_too_long(many, 2, START)] == ["c1", "c0"]
