"""Time in the simulated AWS: one event loop that everything follows, decided by the seed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.clock import SimulatedClock
from drills.errors import SimulatorError
from drills.simulator import SimulatedAWS
from tests.simulator.policies import REGION, table

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_sleeping_moves_every_clock_at_once(simulated_aws: SimulatedAWS) -> None:
    assert simulated_aws.clock.now() == datetime.now(UTC) == START
    time.sleep(90)
    assert simulated_aws.clock.now() == datetime.now(UTC) == START + timedelta(seconds=90)
    simulated_aws.clock.sleep(3600)
    assert time.time() == (START + timedelta(seconds=3690)).timestamp()


def test_motos_timestamps_follow(simulated_aws: SimulatedAWS) -> None:
    simulated_aws.clock.sleep(86_400)
    table(boto3.Session(region_name=REGION))
    created = boto3.client("dynamodb", region_name=REGION).describe_table(TableName="orders")["Table"][
        "CreationDateTime"
    ]
    assert created.timestamp() == (START + timedelta(days=1)).timestamp()
    role = boto3.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]
    assert role["CreateDate"] == START + timedelta(days=1)
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="drills")
    s3.put_object(Bucket="drills", Key="a", Body=b"x")
    assert s3.head_object(Bucket="drills", Key="a")["LastModified"] == START + timedelta(days=1)


def test_waiters_wait_on_the_simulated_clock(simulated_aws: SimulatedAWS) -> None:
    dynamodb: Any = boto3.client("dynamodb", region_name=REGION)
    table(boto3.Session(region_name=REGION))
    dynamodb.get_waiter("table_exists").wait(TableName="orders")
    on = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName="orders", PointInTimeRecoverySpecification=on)
    time.sleep(600)
    began = simulated_aws.clock.now()
    dynamodb.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="restored", UseLatestRestorableTime=True
    )
    config = {"Delay": 60, "MaxAttempts": 100}
    dynamodb.get_waiter("table_exists").wait(TableName="restored", WaiterConfig=config)
    assert simulated_aws.clock.now() - began >= timedelta(minutes=20)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=12), st.integers(0, 30))
def test_events_run_in_order_each_at_its_time(plan: list[tuple[int, int]], length: int) -> None:
    clock = SimulatedClock(START)
    ran: list[tuple[int, int, float]] = []

    def at(number: int, due: int, delay: int) -> None:
        ran.append((due, number, (clock.now() - START).total_seconds()))
        if delay:
            clock.call_later(delay, lambda: ran.append((due + delay, 1000, (clock.now() - START).total_seconds())))

    for number, (due, delay) in enumerate(plan):
        clock.call_later(due, lambda n=number, d=due, w=delay: at(n, d, w))  # type: ignore[misc]
    clock.sleep(length)
    assert [due for due, _, _ in ran] == sorted(due for due, _, _ in ran)
    assert all(due == when for due, _, when in ran)
    assert sum(number != 1000 for _, number, _ in ran) == sum(due <= length for due, _ in plan)
    first = [(due, number) for due, number, _ in ran if number != 1000]
    assert first == sorted(first)


def test_what_falls_due_while_an_event_sleeps_happens_meanwhile() -> None:
    clock = SimulatedClock(START)
    seen: list[tuple[str, float]] = []

    def note(what: str) -> None:
        seen.append((what, (clock.now() - START).total_seconds()))

    def slow() -> None:
        note("begins")
        clock.sleep(10)
        note("ends")

    clock.call_later(5, slow)
    clock.call_later(7, lambda: note("meanwhile"))
    clock.sleep(6)
    assert seen == [("begins", 5), ("meanwhile", 7), ("ends", 15)]


def test_a_cancelled_event_does_not_run() -> None:
    clock = SimulatedClock(START)
    ran: list[int] = []
    clock.call_later(1, lambda: ran.append(1)).cancel()
    clock.sleep(2)
    assert ran == []


def test_a_start_needs_a_zone() -> None:
    with pytest.raises(SimulatorError, match="expected a time with a zone"):
        SimulatedAWS(start=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake.


def test_everything_is_as_before_afterwards() -> None:
    sleep, state, wall = time.sleep, random.getstate(), time.time()
    environment = dict(os.environ)

    def use_and_fail() -> None:
        with SimulatedAWS(start=datetime(2030, 1, 1, tzinfo=UTC)) as aws:
            random.random()
            aws.clock.sleep(10**6)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use_and_fail()
    assert time.sleep is sleep
    assert random.getstate() == state
    assert wall <= time.time() < datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    assert dict(os.environ) == environment


def test_it_ends_well_when_the_environment_was_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with SimulatedAWS():
        del os.environ["AWS_ACCESS_KEY_ID"]
    assert "AWS_ACCESS_KEY_ID" not in os.environ


PROGRAM = """
import json, sys, boto3
from drills.simulator import SimulatedAWS

with SimulatedAWS(seed=int(sys.argv[1]), durations="drawn") as aws:
    one = aws.session("111111111111", "eu-west-1")
    dynamodb, iam, s3 = one.client("dynamodb"), one.client("iam"), one.client("s3")
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))
    seen = [one.get_credentials().access_key, role["Role"]["RoleId"]]
    keys = one.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="test")["Credentials"]
    seen += [keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], str(keys["Expiration"])]
    described = dynamodb.create_table(
        TableName="orders", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    seen += [described["TableId"], described["LatestStreamArn"]]
    dynamodb.update_continuous_backups(
        TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    with aws.faults(throttle=0.2, lose_acknowledgement=0.1):
        for n in range(40):
            dynamodb.put_item(TableName="orders", Item={"id": {"S": str(n)}})
    aws.clock.sleep(900)
    dynamodb.create_backup(TableName="orders", BackupName="now")
    dynamodb.restore_table_to_point_in_time(
        SourceTableName="orders", TargetTableName="restored", UseLatestRestorableTime=True
    )
    seen.append([item["id"]["S"] for item in dynamodb.scan(TableName="orders")["Items"]])
    seen.append([backup["BackupArn"] for backup in dynamodb.list_backups()["BackupSummaries"]])
    seen.append([(d.operation, d.seconds) for d in aws.durations])
    seen.append(one.client("sqs").send_message(
        QueueUrl=one.client("sqs").create_queue(QueueName="q")["QueueUrl"], MessageBody="x")["MessageId"])
    seen.append(one.client("kms").create_key()["KeyMetadata"]["KeyId"])
    seen.append(aws.clock.now().isoformat())
    print(json.dumps(seen))
"""


def test_the_same_seed_gives_the_same_everything_in_every_process() -> None:
    def run(seed: int, hashes: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        command = [sys.executable, "-c", PROGRAM, str(seed)]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    first = run(7, "1")
    assert first == run(7, "2")
    assert first != run(8, "1")


def test_what_goes_on_for_ever_at_one_moment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drills.clock.MOST_AT_ONCE", 1000)
    clock = SimulatedClock(START)

    def again() -> None:
        clock.call_later(0, again)

    for second in range(3):  # As many as that are no offence when time passes.
        for _ in range(900):
            clock.call_later(second, lambda: None)
    clock.sleep(5)
    clock.call_later(1, again)
    with pytest.raises(SimulatorError, match="schedules itself again without any delay"):
        clock.sleep(2)
