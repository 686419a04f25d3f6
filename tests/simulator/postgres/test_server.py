"""One server: who may come in, what it keeps over a stop, its parameters and extensions."""

from __future__ import annotations

import os

import psycopg
import pytest

from drills.errors import EngineError
from drills.simulator.capabilities import MISSING
from drills.simulator.postgres import making
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.extensions import FROM_VERSION
from drills.simulator.postgres.interface import Credentials, Engine
from drills.simulator.postgres.server import PostgresServer
from tests.simulator.postgres.shop import MASTER, connect, sell, sold


def one(server: PostgresServer, statement: str) -> object:
    with connect(server) as connection:
        row = connection.execute(statement).fetchone()
        assert row is not None
        return row[0]


def test_an_engine_is_what_the_simulated_rds_asks_for(engine: PostgresEngine) -> None:
    asked: Engine = engine
    assert asked.name == "postgres"
    assert asked.version.split(".")[0].isdigit()


def test_the_master_user_comes_in_by_password_only(server: PostgresServer) -> None:
    assert one(server, "SELECT current_database() || ' ' || current_user") == "shop clerk"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, Credentials("clerk", "wrong"))
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        connect(server, Credentials("rdsadmin", ""))


def test_the_master_user_is_no_superuser_but_makes_roles_and_databases(server: PostgresServer) -> None:
    assert one(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    with connect(server) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'r'")
        connection.execute("GRANT pg_monitor, rds_superuser TO reader")
        connection.execute("CREATE DATABASE second OWNER clerk")
        connection.execute("CREATE DATABASE third TEMPLATE template0")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'cat'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER ROLE rdsadmin PASSWORD 'mine'")
    with connect(server, Credentials("reader", "r"), "second") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with connect(server, database="postgres") as connection:
        connection.execute("CREATE TABLE public.notes (id int)")


def test_trusted_extensions_can_be_created(server: PostgresServer) -> None:
    with connect(server) as connection:
        for name in ("hstore", "citext", "pg_trgm", "btree_gist"):
            connection.execute(f"CREATE EXTENSION {name}")
        assert connection.execute("SELECT 'a=>1'::hstore -> 'a', 'Ä'::citext = 'ä'").fetchone() == ("1", True)


def test_so_can_those_that_a_managed_database_opens(engine: PostgresEngine, server: PostgresServer) -> None:
    if int(engine.version.split(".")[0]) < FROM_VERSION:
        pytest.skip(f"PostgreSQL {engine.version} looks for extensions in one folder only")
    with connect(server) as connection:
        connection.execute("CREATE EXTENSION amcheck")
        connection.execute("SELECT bt_index_check('sales_pkey', true)")
        connection.execute("CREATE EXTENSION postgres_fdw")
        connection.execute("CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw")
        connection.execute("CREATE EXTENSION pg_stat_statements")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE EXTENSION file_fdw")


@pytest.mark.skipif("PGBIN" in os.environ, reason="another PostgreSQL may have them")
@pytest.mark.parametrize("extension", ["pgcrypto", "uuid-ossp"])
def test_what_is_declared_missing_is_not_there(server: PostgresServer, extension: str) -> None:
    assert extension in MISSING["rds.extensions"]
    with connect(server) as connection, pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute(f'CREATE EXTENSION "{extension}"')


def test_a_password_is_changed_and_is_in_no_log(server: PostgresServer) -> None:
    renewed = Credentials("clerk", "renewed-and-secret")
    server.set_password(renewed)
    with pytest.raises(psycopg.OperationalError):
        connect(server)
    with connect(server, renewed) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(EngineError, match='role "nobody_here" does not exist'):
        server.set_password(Credentials("nobody_here", "lost-secret"))
    told = (server.folder / "log").read_text()
    assert renewed.password not in told
    assert "lost-secret" not in told
    server.set_password(MASTER)


def test_a_server_keeps_its_address_and_rows_over_a_stop(server: PostgresServer) -> None:
    address = server.address
    sell(server, 1)
    server.stop()
    assert not server.running
    with pytest.raises(psycopg.OperationalError):
        connect(server)
    server.stop()
    server.start()
    server.start()
    assert server.address == address
    assert sold(server) == [1]


def test_a_power_cut_loses_nothing_that_was_acknowledged(server: PostgresServer) -> None:
    with connect(server) as connection:
        connection.execute("INSERT INTO sales VALUES (1, 'acknowledged')")
        open_ended = connect(server)
        open_ended.execute("BEGIN; INSERT INTO sales VALUES (2, 'never')")
        server.stop(at_once=True)
        open_ended.close()
    server.start()
    assert sold(server) == [1]


def test_a_server_that_died_by_itself_can_be_started(server: PostgresServer) -> None:
    sell(server, 1)
    note = (server.data / "postmaster.pid").read_text().splitlines()
    os.kill(int(note[0]), 3)
    server._process.wait()  # type: ignore[union-attr]
    assert not server.running
    with pytest.raises(EngineError, match="is stopped"):
        server.image()
    server.start()
    assert sold(server) == [1]


def test_parameters_apply_or_wait_for_a_restart(server: PostgresServer) -> None:
    assert server.set_parameters({"work_mem": "7MB", "max_connections": "55"}) == ["max_connections"]
    assert one(server, "SHOW work_mem") == "7MB"
    assert one(server, "SHOW max_connections") == "40"
    server.stop()
    server.start()
    assert one(server, "SHOW max_connections") == "55"
    assert server.set_parameters({"max_connections": "55"}) == []
    assert one(server, "SHOW work_mem") == "4MB"
    assert server.set_parameters({}) == ["max_connections"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("work_mem", "8QB", "invalid value"), ("no_such", "1", "unrecognized"), ("port", "1", "engine's own")],
)
def test_a_parameter_that_is_refused_changes_nothing(server: PostgresServer, name: str, value: str, told: str) -> None:
    with pytest.raises(EngineError, match=f"Parameter {name} .*{told}"):
        server.set_parameters({"cpu_tuple_cost": "5", name: value})
    server.stop()
    server.start()
    assert one(server, "SHOW cpu_tuple_cost") == "0.01"


def test_settings_for_all_sessions_do_not_reach_the_engine(server: PostgresServer) -> None:
    server.set_parameters(
        {"default_transaction_read_only": "on", "statement_timeout": "1", "synchronous_commit": "off"}
    )
    server.stop()
    server.start()
    server.set_password(MASTER)
    assert server.image().position <= server.position()


def test_a_master_user_that_cannot_be_is_refused(engine: PostgresEngine) -> None:
    with pytest.raises(EngineError, match='role "rdsadmin" already exists'):
        engine.create(Credentials("rdsadmin", "x"), None)
    with pytest.raises(EngineError, match="reserved"):
        engine.create(Credentials("pg_me", "x"), None)
    made = {path.name for path in engine.folder.glob("s*")}
    assert made == {server.folder.name for server in engine._place.servers if server.running}


def test_strange_names_are_names(engine: PostgresEngine) -> None:
    strange = Credentials('x"; DROP ROLE y; --', "p")
    server = engine.create(strange, 'a "b" c')
    with connect(server, strange, 'a "b" c') as connection:
        assert connection.execute("SELECT current_user::text").fetchone() == (strange.user,)
    server.destroy()


def test_a_server_that_does_not_start_says_why(engine: PostgresEngine, server: PostgresServer) -> None:
    server.stop()
    (server.data / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EngineError, match=r"did not start\. It said: .*FATAL.*incompatible"):
        server.start()
    assert not server.running


def test_files_are_closed_to_others(server: PostgresServer, engine: PostgresEngine) -> None:
    for folder in (engine.folder, server.data, server.archive.folder):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_a_destroyed_server_is_gone(server: PostgresServer) -> None:
    server.destroy()
    server.destroy()
    assert not server.folder.exists()
    with pytest.raises(EngineError, match="was destroyed"):
        server.start()
    with pytest.raises(EngineError, match="was destroyed"):
        server.position()


def test_a_master_may_switch_triggers_off_and_others_may_not(server: PostgresServer) -> None:
    if server.place.version < 15:
        pytest.skip("PostgreSQL before 15 cannot grant a parameter")
    with connect(server) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("CREATE ROLE guest LOGIN")
        connection.execute("GRANT guest TO CURRENT_USER")
        connection.execute("SET ROLE guest")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET session_replication_role = origin")


def test_a_server_that_cannot_be_made_leaves_no_files(
    engine: PostgresEngine, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    image = server.image()
    before = sorted(one.name for one in engine.folder.iterdir())
    for step in ("copy_database", "free_port"):
        monkeypatch.setattr(making, step, full)
        with pytest.raises(OSError, match="No space left"):
            engine.create(MASTER, "shop")
        with pytest.raises(OSError, match="No space left"):
            engine.restore(image)
        if step == "free_port":  # The files of a standby are copied by its source.
            with pytest.raises(OSError, match="No space left"):
                server.standby()
        monkeypatch.undo()
    assert sorted(one.name for one in engine.folder.iterdir()) == before
    image.discard()
