"""Random lives of a table against a plain record of every version that it ever had."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from drills.simulator.dynamodb.history import History
from tests.simulator.dynamodb.ground import OFF, ON, contents, make_table, refusal_code, simulated, window

KEYS = st.sampled_from("abcd")
VALUES = st.integers(0, 3).map(str)
NAPS = st.sampled_from([0.25, 0.75, 1.0, 59.5, 301.0, 301.0, 1700.0, 4000.0, 200_000.0])
LIVES = st.one_of(st.none(), st.sampled_from([1, 60, 4000, 100_000]))
TTL_LAG = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
MAX_WAITS = 500

Versions = dict[str, str]


def whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


class Record:
    """Every version of one table: what it held from when on, and when each item will have expired."""

    def __init__(self, now: datetime, items: Versions | None = None) -> None:
        self.states: list[tuple[datetime, Versions]] = [(now, dict(items or {}))]
        self.expiries: dict[str, datetime] = {}
        self.floor: datetime | None = None
        self.days = 35
        self.ttl = False

    @property
    def items(self) -> Versions:
        return self.states[-1][1]

    def write(self, now: datetime, changes: dict[str, str | None]) -> None:
        merged = {**self.items, **{key: value for key, value in changes.items() if value is not None}}
        for key, value in changes.items():
            if value is None:
                merged.pop(key, None)
        self.states.append((now, merged))

    def as_of(self, moment: datetime) -> Versions:
        return next(state for at, state in reversed(self.states) if at <= moment)

    def expire_until(self, now: datetime) -> None:
        due = sorted((expiry + TTL_LAG, key) for key, expiry in self.expiries.items() if expiry + TTL_LAG <= now)
        for moment, key in due:
            del self.expiries[key]
            self.write(moment, {key: None})

    def start(self, now: datetime) -> datetime:
        assert self.floor is not None
        return max(self.floor, now - timedelta(days=self.days))

    def earliest(self, now: datetime) -> datetime:
        start = self.start(now)
        return start if start == whole(start) else whole(start) + SECOND

    def latest(self, now: datetime) -> datetime:
        return max(self.earliest(now), whole(now - timedelta(minutes=5)))

    def telling_moments(self, now: datetime) -> list[datetime]:
        """The ends of the window, and every second in it that is just before or after a version, newest first."""
        earliest, latest = self.earliest(now), self.latest(now)
        beside = {whole(at) + SECOND * side for at, _ in self.states for side in (-1, 0, 1)}
        return sorted((one for one in {earliest, latest} | beside if earliest <= one <= latest), reverse=True)


class TableLife(RuleBasedStateMachine):
    """One table after another under one name: written, expiring, deleted, restored from what it was."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.ground = self.stack.enter_context(simulated())
        self.client = self.ground.client()
        self.name = "table-0"
        self.made = 0
        make_table(self.client, self.name)
        self.record = Record(self.ground.now())

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    def nap(self, seconds: float) -> None:
        self.ground.sleep(seconds)
        self.record.expire_until(self.ground.now())

    # --- Writes

    def item(self, key: str, value: str, life: int | None) -> dict[str, Any]:
        item: dict[str, Any] = {"id": {"S": key}, "value": {"S": value}}
        self.record.expiries.pop(key, None)
        if life is not None and self.record.ttl:
            expiry = whole(self.ground.now()) + timedelta(seconds=life)
            item["expires"] = {"N": str(int(expiry.timestamp()))}
            self.record.expiries[key] = expiry
        return item

    @rule(key=KEYS, value=VALUES, life=LIVES)
    def put(self, key: str, value: str, life: int | None) -> None:
        self.client.put_item(TableName=self.name, Item=self.item(key, value, life))
        self.record.write(self.ground.now(), {key: value})

    @rule(key=KEYS, value=VALUES)
    def update(self, key: str, value: str) -> None:
        self.client.update_item(
            TableName=self.name,
            Key={"id": {"S": key}},
            UpdateExpression="SET #v = :v",
            ExpressionAttributeNames={"#v": "value"},
            ExpressionAttributeValues={":v": {"S": value}},
        )
        self.record.write(self.ground.now(), {key: value})

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.client.delete_item(TableName=self.name, Key={"id": {"S": key}})
        self.record.expiries.pop(key, None)
        self.record.write(self.ground.now(), {key: None})

    @rule(
        changes=st.dictionaries(KEYS, st.one_of(st.none(), VALUES), min_size=1),
        only_if_absent=st.one_of(st.none(), st.just("z"), KEYS),
    )
    def transact(self, changes: dict[str, str | None], only_if_absent: str | None) -> None:
        actions: list[dict[str, Any]] = [
            {"Put": {"TableName": self.name, "Item": {"id": {"S": key}, "value": {"S": value}}}}
            if value is not None
            else {"Delete": {"TableName": self.name, "Key": {"id": {"S": key}}}}
            for key, value in changes.items()
        ]
        if only_if_absent is not None and only_if_absent not in changes:
            check = {"Key": {"id": {"S": only_if_absent}}, "ConditionExpression": "attribute_not_exists(id)"}
            actions.append({"ConditionCheck": {"TableName": self.name, **check}})
            if only_if_absent in self.record.items:
                assert refusal_code(self.client.transact_write_items, TransactItems=actions) == (
                    "TransactionCanceledException"
                )
                return
        self.client.transact_write_items(TransactItems=actions)
        for key in changes:
            self.record.expiries.pop(key, None)
        self.record.write(self.ground.now(), changes)

    @rule(seconds=NAPS)
    def time_passes(self, seconds: float) -> None:
        self.nap(seconds)

    @precondition(lambda self: not self.record.ttl)
    @rule()
    def items_expire_from_now_on(self) -> None:
        self.client.update_time_to_live(
            TableName=self.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
        self.record.ttl = True

    # --- Recovery

    @rule(days=st.one_of(st.none(), st.integers(1, 4)))
    def recovery_on(self, days: int | None) -> None:
        period = {} if days is None else {"RecoveryPeriodInDays": days}
        self.client.update_continuous_backups(TableName=self.name, PointInTimeRecoverySpecification={**ON, **period})
        now, record = self.ground.now(), self.record
        if record.floor is None:
            record.floor, record.days = now, days or 35
        elif days is not None:
            record.floor = record.start(now)
            record.days = days
            record.floor = record.start(now)

    @precondition(lambda self: self.record.floor is not None)
    @rule()
    def recovery_off(self) -> None:
        self.client.update_continuous_backups(TableName=self.name, PointInTimeRecoverySpecification=OFF)
        self.record.floor = None

    @precondition(lambda self: self.record.floor is not None)
    @rule(pick=st.integers(0, 50), carry_on=st.booleans())
    def restore(self, pick: int, carry_on: bool) -> None:
        now = self.ground.now()
        moments = self.record.telling_moments(now)
        moment = moments[pick % len(moments)]
        expected = dict(self.record.as_of(moment))
        target = self.next_name()
        self.client.restore_table_to_point_in_time(
            SourceTableName=self.name, TargetTableName=target, RestoreDateTime=moment
        )
        self.compare(target, expected)
        self.go_on_with(target, expected) if carry_on else self.client.delete_table(TableName=target)

    @precondition(lambda self: self.record.floor is not None)
    @rule(beside=st.sampled_from(["before", "after"]))
    def restore_beside_the_window(self, beside: str) -> None:
        now = self.ground.now()
        moment = self.record.earliest(now) - SECOND if beside == "before" else self.record.latest(now) + SECOND
        call = {"SourceTableName": self.name, "TargetTableName": "never", "RestoreDateTime": moment}
        assert refusal_code(self.client.restore_table_to_point_in_time, **call) == "InvalidRestoreTimeException"

    @precondition(lambda self: self.record.floor is None)
    @rule()
    def restore_without_recovery(self) -> None:
        call = {"SourceTableName": self.name, "TargetTableName": "never", "UseLatestRestorableTime": True}
        code = refusal_code(self.client.restore_table_to_point_in_time, **call)
        assert code == "PointInTimeRecoveryUnavailableException"

    @rule(again=st.booleans())
    def delete_table(self, again: bool) -> None:
        expected, recoverable = dict(self.record.items), self.record.floor is not None
        arn = self.client.describe_table(TableName=self.name)["Table"]["TableArn"]
        before = self.system_backups(arn)
        self.client.delete_table(TableName=self.name)
        new = [one for one in self.system_backups(arn) if one not in before]
        assert len(new) == recoverable
        self.record = Record(self.ground.now())
        if new and not again:
            target = self.next_name()
            self.client.restore_table_from_backup(TargetTableName=target, BackupArn=new[0])
            self.compare(target, expected)
            self.name, self.record = target, Record(self.ground.now(), expected)
        else:
            make_table(self.client, self.name)

    def system_backups(self, arn: str) -> list[str]:
        listed = self.client.list_backups(BackupType="SYSTEM", TableName=arn)["BackupSummaries"]
        return [one["BackupArn"] for one in listed]

    def next_name(self) -> str:
        self.made += 1
        return f"table-{self.made}"

    def compare(self, target: str, expected: Versions) -> None:
        for _ in range(MAX_WAITS):
            if self.client.describe_table(TableName=target)["Table"]["TableStatus"] == "ACTIVE":
                break
            self.nap(60)
        assert contents(self.client, target) == expected

    def go_on_with(self, target: str, expected: Versions) -> None:
        self.client.delete_table(TableName=self.name)
        self.name, self.record = target, Record(self.ground.now(), expected)

    @invariant()
    def the_window_is_what_it_should_be(self) -> None:
        if not hasattr(self, "record"):
            return
        described, now = window(self.client, self.name), self.ground.now()
        if self.record.floor is None:
            assert described == {"PointInTimeRecoveryStatus": "DISABLED"}
            return
        assert described["EarliestRestorableDateTime"] == self.record.earliest(now)
        assert described["LatestRestorableDateTime"] == self.record.latest(now)

    @invariant()
    def the_table_holds_what_it_should(self) -> None:
        if hasattr(self, "record"):
            assert contents(self.client, self.name) == self.record.items


def live(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        TableLife,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_restore_is_what_the_record_says() -> None:
    live(examples=12, steps=25)


@pytest.mark.soak
def test_a_restore_is_what_the_record_says_at_length() -> None:
    live(examples=200, steps=60)


def test_the_comparison_notices_a_lost_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that forgets what was deleted must not pass."""
    observe = History.observe

    def forgetful(self: History, change: Any) -> None:
        if change.new is not None:
            observe(self, change)

    monkeypatch.setattr(History, "observe", forgetful)
    life = TableLife()
    life.begin()
    try:
        life.recovery_on(None)
        life.put("a", "1", None)
        life.nap(301)
        life.delete("a")
        life.nap(301)
        with pytest.raises(AssertionError, match="'a': '1'"):
            life.restore(pick=2, carry_on=False)
    finally:
        life.teardown()
