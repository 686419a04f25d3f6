"""Default privileges, as the catalogue prints them: the statements that make them so again.

Source: PostgreSQL documentation, ALTER DEFAULT PRIVILEGES; the catalogue pg_default_acl.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from drills.stores.rds_grants import PRIVILEGES, Access, built_in
from drills.stores.rds_lent import Statement, quoted

if TYPE_CHECKING:
    from psycopg import Connection

OBJECTS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "r": ("TABLES", "r", PRIVILEGES["table"]),
    "S": ("SEQUENCES", "s", PRIVILEGES["sequence"]),
    "f": ("ROUTINES", "f", PRIVILEGES["function"]),
    "T": ("TYPES", "T", {"U": "USAGE"}),
    "n": ("SCHEMAS", "n", PRIVILEGES["schema"]),
}
"""By the catalogue's letter: the word of statements, the letter by which the built-in defaults are asked, and what the
letters of its privileges stand for."""
NAMED = re.compile(r'default of (?P<role>.+) (?P<schema>-|"(?:[^"]|"")+"|[^ "]+) (?P<object>[a-zA-Z])', re.DOTALL)
"""``-`` stands for all schemas."""


def defaults(connection: Connection, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Statement]:
    """Statements that grant by default what was, and no longer what was not, for each role that makes objects."""
    for what in sorted({*wanted, *now}):
        found = NAMED.fullmatch(what)
        if found is None or found["object"] not in OBJECTS or wanted.get(what) == now.get(what):
            continue
        word, letter, privileges = OBJECTS[found["object"]]
        role, everywhere = found["role"], found["schema"] == "-"
        # Where the catalogue has nothing, the built-in ones hold; what holds in one schema is granted beside them.
        implied = built_in(connection, role, letter) if everywhere else frozenset()
        should, has = (Access.of(one[what]).rights or frozenset() if what in one else implied for one in (wanted, now))
        within = "" if everywhere else f" IN SCHEMA {found['schema']}"
        begun = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(role)}{within}"
        for whose, one, _ in sorted(has - should):
            if one in privileges:
                yield Statement(f"{begun} REVOKE {privileges[one]} ON {word} FROM {whose}", (role,))
        for whose, one, passed_on in sorted(should - has):
            if one in privileges:
                option = " WITH GRANT OPTION" if passed_on else ""
                yield Statement(f"{begun} GRANT {privileges[one]} ON {word} TO {whose}{option}", (role,))
