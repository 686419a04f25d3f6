"""What is compared as a table: what both sides have of it, by which columns its rows match, and how it is cut.

A table is cut into parts by its key: by ranges where the key is one integer without wide gaps, so that rows that lie
together are read together, by a digest of the key otherwise. Parts by digest are of equal size for every kind of key,
in whatever order text is sorted, and cost one reading of the table in its own order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from drills.row_comparison.catalog import Column
from drills.row_comparison.digests import Digests, Pair
from drills.row_comparison.sessions import Side, both
from drills.row_comparison.words import quoted

INTEGERS = ("bigint", "integer", "smallint")
ROWS_IN_RANGE, MOST_RANGES = 16, 1 << 18
ROWS_IN_SHARE, MOST_SHARES = 64, 1 << 16
WIDEST = 4
"""How many times as wide as its rows the range of an integer key may be."""
FEW_RUNS, FEW_PARTS = 50, 0.2
"""Up to how many runs of ranges, and which share of all, are read by the key's index."""
LARGE_OBJECT_PIECE = 1 << 22


@dataclass(frozen=True, slots=True)
class Relation:
    """One table of both sides, or what is compared like one. ``pairs``: the columns that both have."""

    name: str
    from_source: str
    from_target: str
    pairs: tuple[Pair, ...]
    key: tuple[Pair, ...]
    estimated_rows: int
    partitioned: bool = False

    def from_of(self, side: Side) -> str:
        return self.from_source if side.name == "source" else self.from_target


def large_objects(estimated_rows: int) -> Relation:
    """Large objects by their numbers; their content is read in pieces, and stands as its size and its digest."""
    pieces = (
        "WITH RECURSIVE p(n, b) AS ("
        f"SELECT 0::bigint, lo_get(m.oid, 0, {LARGE_OBJECT_PIECE}) UNION ALL "
        f"SELECT n + 1, lo_get(m.oid, (n + 1) * {LARGE_OBJECT_PIECE}, {LARGE_OBJECT_PIECE}) FROM p "
        f"WHERE octet_length(b) = {LARGE_OBJECT_PIECE}) "
        "SELECT sum(octet_length(b)) || ' bytes, md5 of md5s ' || md5(string_agg(md5(b), '' ORDER BY n)) FROM p"
    )
    from_ = f"(SELECT m.oid, ({pieces}) AS content FROM pg_largeobject_metadata AS m) AS t"
    number, content = (
        Pair(name, column, column)
        for name, type_ in (("oid", "oid"), ("content", "text"))
        for column in [Column(name, type_, type_, True, False, False)]
    )
    return Relation("large objects", from_, from_, (number, content), (number,), estimated_rows)


@dataclass(frozen=True, slots=True)
class Shares:
    """By a digest of the key. ``expression``: the number of a row's part, from 0."""

    parts: int
    expression: str

    def within(self, chosen: Sequence[int]) -> str:
        """The condition that a row is in one of these parts, given in their order."""
        return _marked(self, chosen)


@dataclass(frozen=True, slots=True)
class Ranges:
    """By ranges of one integer, each 2 to the power of ``bits`` wide; otherwise as Shares."""

    parts: int
    column: str
    first: int
    """The number of the first range, when the one that begins with zero has number zero."""
    bits: int

    @property
    def expression(self) -> str:
        return f"({self.column}::bigint >> {self.bits}) - ({self.first})"

    def within(self, chosen: Sequence[int]) -> str:
        runs = list(_runs(chosen))
        if len(runs) > FEW_RUNS or len(chosen) > self.parts * FEW_PARTS:
            return _marked(self, chosen)
        return " OR ".join(
            f"{self.column} BETWEEN {self.first + first << self.bits} AND {(self.first + last + 1 << self.bits) - 1}"
            for first, last in runs
        )


Cut = Shares | Ranges


def _marked(cut: Cut, chosen: Sequence[int]) -> str:
    bits = bytearray(-(-cut.parts // 8))
    for part in chosen:
        bits[part >> 3] |= 1 << (part & 7)
    return f"get_bit('\\x{bits.hex()}'::bytea, ({cut.expression})::int) = 1"


def _runs(chosen: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of parts that follow each other."""
    for _, run in groupby(enumerate(chosen), lambda numbered: numbered[1] - numbered[0]):
        parts = [part for _, part in run]
        yield parts[0], parts[-1]


def cut(relation: Relation, digests: Digests, sides: Sequence[Side]) -> Cut:
    """The same for both sides."""
    rows = relation.estimated_rows
    if len(relation.key) == 1 and relation.key[0].type in INTEGERS:
        column = f"t.{quoted(relation.key[0].name)}"
        ends = both(
            sides, lambda side: side.rows(f"SELECT min({column}), max({column}) FROM {relation.from_of(side)}")[0]
        )
        known = [end for pair in ends for end in pair if end is not None]
        lowest, highest = (min(known), max(known)) if known else (0, 0)
        span = highest - lowest + 1
        if span <= WIDEST * max(rows, 1000):
            wanted = -(-span // min(max(rows // ROWS_IN_RANGE, 1), MOST_RANGES))
            bits = wanted.bit_length() - 1
            return Ranges((highest >> bits) - (lowest >> bits) + 1, column, lowest >> bits, bits)
    parts = 1 << min(max(rows // ROWS_IN_SHARE, 1).bit_length() - 1, MOST_SHARES.bit_length() - 1)
    digest = digests.of_key(relation.key) if relation.key else digests.of(relation.pairs)
    return Shares(parts, f"({digest} & {parts - 1})")
