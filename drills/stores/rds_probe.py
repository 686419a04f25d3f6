"""Whether a database answers as the application needs: a canary's transaction, and what a restore may leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from drills.errors import DrillError
from drills.model import Finding, Location, Verdict
from drills.ownership import DRILL_TAG
from drills.records import MadeRecords, make_records
from drills.site import Site
from drills.stores import rds_sql as sql
from drills.stores.rds_application import is_kept, log_in, logs_in
from drills.stores.rds_catalog import CLASS_NAME, FROM_CLASS, IN_CLASS
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_reading import read_one
from drills.stores.rds_records import aggregate, encoded, key_text
from drills.stores.rds_secret import secret_name
from drills.stores.rds_sequences import behind
from drills.stores.rds_sessions import driver, kept
from drills.stores.rds_types import LARGE_OBJECT
from drills.stores.rds_writing import delete_aggregate, put_aggregate, transaction

if TYPE_CHECKING:
    from psycopg import Connection

CANARY = 1_000_000_007
"""The number of the record that the canary is: no workload makes so many."""
NAMED = 5

Answer = tuple[Verdict, str, int]
"""Verdict, what was observed, and how many records or objects were looked at."""


def probe_database(site: Site, at: Location) -> list[Finding]:
    """A finding for every question; what the server does not let us ask is noted and left out."""
    probe = _Probe(site, at)
    questions: Sequence[tuple[str, str, Callable[[], Answer | None]]] = (
        ("endpoint", "connections to the endpoint, to a server that takes writes", probe.endpoint),
        ("application", "the application's role, with its rights on every table", probe.application),
        ("login", "the application logging in as it does, with the password that its secret has", probe.login),
        ("sequences", "every sequence ahead of the columns that it fills", probe.sequences),
        ("constraints", "every constraint validated", probe.constraints),
        ("indexes", "every index valid", probe.indexes),
        (
            "statistics",
            "statistics of every table, gathered since the server started with these files",
            probe.statistics,
        ),
        ("amcheck", "every B-tree index holding exactly what its table holds", probe.amcheck),
        ("large_objects", "every large object that a record refers to", probe.large_objects),
        # Last, as it takes the next number of every sequence.
        ("canary", "a record written, committed, read back and deleted, as the application does it", probe.canary),
    )
    findings = [probe.finding(f"database.{check}", expected, ask) for check, expected, ask in questions]
    return [finding for finding in findings if finding is not None]


class _Probe:
    """The questions to one database."""

    def __init__(self, site: Site, at: Location) -> None:
        self.site = site
        self.at = at
        self.config: DatabaseConfig = site.store.config

    def finding(self, check: str, expected: str, ask: Callable[[], Answer | None]) -> Finding | None:
        verdict: Verdict
        try:
            answer = ask()
        except (DrillError, driver().Error) as error:
            # What the server refuses to the probe it refuses to the application too.
            verdict, observed, covered = "fail", str(error).strip().partition("\n")[0], 0
        except Exception as error:  # noqa: BLE001 - a check that crashes says so and leaves the others standing.
            verdict, observed, covered = "unknown", f"{type(error).__name__}: {error}", 0
        else:
            if answer is None:
                return None
            verdict, observed, covered = answer
        return Finding(check, verdict, self.site.store.name, expected, observed, covered)

    @property
    def connection(self) -> Connection:
        return kept(self.site, self.at)

    def rows(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()

    def endpoint(self) -> Answer:
        ((replica, read_only),) = self.rows(
            "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')"
        )
        if replica or read_only == "on":
            return (
                "fail",
                "it answers, and takes no writes: " + ("it follows another server" if replica else "read only"),
                0,
            )
        return "pass", "it answers and takes writes", 0

    def application(self) -> Answer | None:
        role = self.config.application
        if role is None:
            return None
        if not self.rows(f"SELECT FROM pg_roles WHERE rolname = '{role}'"):
            return "fail", f"no role {role}", 0
        lacking = [
            f"{right} on {table}"
            for table in self.config.tables
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
            if self.rows(f"SELECT has_table_privilege('{role}', '{sql.table_name(table)}', '{right}')") != [(True,)]
        ]
        if lacking:
            return "fail", f"{role} lacks {_named(lacking)}", len(self.config.tables)
        return "pass", f"{role} has its rights on {len(self.config.tables)} tables", len(self.config.tables)

    def login(self) -> Answer | None:
        role = self.config.application
        if role is None or not logs_in(self.site, self.at):
            return None  # Whether it should is told by the roles among the settings.
        if DRILL_TAG not in self.site.tags and not is_kept(self.site, self.at):
            reason = "the secret does not say how the application logs in, and its password was left as it is"
            self.site.note("probe.left_out", check="database.login", reason=reason)
            return None
        with log_in(self.site, self.at) as connection:
            ((user,),) = connection.execute("SELECT session_user").fetchall()
        verdict: Verdict = "pass" if user == role else "fail"
        return verdict, f"{user} logs in with what the secret {secret_name(self.at)} says", 0

    # --- The canary

    def canary(self) -> Answer:
        if not isinstance(self.site.store.records, MadeRecords):
            return "unknown", "the estate does not say how to make a record that is not there yet", 0
        record = make_records(self.site.store.records, 0, self.site.clock.now()).record(CANARY)
        key = key_text(self.config, record)
        rows = aggregate(self.config, record)
        if read_one(self.connection, self.config, key) is not None:
            return "fail", f"there is a record {key} already; expected none of that key", 1
        missed = []
        try:
            with transaction(self.site, self.at) as cursor:
                put_aggregate(cursor, self.config, rows)
            found = read_one(self.connection, self.config, key)
            if found is None or found.item != encoded(self.config, rows):
                missed.append("it was not read back as it was written")
            with transaction(self.site, self.at) as cursor:
                delete_aggregate(cursor, self.config, key)
            if read_one(self.connection, self.config, key) is not None:
                missed.append("it is still there once deleted")
        finally:
            # A canary that stayed would be a record too many.
            with suppress(DrillError, driver().Error), transaction(self.site, self.at) as cursor:
                delete_aggregate(cursor, self.config, key)
        if missed:
            return "fail", "written, but " + " and ".join(missed), 1
        return "pass", "written, committed, read back and deleted", 1

    # --- What a restore may have left behind

    def sequences(self) -> Answer:
        lagging, looked_at = behind(self.connection)
        if lagging:
            return "fail", _named([str(one) for one in lagging]), looked_at
        return "pass", f"{looked_at} of them ahead" if looked_at else "no column is filled by a sequence", looked_at

    def constraints(self) -> Answer:
        found = self.rows(
            f"SELECT {CLASS_NAME} || '.' || o.conname, o.convalidated FROM pg_constraint o "
            f"JOIN {FROM_CLASS} ON c.oid = o.conrelid WHERE {IN_CLASS} ORDER BY 1"
        )
        return _all(found, "not validated")

    def indexes(self) -> Answer:
        found = self.rows(
            f"SELECT {CLASS_NAME}, i.indisvalid AND i.indisready AND i.indislive FROM {FROM_CLASS} "
            f"JOIN pg_index i ON i.indexrelid = c.oid WHERE {IN_CLASS} ORDER BY 1"
        )
        return _all(found, "not valid")

    def statistics(self) -> Answer:
        found = self.rows(
            f"SELECT {CLASS_NAME}, c.reltuples >= 0 AND coalesce(s.last_analyze, s.last_autoanalyze) IS NOT NULL "
            f"FROM {FROM_CLASS} LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid "
            f"WHERE c.relkind IN ('r', 'm', 'p') AND {IN_CLASS} ORDER BY 1"
        )
        return _all(found, "without statistics of its own files")

    def amcheck(self) -> Answer | None:
        """In a transaction that is rolled back: the extension may not be among those that the estate has."""
        errors = driver().errors
        connection = self.connection
        if not self.rows("SELECT FROM pg_available_extensions WHERE name = 'amcheck'"):
            self.site.note("probe.left_out", check="database.amcheck", reason="the server does not have the extension")
            return None
        indexes = self.rows(BTREES)
        corrupt: list[str] = []
        connection.execute("BEGIN")
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA public")
            for oid, name in indexes:
                corrupt += self._checked(connection, oid, name)
        except errors.InsufficientPrivilege as error:
            self.site.note("probe.left_out", check="database.amcheck", reason=str(error).strip())
            return None
        finally:
            connection.execute("ROLLBACK")
        if corrupt:
            return "fail", _named(corrupt), len(indexes)
        return "pass", f"{len(indexes)} indexes hold what their tables hold", len(indexes)

    def _checked(self, connection: Connection, oid: int, name: str) -> Iterator[str]:
        errors = driver().errors
        connection.execute("SAVEPOINT checked")
        try:
            connection.execute(f"SELECT {AMCHECK}({oid}::regclass, true)")
        except (errors.DataCorrupted, errors.IndexCorrupted, errors.InternalError) as error:
            connection.execute("ROLLBACK TO SAVEPOINT checked")
            yield f"{name}: {str(error).strip().partition(chr(10))[0]}"

    def large_objects(self) -> Answer | None:
        if not self.config.has_large_objects:
            return None
        lacking = []
        looked_at = 0
        for table, rows in self.config.tables.items():
            names = [name for name, type_ in rows.columns.items() if type_.word == LARGE_OBJECT]
            for name in names:
                ((count, missing, _),) = self.rows(
                    f'SELECT count(t."{name}"), count(t."{name}") FILTER (WHERE m.oid IS NULL), '
                    f"sum(CASE WHEN m.oid IS NOT NULL THEN octet_length(lo_get(m.oid, 0, 1)) END) "
                    f'FROM {sql.table_name(table)} AS t LEFT JOIN pg_largeobject_metadata AS m ON m.oid = t."{name}"'
                )
                looked_at += count
                if missing:
                    lacking.append(f"{missing:,} of {count:,} that {table}.{name} refers to are not there")
        if lacking:
            return "fail", _named(lacking), looked_at
        return "pass", f"{looked_at:,} there and readable", looked_at


AMCHECK = "public.bt_index_check"
BTREES = f"""
SELECT c.oid::bigint, {CLASS_NAME} FROM {FROM_CLASS} JOIN pg_index i ON i.indexrelid = c.oid
JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relkind = 'i' AND i.indisvalid
AND c.relpersistence = 'p' AND {IN_CLASS} ORDER BY 2"""


def _all(found: Sequence[tuple[str, bool]], word: str) -> Answer:
    wrong = [name for name, right in found if not right]
    if wrong:
        return "fail", f"{len(wrong)} of {len(found)} {word}: {_named(wrong)}", len(found)
    return "pass", f"all {len(found)}" if found else "there are none", len(found)


def _named(what: Sequence[str]) -> str:
    more = len(what) - NAMED
    return "; ".join(what[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
