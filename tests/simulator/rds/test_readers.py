"""Readers of an Aurora cluster: at ports of their own, a moment behind; a failover to one loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from drills.simulator import SimulatedAWS
from tests.simulator.rds.databases import PASSWORD, USER, World, refused


@pytest.fixture
def world() -> Iterator[World]:
    with SimulatedAWS() as aws:
        world = World(aws)
        world.cluster("shop")
        world.rds().create_db_instance(
            DBInstanceIdentifier="shop-reader",
            DBClusterIdentifier="shop",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )
        world.until_available("shop-reader")
        yield world


def described(world: World) -> dict[str, Any]:
    return dict(world.rds().describe_db_clusters(DBClusterIdentifier="shop")["DBClusters"][0])


def writer(world: World) -> list[str]:
    return [one["DBInstanceIdentifier"] for one in described(world)["DBClusterMembers"] if one["IsClusterWriter"]]


def test_a_reader_is_a_moment_behind_and_takes_no_writes(world: World) -> None:
    world.write("shop", 1)
    assert world.rows("shop-reader") == []
    world.aws.clock.sleep(0.1)
    assert world.rows("shop-reader") == world.rows("shop") == [1]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        world.write("shop-reader", 2)
    host, port = described(world)["ReaderEndpoint"].rsplit(":", 1)
    with (
        psycopg.connect(host=host, port=port, user=USER, password=PASSWORD, dbname="shop") as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        connection.execute("INSERT INTO t VALUES (3)")


def test_a_failover_within_the_cluster_loses_nothing(world: World) -> None:
    with world.connected("shop") as session:
        world.write("shop", 1)
        world.rds().failover_db_cluster(DBClusterIdentifier="shop")
        assert described(world)["Status"] == "failing-over"
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        world.write("shop", 2)
    world.pass_minutes(1)
    assert (described(world)["Status"], writer(world)) == ("available", ["shop-reader"])
    world.write("shop", 2)
    world.write("shop-reader", 3)
    world.aws.clock.sleep(0.1)
    assert world.rows("shop-writer") == world.rows("shop-reader") == [1, 2, 3]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        world.write("shop-writer", 4)
    world.rds().failover_db_cluster(DBClusterIdentifier="shop", TargetDBInstanceIdentifier="shop-writer")
    world.pass_minutes(1)
    world.write("shop-writer", 4)


def test_what_cannot_be_failed_over_to_is_refused(world: World) -> None:
    with refused("InvalidDBInstanceState", "nobody"):
        world.rds().failover_db_cluster(DBClusterIdentifier="shop", TargetDBInstanceIdentifier="nobody")
    with refused("InvalidDBInstanceState", "shop-writer"):
        world.rds().failover_db_cluster(DBClusterIdentifier="shop", TargetDBInstanceIdentifier="shop-writer")
    world.rds().delete_db_instance(DBInstanceIdentifier="shop-reader", SkipFinalSnapshot=True)
    with refused("InvalidDBClusterStateFault", "no reader"):
        world.rds().failover_db_cluster(DBClusterIdentifier="shop")


def test_when_the_writer_is_deleted_a_reader_takes_its_place(world: World) -> None:
    world.write("shop", 1)
    world.rds().delete_db_instance(DBInstanceIdentifier="shop-writer", SkipFinalSnapshot=True)
    world.pass_minutes(10)
    assert writer(world) == ["shop-reader"]
    world.write("shop-reader", 2)
    assert world.rows("shop") == [1, 2]
