"""Sabotage of settings: of the restored store, and of the store before it is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from drills.plugins import load_store_kind
from drills.simulator import SimulatedAWS
from drills.stores.dynamodb_tables import is_active
from tests.small_drill import TEXT, change_restored, drill, failed, forget_setting, production, table

PROVISIONED = TEXT.replace(
    "    stream: new_and_old_images",
    """    stream: new_and_old_images
    billing: {read_units: 20, write_units: 20, autoscaling: {min: 20, max: 200, target_percent: 70}}
    deletion_protection: true""",
).replace("by-email, partition: email}", "by-email, partition: email, projection: [balance]}")


def test_nothing_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting that a refilled table lacks is a finding of its own."""
    kind: Any = load_store_kind("dynamodb")
    monkeypatch.setattr(kind, "reconfigure", lambda *_: None, raising=False)
    report, _ = drill(tmp_path, "account_loss", text=PROVISIONED)
    assert {name for name in failed(report) if name.startswith("settings.")} == {
        "settings.autoscaling",
        "settings.billing",
        "settings.deletion_protection",
        "settings.point_in_time_recovery",
        "settings.stream",
        "settings.tags",
        "settings.ttl",
    }


@pytest.mark.parametrize("forgotten", ["autoscaling", "deletion_protection", "point_in_time_recovery", "stream"])
def test_one_setting_is_not_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    """What a point-in-time restore leaves out. One alone is enough to fail."""
    forget_setting(monkeypatch, forgotten)
    report, _ = drill(tmp_path, "bulk_erase", text=PROVISIONED, paths="preferred")
    assert report.verdict == "fail"
    assert {name for name in failed(report) if name.startswith("settings.")} == {f"settings.{forgotten}"}


def update(client: Any, name: str, **what: Any) -> None:
    client.update_table(TableName=name, **what)
    while not is_active(client, name):
        time.sleep(5)  # Simulated seconds, as everything within the simulated AWS.


def an_index_gone(client: Any, name: str) -> None:
    update(client, name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-email"}}])


def an_index_that_projects_less(client: Any, name: str) -> None:
    an_index_gone(client, name)
    create = {
        "IndexName": "by-email",
        "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    update(
        client,
        name,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("person_id", "email")],
        GlobalSecondaryIndexUpdates=[{"Create": create}],
    )


def a_stream_of_keys_alone(client: Any, name: str) -> None:
    update(client, name, StreamSpecification={"StreamEnabled": False})
    update(client, name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})


def provisioned(client: Any, name: str) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    updates = [{"Update": {"IndexName": "by-email", "ProvisionedThroughput": units}}]
    update(
        client,
        name,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=updates,
    )


def another_tag(client: Any, name: str) -> None:
    arn = client.describe_table(TableName=name)["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "nobody"}])


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (an_index_gone, {"settings.index.by-email", "query.index.by-email", "canary"}),
        (an_index_that_projects_less, {"settings.index.by-email", "query.index.by-email"}),
        (a_stream_of_keys_alone, {"settings.stream"}),
        (provisioned, {"settings.billing"}),
        (another_tag, {"settings.tags"}),
    ],
)
def test_a_restored_table_that_is_set_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, checks: set[str]
) -> None:
    change_restored(monkeypatch, change)
    report, _ = drill(tmp_path, "bulk_erase", paths="preferred")
    assert report.verdict == "fail"
    assert failed(report).keys() - {"skipped"} == checks


def test_somebody_changes_the_store_before_it_is_lost(tmp_path: Path) -> None:
    """It is put back as it was when it was protected; that it was changed since is told."""

    def change(aws: SimulatedAWS) -> None:
        client = production(aws, "dynamodb")
        name = table(client, "-people")
        another_tag(client, name)
        update(client, name, DeletionProtectionEnabled=True)

    report, _ = drill(tmp_path, "table_deletion", early=change, paths="preferred")
    assert report.verdict == "fail", failed(report)
    finding = failed(report)["unchanged"]
    assert "tags.team =" in finding.expected
    assert "nobody" in finding.observed
    assert "deletion_protection = false" in finding.expected
