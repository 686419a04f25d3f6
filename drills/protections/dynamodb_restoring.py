"""What DynamoDB's own restores have in common: a new table in the same account, and this drill's from the start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from drills.errors import PointUnreachable
from drills.model import Finding, Location, Place
from drills.ownership import DRILL_TAG
from drills.site import Site
from drills.stores.dynamodb_recovery import recovery_window
from drills.stores.dynamodb_tables import RESTORE_SECONDS, own, wait_active


def refuse_other_accounts(to: Place, what: str) -> None:
    """Raises PointUnreachable for a place outside the table's own account."""
    if to.role != "production":
        raise PointUnreachable(
            f"{what} can be restored into the table's own account only, and people respond from the {to.role} account. "
            "A copy in another account, such as dynamodb_stream_copy keeps, is what can be restored there."
        )


def restored(site: Site, to: Place, name: str, restore: Callable[[Any], None]) -> Location:
    """Let ``restore`` begin with the client at ``to``, wait until the new table can be read, and tag it."""
    at = Location(to.role, site.account_id(to.role), to.region, name)
    restore(site.client("dynamodb", at.role, at.region))
    wait_active(site, at, limit_seconds=RESTORE_SECONDS)
    own(site, at)
    return at


def window_finding(site: Site, check: str, dynamodb: Any, table: str) -> Finding:
    """Whether a table's recovery window reaches back to when the workload began: health is asked when it has ended.

    Point-in-time recovery that was off in between, be it for a minute, has lost what it held before. Outside of a
    drill there is no workload: a window that has just begun is as good as it can be.
    """
    in_a_drill = DRILL_TAG in site.tags
    needed = site.clock.now() - timedelta(minutes=site.estate.workload_minutes if in_a_drill else 0)
    window = recovery_window(dynamodb, table)
    fine = window is not None and window.earliest <= needed
    return Finding(
        check=check,
        verdict="pass" if fine else "fail",
        subject=site.store.name,
        expected=f"every second of {table} since {needed:%Y-%m-%d %H:%M:%S}",
        observed="no recovery window" if window is None else f"since {window.earliest:%Y-%m-%d %H:%M:%S}",
    )
