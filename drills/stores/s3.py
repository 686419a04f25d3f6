"""S3 buckets: made, filled, written, read back, put in order again, probed, damaged and destroyed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drills.errors import ProtectionError
from drills.model import JSON, Finding, Location, Observed, Write
from drills.site import Site
from drills.stores import Outgoing
from drills.stores.s3_buckets import client, delete_bucket, exists, guard, in_order, tag_list
from drills.stores.s3_config import BucketConfig
from drills.stores.s3_damage import damage_bucket
from drills.stores.s3_names import bucket_name
from drills.stores.s3_objects import body_of, encoded, key_of, parsed
from drills.stores.s3_probe import probe_bucket
from drills.stores.s3_reading import read_bucket
from drills.stores.s3_settings import put, put_back, settings_of, wanted
from drills.stores.s3_writing import erase_keys, put_object, write_object

NO_CONSTRAINT = "us-east-1"
"""The one region that is not named when a bucket is made. Source: S3 API reference, CreateBucket."""


class S3Kind:
    """See drills.stores.StoreKind."""

    name = "s3"
    model = BucketConfig

    # --- What the estate says

    def needs(self, config: Any) -> frozenset[str]:
        return frozenset()

    def parse(self, node: Mapping[str, JSON]) -> BucketConfig:
        return BucketConfig.model_validate(node)

    def key_of(self, config: BucketConfig, record: Mapping[str, Any]) -> str:
        """Raises KeyError for a record without its key, ValueError for what cannot be a key."""
        return key_of(record)

    def encode(self, config: BucketConfig, record: Mapping[str, Any]) -> bytes:
        """Raises KeyError for a record without a body, ValueError naming what an object cannot hold."""
        return encoded(record)

    def outgoing(self, config: BucketConfig, record: Mapping[str, Any]) -> Outgoing:
        return Outgoing(key_of(record), encoded(record), body_of(record))

    def expires_at(self, config: BucketConfig, record: Mapping[str, Any]) -> int | None:
        """Objects expire by the age that lifecycle rules give them, never by a moment of their own."""
        return None

    # --- A bucket's life

    def physical_name(self, name: str, account: str, region: str) -> str:
        return bucket_name(name, account, region)

    def provision(self, site: Site) -> Location:
        at = site.primary()
        make_bucket(site, at, lock=site.store.config.object_lock is not None)
        put(site, at, wanted(site.store.config))
        return at

    def take_name(self, stranger: Callable[[str, str], Any], at: Location) -> bool:
        s3 = stranger("s3", at.region)
        if s3 is None or exists(s3, at.name):
            return False
        where = _where(at.region)
        s3.create_bucket(Bucket=at.name, **({"CreateBucketConfiguration": where} if where else {}))
        return True

    def unlock(self, site: Site, at: Location) -> None:
        """Nothing that is done with a bucket stands in the way of its deletion."""

    def destroy(self, site: Site, at: Location) -> None:
        held = delete_bucket(site, at)
        if held:
            site.note("destroy.refused", reason=f"{len(held)} versions are held by Object Lock", first=held[0].key)

    # --- Records

    def seed(self, site: Site, at: Location, records: Iterable[Outgoing]) -> None:
        s3 = client(site, at)

        def put_one(record: Outgoing) -> None:
            put_object(s3, at.name, record.key, parsed(record.item), record.payload)

        for _ in in_order(site.clock, put_one, records):
            pass

    def write(self, site: Site, at: Location, write: Write, payload: Any) -> None:
        write_object(client(site, at), at.name, write, payload, site.clock)

    def inventory(self, site: Site, at: Location) -> Iterator[Observed]:
        return read_bucket(client(site, at), at.name, site.store.config, site.clock)

    def erase(self, site: Site, at: Location, keys: Sequence[str]) -> None:
        if keys:
            guard(site, at, "erasing from")
            erase_keys(client(site, at), at.name, dict.fromkeys(keys), site.clock)

    def purge_expired(self, site: Site, at: Location) -> int:
        """Nothing has a moment of expiry of its own."""
        return 0

    # --- Settings and answers

    def unlisted(self, site: Site, at: Location) -> Mapping[str, str]:
        """All that it holds is records."""
        return {}

    def settings(self, site: Site, at: Location) -> Mapping[str, JSON]:
        return settings_of(site, at)

    def reconfigure(self, site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
        put_back(site, at, settings)

    def probe(self, site: Site, at: Location) -> Sequence[Finding]:
        return probe_bucket(site, at)

    def damage(self, site: Site, at: Location, variant: str) -> int:
        return damage_bucket(site, at, variant)


def make_bucket(site: Site, at: Location, *, lock: bool = False) -> None:
    """Make an empty bucket that carries the site's tags from the first. Raises ProtectionError if the name is taken."""
    s3 = client(site, at)
    taken = f"bucket {at.name} for account {at.account}, {at.region}: expected the name to be free, found a bucket."
    # In us-east-1 making a bucket that is one's own already succeeds, and would take it over.
    free = not exists(s3, at.name)
    try:
        if free:
            s3.create_bucket(
                Bucket=at.name,
                CreateBucketConfiguration={**_where(at.region), "Tags": tag_list(site.tags)},
                ObjectOwnership="BucketOwnerEnforced",
                ObjectLockEnabledForBucket=lock,
            )
    except (s3.exceptions.BucketAlreadyExists, s3.exceptions.BucketAlreadyOwnedByYou):
        free = False
    if not free:
        raise ProtectionError(
            f"{taken} It is left alone: if an earlier drill left it, delete it; else give the estate another name, or, "
            "where there is none, these credentials s3:ListBucket, by which S3 tells that."
        )
    # Older services than S3 itself take no tags when a bucket is made.
    s3.put_bucket_tagging(Bucket=at.name, Tagging={"TagSet": tag_list(site.tags)})


def _where(region: str) -> dict[str, Any]:
    return {} if region == NO_CONSTRAINT else {"LocationConstraint": region}


kind = S3Kind()
