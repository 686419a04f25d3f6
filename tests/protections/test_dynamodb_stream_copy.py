"""The stream copy end to end, in the simulated AWS: real stream, real feed, real roles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.model import Finding, Place
from drills.protections.dynamodb_stream_copy import _Clients, copy_of, protection
from drills.stores.dynamodb_bulk import batches
from drills.stores.dynamodb_recovery import last_second_before
from drills.stream_copy import Backfill, StreamCopy, backfill, deploy, redrive, refill, repair
from drills.stream_copy.images import size_bytes
from drills.stream_copy.policies import function_policy, vault_policy, vault_trust
from drills.stream_copy.production_side import HEARTBEAT
from drills.stream_copy.vault_side import remembered_source, without_indexes
from tests.handlers.copy_site import ACCOUNTS, LocalSite, local_site

OPTIONS: Mapping[str, Any] = {}
RECOVERY = Place("recovery", "us-west-2")


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with local_site() as site:
        yield site


def found(site: LocalSite) -> dict[str, Finding]:
    return {finding.check.removeprefix("stream_copy."): finding for finding in protection.health(site, OPTIONS)}


def failing(site: LocalSite) -> set[str]:
    return {check for check, finding in found(site).items() if finding.verdict != "pass"}


def value(text: str) -> dict[str, str]:
    return {"S": text}


# --- Options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batchsize": 5}, "batchsize: there is no such option"),
        ({"batch_size": 0}, "batch_size: expected a whole number from 1 to 10000, found 0"),
        ({"batch_size": True}, "found True"),
        ({"parallelization_factor": 11}, "from 1 to 10, found 11"),
        ({"maximum_record_age_seconds": 86_400}, "from 60 to 86340"),
        ({"alarm_topic": 5}, "alarm_topic: expected the ARN"),
    ],
)
def test_wrong_options_are_named(options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        protection.check(options)
    assert said in str(caught.value)


def test_right_options_pass() -> None:
    protection.check({"batch_size": 1000, "parallelization_factor": 10, "alarm_topic": "arn:aws:sns:…"})


# --- Copying -------------------------------------------------------------------------------------------------------


def test_what_was_there_before_and_what_comes_after_are_copied(site: LocalSite) -> None:
    for n in range(30):
        site.put(f"k{n}", value=value("before"))
    protection.set_up(site, OPTIONS)
    site.put("k1", value=value("after"))
    site.delete("k2")
    site.put("new", value=value("after"))
    site.clock.sleep(5)
    assert site.copied() == site.items()
    assert "k2" not in site.copied()
    assert failing(site) == set()


def test_every_type_survives_backfill_stream_and_restore(site: LocalSite) -> None:
    values: dict[str, Any] = {
        "n": {"N": "12345678901234567890123456789012345678"},
        "ns": {"NS": ["1", "-99999999999999999999999999999999999999"]},
        "b": {"B": bytes(range(256))},
        "bs": {"BS": [b"\x00", b"\xff"]},
        "m": {"M": {"l": {"L": [{"B": b"\x00"}, {"NULL": True}, {"BOOL": False}, {"S": ""}, {"M": {}}, {"L": []}]}}},
        "s": {"S": ""},
        "u": {"S": "Zoë 🦊"},
    }
    large = {"large": {"S": "x" * 409_000}}
    site.put("before", **values)
    site.put("large before", **large)
    protection.set_up(site, OPTIONS)
    site.put("after", **values)
    site.put("large after", **large)
    site.clock.sleep(5)
    assert site.copied() == site.items()
    (point,) = protection.recovery_points(site, OPTIONS, None)
    at = protection.restore(site, OPTIONS, point, RECOVERY, "restored")
    assert site.items("recovery", at.name) == site.items()


def test_the_vault_is_protected(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    vault = site.client("dynamodb", "vault")
    for table in ("drill-clients-copy", "drill-clients-copy-markers"):
        described = vault.describe_table(TableName=table)["Table"]
        assert described["DeletionProtectionEnabled"]
        assert described["TableStatus"] == "ACTIVE"
    backups = vault.describe_continuous_backups(TableName="drill-clients-copy")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    ttl = vault.describe_time_to_live(TableName="drill-clients-copy-markers")["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expires_at"


def test_the_feed_is_as_designed(site: LocalSite) -> None:
    protection.set_up(site, {"parallelization_factor": 4, "batch_size": 500, "batch_window_seconds": 2})
    (feed,) = site.client("lambda", "production").list_event_source_mappings()["EventSourceMappings"]
    assert feed["StartingPosition"] == "TRIM_HORIZON"
    assert feed["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert feed["BisectBatchOnFunctionError"] is True
    assert feed["MaximumRetryAttempts"] == -1
    assert feed["MaximumRecordAgeInSeconds"] < 86_400
    assert feed["DestinationConfig"]["OnFailure"]["Destination"].endswith(":drill-clients-copy-given-up")
    assert (feed["ParallelizationFactor"], feed["BatchSize"], feed["MaximumBatchingWindowInSeconds"]) == (4, 500, 2)
    alarms = site.client("cloudwatch", "production").describe_alarms()["MetricAlarms"]
    assert {alarm["MetricName"] for alarm in alarms} == {
        "RecordsSetAside",
        "ApproximateNumberOfMessagesVisible",
        "IteratorAge",
        "Errors",
    }


def test_set_up_twice_changes_nothing(site: LocalSite) -> None:
    site.put("a", value=value("1"))
    protection.set_up(site, OPTIONS)
    protection.set_up(site, OPTIONS)
    site.put("b", value=value("1"))
    site.clock.sleep(5)
    assert site.copied() == site.items()
    assert len(site.client("lambda", "production").list_event_source_mappings()["EventSourceMappings"]) == 1


def test_deploying_over_a_feed_that_is_being_changed_waits_for_it(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    client = site.client("lambda", "production")
    (feed,) = client.list_event_source_mappings()["EventSourceMappings"]
    client.update_event_source_mapping(UUID=feed["UUID"], BatchSize=7)
    protection.set_up(site, OPTIONS)
    client.update_event_source_mapping(UUID=feed["UUID"], BatchSize=7)
    repair(copy_of(site, OPTIONS), _Clients(site), site.wait)
    (feed,) = client.list_event_source_mappings()["EventSourceMappings"]
    assert (feed["State"], feed["BatchSize"]) == ("Enabled", 100)


def test_the_alarm_of_records_set_aside_goes_off(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    site.clock.sleep(120)
    cloudwatch = site.client("cloudwatch", "production")

    def going() -> set[str]:
        alarms = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return {alarm["AlarmName"] for alarm in alarms}

    assert going() == set()
    with refusing_poison():
        site.put("bad", value=value("poison"))
        site.clock.sleep(90)
        assert going() == {"drill-clients-copy-set-aside"}


def test_alarms_of_a_copy_that_lags_go_off(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    with site.aws.faults(throttle=1.0, operations=["TransactWriteItems"]):
        site.put("a", value=value("1"))
        site.clock.sleep(900)
        alarms = site.client("cloudwatch", "production").describe_alarms(StateValue="ALARM")["MetricAlarms"]
        assert {alarm["AlarmName"] for alarm in alarms} == {"drill-clients-copy-lag"}


def test_the_heartbeat_is_heard_every_hour(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    site.clock.sleep(60 * 3600)
    site.put("a", value=value("1"))
    site.clock.sleep(10)
    assert failing(site) == set()


def test_a_stream_without_images_is_refused(site: LocalSite) -> None:
    site.table.update_table(
        TableName=site.name(), StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )
    with pytest.raises(ProtectionError, match="carries KEYS_ONLY"):
        protection.set_up(site, OPTIONS)


def test_destroy_leaves_nothing(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    site.put("a", value=value("1"))
    site.clock.sleep(5)
    protection.destroy(site, OPTIONS)
    site.clock.sleep(60)
    assert site.client("dynamodb", "vault").list_tables()["TableNames"] == []
    assert site.client("s3", "vault").list_buckets()["Buckets"] == []
    for role in ("production", "vault"):
        assert site.client("iam", role).list_roles()["Roles"] == []
    assert site.client("lambda", "production").list_functions()["Functions"] == []
    assert site.client("events", "production").list_rules()["Rules"] == []
    assert site.client("cloudwatch", "production").describe_alarms()["MetricAlarms"] == []
    assert protection.recovery_points(site, OPTIONS, None) == []
    protection.destroy(site, OPTIONS)


# --- Poison --------------------------------------------------------------------------------------------------------


@contextmanager
def refusing_poison() -> Iterator[None]:
    """DynamoDB takes what DynamoDB gave, so what is permanently wrong with an item must be made up."""
    really: Any = vars(BaseClient)["_make_api_call"]

    def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
        if operation == "TransactWriteItems" and "poison" in str(params):
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "poison"}}, operation)
        return really(client, operation, params)

    with mock.patch.object(BaseClient, "_make_api_call", call):
        yield


def test_poison_blocks_nothing_and_is_redriven(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    copy = copy_of(site, OPTIONS)
    with refusing_poison():
        site.put("bad", value=value("poison"))
        site.put("good", value=value("1"))
        site.clock.sleep(10)
    assert set(site.copied()) == {"good"}
    assert failing(site) == {"set_aside"}
    (entry,) = site.client("s3", "vault").list_objects_v2(Bucket=copy.bucket)["Contents"]
    body = json.loads(site.client("s3", "vault").get_object(Bucket=copy.bucket, Key=entry["Key"])["Body"].read())
    assert body["item"] == {"id": {"S": "bad"}, "value": {"S": "poison"}}
    done = redrive(copy, _Clients(site), site.clock)
    assert (done.applied, done.overtaken, done.left) == (1, 0, {})
    assert site.copied() == site.items()
    assert failing(site) == set()


def test_what_was_overtaken_is_not_redriven(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    copy = copy_of(site, OPTIONS)
    with refusing_poison():
        site.put("erased", value=value("poison"))
        site.put("changed", value=value("poison"))
        site.clock.sleep(5)
    site.delete("erased")
    site.put("changed", value=value("good"))
    site.clock.sleep(5)
    done = redrive(copy, _Clients(site), site.clock)
    assert (done.applied, done.overtaken) == (0, 2)
    assert site.copied() == {"changed": {"id": {"S": "changed"}, "value": {"S": "good"}}}


# --- Gaps ----------------------------------------------------------------------------------------------------------


def switch_stream(site: LocalSite, on: bool) -> None:
    specification: dict[str, Any] = {"StreamEnabled": on}
    if on:
        specification["StreamViewType"] = "NEW_AND_OLD_IMAGES"
    site.table.update_table(TableName=site.name(), StreamSpecification=specification)
    site.clock.sleep(30)


def test_a_stream_that_was_off_is_a_gap_until_it_is_repaired(site: LocalSite) -> None:
    for key in ("stays", "changes", "goes"):
        site.put(key, value=value("1"))
    protection.set_up(site, OPTIONS)
    site.clock.sleep(5)
    switch_stream(site, False)
    assert "the stream is off" in found(site)["gap"].observed
    site.put("changes", value=value("2"))
    site.delete("goes")
    site.put("comes", value=value("1"))
    site.clock.sleep(26 * 3600)
    switch_stream(site, True)
    site.clock.sleep(10)
    assert "it was off between" in found(site)["gap"].observed
    assert site.copied() != site.items()
    copy = copy_of(site, OPTIONS)
    label = repair(copy, _Clients(site), site.wait)
    done = backfill(copy, _Clients(site), site.clock, label, workers=1)
    assert done.removed == 1
    site.clock.sleep(10)
    assert site.copied() == site.items()
    assert failing(site) == set()


def test_a_feed_that_was_stopped_for_a_day_is_a_gap(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    client = site.client("lambda", "production")
    (feed,) = client.list_event_source_mappings()["EventSourceMappings"]
    client.update_event_source_mapping(UUID=feed["UUID"], Enabled=False)
    site.clock.sleep(3600)
    assert "records are lost in 23 h unless it is enabled" in found(site)["gap"].observed
    site.put("lost", value=value("1"))
    site.clock.sleep(26 * 3600)
    assert "longer than a stream keeps its records" in found(site)["gap"].observed
    client.update_event_source_mapping(UUID=feed["UUID"], Enabled=True)
    site.clock.sleep(60)
    site.put("seen", value=value("1"))
    site.clock.sleep(10)
    assert "seen" in site.copied()
    assert "lost" not in site.copied()
    assert "was not seen at work" in found(site)["gap"].observed
    copy = copy_of(site, OPTIONS)
    backfill(copy, _Clients(site), site.clock, repair(copy, _Clients(site), site.wait), workers=1)
    site.clock.sleep(10)
    assert site.copied() == site.items()
    assert failing(site) == set()


def test_a_lagging_copy_is_seen(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    with site.aws.faults(throttle=1.0, operations=["TransactWriteItems"]):
        site.put("a", value=value("1"))
        site.clock.sleep(600)
        assert failing(site) == {"lag"}
    site.clock.sleep(600)
    assert site.copied() == site.items()
    assert failing(site) == set()


def test_an_unprotected_copy_is_seen(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    vault = site.client("dynamodb", "vault")
    vault.update_table(TableName="drill-clients-copy", DeletionProtectionEnabled=False)
    assert "not protected from deletion" in found(site)["protected"].observed


def test_the_heartbeat_tells_a_quiet_table_from_a_stopped_copy(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    copy = copy_of(site, OPTIONS)
    client = site.client("lambda", "production")
    for _ in range(3):
        site.clock.sleep(20 * 3600)
        client.invoke(FunctionName=copy.function, Payload=json.dumps(HEARTBEAT))
    site.put("a", value=value("1"))
    site.clock.sleep(10)
    assert failing(site) == set()
    (feed,) = client.list_event_source_mappings()["EventSourceMappings"]
    client.update_event_source_mapping(UUID=feed["UUID"], Enabled=False)
    site.clock.sleep(20 * 3600)
    client.invoke(FunctionName=copy.function, Payload=json.dumps(HEARTBEAT))
    site.clock.sleep(20 * 3600)
    assert "longer than a stream keeps its records" in found(site)["gap"].observed


def test_a_record_set_aside_before_a_newer_backfill_is_not_brought_back(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    copy = copy_of(site, OPTIONS)
    with refusing_poison():
        site.put("erased", value=value("poison"))
        site.clock.sleep(5)
    switch_stream(site, False)
    site.delete("erased")
    backfill(copy, _Clients(site), site.clock, repair(copy, _Clients(site), site.wait), workers=1)
    done = redrive(copy, _Clients(site), site.clock)
    assert (done.applied, done.overtaken) == (0, 1)
    assert site.copied() == {}


# --- Backfilling and refilling -------------------------------------------------------------------------------------


def test_an_interrupted_backfill_goes_on_where_it_was(site: LocalSite) -> None:
    for n in range(40):
        site.put(f"k{n}", value=value("1"))
    copy = copy_of(site, OPTIONS)
    label = deploy(copy, _Clients(site), site.wait)
    pages = 0

    def stop_after_some(so_far: Backfill) -> None:
        nonlocal pages
        pages += 1
        if pages == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(copy, _Clients(site), site.clock, label, workers=1, segments=10, progress=stop_after_some)
    assert "no backfill was ever finished" in found(site)["gap"].observed
    rest = backfill(copy, _Clients(site), site.clock, label, workers=1, segments=10)
    assert 0 < rest.read < 40
    assert site.copied() == site.items()
    assert backfill(copy, _Clients(site), site.clock, label, workers=1).read == 0


def test_a_backfill_for_an_older_stream_is_refused(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    with pytest.raises(ValueError, match="newer than 2020"):
        backfill(copy_of(site, OPTIONS), _Clients(site), site.clock, "2020-01-01T00:00:00.000")


def test_workers_share_the_backfill_and_the_refill(site: LocalSite) -> None:
    for n in range(200):
        site.put(f"k{n}", value=value("1"))
    copy = copy_of(site, OPTIONS)
    done = backfill(copy, _Clients(site), site.clock, deploy(copy, _Clients(site), site.wait), workers=4)
    assert (done.read, done.written, done.overtaken) == (200, 200, 0)
    assert site.copied() == site.items()
    vault, recovery = site.client("dynamodb", "vault"), site.client("dynamodb", "recovery")
    recovery.create_table(TableName="new", BillingMode="PAY_PER_REQUEST", **remembered_keys(copy, site))
    assert refill(vault, copy.copy_table, recovery, "new", site.clock, workers=4) == 200
    assert site.items("recovery", "new") == site.items()


def remembered_keys(copy: StreamCopy, site: LocalSite) -> dict[str, Any]:
    return without_indexes(remembered_source(copy, _Clients(site)))


def test_batches_keep_within_what_one_call_takes() -> None:
    large: list[dict[str, dict[str, Any]]] = [{"id": {"S": str(n)}, "b": {"B": b"x" * 399_000}} for n in range(60)]
    cut = list(batches(large))
    assert sum(map(len, cut)) == 60
    assert max(map(len, cut)) == 25
    assert all(size_bytes(batch) < 16_000_000 for batch in cut)


@pytest.mark.parametrize(
    ("moment", "second"),
    [("10:00:00.500000", "10:00:00"), ("10:00:00.000000", "09:59:59"), ("10:00:00.000001", "10:00:00")],
)
def test_the_last_second_before(moment: str, second: str) -> None:
    before = datetime.fromisoformat(f"2026-01-05T{moment}+00:00")
    assert f"{last_second_before(before):%H:%M:%S}" == second


# --- Restoring -----------------------------------------------------------------------------------------------------


def test_a_bulk_erase_that_reached_the_copy_is_undone_from_the_vault(site: LocalSite) -> None:
    for n in range(20):
        site.put(f"k{n}", value=value("good"), email=value(f"{n}@example.org"))
    protection.set_up(site, OPTIONS)
    site.clock.sleep(600)
    site.put("late", value=value("good"))
    expected = site.items()
    site.clock.sleep(30)
    erased_at = site.clock.now()
    for key in expected:
        site.delete(key)
    site.clock.sleep(5)
    assert site.copied() == {}
    points = protection.recovery_points(site, OPTIONS, erased_at)
    assert [point.as_of for point in points] == [last_second_before(erased_at)]
    at = protection.restore(site, OPTIONS, points[0], RECOVERY, "restored")
    assert (at.account, at.region, at.name) == (ACCOUNTS["recovery"].id, "us-west-2", "restored")
    assert site.items("recovery", "restored") == expected
    assert site.modelled_operations == ["dynamodb.refill"]
    described = site.client("dynamodb", "recovery").describe_table(TableName="restored")["Table"]
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == ["by-email"]
    assert site.client("dynamodb", "vault").list_tables()["TableNames"] == [
        "drill-clients-copy",
        "drill-clients-copy-markers",
    ]


def test_when_production_is_lost_the_vault_is_enough(site: LocalSite) -> None:
    site.put("a", value=value("1"))
    protection.set_up(site, OPTIONS)
    site.put("b", value=value("1"))
    expected = site.items()
    site.clock.sleep(5)
    written_at = site.clock.now() - timedelta(seconds=5)
    site.aws.close_account(ACCOUNTS["production"].id)
    site.calls.clear()
    (point,) = protection.recovery_points(site, OPTIONS, None)
    assert abs((point.as_of - written_at).total_seconds()) <= 1
    protection.restore(site, OPTIONS, point, RECOVERY, "restored")
    assert site.items("recovery", "restored") == expected
    assert not [call for call in site.calls if call[0] == "production"]


def test_the_temporary_table_goes_even_when_the_refill_fails(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    site.put("a", value=value("1"))
    site.clock.sleep(600)
    (point,) = protection.recovery_points(site, OPTIONS, site.clock.now())
    with site.aws.faults(reject=1.0, operations=["BatchWriteItem"]), pytest.raises((ClientError, ProtectionError)):
        protection.restore(site, OPTIONS, point, RECOVERY, "restored")
    assert len(site.client("dynamodb", "vault").list_tables()["TableNames"]) == 2


def test_a_throttled_target_is_refilled_all_the_same(site: LocalSite) -> None:
    for n in range(60):
        site.put(f"k{n}", value=value("1"))
    protection.set_up(site, OPTIONS)
    (point,) = protection.recovery_points(site, OPTIONS, None)
    with site.aws.faults(throttle=0.5, operations=["BatchWriteItem"]):
        protection.restore(site, OPTIONS, point, RECOVERY, "restored")
    assert site.items("recovery", "restored") == site.items()


def test_before_the_vault_had_history_there_is_no_point(site: LocalSite) -> None:
    before = site.clock.now()
    site.clock.sleep(60)
    protection.set_up(site, OPTIONS)
    assert protection.recovery_points(site, OPTIONS, before) == []


# --- Who may do what -----------------------------------------------------------------------------------------------


def as_vault_role(site: LocalSite) -> boto3.Session:
    """What production's administrator gets by changing the function: its role, and with it the vault's role."""
    copy = copy_of(site, OPTIONS)
    iam = site.client("iam", "production")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNTS['production'].id}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.update_assume_role_policy(RoleName=copy.production_role, PolicyDocument=json.dumps(trust))
    sts = site.client("sts", "production")
    first = sts.assume_role(RoleArn=copy.production_role_arn, RoleSessionName="thief")["Credentials"]
    function = boto3.Session(first["AccessKeyId"], first["SecretAccessKey"], first["SessionToken"], "us-east-1")
    second = function.client("sts").assume_role(
        RoleArn=copy.vault_role_arn, RoleSessionName="thief", ExternalId=copy.external_id
    )["Credentials"]
    return boto3.Session(second["AccessKeyId"], second["SecretAccessKey"], second["SessionToken"], "eu-west-1")


def test_production_cannot_delete_or_unprotect_the_copy(site: LocalSite) -> None:
    site.put("a", value=value("1"))
    protection.set_up(site, OPTIONS)
    session = as_vault_role(site)
    dynamodb, s3, copy = session.client("dynamodb"), session.client("s3"), copy_of(site, OPTIONS)
    table = copy.copy_table
    attempts: list[Callable[[], object]] = [
        lambda: dynamodb.delete_table(TableName=table),
        lambda: dynamodb.delete_table(TableName=copy.marker_table),
        lambda: dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False),
        lambda: dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
        ),
        lambda: dynamodb.scan(TableName=table),
        lambda: dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}}),
        lambda: dynamodb.create_table(
            TableName="x",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        ),
        lambda: s3.delete_bucket(Bucket=copy.bucket),
        lambda: s3.put_object(Bucket=copy.bucket, Key="elsewhere", Body=b""),
        lambda: session.client("iam").delete_role(RoleName=copy.vault_role),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()
    assert site.copied() == site.items()


def test_nobody_else_gets_the_vault_role(site: LocalSite) -> None:
    protection.set_up(site, OPTIONS)
    copy = copy_of(site, OPTIONS)
    for session in (site.aws.session(ACCOUNTS["production"].id), site.aws.session(ACCOUNTS["recovery"].id)):
        with pytest.raises(ClientError, match="AccessDenied"):
            session.client("sts").assume_role(
                RoleArn=copy.vault_role_arn, RoleSessionName="thief", ExternalId=copy.external_id
            )


def test_policies_name_no_more_than_is_needed(site: LocalSite) -> None:
    copy = copy_of(site, OPTIONS)
    actions = {action for s in vault_policy(copy)["Statement"] for action in _listed(s["Action"])}
    assert actions == {
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
        "dynamodb:UpdateItem",
        "dynamodb:ConditionCheckItem",
        "s3:PutObject",
    }
    everywhere = [s for s in function_policy(copy)["Statement"] if s["Resource"] == "*"]
    assert {s["Action"] for s in everywhere} == {"cloudwatch:PutMetricData", "lambda:ListEventSourceMappings"}
    (trust,) = vault_trust(copy)["Statement"]
    assert trust["Principal"] == {"AWS": copy.production_role_arn}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": copy.external_id}}


@pytest.mark.parametrize("needed", ["production", "vault"])
def test_without_its_role_the_copy_stands_still_and_says_so(site: LocalSite, needed: str) -> None:
    protection.set_up(site, OPTIONS)
    copy = copy_of(site, OPTIONS)
    role = copy.production_role if needed == "production" else copy.vault_role
    site.client("iam", needed).delete_role_policy(RoleName=role, PolicyName="copy")  # type: ignore[arg-type]
    site.clock.sleep(3600)
    site.put("a", value=value("1"))
    site.clock.sleep(3600)
    assert site.copied() == {}
    assert "lag" in failing(site)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
