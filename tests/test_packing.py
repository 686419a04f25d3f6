"""Deployment packages of the functions: whole, standing alone, and the same bytes everywhere."""

from __future__ import annotations

import ast
import io
import os
import shutil
import sys
import zipfile
from pathlib import Path
from unittest import mock

import pytest

from drills import packing
from drills.packing import package_name, packed
from drills.simulator.functions.packages import Package

HANDLERS = Path(packing.__file__).parent / "handlers"
PACKAGES = sorted(one.name for one in HANDLERS.iterdir() if (one / "__init__.py").is_file())
BROUGHT = {"boto3", "botocore"}
"""What Lambda's Python brings beside the standard library."""


def sources(name: str) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(packed(name))) as archive:
        return {entry.filename: archive.read(entry).decode() for entry in archive.infolist()}


def test_there_are_packages() -> None:
    assert PACKAGES == ["snapshot_copy", "stream_copy"]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_has_every_module_and_nothing_else(name: str) -> None:
    there = {f"{name}/{one.name}": one.read_text("utf-8") for one in (HANDLERS / name).glob("*.py")}
    assert len(there) > 5
    assert sources(name) == there


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_stands_alone(name: str) -> None:
    """Nothing is imported but the standard library, what Lambda brings, and its own modules by where they lie."""
    for path, source in sources(name).items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                tops = {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                tops = {str(node.module).partition(".")[0]}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, path
                assert f"{name}/{node.module}.py" in sources(name), (path, node.module)
                continue
            else:
                continue
            assert tops <= sys.stdlib_module_names | BROUGHT, (path, tops)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_the_same_bytes_from_every_checkout(name: str, tmp_path: Path) -> None:
    """Made elsewhere, in another order, on another day, with other rights, beside what Python leaves there."""
    before, called = packed(name), package_name(name)
    copy = tmp_path / name
    copy.mkdir()
    for file in sorted((HANDLERS / name).glob("*.py"), reverse=True):
        made = Path(shutil.copy(file, copy))
        made.chmod(0o600)
        os.utime(made, (0, 0))
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "settings.cpython-311.pyc").write_bytes(b"\0")
    with mock.patch("importlib.resources.files", return_value=tmp_path):
        assert packed(name) == before
        assert package_name(name) == called


@pytest.mark.parametrize("name", PACKAGES)
def test_two_of_a_package_share_nothing(name: str) -> None:
    """As in Lambda, where each environment imports its own; what this process has imported is another."""
    with Package(packed(name)).importable():
        one = __import__(f"{name}.settings")
    with Package(packed(name)).importable():
        other = __import__(f"{name}.settings")
    assert one.Settings is not other.Settings
    assert one.Settings.__module__ == f"{name}.settings"
    assert name not in sys.modules
