"""What is put back within a restored database: extensions, roles, settings, owners and grants, sequences, statistics.

A restore brings what there was as of its recovery point; what was changed since, or lost on the way, is made again from
what was written down before the failure. What cannot be (the definitions of tables and what hangs on them, the
passwords of roles but the application's) stays as it is and is a finding, with the server's reason where it refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from drills.findings import finding_as_json
from drills.model import JSON, Finding, Location
from drills.site import Site
from drills.stores.rds_catalog import read_catalog
from drills.stores.rds_defaults import defaults
from drills.stores.rds_grants import owners, rights
from drills.stores.rds_lent import Statement, quoted, send
from drills.stores.rds_sequences import behind
from drills.stores.rds_sessions import driver, kept

if TYPE_CHECKING:
    from psycopg import Connection

LISTS = frozenset({"search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces"})
"""Settings of several values. Source: PostgreSQL documentation, ALTER ROLE."""
NAMED = 5
ATTRIBUTES = {
    "login": "LOGIN",
    "superuser": "SUPERUSER",
    "createdb": "CREATEDB",
    "createrole": "CREATEROLE",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}
"""Of a role: as the catalogue says them, and as statements do."""


def put_back_within(site: Site, at: Location, settings: Mapping[str, JSON]) -> frozenset[str]:
    """Each step by itself: what the server refuses is noted, and stays as a difference to be found.

    Returns the roles that were made again.
    """
    within = _Within(site, kept(site, at), settings)
    within.put_back()
    within.tell()
    return frozenset(within.made)


class _Within:
    """One database that is being put in order."""

    def __init__(self, site: Site, connection: Connection, settings: Mapping[str, JSON]) -> None:
        self.site = site
        self.connection = connection
        self.wanted = settings
        self.made: list[str] = []
        self.refused: dict[str, list[str]] = {}

    def put_back(self) -> None:
        # What comes later may need what comes earlier: grants need their roles.
        for setting, statements in (
            ("extensions", self.extensions),
            ("roles", self.roles),
            ("database_settings", self.database_settings),
            ("grants", self.owners),
            ("grants", self.grants),
            ("grants", self.defaults),
            # Last, as who gives back what another role owns has to be a member of it.
            ("roles", self.memberships),
        ):
            now = read_catalog(self.connection)
            for statement in statements(self._of(self.wanted, setting), self._of(now, setting)):
                self._try(statement, f"database.{setting}")
        self.sequences()
        self.connection.execute("ANALYZE")

    @staticmethod
    def _of(settings: Mapping[str, JSON], setting: str) -> Mapping[str, str]:
        found: Mapping[str, str] = settings.get(f"database.{setting}", {})
        return found

    def _try(self, statement: Statement | str, setting: str) -> None:
        statement = Statement(statement) if isinstance(statement, str) else statement
        try:
            send(self.connection, statement)
        except driver().Error as error:
            told = str(error).strip()
            self.site.note("setting.refused", setting=setting, statement=statement.text, error=told)
            reason = told.partition("\n")[0]
            self.refused.setdefault(setting, []).append(f"{statement.text}: {reason}")

    def tell(self) -> None:
        """Findings on what stays as it is: what was refused and differs still, and roles that nobody can log in as."""
        store, now = self.site.store.name, read_catalog(self.connection) if self.refused else {}
        for setting, reasons in self.refused.items():
            if now.get(setting) != self.wanted.get(setting):
                expected = "the server making it again as it was"
                self._find(Finding(f"put_back.{setting}", "fail", store, expected, _named(reasons), len(reasons)))
        roles = self._of(self.wanted, "roles")
        shut = [
            name for name in self.made if "login" in _words(roles[name]) and name != self.site.store.config.application
        ]
        if shut:
            self._find(
                Finding(
                    "database.passwords",
                    "fail",
                    store,
                    "every role that logs in able to do so",
                    f"made again without a password: {_named(shut)}. PostgreSQL tells a master user of RDS no hash of "
                    "any: give each a new one (ALTER ROLE … PASSWORD), and its users the same",
                    len(shut),
                )
            )

    def _find(self, finding: Finding) -> None:
        self.site.note("check", finding=finding_as_json(finding))

    # --- Each of them: what should be, and what is

    def extensions(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
        for name, version in wanted.items():
            if name not in now:
                yield f"CREATE EXTENSION {quoted(name)} VERSION {_literal(version)} CASCADE"
            elif now[name] != version:
                yield f"ALTER EXTENSION {quoted(name)} UPDATE TO {_literal(version)}"

    def roles(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
        """Roles that are lacking are made, without a password; what differs is changed; those too many are left."""
        for name in wanted:
            if name not in now:
                self.made.append(name)
                self.site.note("role.made", role=name)
                yield f"CREATE ROLE {quoted(name)} NOLOGIN"
        for name, about in wanted.items():
            if about != now.get(name):
                if changes := _attributes(about, now.get(name, "")):
                    yield f"ALTER ROLE {quoted(name)} {' '.join(changes)}"
                lacking = _groups(about) - _groups(now.get(name, ""))
                yield from (f"GRANT {quoted(group)} TO {quoted(name)}" for group in sorted(lacking))

    def memberships(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
        """Those that there were not are ended."""
        for name, about in wanted.items():
            extra = _groups(now.get(name, "")) - _groups(about)
            yield from (f"REVOKE {quoted(group)} FROM {quoted(name)}" for group in sorted(extra))

    def database_settings(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
        """Those that differ are set, those that there were not are reset."""
        database = self.site.store.config.database
        for what, value in wanted.items():
            if now.get(what) != value:
                yield _set(what, value, database)
        yield from (_reset(what, database) for what in now if what not in wanted)

    def owners(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Statement]:
        yield from owners(self.connection, wanted, now)

    def grants(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Statement]:
        yield from rights(self.connection, wanted, now)

    def defaults(self, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Statement]:
        yield from defaults(self.connection, wanted, now)

    def sequences(self) -> None:
        """One that would give a number which is there already is set to the furthest that its column has."""
        lagging, _ = behind(self.connection)
        for one in lagging:
            self._try(f"SELECT setval({_literal(one.sequence)}, {one.extreme})", "database.sequences")


def _named(what: Sequence[str]) -> str:
    more = len(what) - NAMED
    return "; ".join(what[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _attributes(wanted: str, now: str) -> list[str]:
    """Those that differ, as some are refused to all but a superuser even when they change nothing."""
    should, has = _words(wanted), _words(now)
    words = [
        word if name in should else f"NO{word}"
        for name, word in ATTRIBUTES.items()
        if (name in should) != (name in has)
    ]
    if ("noinherit" in should) != ("noinherit" in has):
        words.append("NOINHERIT" if "noinherit" in should else "INHERIT")
    limit, limited = (re.search(r"connection limit (\d+)", one) for one in (wanted, now))
    if (limit and limit[1]) != (limited and limited[1]):
        words.append(f"CONNECTION LIMIT {limit[1] if limit else -1}")
    return words


def _words(about: str) -> frozenset[str]:
    return frozenset(about.partition("member of ")[0].split())


def _groups(about: str) -> frozenset[str]:
    return frozenset(filter(None, about.partition("member of ")[2].split(", ")))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _set(what: str, value: str, database: str) -> str:
    """``database role app work_mem`` and its value → the statement that sets it."""
    whose, name = _whose(what, database)
    # A list keeps the quotes that its members have.
    return f"{whose} SET {name} = {value if name in LISTS else _literal(value)}"


def _reset(what: str, database: str) -> str:
    whose, name = _whose(what, database)
    return f"{whose} RESET {name}"


def _whose(what: str, database: str) -> tuple[str, str]:
    """How the statement begins, and the setting's name."""
    words = what.split(" ")
    within = f" IN DATABASE {quoted(database)}" if words[0] == "database" else ""
    if "role" in words[:-1]:
        role = " ".join(words[words.index("role") + 1 : -1])
        return f"ALTER ROLE {quoted(role)}{within}", words[-1]
    return f"ALTER DATABASE {quoted(database)}", words[-1]
