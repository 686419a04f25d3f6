"""Drills that are killed and gone on with: the same verdicts, each step proved, nothing left, nobody else touched."""

from __future__ import annotations

import pytest

from tests.made_and_killed import NAME
from tests.providers.resumable import planned
from tests.providers.test_cut_short import seen, settle
from tests.sandbox_ground import Ground

PEOPLE, PAPERS = "bulk_erase people dynamodb_backup", "bulk_erase papers s3_versioning"


def test_killed_before_the_failure_and_again_within_an_attempt(
    direct: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    bystanders = settle(direct, ["production"], [f"{NAME}-orders"])
    before = seen(bystanders)
    drill = planned(direct, capsys, "bulk_erase")
    drill.killed_when_run("health")
    with (drill.folder / "history.jsonl").open("ab") as history:
        history.write(b'{"at":"2026-')
    drill.killed_when_resumed("RestoreTableFromBackup/done")
    half_made = [name for name in drill.left() if "from-dynamodb-backup" in name]
    assert len(half_made) == 1
    assert drill.resumed() == 0
    assert drill.verdicts() == {PEOPLE: "pass", PAPERS: "pass"}
    restarted = [event for event in drill.events() if event["kind"].endswith(".restarted")]
    assert [event["kind"] for event in restarted] == ["scenario.restarted", "attempt.restarted"]
    assert restarted[1]["changed"] == []
    assert half_made[0] in restarted[1]["removed"][0]
    made = [event["location"]["name"] for event in drill.events() if event["kind"] == "store.provisioned"]
    assert len(set(made)) == 4
    (again,) = drill.findings("resumed", "people")
    assert "tried again from its beginning" in again["observed"]
    resumptions = [finding["observed"] for finding in drill.findings("resumed")]
    assert len(resumptions) == 3
    assert "run anew under new names" in resumptions[1]
    assert drill.left() == []
    assert seen(bystanders) == before


def test_killed_within_a_roll_back_in_place(direct: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    drill = planned(direct, capsys, "bulk_erase")
    drill.killed_when_run("bucket_rollback.done")
    begun = [event["at"] for event in drill.events() if event["kind"] == "attempt.started"]
    stood = [event for event in drill.events() if event.get("protection") == "dynamodb_backup"]
    assert drill.resumed() == 0
    assert drill.verdicts() == {PEOPLE: "pass", PAPERS: "pass"}
    assert [event for event in drill.events() if event.get("protection") == "dynamodb_backup"] == stood
    (mark,) = [event for event in drill.events() if event["kind"] == "attempt.restarted"]
    assert mark["began"] == begun[1]
    assert any("papers" in name for name in mark["changed"])
    (finding,) = drill.findings("resumed", "papers")
    assert "its time counts from" in finding["observed"]
    # All the time since it was tried first is in its figure, the time in which nobody tried it included.
    cut_over = [event for event in drill.events() if event.get("phase") == "cut_over" and event["kind"] == "phase"][-1]
    assert cut_over["ended"] > mark["at"]
    drill.stands()


def test_what_was_lost_is_lost_again_and_what_had_not_begun_is_run(
    direct: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = planned(direct, capsys, "account_loss", "bulk_erase", more=("--store", "people"))
    drill.killed_when_run("attempt.started")
    assert drill.resumed() == 1
    assert drill.verdicts() == {PEOPLE: "pass", PEOPLE.replace("bulk_erase", "account_loss"): "fail"}
    assert "is lost in this drill: the call was not sent" in drill.findings("recovery_point", "people")[0]["observed"]
    assert [one["verdict"] for one in drill.findings("enforcement")] == ["pass"]
    assert [one["verdict"] for one in drill.findings("clean_up")] == ["pass", "pass"]
    assert drill.left() == []
