"""The rows of one relation on both sides: parts that differ, then rows that differ, then their columns.

1. Each side sends, for each part, how many rows it has and the exclusive or (in a table without a key the sum) of
   their digests.
2. Of the parts that differ each side sends its rows' keys and digests, in the order of the parts: one part at a time
   is held here. What is not the same is noted in a temporary file.
3. The rows that both have and that differ are read in full, some at a time, and in a table without a key those that one
   side alone has.

So what is held here has a limit that the number of rows does not move.
"""

from __future__ import annotations

import sys
import tempfile
from array import array as numbers
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import IO

from drills.row_comparison.digests import Digests, Pair
from drills.row_comparison.model import ColumnDifference, DifferenceKind, RowDifference, TableComparison
from drills.row_comparison.relations import Cut, Relation, cut
from drills.row_comparison.sessions import Side, both
from drills.row_comparison.words import array, fields, literal, quoted

READ_AT_ONCE = 1000
SHOWN_WHOLE = 10_000
"""Characters of a value beyond which its beginning, its length and its digest stand for it."""
HELD_IN_MEMORY = 1 << 20
PARTS_ON_LINE = 500
PRIME = (1 << 61) - 1
"""A sum of digests is told by its remainder."""
Each = Callable[[RowDifference], None]
Noted = tuple[DifferenceKind, list[str]]
"""One row that differs, and how it is found again: its key, or where it lies on its side."""
KINDS: Mapping[bytes, DifferenceKind] = {b"m": "missing", b"e": "extra", b"d": "different"}


@dataclass(slots=True)
class _Found:
    """Counts and the first of the differences."""

    keep: int
    each: Each | None
    counts: Counter[DifferenceKind] = field(default_factory=Counter)
    kept: list[RowDifference] = field(default_factory=list)

    def add(self, difference: RowDifference) -> None:
        self.counts[difference.kind] += 1
        if len(self.kept) < self.keep:
            self.kept.append(difference)
        if self.each is not None:
            self.each(difference)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What one side has in each part."""

    counts: numbers[int]
    digests: numbers[int]


def compare_rows(
    relation: Relation, digests: Digests, sides: Sequence[Side], keep: int, each: Each | None
) -> TableComparison:
    """Each row that differs, told as it is found."""
    way = cut(relation, digests, sides)
    digest = digests.of(sorted(relation.pairs, key=lambda pair: pair in relation.key))
    source, target = both(sides, lambda side: _parts(relation, way, digest, side))
    differing = [
        part
        for part in range(way.parts)
        if source.counts[part] != target.counts[part] or source.digests[part] != target.digests[part]
    ]
    found = _Found(keep, each)
    if differing:
        with tempfile.SpooledTemporaryFile(HELD_IN_MEMORY) as notes:
            _note(notes, relation, digests, digest, way, differing, sides)
            notes.seek(0)
            for difference in _told(relation, digests, sides, notes):
                found.add(difference)
    return TableComparison(
        relation.name,
        tuple(pair.name for pair in relation.key),
        tuple(pair.name for pair in relation.pairs),
        sum(source.counts),
        sum(target.counts),
        found.counts["missing"],
        found.counts["extra"],
        found.counts["different"],
        way.parts,
        len(differing),
        tuple(found.kept),
    )


# --- 1. Parts that differ ---------------------------------------------------------------------------------------------


def _parts(relation: Relation, way: Cut, digest: str, side: Side) -> _Parts:
    zeros = [0] * way.parts
    parts = _Parts(numbers("q", zeros), numbers("q", zeros))
    # Rows with a key are unlike each other; equal ones without would cancel out in pairs.
    whole = f"bit_xor({digest})" if relation.key else f"(sum({digest}) % {PRIME})::bigint"
    each = f"SELECT {way.expression}, count(*), {whole} FROM {relation.from_of(side)} GROUP BY 1"
    # Many parts to a line, as numbers of 64 bits: a line for each would cost more than its digest.
    packed = "string_agg(int8send(part) || int8send(rows) || int8send(digest), ''::bytea)"
    query = f"SELECT {packed} FROM ({each}) AS p(part, rows, digest) GROUP BY part / {PARTS_ON_LINE}"
    for line in islice(side.lines(query), 1, None):
        told = numbers("q", bytes.fromhex(line[len(r"\\x") : -1].decode()))
        if sys.byteorder == "little":
            told.byteswap()
        for part, rows, value in zip(told[::3], told[1::3], told[2::3], strict=True):
            parts.counts[part] = rows
            parts.digests[part] = value
    return parts


# --- 2. Rows that differ ----------------------------------------------------------------------------------------------


def _note(
    notes: IO[bytes],
    relation: Relation,
    digests: Digests,
    digest: str,
    way: Cut,
    differing: Sequence[int],
    sides: Sequence[Side],
) -> None:
    """Write a line for each row that differs: its kind, a tab, how it is found."""
    found_by = ", ".join(map(digests.key_text, relation.key)) or "t.tableoid::oid, t.ctid"
    queries = [
        f"SELECT {way.expression}, {digest}, {found_by} FROM {relation.from_of(side)} "
        f"WHERE {way.within(differing)} ORDER BY 1"
        for side in sides
    ]
    source, target = (side.lines(query) for side, query in zip(sides, queries, strict=True))
    with closing(source), closing(target):
        # Both begin to work before the first is waited for.
        next(source), next(target)
        settle = _by_key if relation.key else _by_digest
        for ours, theirs in _side_by_side(source, target):
            for kind, found in settle(ours, theirs):
                notes.write(kind + b"\t" + found + b"\n")


def _side_by_side(source: Iterator[bytes], target: Iterator[bytes]) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """The lines of each part on both sides, without its number."""
    ours, theirs = _by_part(source), _by_part(target)
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None or other is not None:
        part = min(one[0] for one in (mine, other) if one is not None)
        here: list[bytes] = []
        there: list[bytes] = []
        if mine is not None and mine[0] == part:
            here, mine = mine[1], next(ours, None)
        if other is not None and other[0] == part:
            there, other = other[1], next(theirs, None)
        yield here, there


def _by_part(lines: Iterator[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    split = (line[:-1].split(b"\t", 1) for line in lines)
    for part, rows in groupby(split, lambda line: line[0]):
        yield int(part), [row[1] for row in rows]


def _by_key(ours: Sequence[bytes], theirs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Rows of one part that differ, in the order of their keys' text."""
    mine, other = Counter(ours), Counter(theirs)
    if mine == other:
        return
    # Should an index be broken, a key is there twice: then each row counts.
    missing = Counter(line.partition(b"\t")[2] for line in (mine - other).elements())
    extra = Counter(line.partition(b"\t")[2] for line in (other - mine).elements())
    different = missing & extra
    for kind, keys in ((b"m", missing - different), (b"e", extra - different), (b"d", different)):
        yield from ((kind, key) for key in sorted(keys.elements()))


def _by_digest(ours: Sequence[bytes], theirs: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Rows of one part that one side has more often than the other, by where they lie."""
    mine, other = _places(ours), _places(theirs)
    for kind, here, there in ((b"m", mine, other), (b"e", other, mine)):
        for digest, places in here.items():
            yield from ((kind, place) for place in places[len(there.get(digest, ())) :])


def _places(lines: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    places: dict[bytes, list[bytes]] = {}
    for line in lines:
        digest, _, place = line.partition(b"\t")
        places.setdefault(digest, []).append(place)
    return places


# --- 3. Columns that differ -------------------------------------------------------------------------------------------


def _told(
    relation: Relation, digests: Digests, sides: Sequence[Side], notes: Iterable[bytes]
) -> Iterator[RowDifference]:
    noted = (_read(line) for line in notes)
    while batch := list(islice(noted, READ_AT_ONCE)):
        if relation.key:
            yield from _told_by_key(relation, digests, sides, batch)
        else:
            yield from _told_whole(relation, sides, batch)


def _read(line: bytes) -> Noted:
    kind, _, found = line[:-1].partition(b"\t")
    return KINDS[kind], fields(found)


def _told_by_key(
    relation: Relation, digests: Digests, sides: Sequence[Side], batch: Sequence[Noted]
) -> Iterator[RowDifference]:
    names = [pair.name for pair in relation.key]
    wanted = [found for kind, found in batch if kind == "different"]
    ours, theirs = both(sides, lambda side: _rows_of(relation, digests, side, wanted)) if wanted else ({}, {})
    for kind, found in batch:
        columns: tuple[ColumnDifference, ...] = ()
        if kind == "different":
            columns = _unlike(relation.pairs, ours[tuple(found)], theirs[tuple(found)])
        yield RowDifference(relation.name, kind, dict(zip(names, found, strict=True)), columns)


def _unlike(
    pairs: Sequence[Pair], ours: Sequence[str | None], theirs: Sequence[str | None]
) -> tuple[ColumnDifference, ...]:
    return tuple(
        ColumnDifference(pair.name, mine, other)
        for pair, mine, other in zip(pairs, ours, theirs, strict=True)
        if mine != other
    )


def _rows_of(
    relation: Relation, digests: Digests, side: Side, keys: Sequence[Sequence[str]]
) -> dict[tuple[str, ...], tuple[str | None, ...]]:
    """Rows in full, by their keys."""
    types = [(pair.source if side.name == "source" else pair.target).type for pair in relation.key]
    columns = [f"t.{quoted(pair.name)}" for pair in relation.key]
    each = [array(key[n] for key in keys) for n in range(len(columns))]
    if len(columns) == 1:
        condition = f"{columns[0]} = ANY ({each[0]}::{types[0]}[])"
    else:
        casts = ", ".join(f"{text}::{type_}[]" for text, type_ in zip(each, types, strict=True))
        condition = f"({', '.join(columns)}) IN (SELECT * FROM unnest({casts}))"
    texts = ", ".join(map(digests.key_text, relation.key))
    query = f"SELECT {texts}, {_shown(relation)} FROM {relation.from_of(side)} WHERE {condition}"
    return {row[: len(columns)]: row[len(columns) :] for row in side.rows(query)}


def _told_whole(relation: Relation, sides: Sequence[Side], batch: Sequence[Noted]) -> Iterator[RowDifference]:
    for (kind, table), group in groupby(batch, lambda noted: (noted[0], noted[1][0])):
        side = sides[kind == "extra"]
        places = f"{array(found[1] for _, found in group)}::tid[]"
        condition = f"t.ctid = ANY ({places}) AND t.tableoid = {literal(table)}::oid"
        for row in side.rows(f"SELECT {_shown(relation)} FROM {relation.from_of(side)} WHERE {condition}"):
            columns = tuple(
                ColumnDifference(pair.name, None if kind == "extra" else value, value if kind == "extra" else None)
                for pair, value in zip(relation.pairs, row, strict=True)
            )
            yield RowDifference(relation.name, kind, {}, columns)


def _shown(relation: Relation) -> str:
    """All columns as text; of a long one its beginning, its length and its digest."""
    shown = []
    for pair in relation.pairs:
        text = f"t.{quoted(pair.name)}::text"
        shown.append(
            f"CASE WHEN length({text}) > {SHOWN_WHOLE} THEN left({text}, 200) || '... (' || length({text}) || "
            f"' characters, md5 ' || md5({text}) || ')' ELSE {text} END"
        )
    return ", ".join(shown)
