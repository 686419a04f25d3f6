"""Sabotage of protections: each is told before it is needed, by a finding that names what is wrong."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from drills.plugins import load_protection
from drills.simulator import SimulatedAWS
from drills.stream_copy.vault_side import remembered_source
from tests.small_drill import PRODUCTION, TEXT, attempt, cell, drill, failed, production, table, vault

COPY = "dynamodb_stream_copy"
Sabotage = Callable[[SimulatedAWS], None]


def feed(aws: SimulatedAWS) -> tuple[Any, str]:
    client = production(aws, "lambda")
    (mapping,) = client.list_event_source_mappings()["EventSourceMappings"]
    return client, mapping["UUID"]


def function(aws: SimulatedAWS) -> tuple[Any, dict[str, Any]]:
    client = production(aws, "lambda")
    (found,) = client.list_functions()["Functions"]
    return client, found


# --- The copy ------------------------------------------------------------------------------------------------------


def copy_recovery_off(aws: SimulatedAWS) -> None:
    recovery(vault(aws, "dynamodb"), "-copy", PointInTimeRecoveryEnabled=False)


def copy_recovery_shortened(aws: SimulatedAWS) -> None:
    recovery(vault(aws, "dynamodb"), "-copy", PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=1)


def copy_recovery_off_and_on(aws: SimulatedAWS) -> None:
    copy_recovery_off(aws)
    aws.clock.sleep(60)
    recovery(vault(aws, "dynamodb"), "-copy", PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=35)


def recovery(client: Any, ending: str, **specification: Any) -> None:
    client.update_continuous_backups(TableName=table(client, ending), PointInTimeRecoverySpecification=specification)


def deletion_protection_off(aws: SimulatedAWS) -> None:
    client = vault(aws, "dynamodb")
    client.update_table(TableName=table(client, "-copy"), DeletionProtectionEnabled=False)


def alarm_deleted(aws: SimulatedAWS) -> None:
    client = production(aws, "cloudwatch")
    client.delete_alarms(AlarmNames=[client.describe_alarms()["MetricAlarms"][0]["AlarmName"]])


def alarms_silenced(aws: SimulatedAWS) -> None:
    client = production(aws, "cloudwatch")
    client.disable_alarm_actions(AlarmNames=[alarm["AlarmName"] for alarm in client.describe_alarms()["MetricAlarms"]])


def heartbeat_stopped(aws: SimulatedAWS) -> None:
    client = production(aws, "events")
    client.disable_rule(Name=client.list_rules()["Rules"][0]["Name"])


def queue_deleted(aws: SimulatedAWS) -> None:
    client = production(aws, "sqs")
    for url in client.list_queues()["QueueUrls"]:
        client.delete_queue(QueueUrl=url)


def bucket_opened(aws: SimulatedAWS) -> None:
    client = vault(aws, "s3")
    client.delete_public_access_block(Bucket=client.list_buckets()["Buckets"][0]["Name"])


def writer_may_more(aws: SimulatedAWS) -> None:
    iam = vault(aws, "iam")
    (role,) = (one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].endswith("-writer"))
    allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    iam.put_role_policy(
        RoleName=role, PolicyName="more", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allow})
    )


def productions_key_opens_the_vault(aws: SimulatedAWS) -> None:
    """An administrator's role of the vault that production's own administrators may use."""
    iam = vault(aws, "iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:root"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="break-glass",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    policy = iam.create_policy(
        PolicyName="administrator",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": "*"}]}
        ),
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="break-glass", PolicyArn=policy)


def deletes_filtered_out(aws: SimulatedAWS) -> None:
    client, uuid = feed(aws)
    client.update_event_source_mapping(
        UUID=uuid, FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT", "MODIFY"]})}]}
    )


def environment_points_elsewhere(aws: SimulatedAWS) -> None:
    """Another table of the vault, which the role may write as well: every invocation succeeds."""
    dynamodb, iam = vault(aws, "dynamodb"), vault(aws, "iam")
    name = table(dynamodb, "-copy")
    dynamodb.create_table(
        TableName="elsewhere",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "person_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "person_id", "AttributeType": "S"}],
    )
    aws.clock.sleep(60)
    (role,) = (one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].endswith("-writer"))
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document.replace(f'/{name}"', '/elsewhere"'))
    client, found = function(aws)
    variables = {**found["Environment"]["Variables"], "DRILLS_COPY_TABLE": "elsewhere"}
    client.update_function_configuration(FunctionName=found["FunctionName"], Environment={"Variables": variables})


def code_that_copies_nothing(aws: SimulatedAWS) -> None:
    client, found = function(aws)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("stream_copy.py", "def handler(event, context):\n    return {'batchItemFailures': []}\n")
    client.update_function_code(FunctionName=found["FunctionName"], ZipFile=packed.getvalue())


def a_record_set_aside(aws: SimulatedAWS) -> None:
    client = vault(aws, "s3")
    bucket = client.list_buckets()["Buckets"][0]["Name"]
    client.put_object(Bucket=bucket, Key="set-aside/people/label/1.json", Body=b"{}")


QUIET: tuple[tuple[Sabotage, str, str], ...] = (
    (deletion_protection_off, "protected", "not protected from deletion"),
    (copy_recovery_shortened, "protected", "1 days, not 35"),
    (alarms_silenced, "drift", "ActionsEnabled"),
    (alarm_deleted, "drift", "is gone"),
    (heartbeat_stopped, "drift", "DISABLED"),
    (queue_deleted, "drift", "-given-up for what is given up is gone"),
    (bucket_opened, "drift", "public"),
    (writer_may_more, "drift", "more policies: more"),
    (writer_may_more, "isolated", "-writer trusts production and may dynamodb:DeleteTable"),
    (productions_key_opens_the_vault, "isolated", "break-glass trusts production and may dynamodb:DeleteTable"),
    (deletes_filtered_out, "drift", "leaves records out by 1 filters"),
    (a_record_set_aside, "set_aside", "1 records"),
)
"""What lets the copy go on for now: all of it in one drill. Each with the check that must tell, and what it says."""


def test_what_is_wrong_about_the_copy_is_told_before_it_is_needed(tmp_path: Path) -> None:
    def all_of_it(aws: SimulatedAWS) -> None:
        for sabotage in dict.fromkeys(one for one, _, _ in QUIET):
            sabotage(aws)

    report, _ = drill(tmp_path, "table_deletion", early=all_of_it, text=COPY_ALONE)
    told = failed(report)
    for _, check, named in QUIET:
        assert named in told[f"stream_copy.{check}"].observed


@pytest.mark.parametrize(
    ("sabotage", "check", "named"),
    [
        (copy_recovery_off, "protected", "no point-in-time recovery"),
        (copy_recovery_off_and_on, "protected", "was off: it begins at"),
        (environment_points_elsewhere, "drift", "DRILLS_COPY_TABLE is elsewhere"),
        (code_that_copies_nothing, "drift", "code is not what this version deploys"),
        (writer_may_more, "drift", "more policies: more"),
        (a_record_set_aside, "set_aside", "1 records"),
    ],
)
def test_each_of_it_fails_the_drill(tmp_path: Path, sabotage: Sabotage, check: str, named: str) -> None:
    report, _ = drill(tmp_path, "table_deletion", early=sabotage, text=COPY_ALONE)
    assert report.verdict == "fail"
    assert named in failed(report)[f"stream_copy.{check}"].observed


COPY_ALONE = TEXT.replace("[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_stream_copy]")


@pytest.mark.parametrize("sabotage", [deletes_filtered_out, environment_points_elsewhere])
def test_what_the_copy_leaves_out_is_told_by_the_records_too(tmp_path: Path, sabotage: Sabotage) -> None:
    report, _ = drill(tmp_path, "account_loss", early=sabotage, text=COPY_ALONE)
    assert {"records.complete", "records.resurrected", "records.erased"} & failed(report).keys()


def test_a_vault_in_the_region_that_is_lost_is_no_way_back(tmp_path: Path) -> None:
    text = COPY_ALONE.replace("eu-central-1", "eu-west-1")
    report, _ = drill(tmp_path, "region_outage", text=text)
    assert report.verdict == "fail"
    assert "recovery_point" in failed(report)


# --- Protections of the account's own ------------------------------------------------------------------------------


def test_a_recovery_window_that_was_reset(tmp_path: Path) -> None:
    def reset(aws: SimulatedAWS) -> None:
        client = production(aws, "dynamodb")
        recovery(client, "-people", PointInTimeRecoveryEnabled=False)
        aws.clock.sleep(60)
        recovery(client, "-people", PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=35)

    report, _ = drill(tmp_path, "bulk_erase", early=reset)
    assert report.verdict == "fail"
    assert "pitr.window" in failed(report)


def test_a_recovery_period_that_was_shortened(tmp_path: Path) -> None:
    def shorten(aws: SimulatedAWS) -> None:
        recovery(production(aws, "dynamodb"), "-people", PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=1)

    report, _ = drill(tmp_path, "bulk_erase", at_failure=None, early=shorten)
    assert {"pitr.enabled", "unchanged"} <= failed(report).keys()


BACKUPS = TEXT.replace("dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy", "dynamodb_backup: {every: 10m}")


def test_a_backup_schedule_that_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drills.world_site.WorldSite.every", lambda *_: None)
    report, _ = drill(tmp_path, "table_deletion", text=BACKUPS)
    assert {"backup.age", "rpo"} <= failed(report).keys()


def test_the_newest_backups_deleted(tmp_path: Path) -> None:
    def delete(aws: SimulatedAWS) -> None:
        client = production(aws, "dynamodb")
        recent = aws.clock.now() - timedelta(minutes=59)
        for backup in client.list_backups(TimeRangeLowerBound=recent)["BackupSummaries"]:
            if backup["BackupStatus"] == "AVAILABLE":
                client.delete_backup(BackupArn=backup["BackupArn"])

    text = BACKUPS.replace("every: 10m", "every: 30m")
    report, _ = drill(tmp_path, "table_deletion", text=text, at_failure=delete)
    assert report.verdict == "fail"
    assert "rpo" in failed(report)


GLOBAL = TEXT.replace("dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy", "dynamodb_global_table")


def replica(aws: SimulatedAWS) -> tuple[Any, str]:
    client = aws.session(PRODUCTION, "eu-north-1").client("dynamodb")
    return client, table(client, "-people")


def test_a_replica_that_was_removed(tmp_path: Path) -> None:
    def remove(aws: SimulatedAWS) -> None:
        client = production(aws, "dynamodb")
        client.update_table(
            TableName=table(client, "-people"), ReplicaUpdates=[{"Delete": {"RegionName": "eu-north-1"}}]
        )

    report, _ = drill(tmp_path, "region_outage", text=GLOBAL, early=remove)
    assert {"global_table.replica", "recovery_point"} <= failed(report).keys()


def test_a_replica_that_could_not_carry_the_load(tmp_path: Path) -> None:
    """Its own capacity does not scale, and it lost an index: both would have to be mended first."""

    def weaken(aws: SimulatedAWS) -> None:
        client, name = replica(aws)
        scaling = aws.session(PRODUCTION, "eu-north-1").client("application-autoscaling")
        for target in scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]:
            scaling.deregister_scalable_target(
                ServiceNamespace="dynamodb",
                ResourceId=target["ResourceId"],
                ScalableDimension=target["ScalableDimension"],
            )
        client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-email"}}])

    scaled = "billing: {read_units: 20, write_units: 20, autoscaling: {min: 20, max: 200, target_percent: 70}}"
    text = GLOBAL.replace("    stream: new", f"    {scaled}\n    stream: new")
    report, _ = drill(tmp_path, "region_outage", text=text, early=weaken)
    told = failed(report)
    assert "autoscaling" in told["global_table.settings"].expected
    assert "index.by-email" in f"{told['unchanged'].expected}{told['global_table.settings'].expected}"


def test_a_record_missing_from_the_replica(tmp_path: Path) -> None:
    def lose(aws: SimulatedAWS) -> None:
        """Replication is undone at the other side only: the deletion itself is lost with the region."""
        client, name = replica(aws)
        for item in client.scan(TableName=name)["Items"][:5]:
            client.delete_item(TableName=name, Key={"person_id": item["person_id"]})

    report, _ = drill(tmp_path, "region_outage", text=GLOBAL, at_failure=lose)
    assert "records.complete" in failed(report)


# --- Protections that lie ------------------------------------------------------------------------------------------


def test_a_recovery_point_that_claims_to_be_newer_than_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protection: Any = load_protection("dynamodb_backup")
    points = protection.recovery_points

    def lying(site: Any, options: Any, before: Any) -> Any:
        return [replace(point, as_of=site.failed_at()) for point in points(site, options, before)][-1:]

    monkeypatch.setattr(protection, "recovery_points", lying, raising=False)
    report, _ = drill(tmp_path, "table_deletion", text=BACKUPS)
    assert {"records.complete", "rpo"} <= failed(report).keys()


def test_a_restore_that_returns_before_the_table_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drills.protections.dynamodb_restoring.wait_active", lambda *_, **__: None)
    report, _ = drill(tmp_path, "table_deletion")
    broken = {one.check: one for one in attempt(report, "dynamodb_system_backup").findings}["attempt"]
    assert broken.verdict == "fail"
    assert cell(report).verdict == "fail"


def test_a_recovery_that_needs_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asking(copy: Any, clients: Any) -> dict[str, Any]:
        with suppress(BotoCoreError, ClientError):
            clients("production", "dynamodb").describe_table(TableName=copy.source_table)
        return remembered_source(copy, clients)

    monkeypatch.setattr("drills.protections.dynamodb_stream_copy.remembered_source", asking)
    for scenario in ("account_loss", "region_outage"):
        report, _ = drill(tmp_path / scenario, scenario)
        assert "dynamodb DescribeTable in restore" in failed(report)["independence"].observed


def test_what_the_copy_says_of_itself_cannot_be_read(tmp_path: Path) -> None:
    """A check that cannot be made is unknown, and unknown is never pass."""

    def forbid(aws: SimulatedAWS) -> None:
        client = vault(aws, "dynamodb")
        name = table(client, "-copy-markers")
        client.update_table(TableName=name, DeletionProtectionEnabled=False)
        aws.clock.sleep(60)
        client.delete_table(TableName=name)

    report, _ = drill(tmp_path, "account_loss", early=forbid, text=COPY_ALONE)
    assert report.verdict in ("fail", "unknown")
    assert failed(report)["health"].verdict == "unknown"
