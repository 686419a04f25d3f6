"""junit.xml: CI shows what the exit code says."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given, settings
from junitparser import JUnitXml

from drills.model import Report, Verdict
from drills.report.junit import render
from tests.report.reports import HOSTILE, attempt, cell, finding, report, reports, rich, without_point


def parsed(one: Report) -> ET.Element:
    return ET.fromstring(render(one))


def results(one: Report) -> dict[tuple[str, str], str]:
    """``(classname, name)`` → pass, failure, error or skipped."""
    found = {}
    for case in parsed(one).iter("testcase"):
        tags = [child.tag for child in case if child.tag != "properties"]
        assert len(tags) <= 1
        found[case.attrib["classname"], case.attrib["name"]] = tags[0] if tags else "pass"
    return found


def test_a_suite_for_each_scenario_and_a_case_for_each_attempt() -> None:
    root = parsed(rich())
    suites = {suite.attrib["name"]: [case.attrib["name"] for case in suite.iter("testcase")] for suite in root}
    assert suites == {
        "bulk_erase": ["dynamodb_pitr", "dynamodb_global_table", "dynamodb_backup", "dynamodb_stream_copy"],
        "bulk_erase:overwrite": ["dynamodb_pitr", "dynamodb_stream_copy"],
        "account_loss": ["dynamodb_pitr", "dynamodb_backup", "all recovery paths"],
        "drill": ["clean_up", "drill"],
    }


def test_what_each_case_shows() -> None:
    assert results(rich()) == {
        ("bulk_erase.orders", "dynamodb_pitr"): "pass",
        ("bulk_erase.orders", "dynamodb_global_table"): "skipped",
        (f"bulk_erase.{HOSTILE}", "dynamodb_backup"): "failure",
        (f"bulk_erase.{HOSTILE}", "dynamodb_stream_copy"): "failure",
        ("bulk_erase:overwrite.orders", "dynamodb_pitr"): "pass",
        ("bulk_erase:overwrite.orders", "dynamodb_stream_copy"): "failure",
        ("account_loss.orders", "dynamodb_pitr"): "failure",
        ("account_loss.orders", "dynamodb_backup"): "error",
        (f"account_loss.{HOSTILE}", "all recovery paths"): "error",
        ("drill.orders", "clean_up"): "pass",
        ("drill.orders", "drill"): "error",
    }


def test_the_counts_are_those_of_the_cases() -> None:
    root = parsed(rich())
    for part in [root, *root.iter("testsuite")]:
        assert int(part.attrib["tests"]) == len(list(part.iter("testcase")))
        assert int(part.attrib["failures"]) == len(list(part.iter("failure")))
        assert int(part.attrib["errors"]) == len(list(part.iter("error")))
        assert float(part.attrib["time"]) == 0
    read = JUnitXml.fromstring(render(rich()).decode())
    assert (read.tests, read.failures, read.errors) == (11, 4, 3)


def test_a_failure_tells_every_finding_behind_it() -> None:
    root = parsed(rich())
    (failed,) = root.findall(".//testcase[@name='dynamodb_backup']/failure")
    assert failed.attrib["message"].startswith(
        "fail: records.complete of orders: expected what records.complete demands"
    )
    assert "1 more finding did not pass" in failed.attrib["message"]
    assert failed.text is not None
    assert f"observed: {HOSTILE}" in failed.text
    assert "unknown: settings.ttl of orders" in failed.text
    assert "KeyError: 'ttl'" in failed.text


def test_figures_are_properties_and_time_stays_zero() -> None:
    case = next(parsed(rich()).iter("testcase"))
    figures = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
    assert float(case.attrib["time"]) == 0
    assert figures["rto_seconds"] == "3720.0"
    assert figures["rto_objective_seconds"] == "14400.0"
    assert figures["rto_p95_seconds"] == "7440.0"
    assert figures["rpo_seconds"] == "1.5"
    assert figures["writes_lost"] == "4"
    assert figures["phase.restore_seconds"] == "2600.0"
    assert figures["records.lost"] == "1"
    assert figures["preferred"] == "true"
    assert "point-1 as of 2026-01-05T10:20:00.000000Z" in figures["recovery_point"]


@pytest.mark.parametrize(("clock", "word"), [("simulated", "simulated"), ("wall", "measured")])
def test_every_suite_says_what_kind_of_durations_it_has(clock: str, word: str) -> None:
    for suite in parsed(rich(clock)):  # type: ignore[arg-type]
        kinds = [one.attrib["value"] for one in suite.findall("properties/property[@name='durations']")]
        assert kinds == [word]


def test_a_path_that_the_scenario_took_away_does_not_fail_beside_one_that_counts() -> None:
    failing = attempt("dynamodb_stream_copy", finding("records.complete", "fail"))
    one = report(cell("region_outage", "orders", "fail", without_point("dynamodb_pitr"), failing))
    assert list(results(one).values()) == ["skipped", "failure"]


def test_a_protection_that_could_not_be_set_up_is_not_excused() -> None:
    missing = without_point("dynamodb_pitr")
    broken = replace(missing, findings=(finding("protection", "fail", "no such quota"), *missing.findings))
    one = report(cell("bulk_erase", "orders", "fail", broken, attempt("dynamodb_backup")))
    assert list(results(one).values()) == ["failure", "pass"]


@pytest.mark.parametrize("verdict", ["fail", "unknown"])
def test_a_verdict_that_no_attempt_shows_is_shown_by_the_cell(verdict: Verdict) -> None:
    one = report(cell("bulk_erase", "orders", verdict, attempt()))
    assert list(results(one).values()) == ["pass", {"fail": "failure", "unknown": "error"}[verdict]]


@pytest.mark.parametrize(("verdict", "shown"), [("fail", "failure"), ("unknown", "error")])
def test_a_verdict_that_no_cell_shows_is_shown_by_the_drill(verdict: Verdict, shown: str) -> None:
    one = replace(report(cell("bulk_erase", "orders", "pass", attempt())), verdict=verdict)
    assert results(one)["drill.shop-0123456789", "verdict"] == shown


@settings(max_examples=40, deadline=None)
@given(reports())
def test_unknown_is_never_green(any_report: Report) -> None:
    root = parsed(any_report)
    failures, errors = len(list(root.iter("failure"))), len(list(root.iter("error")))
    if any_report.verdict == "pass":
        assert (failures, errors) == (0, 0)
    else:
        assert failures if any_report.verdict == "fail" else errors
    green = sum(len([child for child in case if child.tag != "properties"]) == 0 for case in root.iter("testcase"))
    judged: list[Verdict] = [one.verdict for cell in any_report.cells for one in cell.attempts]
    judged += [one.verdict for one in any_report.findings]
    judged += [one.verdict for one in any_report.cells]
    assert green <= judged.count("pass")
