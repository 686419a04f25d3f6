"""What a global cluster and its members may be told, and what is refused; nobody changes places here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator.rds.databases import ONE, OTHER, REGION, World, refused
from tests.simulator.rds.test_global_clusters import PRIMARY, THIRD, made


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with made() as world:
        yield world


def test_members_are_not_deleted(shared: World) -> None:
    with refused("InvalidGlobalClusterStateFault", "primary member of global cluster"):
        shared.rds().delete_db_cluster(DBClusterIdentifier="shop", SkipFinalSnapshot=True)
    with refused("InvalidDBClusterStateFault", "Cannot delete the last instance of the master cluster"):
        shared.rds().delete_db_instance(DBInstanceIdentifier="shop-writer")
    with refused("InvalidDBClusterStateFault", "remove it from globalcluster first"):
        shared.rds(region=OTHER).delete_db_cluster(DBClusterIdentifier="shop-copy", SkipFinalSnapshot=True)
    with refused("InvalidGlobalClusterStateFault", "is not empty"):
        shared.rds().delete_global_cluster(GlobalClusterIdentifier="world")


def test_the_lag_is_a_metric(shared: World) -> None:
    shared.pass_minutes(2)
    shared.write("shop", 1)
    failed = shared.now
    with shared.aws.region_down(REGION):
        shared.pass_minutes(5)
        found = (
            shared.aws.session(ONE)
            .client("cloudwatch", OTHER)
            .get_metric_statistics(
                Namespace="AWS/RDS",
                MetricName="AuroraGlobalDBRPOLag",
                Dimensions=[{"Name": "DBClusterIdentifier", "Value": "shop-copy"}],
                StartTime=shared.now - timedelta(minutes=3),
                EndTime=shared.now + timedelta(minutes=1),
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
        )
    assert len(found) >= 3
    assert {one["Timestamp"] - timedelta(milliseconds=one["Maximum"]) for one in found} == {failed}


@pytest.mark.parametrize(
    ("code", "words", "more"),
    [
        ("InvalidParameterCombination", "user name", {"MasterUsername": "app", "MasterUserPassword": "long-enough"}),
        ("InvalidParameterCombination", "database name", {"DatabaseName": "shop"}),
        ("InvalidParameterCombination", "cannot be encrypted", {"StorageEncrypted": True}),
        ("GlobalClusterNotFoundFault", "nowhere", {"GlobalClusterIdentifier": "nowhere"}),
    ],
)
def test_what_a_new_secondary_may_not_say(shared: World, code: str, words: str, more: dict[str, Any]) -> None:
    wanted = {"DBClusterIdentifier": "new", "Engine": "aurora-postgresql", "GlobalClusterIdentifier": "world"} | more
    with refused(code, words):
        shared.rds(region=THIRD).create_db_cluster(**wanted)


def test_the_password_of_a_secondary_is_its_primarys(shared: World) -> None:
    with refused("InvalidDBClusterStateFault", "that of its primary"):
        shared.rds(region=OTHER).modify_db_cluster(DBClusterIdentifier="shop-copy", MasterUserPassword="another-one-1")


def test_a_region_has_one_member(shared: World) -> None:
    with refused("InvalidParameterValue", "has a member in eu-central-1 already: shop-copy"):
        shared.rds(region=OTHER).create_db_cluster(
            DBClusterIdentifier="new", Engine="aurora-postgresql", GlobalClusterIdentifier="world"
        )


def test_made_described_changed_and_deleted(shared: World) -> None:
    rds = shared.rds()
    made = rds.create_global_cluster(
        GlobalClusterIdentifier="World-1", Engine="aurora-postgresql", DeletionProtection=True
    )["GlobalCluster"]
    assert made["GlobalClusterArn"] == f"arn:aws:rds::{ONE}:global-cluster:world-1"
    assert (made["Status"], made["GlobalClusterMembers"]) == ("available", [])
    with refused("GlobalClusterAlreadyExistsFault"):
        shared.rds(region=OTHER).create_global_cluster(GlobalClusterIdentifier="world-1", Engine="aurora-postgresql")
    with refused("InvalidParameterCombination", "disable deletion protection"):
        rds.delete_global_cluster(GlobalClusterIdentifier="world-1")
    with refused("GlobalClusterAlreadyExistsFault"):
        rds.modify_global_cluster(
            GlobalClusterIdentifier="world-1", NewGlobalClusterIdentifier="world", DeletionProtection=False
        )
    assert rds.describe_global_clusters(GlobalClusterIdentifier="world-1")["GlobalClusters"][0]["DeletionProtection"]
    rds.modify_global_cluster(
        GlobalClusterIdentifier="world-1", NewGlobalClusterIdentifier="world-2", DeletionProtection=False
    )
    found = shared.rds(region=OTHER).describe_global_clusters()["GlobalClusters"]
    assert [one["GlobalClusterIdentifier"] for one in found] == ["world", "world-2"]
    rds.delete_global_cluster(GlobalClusterIdentifier="world-2")
    with refused("GlobalClusterNotFoundFault"):
        rds.describe_global_clusters(GlobalClusterIdentifier="world-2")


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("InvalidParameterValue", {"GlobalClusterIdentifier": "two--hyphens", "Engine": "aurora-postgresql"}),
        ("InvalidParameterValue", {"Engine": "aurora-mysql"}),
        ("InvalidParameterValue", {}),
        ("DBClusterNotFoundFault", {"SourceDBClusterIdentifier": f"{PRIMARY}-2"}),
        ("InvalidDBClusterStateFault", {"SourceDBClusterIdentifier": PRIMARY}),
        ("InvalidParameterCombination", {"SourceDBClusterIdentifier": PRIMARY, "Engine": "aurora-postgresql"}),
    ],
)
def test_what_is_refused(shared: World, code: str, more: dict[str, Any]) -> None:
    with refused(code):
        shared.rds().create_global_cluster(**{"GlobalClusterIdentifier": "second"} | more)


def test_another_accounts_are_its_own(shared: World) -> None:
    shared.rds().create_global_cluster(GlobalClusterIdentifier="mine", Engine="aurora-postgresql")
    with refused("GlobalClusterNotFoundFault"):
        shared.rds("222222222222").describe_global_clusters(GlobalClusterIdentifier="mine")
    assert shared.rds("222222222222").describe_global_clusters()["GlobalClusters"] == []
