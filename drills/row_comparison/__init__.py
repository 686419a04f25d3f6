"""Two PostgreSQL databases, compared row by row: which rows are missing, extra or different, and in which columns."""

from drills.row_comparison.compare import compare
from drills.row_comparison.model import (
    ColumnDifference,
    Comparison,
    Discrepancy,
    RowDifference,
    SequenceDifference,
    TableComparison,
)

__all__ = [
    "ColumnDifference",
    "Comparison",
    "Discrepancy",
    "RowDifference",
    "SequenceDifference",
    "TableComparison",
    "compare",
]
