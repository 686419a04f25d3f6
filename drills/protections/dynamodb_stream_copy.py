"""The copy of a DynamoDB table in the vault account, kept by Streams and a Lambda function, itself protected by PITR.

Deletions reach the copy, as the law may demand; the vault's point-in-time recovery still holds the state before them.
So there are two recovery points: the live copy, and, when data was mangled, the copy as it was before that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from drills.errors import PointUnreachable
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint, Verdict
from drills.ownership import refuse_outside_a_drill
from drills.presence import exists
from drills.protections import Resource, WayBack
from drills.site import Site
from drills.stores.dynamodb_recovery import moment_within, recovery_window
from drills.stream_copy import (
    Options,
    Side,
    StreamCopy,
    backfill,
    deploy,
    parts_of,
    refill,
    remove,
    status,
    vault_state,
)
from drills.stream_copy.vault_side import remembered_source, table_is_active

LONGEST_RESTORE_SECONDS = 86_400


class StreamCopyProtection:
    """Streams → Lambda → table in the vault account, any region."""

    name = "dynamodb_stream_copy"
    kind = "dynamodb"
    summary = "a copy in the vault account, kept by Streams and Lambda, with point-in-time recovery of its own"
    way_back: WayBack = "new_store"
    needs = frozenset({"dynamodb", "dynamodb.streams", "lambda.event_sources"})
    needs_to_go_back = frozenset({"dynamodb.pitr"})
    restores_into: Sequence[AccountRole] = ("production", "recovery")

    def makes(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Resource]:
        return [Resource(one.what, one.name, one.side, one.region) for one in parts_of(copy_of(site, options))]

    def check(self, options: Mapping[str, JSON]) -> None:
        Options.parse(options)

    def set_up(self, site: Site, options: Mapping[str, JSON]) -> None:
        copy = copy_of(site, options)
        label = deploy(copy, _Clients(site), site.wait)
        site.reckon(Location("vault", copy.vault_account, copy.vault_region, copy.copy_table))
        done = backfill(copy, _Clients(site), site.clock, label, workers=_workers(site, 4))
        site.note("stream_copy.backfilled", label=label, read=done.read, written=done.written, removed=done.removed)

    def health(self, site: Site, options: Mapping[str, JSON]) -> Sequence[Finding]:
        copy = copy_of(site, options)
        found = status(copy, _Clients(site), site.clock)
        limit = copy.options.maximum_lag_seconds

        def finding(check: str, fine: bool, expected: str, observed: str) -> Finding:
            verdict: Verdict = "pass" if fine else "fail"
            return Finding(f"stream_copy.{check}", verdict, site.store.name, expected, observed)

        aside, given_up = found.vault.set_aside, found.given_up
        return [
            finding("gap", not found.gaps, "no gap", "; ".join(found.gaps) or "no gap"),
            finding(
                "lag",
                found.lag_seconds <= limit,
                f"at most {limit} s",
                f"{found.lag_seconds:.1f} s, as of {_as_of(found)}",
            ),
            finding("set_aside", not aside, "no record set aside", f"{aside} records set aside"),
            finding("given_up", not given_up, "no batch given up", f"{given_up} batches given up"),
            finding(
                "protected",
                not found.unprotected,
                "deletion protection and point-in-time recovery",
                "; ".join(found.unprotected) or "deletion protection and point-in-time recovery",
            ),
            finding("drift", not found.drift, "as it was deployed", "; ".join(found.drift) or "as it was deployed"),
            finding(
                "isolated",
                not found.exposed,
                "no role of the vault by which production could destroy the copy",
                "; ".join(found.exposed) or "none",
            ),
        ]

    def destroy(self, site: Site, options: Mapping[str, JSON]) -> None:
        refuse_outside_a_drill(site, f"the copy of table {site.primary().name}", "deleting")
        remove(copy_of(site, options), _Clients(site))

    def recovery_points(
        self, site: Site, options: Mapping[str, JSON], before: datetime | None
    ) -> Sequence[RecoveryPoint]:
        copy = copy_of(site, options)
        dynamodb = site.client("dynamodb", "vault")
        if exists(lambda: dynamodb.describe_table(TableName=copy.copy_table)) is None:
            return []
        if before is None:
            as_of = vault_state(copy, _Clients(site)).as_of
            window = recovery_window(dynamodb, copy.copy_table)
            return [] if as_of is None else [self._point(copy, "live", as_of, window.earliest if window else None)]
        moment = moment_within(site, dynamodb, copy.copy_table, before)
        return [] if moment is None else [self._point(copy, "recovery", moment)]

    def _point(self, copy: StreamCopy, how: str, as_of: datetime, since: datetime | None = None) -> RecoveryPoint:
        return RecoveryPoint(
            id=f"{copy.copy_table}@{as_of:%Y-%m-%dT%H:%M:%SZ}" if how == "recovery" else f"{copy.copy_table}@live",
            protection=self.name,
            account=copy.vault_account,
            region=copy.vault_region,
            as_of=as_of,
            handle={"how": how, "table": copy.copy_table},
            # Shards are applied independently, and in production's recovery window the same holds for the copy.
            lag_seconds=float(copy.options.maximum_lag_seconds),
            since=since,
        )

    def restore(self, site: Site, options: Mapping[str, JSON], point: RecoveryPoint, to: Place, name: str) -> Location:
        copy = copy_of(site, options)
        at = Location(to.role, site.account_id(to.role), to.region, name)
        if point.handle["how"] == "live":
            self._refill(site, copy, copy.copy_table, at)
            return at
        with _restored(site, copy, point.as_of) as table:
            self._refill(site, copy, table, at)
        return at

    def _refill(self, site: Site, copy: StreamCopy, table: str, at: Location) -> None:
        target = site.client("dynamodb", at.role, at.region)
        target.create_table(
            TableName=at.name,
            BillingMode="PAY_PER_REQUEST",
            Tags=_tags(site),
            **remembered_source(copy, _Clients(site)),
        )
        _wait_active(site, target, at.name)
        vault = site.client("dynamodb", "vault")
        copied = refill(vault, table, target, at.name, site.clock, workers=_workers(site, 8))
        site.modelled("dynamodb.refill")
        site.note("stream_copy.refilled", table=at.name, items=copied)


@contextmanager
def _restored(site: Site, copy: StreamCopy, moment: datetime) -> Iterator[str]:
    """A temporary table in the vault with the copy as of then; gone afterwards, whatever happened."""
    dynamodb = site.client("dynamodb", "vault")
    name = f"{copy.name[:230]}-as-of-{moment:%Y%m%d%H%M%S}"
    try:
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=copy.copy_table, TargetTableName=name, RestoreDateTime=moment
        )
    except dynamodb.exceptions.PointInTimeRecoveryUnavailableException as error:
        raise PointUnreachable(
            f"{copy.copy_table} has no point-in-time recovery, so its state at {moment:%H:%M:%S} cannot be restored. "
            "Switch it on with the copy's deployment; the live copy is still there."
        ) from error
    try:
        _wait_active(site, dynamodb, name)
        yield name
    finally:
        # DeleteTable is refused while a restore is under way, which is when an error may have brought us here.
        site.wait(
            f"temporary table {name} to be deleted",
            lambda: _deleted(dynamodb, name),
            every_seconds=15,
            limit_seconds=LONGEST_RESTORE_SECONDS,
        )


def _deleted(dynamodb: Any, table: str) -> bool:
    found = exists(lambda: dynamodb.describe_table(TableName=table))
    if found is None or found["Table"]["TableStatus"] == "DELETING":
        return True
    try:
        if found["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
        return True
    except dynamodb.exceptions.ResourceInUseException:
        return False


def _wait_active(site: Site, dynamodb: Any, table: str) -> None:
    site.wait(
        f"table {table}",
        lambda: table_is_active(dynamodb, table),
        every_seconds=15,
        limit_seconds=LONGEST_RESTORE_SECONDS,
    )


def copy_of(site: Site, options: Mapping[str, JSON]) -> StreamCopy:
    """The copy that protects the site's store."""
    at = site.primary()
    return StreamCopy(
        source_account=at.account,
        source_region=at.region,
        source_table=at.name,
        vault_account=site.account_id("vault"),
        vault_region=site.region("vault"),
        name=site.name("copy"),
        tags=site.tags,
        options=Options.parse(options),
    )


class _Clients:
    """The site's clients, as the copy's parts ask for them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, side: Side, service: str) -> Any:
        region = self._site.primary().region if side == "production" else None
        return self._site.client(service, side, region)


def _workers(site: Site, wanted: int) -> int:
    # Simulated accounts answer one call at a time, and threads would make a seeded drill differ from run to run.
    return 1 if site.clock.kind == "simulated" else wanted


def _tags(site: Site) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in site.tags.items()]


def _as_of(found: Any) -> str:
    as_of = found.vault.as_of
    return f"{as_of:%Y-%m-%d %H:%M:%S}" if as_of else "never"


protection = StreamCopyProtection()
