"""Names of databases and users that PostgreSQL, or RDS in it, keeps to itself, and names that are none.

Source: RDS API reference, CreateDBInstance (DBName, MasterUsername) and CreateDBCluster (DatabaseName); PostgreSQL
documentation, SQL key words (those that are reserved); RDS user guide, Understanding PostgreSQL roles and permissions.
"""

from __future__ import annotations

import re
from typing import Any

from drills.simulator.rds.calls import Refused

_RESERVED = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc
    distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral
    leading limit localtime localtimestamp not null offset on only or order placing primary references returning select
    session_user some symmetric system_user table then to trailing true union unique user using variadic when where
    window with
"""
RESERVED = frozenset(_RESERVED.split())
_OF_RDS = """
    rdsadmin rds_superuser rds_ad rds_extension rds_iam rds_password rds_replication rdsproxyadmin rdsrepladmin
    rdstopmgr rdswriteforwarduser
"""
OF_RDS = frozenset(_OF_RDS.split())
DATABASES = frozenset({"rdsadmin", "template0", "template1"})
USERS = frozenset({"admin", "authorization", "cross", "public", "root"})
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def check_database(name: Any, parameter: str) -> str | None:
    """The name of a first database, None where none is wanted. Raises Refused."""
    if not name:
        return None
    if str(name).lower() in RESERVED | DATABASES:
        raise Refused(
            "InvalidParameterValue",
            f"{parameter} {name} cannot be used. It is a reserved word for this engine",
        )
    if NAME.fullmatch(str(name)) is None:
        raise Refused("InvalidParameterValue", f"{parameter} must be alphanumeric and begin with a letter: {name}")
    return str(name)


def check_user(name: str | None) -> str:
    """The name of a master user. Raises Refused."""
    if not name:
        raise Refused("InvalidParameterValue", "The parameter MasterUsername must be provided and must not be blank.")
    if name.lower() in RESERVED | OF_RDS | USERS or name.lower().startswith("pg_"):
        raise Refused(
            "InvalidParameterValue",
            f"MasterUsername {name} cannot be used as it is a reserved word used by the engine",
        )
    if NAME.fullmatch(name) is None:
        raise Refused("InvalidParameterValue", f"The parameter MasterUsername is not a valid identifier: {name}")
    return name
