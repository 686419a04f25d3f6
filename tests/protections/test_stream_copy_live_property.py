"""The copy as it is deployed, against a plain dict: real stream, real feed, real roles, and whatever may happen.

Writes, deletions, time, throttling, lost acknowledgements, batches that run twice, poison, a function that dies in the
middle, outages of either region, a feed that is switched off, a stream that is switched off and repaired.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drills.handlers.stream_copy import marker_id
from drills.protections.dynamodb_stream_copy import _Clients, copy_of, protection
from drills.simulator.dynamodb import streams
from drills.simulator.functions import EnvironmentLost
from drills.stream_copy import backfill, redrive, repair
from tests.handlers.copy_site import local_site

KEYS = [f"k{n}" for n in range(6)]
OFTEN_CALLED = {"TransactWriteItems", "UpdateItem", "AssumeRole", "PutObject", "Invoke", "GetRecords"}
SHORT_SECONDS = [0.1, 1, 20, 400, 5 * 3600]


class Calls:
    """Stands before every call. Inside the function: kills it, or refuses poison. Outside: something happens between
    the pages that a backfill reads and what it makes of them."""

    def __init__(self) -> None:
        self.kill_in: int | None = None
        self.after = False
        self.poisonous: set[str] = set()
        self.meanwhile: Callable[[], None] | None = None
        self.reads_until_meanwhile = 0
        really: Any = vars(BaseClient)["_make_api_call"]

        def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
                answer = really(client, operation, params)
                if operation in ("Scan", "BatchGetItem") and self.meanwhile is not None:
                    self.reads_until_meanwhile -= 1
                    if self.reads_until_meanwhile < 0:
                        happen, self.meanwhile = self.meanwhile, None
                        happen()
                return answer
            dying = self._dies_now()
            if dying and not self.after:
                raise EnvironmentLost
            if operation == "TransactWriteItems" and any(value in str(params) for value in self.poisonous):
                raise ClientError({"Error": {"Code": "ValidationException", "Message": "poison"}}, operation)
            answer = really(client, operation, params)
            if dying:
                raise EnvironmentLost
            return answer

        self.patch = mock.patch.object(BaseClient, "_make_api_call", call)

    def _dies_now(self) -> bool:
        if self.kill_in is None:
            return False
        self.kill_in = self.kill_in - 1 if self.kill_in else None
        return self.kill_in is None


class LiveCopyMachine(RuleBasedStateMachine):
    """Random lives of a table with its copy deployed."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.site = self.stack.enter_context(local_site())
        self.aws = self.site.aws
        self.calls = Calls()
        self.stack.enter_context(self.calls.patch)
        self.trouble = self.stack.enter_context(ExitStack())
        self.source: dict[str, str] = {}
        self.count = 0
        self.fed = True
        self.newest: dict[str, str] = {}
        self.options: dict[str, Any] = {}

    def teardown(self) -> None:
        try:
            if self.options:
                self.come_to_rest()
        finally:
            self.stack.close()

    @initialize(
        before=st.lists(st.sampled_from(KEYS), max_size=4),
        factor=st.sampled_from([1, 4]),
        batch=st.sampled_from([1, 3, 100]),
        children=st.sampled_from([1, 2]),
    )
    def begin(self, before: list[str], factor: int, batch: int, children: int) -> None:
        streams.settings.shards, streams.settings.children = 2, children
        for key in before:
            self.write(key)
        self.options = {"parallelization_factor": factor, "batch_size": batch}
        protection.set_up(self.site, self.options)

    # --- The source

    @rule(key=st.sampled_from(KEYS))
    def write(self, key: str) -> None:
        self.count += 1
        self.source[key] = f"value-{self.count}."
        self.site.put(key, value={"S": self.source[key]})

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        self.source.pop(key, None)
        self.site.delete(key)

    @rule(seconds=st.sampled_from(SHORT_SECONDS))
    def wait(self, seconds: float) -> None:
        self.site.clock.sleep(seconds)

    # --- What may happen

    @rule(
        fault=st.sampled_from(["throttle", "reject", "lose_acknowledgement"]),
        rate=st.sampled_from([0.2, 0.6]),
        operations=st.sets(st.sampled_from(sorted(OFTEN_CALLED)), min_size=1),
    )
    def begin_trouble(self, fault: str, rate: float, operations: set[str]) -> None:
        self.trouble.enter_context(self.aws.faults(operations=operations, **{fault: rate}))  # type: ignore[arg-type]

    @rule()
    def end_trouble(self) -> None:
        self.trouble.close()

    @rule(calls=st.integers(0, 6), after=st.booleans(), key=st.sampled_from(KEYS))
    def kill_the_function(self, calls: int, after: bool, key: str) -> None:
        self.calls.kill_in, self.calls.after = calls, after
        self.write(key)
        self.site.clock.sleep(5)

    @rule()
    def poison(self) -> None:
        """The newest values are refused from now on, until all is over."""
        self.calls.poisonous.update(list(self.source.values())[:2])

    @rule(region=st.sampled_from(["us-east-1", "eu-west-1"]))
    def outage(self, region: str) -> None:
        with self.aws.region_down(region):
            self.site.clock.sleep(120)

    @rule()
    def switch_feed(self) -> None:
        self.fed = not self.fed
        client = self.site.client("lambda", "production")
        self.site.clock.sleep(30)
        (feed,) = client.list_event_source_mappings(FunctionName=copy_of(self.site, self.options).function)[
            "EventSourceMappings"
        ]
        client.update_event_source_mapping(UUID=feed["UUID"], Enabled=self.fed)

    @rule(
        keys=st.lists(st.sampled_from(KEYS), max_size=3),
        deleted=st.sampled_from(KEYS),
        meanwhile=st.lists(st.tuples(st.booleans(), st.sampled_from(KEYS)), max_size=3),
        reads=st.integers(0, 3),
    )
    def switch_stream_off_and_repair(
        self, keys: list[str], deleted: str, meanwhile: list[tuple[bool, str]], reads: int
    ) -> None:
        """What is written meanwhile is in no stream; a backfill brings it over while the table is written."""
        self.trouble.close()
        self.site.clock.sleep(30)
        self.site.table.update_table(TableName=self.site.name(), StreamSpecification={"StreamEnabled": False})
        for key in keys:
            self.write(key)
        self.delete(deleted)
        self._repair(meanwhile, reads)

    def _repair(self, meanwhile: Sequence[tuple[bool, str]] = (), reads: int = 0) -> None:
        def happen() -> None:
            for is_write, key in meanwhile:
                (self.write if is_write else self.delete)(key)
            self.site.clock.sleep(1)

        copy, clients = copy_of(self.site, self.options), _Clients(self.site)
        label = repair(copy, clients, self.site.wait)
        self.fed = True
        self.calls.meanwhile, self.calls.reads_until_meanwhile = happen, reads
        backfill(copy, clients, self.site.clock, label, workers=1, segments=2)
        self.calls.meanwhile = None

    # --- What must hold

    @invariant()
    def nothing_goes_back(self) -> None:
        """No marker becomes older, and what is copied was written."""
        if not self.options:
            return
        rows = self.site.items("vault", "drill-clients-copy-markers")
        for key in KEYS:
            version = rows.get(marker_id({"id": {"S": key}}), {}).get("version", {"S": ""})["S"]
            assert version >= self.newest.get(key, "")
            self.newest[key] = version

    def come_to_rest(self) -> None:
        """No more trouble: in the end the copy is the source, and its health says so."""
        self.trouble.close()
        self.calls.poisonous.clear()
        self.calls.kill_in = None
        if not self.fed:
            self.switch_feed()
        self.site.clock.sleep(1200)
        copy, clients = copy_of(self.site, self.options), _Clients(self.site)
        if not self._gapless():
            # After so long a trouble that the stream lost records; a gap that is not told is found below.
            self._repair()
            self.site.clock.sleep(60)
        assert redrive(copy, clients, self.site.clock).left == {}
        self.nothing_goes_back()
        copied = {key: item["value"]["S"] for key, item in self.site.copied().items()}
        assert copied == self.source
        health = protection.health(self.site, self.options)
        assert [finding.check for finding in health if finding.verdict != "pass"] == []

    def _gapless(self) -> bool:
        health = protection.health(self.site, self.options)
        return all(finding.verdict == "pass" for finding in health if finding.check.endswith(("gap", "given_up")))


SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.generate],
}

TestLiveCopy = LiveCopyMachine.TestCase
TestLiveCopy.settings = settings(max_examples=8, stateful_step_count=15, derandomize=True, **SETTINGS)


@pytest.mark.soak
class TestLiveCopyForLong(LiveCopyMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(max_examples=200, stateful_step_count=40, **SETTINGS)
