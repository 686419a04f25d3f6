"""Instances and clusters whose servers cannot be made or started: their states, their events, and what can be done."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from drills.errors import BeyondArchive, EngineError
from drills.simulator import SimulatedAWS
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.server import PostgresServer
from tests.simulator.rds.databases import PASSWORD, USER, World, refused

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world with an instance and a cluster that nothing of this may harm."""
    with SimulatedAWS(seed=1) as aws:
        world = World(aws)
        world.instance("sound")
        world.cluster("whole")
        yield world
        world.write("sound", 1)
        world.write("whole", 1)


def raising(trouble: Exception) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise trouble

    return refuse


def status(world: World, name: str) -> str:
    return str(world.rds().describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"])


def cluster_status(world: World, name: str) -> str:
    return str(world.rds().describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"])


def told(world: World, name: str, kind: str = "db-instance", **more: Any) -> list[str]:
    found = world.rds().describe_events(SourceIdentifier=name, SourceType=kind, **more)["Events"]
    assert all(one["EventCategories"] == ["failure"] for one in found)
    return [one["Message"] for one in found]


def create(world: World, name: str, **more: Any) -> None:
    world.rds().create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        DBName="shop",
        **more,
    )


def member(world: World, cluster: str, name: str) -> None:
    world.rds().create_db_instance(
        DBInstanceIdentifier=name,
        DBClusterIdentifier=cluster,
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )


def delete(world: World, name: str) -> None:
    """It can be deleted, without a last snapshot."""
    with refused("InvalidDBInstanceState"):
        world.rds().delete_db_instance(DBInstanceIdentifier=name, FinalDBSnapshotIdentifier=f"{name}-last")
    world.rds().delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    world.rds().get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name)


@pytest.mark.parametrize(("name", "trouble"), [("unmade", EngineError("initdb ended with 1")), ("full", NO_SPACE)])
def test_an_instance_that_cannot_be_made_has_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, trouble: Exception
) -> None:
    monkeypatch.setattr(PostgresEngine, "create", raising(trouble))
    create(world, name)
    with pytest.raises(WaiterError, match='"failed"'):
        world.until_available(name)
    assert status(world, name) == "failed"
    assert told(world, name) == [f"Database instance put into failed. {trouble}"]
    with refused("InvalidDBInstanceState"):
        world.rds().reboot_db_instance(DBInstanceIdentifier=name)
    with refused("InvalidDBInstanceState"):
        world.rds().modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=True)
    world.pass_minutes(61)
    assert told(world, name) == []
    assert len(told(world, name, Duration=120)) == 1
    assert len(told(world, name, StartTime=world.now - timedelta(hours=3))) == 1
    delete(world, name)
    monkeypatch.undo()
    create(world, name)
    world.until_available(name)
    delete_quickly(world, name)


def delete_quickly(world: World, name: str) -> None:
    world.rds().delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    world.rds().get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name)


def test_a_cluster_that_cannot_be_made_has_failed_and_its_writer_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresEngine, "create", raising(EngineError("initdb ended with 1")))
    rds = world.rds()
    rds.create_db_cluster(
        DBClusterIdentifier="unmade", Engine="aurora-postgresql", MasterUsername=USER, MasterUserPassword=PASSWORD
    )
    member(world, "unmade", "unmade-writer")
    member(world, "unmade", "unmade-reader")
    with pytest.raises(WaiterError, match='"failed"'):
        rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier="unmade")
    with pytest.raises(WaiterError, match='"failed"'):
        world.until_available("unmade-writer")
    with pytest.raises(WaiterError, match='"failed"'):
        world.until_available("unmade-reader")
    assert told(world, "unmade", "db-cluster") == ["DB cluster put into failed. initdb ended with 1"]
    assert told(world, "unmade-writer") == ["Database instance put into failed. DB cluster unmade is failed."]
    for name in ("unmade-reader", "unmade-writer"):
        delete_quickly(world, name)
    rds.delete_db_cluster(DBClusterIdentifier="unmade", SkipFinalSnapshot=True)
    rds.get_waiter("db_cluster_deleted").wait(DBClusterIdentifier="unmade")


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        (EngineError("the disk is broken"), "restore-error"),
        (BeyondArchive("the log has lost its segment 5"), "incompatible-restore"),
    ],
)
def test_an_instance_that_cannot_be_restored_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: Exception, state: str
) -> None:
    monkeypatch.setattr(PostgresEngine, "restore", raising(trouble))
    world.rds().restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier="sound", TargetDBInstanceIdentifier="back", UseLatestRestorableTime=True
    )
    world.pass_minutes(600)
    assert status(world, "back") == state
    assert told(world, "back", Duration=600) == [f"Database instance put into {state}. {trouble}"]
    delete(world, "back")


def test_a_cluster_that_cannot_be_restored_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresEngine, "restore", raising(NO_SPACE))
    rds = world.rds()
    rds.restore_db_cluster_to_point_in_time(
        SourceDBClusterIdentifier="whole", DBClusterIdentifier="back", RestoreType="copy-on-write"
    )
    with pytest.raises(WaiterError, match='"incompatible-restore"'):
        rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier="back")
    rds.delete_db_cluster(DBClusterIdentifier="back", SkipFinalSnapshot=True)
    rds.get_waiter("db_cluster_deleted").wait(DBClusterIdentifier="back")


def parameter(name: str, value: str) -> dict[str, str]:
    return {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}


TOO_MUCH = parameter("shared_buffers", "1073741823")
"""Eight TB, which the API takes and no server here can have."""
GOOD = parameter("shared_buffers", "4096")


def shown(world: World, name: str) -> Any:
    with world.connected(name) as connection:
        return connection.execute("SHOW shared_buffers").fetchone()[0]


@pytest.mark.parametrize(
    ("name", "wrong"), [("huge", TOO_MUCH), ("nonsense", parameter("log_min_messages", "nonsense"))]
)
def test_a_new_instance_with_parameters_that_the_engine_refuses(world: World, name: str, wrong: dict[str, str]) -> None:
    rds = world.rds()
    rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily="postgres17", Description="x")
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[wrong])
    create(world, name, DBParameterGroupName=name, BackupRetentionPeriod=1)
    with pytest.raises(WaiterError, match='"incompatible-parameters"'):
        world.until_available(name)
    (message,) = told(world, name)
    assert message.startswith("Database instance put into incompatible-parameters. ")
    assert "shared memory" in message or "log_min_messages" in message
    with refused("InvalidDBInstanceState"):
        rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=True)
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    with pytest.raises(WaiterError, match='"incompatible-parameters"'):
        world.until_available(name)
    rds.reset_db_parameter_group(
        DBParameterGroupName=name,
        Parameters=[{"ParameterName": wrong["ParameterName"], "ApplyMethod": "pending-reboot"}],
    )
    rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[GOOD])
    rds.reboot_db_instance(DBInstanceIdentifier=name)
    world.until_available(name)
    assert shown(world, name) == "32MB"
    world.pass_minutes(10)
    assert rds.describe_db_instance_automated_backups(DBInstanceIdentifier=name)["DBInstanceAutomatedBackups"]
    delete_quickly(world, name)
    rds.delete_db_parameter_group(DBParameterGroupName=name)


def test_an_instance_that_is_rebooted_into_parameters_that_the_engine_refuses(world: World) -> None:
    rds = world.rds()
    rds.create_db_parameter_group(DBParameterGroupName="odd", DBParameterGroupFamily="postgres17", Description="x")
    world.instance("odd", DBParameterGroupName="odd")
    world.write("odd", 7)
    rds.modify_db_parameter_group(DBParameterGroupName="odd", Parameters=[TOO_MUCH])
    rds.reboot_db_instance(DBInstanceIdentifier="odd")
    with pytest.raises(WaiterError, match='"incompatible-parameters"'):
        world.until_available("odd")
    rds.modify_db_parameter_group(DBParameterGroupName="odd", Parameters=[GOOD])
    rds.reboot_db_instance(DBInstanceIdentifier="odd")
    world.until_available("odd")
    assert shown(world, "odd") == "32MB"
    assert world.rows("odd") == [7]
    delete_quickly(world, "odd")
    rds.delete_db_parameter_group(DBParameterGroupName="odd")


def test_a_cluster_with_parameters_that_the_engine_refuses_is_told_by_its_writer(world: World) -> None:
    rds = world.rds()
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="odd", DBParameterGroupFamily="aurora-postgresql17", Description="x"
    )
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="odd", Parameters=[TOO_MUCH])
    rds.create_db_cluster(
        DBClusterIdentifier="odd",
        Engine="aurora-postgresql",
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        DatabaseName="shop",
        DBClusterParameterGroupName="odd",
    )
    member(world, "odd", "odd-writer")
    with pytest.raises(WaiterError, match='"incompatible-parameters"'):
        world.until_available("odd-writer")
    world.pass_minutes(60)
    assert cluster_status(world, "odd") == "available"
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="odd", Parameters=[GOOD])
    rds.reboot_db_instance(DBInstanceIdentifier="odd-writer")
    world.until_available("odd-writer")
    assert shown(world, "odd") == "32MB"
    delete_quickly(world, "odd-writer")
    rds.delete_db_cluster(DBClusterIdentifier="odd", SkipFinalSnapshot=True)
    rds.get_waiter("db_cluster_deleted").wait(DBClusterIdentifier="odd")


def test_what_does_not_start_again_has_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.instance("lost")
    world.rds().stop_db_instance(DBInstanceIdentifier="lost")
    world.pass_minutes(60)
    assert status(world, "lost") == "stopped"
    monkeypatch.setattr(PostgresServer, "start", raising(EngineError("Address already in use")))
    world.rds().start_db_instance(DBInstanceIdentifier="lost")
    with pytest.raises(WaiterError, match='"failed"'):
        world.until_available("lost")
    assert told(world, "lost") == ["Database instance put into failed. Address already in use"]
    delete(world, "lost")


def test_a_replica_and_a_reader_that_cannot_be_made_have_failed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PostgresServer, "standby", raising(NO_SPACE))
    world.rds().create_db_instance_read_replica(DBInstanceIdentifier="copy", SourceDBInstanceIdentifier="sound")
    member(world, "whole", "whole-reader")
    for name in ("copy", "whole-reader"):
        with pytest.raises(WaiterError, match='"failed"'):
            world.until_available(name)
        assert told(world, name, Duration=300) == [f"Database instance put into failed. {NO_SPACE}"]
        delete_quickly(world, name)
    assert (status(world, "sound"), cluster_status(world, "whole")) == ("available", "available")


def test_events_are_told_of_what_is_named_only(world: World) -> None:
    rds = world.rds()
    with refused("InvalidParameterCombination", "without source type"):
        rds.describe_events(SourceIdentifier="sound")
    assert told(world, "sound") == []
    failures = rds.describe_events(Duration=20_160, EventCategories=["failure"])["Events"]
    assert rds.describe_events(Duration=20_160, EventCategories=["backup"])["Events"] == []
    clusters = rds.describe_events(Duration=20_160, SourceType="db-cluster")["Events"]
    assert {one["SourceType"] for one in clusters} <= {"db-cluster"}
    assert len(clusters) <= len(failures)
