"""Option groups, which moto keeps, as far as snapshots are bound to them.

Source: RDS user guide, Working with option groups: permanent and persistent options. PostgreSQL has no options on AWS;
a group that was given some here all the same binds as it would for another engine.
"""

from __future__ import annotations

from moto.rds.models import rds_backends

BINDING = frozenset({"NATIVE_NETWORK_ENCRYPTION", "OLS", "TDE", "TDE_HSM", "TIMEZONE", "TRANSPARENT_DATA_ENCRYPTION"})
"""Options that are permanent or persistent, in upper case. Source: RDS user guide, Options for Oracle DB instances;
Options for SQL Server."""


def is_default(name: str | None) -> bool:
    """Whether it is none, or one that AWS itself provides."""
    return not name or name.startswith("default:")


def exists(account: str, region: str, name: str) -> bool:
    return is_default(name) or name.lower() in rds_backends[account][region].option_groups


def binding_options(account: str, region: str, name: str | None) -> list[str]:
    """The permanent and persistent options of a group; what is restored from a snapshot of it must have them too."""
    if is_default(name):
        return []
    group = rds_backends[account][region].option_groups.get(str(name).lower())
    names = [str(option["OptionName"]) for option in group.options] if group is not None else []
    return sorted(option for option in names if option.upper() in BINDING)


def default_for(engine: str, engine_version: str) -> str:
    """The default group's name, such as ``default:postgres-18``."""
    return f"default:{engine}-{engine_version.partition('.')[0]}"
