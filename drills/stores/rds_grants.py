"""Who owns what and who may do what with it, as the catalogue prints it: the statements that make it so again.

Source: PostgreSQL documentation, Privileges: the letters of an access control list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import Connection

_RELATION = {
    "r": "SELECT",
    "w": "UPDATE",
    "a": "INSERT",
    "d": "DELETE",
    "D": "TRUNCATE",
    "x": "REFERENCES",
    "t": "TRIGGER",
    "m": "MAINTAIN",
}
PRIVILEGES: Mapping[str, Mapping[str, str]] = {
    "table": _RELATION,
    "column": {letter: _RELATION[letter] for letter in "rwax"},
    "sequence": {"r": "SELECT", "w": "UPDATE", "U": "USAGE"},
    "schema": {"U": "USAGE", "C": "CREATE"},
    "function": {"X": "EXECUTE"},
    "database": {"C": "CREATE", "T": "TEMPORARY", "c": "CONNECT"},
}
"""By kind of object, what each letter stands for."""
_NAME = r'"(?:[^"]|"")*"'
ITEM = re.compile(rf"(?:^|, )(?P<grantee>{_NAME}|[^=,\"]*)=(?P<letters>[a-zA-Z*]*)/(?P<grantor>{_NAME}|[^,\"]+)")
LOOKED_UP = {
    "table": "SELECT c.oid::regclass::text, '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname || '.' || c.relname = %s",
    "sequence": "SELECT c.oid::regclass::text, '' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname || '.' || c.relname = %s",
    "column": "SELECT c.oid::regclass::text, quote_ident(a.attname) FROM pg_attribute a JOIN pg_class c "
    "ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname || '.' || c.relname || '.' || a.attname = %s",
    "schema": "SELECT quote_ident(nspname), '' FROM pg_namespace WHERE nspname = %s",
    "function": "SELECT oid::regprocedure::text, '' FROM pg_proc WHERE oid::regprocedure::text = %s",
    "database": "SELECT quote_ident(datname), '' FROM pg_database WHERE datname = %s",
}
"""By kind, what finds an object by the name that the catalogue gives it, and quotes it."""

Right = tuple[str, str, bool]
"""Whose, quoted or PUBLIC; the letter; whether it may be passed on."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one line of the catalogue says. ``rights`` is None where nothing but the defaults was ever granted."""

    owner: str | None
    rights: frozenset[Right] | None

    @classmethod
    def of(cls, text: str) -> Access:
        owner: str | None = None
        if text.startswith("owner "):
            owner, _, text = text.removeprefix("owner ").partition(": ")
        if not text:
            return cls(owner, None)
        rights: set[Right] = set()
        for item in ITEM.finditer(text):
            grantee = item["grantee"]
            whose = "PUBLIC" if not grantee else grantee if grantee.startswith('"') else f'"{grantee}"'
            rights |= {(whose, letter, bool(star)) for letter, star in re.findall(r"([a-zA-Z])(\*?)", item["letters"])}
        return cls(owner, frozenset(rights))


def owners(connection: Connection, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Statements that give what is there the owner that it had."""
    for what, text in wanted.items():
        owner, has = Access.of(text).owner, Access.of(now.get(what, "")).owner
        kind, _, name = what.partition(" ")
        if owner is None or has is None or owner == has:
            continue
        for found, _ in _looked_up(connection, kind, name):
            yield f"ALTER {kind.upper()} {found} OWNER TO {quoted(owner)}"


def rights(connection: Connection, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Statements that grant what is lacking and revoke what there was not, of what is there.

    What had the defaults alone and now says them aloud is left as it is: no statement makes it silent again.
    """
    for what in sorted({*wanted, *now}):
        kind, _, name = what.partition(" ")
        should, has = Access.of(wanted.get(what, "")), Access.of(now.get(what, ""))
        if kind not in PRIVILEGES or should == has or (should.rights is None and kind != "column"):
            continue
        if what not in now and kind != "column":
            continue  # It is not there: that is the schema's, and stays to be found.
        owner = quoted(has.owner) if has.owner else ""
        # Where nothing was granted yet, the owner has everything without a word.
        implied = {right for right in should.rights or () if has.rights is None and right[0] == owner}
        lacking = sorted((should.rights or frozenset()) - (has.rights or frozenset()) - implied)
        extra = sorted((has.rights or frozenset()) - (should.rights or frozenset()))
        for found, column in _looked_up(connection, kind, name):
            on = f"{'TABLE' if kind == 'column' else kind.upper()} {found}"
            for whose, letter, _ in extra:
                if word := PRIVILEGES[kind].get(letter):
                    yield f"REVOKE {word}{f' ({column})' if column else ''} ON {on} FROM {whose}"
            for whose, letter, passed_on in lacking:
                if word := PRIVILEGES[kind].get(letter):
                    option = " WITH GRANT OPTION" if passed_on else ""
                    yield f"GRANT {word}{f' ({column})' if column else ''} ON {on} TO {whose}{option}"


def _looked_up(connection: Connection, kind: str, name: str) -> list[tuple[str, str]]:
    """The one object of that name; nothing where there is none, or where the name says too little."""
    query = LOOKED_UP.get(kind)
    if query is None:
        return []
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        found = connection.execute(query, (name,)).fetchall()
    return [(str(one), str(column)) for one, column in found] if len(found) == 1 else []


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
