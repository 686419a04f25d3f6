"""Who owns what and who may do what with it, as the catalogue prints it: the statements that make it so again.

Source: PostgreSQL documentation, Privileges: the letters of an access control list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drills.stores.rds_lent import Statement, quoted

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
BUILT_IN = {"table": "r", "sequence": "s", "schema": "n", "function": "f", "database": "d"}
"""By kind, the letter by which ``acldefault`` tells what holds without a word; a column has no owner of its own."""
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

_OF_CLASS = (
    "SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname || '.' || c.relname = %s"
)
SCHEMAS = {
    "table": _OF_CLASS,
    "sequence": _OF_CLASS,
    "function": "SELECT quote_ident(n.nspname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE p.oid::regprocedure::text = %s",
}
"""By kind, what finds the schema of an object by the same name."""

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


def owners(connection: Connection, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Statement]:
    """Statements that give what is there the owner that it had."""
    for what, text in wanted.items():
        owner, has = Access.of(text).owner, Access.of(now.get(what, "")).owner
        kind, _, name = what.partition(" ")
        if owner is None or has is None or owner == has:
            continue
        for found, _ in _looked_up(connection, kind, name):
            text = f"ALTER {kind.upper()} {found} OWNER TO {quoted(owner)}"
            # Who gives a database away has to own it again afterwards, which nobody can lend.
            creates = kind != "database"
            yield Statement(text, (has, owner), creates, _schema_of(connection, kind, name) if creates else None)


def rights(connection: Connection, wanted: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Statement]:
    """Statements that grant what is lacking and revoke what there was not, of what is there.

    Where nothing was ever granted, what holds is built in: an owner's rights, and some of everybody's.
    """
    for what in sorted({*wanted, *now}):
        kind, _, name = what.partition(" ")
        should, has = Access.of(wanted.get(what, "")), Access.of(now.get(what, ""))
        if kind not in PRIVILEGES or should == has:
            continue
        if what not in now and kind != "column":
            continue  # It is not there: that is the schema's, and stays to be found.
        # Only an owner, or a member of its role, may grant what nobody passed on.
        lent = (has.owner,) if has.owner else ()
        implied = built_in(connection, has.owner, BUILT_IN[kind]) if has.owner else frozenset()
        wants, got = (implied if one.rights is None else one.rights for one in (should, has))
        lacking, extra = sorted(wants - got), sorted(got - wants)
        for found, column in _looked_up(connection, kind, name):
            on = f"{'TABLE' if kind == 'column' else kind.upper()} {found}"
            for whose, letter, _ in extra:
                if word := PRIVILEGES[kind].get(letter):
                    yield Statement(f"REVOKE {word}{f' ({column})' if column else ''} ON {on} FROM {whose}", lent)
            for whose, letter, passed_on in lacking:
                if word := PRIVILEGES[kind].get(letter):
                    option = " WITH GRANT OPTION" if passed_on else ""
                    text = f"GRANT {word}{f' ({column})' if column else ''} ON {on} TO {whose}{option}"
                    yield Statement(text, lent)


def built_in(connection: Connection, role: str, letter: str) -> frozenset[Right]:
    """Whose rights what a role owns has without a word, by PostgreSQL's letter of its kind; none of a lost role's."""
    query = (
        "SELECT string_agg(x::text, ', ') FROM pg_roles r, unnest(acldefault(%s::\"char\", r.oid)) AS x "
        "WHERE r.rolname = %s"
    )
    ((found,),) = connection.execute(query, (letter, role)).fetchall()
    return Access.of(str(found or "")).rights or frozenset()


def _looked_up(connection: Connection, kind: str, name: str) -> list[tuple[str, str]]:
    """The one object of that name; nothing where there is none, or where the name says too little."""
    query = LOOKED_UP.get(kind)
    if query is None:
        return []
    found = _asked(connection, query, name)
    return [(str(one), str(column)) for one, column in found] if len(found) == 1 else []


def _asked(connection: Connection, query: str, name: str) -> list[Any]:
    """Names are the catalogue's only by the path that it was read with."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        return connection.execute(query.encode(), (name,)).fetchall()


def _schema_of(connection: Connection, kind: str, name: str) -> str | None:
    """The schema that it lies in, quoted; None of a schema, which lies in the database."""
    query = SCHEMAS.get(kind)
    found = _asked(connection, query, name) if query else []
    return str(found[0][0]) if found else None
