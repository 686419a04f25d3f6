"""The report as plain text: for a test's message and for the terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings

from drills.matrix_table import print_matrix
from drills.model import Report
from drills.report.matrix import FIRST, explain
from tests.report.reports import attempt, cell, finding, report, reports, rich, without_point


def test_the_matrix_and_the_first_findings() -> None:
    text = explain(rich())
    head, *rest = text.splitlines()
    assert head == "drill shop-0123456789: fail (estate shop, seed 7, durations simulated)"
    assert rest[0].split() == ["store", "verdict", "RTO", "(simulated)", "RPO", "(simulated)", "lost", "paths"]
    found = text.partition("findings that did not pass:\n")[2].splitlines()
    assert found[0] == (
        "  drill: unknown: drill of orders: expected what drill demands, observed the saboteur was here"
    )
    assert "by dynamodb_backup: fail: records.complete of orders" in text
    assert "account_loss × " in text
    assert "unknown: no recovery path was tried" in text
    assert "x" * 300 not in text
    assert "(908 characters)" in text


def test_what_decided_comes_before_what_did_not() -> None:
    passed = cell("bulk_erase", "orders", "pass", attempt(), without_point("dynamodb_global_table"))
    failed = cell("bulk_erase", "carts", "fail", attempt("dynamodb_pitr", finding("rto", "fail")))
    found = explain(report(passed, failed)).partition("findings that did not pass:\n")[2].splitlines()
    assert found[0].startswith("  bulk_erase × carts by dynamodb_pitr: fail: rto")
    assert found[1].startswith("  bulk_erase × orders by dynamodb_global_table, which did not decide the cell: fail")


def test_only_the_first_are_told_and_how_many_more_there_are() -> None:
    many = attempt("dynamodb_pitr", *(finding(f"settings.{number}", "fail") for number in range(FIRST + 3)))
    text = explain(report(cell("bulk_erase", "orders", "fail", many)))
    assert text.endswith("and 3 more in the report")
    assert text.count(": fail: settings.") == FIRST


def test_a_drill_that_passed_has_only_the_matrix() -> None:
    assert "did not pass" not in explain(report(cell("bulk_erase", "orders", "pass", attempt())))


def test_no_colours_and_no_trailing_spaces_whatever_the_environment_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = explain(rich())
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    assert explain(rich()) == plain
    assert "\x1b" not in plain
    assert all(line == line.rstrip() for line in plain.splitlines())


@settings(max_examples=30, deadline=None)
@given(reports())
def test_any_report_can_be_explained(any_report: Report) -> None:
    text = explain(any_report)
    assert any_report.verdict in text
    assert "\x1b" not in text


def printed(one: Report, columns: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a terminal without colours shows that is so many columns wide."""
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    print_matrix(one, file)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in file.getvalue().splitlines()]


def small() -> Report:
    paths = (attempt("dynamodb_pitr"), attempt("dynamodb_stream_copy"), without_point("dynamodb_global_table"))
    untried = without_point("dynamodb_backup", "skipped", "unknown")
    return report(cell("table_deletion", "orders", "pass", *paths, untried))


def test_a_wide_terminal_has_a_line_for_each_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    heading, line, *_ = printed(small(), 200, monkeypatch)
    assert heading.split()[0] == "scenario"
    assert line.endswith(
        "dynamodb_stream_copy pass in 1h 02m, dynamodb_global_table no recovery point, dynamodb_backup not tried"
    )


def test_a_terminal_of_100_columns_breaks_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(small(), 100, monkeypatch)
    assert all(len(line) <= 100 for line in lines)
    assert lines[1] == "table_deletion"
    assert " ".join(lines[2].split()) == "orders pass 1h 02m of 4h 00m 1.5s of 15m 4 dynamodb_pitr"
    assert [line.strip() for line in lines[3:5]] == [
        "dynamodb_stream_copy pass 1h 02m",
        "dynamodb_global_table no recovery",
    ]
    assert lines[-1] == "shop-0123456789: pass (simulated, seed 7)"


def test_elsewhere_nothing_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    many = [attempt(f"protection_number_{number}") for number in range(20)]
    file = io.StringIO()
    print_matrix(report(cell("bulk_erase", "orders", "pass", *many)), file)
    heading, line, *_ = file.getvalue().splitlines()
    assert heading == heading.rstrip()
    assert line.count("pass in 1h 02m") == 19
    assert len(line) > 700
