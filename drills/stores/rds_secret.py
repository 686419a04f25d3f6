"""The passwords of a database, kept in Secrets Manager beside it: random, and never seen by the drill's history.

The secret has the form that AWS's own rotation uses, for the master user; how the application logs in is beside that.
Source: Secrets Manager user guide, JSON structure of secrets.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drills.errors import ProtectionError
from drills.model import Location
from drills.site import Site
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_instances import endpoint, guard, is_aurora, label, modify, tag_list, there
from drills.stores.rds_sessions import connect_to, driver, drop, guarded_kind

if TYPE_CHECKING:
    from psycopg import Connection

MASTER = "drills_master"
PASSWORD_BYTES = 24
GONE = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
APPLICATION = ("application_username", "application_password")
"""How the application logs in, as the secret names it."""
ACCEPTED_SECONDS = 600
"""How long a new password may take until it is accepted."""


def secret_name(at: Location) -> str:
    return f"rds/{at.name}"


def new_password() -> str:
    # Letters and digits alone: RDS takes no '/', '@', '"' and blanks.
    return secrets.token_hex(PASSWORD_BYTES)


def keep_secret(
    site: Site, at: Location, user: str, password: str, application: Mapping[str, str] | None = None
) -> None:
    """Write the secret of the database there, in its own account and region. ``application``: how it logs in, if it
    does by a password that is known."""
    config: DatabaseConfig = site.store.config
    word = "dbClusterIdentifier" if is_aurora(site) else "dbInstanceIdentifier"
    content = {"engine": "postgres", "username": user, "password": password, "dbname": config.database, word: at.name}
    manager, text = _manager(site, at), json.dumps({**content, **(application or {})})
    try:
        manager.create_secret(Name=secret_name(at), SecretString=text, Tags=tag_list(site.tags))
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId=secret_name(at), SecretString=text)


def change_secret(site: Site, at: Location, **changes: str) -> None:
    """Change this of the secret there and leave the rest. Raises ProtectionError where there is none."""
    text = json.dumps({**read_secret(site, at), **changes})
    _manager(site, at).put_secret_value(SecretId=secret_name(at), SecretString=text)


def read_secret(site: Site, at: Location) -> dict[str, str]:
    """What the secret says. Raises ProtectionError where there is none."""
    manager = _manager(site, at)
    try:
        text = manager.get_secret_value(SecretId=secret_name(at))["SecretString"]
    except manager.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        raise ProtectionError(
            f"{label(site, at)}: expected the secret {secret_name(at)} with its password, found none. Give it a new "
            "one: the master password is changed without knowing the old one."
        ) from error
    found: dict[str, str] = json.loads(text)
    return found


def application_in(secret: Mapping[str, str]) -> dict[str, str]:
    """What a secret says of how the application logs in; empty where it does not."""
    return {name: secret[name] for name in APPLICATION if name in secret}


def drop_secret(site: Site, at: Location) -> None:
    """Delete the secret for good; nothing happens where there is none."""
    manager = _manager(site, at)
    try:
        manager.delete_secret(SecretId=secret_name(at), ForceDeleteWithoutRecovery=True)
    except manager.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def connect(site: Site, at: Location) -> Connection:
    """A new connection to the database there as its master user, to the database of the application.

    Autocommit is on, and values come in the form that inventories have. Raises ProtectionError where there is no
    database or no secret, psycopg.OperationalError when the server cannot be reached or refuses, botocore's exceptions
    where it is lost or down.
    """
    site.reach(at, guarded_kind(site))
    found = read_secret(site, at)
    host, port = endpoint(site, at)
    return connect_to(host, port, found["username"], found["password"], found["dbname"])


def renew_password(site: Site, at: Location) -> None:
    """Give the database there a new master password and keep it in the secret; returns once it is accepted.

    What is restored has the password of its source, whose secret may be lost with its account.
    """
    guard(site, at, "giving a new password to")
    user = str(there(site, at)["MasterUsername"])
    password = new_password()
    modify(site, at, MasterUserPassword=password)
    keep_secret(site, at, user, password, _application_at(site, at))
    drop(site, at)

    def accepted() -> bool:
        try:
            connect(site, at).close()
        except driver().OperationalError:
            return False
        return True

    site.wait(
        f"{label(site, at)} to accept its new password", accepted, every_seconds=5, limit_seconds=ACCEPTED_SECONDS
    )


def _application_at(site: Site, at: Location) -> dict[str, str]:
    try:
        return application_in(read_secret(site, at))
    except ProtectionError:
        return {}


def is_known(site: Site, at: Location) -> bool:
    """Whether the secret there opens the database there."""
    try:
        connect(site, at).close()
    except (ProtectionError, driver().OperationalError):
        return False
    return True


def _manager(site: Site, at: Location) -> Any:
    return site.client("secretsmanager", at.role, at.region)
