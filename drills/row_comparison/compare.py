"""Two databases, table by table."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drills.errors import UsageError
from drills.row_comparison.catalog import Table, read_tables
from drills.row_comparison.digests import Digests, Pair
from drills.row_comparison.model import Comparison, Discrepancy
from drills.row_comparison.relations import Relation, large_objects
from drills.row_comparison.rows import Each, compare_rows
from drills.row_comparison.sequences import compare_sequences
from drills.row_comparison.sessions import Side, both, opened
from drills.suggestions import did_you_mean

if TYPE_CHECKING:
    from psycopg import Connection

KEPT = 100


def compare(
    source: str | Connection[Any],
    target: str | Connection[Any],
    tables: Sequence[str] | None = None,
    *,
    keep: int = KEPT,
    each: Each | None = None,
) -> Comparison:
    """Compare all rows of ``target`` with those of ``source``, large objects and sequences too, each as of one moment.

    A side is a URL, a connection string, the name of a service, or an idle connection of psycopg. ``tables``: only
    these, with or without their schema; then large objects and sequences are left out. ``each`` is told of every row
    that differs as it is found; the result keeps the first ``keep`` of each table. Memory does not grow with rows.

    Nothing is changed on either side. A server's process sorts in 64 MB and holds at most half a million parts.
    Generated columns are left out where both sides generate them: they follow from others. Materialized views, foreign
    and temporary tables are not compared.

    Raises UsageError for a side that takes no connection, a table that neither has and rows that a role may not see;
    ComparisonError when a side breaks off.
    """
    with opened(source, target) as sides:
        ours, theirs = both(sides, read_tables)
        chosen = _chosen(tables, {**ours, **theirs})
        shared = [name for name in chosen if name in ours and name in theirs]
        discrepancies = [*_one_sided(chosen, ours, theirs)]
        for name in shared:
            discrepancies += _columns_unlike(ours[name], theirs[name])
        digests = _digests(sides)
        relations = [_relation(ours[name], theirs[name]) for name in shared]
        if tables is None:
            relations += _large_objects(sides)
        compared = tuple(compare_rows(relation, digests, sides, keep, each) for relation in relations)
        sequences = None
        if tables is None:
            sequences, more = compare_sequences(sides)
            discrepancies += more
    return Comparison(compared, tuple(discrepancies), sequences or ())


def _chosen(wanted: Sequence[str] | None, known: Mapping[str, Table]) -> list[str]:
    """Full names in their order."""
    if wanted is None:
        return sorted(known)
    chosen = set()
    for name in wanted:
        found = [full for full, table in known.items() if name in (full, table.name, f"{table.schema}.{table.name}")]
        if not found:
            raise UsageError(f"Neither side has a table {name!r}{did_you_mean(name, known)}. Name one that is there")
        if len(found) > 1:
            raise UsageError(f"There is more than one table {name!r}: {', '.join(found)}. Name it with its schema")
        chosen.add(found[0])
    return sorted(chosen)


def _one_sided(chosen: Iterable[str], ours: Mapping[str, Table], theirs: Mapping[str, Table]) -> Iterator[Discrepancy]:
    for name in chosen:
        if name not in theirs:
            yield Discrepancy(f"table {name}", "there", "absent")
        elif name not in ours:
            yield Discrepancy(f"table {name}", "absent", "there")


def _columns_unlike(ours: Table, theirs: Table) -> Iterator[Discrepancy]:
    source, target = ({column.name: column for column in table.columns} for table in (ours, theirs))
    for name in dict.fromkeys((*source, *target)):
        mine, other = (
            f"{side[name].type}{' generated' if side[name].generated else ''}" if name in side else "absent"
            for side in (source, target)
        )
        if mine != other:
            yield Discrepancy(f"column {name} of {ours.full_name}", mine, other)
    if set(ours.keys) != set(theirs.keys):
        yield Discrepancy(f"unique keys of {ours.full_name}", _keys(ours), _keys(theirs))


def _keys(table: Table) -> str:
    return "; ".join(", ".join(key) for key in table.keys) or "none"


def _relation(ours: Table, theirs: Table) -> Relation:
    target = {column.name: column for column in theirs.columns}
    pairs = {
        column.name: Pair(column.name, column, target[column.name])
        for column in ours.columns
        if column.name in target and not (column.generated and target[column.name].generated)
    }
    unique = (key for key in ours.keys if key in theirs.keys and all(name in pairs for name in key))
    key = next(unique, ())
    # Parts follow from the smaller side, which is there sooner.
    rows = min(ours.estimated_rows, theirs.estimated_rows) or max(ours.estimated_rows, theirs.estimated_rows)
    return Relation(
        ours.full_name, ours.from_, theirs.from_, tuple(pairs.values()), tuple(pairs[name] for name in key), rows
    )


def _digests(sides: Sequence[Side]) -> Digests:
    same_encoding = sides[0].encoding == sides[1].encoding
    return Digests(min(side.version for side in sides), same_encoding, random.SystemRandom())


def _large_objects(sides: Sequence[Side]) -> list[Relation]:
    counts = both(sides, lambda side: int(side.rows("SELECT count(*) FROM pg_largeobject_metadata")[0][0]))
    return [large_objects(max(counts))] if any(counts) else []
