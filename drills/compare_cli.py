"""``drills compare``: parsing and printing only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drills.row_comparison import Comparison, RowDifference, SequenceDifference, TableComparison

SAME, DIFFERENT = 0, 1
LONGEST = 60
"""Characters of a value on a line; ``--json`` has it whole."""


@click.command()
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; may be repeated.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many rows that differ are shown of each table.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a line for each row that differs, all of them.")
@click.pass_context
def compare(context: click.Context, source: str, target: str, tables: Sequence[str], limit: int, as_json: bool) -> None:
    """Compare two PostgreSQL databases row by row.

    Names the rows that TARGET, such as a restored database, has not as SOURCE has them, and their columns; tables,
    columns, large objects and sequences too. Each is a URL or a service of pg_service.conf, with the password in
    ~/.pgpass. Changes nothing.

    Exit codes: 0 the same, 1 not the same, 2 usage or no access, 4 broken off.
    """
    from drills.row_comparison import compare as compare_databases

    compared = compare_databases(
        source, target, tables or None, keep=0 if as_json else limit, each=_print_row if as_json else None
    )
    if as_json:
        click.echo(_json(_summary(compared)))
    else:
        for line in _lines(compared):
            click.echo(line)
    context.exit(SAME if compared.same else DIFFERENT)


def _print_row(row: RowDifference) -> None:
    columns = {one.column: {"source": one.source, "target": one.target} for one in row.columns}
    told = {"table": row.table, "row": row.kind, "key": dict(row.key), "columns": columns}
    click.echo(_json(told))


def _summary(compared: Comparison) -> dict[str, object]:
    """The last line of ``--json``."""
    return {
        "same": compared.same,
        "tables": [
            {
                "table": table.table,
                "key": list(table.key),
                "source_rows": table.source_rows,
                "target_rows": table.target_rows,
                "missing": table.missing,
                "extra": table.extra,
                "different": table.different,
            }
            for table in compared.tables
        ],
        "discrepancies": [
            {"subject": one.subject, "source": one.source, "target": one.target} for one in compared.discrepancies
        ],
        "sequences": [
            {
                "sequence": one.sequence,
                "source": one.source,
                "target": one.target,
                "left_by_recovery": one.left_by_recovery,
            }
            for one in compared.sequences
        ],
    }


def _lines(compared: Comparison) -> Iterator[str]:
    for one in compared.discrepancies:
        yield f"{one.subject}: source {one.source}, target {one.target}"
    for table in compared.tables:
        yield from _table(table)
    for sequence in compared.sequences:
        yield _sequence(sequence)
    yield "The same" if compared.same else "Not the same"


def _table(table: TableComparison) -> Iterator[str]:
    rows = f"{table.source_rows:,} rows"
    if table.source_rows != table.target_rows:
        rows = f"{table.source_rows:,} rows in the source, {table.target_rows:,} in the target"
    unkeyed = "" if table.key else " (without a key: matched by all columns)"
    if table.same:
        yield f"{table.table}: {rows}, all the same{unkeyed}"
        return
    counts = (("missing", table.missing), ("extra", table.extra), ("different", table.different))
    yield f"{table.table}: {rows}; {', '.join(f'{count:,} {kind}' for kind, count in counts if count)}{unkeyed}"
    for row in table.differences:
        yield f"  {row.kind} {_row(row)}"
    more = table.missing + table.extra + table.different - len(table.differences)
    if more:
        yield f"  and {more:,} more"


def _row(row: RowDifference) -> str:
    key = ", ".join(f"{name} = {_short(value)}" for name, value in row.key.items())
    if not row.key:
        return ", ".join(
            f"{one.column} = {_short(one.source if row.kind == 'missing' else one.target)}" for one in row.columns
        )
    changes = ", ".join(f"{one.column} {_short(one.source)} → {_short(one.target)}" for one in row.columns)
    return f"{key}: {changes}" if changes else key


def _sequence(one: SequenceDifference) -> str:
    note = " (a recovery leaves it so; nothing is lost)" if one.left_by_recovery else ""
    source, target = ("unused" if value is None else str(value) for value in (one.source, one.target))
    return f"sequence {one.sequence}: source {source}, target {target}{note}"


def _short(value: str | None) -> str:
    if value is None:
        return "NULL"
    text = _json(value)[1:-1]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
