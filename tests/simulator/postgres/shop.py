"""A table of sales as an application writes and reads it: through psycopg, at the address that the server has."""

from __future__ import annotations

import psycopg

from drills.simulator.postgres.interface import Credentials, Server

MASTER = Credentials("clerk", 'it\'s a "secret" \\ with $signs')


def connect(
    server: Server, credentials: Credentials = MASTER, database: str = "shop"
) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=server.address.host,
        port=server.address.port,
        user=credentials.user,
        password=credentials.password,
        dbname=database,
        autocommit=True,
    )


def sell(server: Server, *ids: int, note: str = "") -> None:
    """One transaction each, acknowledged when this returns."""
    with connect(server) as connection:
        for one in ids:
            connection.execute("INSERT INTO sales VALUES (%s, %s)", (one, note))


def sold(server: Server) -> list[object]:
    with connect(server) as connection:
        return [one for (one,) in connection.execute("SELECT id FROM sales ORDER BY id")]
