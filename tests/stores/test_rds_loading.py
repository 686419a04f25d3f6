"""All of a restored database is read once, by a master user who is no superuser, and nothing of that stays."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from drills.errors import ProtectionError
from drills.stores import rds_lent, rds_loading
from drills.stores.rds import kind
from drills.stores.rds_lent import Statement
from drills.workload import StoreWorkload
from tests.stores.database_site import DATABASE, asked, database_site, filled, told

MORE = """
      CREATE SCHEMA "Odd one";
      CREATE TABLE "Odd one"."Wide" (id integer PRIMARY KEY, words text);
      ALTER TABLE "Odd one"."Wide" ALTER words SET STORAGE EXTERNAL;
      INSERT INTO "Odd one"."Wide" SELECT n, repeat('x', 9000) FROM generate_series(1, 40) AS n;
      CREATE UNLOGGED TABLE scratch (id integer PRIMARY KEY);
      CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM "Odd one"."Wide";
      CREATE ROLE readers;
      CREATE ROLE closed;
      GRANT closed TO CURRENT_USER;
      CREATE TABLE private (id integer PRIMARY KEY);
      INSERT INTO private SELECT generate_series(1, 10);
      GRANT CREATE ON SCHEMA public TO closed;
      ALTER TABLE private OWNER TO closed;
      REVOKE CREATE ON SCHEMA public FROM closed;
      REVOKE closed FROM CURRENT_USER;
"""
RELATIONS = "SELECT oid::regclass::text FROM pg_class WHERE pg_relation_size(oid) > 0 AND relkind <> 'p'"


MAY = "has_table_privilege(c.oid, 'SELECT')"


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    database = DATABASE.replace("      CREATE ROLE readers;\n", MORE.lstrip("\n"))
    assert MORE.strip() in database
    with database_site(tmp_path_factory.mktemp("loading") / "drill", database) as site:
        made = filled(site, 20)
        told(site, made.at, "VACUUM ANALYZE")
        yield made


def sent(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    """What is read from now on."""
    every: list[Statement] = []
    send = rds_lent.send

    def kept(connection: psycopg.Connection, statement: Statement) -> None:
        every.append(statement)
        send(connection, statement)

    monkeypatch.setattr(rds_loading, "send", kept)
    return every


def test_every_block_is_read(workload: StoreWorkload, monkeypatch: pytest.MonkeyPatch) -> None:
    site, at = workload.site, workload.at
    every = sent(monkeypatch)
    sizes = "SELECT pg_database_size('shop') / 8192, pg_tablespace_size('pg_global') / 8192"
    ((own, shared),) = asked(site, at, sizes)
    found = kind.load(site, at)
    assert found["unread"] == []
    # What the server counts, but for some small files that are no relation's.
    assert own + shared - 40 < found["blocks"] <= own + shared
    oids = {one.text.partition("pg_prewarm(")[2].partition("::")[0] for one in every}
    assert found["relations"] == len(oids)
    names = {
        name for (name,) in asked(site, at, f"SELECT oid::regclass::text FROM pg_class WHERE oid IN ({','.join(oids)})")
    }
    assert names >= {name for (name,) in asked(site, at, RELATIONS)}
    assert names >= {
        '"Odd one"."Wide"',
        '"Odd one"."Wide_pkey"',
        "totals",
        "pg_largeobject",
        "private",
        "receipt_numbers",
    }
    toast = asked(site, at, """SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'Wide'""")[0][0]
    assert {toast, f"{toast}_index"} <= names
    assert {word for word in ("main", "fsm", "vm", "init") if any(f"'{word}'" in one.text for one in every)} == {
        "main", "fsm", "vm", "init",
    }  # fmt: skip


def test_in_pieces(workload: StoreWorkload, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kind.load(workload.site, workload.at)
    every = sent(monkeypatch)
    monkeypatch.setattr(rds_loading, "BLOCKS_AT_ONCE", 3)
    assert kind.load(workload.site, workload.at) == whole
    assert all(last - first < 3 for first, last in map(_range, every))
    assert sum(last - first + 1 for first, last in map(_range, every)) == whole["blocks"]


def _range(statement: Statement) -> tuple[int, int]:
    first, last = statement.text.rstrip(")").split(", ")[-2:]
    return int(first), int(last)


def test_what_is_others_is_read_by_a_right_that_is_lent(
    workload: StoreWorkload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on servers whose master user reads no more than what it was granted."""
    site, at = workload.site, workload.at
    every = sent(monkeypatch)
    monkeypatch.setattr(
        rds_loading,
        "RELATIONS",
        rds_loading.RELATIONS.replace(MAY, "c.relowner <> 'closed'::regrole AND c.oid <> 'pg_authid'::regclass"),
    )
    members = "SELECT roleid::regrole, member::regrole, grantor::regrole FROM pg_auth_members ORDER BY 1, 2, 3"
    before = asked(site, at, members)
    found = kind.load(site, at)
    assert {role for one in every for role in one.roles} == {"closed"}
    assert found["unread"] == ["pg_authid"]
    assert asked(site, at, members) == before
    # What nobody can be lent is no catalogue where it holds the application's data.
    large = rds_loading.RELATIONS.replace("c.oid <> 'pg_authid'::regclass", "c.oid <> 'pg_largeobject'::regclass")
    monkeypatch.setattr(rds_loading, "RELATIONS", large)
    with pytest.raises(ProtectionError, match="the server refused: permission denied to grant role"):
        kind.load(site, at)
    assert asked(site, at, members) == before


def test_nothing_of_it_is_left(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    there = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_prewarm'"
    settings = kind.settings(site, at)
    kind.load(site, at)
    assert asked(site, at, there) == [(0,)]
    assert kind.settings(site, at) == settings
    told(site, at, 'CREATE EXTENSION pg_prewarm SCHEMA "Odd one"')
    kind.load(site, at)
    assert asked(site, at, there) == [(1,)]
    told(site, at, "DROP EXTENSION pg_prewarm")


def test_a_server_that_refuses_is_told_of(workload: StoreWorkload, monkeypatch: pytest.MonkeyPatch) -> None:
    site, at = workload.site, workload.at
    with monkeypatch.context() as patch:
        patch.setattr(rds_loading, "BLOCKS_AT_ONCE", 3)
        patch.setattr(
            rds_loading,
            "RELATIONS",
            rds_loading.RELATIONS.replace(
                "ORDER BY c.oid, fork", "UNION ALL SELECT 1, 'gone', 'closed', true, false, 'main', 1"
            ),
        )
        with pytest.raises(ProtectionError, match="the server refused: could not open relation"):
            kind.load(site, at)
    # No right of its own to make one.
    told(
        site,
        at,
        "CREATE FUNCTION public.pg_prewarm(regclass, text, text, int8, int8) RETURNS int8 LANGUAGE sql AS 'SELECT 1'",
    )
    try:
        with pytest.raises(ProtectionError, match=r"server refused: function .*pg_prewarm.* already exists"):
            kind.load(site, at)
    finally:
        told(site, at, "DROP FUNCTION public.pg_prewarm(regclass, text, text, int8, int8)")
    assert asked(site, at, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_prewarm'") == [(0,)]


def test_a_limit_on_queries_does_not_end_it(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    told(site, at, "ALTER ROLE CURRENT_USER SET statement_timeout = 1")
    try:
        assert kind.load(site, at)["blocks"]
    finally:
        told(site, at, "SET statement_timeout = 0; ALTER ROLE CURRENT_USER RESET statement_timeout")
