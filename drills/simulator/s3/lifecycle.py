"""Lifecycle rules, carried out by the clock: every midnight UTC, for the buckets whose region is up and account open.

An object that replicates is left alone until its status is no longer PENDING, and what a lock holds is kept. What the
rules do is never replicated. Source: S3 user guide, Managing the lifecycle of objects; Getting replication status
information; Managing object retention with Object Lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from moto.s3.models import FakeBucket, s3_backends

from drills.clock import Event
from drills.simulator.needs.s3 import bucket_and_key
from drills.simulator.request import Request, Response
from drills.simulator.s3 import changes, lock
from drills.simulator.s3.calls import aware
from drills.simulator.s3.documents import Refused, answer, nothing, operation, read
from drills.simulator.s3.lifecycle_rules import COLDER, Lifecycle, LifecycleRule, Move, lifecycle, midnight_after
from drills.simulator.s3.versions import Marker, Version
from drills.simulator.state import Simulation, current

MINIMUM = "x-amz-transition-default-minimum-object-size"
SHAPE = "BucketLifecycleConfiguration"

_midnight: list[Event] = []


def begin(simulation: Simulation) -> None:
    _midnight.clear()
    simulation.on_exit.append(_midnight.clear)


# --- The configuration -----------------------------------------------------------------------------------------------


@operation
def put_configuration(request: Request) -> Response | None:
    bucket = _bucket(request)
    if bucket is None:
        return None
    bucket.lifecycle = lifecycle(read(request.body, SHAPE), request.headers.get(MINIMUM, ""))
    _await_midnight()
    return 200, {"content-length": "0", MINIMUM: bucket.lifecycle.minimum}, b""


@operation
def get_configuration(request: Request) -> Response | None:
    bucket = _bucket(request)
    if bucket is None:
        return None
    found = lifecycle_of(bucket)
    if found is None:
        raise Refused("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", 404)
    status, headers, body = answer(found.document, SHAPE, "LifecycleConfiguration")
    return status, {**headers, MINIMUM: found.minimum}, body


@operation
def delete_configuration(request: Request) -> Response | None:
    bucket = _bucket(request)
    if bucket is None:
        return None
    bucket.lifecycle = None
    return nothing(204)


def lifecycle_of(bucket: FakeBucket) -> Lifecycle | None:
    found = getattr(bucket, "lifecycle", None)
    return found if isinstance(found, Lifecycle) else None


def _bucket(request: Request) -> FakeBucket | None:
    return changes.bucket_named(bucket_and_key(request.url)[0])


# --- Every midnight --------------------------------------------------------------------------------------------------


def _await_midnight() -> None:
    if not _midnight:
        clock = current().clock
        due = midnight_after(clock.now() + timedelta(microseconds=1))
        _midnight.append(clock.call_at(due, _at_midnight))


def _at_midnight() -> None:
    _midnight.clear()
    simulation = current()
    ruled = [bucket for bucket in _buckets() if lifecycle_of(bucket) is not None]
    for bucket in ruled:
        if not simulation.is_down(str(bucket.region_name)) and not simulation.is_closed(str(bucket.account_id)):
            run(bucket, simulation.clock.now())
    if ruled:
        _await_midnight()


def _buckets() -> Iterator[FakeBucket]:
    for name in sorted(s3_backends.bucket_accounts):
        bucket = changes.bucket_named(name)
        if bucket is not None:
            yield bucket


def run(bucket: FakeBucket, now: datetime) -> None:
    """Do what is due in a bucket. The end of a version goes before its move, and both before a marker."""
    found = lifecycle_of(bucket)
    rules = [rule for rule in found.rules if rule.enabled] if found is not None else []
    if found is None or not rules:
        return
    for key in list(bucket.keys.names):
        versions = list(bucket.keys.of(key))
        _expire_noncurrent(bucket, versions, rules, now)
        _move(versions, rules, found.minimum, now)
        _expire_current(bucket, key, rules, now)
    _abort_uploads(bucket, rules, now)


def _noncurrent(versions: list[Any]) -> Iterator[tuple[Any, datetime, int]]:
    """Each version that is not the latest, since when, and how many noncurrent ones are newer."""
    for index, (version, successor) in enumerate(pairwise(versions)):
        yield version, aware(successor.last_modified), len(versions) - 2 - index


def _fits(rule: LifecycleRule, version: Version | Marker) -> bool:
    return rule.fits(version.name, getattr(version, "tags", {}), version.size)


def _expire_noncurrent(bucket: FakeBucket, versions: list[Any], rules: list[LifecycleRule], now: datetime) -> None:
    for version, since, newer in list(_noncurrent(versions)):
        due = any(
            rule.noncurrent is not None
            and newer >= rule.noncurrent.newer
            and rule.noncurrent.has_come(since, now)
            and _fits(rule, version)
            for rule in rules
        )
        if due and not _kept(version):
            changes.remove(bucket, version, cause="lifecycle")


def _kept(version: Version | Marker) -> bool:
    """Whether a lock, or replication that is not done yet, keeps a version from being deleted."""
    if isinstance(version, Version) and (version.lock_legal_status == "ON" or lock.retained(version)):
        return True
    return version.replication_status == "PENDING"


def _expire_current(bucket: FakeBucket, key: str, rules: list[LifecycleRule], now: datetime) -> None:
    latest: Any = bucket.keys.latest(key)
    if latest is None or latest.replication_status == "PENDING":
        return
    due = any(
        rule.expiration is not None
        and rule.expiration.has_come(aware(latest.last_modified), now)
        and _fits(rule, latest)
        for rule in rules
    )
    if isinstance(latest, Version):
        if due:
            changes.delete(bucket, key, cause="lifecycle")
        return
    alone = len(bucket.keys.of(key)) == 1
    if alone and (due or any(rule.expired_markers and _fits(rule, latest) for rule in rules)):
        changes.remove(bucket, latest, cause="lifecycle")


def _move(versions: list[Any], rules: list[LifecycleRule], minimum: str, now: datetime) -> None:
    if not versions:
        return
    for version, since, newer in _noncurrent(versions):
        moves = [(rule, move) for rule in rules for move in rule.noncurrent_moves if newer >= move.due.newer]
        _to_the_coldest(version, since, moves, minimum, now)
    latest = versions[-1]
    moves = [(rule, move) for rule in rules for move in rule.moves]
    _to_the_coldest(latest, aware(latest.last_modified), moves, minimum, now)


def _to_the_coldest(
    version: Any, since: datetime, moves: list[tuple[LifecycleRule, Move]], minimum: str, now: datetime
) -> None:
    if not isinstance(version, Version) or version.replication_status == "PENDING":
        return
    classes = [
        move.storage_class
        for rule, move in moves
        if move.due.has_come(since, now)
        and _fits(rule, version)
        and rule.moves_size(version.size, minimum, move.storage_class)
    ]
    coldest = max((COLDER.index(one) for one in classes), default=0)
    held = COLDER.index(version.storage_class) if version.storage_class in COLDER else 0
    if coldest > held:
        version._storage_class = COLDER[coldest]


def _abort_uploads(bucket: FakeBucket, rules: list[LifecycleRule], now: datetime) -> None:
    for upload in list(bucket.multiparts.values()):
        begun = aware(upload.initiated)
        if any(
            rule.abort is not None and upload.key_name.startswith(rule.prefix) and rule.abort.has_come(begun, now)
            for rule in rules
        ):
            del bucket.multiparts[upload.id]


OPERATIONS = {
    "s3:PutBucketLifecycleConfiguration": put_configuration,
    "s3:PutBucketLifecycle": put_configuration,
    "s3:GetBucketLifecycleConfiguration": get_configuration,
    "s3:GetBucketLifecycle": get_configuration,
    "s3:DeleteBucketLifecycle": delete_configuration,
}
