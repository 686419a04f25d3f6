"""By what each failure of each kind of store is survived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drills import plugins
from drills.coverage import BUILT_HERE, coverage, summary
from drills.matrix_table import print_matrix
from drills.model import Attempt, Cell, Finding, Phases, Report, Verdict
from drills.report import html
from tests.report.reports import rich


def attempt(protection: str, verdict: Verdict = "pass") -> Attempt:
    return Attempt(protection, None, verdict, None, None, None, None, Phases(), None, ())


def cell(scenario: str, store: str, kind: str, *attempts: Attempt) -> Cell:
    return Cell(scenario, store, kind, "pass", None, None, 1.0, None, 1.0, 0, None, attempts)


def of(*cells: Cell) -> Report:
    return replace(rich(), cells=cells)


def test_what_aws_has_goes_before_what_is_built_here() -> None:
    told = coverage(of(cell("a", "t", "dynamodb", attempt("dynamodb_stream_copy"), attempt("dynamodb_pitr"))))
    assert [one.words for one in told] == ["AWS: dynamodb_pitr"]


def test_a_path_that_failed_covers_nothing() -> None:
    failed = cell("a", "t", "rds", attempt("rds_snapshot", "fail"), attempt("rds_snapshot_copy", "unknown"))
    told = coverage(of(failed))
    assert [one.words for one in told] == ["nothing"]
    assert summary(told) == ("0 of 1 failures × kinds of store are covered by AWS itself, 1 by nothing (a × rds)")


def test_what_could_not_be_tried_may_have_covered_it() -> None:
    why = Finding("capability", "unknown", "t", "tried and proved", "an endpoint cannot do s3.replication")
    untried = replace(attempt("s3_replication", "unknown"), findings=(why,))
    told = coverage(of(cell("a", "t", "s3", attempt("s3_versioning", "fail"), untried)))
    assert [one.words for one in told] == ["not known"]
    assert summary(told) == "0 of 1 failures × kinds of store are covered by AWS itself, 1 not known (a × s3)"
    assert [one.words for one in coverage(of(cell("a", "t", "s3", attempt("s3_versioning"), untried)))] == [
        "AWS: s3_versioning"
    ]


def test_stores_of_a_kind_are_taken_together() -> None:
    told = coverage(
        of(
            cell("a", "one", "dynamodb", attempt("dynamodb_stream_copy")),
            cell("a", "two", "dynamodb", attempt("dynamodb_global_table")),
            cell("b", "one", "dynamodb", attempt("dynamodb_stream_copy")),
        )
    )
    assert [one.words for one in told] == ["AWS: dynamodb_global_table", "drills: dynamodb_stream_copy"]
    assert "1 of 2 failures" in summary(told)
    assert summary(told).endswith("1 by copies built here (b × dynamodb)")


def test_what_is_built_here_are_protections_that_there_are() -> None:
    assert {plugins.load_protection(name).name for name in BUILT_HERE} == BUILT_HERE


def test_the_table_under_the_matrix_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_matrix(of(cell("account_loss", "t", "rds", attempt("rds_snapshot_copy"))))
    lines = capsys.readouterr().out.splitlines()
    assert "survived by   RDS and Aurora" in lines
    assert "account_loss  drills: rds_snapshot_copy" in lines


def test_the_page_says_so() -> None:
    page = html.render(of(cell("account_loss", "t", "rds", attempt("rds_snapshot_copy")))).decode()
    assert "1 by copies built here (account_loss × rds)" in page
    assert '<th scope="col">RDS and Aurora</th>' in page
    assert "<td>drills: rds_snapshot_copy</td>" in page
