"""report.json: its shape, its schema, and that nothing of the report but the handles is left out."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from drills.model import (
    PHASES,
    RECORD_CLASSES,
    Attempt,
    Cell,
    DrillInfo,
    Endpoint,
    Finding,
    Mismatch,
    Phases,
    RecordCounts,
    RecoveryPoint,
    Report,
)
from drills.report.json_report import SCHEMA, render
from tests.report.reports import attempt, cell, report, reports, rich

DOCUMENTED = json.loads(files("drills.report").joinpath("report.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(DOCUMENTED, format_checker=Draft202012Validator.FORMAT_CHECKER)


def rendered(one: Report) -> Any:
    return json.loads(render(one))


def read_back(told: Any) -> Report:
    """A reader that knows only the schema. Handles do not come back: they are not in the file."""
    drill = DrillInfo(**{**told["drill"], "started": datetime.fromisoformat(told["drill"]["started"])})
    cells = tuple(Cell(**{**one, "attempts": tuple(map(_attempt, one["attempts"]))}) for one in told["cells"])
    return Report(drill, told["verdict"], cells, tuple(Finding(**one) for one in told["findings"]))


def _attempt(told: Any) -> Attempt:
    point = told["recovery_point"]
    if point is not None:
        as_of = datetime.fromisoformat(point["as_of"])
        point = RecoveryPoint(**{**point, "as_of": as_of, "protection": told["protection"]})
    return Attempt(
        **{
            **told,
            "recovery_point": point,
            "phases": Phases(**told["phases"]),
            "endpoint": None if told["endpoint"] is None else Endpoint(**told["endpoint"]),
            "records": None if told["records"] is None else RecordCounts(**told["records"]),
            "findings": tuple(Finding(**one) for one in told["findings"]),
            "mismatches": tuple(Mismatch(**one) for one in told["mismatches"]),
        }
    )


def without_handles(one: Report) -> Report:
    def bare(tried: Attempt) -> Attempt:
        point = tried.recovery_point
        return tried if point is None else replace(tried, recovery_point=replace(point, handle={}))

    return replace(one, cells=tuple(replace(c, attempts=tuple(map(bare, c.attempts))) for c in one.cells))


def test_the_shape_is_the_one_that_was_promised() -> None:
    told = rendered(report(cell("bulk_erase", "orders", "pass", attempt()), findings=()))
    assert list(told) == ["schema", "drill", "verdict", "cells", "findings"]
    assert list(told["drill"]) == ["id", "seed", "version", "provider", "grade", "estate", "started", "clock"]
    assert set(told["cells"][0]) == {
        "scenario", "store", "kind", "verdict", "path", "rto_seconds", "rto_objective_seconds", "rpo_seconds",
        "rpo_objective_seconds", "writes_acknowledged", "writes_lost", "attempts",
    }  # fmt: skip
    tried = told["cells"][0]["attempts"][0]
    assert set(tried) >= {
        "protection", "recovery_point", "verdict", "rto_seconds", "rto_p95_seconds", "rpo_seconds", "writes_lost",
        "phases", "records", "findings",
    }  # fmt: skip
    assert set(tried["recovery_point"]) >= {"id", "account", "region", "as_of"}
    assert tuple(tried["phases"]) == PHASES
    assert tuple(tried["records"]) == ("expected", *RECORD_CLASSES)
    assert set(tried["findings"][0]) == {"check", "verdict", "subject", "expected", "observed", "records_covered"}
    assert told["schema"] == SCHEMA == DOCUMENTED["properties"]["schema"]["const"]
    assert told["drill"]["started"] == "2026-01-05T09:00:00.000000Z"


def test_the_schema_is_a_schema_and_every_field_says_what_it_is() -> None:
    Draft202012Validator.check_schema(DOCUMENTED)
    for name, part in _objects(DOCUMENTED, "report"):
        assert part["additionalProperties"] is False, name
        assert sorted(part["required"]) == sorted(part["properties"]), name
        for field, described in part["properties"].items():
            what = DOCUMENTED["$defs"][described["$ref"].rpartition("/")[2]] if "$ref" in described else described
            assert what.get("description"), f"{name}.{field}"
            if field.endswith("_seconds"):
                assert "econds" in what["description"], f"{name}.{field}: its unit"


def _objects(part: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield name, part
        for key, value in part.items():
            yield from _objects(value, key)


@pytest.mark.parametrize("clock", ["simulated", "wall"])
def test_a_report_with_everything_is_valid(clock: Any) -> None:
    VALIDATOR.validate(rendered(rich(clock)))


@settings(max_examples=40, deadline=None)
@given(reports())
def test_any_report_is_valid_and_can_be_read_back(any_report: Report) -> None:
    told = rendered(any_report)
    VALIDATOR.validate(told)
    assert read_back(told) == without_handles(any_report)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("surplus",), 1),
        (("schema",), "dr-drills/report/2"),
        (("verdict",), "passed"),
        (("drill", "started"), "2026-01-05 09:00"),
        (("drill", "started"), "2026-13-45T09:00:00.000000Z"),
        (("drill", "clock"), "real"),
        (("drill", "seed"), 1.5),
        (("cells", 0, "rto_seconds"), -1),
        (("cells", 0, "writes_lost"), 1.5),
        (("cells", 0, "attempts", 0, "recovery_point", "handle"), {}),
        (("cells", 0, "attempts", 0, "recovery_point", "as_of"), "yesterday"),
        (("cells", 0, "attempts", 0, "phases", "restore"), "long"),
        (("cells", 0, "attempts", 0, "phases", "reboot"), 1),
        (("cells", 0, "attempts", 0, "records", "lost"), None),
        (("cells", 0, "attempts", 0, "findings", 0, "verdict"), None),
        (("findings", 0, "severity"), "high"),
    ],
)
def test_the_schema_refuses_what_is_not_a_report(path: tuple[str | int, ...], wrong: Any) -> None:
    told = rendered(rich())
    spoilt = copy.deepcopy(told)
    part = spoilt
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = wrong
    assert VALIDATOR.is_valid(told)
    assert not VALIDATOR.is_valid(spoilt)


def test_a_field_that_is_missing_is_refused() -> None:
    told = rendered(rich())
    del told["cells"][0]["attempts"][0]["assumed"]
    assert not VALIDATOR.is_valid(told)


def test_handles_stay_out() -> None:
    assert b"handle" not in render(rich())


def test_moments_are_told_in_utc_whatever_zone_they_came_in() -> None:
    one = rich()
    elsewhere = one.drill.started.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert render(replace(one, drill=replace(one.drill, started=elsewhere))) == render(one)


def test_no_figure_is_null_and_not_zero() -> None:
    told = rendered(rich())["cells"][1]["attempts"][1]
    assert told["rto_seconds"] is None
    assert told["phases"]["cut_over"] is None
    assert told["records"] is None


ALL = """
import sys
from drills.report import html, json_report, junit
from drills.report.matrix import explain
from tests.report.reports import rich
out = json_report.render(rich()) + html.render(rich()) + junit.render(rich()) + explain(rich()).encode()
sys.stdout.buffer.write(out)
"""


def test_the_same_report_gives_the_same_bytes_in_every_environment() -> None:
    def bytes_in(**environment: str) -> bytes:
        done = subprocess.run(
            [sys.executable, "-c", ALL], env={**os.environ, **environment}, capture_output=True, check=True
        )
        return done.stdout

    here = bytes_in(PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8")
    there = bytes_in(PYTHONHASHSEED="2", TZ="Asia/Kathmandu", LC_ALL="C", FORCE_COLOR="1", COLUMNS="40", TERM="xterm")
    assert here == there
    assert len(here) > 50_000
