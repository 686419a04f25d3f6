"""The application's own login: its role's password lies in the database's secret, beside the master's.

A restore brings the role with the password that it had, whose secret may be lost with its account, or does not bring
the role at all. So a restored database gets a new one, in the secret by its own name, where the application finds it
after the cut-over. PostgreSQL is sent the hash alone, so that the password is in no log of the server's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drills.errors import ProtectionError
from drills.model import Location
from drills.ownership import DRILL_TAG
from drills.site import Site
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_instances import endpoint, label
from drills.stores.rds_lent import quoted
from drills.stores.rds_secret import APPLICATION, change_secret, new_password, read_secret, secret_name
from drills.stores.rds_sessions import changing, connect_to, driver, guarded_kind, kept

if TYPE_CHECKING:
    from psycopg import Connection

USER, PASSWORD = APPLICATION


def renew_login(site: Site, at: Location) -> None:
    """Give the application's role a new password and keep it in the secret of the database there.

    Nothing happens where the estate names no application, or its role is not there or does not log in.
    """
    role = _role(site)
    if role is None or not logs_in(site, at):
        return
    password = new_password()
    with changing(site, at, "a new password of the application's"):
        connection = kept(site, at)
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode()).decode()
        connection.execute(f"ALTER ROLE {quoted(role)} PASSWORD '{hashed}'".encode())
    change_secret(site, at, **{USER: role, PASSWORD: password})


def see_to_login(site: Site, at: Location, made: frozenset[str]) -> None:
    """Have the application log in with what the secret says. ``made``: the roles that were just made again.

    Outside of drills an application keeps the password that it knows, unless its role had to be made again.
    """
    if _role(site) in made or (DRILL_TAG in site.tags and not opens(site, at)):
        renew_login(site, at)


def opens(site: Site, at: Location) -> bool:
    """Whether the application can log in with what the secret says."""
    try:
        log_in(site, at).close()
    except (ProtectionError, driver().OperationalError):
        return False
    return True


def is_kept(site: Site, at: Location) -> bool:
    """Whether the secret says how the application logs in."""
    return read_secret(site, at).keys() >= set(APPLICATION)


def log_in(site: Site, at: Location) -> Connection:
    """A new connection as the application makes it. Raises ProtectionError where the secret does not say how,
    psycopg.OperationalError where the server refuses, botocore's exceptions where it is lost or down."""
    site.reach(at, guarded_kind(site))
    found = read_secret(site, at)
    if not is_kept(site, at):
        raise ProtectionError(
            f"{label(site, at)}: expected the secret {secret_name(at)} to hold the application's user and password, "
            "found the master user's alone. Set one with ALTER ROLE … PASSWORD and put both into it."
        )
    host, port = endpoint(site, at)
    return connect_to(host, port, found[USER], found[PASSWORD], found["dbname"])


def logs_in(site: Site, at: Location) -> bool:
    """Whether the application's role is there and may log in at all."""
    query = "SELECT FROM pg_roles WHERE rolname = %s AND rolcanlogin"
    return bool(kept(site, at).execute(query, (_role(site),)).fetchall())


def _role(site: Site) -> str | None:
    config: DatabaseConfig = site.store.config
    return config.application
