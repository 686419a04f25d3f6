"""Which tables there are, their columns and their keys, as the catalogue of a database says."""

from __future__ import annotations

from dataclasses import dataclass

from drills.row_comparison.sessions import Side
from drills.row_comparison.words import name_of, quoted

TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind = 'p' AS is_partitioned,
    (WITH RECURSIVE within(oid) AS (
        SELECT c.oid UNION ALL
        SELECT i.inhrelid FROM pg_inherits AS i JOIN within AS w ON i.inhparent = w.oid WHERE c.relkind = 'p')
     SELECT sum(CASE WHEN l.reltuples > 0 THEN l.reltuples ELSE pg_relation_size(l.oid) / 100 END)
     FROM within AS w JOIN pg_class AS l ON l.oid = w.oid WHERE l.relkind = 'r')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 2, 3"""
COLUMNS = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, NULL), a.attnotnull,
    a.attgenerated <> '', a.atttypmod <> -1
FROM pg_attribute AS a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY ('{{{oids}}}'::oid[])
ORDER BY a.attrelid, a.attnum"""
OLD_COLUMNS = COLUMNS.replace("a.attgenerated <> ''", "false")
"""Before PostgreSQL 12 there are no generated columns."""
KEYS = """
SELECT i.indrelid, array_agg(a.attname ORDER BY k.place)
FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND a.attnotnull
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
    AND i.indrelid = ANY ('{{{oids}}}'::oid[])
GROUP BY i.indrelid, i.indexrelid, i.indisprimary, x.relname
HAVING count(*) = count(a.attname)
ORDER BY i.indrelid, i.indisprimary DESC, count(*), x.relname"""


@dataclass(frozen=True, slots=True)
class Column:
    """``plain_type``: its type without length, precision or scale; ``sized``: whether the type has one."""

    name: str
    type: str
    plain_type: str
    never_null: bool
    generated: bool
    sized: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table; of a partitioned one the root, with the rows of all its partitions."""

    schema: str
    name: str
    partitioned: bool
    estimated_rows: int
    columns: tuple[Column, ...]
    keys: tuple[tuple[str, ...], ...]
    """Columns that are unique together and never null: the primary key first, then by how few they are."""

    @property
    def full_name(self) -> str:
        return name_of(self.schema, self.name)

    @property
    def from_(self) -> str:
        """Rows of tables that inherit from it are compared with those tables."""
        return f"{'' if self.partitioned else 'ONLY '}{quoted(self.schema)}.{quoted(self.name)} AS t"


def read_tables(side: Side) -> dict[str, Table]:
    """By full name, in its order."""
    found = side.rows(TABLES)
    oids = ",".join(str(row[0]) for row in found)
    columns: dict[int, list[Column]] = {row[0]: [] for row in found}
    for oid, *rest in side.rows((COLUMNS if side.version >= 12 else OLD_COLUMNS).format(oids=oids)):
        columns[oid].append(Column(*rest))
    keys: dict[int, list[tuple[str, ...]]] = {row[0]: [] for row in found}
    for oid, names in side.rows(KEYS.format(oids=oids)):
        keys[oid].append(tuple(names))
    tables = (
        Table(schema, name, partitioned, int(rows or 0), tuple(columns[oid]), tuple(keys[oid]))
        for oid, schema, name, partitioned, rows in found
    )
    return {table.full_name: table for table in tables}
