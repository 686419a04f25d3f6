"""What a drill's folder gets: all three files, each replaced in one step."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from drills.errors import DrillError
from drills.report import html, json_report, junit, write_all
from tests.report.reports import rich

NAMES = {"report.json", "report.html", "junit.xml"}


def test_all_three_are_written_and_nothing_else(tmp_path: Path) -> None:
    write_all(rich(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == NAMES
    assert (tmp_path / "report.json").read_bytes() == json_report.render(rich())
    assert (tmp_path / "report.html").read_bytes() == html.render(rich())
    assert (tmp_path / "junit.xml").read_bytes() == junit.render(rich())


def test_the_new_report_takes_the_place_of_the_old(tmp_path: Path) -> None:
    write_all(rich(), tmp_path)
    write_all(replace(rich(), verdict="unknown"), tmp_path)
    assert json.loads((tmp_path / "report.json").read_bytes())["verdict"] == "unknown"
    assert {path.name for path in tmp_path.iterdir()} == NAMES


def test_a_report_that_cannot_be_rendered_leaves_the_old_one_whole(tmp_path: Path) -> None:
    write_all(rich(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    one = rich()
    nonsense = replace(one, cells=(replace(one.cells[0], rto_seconds=float("nan")),))
    with pytest.raises(ValueError):
        write_all(nonsense, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    (tmp_path / "report.html" / "in the way").touch()
    with pytest.raises(DrillError, match=r"report\.html: expected to write the report there, found: Is a directory"):
        write_all(rich(), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DrillError, match=r"No such file or directory.*drills judge"):
        write_all(rich(), tmp_path / "gone")
