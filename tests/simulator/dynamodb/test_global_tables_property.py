"""Writes at random in three regions, clocks moved and regions down at random: everywhere the last writer's item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulator.dynamodb.ground import Ground, contents, make_table, simulated, wait_until_active

REGIONS = ("eu-west-1", "eu-north-1", "us-east-1")
KEYS = ("a", "b", "c")
QUIET_SECONDS = 3600

Step = tuple[Any, ...]
regions = st.sampled_from(REGIONS)
writes = st.tuples(st.just("put"), regions, st.sampled_from(KEYS))
deletes = st.tuples(st.just("delete"), regions, st.sampled_from(KEYS))
moves = st.tuples(st.just("sleep"), st.sampled_from((0.0, 0.05, 0.4, 0.8, 1.5, 30.0)))
outages = st.tuples(st.just("down"), regions)
ends = st.tuples(st.just("up"), regions)
steps = st.lists(st.one_of(writes, writes, deletes, moves, outages, ends), max_size=40)


class Model:
    """A global table and what must come of it: for each key the write that is last by time, region and order."""

    def __init__(self, ground: Ground) -> None:
        assert ground.aws is not None
        self.aws = ground.aws
        self.ground = ground
        self.clients = {region: ground.client(region) for region in REGIONS}
        self.down: dict[str, Any] = {}
        self.last: dict[str, tuple[tuple[Any, ...], str | None]] = {}
        self.written: dict[str, dict[str, int]] = {region: {} for region in REGIONS}
        """By region and key, how many values were put there: they are ``region/1``, ``region/2`` and so on."""
        self.order = 0
        home = self.clients[REGIONS[0]]
        make_table(home)
        for region in REGIONS[1:]:
            home.update_table(TableName="orders", ReplicaUpdates=[{"Create": {"RegionName": region}}])
            wait_until_active(ground, home, "orders")

    def carry_out(self, step: Step) -> None:
        kind, where, *rest = step
        if kind == "sleep":
            self.ground.sleep(where)
        elif kind == "down":
            if where not in self.down:
                self.down[where] = self.aws.region_down(where)
        elif kind == "up":
            outage = self.down.pop(where, None)
            if outage is not None:
                outage.end()
        elif where not in self.down:
            self.write(kind, where, *rest)

    def write(self, kind: str, region: str, key: str) -> None:
        self.order += 1
        version = (self.ground.now(), region, self.order)
        client = self.clients[region]
        if kind == "put":
            number = self.written[region].get(key, 0) + 1
            self.written[region][key] = number
            value = f"{region}/{number}"
            client.put_item(TableName="orders", Item={"id": {"S": key}, "value": {"S": value}})
        else:
            if key not in contents(client, "orders"):
                return  # Deleting what is not there is no change, so it does not replicate.
            value = None
            client.delete_item(TableName="orders", Key={"id": {"S": key}})
        if key not in self.last or version > self.last[key][0]:
            self.last[key] = (version, value)

    def let_it_be_quiet(self) -> None:
        while self.down:
            self.down.popitem()[1].end()
        self.ground.sleep(QUIET_SECONDS)

    def expected(self) -> dict[str, str]:
        return {key: value for key, (_, value) in self.last.items() if value is not None}

    def seen(self, region: str) -> dict[tuple[str, str], list[int]]:
        """By key and region of origin, the numbers of the values in the order in which the stream shows them."""
        arn = self.clients[region].describe_table(TableName="orders")["Table"]["LatestStreamArn"]
        streams = self.ground.client(region, "dynamodbstreams")
        found: dict[tuple[str, str], list[int]] = {}
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            for record in streams.get_records(ShardIterator=iterator)["Records"]:
                image = record["dynamodb"].get("NewImage")
                if image is not None:
                    origin, _, number = image["value"]["S"].partition("/")
                    found.setdefault((image["id"]["S"], origin), []).append(int(number))
        return found


def check(steps: list[Step], seed: int) -> None:
    with simulated(durations="drawn" if seed else "p50") as ground:
        model = Model(ground)
        for step in steps:
            model.carry_out(step)
        model.let_it_be_quiet()
        for region in REGIONS:
            assert contents(model.clients[region], "orders") == model.expected(), region
            for (key, origin), numbers in model.seen(region).items():
                assert numbers == sorted(set(numbers)), f"{key} of {origin} as seen in {region}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.integers(0, 1))
def test_all_regions_end_with_the_last_writers_items(steps: list[Step], seed: int) -> None:
    check(steps, seed)


@pytest.mark.soak
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.integers(0, 1))
def test_all_regions_end_with_the_last_writers_items_at_length(steps: list[Step], seed: int) -> None:
    check(steps, seed)
