"""One engine for a file's tests: making its first server takes longest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.server import PostgresServer
from tests.simulator.postgres.shop import MASTER, connect


@pytest.fixture(scope="module")
def engine() -> Iterator[PostgresEngine]:
    made = PostgresEngine()
    yield made
    made.close()


@pytest.fixture
def server(engine: PostgresEngine) -> Iterator[PostgresServer]:
    """A server with an empty table of its master user."""
    made = engine.create(MASTER, "shop")
    with connect(made) as connection:
        connection.execute("CREATE TABLE sales (id int PRIMARY KEY, note text)")
    yield made
    made.archive.discard()
    made.destroy()
