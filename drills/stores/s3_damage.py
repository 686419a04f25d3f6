"""What a bug does to a bucket's objects: it deletes or truncates them, with the application's own access."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from drills.errors import UsageError
from drills.model import Location
from drills.ownership import refuse_outside_a_drill
from drills.site import Site
from drills.stores.s3_buckets import client, delete_keys, delete_versions, guard, version_pages
from drills.stores.s3_config import BucketConfig
from drills.stores.s3_objects import ARCHIVED, parsed, put_arguments
from drills.stores.s3_reading import key_pages, read_object


def damage_bucket(site: Site, at: Location, variant: str) -> int:
    """Mangle the objects; returns how many were touched. Raises UsageError for a variant there is not."""
    if variant not in VARIANTS:
        raise UsageError(f"damage {variant!r} of store {site.store.name!r}: expected one of {', '.join(VARIANTS)}")
    refuse_outside_a_drill(site, f"bucket {at.name} in account {at.account}, {at.region}", "damaging")
    guard(site, at, "damaging")
    return VARIANTS[variant](site, client(site, at), at.name)


def _delete_all(site: Site, s3: Any, bucket: str) -> int:
    return _deleted(site, s3, bucket, lambda key: True)


def _delete_half(site: Site, s3: Any, bucket: str) -> int:
    """A filter that has nothing to do with what was meant: it hits about every second object, always the same."""
    return _deleted(site, s3, bucket, lambda key: hashlib.sha256(key.encode()).digest()[0] % 2 == 1)


def _delete_prefix(site: Site, s3: Any, bucket: str) -> int:
    """A clean-up of a wrong prefix: all that lies in the folder of the first object."""
    first = next((keys[0] for keys in key_pages(s3, bucket) if keys), "")
    prefix = first.rpartition("/")[0] or first[:1]
    return _deleted(site, s3, bucket, lambda key: True, prefix)


def _deleted(site: Site, s3: Any, bucket: str, hit: Callable[[str], bool], prefix: str = "") -> int:
    touched = 0
    for keys in key_pages(s3, bucket, prefix):
        doomed = [key for key in keys if hit(key)]
        touched += len(doomed) - len(delete_keys(s3, bucket, doomed, site.clock))
    return touched


def _truncate(site: Site, s3: Any, bucket: str) -> int:
    """Every object is put again with the first half of its body, as by an upload that ended too early."""
    return sum(_truncated(site, s3, bucket, key) for keys in key_pages(s3, bucket) for key in keys)


def _truncated(site: Site, s3: Any, bucket: str, key: str) -> int:
    config: BucketConfig = site.store.config
    found = read_object(s3, bucket, key, config)
    if found is None:
        return 0
    item = parsed(found.item)
    # Half of nothing is nothing, and what is archived cannot be read by a bug either.
    if not item["body"]["size"] or item["storage_class"] in ARCHIVED:
        return 0
    half = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{(item['body']['size'] - 1) // 2}")["Body"].read()
    if len(half) == item["body"]["size"]:
        half = b""
    s3.put_object(Bucket=bucket, Key=key, Body=half, **put_arguments(item))
    return 1


def _delete_versions(site: Site, s3: Any, bucket: str) -> int:
    """Every version of every object is deleted for good, as by whoever wants to leave nothing to restore from."""
    touched = 0
    for page in version_pages(s3, bucket):
        refused = delete_versions(s3, bucket, _in_turn(page), site.clock, bypass=False)
        held = {(version.key, version.id) for version in refused}
        touched += sum(
            version.is_latest and not version.is_marker and (version.key, version.id) not in held for version in page
        )
    return touched


def _in_turn(page: list[Any]) -> Iterator[Any]:
    return iter(sorted(page, key=lambda version: (version.is_latest, version.key)))


VARIANTS: Mapping[str, Callable[[Site, Any, str], int]] = {
    "all": _delete_all,
    "filter": _delete_half,
    "prefix": _delete_prefix,
    "overwrite": _truncate,
    "versions": _delete_versions,
    "truncate": _delete_all,
    "drop_table": _delete_all,
}
