"""The wheel: one top-level name, with the built-in scenarios and estates in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_NEEDED = shutil.ignore_patterns("__pycache__", "*.pyc")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of a wheel built from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("drills", "scenarios", "fixtures"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=NOT_NEEDED)
    for file in ("pyproject.toml", "hatch_build.py", "LICENSE", "README.md"):
        if (ROOT / file).exists():
            shutil.copy(ROOT / file, copy / file)
    if not (copy / "README.md").exists():
        (copy / "README.md").write_text("# drills\n")
    (copy / "scenarios" / "__pycache__").mkdir()
    (copy / "scenarios" / "__pycache__" / "bulk_erase.cpython-311.pyc").touch()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "dist"), str(copy)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_drills_is_the_only_top_level_name(names: list[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"drills"}


def test_the_built_in_files_are_folded_in(names: list[str]) -> None:
    for folder, pattern in (("scenarios", "*.py"), ("fixtures", "*")):
        there = [path.name for path in (ROOT / folder).glob(pattern) if path.is_file() and path.name != "__init__.py"]
        assert there
        assert {f"drills/builtin/{folder}/{name}" for name in there} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_what_init_writes_is_in_it(names: list[str]) -> None:
    from drills.starting import FILES

    assert {f"drills/starter/{source}" for source in FILES} <= set(names)


def test_what_reports_are_made_with_is_in_it(names: list[str]) -> None:
    beside = [path.name for path in (ROOT / "drills" / "report").iterdir() if path.suffix in (".json", ".j2", ".css")]
    assert "report.schema.json" in beside
    assert {f"drills/report/{name}" for name in beside} <= set(names)
