"""What the live copies of a database have in common: made alike, its password known there, and how far they reach.

A copy that follows by the log is always a state that the database had, only older. How old, CloudWatch shows every
minute: the lag there, subtracted from its minute, is a moment up to which everything is known to have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from drills.differences import differences
from drills.errors import PointUnreachable, ProtectionError
from drills.model import JSON, Finding, Location, Place, RecoveryPoint
from drills.protections.options import duration_seconds, region
from drills.site import Site
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_groups import family_of, put_group
from drills.stores.rds_making import make_key
from drills.stores.rds_secret import application_in, is_known, keep_secret, read_secret
from drills.stores.rds_sessions import drop
from drills.stores.rds_settings import settings_of

ALIKE = ("engine", "encryption", "instance_class", "storage", "parameters", "options")
"""Settings without which a copy could not carry the application, and that take time to put back."""
MAXIMUM_LAG = "5m"
LOOKED_BACK = timedelta(minutes=30)
ROUNDING = timedelta(milliseconds=1)


def maximum_lag_seconds(options: Mapping[str, JSON]) -> float:
    """The option ``maximum_lag``. Raises ValueError."""
    return duration_seconds(options, "maximum_lag", MAXIMUM_LAG, "1s", "1d")


def place_of(site: Site, options: Mapping[str, JSON], name: str) -> Location:
    """Where the copy lies: in the production account, in the region that the options or the recovery account give."""
    at = site.primary()
    return Location(at.role, at.account, region(options) or site.region("recovery"), name)


def refuse_own_region(site: Site, copy: Location, what: str) -> None:
    """Raises ProtectionError for a copy in the database's own region, which goes down with it."""
    at = site.primary()
    if copy.region == at.region:
        raise ProtectionError(
            f"region: expected another region than production's for the {what} of {at.name}, found {at.region} for "
            "both. Give the protection, or the recovery account, another region."
        )


def refuse_other_engine(site: Site, engine: str, name: str, instead: str) -> None:
    """Raises ProtectionError where the store's engine has no such copy."""
    found = site.store.config.engine
    if found != engine:
        raise ProtectionError(
            f"store {site.store.name!r}: expected engine {engine} for protection {name}, found {found}. Use {instead} "
            "instead."
        )


def refuse_other_accounts(to: Place, what: str) -> None:
    """Raises PointUnreachable for a place outside the database's own account."""
    if to.role != "production":
        raise PointUnreachable(
            f"{what} lies in the database's own account, and people respond from the {to.role} account. Copies of "
            "snapshots in another account, such as rds_snapshot_copy keeps, are what can be restored there."
        )


def key_there(site: Site, copy: Location) -> Mapping[str, str]:
    """The key of the copy's storage: a key never leaves its region."""
    config: DatabaseConfig = site.store.config
    if not config.encrypted:
        return {}
    return {"KmsKeyId": make_key(site, copy) if config.customer_key else "alias/aws/rds"}


def group_there(site: Site, copy: Location) -> str:
    """The name of a parameter group there that says what the database's own says."""
    config: DatabaseConfig = site.store.config
    return put_group(site, copy, family_of(config.engine, config.engine_version), config.parameters)


def share_password(site: Site, copy: Location) -> None:
    """Keep the database's passwords beside the copy too: its secret may be out of reach when the copy is needed."""
    found = read_secret(site, site.primary())
    keep_secret(site, copy, found["username"], found["password"], application_in(found))


# --- How far it reaches ----------------------------------------------------------------------------------------------


def known_until(site: Site, copy: Location, metric: str, dimension: str, per_second: float) -> datetime | None:
    """The newest moment before the failure up to which everything is known to have arrived; None without a metric.

    ``per_second``: how many of the metric's units a second has.
    """
    now = site.clock.now()
    failed = site.failed_at() or now
    found = _data(site, copy, metric, dimension, failed - LOOKED_BACK, min(now, failed + LOOKED_BACK))
    reached = [at - timedelta(seconds=lag / per_second) - ROUNDING for at, lag in found]
    return min(max(reached), failed) if reached else None


def point_of(
    site: Site,
    protection: str,
    copy: Location,
    handle: Mapping[str, JSON],
    metric: str,
    dimension: str,
    per_second: float,
    limit_seconds: float,
) -> RecoveryPoint:
    """The one state that a live copy is: as of the moment it is known to reach, else of the failure less the limit."""
    reached = known_until(site, copy, metric, dimension, per_second)
    return RecoveryPoint(
        id=f"{copy.name}@{copy.region}",
        protection=protection,
        account=copy.account,
        region=copy.region,
        as_of=reached or site.failed_at() or site.clock.now(),
        handle=handle,
        lag_seconds=0.0 if reached else limit_seconds,
    )


def lag_finding(
    site: Site, check: str, copy: Location, metric: str, dimension: str, per_second: float, limit_seconds: float
) -> Finding:
    """Whether the newest lag that CloudWatch has is within the limit; unknown where it has none."""
    now = site.clock.now()
    found = _data(site, copy, metric, dimension, now - LOOKED_BACK, now)
    lag_seconds = found[-1][1] / per_second if found else None
    fine = lag_seconds is not None and lag_seconds <= limit_seconds
    return Finding(
        check=check,
        verdict="unknown" if lag_seconds is None else "pass" if fine else "fail",
        subject=site.store.name,
        expected=f"at most {limit_seconds:,.0f} s",
        observed=f"no {metric} in the last half hour" if lag_seconds is None else f"{lag_seconds:,.1f} s",
    )


def _data(
    site: Site, copy: Location, metric: str, dimension: str, since: datetime, until: datetime
) -> list[tuple[datetime, float]]:
    cloudwatch = site.client("cloudwatch", copy.role, copy.region)
    found: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName=metric,
        Dimensions=[{"Name": dimension, "Value": copy.name}],
        StartTime=since,
        EndTime=until + timedelta(seconds=1),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return sorted((one["Timestamp"], float(one["Maximum"])) for one in found)


# --- Whether it could be used ----------------------------------------------------------------------------------------


def alike_finding(site: Site, check: str, copy: Location) -> Finding:
    """Whether the application could use the copy as it is, without anything put back first."""
    drop(site, copy)  # A connection from before may have been ended by the server meanwhile.
    wanted, found = (
        {name: value for name, value in settings_of(site, one).items() if name in ALIKE}
        for one in (site.primary(), copy)
    )
    wrong = list(differences(wanted, found))
    return Finding(
        check=check,
        verdict="fail" if wrong else "pass",
        subject=site.store.name,
        expected="; ".join(place.expected_text() for place in wrong) or "class, storage, keys and parameters alike",
        observed="; ".join(place.observed_text() for place in wrong) or "all alike",
    )


def password_finding(site: Site, check: str, copy: Location) -> Finding:
    """Whether the secret beside the copy opens it."""
    known = is_known(site, copy)
    return Finding(
        check=check,
        verdict="pass" if known else "fail",
        subject=site.store.name,
        expected=f"the secret in {copy.region} opens the copy",
        observed="it does" if known else "it does not",
    )
