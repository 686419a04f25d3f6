"""What DynamoDB's own restores have in common: a new table in the same account, and this drill's from the start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drills.errors import PointUnreachable
from drills.model import Location, Place
from drills.site import Site
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
