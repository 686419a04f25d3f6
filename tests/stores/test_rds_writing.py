"""Writes to a database, and what bugs do to it: what is certainly not there, and what nobody knows of."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest

from drills.errors import ProtectionError, UsageError
from drills.model import Write
from drills.stores import Refused, rds_writing
from drills.stores.rds import kind
from drills.stores.rds_making import migrate
from drills.workload import StoreWorkload
from tests.stores.database_site import (
    PLAIN,
    asked,
    database_site,
    describe,
    filled,
    inventory,
    plain_client,
    told,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    with database_site(tmp_path_factory.mktemp("plain") / "drill", PLAIN) as site:
        yield filled(site, 50)


@pytest.fixture
def seeded(plain: StoreWorkload) -> StoreWorkload:
    """The plain database as it was seeded, whatever a test before did to it."""
    told(plain.site, plain.at, "DROP TABLE IF EXISTS things; DROP OWNED BY app; DROP ROLE app")
    migrate(plain.site, plain.at)
    config = plain.site.store.config
    made = [plain._maker.record(n) for n in range(50)]
    kind.seed(
        plain.site,
        plain.at,
        [kind.outgoing(config, one) for one in made],
    )
    return plain


def test_a_record_that_the_server_refuses_while_many_are_copied_is_told(
    seeded: StoreWorkload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches before it are there, none after it is, and the connection goes on."""
    monkeypatch.setattr(rds_writing, "BATCH", 3)
    config = seeded.site.store.config
    made = [record(id=f"M-{n}", word=f"many {n}", value=13 if n == 4 else 50) for n in range(12)]
    turn = sys.getswitchinterval()
    with pytest.raises(psycopg.errors.CheckViolation):
        kind.seed(seeded.site, seeded.at, (kind.outgoing(config, one) for one in made))
    assert {key for key in inventory(seeded) if key.startswith("M-")} == {"M-0", "M-1", "M-2"}
    assert sys.getswitchinterval() == turn
    write(seeded)


def record(**values: Any) -> dict[str, Any]:
    return {"id": "K-900", "value": 50, "word": "w", **values}


def write(workload: StoreWorkload, **values: Any) -> None:
    made = record(**values)
    config = workload.site.store.config
    item = Write(1, kind.key_of(config, made), "put", kind.encode(config, made), 0, None)
    kind.write(workload.site, workload.at, item, kind.outgoing(config, made).payload)


@pytest.mark.parametrize("values", [{"value": 13}, {"word": "word 3"}], ids=["at its statement", "at COMMIT"])
def test_what_the_server_refuses_is_certainly_not_there(seeded: StoreWorkload, values: dict[str, Any]) -> None:
    before = inventory(seeded)
    with pytest.raises(Refused, match="refused"):
        write(seeded, **values)
    assert inventory(seeded) == before
    write(seeded)
    assert inventory(seeded).keys() - before.keys() == {"K-900"}, "the connection goes on"


def test_a_connection_that_the_server_ended_is_opened_anew(seeded: StoreWorkload) -> None:
    write(seeded)
    ended = asked(
        seeded.site,
        seeded.at,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'drills'",
    )
    assert ended == [(True,)]
    write(seeded, value=52)
    assert orjson.loads(inventory(seeded)["K-900"])["value"] == 52


def test_a_connection_that_is_cut_before_commit_is_a_refusal(seeded: StoreWorkload) -> None:
    told(
        seeded.site,
        seeded.at,
        """CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE TRIGGER cut AFTER INSERT ON things FOR EACH ROW EXECUTE FUNCTION cut()""",
    )
    with pytest.raises(Refused, match="before it was committed"):
        write(seeded)
    told(seeded.site, seeded.at, "DROP FUNCTION cut CASCADE")
    assert "K-900" not in inventory(seeded)


def test_an_answer_to_commit_that_is_lost_leaves_the_write_open(seeded: StoreWorkload) -> None:
    """The server ends the connection while it carries out COMMIT: what a client sees says nothing about the write."""
    told(
        seeded.site,
        seeded.at,
        """CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION cut()""",
    )
    with pytest.raises(psycopg.OperationalError) as error:
        write(seeded)
    assert not isinstance(error.value, Refused)
    before = seeded.sent.unanswered
    seeded._rng.seed(1)
    while seeded.sent.unanswered == before:
        seeded.write_once()
    assert next(entry for entry in reversed(list(seeded.ledger)) if entry.item).acknowledged_us is None
    told(seeded.site, seeded.at, "DROP FUNCTION cut CASCADE")
    write(seeded)


@pytest.mark.parametrize(
    ("variant", "touched", "left"),
    [("all", 50, 0), ("versions", 50, 0), ("truncate", 50, 0), ("prefix", 50, 0), ("filter", 22, 28)],
)
def test_bugs_delete_what_they_say(seeded: StoreWorkload, variant: str, touched: int, left: int) -> None:
    assert kind.damage(seeded.site, seeded.at, variant) == touched
    assert len(inventory(seeded)) == left


def test_a_wrong_prefix_leaves_the_others(seeded: StoreWorkload) -> None:
    write(seeded, id="L-1")
    assert kind.damage(seeded.site, seeded.at, "prefix") == 50
    assert list(inventory(seeded)) == ["L-1"]


def test_a_bug_overwrites_one_column_that_takes_it(seeded: StoreWorkload) -> None:
    """All words alike would break the constraint on them, so that the bug is one of the other column's."""
    before = {key: orjson.loads(item) for key, item in inventory(seeded).items()}
    assert kind.damage(seeded.site, seeded.at, "overwrite") == 50
    after = {key: orjson.loads(item) for key, item in inventory(seeded).items()}
    assert after == {key: {**one, "value": 0} for key, one in before.items()}


def test_a_dropped_table_is_gone_and_writes_are_refused(seeded: StoreWorkload) -> None:
    assert kind.damage(seeded.site, seeded.at, "drop_table") == 50
    with pytest.raises(Refused, match='relation "things" does not exist'):
        write(seeded)
    with pytest.raises(psycopg.errors.UndefinedTable):
        inventory(seeded)
    told(seeded.site, seeded.at, "CREATE TABLE things (id text)")


def test_a_bug_that_there_is_not_is_named(plain: StoreWorkload) -> None:
    with pytest.raises(UsageError, match=r"damage 'some' of store 'pay_ments': expected one of all, filter, prefix"):
        kind.damage(plain.site, plain.at, "some")


def test_what_somebody_else_made_is_neither_damaged_nor_destroyed(seeded: StoreWorkload) -> None:
    site, at = seeded.site, seeded.at
    rds, arn = plain_client(site, at), describe(site, at)["DBInstanceArn"]
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["drills:drill"])
    try:
        for deed in (
            lambda: kind.damage(site, at, "all"),
            lambda: kind.destroy(site, at),
            lambda: kind.reconfigure(site, at, {}),
            lambda: kind.erase(site, at, ["K-001"]),
        ):
            with pytest.raises(ProtectionError, match=r"expected the tag drills:drill=test-1"):
                deed()
    finally:
        rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "drills:drill", "Value": "test-1"}])
    assert len(inventory(seeded)) == 50


def test_a_taken_name_is_left_alone(plain: StoreWorkload) -> None:
    with pytest.raises(ProtectionError, match="expected the name to be free, found a database"):
        kind.provision(plain.site)
    assert kind.take_name(lambda service, region: None, plain.at) is False
