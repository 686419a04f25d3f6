"""Tables that no record covers are counted and digested, whatever order their rows lie in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills.findings import unlisted_findings
from drills.stores import LEFT_OUT
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from tests.stores.database_site import PLAIN, database_site, filled, told

BESIDE = """
      CREATE SCHEMA "Odd one";
      CREATE TABLE "Odd one"."Rates of.today" (word text, rate numeric, at timestamptz, raw bytea);
      CREATE TABLE days (day date, n int) PARTITION BY RANGE (day);
      CREATE TABLE days_all PARTITION OF days DEFAULT;
      CREATE TABLE scratch (n int);
      CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM days;
"""


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    database = PLAIN.replace("    tables:", f"{BESIDE.lstrip(chr(10))}    unverified: [scratch]\n    tables:")
    assert BESIDE.strip() in database
    with database_site(tmp_path_factory.mktemp("unlisted") / "drill", database) as site:
        yield filled(site, 3)


def test_what_is_listed_and_partitions_are_not_among_them(workload: StoreWorkload) -> None:
    found = kind.unlisted(workload.site, workload.at)
    assert list(found) == ["Odd one.Rates of.today", "public.counted", "public.days", "public.scratch"]
    assert found["public.scratch"] == LEFT_OUT
    assert found["public.days"] == "0 rows, digest 0000000000000000"


def test_the_digest_tells_every_change_and_no_order(workload: StoreWorkload) -> None:
    site, at, name = workload.site, workload.at, "Odd one.Rates of.today"
    table = '"Odd one"."Rates of.today"'
    one = "('one', 1.10, '2026-01-05 09:00+00', '\\x00ff')"
    two = "('two', NULL, '2026-01-05 10:00+01', NULL)"
    seen = []
    for rows in (f"{one}, {two}", f"{two}, {one}", one, f"{one}, {one}", one.replace("1.10", "1.1"), f"{two}, {two}"):
        told(site, at, f"TRUNCATE {table}; INSERT INTO {table} VALUES {rows}")
        seen.append(kind.unlisted(site, at)[name])
    assert seen[0] == seen[1]
    assert len(set(seen)) == len(seen) - 1
    told(site, at, "ALTER DATABASE app SET TimeZone = 'Asia/Tokyo'")
    assert kind.unlisted(site, at)[name] == seen[-1]
    told(site, at, f"TRUNCATE {table}")


def test_what_became_of_them() -> None:
    same = {"a": "1 rows", "left": LEFT_OUT}
    assert unlisted_findings({}, {}, {}, "s") == []
    found = unlisted_findings(same | {"b": "1"}, same | {"b": "2"}, same | {"b": "2"}, "s")
    assert [(one.check, one.verdict) for one in found] == [("unlisted.b", "unknown"), ("unlisted", "pass")]
    assert found[0].observed == "1 when it was protected, 2 before the failure, 2 restored: nobody verifies it"
    assert found[1].observed == f"a: 1 rows; left: {LEFT_OUT}"
    (gone,) = unlisted_findings({"a": "1 rows"}, {"a": "1 rows"}, {}, "s")
    assert (gone.check, gone.verdict, gone.observed) == ("unlisted.a", "fail", "not there")
    (new,) = unlisted_findings({}, {}, {"c": "3 rows"}, "s")
    assert (new.verdict, new.expected) == ("fail", "as before the failure: not there")
