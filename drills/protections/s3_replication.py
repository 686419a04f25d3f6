"""The copy of a bucket in the vault account, kept by replication, locked, with versions of its own.

It does not follow deletions, and what was written over is still there as an older version. So there are two recovery
points: the copy as it is, and, when data was mangled, the copy as it was before that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.bucket_copy import (
    BucketCopy,
    Options,
    Side,
    Status,
    allowed_to_production,
    bring_back,
    bring_in,
    deploy,
    newest_write,
    readable_by,
    record_deletions,
    remembered_source,
    remove,
    status,
)
from drills.bucket_copy.status import age_seconds
from drills.errors import ProtectionError
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint
from drills.ownership import refuse_outside_a_drill
from drills.presence import exists
from drills.protections import Resource, WayBack
from drills.protections.s3_versioning import kept_for_less, workers
from drills.site import Site
from drills.stores.dynamodb_recovery import last_second_before
from drills.stores.s3 import make_bucket
from drills.stores.s3_buckets import is_own
from drills.stores.s3_names import bucket_name

BATCH = "s3.batch_replication"
NAMED = 3
FOREVER_DAYS = 36_501
PASSES_MISSED = 2
"""The register of deletions may be this many passes old before health complains."""
ROUNDING = timedelta(seconds=1)


class ReplicationProtection:
    """Replication → locked bucket in the vault account, any region."""

    name = "s3_replication"
    kind = "s3"
    summary = "a locked copy in the vault account, kept by replication, that follows no deletion"
    way_back: WayBack = "new_store"
    needs = frozenset({"s3.replication", "s3.versioning"})
    restores_into: Sequence[AccountRole] = ("production", "recovery")

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        copy = copy_of(site, options)
        here, there = copy.source_region, copy.vault_region
        return [
            Resource("versioning of the bucket", copy.source_bucket, "production", here),
            Resource("locked bucket with the copy", copy.copy_bucket, "vault", there),
            Resource("key of the copy, if the bucket encrypts by KMS,", copy.key_alias, "vault", there),
            Resource("role of the replication", copy.role, "production", here),
            Resource("replication rule of the bucket", copy.source_bucket, "production", here),
        ]

    def check(self, options: Mapping[str, JSON]) -> None:
        Options.parse(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        copy, clients = copy_of(site, options), _Clients(site)
        deploy(copy, clients)
        site.reckon(Location("vault", copy.vault_account, copy.vault_region, copy.copy_bucket))
        brought = bring_in(copy, clients, site.wait, batch=BATCH in site.capabilities)
        site.note("bucket_copy.brought_in", how=brought.how, objects=brought.objects, failed=brought.failed)
        record_deletions(copy, clients, site.clock.now())
        site.every(copy.options.deletions_every_seconds, lambda: _pass(site, copy, clients))

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        copy, clients = copy_of(site, options), _Clients(site)
        found = status(copy, clients, site.clock.now())
        findings = [*_findings(site, copy, found), _deletions_finding(site, copy, found)]
        short = kept_for_less(clients("vault", "s3"), copy.copy, copy.options.noncurrent_days or FOREVER_DAYS)
        kept = "no lifecycle rule that deletes noncurrent versions of the copy earlier than it says"
        findings.append(_finding(site, "kept", short, kept))
        allowed = allowed_to_production(copy, clients)
        findings.append(
            _finding(site, "deletable", allowed, "production's administrator denied all that would harm it")
        )
        return findings

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        copy = copy_of(site, options)
        refuse_outside_a_drill(site, f"bucket {copy.copy_bucket} in account {copy.vault_account}", "deleting")
        remove(copy, _Clients(site))

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        copy, clients = copy_of(site, options), _Clients(site)
        if exists(lambda: clients("vault", "s3").head_bucket(**copy.copy)) is None:
            return []
        lag_seconds = float(max(copy.options.maximum_lag_seconds, copy.options.deletions_every_seconds))
        if before is None:
            newest = newest_write(copy, clients)
            return [] if newest is None else [self._point(copy, "live", newest, lag_seconds)]
        moment = last_second_before(before)
        # However long ago it was: whoever deletes versions also deletes those that were still on their way.
        return [self._point(copy, "rolled_back", moment, lag_seconds)]

    def _point(self, copy: BucketCopy, how: str, as_of: datetime, lag_seconds: float) -> RecoveryPoint:
        moment = as_of.astimezone(UTC)
        return RecoveryPoint(
            id=f"{copy.copy_bucket}@{'live' if how == 'live' else f'{moment:%Y-%m-%dT%H:%M:%SZ}'}",
            protection=self.name,
            account=copy.vault_account,
            region=copy.vault_region,
            as_of=moment,
            handle={"how": how, "bucket": copy.copy_bucket},
            lag_seconds=lag_seconds,
        )

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        copy, clients = copy_of(site, options), _Clients(site)
        account = site.account_id(to.role)
        at = Location(to.role, account, to.region, name)
        now = site.clock.now()
        if point.handle["how"] == "live":
            # What the copy has is good to the last version; only what the failure emptied counts as never deleted.
            moment, deletions_to = now + ROUNDING, site.failed_at() or now
        else:
            moment = deletions_to = point.as_of
            _pass(site, copy, clients)
        locked = bool(remembered_source(copy, clients).get("object_lock"))
        target = site.client("s3", at.role, at.region)
        if not is_own(site, target, at.name):
            make_bucket(site, at, lock=locked)
        versioned = {"Status": "Enabled"}
        target.put_bucket_versioning(Bucket=at.name, VersioningConfiguration=versioned)
        with readable_by(clients("vault", "s3"), copy.copy, account):
            done = bring_back(
                copy,
                clients,
                target,
                at.name,
                moment,
                deletions_to=deletions_to,
                owner=account,
                retention=locked,
                workers=workers(site, 16),
            )
        site.modelled("s3.copy")
        site.note("bucket_copy.brought_back", bucket=at.name, keys=done.keys, counts=dict(done.counts))
        if not done.whole:
            first = next(done.named[deed][0] for deed in ("failed", "archived", "lost") if done.named[deed])
            raise ProtectionError(
                f"bucket {at.name}, key {first.key!r}: expected it to be copied from {copy.copy_bucket}, found that it "
                f"is {first.deed}: {first.detail}. Put that right and restore again: it goes "
                "on in the same bucket."
            )
        return at


def copy_of(site: Site, options: Mapping[str, JSON]) -> BucketCopy:
    """The copy that protects the site's store."""
    at, vault, region = site.primary(), site.account_id("vault"), site.region("vault")
    return BucketCopy(
        source_account=at.account,
        source_region=at.region,
        source_bucket=at.name,
        vault_account=vault,
        vault_region=region,
        copy_bucket=bucket_name(site.name("copy"), vault, region),
        name=site.name("copy"),
        readers=(site.account_id("recovery"),),
        tags=site.tags,
        options=Options.parse(options),
    )


def _pass(site: Site, copy: BucketCopy, clients: _Clients) -> None:
    """One pass over the deletions. That it failed shows in the register's age; the schedule goes on."""
    try:
        record_deletions(copy, clients, site.clock.now())
    except (ClientError, BotoCoreError, ProtectionError) as error:
        site.note("bucket_copy.pass_failed", error=f"{type(error).__name__}: {error}")


# --- Findings ------------------------------------------------------------------------------------------------------


def _findings(site: Site, copy: BucketCopy, found: Status) -> list[Finding]:
    limit = copy.options.maximum_lag_seconds
    of = f"of {found.missing:,} versions that are missing"
    late = [f"{found.lag_seconds:,.0f} s, {found.pending} {of}"] if found.lag_seconds > limit else []
    failed = [f"{found.failed} {of}: {_some(found.first_failed)}"] if found.failed else []
    left = [f"{found.uncovered} {of}: {_some(found.left_out)}"] if found.uncovered else []
    return [
        _finding(site, "rule", found.rule, "the replication rule as it was put", found.keys),
        _finding(site, "lag", late, f"at most {limit} s", found.versions),
        _finding(site, "failed", failed, "no version that S3 failed to replicate", found.versions),
        _finding(site, "complete", left, "every version in the copy or on its way", found.versions),
        _finding(site, "altered", found.altered, "every version in the copy as it was written", found.versions),
        _finding(site, "protected", found.unprotected, "versioning, Object Lock, policy and access as they were put"),
        _finding(site, "key", found.key, "the key of the replicas enabled, where they have one"),
    ]


def _deletions_finding(site: Site, copy: BucketCopy, found: Status) -> Finding:
    limit = PASSES_MISSED * copy.options.deletions_every_seconds
    age = age_seconds(found.deletions_seen, site.clock.now())
    wrong = [] if age is not None and age <= limit else ["never" if age is None else f"{age:,.0f} s ago"]
    return _finding(site, "deletions", wrong, f"production's deletions registered at most {limit} s ago")


def _finding(site: Site, check: str, wrong: Sequence[str], expected: str, covered: int = 0) -> Finding:
    return Finding(
        f"copy.{check}",
        "fail" if wrong else "pass",
        site.store.name,
        expected,
        _some(wrong) if wrong else "so it is",
        covered,
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f"; and {more:,} more" if more > 0 else "")


class _Clients:
    """The site's clients, as the copy's parts ask for them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, side: Side, service: str) -> Any:
        region = self._site.primary().region if side == "production" else None
        return self._site.client(service, side, region)


protection = ReplicationProtection()
