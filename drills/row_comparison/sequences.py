"""Sequences: their last values on both sides. They belong to no moment, as numbers are handed out at once."""

from __future__ import annotations

from collections.abc import Sequence

from drills.row_comparison.model import Discrepancy, SequenceDifference
from drills.row_comparison.sessions import Side, both
from drills.row_comparison.words import name_of, quoted

AT_ONCE = 200
SEQUENCES = """
SELECT n.nspname, c.relname, s.seqincrement FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't' ORDER BY 1, 2"""
LastValues = dict[str, tuple[int | None, int]]
"""By full name: the last value and the increment."""


def compare_sequences(sides: Sequence[Side]) -> tuple[tuple[SequenceDifference, ...], list[Discrepancy]]:
    """Sequences whose last values differ, and those that one side has not."""
    ours, theirs = both(sides, _last_values)
    alone = [
        Discrepancy(f"sequence {name}", *(("there", "absent") if name in ours else ("absent", "there")))
        for name in sorted(ours.keys() ^ theirs.keys())
    ]
    unlike = tuple(
        SequenceDifference(name, value, theirs[name][0], increment)
        for name, (value, increment) in ours.items()
        if name in theirs and theirs[name][0] != value
    )
    return unlike, alone


def _last_values(side: Side) -> LastValues:
    found = side.rows(SEQUENCES)
    values: LastValues = {}
    for first in range(0, len(found), AT_ONCE):
        some = found[first : first + AT_ONCE]
        query = " UNION ALL ".join(
            f"SELECT {n}, CASE WHEN is_called THEN last_value END FROM {quoted(schema)}.{quoted(name)}"
            for n, (schema, name, _) in enumerate(some)
        )
        for n, value in side.rows(query):
            schema, name, increment = some[n]
            values[name_of(schema, name)] = (value, increment)
    return dict(sorted(values.items()))
