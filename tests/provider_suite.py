"""What every provider must do: import ``ProviderSuite`` into a test module that has a ``provider`` fixture.

What a provider cannot do it does not list among its capabilities; the suite asks for nothing that is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from drills.model import Estate, Location
from drills.providers.interface import Call, Provider, World
from drills.stores.rds_sessions import ssl_mode
from tests.small_drill import estate as small_estate

ROLES = ("production", "vault", "recovery")


class ProviderSuite:
    """Collected once for each provider."""

    @pytest.fixture
    def estate(self) -> Estate:
        return small_estate()

    @pytest.fixture
    def world(self, provider: Provider, estate: Estate) -> Iterator[World]:
        with provider.open(estate, seed=5) as world:
            yield world

    def table(self, world: World, estate: Estate, name: str = "drill-suite") -> Location:
        """A table in production."""
        at = estate.accounts["production"]
        world.client("dynamodb", "production", at.region).create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return Location("production", at.id, at.region, name)

    def test_it_says_who_it_is(self, provider: Provider) -> None:
        assert provider.name
        assert provider.grade in ("simulated", "sandbox")
        assert provider.capabilities

    def test_each_role_is_an_account_of_its_own(self, world: World, estate: Estate) -> None:
        for role in ROLES:
            account = estate.accounts[role]  # type: ignore[index]
            identity = world.client("sts", role, account.region).get_caller_identity()  # type: ignore[arg-type]
            assert identity["Account"] == account.id

    def test_one_role_does_not_see_anothers_tables(self, world: World, estate: Estate) -> None:
        at = self.table(world, estate)
        for role in ("vault", "recovery"):
            client = world.client("dynamodb", role, at.region)
            assert at.name not in client.list_tables()["TableNames"]

    def test_every_call_is_told_once_with_its_error(self, world: World, estate: Estate) -> None:
        heard: list[Call] = []
        world.listen(heard.append)
        at = self.table(world, estate)
        client = world.client("dynamodb", "production", at.region)
        with pytest.raises(ClientError):
            client.describe_table(TableName="drill-nowhere")
        assert [(call.service, call.operation, call.resource, call.error) for call in heard] == [
            ("dynamodb", "CreateTable", at.name, None),
            ("dynamodb", "DescribeTable", "drill-nowhere", "ResourceNotFoundException"),
        ]
        assert {(call.role, call.account, call.region) for call in heard} == {("production", at.account, at.region)}

    def test_the_clock_moves_and_a_schedule_ends(self, world: World) -> None:
        begun = world.clock.now()
        ticks: list[float] = []
        world.every(60, lambda: ticks.append((world.clock.now() - begun).total_seconds()), lambda: len(ticks) == 3)
        world.clock.sleep(600)
        assert ticks == [60, 120, 180]
        assert (world.clock.now() - begun).total_seconds() == 600

    def test_what_is_to_be_done_later_is_done_once_while_the_clock_is_waited_by(self, world: World) -> None:
        begun = world.clock.now()
        done: list[float] = []
        world.later(90, lambda: done.append((world.clock.now() - begun).total_seconds()))
        assert done == []
        world.clock.sleep(60)
        world.clock.sleep(600)
        assert done == [90]

    def test_a_region_that_is_down_answers_nobody(self, world: World, estate: Estate) -> None:
        at = self.table(world, estate)
        elsewhere = world.client("dynamodb", "production", estate.accounts["recovery"].region)
        world.region_down(at.region)
        with pytest.raises((BotoCoreError, ClientError)):
            world.client("dynamodb", "production", at.region).describe_table(TableName=at.name)
        with pytest.raises((BotoCoreError, ClientError)):
            world.client("sqs", "vault", at.region).list_queues()
        assert elsewhere.list_tables()["TableNames"] == []

    def test_a_closed_account_is_out_of_reach_and_the_others_are_not(self, world: World, estate: Estate) -> None:
        at = self.table(world, estate)
        world.close_account("production")
        for region in (at.region, estate.accounts["recovery"].region):
            with pytest.raises((BotoCoreError, ClientError)):
                world.client("dynamodb", "production", region).list_tables()
        vault = estate.accounts["vault"]
        assert world.client("dynamodb", "vault", vault.region).list_tables()["TableNames"] == []

    def test_modelled_durations_are_kept_apart_by_grade(self, provider: Provider, world: World, estate: Estate) -> None:
        at = self.table(world, estate)
        begun = world.clock.now()
        world.reckon("dynamodb", at, estate.stores[0].production)
        world.modelled("dynamodb.refill", at.name, estate.stores[0].production)
        passed = (world.clock.now() - begun).total_seconds()
        told = [duration for duration in world.modelled_durations() if duration.operation == "dynamodb.refill"]
        if provider.grade == "simulated":
            assert passed == pytest.approx(told[0].seconds)
            assert told[0].p95_seconds > told[0].p50_seconds > 600
        else:
            assert told == []

    def nobody_answers(self, endpoint: Any) -> None:
        """Asked only on this machine: a name of AWS's is not."""
        at = {"host": endpoint["Address"], "port": endpoint["Port"]}
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**at, dbname="books", user="suite", password="suite-password", connect_timeout=5)

    def test_databases_are_there_as_far_as_it_says(self, provider: Provider, world: World, estate: Estate) -> None:
        at, name = estate.accounts["production"], "drill-suite"
        rds = world.client("rds", "production", at.region)
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="suite",
            MasterUserPassword="suite-password",
            DBName="books",
        )
        world.clock.sleep(1200)
        endpoint = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["Endpoint"]
        if "rds" not in provider.capabilities:
            # Nothing serves that name, and why nothing of a database can be proved here is said.
            if ssl_mode(endpoint["Address"]) != "require":
                self.nobody_answers(endpoint)
            assert all(reason for what, reason in provider.lacks.items() if what.startswith("rds"))  # type: ignore[attr-defined]
            assert not {one for one in provider.capabilities if one.startswith("rds")}
            return
        place = Location("production", at.id, at.region, name)
        with _connected(world, place, endpoint) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        world.close_account("production")
        with pytest.raises((BotoCoreError, psycopg.OperationalError)):
            _connected(world, place, endpoint)

    def test_nothing_is_left_behind(self, world: World) -> None:
        assert world.close() == ()


def _connected(world: World, at: Location, endpoint: Mapping[str, Any]) -> psycopg.Connection:
    """As the drill connects: asked first whether there is anything to reach."""
    world.reach(at)
    return psycopg.connect(
        host=endpoint["Address"], port=endpoint["Port"], user="suite", password="suite-password", dbname="books"
    )
