"""``drills init``: a starter that works at once and overwrites nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from drills import plugins
from drills.cli import main
from drills.starting import FILES


def init(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["init", *arguments])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_it_writes_the_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init() == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(FILES.values())
    out = capsys.readouterr().out
    assert "wrote scenarios/nightly_cleanup.py" in out
    assert out.endswith("Next: drills run --estate my_estate\n")


def test_it_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "here" / "fixtures" / "my_estate.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert init(str(tmp_path / "here")) == 0
    assert mine.read_text() == "mine"
    out = capsys.readouterr().out
    assert f"left alone {mine}: it exists already" in out
    assert out.count("wrote") == len(FILES) - 1
    assert f"Next: cd {tmp_path / 'here'} && drills run" in out
    assert init(str(tmp_path / "here")) == 0
    assert capsys.readouterr().out.count("left alone") == len(FILES)


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "nightly_cleanup.py").symlink_to(tmp_path / "elsewhere.py")
    assert init(str(tmp_path)) == 0
    assert not (tmp_path / "elsewhere.py").exists()


def test_where_it_cannot_write_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scenarios").write_text("a file")
    assert init(str(tmp_path)) == 2
    assert f"{tmp_path / 'scenarios'} is a file; expected a folder" in capsys.readouterr().err


def test_the_starter_is_found_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    init()
    scenario = plugins.load_scenario("nightly_cleanup")
    assert plugins.scenarios()["nightly_cleanup"].origin == "yours"
    assert scenario.mangles_data
    estate = plugins.load_estate("my_estate")
    assert [store.name for store in estate.stores] == ["notes"]
    assert estate.response.detect("nightly_cleanup") == 7200
    ast.parse((tmp_path / "tests" / "test_drills.py").read_text())
