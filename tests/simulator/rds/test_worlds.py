"""Names, ids and quotas of DB instances, and what is left of them: each test in a world of its own."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from drills.simulator import SimulatedAWS
from drills.simulator.state import current
from tests.simulator.rds.databases import ONE, OTHER, PASSWORD, REGION, TWO, USER, World, refused


def asked(name: str) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
    }


def test_resource_ids_are_unique_and_the_same_by_the_seed() -> None:
    def ids() -> list[str]:
        with SimulatedAWS(seed=3) as aws:
            rds = World(aws).rds()
            return [rds.create_db_instance(**asked(name))["DBInstance"]["DbiResourceId"] for name in ("a", "b")]

    first = ids()
    assert len(set(first)) == 2
    assert first == ids()


def test_a_name_is_taken_once_per_account_and_region_and_there_are_forty_instances() -> None:
    with SimulatedAWS(seed=1) as aws:
        world = World(aws)
        for number in range(40):
            world.rds().create_db_instance(**asked(f"one-{number}"))
        with refused("DBInstanceAlreadyExists"):
            world.rds().create_db_instance(**asked("ONE-1"))
        with refused("InstanceQuotaExceeded"):
            world.rds().create_db_instance(**asked("one-too-many"))
        world.rds(TWO).create_db_instance(**asked("one-1"))
        world.rds(ONE, OTHER).create_db_instance(**asked("one-1"))
        first = world.rds().describe_db_instances(MaxRecords=20)
        rest = world.rds().describe_db_instances(MaxRecords=100, Marker=first["Marker"])
        names = [one["DBInstanceIdentifier"] for one in first["DBInstances"] + rest["DBInstances"]]
        assert names == sorted(f"one-{number}" for number in range(40))
        assert "Marker" not in rest


def test_who_deletes_as_they_page_misses_none() -> None:
    with SimulatedAWS(seed=1) as aws:
        rds, names = World(aws).rds(), [f"group-{number:02}" for number in range(45)]
        for name in names:
            rds.create_global_cluster(GlobalClusterIdentifier=name, Engine="aurora-postgresql")
        shown = []
        for page in rds.get_paginator("describe_global_clusters").paginate(PaginationConfig={"PageSize": 20}):
            for one in page["GlobalClusters"]:
                shown.append(one["GlobalClusterIdentifier"])
                rds.delete_global_cluster(GlobalClusterIdentifier=shown[-1])
        assert shown == names
        with refused("InvalidParameterValue", "marker nothing is invalid"):
            rds.describe_global_clusters(Marker="nothing")


def test_the_log_files_of_an_instance_are_none() -> None:
    with SimulatedAWS(seed=1) as aws:
        rds = World(aws).rds()
        rds.create_db_instance(**asked("app"))
        assert rds.describe_db_log_files(DBInstanceIdentifier="app")["DescribeDBLogFiles"] == []
        with refused("DBInstanceNotFound"):
            rds.describe_db_log_files(DBInstanceIdentifier="nobody")


def test_a_move_of_the_clock_asks_only_what_there_is() -> None:
    with SimulatedAWS(seed=1) as aws:
        World(aws).rds().describe_db_instances()
        assert current().on_move == []
        World(aws).instance("app", BackupRetentionPeriod=0)
        assert len(current().on_move) > 0


def test_nothing_listens_after_the_simulation_has_been_left() -> None:
    with SimulatedAWS(seed=1) as aws:
        world = World(aws)
        world.instance("app", BackupRetentionPeriod=0)
        host, port = world.endpoint("app", ONE, REGION)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=host, port=port, user=USER, password=PASSWORD, dbname="shop")
