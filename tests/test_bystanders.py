"""Nothing that a drill did not make is touched, whatever its name and its tags say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from drills import engine
from drills.drill_plan import ScenarioUse
from drills.plugins import load_scenario
from drills.simulator import SimulatedAWS
from drills.stream_copy.production_side import function_code
from tests.bystanders import Bystander
from tests.small_drill import PRODUCTION, RECOVERY, TEXT, VAULT, ReachableProvider, drill, estate, failed

PLACES = (
    (PRODUCTION, "eu-west-1"),
    (PRODUCTION, "eu-north-1"),
    (VAULT, "eu-central-1"),
    (RECOVERY, "eu-north-1"),
)
EVERY_PROTECTION = TEXT.replace(
    "[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]",
    "[dynamodb_pitr, dynamodb_system_backup, dynamodb_backup: {every: 10m}, dynamodb_stream_copy]",
).replace("rpo: 5m", "rpo: 15m")
REPLICATED = TEXT.replace(
    "[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_global_table, dynamodb_stream_copy]"
)

COPY_ALONE = TEXT.replace("[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_stream_copy]")


def prefix(scenario: str, text: str) -> tuple[str, str]:
    """The id that a drill will have, and what the names of its resources begin with."""
    use = ScenarioUse(scenario, next(iter(load_scenario(scenario).variants), ""), load_scenario(scenario))
    found = engine.plan(estate(text), [use], ReachableProvider(), 3, records=40).drill.id
    return found, f"drill-{found[-6:]}"


@dataclass
class World:
    """The bystanders of one world, what was seen of them before the drill and after."""

    name: str
    drill_id: str
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    outages: list[Callable[[], None]] = field(default_factory=list)

    def settle(self, aws: SimulatedAWS) -> None:
        """Others' resources: similar names, the drill's names in other places, tags like the drill's."""
        region_down = aws.region_down

        def down(region: str) -> None:
            self.outages.append(region_down(region).end)

        mock.patch.object(aws, "region_down", down).start()
        names = (f"{self.name}-people-orders", f"{self.name}-peopl", f"{self.name}-people-copy2")
        tags = (
            {"drills:store": "people", "team": "accounts"},
            {"drills:drill": f"{self.drill_id}0", "drills:store": "people"},
            {"drills:drill": self.drill_id, "drills:store": "people"},
        )
        for account, region in PLACES:
            for name, given in zip(names, tags, strict=True):
                if (account, region) == (PRODUCTION, "eu-north-1"):
                    name = f"{name}-north"
                Bystander(aws, account, region, name, given).make_all()
        elsewhere = Bystander(aws, VAULT, "eu-west-1", f"{self.name}-people", {"drills:drill": self.drill_id})
        elsewhere.make_table()
        aws.clock.sleep(3600)
        self.before = self.seen(aws)

    def look_again(self, aws: SimulatedAWS) -> None:
        for end in self.outages:
            end()
        aws.reopen_account(PRODUCTION)
        self.after = self.seen(aws)

    def seen(self, aws: SimulatedAWS) -> dict[str, str]:
        found: dict[str, str] = {}
        for account, region in (*PLACES, (VAULT, "eu-west-1")):
            found |= Bystander(aws, account, region, "", {}).seen()
        return found


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        ("bulk_erase", EVERY_PROTECTION),
        ("table_deletion", EVERY_PROTECTION),
        ("region_outage", REPLICATED),
        ("account_loss", REPLICATED),
    ],
)
def test_nothing_of_others_is_touched(tmp_path: Path, scenario: str, text: str) -> None:
    drill_id, name = prefix(scenario, text)
    world = World(name, drill_id)
    try:
        report, _ = drill(tmp_path, scenario, text=text, before=world.settle, after=world.look_again)
    finally:
        mock.patch.stopall()
    assert report.drill.id == drill_id
    assert report.verdict == "pass", failed(report)
    assert len(world.before) > 60
    for what, before in world.before.items():
        assert world.after.get(what) == before, what


Make = Callable[[SimulatedAWS, str, str], None]


def _copys_table(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, VAULT, "eu-central-1", f"{name}-people-copy", {"drills:drill": drill_id}).make_table()


def _copys_markers(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, VAULT, "eu-central-1", f"{name}-people-copy-markers", {}).make_table()


def _copys_bucket(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, VAULT, "eu-central-1", "", {}).make_bucket(f"{name}-people-copy-{VAULT}")


def _copys_writer(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, VAULT, "eu-central-1", f"{name}-people-copy-writer", {"drills:drill": drill_id}).make_role()


def _functions_role(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people-copy-function", {}).make_role()


def _function(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", "somebody", {}).make_role()
    Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people-copy", {}).make_function("somebody", function_code())


def _queue(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people-copy-given-up", {}).make_queue()


def _heartbeat(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people-copy-heartbeat", {}).make_rule()


def _alarm(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people-copy-lag", {}).make_alarm()


def _store(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people", {"drills:drill": drill_id}).make_table()


def _restored(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    at = Bystander(aws, PRODUCTION, "eu-west-1", f"{name}-people-from-dynamodb-stream-copy", {"drills:drill": drill_id})
    at.make_table()


def _location(aws: SimulatedAWS, name: str, drill_id: str) -> None:
    Bystander(aws, PRODUCTION, "eu-west-1", "", {}).make_parameter(f"/{name}-people/location")


@pytest.mark.parametrize(
    "make",
    [
        _copys_table,
        _copys_markers,
        _copys_bucket,
        _copys_writer,
        _functions_role,
        _function,
        _queue,
        _heartbeat,
        _alarm,
        _store,
    ],
)
def test_what_has_the_very_name_is_neither_adopted_nor_deleted(tmp_path: Path, make: Make) -> None:
    """The drill fails and says whose it is; the module that is deleted takes nothing of others with it."""
    left_alone(tmp_path, make, COPY_ALONE + "modules:\n  people: [people, people/dynamodb_stream_copy]\n")


@pytest.mark.parametrize("make", [_restored, _location])
def test_what_has_the_name_that_a_recovery_needs_is_left_alone(tmp_path: Path, make: Make) -> None:
    left_alone(tmp_path, make, COPY_ALONE)


def left_alone(tmp_path: Path, make: Make, text: str) -> None:
    drill_id, name = prefix("table_deletion", text)
    world = World(name, drill_id)

    def settle(aws: SimulatedAWS) -> None:
        make(aws, name, drill_id)
        aws.clock.sleep(60)
        world.before = world.seen(aws)

    report, _ = drill(tmp_path, "table_deletion", text=text, before=settle, after=world.look_again)
    assert report.verdict != "pass"
    assert world.before
    for what, before in world.before.items():
        assert world.after.get(what) == before, what
    told = " ".join(finding.observed for finding in failed(report).values())
    assert re.search(r"drill-\w+-people", told)
