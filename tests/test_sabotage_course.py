"""Sabotage of a drill's course: a failure that hits nothing, an application that cannot write, what is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drills.incident import EngineIncident
from drills.plugins import load_store_kind
from drills.providers.simulated import SimulatedWorld
from drills.simulator import SimulatedAWS
from tests.small_drill import TEXT, drill, failed, production

COPY_ALONE = TEXT.replace("[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_stream_copy]")


@pytest.mark.parametrize(
    ("scenario", "deed"),
    [
        ("bulk_erase", "damage"),
        ("table_deletion", "delete_modules"),
        ("region_outage", "region_outage"),
        ("account_loss", "account_loss"),
    ],
)
def test_a_failure_that_hits_nothing_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str, deed: str
) -> None:
    monkeypatch.setattr(EngineIncident, deed, lambda *_: None)
    report, _ = drill(tmp_path, scenario, text=COPY_ALONE)
    assert report.verdict == "unknown"
    assert "nothing was lost" in failed(report)["failure"].observed


@pytest.mark.parametrize(("fault", "word"), [("throttle", "rejected"), ("reject", "without an answer")])
def test_an_application_that_cannot_write_proves_nothing(tmp_path: Path, fault: str, word: str) -> None:
    ends: list[Callable[[], None]] = []

    def begin(aws: SimulatedAWS) -> None:
        faults = aws.faults(**{fault: 1.0}, operations={"PutItem", "DeleteItem"})  # type: ignore[arg-type]
        ends.append(faults.end)

    report, _ = drill(tmp_path, "account_loss", early=begin, at_failure=lambda _: ends[0](), text=COPY_ALONE)
    assert report.verdict != "pass"
    finding = failed(report)["workload"]
    assert finding.verdict == "unknown"
    assert word in finding.observed


def test_a_restored_store_that_was_asked_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = load_store_kind("dynamodb")
    monkeypatch.setattr(kind, "probe", lambda *_: [], raising=False)
    report, _ = drill(tmp_path, "account_loss", text=COPY_ALONE)
    assert report.verdict == "unknown"
    assert failed(report).keys() == {"probe"}


def test_a_canary_that_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that is acknowledged and was never carried out, as far as the application can see."""
    make: Any = SimulatedWorld.client

    def client(world: SimulatedWorld, service: str, role: Any, region: str) -> Any:
        made = make(world, service, role, region)
        if service == "dynamodb" and role == "recovery":

            def carried_out(model: Any, params: dict[str, Any], **_: Any) -> Any:
                answer = type("Answer", (), {"status_code": 200})()
                return answer, {"ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 0}}

            made.meta.events.register("before-call.dynamodb.DeleteItem", carried_out, unique_id="dropped")
        return made

    monkeypatch.setattr(SimulatedWorld, "client", client)
    report, _ = drill(tmp_path, "account_loss", text=COPY_ALONE)
    assert report.verdict == "fail"
    assert "still there" in failed(report)["canary"].observed


def test_an_application_that_is_pointed_back_at_the_old_table(tmp_path: Path) -> None:
    """Somebody's automation writes the parameter again while the application takes the new place up."""

    def point_back(aws: SimulatedAWS) -> None:
        def heard(request: Any, status: int) -> None:
            if request.operation == "PutParameter":
                aws.clock.call_later(30, lambda: rewrite(aws))

        aws.on_call(heard)

    def rewrite(aws: SimulatedAWS) -> None:
        ssm = production(aws, "ssm")
        name = ssm.describe_parameters()["Parameters"][0]["Name"]
        value = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        old = {**value, "name": value["name"].partition("-from-")[0]}
        if value != old:
            ssm.put_parameter(Name=name, Value=json.dumps(old), Overwrite=True)

    text = COPY_ALONE.replace("  decide: 10m", "  decide: 10m\n  cut_over: 2m")
    report, _ = drill(tmp_path, "bulk_erase", early=point_back, text=text)
    assert report.verdict == "fail"
    finding = failed(report)["cut_over"]
    assert "-from-" in finding.expected
    assert "-from-" not in finding.observed


def test_what_clean_up_leaves_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = "table drill-1-people-copy in account 202020202020: it is protected from deletion"
    monkeypatch.setattr(SimulatedWorld, "close", lambda _: (left,))
    report, _ = drill(tmp_path, "account_loss", text=COPY_ALONE)
    assert report.verdict == "fail"
    assert failed(report)["clean_up"].observed == left
