"""The copy against a plain dict: whatever happens on the way, in the end the copy is the source.

The stream is the test's own, so that it can deliver what a real one may: duplicates, batches cut anywhere, shards in
any order. The tables are plain moto's. Every call of the function may be the last one before it is killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from moto import mock_aws

from drills.clock import WallClock
from drills.handlers import stream_copy
from drills.handlers.stream_copy import clients, marker_id, version_of
from drills.stream_copy import StreamCopy, backfill, redrive
from drills.stream_copy.production_side import function_settings
from drills.stream_copy.rows import BackfillState

PRODUCTION, VAULT = "111111111111", "222222222222"
COPY = StreamCopy(PRODUCTION, "us-east-1", "clients", VAULT, "us-east-1", "copy")
KEYS = [f"k{n}" for n in range(6)]
SHARDS = 2


class Killed(BaseException):
    """The function is no more: nothing after this call happens."""


@dataclass
class Stream:
    """One stream of the source: records by shard, and how far each shard was acknowledged."""

    label: str
    shards: list[list[dict[str, Any]]] = field(default_factory=lambda: [[] for _ in range(SHARDS)])
    acknowledged: list[int] = field(default_factory=lambda: [0] * SHARDS)


class Gate:
    """Stands before every API call of the process: kills, throttles, refuses poison, and lets things happen between."""

    def __init__(self) -> None:
        self.kill_in: int | None = None
        self.kill_after = False
        self.throttle_in: int | None = None
        self.poisonous: set[str] = set()
        self.meanwhile: Callable[[], None] | None = None
        really: Any = vars(BaseClient)["_make_api_call"]

        def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            return self._call(lambda: really(client, operation, params), operation, params)

        self.patch = mock.patch.object(BaseClient, "_make_api_call", call)

    def _call(self, really: Callable[[], Any], operation: str, params: dict[str, Any]) -> Any:
        dying = self._count_down("kill_in")
        if dying and not self.kill_after:
            raise Killed
        if self._count_down("throttle_in"):
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, operation)
        if operation == "TransactWriteItems" and self._is_poisonous(params):
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "poison"}}, operation)
        answer = really()
        if dying:
            raise Killed
        if operation in ("Scan", "BatchGetItem") and self.meanwhile is not None:
            happen, self.meanwhile = self.meanwhile, None
            happen()
        return answer

    def _count_down(self, name: str) -> bool:
        left = getattr(self, name)
        if left is None:
            return False
        setattr(self, name, left - 1 if left else None)
        return bool(left == 0)

    def _is_poisonous(self, params: dict[str, Any]) -> bool:
        puts = [action["Put"]["Item"] for action in params["TransactItems"] if "Put" in action]
        return any(item.get("value", {}).get("S") in self.poisonous for item in puts)


class CopyMachine(RuleBasedStateMachine):
    """Random lives of a table and its copy."""

    def __init__(self) -> None:
        super().__init__()
        self.aws = mock_aws()
        self.environment = mock.patch.dict(
            os.environ,
            {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
        )
        self.sleep = mock.patch("time.sleep", return_value=None)
        self.environment.start()
        self.aws.start()
        self.sleep.start()
        clients._vaults.clear()
        sts = boto3.client("sts")
        self.sessions = {}
        for side, account in (("production", PRODUCTION), ("vault", VAULT)):
            keys = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/admin", RoleSessionName="admin")["Credentials"]
            self.sessions[side] = boto3.Session(
                keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1"
            )
        self.gate = Gate()
        self.gate.patch.start()
        self.made: dict[tuple[str, str], Any] = {}
        self.source: dict[str, str] = {}
        self.sequence = 0
        self.streams: list[Stream] = []
        self.serving: Stream | None = None
        self.on = False
        self.seen_versions: dict[str, str] = {}
        self.images: dict[tuple[str, str], str | None] = {}

    def clients(self, side: str, service: str) -> Any:
        key = (side, service)
        if key not in self.made:
            self.made[key] = self.sessions[side].client(service)  # type: ignore[call-overload]
        return self.made[key]

    def teardown(self) -> None:
        try:
            self.come_to_rest()
        finally:
            clients._vaults.clear()
            self.gate.patch.stop()
            self.sleep.stop()
            self.aws.stop()
            self.environment.stop()

    @initialize(before=st.lists(st.sampled_from(KEYS), max_size=4))
    def begin(self, before: list[str]) -> None:
        for side, table in (("production", "clients"), ("vault", "copy"), ("vault", "copy-markers")):
            self.clients(side, "dynamodb").create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        self.clients("vault", "s3").create_bucket(Bucket=COPY.bucket)
        for key in before:
            self.write(key)
        self.switch()

    # --- what happens at the source

    @rule(key=st.sampled_from(KEYS))
    def write(self, key: str) -> None:
        self.sequence += 1
        value = f"v{self.sequence}"
        self.source[key] = value
        self.clients("production", "dynamodb").put_item(
            TableName="clients", Item={"id": {"S": key}, "value": {"S": value}}
        )
        self._record(key, value)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        if self.source.pop(key, None) is not None:
            self.sequence += 1
            self.clients("production", "dynamodb").delete_item(TableName="clients", Key={"id": {"S": key}})
            self._record(key, None)

    def _record(self, key: str, value: str | None) -> None:
        if not self.on:
            return
        stream = self.streams[-1]
        data: dict[str, Any] = {"Keys": {"id": {"S": key}}, "SequenceNumber": str(self.sequence), "SizeBytes": 50}
        if value is not None:
            data["NewImage"] = {"id": {"S": key}, "value": {"S": value}}
        self.images[key, version_of(stream.label, str(self.sequence))] = value
        stream.shards[KEYS.index(key) % SHARDS].append(
            {
                "eventName": "REMOVE" if value is None else "MODIFY",
                "eventSourceARN": f"arn:aws:dynamodb:us-east-1:{PRODUCTION}:table/clients/stream/{stream.label}",
                "dynamodb": data,
            }
        )

    @rule()
    def switch(self) -> None:
        """Off when it is on, or on again under a new label."""
        self.on = not self.on
        if self.on:
            self.streams.append(Stream(f"2026-01-{len(self.streams) + 1:02}T00:00:00.000"))

    # --- what the function is given

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """A batch of any shard of any stream; it may begin before what was acknowledged already."""
        self._deliver(
            data.draw(st.sampled_from(self.streams)),
            data.draw(st.integers(0, SHARDS - 1)),
            repeat=data.draw(st.integers(0, 3)),
            size=data.draw(st.integers(1, 8)),
        )

    @rule(data=st.data(), calls=st.integers(0, 6), after=st.booleans())
    def deliver_and_kill(self, data: st.DataObject, calls: int, after: bool) -> None:
        self.gate.kill_in, self.gate.kill_after = calls, after
        try:
            self.deliver(data)
        except Killed:
            clients._vaults.clear()
        finally:
            self.gate.kill_in = None

    @rule(data=st.data(), calls=st.integers(0, 5))
    def deliver_throttled(self, data: st.DataObject, calls: int) -> None:
        self.gate.throttle_in = calls
        try:
            self.deliver(data)
        finally:
            self.gate.throttle_in = None

    @rule()
    def poison(self) -> None:
        """The newest value of each item is refused from now on, for good or until redriven."""
        self.gate.poisonous.update(list(self.source.values())[:2])

    def _deliver(self, stream: Stream, shard: int, *, repeat: int = 0, size: int = 1000) -> None:
        first = max(0, stream.acknowledged[shard] - repeat)
        records = stream.shards[shard][first : first + size]
        if not records:
            return
        served = (self.serving or self.streams[0]).label
        with mock.patch.dict(os.environ, function_settings(COPY, served).as_environment()):
            failures = stream_copy.handler({"Records": records}, object())["batchItemFailures"]
        done = len(records)
        if failures:
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            done = numbers.index(failures[0]["itemIdentifier"])
        stream.acknowledged[shard] = max(stream.acknowledged[shard], first + done)

    # --- what the operators do

    @rule(data=st.data(), calls=st.one_of(st.none(), st.none(), st.integers(0, 30)), key=st.sampled_from(KEYS))
    def fill(self, data: st.DataObject, calls: int | None, key: str) -> None:
        """A backfill for the newest stream while the source is written; it may be killed."""
        if not self.on:
            return
        self.serving = self.streams[-1]

        def meanwhile() -> None:
            data.draw(st.sampled_from([self.write, self.delete]))(key)
            if data.draw(st.booleans()):
                self._deliver(self.streams[-1], KEYS.index(key) % SHARDS)

        self.gate.meanwhile = meanwhile
        self.gate.kill_in = calls
        try:
            self._backfill()
        except Killed:
            pass
        finally:
            self.gate.kill_in = self.gate.meanwhile = None

    def _backfill(self) -> None:
        self.serving = self.streams[-1]
        copy = StreamCopy(*[getattr(COPY, name) for name in list(COPY.__dataclass_fields__)[:6]])
        backfill(copy, self.clients, WallClock(), self.serving.label, workers=1, segments=2)

    # --- what must hold

    def _copied(self) -> dict[str, str]:
        items = self.clients("vault", "dynamodb").scan(TableName="copy")["Items"]
        return {item["id"]["S"]: item["value"]["S"] for item in items}

    @invariant()
    def nothing_is_stale_or_brought_back(self) -> None:
        """Each item is what its marker says, and no marker ever goes back."""
        if not self.streams:
            return
        copied = self._copied()
        rows = self.clients("vault", "dynamodb").scan(TableName="copy-markers")["Items"]
        markers = {row["id"]["S"]: row for row in rows}
        for key in KEYS:
            version = markers.get(marker_id({"id": {"S": key}}), {}).get("version", {"S": ""})["S"]
            assert version >= self.seen_versions.get(key, ""), f"{key} went back to {version}"
            self.seen_versions[key] = version
            if not version:
                assert key not in copied
            elif (key, version) in self.images:
                assert copied.get(key) == self.images[key, version]

    def come_to_rest(self) -> None:
        """All is delivered, what was set aside is redriven, gaps are closed: the copy is the source."""
        if not self.streams:
            return
        self.gate.poisonous.clear()
        if not self.on:
            self.switch()
        self._backfill()
        for stream in self.streams:
            for shard in range(SHARDS):
                self._deliver(stream, shard)
        assert redrive(COPY, self.clients, WallClock()).left == {}
        self.nothing_is_stale_or_brought_back()
        assert self._copied() == self.source
        state = BackfillState.read(self.clients("vault", "dynamodb"), "copy-markers")
        assert state is not None
        assert state.finished_at is not None
        assert self.clients("vault", "s3").list_objects_v2(Bucket=COPY.bucket)["KeyCount"] == 0


TestCopy = CopyMachine.TestCase
TestCopy.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],
)


@pytest.mark.soak
class TestCopyForLong(CopyMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(
        max_examples=300,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
