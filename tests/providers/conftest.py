"""moto's own server, in one process for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.resumable import remembered_rehearsals
from tests.sandbox_ground import Ground, moto_server, sandbox_ground


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def ground(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with sandbox_ground(tmp_path, monkeypatch, moto) as ground:
        yield ground


@pytest.fixture(scope="session")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rehearsals")


@pytest.fixture
def direct(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rehearsals: Path) -> Iterator[Ground]:
    """A ground whose calls nobody counts: the same names in each test, and so the same rehearsals."""
    with sandbox_ground(tmp_path, monkeypatch, moto) as ground, remembered_rehearsals(rehearsals):
        ground.url = moto
        ground.file()
        yield ground
