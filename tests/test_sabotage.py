"""Sabotage: break one thing of a sound estate, and the drill must fail and name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from drills.model import JSON, Location
from drills.plugins import load_store_kind
from drills.simulator import SimulatedAWS
from drills.site import Site
from tests.small_drill import attempt, cell, drill, failed, production, table, vault

COPY = "dynamodb_stream_copy"


def copied_item(aws: SimulatedAWS) -> tuple[Any, str, dict[str, Any]]:
    """The vault's client, the copy's table and an item in it that will not expire soon."""
    client = vault(aws, "dynamodb")
    name = table(client, "-copy")
    item = next(one for one in client.scan(TableName=name)["Items"] if "expires_at" not in one)
    return client, name, item


def test_a_sound_estate_passes_everywhere(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, ["bulk_erase", "table_deletion", "region_outage", "account_loss"])
    assert {one.scenario: one.verdict for one in report.cells} == {
        "bulk_erase": "pass",
        "table_deletion": "pass",
        "region_outage": "pass",
        "account_loss": "pass",
    }
    assert report.verdict == "pass"


def test_recovery_switched_off(tmp_path: Path) -> None:
    def switch_off(aws: SimulatedAWS) -> None:
        client = production(aws, "dynamodb")
        client.update_continuous_backups(
            TableName=table(client, "-people"),
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
        )

    report, _ = drill(tmp_path, "bulk_erase", early=switch_off)
    assert report.verdict == "fail"
    assert "pitr.enabled" in failed(report)
    assert attempt(report, "dynamodb_pitr").recovery_point is None


def test_the_stream_stopped_an_hour_before(tmp_path: Path) -> None:
    def stop(aws: SimulatedAWS) -> None:
        client = production(aws, "lambda")
        (mapping,) = client.list_event_source_mappings()["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

    report, _ = drill(tmp_path, "account_loss", early=stop)
    assert report.verdict == "fail"
    assert {"rpo", "stream_copy.lag"} <= failed(report).keys()
    lost = cell(report).rpo_seconds
    assert lost is not None
    assert lost > 3600


def test_a_role_without_permission(tmp_path: Path) -> None:
    def take_away(aws: SimulatedAWS) -> None:
        iam = vault(aws, "iam")
        for role in iam.list_roles()["Roles"]:
            for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                iam.delete_role_policy(RoleName=role["RoleName"], PolicyName=policy)

    report, _ = drill(tmp_path, "account_loss", early=take_away)
    assert report.verdict == "fail"
    assert {"rpo", "stream_copy.lag"} <= failed(report).keys()


def test_an_item_dropped_from_the_copy(tmp_path: Path) -> None:
    dropped: list[str] = []

    def drop(aws: SimulatedAWS) -> None:
        client, name, item = copied_item(aws)
        client.delete_item(TableName=name, Key={"person_id": item["person_id"]})
        dropped.append(item["person_id"]["S"])

    report, _ = drill(tmp_path, "account_loss", at_failure=drop)
    assert report.verdict == "fail"
    assert "records.complete" in failed(report)
    (mismatch,) = [one for one in attempt(report, COPY).mismatches if one.record_class == "lost"]
    assert dropped[0] in mismatch.key


def test_a_number_rounded_in_the_copy(tmp_path: Path) -> None:
    def round_it(aws: SimulatedAWS) -> None:
        client, name, item = copied_item(aws)
        exact = Decimal(item["balance"]["N"])
        client.put_item(TableName=name, Item={**item, "balance": {"N": f"{float(exact):.6f}"}})

    report, _ = drill(tmp_path, "account_loss", at_failure=round_it)
    assert report.verdict == "fail"
    assert "records.corrupt" in failed(report)


def test_a_set_member_lost_from_the_copy(tmp_path: Path) -> None:
    def lose(aws: SimulatedAWS) -> None:
        client, name, item = copied_item(aws)
        client.put_item(TableName=name, Item={**item, "consents": {"SS": item["consents"]["SS"][1:]}})

    report, _ = drill(tmp_path, "account_loss", at_failure=lose)
    assert report.verdict == "fail"
    assert "records.corrupt" in failed(report)


@pytest.mark.parametrize(("forgotten", "word"), [("tags", "team"), ("ttl", "expires_at")])
def test_a_setting_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str, word: str) -> None:
    kind: Any = load_store_kind("dynamodb")
    reconfigure = kind.reconfigure

    def forgetful(site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
        reconfigure(site, at, {name: value for name, value in settings.items() if name != forgotten})

    monkeypatch.setattr(kind, "reconfigure", forgetful, raising=False)
    report, _ = drill(tmp_path, "account_loss")
    assert report.verdict == "fail"
    finding = failed(report)[f"settings.{forgotten}"]
    assert word in finding.expected
    assert word not in finding.observed


def test_an_erased_person_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = load_store_kind("dynamodb")

    def forgetful(site: Site, at: Location, keys: Sequence[str]) -> None:
        assert keys

    monkeypatch.setattr(kind, "erase", forgetful, raising=False)
    report, _ = drill(tmp_path, "bulk_erase")
    assert report.verdict == "fail"
    assert "records.erased" in failed(report)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_no_false_alarm(tmp_path: Path, seed: int) -> None:
    report, folder = drill(
        tmp_path, ["bulk_erase", "table_deletion", "region_outage", "account_loss"], seed=seed, records=100
    )
    assert report.verdict == "pass", (folder, failed(report))


DATA_PLANE = {"PutItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "UpdateItem", "GetItem", "Query", "Scan"}


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6))
def test_no_false_alarm_on_a_bad_day(tmp_path: Path, seed: int) -> None:
    """Throttled, refused and unacknowledged calls of the data plane now and then: what clients are made to bear."""

    def trouble(aws: SimulatedAWS) -> None:
        aws.faults(throttle=0.02, reject=0.01, lose_acknowledgement=0.02, operations=DATA_PLANE)

    report, folder = drill(
        tmp_path,
        ["bulk_erase", "table_deletion", "region_outage", "account_loss"],
        seed=seed,
        records=100,
        before=trouble,
    )
    assert report.verdict == "pass", (folder, failed(report))
