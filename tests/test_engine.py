"""One drill as data: what is planned, what is left behind, and that the same seed gives the same bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills import engine
from drills.drill_plan import Plan, ScenarioUse
from drills.errors import UsageError
from drills.judge import broke, judge
from drills.model import Grade, Location
from drills.plugins import load_estate, load_protection, load_scenario, load_store_kind
from drills.providers.simulated import SimulatedProvider
from drills.report import write_all
from drills.site import Site
from tests.small_drill import TEXT, cell, drill, estate, failed


def planned(seed: int = 1, **options: object) -> Plan:
    use = ScenarioUse("account_loss", "", load_scenario("account_loss"))
    return engine.plan(estate(), [use], SimulatedProvider(), seed, **options)  # type: ignore[arg-type]


def test_a_plan_touches_nothing_and_has_the_id_of_what_it_is() -> None:
    assert planned(1).drill.id == planned(1).drill.id
    assert len({planned(1).drill.id, planned(2).drill.id, planned(1, records=9).drill.id}) == 3
    text = "\n".join(planned().describe())
    assert "make people (dynamodb) with 2,000 records, reckoned as 20 GB" in text
    assert "destroy, by account_loss" in text
    assert "RTO within 28,800 s, RPO within 300 s" in text


def test_a_store_that_the_estate_does_not_have() -> None:
    with pytest.raises(UsageError, match="--store peple: the estate small has no such store; it has people"):
        planned(stores=["peple"])


def test_a_kind_that_cannot_be_cleaned_up_is_not_drilled_in_sandbox_accounts() -> None:
    class Sandbox(SimulatedProvider):
        grade: Grade = "sandbox"

    use = ScenarioUse("bulk_erase", "all", load_scenario("bulk_erase"))
    payments = load_estate("payments")
    own = replace(payments, stores=tuple(replace(store, kind="ledgers") for store in payments.stores))
    with pytest.raises(UsageError, match=r"'payments' .* is of kind ledgers.*dynamodb, rds, s3.*cannot be cleaned up"):
        engine.plan(own, [use], Sandbox(), 1)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [drill(tmp_path / name, ["bulk_erase", "account_loss"])[1] for name in ("one", "two")]
    listings = [sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()) for folder in folders]
    assert listings[0] == listings[1]
    for file in listings[0]:
        one, two = (folder / file for folder in folders)
        assert one.read_bytes() == two.read_bytes(), file


def test_another_seed_gives_another_drill(tmp_path: Path) -> None:
    one, two = (drill(tmp_path, "account_loss", seed=seed)[1] for seed in (1, 2))
    assert one != two
    assert (one / "history.jsonl").read_bytes() != (two / "history.jsonl").read_bytes()


def test_judging_again_from_the_evidence_alone_gives_the_same_report(tmp_path: Path) -> None:
    report, folder = drill(tmp_path, "account_loss")
    before = {name: (folder / name).read_bytes() for name in ("report.json", "report.html", "junit.xml")}
    for name in before:
        (folder / name).unlink()
    again = judge(folder)
    write_all(again, folder)
    assert again == report
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_what_each_failure_leaves_to_restore_from(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, ["bulk_erase", "table_deletion", "region_outage", "account_loss"])
    survivors = {
        one.scenario: [a.protection for a in one.attempts if a.recovery_point is not None] for one in report.cells
    }
    assert survivors == {
        "bulk_erase": ["dynamodb_pitr", "dynamodb_stream_copy"],
        "table_deletion": ["dynamodb_system_backup", "dynamodb_stream_copy"],
        "region_outage": ["dynamodb_stream_copy"],
        "account_loss": ["dynamodb_stream_copy"],
    }


def test_rto_is_the_sum_of_its_phases(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, "bulk_erase")
    for one in cell(report).attempts:
        if one.rto_seconds is not None:
            phases = [seconds for _, seconds in one.phases.items()]
            assert sum(seconds for seconds in phases if seconds is not None) == pytest.approx(one.rto_seconds)
            assert one.phases.detect == 45 * 60
            assert one.phases.decide == 10 * 60
            assert one.rto_p95_seconds is not None
            assert one.rto_p95_seconds > one.rto_seconds


def test_only_the_preferred_path(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, "bulk_erase", paths="preferred")
    assert report.verdict == "pass"
    assert [one.protection for one in cell(report).attempts if one.recovery_point] == ["dynamodb_pitr"]


def test_a_protection_that_cannot_be_set_up_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no such quota")

    monkeypatch.setattr(load_protection("dynamodb_pitr"), "set_up", refuse, raising=False)
    report, folder = drill(tmp_path, "account_loss")
    assert report.verdict == "fail"
    assert "no such quota" in failed(report)["protection"].observed
    assert not broke(folder)


def test_a_drill_that_breaks_says_so_and_still_reports_every_scenario(tmp_path: Path) -> None:
    def explode(_: object) -> None:
        raise RuntimeError("the saboteur was here")

    report, folder = drill(tmp_path, ["account_loss", "bulk_erase"], at_failure=explode)
    assert broke(folder)
    assert [one.scenario for one in report.cells] == ["account_loss", "bulk_erase"]
    assert {one.verdict for one in report.cells} == {"unknown"}
    assert "the saboteur was here" in (folder / "report.html").read_text()
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [event["left"] for event in history if event["kind"] == "cleanup"] == [[], []]


def test_a_check_that_crashes_is_unknown_and_never_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("a bug in the check")

    monkeypatch.setattr(load_protection("dynamodb_pitr"), "health", crash, raising=False)
    monkeypatch.setattr(load_store_kind("dynamodb"), "probe", crash, raising=False)
    report, folder = drill(tmp_path, "account_loss")
    assert not broke(folder)
    assert report.verdict == "unknown"
    assert {"health", "probe"} <= failed(report).keys()
    assert "a bug in the check" in failed(report)["probe"].observed


def test_what_a_recovery_still_needs_of_a_lost_production_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protection: Any = load_protection("dynamodb_stream_copy")
    restore = protection.restore

    def leaning(site: Site, *rest: Any) -> Location:
        with suppress(ClientError):
            site.client("dynamodb", "production").list_tables()
        return restore(site, *rest)  # type: ignore[no-any-return]

    monkeypatch.setattr(protection, "restore", leaning, raising=False)
    report, _ = drill(tmp_path, "account_loss")
    assert report.verdict == "fail"
    assert failed(report)["independence"].observed == "1 kinds of call: dynamodb ListTables in restore"


NOTHING = TEXT.replace("[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_pitr]")


def test_no_way_back_is_a_finding_and_not_a_crash(tmp_path: Path) -> None:
    report, folder = drill(tmp_path, "account_loss", text=NOTHING)
    assert not broke(folder)
    assert report.verdict == "fail"
    assert cell(report).path is None
    assert "recovery_point" in failed(report)
