"""Two databases on servers of their own, made once for a file's tests and emptied for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import psycopg
import pytest

from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials, Server

MASTER = Credentials("master", "s3cret%word")
CLEAR = """
DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS other CASCADE;
SELECT lo_unlink(oid) FROM pg_largeobject_metadata"""


@dataclass(frozen=True, slots=True)
class Databases:
    source: str
    target: str

    def each(self) -> tuple[str, str]:
        return self.source, self.target

    def both(self, *statements: str) -> None:
        for place in self.each():
            run(place, *statements)


def run(place: str, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement."""
    with psycopg.connect(place, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(cast("Any", statement))
        return cursor.fetchall() if cursor.description else []


def place_of(server: Server) -> str:
    return psycopg.conninfo.make_conninfo(
        host=server.address.host, port=server.address.port, user=MASTER.user, password=MASTER.password, dbname="shop"
    )


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    engine = PostgresEngine()
    try:
        yield engine.create(MASTER, "shop"), engine.create(MASTER, "shop")
    finally:
        engine.close()


@pytest.fixture
def databases(servers: tuple[Server, Server]) -> Databases:
    made = Databases(*map(place_of, servers))
    for place in made.each():
        with psycopg.connect(place) as connection:
            connection.execute(CLEAR)
    return made
