"""Drills that were gone on with: which events count, how far one had come, what an attempt tried again proves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drills.barriers import Barriers
from drills.clock import WallClock
from drills.evidence import PLAN, Evidence, EvidenceFile
from drills.going_on import seconds_run
from drills.guard_rules import Resource
from drills.history import Event, read_history
from drills.in_force import in_force
from drills.intentions import Header, Intentions, Made, read_intentions
from drills.judge import judge
from drills.keeping import Keeping
from drills.model import Attempt, Estate
from drills.prices import MONTH_SECONDS
from drills.standing import CLEANED_UP, Standing, standing_of
from drills.stopping import Stop, time_limit
from tests import small_drill
from tests.made_and_killed import DRILL, NAME
from tests.test_clean_up import ACCOUNTS, HEADER
from tests.told_drill import START, Told, final, sound_writes, told


def attempt_of(tmp_path: Path, **path: Any) -> Attempt:
    records = tuple(final(sound_writes()).items())
    (cell,) = judge(told(tmp_path / "drill", sound_writes(), Told("copy", **{"records": records, **path}))).cells
    return cell.attempts[0]


def by_check(attempt: Attempt) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in attempt.findings}


# --- Tried again ---------------------------------------------------------------------------------------------------


def test_what_an_interrupted_try_told_does_not_count(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, again=())
    assert attempt.verdict == "pass"
    assert "interrupted" not in by_check(attempt)
    (finding,) = [finding for finding in attempt.findings if finding.check == "resumed"]
    assert "what it had made was removed" in finding.observed
    assert attempt_of(tmp_path).findings == tuple(one for one in attempt.findings if one.check != "resumed")


@pytest.mark.parametrize(
    ("path", "check"),
    [
        ({"records": ()}, "records.complete"),
        ({"fails_in": "restore"}, "attempt"),
        ({"point": None}, "recovery_point"),
        ({"restore_seconds": 1e6}, "rto"),
    ],
)
def test_what_fails_fails_unless_it_may_be_by_the_interruption(
    path: dict[str, Any], check: str, tmp_path: Path
) -> None:
    again = attempt_of(tmp_path, again=(), **path)
    assert (again.verdict, by_check(again)[check]) == ("fail", "fail")
    half_way = attempt_of(tmp_path, again=("table people",), **path)
    assert (half_way.verdict, by_check(half_way)[check]) == ("unknown", "unknown")
    (finding,) = [finding for finding in half_way.findings if finding.check == "resumed"]
    assert "it had changed table people" in finding.observed


def test_what_was_wrong_before_the_failure_is_not_excused(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, again=("table people",), set_up_failed="RuntimeError: no")
    assert (attempt.verdict, by_check(attempt)["protection"]) == ("fail", "fail")


# --- What counts ---------------------------------------------------------------------------------------------------


def event(sequence: int, kind: str, **data: Any) -> Event:
    return Event(sequence, START + timedelta(seconds=sequence), kind, data)


def numbered(*kinds: str | tuple[str, dict[str, Any]], **shared: Any) -> list[Event]:
    listed = [(one, {}) if isinstance(one, str) else one for one in kinds]
    return [event(number, kind, **shared, **data) for number, (kind, data) in enumerate(listed, 1)]


def test_of_a_scenario_that_is_run_anew_only_what_follows_counts() -> None:
    events = numbered("scenario.started", "error", "scenario.restarted", "scenario.started", scenario="loss")
    others = [event(9, "error", scenario="erase"), event(10, "drill.ended")]
    assert in_force([*events, *others]) == [*events[2:], *others]


def test_of_an_attempt_that_is_tried_again_what_came_before_it_stays() -> None:
    shared: dict[str, Any] = {"scenario": "loss", "store": "people", "protection": "copy"}
    events = numbered(
        "health", "attempt.started", "point", "attempt.restarted", "attempt.started", "attempt.restarted", **shared
    )
    other = event(7, "attempt.started", scenario="loss", store="people", protection="other")
    kept = [one.sequence for one in in_force([*events, other])]
    assert kept == [1, 4, 6, 7]


KINDS = ("attempt.started", "attempt.restarted", "scenario.restarted", "scenario.started", "point", "health")


@given(st.lists(st.sampled_from(KINDS), max_size=12), st.integers(0, 12))
def test_what_does_not_count_never_counts_again(kinds: list[str], cut: int) -> None:
    events = numbered(*kinds, scenario="loss", store="people", protection="copy")
    counted = in_force(events)
    assert in_force(counted) == counted
    dropped_early = {one.sequence for one in events[:cut]} - {one.sequence for one in in_force(events[:cut])}
    assert not dropped_early & {one.sequence for one in counted}


# --- How far it had come -------------------------------------------------------------------------------------------


def one_store() -> Estate:
    estate = small_drill.estate()
    (store,) = estate.stores
    return replace(estate, stores=(replace(store, protections=store.protections[:1]),))


def course() -> list[tuple[str, dict[str, Any]]]:
    """All that a scenario tells, as far as its standing goes by it."""
    people = {"store": "people"}
    path = {**people, "protection": "dynamodb_pitr"}
    return [
        ("scenario.started", {}),
        ("store.provisioned", people),
        ("settings.expected", {**people, "settings": {"billing": "on demand"}}),
        ("failure.began", {}),
        ("decided", {}),
        ("ledger", people),
        ("attempt.started", path),
        ("phase", {**path, "phase": "find_point"}),
        ("check", {**path, "finding": {"check": "cut_over"}}),
        ("phase", {**path, "phase": "cut_over"}),
        ("cleanup", {"left": []}),
    ]


def standing(events: int, course: list[tuple[str, dict[str, Any]]]) -> Standing:
    return standing_of(numbered(*course[:events], scenario="loss"), "loss", one_store())


def test_how_far_it_had_come_at_every_event() -> None:
    how = [standing(events, course()).how for events in range(len(course()) + 1)]
    assert how == ["not_begun", *["anew"] * 5, *["go_on"] * 5, "finished"]
    tried = [standing(events, course()).interrupted is not None for events in range(6, 11)]
    assert tried == [False, True, True, True, False]
    left = [len(standing(events, course()).to_try(one_store())) for events in range(6, 11)]
    assert left == [1, 1, 1, 1, 0]


def test_a_setting_that_was_masked_cannot_be_put_back() -> None:
    masked = course()
    masked[2] = ("settings.expected", {"store": "people", "settings": {"note": "[redacted]"}})
    assert standing(8, masked).how == "anew"


def test_what_cannot_be_done_there_is_not_left_to_be_tried() -> None:
    (people,) = one_store().stores
    whole = small_drill.estate().stores[0]
    both = replace(one_store(), stores=(replace(people, protections=whole.protections[:2]),))
    told = numbered(*course()[:10], scenario="loss")
    lacks = event(11, "capability.missing", scenario="loss", store="people", protection=whole.protections[1].name)
    assert len(standing_of(told, "loss", both).to_try(both)) == 1
    assert standing_of([*told, lacks], "loss", both).to_try(both) == []


def test_a_store_that_cannot_be_there_holds_nothing_up() -> None:
    (people,) = one_store().stores
    two = replace(one_store(), stores=(people, replace(people, name="accounts")))
    missing = event(3, "capability.missing", scenario="loss", store="accounts", protection="dynamodb_pitr")
    found = standing_of([*numbered(*course()[:8], scenario="loss"), missing], "loss", two)
    assert found.how == "go_on"
    assert found.to_try(two) == [("people", "dynamodb_pitr")]


def test_what_was_cleaned_up_after_is_run_anew_unless_all_was_tried() -> None:
    def how(events: int) -> str:
        told = [*numbered(*course()[:events], scenario="loss"), event(events + 1, CLEANED_UP)]
        return standing_of(told, "loss", one_store()).how

    assert [how(events) for events in (0, 5, 8, 10, 11)] == ["not_begun", "anew", "anew", "go_on", "finished"]


def test_one_that_broke_is_not_tried_again() -> None:
    assert standing(9, [*course()[:8], ("error", {"error": "no"})]).how == "broken"


def test_evidence_of_which_nothing_tells_is_removed(tmp_path: Path) -> None:
    folder = told(tmp_path / "drill", sound_writes(), Told("copy", tuple(final(sound_writes()).items())))
    events = read_history(folder)
    judge(folder)
    files = {one.text("file") for one in events if one.kind in ("ledger", "inventory")}
    (folder / "evidence/account_loss/people/other.inventory.jsonl").write_bytes(b'{"key":"cut')
    Evidence(folder, EvidenceFile(PLAN, 1, "")).keep_only(files)
    found = {path.relative_to(folder).as_posix() for path in (folder / "evidence").rglob("*.jsonl")}
    assert found == files
    assert judge(folder).verdict == "pass"


# --- What the record tells -----------------------------------------------------------------------------------------


def test_the_record_tells_what_an_attempt_made_and_what_it_changed(tmp_path: Path) -> None:
    production = ACCOUNTS["production"]
    call = ("dynamodb", "CreateTable")

    def resource(name: str) -> Any:
        return ("table", production.id, production.region, name)

    with Intentions.begin(tmp_path, HEADER) as record:
        number = record.intend(call, {}, production.id, production.region, makes=[resource(NAME)], new=[])
        record.done(number, None)
    (before,) = read_intentions(tmp_path).first.values()
    moment = before + timedelta(microseconds=1)
    with Intentions.go_on(tmp_path)[0] as record:
        made = record.intend(call, {}, production.id, production.region, makes=[resource("restored")])
        record.done(made, None)
        record.intend(call, {}, production.id, production.region, makes=[resource("perhaps")])
        for name in (NAME, "restored"):
            change = ("dynamodb", "UpdateTable")
            record.intend(change, {}, production.id, production.region, changes=[resource(name)])
        # A hold on what it restores from is no change that would have to be put back.
        snapshot = ("DB snapshot", production.id, production.region, "copied")
        record.intend(("rds", "AddTagsToResource"), {}, production.id, production.region, changes=[Resource(*snapshot)])
    told = read_intentions(tmp_path)
    assert [there.name for there in told.made_since(moment).made] == ["restored"]
    assert [name for one in told.made_since(moment).uncertain for *_, name in one.makes] == ["perhaps"]
    assert [there.name for there in told.changed_since(moment)] == [NAME]
    assert told.calls["production", "dynamodb", "CreateTable"] == 3


def test_a_record_keeps_what_was_asked(tmp_path: Path) -> None:
    from drills.asked import Asked

    asked = Asked(("bulk_erase:all",), "/here/shop.yaml", (), "all", 7, 100, "/here", "0a-1b")
    with Intentions.begin(tmp_path, Header(DRILL, ACCOUNTS, "/here/sandbox.yaml", None, asked)):
        pass
    assert read_intentions(tmp_path).header.asked == asked


# --- What is in force again ----------------------------------------------------------------------------------------


def test_the_time_that_is_spent_counts_against_the_limit() -> None:
    assert time_limit(60, 59)() is None
    assert "the time limit of 60 s has passed" in str(time_limit(60, 60)())


def test_the_time_in_which_nobody_ran_it_is_not_spent() -> None:
    ran = [event(0, "drill.started"), event(10, "decided")]
    again = [event(5_000, "drill.resumed"), event(5_007, "phase"), event(9_000, "drill.resumed")]
    assert seconds_run([*ran, *again, event(9_001, "cleanup")]) == 10 + 7 + 1


def test_what_earlier_processes_called_and_made_is_paid_for(tmp_path: Path) -> None:
    production = ACCOUNTS["production"]
    key = Resource("key", production.id, production.region, "1")
    made = {key: Made(key, production.id, production.region, True, START)}
    with Intentions.begin(tmp_path, HEADER) as record:
        new, again = (Keeping(tmp_path, record, Stop(), WallClock(), so_far) for so_far in ({}, made))
        assert new.spent_usd(MONTH_SECONDS) == 0
        assert again.spent_usd(MONTH_SECONDS) >= 1
        again.calls["production", "dynamodb", "RestoreTableFromBackup"] += 1
        assert again.spent_usd(0) >= 0.15


def test_it_is_known_where_a_bucket_lies_that_was_made_before() -> None:
    barriers = Barriers()
    assert barriers._touched({"Bucket": "papers"}) == ([], [])
    barriers.lies("papers", "101010101010", "eu-west-1")
    assert barriers._touched({"CopySource": "papers/1"}) == (["eu-west-1"], ["101010101010"])
