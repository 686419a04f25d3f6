"""Versioning: every key of a bucket has its older versions beside it, in the same account and region.

It undoes what writes over objects or deletes them. It goes with its bucket, and whoever deletes versions deletes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from drills.bucket_rollback import keys_of, roll_back
from drills.bucket_rollback.deciding import whole_second
from drills.errors import PointUnreachable, ProtectionError
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.protections import Resource, WayBack
from drills.protections.options import only, whole_number
from drills.site import Site
from drills.stores.dynamodb_recovery import last_second_before

KEEP_DAYS = 7
LONGEST_DAYS = 36_500
NO_BUCKET = ("NoSuchBucket", "404")
NO_LIFECYCLE = "NoSuchLifecycleConfiguration"


def _keep_days(options: Mapping[str, JSON]) -> int:
    only(options, "keep_days")
    return whole_number(options, "keep_days", KEEP_DAYS, 1, LONGEST_DAYS)


class VersioningProtection:
    """Rolls the bucket back in place, to the last second before its objects were mangled."""

    name = "s3_versioning"
    kind = "s3"
    summary = "versioning: the bucket rolled back in place by its own versions, within the account and region"
    way_back: WayBack = "in_place"
    needs = frozenset({"s3.versioning"})
    restores_into: Sequence[AccountRole] = ("production",)

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        at = site.primary()
        return [Resource("versioning of the bucket", at.name, at.role, at.region)]

    def check(self, options: Mapping[str, JSON]) -> None:
        _keep_days(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        _set(site, "Enabled")

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        days, (s3, bucket) = _keep_days(options), _bucket(site)
        status = str(s3.get_bucket_versioning(**bucket).get("Status", "never enabled"))
        short = kept_for_less(s3, bucket, days)
        return [
            Finding("versioning.on", "pass" if status == "Enabled" else "fail", site.store.name, "Enabled", status),
            Finding(
                "versioning.kept",
                "fail" if short else "pass",
                site.store.name,
                f"no lifecycle rule that deletes noncurrent versions within {days} days",
                "; ".join(short) or "none",
            ),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        try:
            _set(site, "Suspended")
        except ClientError as error:
            if error.response["Error"]["Code"] not in NO_BUCKET:
                raise

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        s3, bucket = _bucket(site)
        if s3.get_bucket_versioning(**bucket).get("Status") is None:
            raise PointUnreachable(f"bucket {bucket['Bucket']} was never versioned, so there are no older versions")
        at = site.primary()
        if before is None:
            return [self._point(at, whole_second(site.clock.now()), "as_it_is")]
        moment = last_second_before(before)
        if not _reaches_back(s3, at, moment):
            raise PointUnreachable(
                f"bucket {at.name} has no version left from before {moment:%Y-%m-%d %H:%M:%S}: they were deleted for "
                "good, by a lifecycle rule or by whoever did the damage. A copy in another account still has them."
            )
        return [self._point(at, moment, "rolled_back")]

    def _point(self, at: Location, as_of: datetime, how: str) -> RecoveryPoint:
        return RecoveryPoint(
            id=f"{at.name}@{as_of:%Y-%m-%dT%H:%M:%SZ}",
            protection=self.name,
            account=at.account,
            region=at.region,
            as_of=as_of,
            handle={"how": how},
        )

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        at = site.primary()
        if (to.role, to.region) != (at.role, at.region):
            raise PointUnreachable(
                f"bucket {at.name} can be rolled back only where it is, in {at.region} of the {at.role} account, and "
                f"people respond from the {to.role} account, {to.region}. A copy there can be restored."
            )
        if point.handle["how"] == "rolled_back":
            self._roll_back(site, at, point.as_of)
        return at

    def _roll_back(self, site: Site, at: Location, moment: datetime) -> None:
        s3, bucket = _bucket(site)
        if s3.get_bucket_versioning(**bucket).get("Status") != "Enabled":
            # A marker or a copy would destroy the null versions otherwise; what is there stays.
            _set(site, "Enabled")
        site.modelled("s3.undelete")
        done = roll_back(s3, at.name, moment, owner=at.account, workers=workers(site, 16))
        site.note(
            "bucket_rollback.done", bucket=at.name, to=moment.isoformat(), keys=done.keys, counts=dict(done.counts)
        )
        if done.counts["failed"]:
            first = done.named["failed"][0]
            raise ProtectionError(
                f"bucket {at.name}, key {first.key!r}: expected it to be rolled back to {moment:%H:%M:%S}, S3 refused: "
                f"{first.detail}. {done.counts['failed']:,} keys were refused; roll back again when that is put right."
            )


def kept_for_less(s3: Any, bucket: Mapping[str, str], days: int) -> list[str]:
    """The lifecycle rules by which noncurrent versions are deleted before they are so many days old."""
    try:
        rules = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] == NO_LIFECYCLE:
            return []
        raise
    expiries = {
        str(rule.get("ID", "unnamed")): rule["NoncurrentVersionExpiration"].get("NoncurrentDays", 0)
        for rule in rules
        if rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule
    }
    return [f"rule {name} after {found} days" for name, found in expiries.items() if found < days]


def workers(site: Site, wanted: int) -> int:
    # Simulated accounts answer one call at a time, and threads would make a seeded drill differ from run to run.
    return 1 if site.clock.kind == "simulated" else wanted


def _reaches_back(s3: Any, at: Location, moment: datetime) -> bool:
    """Whether any version from before the moment is left; the first one ends the search."""
    return any(
        entry.modified < moment and not entry.marker
        for _, entries in keys_of(s3, at.name, owner=at.account)
        for entry in entries
    )


def _bucket(site: Site) -> tuple[Any, dict[str, str]]:
    at = site.primary()
    # The name may be somebody else's by now: a bucket that was deleted can be made again by anyone.
    return site.client("s3", at.role, at.region), {"Bucket": at.name, "ExpectedBucketOwner": at.account}


def _set(site: Site, status: str) -> None:
    s3, bucket = _bucket(site)
    s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": status})


protection = VersioningProtection()
