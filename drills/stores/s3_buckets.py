"""A bucket from outside: whether it is there, whose it is, its versions, and how it is emptied and deleted."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from drills.clock import Clock
from drills.errors import ProtectionError
from drills.model import Location
from drills.ownership import owner_tag, refuse_outside_a_drill
from drills.site import Site

NOT_THERE = frozenset({"NoSuchBucket", "404", "NotFound"})
NO_LOCK = frozenset({"ObjectLockConfigurationNotFoundError", "InvalidRequest"})
LOCKED = frozenset({"AccessDenied", "InvalidRequest"})
"""What S3 says of a version that Object Lock holds."""
NOT_AUTHORIZED = "not authorized to perform"
"""Part of what S3 says of a version that these credentials may not delete. Source: S3 user guide, Troubleshoot access
denied (403 Forbidden) errors, message formats."""
NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A key with such a character cannot stand in the XML of a request, and a carriage return would arrive as another key.
Source: S3 user guide, Naming objects, XML related object key constraints."""
DELETED_AT_ONCE = 1_000
"""Source: S3 API reference, DeleteObjects."""
ROUNDS = 8
LONGEST_WAIT_SECONDS = 20.0
WORKERS = 10
"""As many connections as a boto3 client keeps."""

T = TypeVar("T")
R = TypeVar("R")


def client(site: Site, at: Location) -> Any:
    """An S3 client of the account and region that the bucket lies in."""
    return site.client("s3", at.role, at.region)


def error_code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def refused(error: ClientError) -> bool:
    """Whether AWS said no, rather than that it failed."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"]) < 500


def exists(s3: Any, bucket: str) -> bool:
    """Whether there is a bucket of this name, whosesoever it is."""
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error_code(error) in NOT_THERE:
            return False
        if error_code(error) not in ("403", "AccessDenied", "Forbidden", "301", "PermanentRedirect"):
            raise
    return True


def tags_of(s3: Any, bucket: str) -> dict[str, str]:
    """All tags of a bucket."""
    try:
        return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    except ClientError as error:
        if error_code(error) == "NoSuchTagSet":
            return {}
        raise


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def is_own(site: Site, s3: Any, bucket: str) -> bool:
    """Whether the bucket is the site's by its tag; one whose tags are refused to us is not."""
    tag, wanted = owner_tag(site)
    try:
        return tags_of(s3, bucket).get(tag) == wanted
    except ClientError as error:
        if refused(error):
            return False
        raise


def guard(site: Site, at: Location, deed: str) -> None:
    """Raises ProtectionError unless the bucket is the site's own by its tag: nothing else is ever touched."""
    tag, wanted = owner_tag(site)
    found = tags_of(client(site, at), at.name).get(tag)
    if found != wanted:
        raise ProtectionError(
            f"bucket {at.name} in account {at.account}, {at.region}: expected the tag {tag}={wanted} before {deed} it, "
            f"found {f'{tag}={found}' if found else 'none'}. It was made by somebody else and is left alone: give the "
            "bucket or the estate another name."
        )


# --- Versions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, or one delete marker."""

    key: str
    id: str
    is_marker: bool
    is_latest: bool


def version_pages(s3: Any, bucket: str, prefix: str = "") -> Iterator[list[ObjectVersion]]:
    """All versions and markers by key, page by page, the newest of a key first; what was read may be deleted."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        found = [_version(entry, False) for entry in page.get("Versions", [])]
        markers = [_version(entry, True) for entry in page.get("DeleteMarkers", [])]
        yield found + markers


def _version(entry: Mapping[str, Any], is_marker: bool) -> ObjectVersion:
    return ObjectVersion(entry["Key"], entry["VersionId"], is_marker, entry["IsLatest"])


def versions_of(s3: Any, bucket: str, key: str) -> list[ObjectVersion]:
    """All versions and markers of one key, in such an order that deleting them in turn shows no older one again."""
    found: list[ObjectVersion] = []
    for page in version_pages(s3, bucket, key):
        found += [version for version in page if version.key == key]
        # The key itself comes before all that begin with it.
        if any(version.key != key for version in page):
            break
    return sorted(found, key=lambda version: version.is_latest)


def is_locking(s3: Any, bucket: str) -> bool:
    """Whether Object Lock is on. S3 takes the header that overrules GOVERNANCE only where it is."""
    try:
        found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError as error:
        if error_code(error) in NO_LOCK:
            return False
        raise
    return bool(found.get("ObjectLockEnabled") == "Enabled")


def delete_versions(
    s3: Any, bucket: str, versions: Iterable[ObjectVersion], clock: Clock, *, bypass: bool
) -> list[ObjectVersion]:
    """Delete versions for good; returns those that Object Lock holds: with ``bypass`` none in GOVERNANCE mode."""
    entries = ({"Key": version.key, "VersionId": version.id} for version in versions)
    held = _delete(s3, bucket, entries, clock, **({"BypassGovernanceRetention": True} if bypass else {}))
    return [ObjectVersion(entry["Key"], entry["VersionId"], False, False) for entry in held]


def delete_keys(s3: Any, bucket: str, keys: Iterable[str], clock: Clock) -> list[str]:
    """Delete objects as an application does, which leaves markers where there are versions; returns the refused."""
    return [entry["Key"] for entry in _delete(s3, bucket, ({"Key": key} for key in keys), clock)]


def _delete(s3: Any, bucket: str, entries: Iterator[dict[str, str]], clock: Clock, **more: Any) -> list[dict[str, str]]:
    held: list[dict[str, str]] = []
    while batch := list(islice(entries, DELETED_AT_ONCE)):
        alone = [entry for entry in batch if NOT_IN_XML.search(entry["Key"])]
        held += [entry for entry in alone if not _deleted_alone(s3, bucket, entry, more)]
        together = [entry for entry in batch if entry not in alone] if alone else batch
        held += _delete_batch(s3, bucket, together, clock, more) if together else []
    return held


def _deleted_alone(s3: Any, bucket: str, entry: Mapping[str, str], more: Mapping[str, Any]) -> bool:
    try:
        s3.delete_object(Bucket=bucket, **entry, **more)
    except ClientError as error:
        if error_code(error) not in LOCKED or NOT_AUTHORIZED in str(error):
            raise
        return False
    return True


def _delete_batch(
    s3: Any, bucket: str, batch: list[dict[str, str]], clock: Clock, more: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Send one batch until nothing is left of it but what is refused."""
    held: list[dict[str, str]] = []
    for attempt in range(ROUNDS):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}, **more)
        batch = []
        for error in answer.get("Errors", []):
            if NOT_AUTHORIZED in str(error.get("Message")):
                raise _denied(error)
            entry = {name: error[name] for name in ("Key", "VersionId") if error.get(name)}
            (held if error.get("Code") in LOCKED else batch).append(entry)
        if not batch:
            return held
        clock.sleep(min(LONGEST_WAIT_SECONDS, 0.1 * 2**attempt))
    raise ProtectionError(
        f"bucket {bucket} refused to delete {len(batch)} objects {ROUNDS} times over; expected it to do so within "
        "minutes. Look at the request rate of its prefixes and try again."
    )


def _denied(error: Mapping[str, Any]) -> ClientError:
    """What a key was answered within a batch, as if it had been asked for alone."""
    answer: Any = {"Error": dict(error), "ResponseMetadata": {"HTTPStatusCode": 403, "RetryAttempts": 0}}
    return ClientError(answer, "DeleteObjects")


# --- The end of a bucket -------------------------------------------------------------------------------------------


def delete_bucket(site: Site, at: Location, deed: str = "deleting") -> Sequence[ObjectVersion]:
    """Empty a bucket of this drill of all versions and delete it, as ``force_destroy`` does.

    Nothing happens where there is none. Returns the versions that Object Lock holds; while there are any, the bucket
    stays.
    """
    refuse_outside_a_drill(site, f"bucket {at.name} in account {at.account}, {at.region}", deed)
    s3 = client(site, at)
    if not exists(s3, at.name):
        return []
    guard(site, at, deed)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=at.name):
        for upload in page.get("Uploads", []):
            with suppress(s3.exceptions.NoSuchUpload):
                s3.abort_multipart_upload(Bucket=at.name, Key=upload["Key"], UploadId=upload["UploadId"])
    bypass = is_locking(s3, at.name)
    held = [
        version
        for page in version_pages(s3, at.name)
        for version in delete_versions(s3, at.name, page, site.clock, bypass=bypass)
    ]
    if not held:
        s3.delete_bucket(Bucket=at.name)
    return held


# --- Many at once --------------------------------------------------------------------------------------------------


def in_order(clock: Clock, work: Callable[[T], R], over: Iterable[T]) -> Iterator[R]:
    """``work`` of each, in their order, several at a time where time is real; only so many are taken ahead.

    Simulated accounts answer one call at a time, and threads would make a seeded drill differ from run to run.
    """
    if clock.kind == "simulated":
        yield from map(work, over)
        return
    left = iter(over)
    with ThreadPoolExecutor(WORKERS) as pool:
        under_way: deque[Future[R]] = deque(pool.submit(work, one) for one in islice(left, 2 * WORKERS))
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(work, one) for one in islice(left, 1))
        finally:
            for future in under_way:
                future.cancel()
