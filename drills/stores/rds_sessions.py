"""Connections to a database's endpoint: opened with its secret, one kept for each site and place."""

from __future__ import annotations

import ipaddress
import os
import select
import weakref
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.errors import DrillError, MissingExtra
from drills.guard_databases import CLUSTER, INSTANCE
from drills.model import Location
from drills.site import Site
from drills.stores import Refused
from drills.stores.rds_instances import is_aurora, label

if TYPE_CHECKING:
    from psycopg import Connection

CONNECT_SECONDS = 5
SILENT_MILLISECONDS = 15_000
"""After so long without an answer to what was sent, a connection is taken for lost."""
OUTPUT = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
}
"""What decides how the server prints values: the same everywhere, so that equal values are equal texts."""

ENCRYPTED = ("require", "verify-ca", "verify-full")
"""Source: PostgreSQL documentation, libpq, SSL mode descriptions."""

_kept: dict[int, dict[Location, Connection]] = {}
"""By the site's identity; closed and forgotten with the site."""


def driver() -> Any:
    """psycopg. Raises MissingExtra where it is not installed."""
    try:
        import psycopg
    except ImportError:
        raise MissingExtra("rds", "A store of kind 'rds'") from None
    return psycopg


def connect_to(host: str, port: int, user: str, password: str, database: str) -> Connection:
    """A connection that commits each statement unless told otherwise. Raises psycopg.OperationalError."""
    connection: Connection = driver().connect(
        host=host,
        port=port,
        user=user,
        password=password,
        dbname=database,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        sslmode=ssl_mode(host),
        gssencmode="disable",
        application_name="drills",
        tcp_user_timeout=SILENT_MILLISECONDS,
        options=" ".join(f"-c {name}={value}" for name, value in OUTPUT.items()),
    )
    return connection


def ssl_mode(host: str) -> str:
    """Nothing leaves this machine unencrypted. ``PGSSLMODE`` may ask for more, as ``verify-full`` with the bundle of
    AWS's certificates in ``PGSSLROOTCERT``, and never for less. Source: RDS user guide, Using SSL with PostgreSQL."""
    asked = os.environ.get("PGSSLMODE", "")
    if asked in ENCRYPTED:
        return asked
    return "prefer" if _is_loopback(host) else ENCRYPTED[0]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith("/")


def changing(site: Site, at: Location, what: str, *, often: bool = False) -> AbstractContextManager[None]:
    """Around statements that change the database there: see Site.statement."""
    return site.statement(at, guarded_kind(site), what, often=often)


def guarded_kind(site: Site) -> str:
    """The guard's word for what a database of the store is."""
    return CLUSTER if is_aurora(site) else INSTANCE


def kept(site: Site, at: Location) -> Connection:
    """The site's connection to the database there: the one it has, or a new one.

    Raises Refused when none can be made: then nothing was sent.
    """
    from drills.stores.rds_secret import connect

    mine = _kept.get(id(site))
    if mine is None:
        mine = _kept[id(site)] = {}
        weakref.finalize(site, _forget, id(site))
    connection = mine.get(at)
    try:
        site.reach(at, guarded_kind(site))
        if connection is not None and not connection.closed and _is_quiet(connection):
            return connection
        if connection is not None:
            connection.close()
        mine[at] = connect(site, at)
    except (DrillError, ClientError, BotoCoreError, driver().Error) as error:
        if isinstance(error, MissingExtra):
            raise
        drop(site, at)
        raise Refused(f"{label(site, at)}: no connection: {error}{_advice(error)}") from error
    return mine[at]


def _advice(error: Exception) -> str:
    # What drills make is closed to the internet, so that silence is the likeliest mistake by far.
    if isinstance(error, driver().errors.ConnectionTimeout) or "timeout expired" in str(error):
        return (
            ". Nothing answered: databases are made without a public address, in the default VPC. Run drills within "
            "it, or by a VPN into it, and let its default security group admit port 5432 from there."
        )
    return ""


def _is_quiet(connection: Connection) -> bool:
    """Whether nothing has come since the last answer: what comes unasked is the server's farewell."""
    readable, _, _ = select.select([connection.fileno()], [], [], 0)
    return not readable


def drop(site: Site, at: Location) -> None:
    """Close the site's connection to the database there, if it has one."""
    connection = _kept.get(id(site), {}).pop(at, None)
    if connection is not None:
        connection.close()


def _forget(site: int) -> None:
    for connection in _kept.pop(site, {}).values():
        connection.close()
