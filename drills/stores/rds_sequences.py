"""Sequences with the columns that they fill, and whether they are ahead of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg import Connection

USES = """
WITH uses AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
        AND d.deptype IN ('a', 'i')
    UNION SELECT d.refobjid, a.adrelid, a.adnum FROM pg_depend d JOIN pg_attrdef a ON a.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass)
SELECT c.oid::regclass::text, u.relation::regclass::text, quote_ident(a.attname), s.seqincrement
FROM uses u JOIN pg_class c ON c.oid = u.sequence AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid
JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.number AND NOT a.attisdropped
JOIN pg_class t ON t.oid = u.relation AND NOT t.relispartition AND t.relkind IN ('r', 'p')
ORDER BY 1, 2, 3"""
"""Each with the columns that it fills, as its own or by a default; by how much it counts."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A sequence that would give a number which a column may have already."""

    sequence: str
    column: str
    following: int
    extreme: int
    """The furthest that the column has."""

    def __str__(self) -> str:
        return f"{self.sequence} gives {self.following} next, and {self.column} has {self.extreme} already"


def behind(connection: Connection) -> tuple[list[Behind], int]:
    """Those that are behind a column, and how many uses were looked at."""
    uses = connection.execute(USES).fetchall()
    found = []
    for sequence, table, column, step in uses:
        ((last, called),) = connection.execute(f"SELECT last_value, is_called FROM {sequence}").fetchall()
        furthest = "max" if step > 0 else "min"
        ((extreme,),) = connection.execute(f"SELECT {furthest}({column}) FROM {table}").fetchall()
        following = last + step if called else last
        if extreme is not None and (extreme >= following if step > 0 else extreme <= following):
            found.append(Behind(sequence, f"{table}.{column}", following, extreme))
    return found, len(uses)
