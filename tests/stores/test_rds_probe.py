"""What is missing or broken within a database is named by its settings, and found by the probe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from drills.findings import setting_findings
from drills.model import JSON, Finding, Location
from drills.stores import rds_sessions
from drills.stores.rds import kind
from drills.workload import StoreWorkload
from tests.stores.database_site import (
    by_check,
    database_site,
    filled,
    inventory,
    told,
)


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    """A seeded database. Tests leave it as they found it."""
    with database_site(tmp_path_factory.mktemp("within") / "drill") as site:
        yield filled(site, 20)


def differing(workload: StoreWorkload, expected: Mapping[str, JSON], at: Location | None = None) -> dict[str, Finding]:
    """The findings on settings that are not as expected, by setting."""
    found = setting_findings(expected, kind.settings(workload.site, at or workload.at), "s")
    return {finding.check.removeprefix("settings."): finding for finding in found if finding.verdict == "fail"}


# --- Within the database ---------------------------------------------------------------------------------------------

BROKEN = [
    ("DROP EXTENSION pg_trgm CASCADE", {"extensions", "indexes"},
     "CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX payments_email ON payments USING gin (email gin_trgm_ops)"),
    ("ALTER ROLE shop_payments RESET statement_timeout", {"database_settings"}, ""),
    ("REVOKE readers FROM shop_payments", {"roles"}, "GRANT readers TO shop_payments"),
    ("REVOKE UPDATE ON payments FROM shop_payments", {"grants"}, "GRANT UPDATE ON payments TO shop_payments"),
    ("ALTER TABLE payments ALTER amount DROP NOT NULL", {"tables", "constraints"},
     "ALTER TABLE payments ALTER amount SET NOT NULL"),
    ("ALTER TYPE payment_state ADD VALUE 'lost'", {"types"}, None),
    ("ALTER SEQUENCE receipt_numbers INCREMENT 7", {"sequences"}, "ALTER SEQUENCE receipt_numbers INCREMENT 1"),
    ("CREATE VIEW stray AS SELECT 1", {"views", "grants"}, "DROP VIEW stray"),
    ("CREATE FUNCTION stray() RETURNS int RETURN 1", {"functions", "grants"}, "DROP FUNCTION stray"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "settings", "undo"), BROKEN, ids=[one[0][:30] for one in BROKEN])
def test_what_is_missing_within_is_named(
    workload: StoreWorkload, statement: str, settings: set[str], undo: str | None
) -> None:
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    told(site, at, statement)
    assert differing(workload, before).keys() == {f"database.{word}" for word in settings}
    if undo is not None:
        kind.reconfigure(site, at, before)
        told(site, at, undo)
        assert kind.settings(site, at) == before


def test_extensions_and_settings_within_are_put_back(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = {
        **kind.settings(site, at),
        "database.extensions": {**kind.settings(site, at)["database.extensions"], "btree_gin": "1.3", "no_such": "1"},
        "database.database_settings": {"database work_mem": "5MB", "role shop_payments search_path": '"$user", public'},
    }
    kind.reconfigure(site, at, before)
    after = kind.settings(site, at)
    assert after["database.extensions"]["btree_gin"] == "1.3"
    assert "no_such" not in after["database.extensions"], "noted, and left to be found"
    assert after["database.database_settings"] == before["database.database_settings"], "what there was not is reset"
    told(site, at, "DROP EXTENSION btree_gin; ALTER DATABASE shop RESET work_mem")
    told(site, at, "ALTER ROLE shop_payments RESET search_path; ALTER ROLE shop_payments SET statement_timeout = '30s'")


# --- The probe -----------------------------------------------------------------------------------------------------

FAULTS = [
    ("sequences", "SELECT setval('receipt_numbers', 1, false)",
     "receipt_numbers gives 1 next, and payments.receipt_number has", "SELECT setval('receipt_numbers', 90000)"),
    ("constraints", "ALTER TABLE payment_lines ADD CONSTRAINT odd CHECK (quantity > 0) NOT VALID",
     "not validated: public.payment_lines.odd", "ALTER TABLE payment_lines DROP CONSTRAINT odd"),
    ("statistics", "CREATE TABLE stray AS SELECT 1 AS x", "1 of 5 without statistics of its own files: public.stray",
     "DROP TABLE stray"),
    ("application", "REVOKE DELETE ON payment_lines FROM shop_payments", "shop_payments lacks DELETE on payment_lines",
     "GRANT DELETE ON payment_lines TO shop_payments"),
    ("canary", "REVOKE DELETE ON payment_lines FROM shop_payments", "permission denied for table payment_lines",
     "GRANT DELETE ON payment_lines TO shop_payments"),
    ("canary", "CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS "
     "$$ BEGIN NEW.amount := 0.01; RETURN NEW; END $$;"
     "CREATE TRIGGER odd BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION odd()",
     "written, but it was not read back as it was written", "DROP FUNCTION odd CASCADE"),
    ("amcheck", "CREATE FUNCTION odd(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$;"
     "CREATE INDEX strange ON payment_lines (odd(sku)); INSERT INTO payments (payment_id, booked, amount, at) "
     "VALUES ('z', '2027-01-01', 1, now()); INSERT INTO payment_lines VALUES ('z', '2027-01-01', 1, 'zz', 1, 1);"
     "CREATE OR REPLACE FUNCTION odd(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT 'other ' || $1 $$",
     "public.strange: heap tuple", "DROP FUNCTION odd CASCADE; DELETE FROM payment_lines WHERE payment_id = 'z';"
     "DELETE FROM payments WHERE payment_id = 'z'"),
    ("large_objects", "INSERT INTO payments (payment_id, booked, amount, at, scan) "
     "VALUES ('z', '2027-01-01', 1, now(), 7)",
     "that payments.scan refers to are not there", "DELETE FROM payments WHERE payment_id = 'z'"),
    ("endpoint", "ALTER DATABASE shop SET default_transaction_read_only = on", "takes no writes: read only",
     "SET transaction_read_only = off; ALTER DATABASE shop RESET default_transaction_read_only"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "fault", "observed", "undo"), FAULTS, ids=[f"{one[0]}-{n}" for n, one in enumerate(FAULTS)]
)
def test_what_is_broken_is_found_by_its_own_check(
    workload: StoreWorkload, check: str, fault: str, observed: str, undo: str
) -> None:
    site, at = workload.site, workload.at
    if not inventory(workload):
        workload.seed(5)
    told(site, at, "ANALYZE")
    told(site, at, fault)
    rds_sessions.drop(site, at)
    try:
        finding = by_check(kind.probe(site, at))[f"database.{check}"]
    finally:
        told(site, at, undo)
        rds_sessions.drop(site, at)
    assert finding.verdict == "fail"
    assert observed in finding.observed
    after = by_check(kind.probe(site, at))
    assert after[f"database.{check}"].verdict == "pass"


def test_an_index_that_was_never_finished_is_found(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    told(site, at, "CREATE TABLE twins AS SELECT 1 AS x FROM generate_series(1, 2)")
    with pytest.raises(Exception, match="could not create unique index"):
        told(site, at, "CREATE UNIQUE INDEX CONCURRENTLY unfinished ON twins (x)")
    finding = by_check(kind.probe(site, at))["database.indexes"]
    told(site, at, "DROP TABLE twins")
    assert finding.verdict == "fail"
    assert "1 of 8 not valid: public.unfinished" in finding.observed
