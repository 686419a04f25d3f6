"""What a comparison of two databases says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DifferenceKind = Literal["missing", "extra", "different"]
RECOVERY_AHEAD = 32
"""How many numbers ahead of what was used a recovery may leave a sequence, as the log notes only every 32nd.

Source: PostgreSQL's ``SEQ_LOG_VALS``, src/backend/commands/sequence.c.
"""


@dataclass(frozen=True, slots=True)
class ColumnDifference:
    """One column of a row on both sides, as the server prints it; None is NULL, or the side without the row."""

    column: str
    source: str | None
    target: str | None


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One row that is not the same on both sides.

    ``missing``: the source has it, the target has not; ``extra``: the other way round; ``different``: both have it,
    and ``columns`` are those that differ. ``key`` is empty in a table without a key: there ``columns`` hold the row.
    """

    table: str
    kind: DifferenceKind
    key: Mapping[str, str]
    columns: tuple[ColumnDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What is not the same besides rows, such as a column or a table that one side has not."""

    subject: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class SequenceDifference:
    """A sequence's last value on both sides; None before its first number."""

    sequence: str
    source: int | None
    target: int | None
    increment: int

    @property
    def left_by_recovery(self) -> bool:
        """Whether the target is ahead by no more than what a recovery leaves, which costs numbers and no row."""
        if self.target is None:
            return False
        used = self.source if self.source is not None else self.target - RECOVERY_AHEAD * self.increment
        return 0 < (self.target - used) / self.increment <= RECOVERY_AHEAD


@dataclass(frozen=True, slots=True)
class TableComparison:
    """One table on both sides. ``differences`` are the first that were found, no more than was asked to keep.

    ``key``: the columns that rows were matched by; empty where none is unique and never null on both sides: rows were
    then matched by all their columns, so that one that differs is missing and another extra. ``parts``: into how many
    the table was cut; ``parts_read``: how many differed and were read row by row.
    """

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    source_rows: int
    target_rows: int
    missing: int
    extra: int
    different: int
    parts: int
    parts_read: int
    differences: tuple[RowDifference, ...]

    @property
    def same(self) -> bool:
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two databases, each as of one moment."""

    tables: tuple[TableComparison, ...]
    discrepancies: tuple[Discrepancy, ...]
    sequences: tuple[SequenceDifference, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs but what a recovery leaves in sequences."""
        rows = all(table.same for table in self.tables)
        return rows and not self.discrepancies and all(one.left_by_recovery for one in self.sequences)
