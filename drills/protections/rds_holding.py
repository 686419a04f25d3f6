"""A recovery point survives its own restore: whoever restores from a copy in the vault holds it until that has ended.

The hold is a tag on the copy, which the vault's function reads before it prunes. It ends by the clock as well, so that
a restore that was cut off holds nothing for ever. Where the vault cannot be reached the restore goes on without: what
it needs is shared with it already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from drills.errors import PointUnreachable
from drills.handlers.snapshot_copy import hold_key, hold_until
from drills.model import Location, RecoveryPoint
from drills.protections.rds_restoring import RESTORE_SECONDS
from drills.site import Site

SHARED_SECONDS = 7_200.0
"""Longest wait for a copy to be shared: a function runs every hour at the least."""
HOLD_SECONDS = SHARED_SECONDS + RESTORE_SECONDS + 3_600.0
"""As long as a copy may be needed: what is restored from it, or copied from it on the way, is waited for no longer."""
REFUSED = (ClientError, BotoCoreError, PointUnreachable)


@dataclass(frozen=True, slots=True)
class Hold:
    """One restore's hold on the vault's copy with this ARN. ``holder``: what is restored, where."""

    site: Site
    region: str
    snapshot: str
    holder: str

    @classmethod
    def of(cls, site: Site, point: RecoveryPoint, at: Location) -> Hold:
        return cls(site, point.region, str(point.handle["snapshot_arn"]), f"{at.account}:{at.region}:{at.name}")

    def put(self) -> bool:
        """Begin it, or begin it anew; whether the vault could be told. Raises PointUnreachable for a copy that is
        gone."""
        until = hold_until(self.site.clock.now() + timedelta(seconds=HOLD_SECONDS))
        try:
            self.site.client("rds", "vault", self.region).add_tags_to_resource(
                ResourceName=self.snapshot, Tags=[{"Key": hold_key(self.holder), "Value": until}]
            )
        except REFUSED as error:
            if _is_gone(error):
                raise PointUnreachable(
                    f"{self.snapshot} is gone: it was pruned or deleted since it was chosen. Nothing was begun: choose "
                    "a recovery point again."
                ) from error
            self._warn("it is restored without, and may be pruned meanwhile", error)
            return False
        self.site.note("point.held", snapshot=self.snapshot, until=until)
        return True

    def end(self) -> None:
        """Take it off. What cannot be taken off ends by the clock."""
        try:
            self.site.client("rds", "vault", self.region).remove_tags_from_resource(
                ResourceName=self.snapshot, TagKeys=[hold_key(self.holder)]
            )
        except REFUSED as error:
            if not _is_gone(error):
                self._warn("it was not taken off, and ends by itself", error)

    def _warn(self, what: str, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        self.site.note("hold.refused", snapshot=self.snapshot, warning=f"hold on {self.snapshot}: {what}: {told}")


@contextmanager
def held(site: Site, point: RecoveryPoint, at: Location) -> Iterator[None]:
    """While the copy is restored from."""
    hold = Hold.of(site, point, at)
    put = hold.put()
    try:
        yield
    finally:
        if put:
            hold.end()


def _is_gone(error: Exception) -> bool:
    return isinstance(error, ClientError) and "NotFound" in error.response["Error"]["Code"]
