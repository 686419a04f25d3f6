"""Servers behind endpoints follow outages and closed accounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from drills.simulator import SimulatedAWS
from drills.simulator.rds.state import databases
from tests.simulator.rds.databases import ONE, OTHER, PASSWORD, REGION, USER, World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with SimulatedAWS(seed=1) as aws:
        world = World(aws)
        world.instance("here", BackupRetentionPeriod=0)
        world.instance("there", region=OTHER, BackupRetentionPeriod=0)
        yield world


def connected(host: str, port: int) -> Any:
    return psycopg.connect(host=host, port=port, user=USER, password=PASSWORD, dbname="shop", autocommit=True)


def test_a_region_that_is_down_drops_its_clients_and_no_others(world: World) -> None:
    address, other = world.endpoint("here", ONE, REGION), world.endpoint("there", ONE, OTHER)
    world.write("here", 1)
    with connected(*address) as session, connected(*other) as elsewhere, world.aws.region_down(REGION):
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            connected(*address)
        assert elsewhere.execute("SELECT 1").fetchone() == (1,)
    with connected(*address) as session:
        assert session.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_what_was_not_committed_is_lost_with_the_region_and_what_was_is_not(world: World) -> None:
    address = world.endpoint("here", ONE, REGION)
    with connected(*address) as session:
        session.execute("INSERT INTO t VALUES (10)")
        session.execute("BEGIN")
        session.execute("INSERT INTO t VALUES (11)")
        with world.aws.region_down(REGION), pytest.raises(psycopg.OperationalError):
            session.execute("COMMIT")
    assert 10 in world.rows("here")
    assert 11 not in world.rows("here")


def test_the_databases_of_a_closed_account_are_out_of_reach_until_it_is_reopened(world: World) -> None:
    address = world.endpoint("here", ONE, REGION)
    world.aws.close_account(ONE)
    with pytest.raises(psycopg.OperationalError):
        connected(*address)
    world.aws.reopen_account(ONE)
    connected(*address).close()


def test_an_outage_holds_what_is_under_way_and_a_stopped_one_stays_so(world: World) -> None:
    rds = world.rds()
    rds.stop_db_instance(DBInstanceIdentifier="here")
    world.pass_minutes(5)
    address = world.endpoint("here", ONE, REGION)
    with world.aws.region_down(REGION):
        world.pass_minutes(60)
    with pytest.raises(psycopg.OperationalError):
        connected(*address)
    rds.start_db_instance(DBInstanceIdentifier="here")
    world.pass_minutes(1)
    with world.aws.region_down(REGION):
        world.pass_minutes(60)
    status = rds.describe_db_instances(DBInstanceIdentifier="here")["DBInstances"][0]["DBInstanceStatus"]
    assert status == "starting"
    world.until_available("here")
    connected(*address).close()


def test_positions_are_noted_as_the_clock_moves(world: World) -> None:
    volume = databases().of(ONE, REGION).instances["here"].volume
    assert volume is not None
    world.pass_minutes(1)
    before, at = world.now, volume.positions.at(world.now)
    world.write("here", 20)
    world.pass_minutes(1)
    assert volume.positions.at(before) != at  # It was written at the end of that moment.
    after = volume.positions.at(world.now)
    world.pass_minutes(5)
    assert volume.positions.at(world.now) == after
