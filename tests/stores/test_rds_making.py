"""A database made and destroyed, each in accounts of its own."""

from __future__ import annotations

import gc
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from drills.errors import EngineError, ProtectionError
from drills.simulator.postgres.engine import PostgresEngine
from drills.stores import rds_sessions
from drills.stores.rds import identifier, kind
from drills.stores.rds_secret import read_secret
from tests.stores.database_site import (
    AURORA,
    DATABASE,
    PLAIN,
    as_ledger_says,
    asked,
    aws,
    database_site,
    filled,
    inventory,
    plain_client,
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("value integer CHECK (value <> 13)", "value bigint"), "expected column 'value' of table 'things' to be of "
         "type integer, as 'tables' says, found bigint in the schema"),
        (("word text)", "woord text)"), 'expected its schema to run on an empty postgres, and the server refused: '
         'column "word" named in key does not exist'),
        (("CREATE TABLE things", "CREATE EXTENSION strange; CREATE TABLE things"), "set PGBIN to the programs of a "
         "PostgreSQL that has it"),
        (("CREATE TABLE things", "CREATE TABLE thing5"), 'relation "things" does not exist'),
        (("value: integer,", "value: integer, other: text,"), "expected the schema to make table 'things' with the "
         "columns that 'tables' names, and it does not: column \"other\" does not exist"),
    ],
)  # fmt: skip
def test_a_schema_that_does_not_fit_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with database_site(tmp_path / "drill", PLAIN.replace(*change)) as site, pytest.raises(ProtectionError) as error:
        kind.provision(site)
    assert message in str(error.value)


def test_writes_are_refused_while_the_region_is_down(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill", PLAIN) as site:
        workload = filled(site, 3)
        workload.write_once()
        outage = aws(site).region_down("eu-west-1")
        for _ in range(3):
            workload.write_once()
        assert workload.sent.rejected == 3
        assert workload.sent.unanswered == 0
        outage.end()
        workload.write_once()
        assert workload.sent.acknowledged == 2
        assert inventory(workload) == as_ledger_says(workload)


def test_erasing_deletes_rows_lines_and_large_objects(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill") as site:
        workload = filled(site, 12)
        keys = list(inventory(workload))
        kind.erase(site, workload.at, [*keys[:6], keys[0], "never there"])
        assert list(inventory(workload)) == keys[6:]
        left = f"SELECT count(*) FROM payment_lines WHERE payment_id <= '{keys[5]}'"
        assert asked(site, workload.at, left) == [(0,)]
        scans = asked(site, workload.at, "SELECT count(scan) FROM payments")
        assert asked(site, workload.at, "SELECT count(*) FROM pg_largeobject_metadata") == scans
        assert kind.purge_expired(site, workload.at) == 0


def test_connections_end_with_their_site(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill", PLAIN) as site:
        workload = filled(site, 1)
        held = rds_sessions._kept[id(site)][workload.at]
        assert rds_sessions.kept(site, workload.at) is held
        key = id(site)
        del site, workload
    gc.collect()
    assert held.closed
    assert key not in rds_sessions._kept


@pytest.mark.parametrize("database", [DATABASE, AURORA], ids=["instance", "cluster"])
def test_destroying_takes_protection_members_backups_and_secret(tmp_path: Path, database: str) -> None:
    with database_site(tmp_path / "drill", database) as site:
        at = kind.provision(site)
        rds = plain_client(site, at)
        password = read_secret(site, at)["password"]
        kind.destroy(site, at)
        kind.destroy(site, at)
        assert rds.describe_db_instances()["DBInstances"] == []
        with pytest.raises(ClientError, match="NotFound"):
            kind.settings(site, at)
        assert rds.describe_db_clusters()["DBClusters"] == []
        assert rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"] == []
        assert plain_client(site, at, "secretsmanager").list_secrets()["SecretList"] == []
    assert password not in (tmp_path / "drill" / "history.jsonl").read_text()


@pytest.mark.parametrize(
    "name", ["drill-1234-pay_ments-from-rds-automated-backup", "9lives", "a" * 90, "Ünïcode--x", "-", "payments"]
)
def test_identifiers_are_valid_and_as_many_as_names(name: str) -> None:
    found = identifier(name)
    assert found == identifier(name)
    assert len(found) <= 63 - len("-parameters")
    assert found[0].isalpha()
    assert found[-1] != "-"
    assert "--" not in found
    assert all(one.isascii() and (one.isalnum() or one == "-") for one in found)
    assert found == name if name == "payments" else found not in (identifier(f"{name}x"), identifier(f"{name}-"))


@pytest.mark.parametrize("described", [DATABASE, AURORA], ids=["instance", "cluster"])
def test_a_database_that_cannot_be_made_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, described: str
) -> None:
    def create(*_: object) -> None:
        raise EngineError("initdb ended with 1")

    monkeypatch.setattr(PostgresEngine, "create", create)
    with database_site(tmp_path / "drill", described) as site:
        began = site.clock.now()
        with pytest.raises(
            ProtectionError, match=r"in the state failed\. Look at its events in RDS; it can only be del"
        ):
            kind.provision(site)
        assert site.clock.now() - began < timedelta(hours=1)


def test_parameters_that_the_engine_refuses_are_not_waited_for(tmp_path: Path) -> None:
    wrong = DATABASE.replace("work_mem: 8192", "shared_buffers: 1073741823")
    with (
        database_site(tmp_path / "drill", wrong) as site,
        pytest.raises(
            ProtectionError, match=r"in the state incompatible-parameters\. .* change it in the parameter gr"
        ),
    ):
        kind.provision(site)
