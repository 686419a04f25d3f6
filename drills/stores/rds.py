"""RDS for PostgreSQL and Aurora PostgreSQL: made, filled, read back, put in order, probed, damaged, destroyed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drills.model import JSON, Finding, Location, Observed, Write
from drills.site import Site
from drills.stores import Outgoing
from drills.stores.rds_config import DatabaseConfig
from drills.stores.rds_damage import damage_database
from drills.stores.rds_global import leave_global_cluster
from drills.stores.rds_instances import delete_database, guard, unlock_database
from drills.stores.rds_loading import load_database
from drills.stores.rds_making import make_database
from drills.stores.rds_probe import probe_database
from drills.stores.rds_reading import read_records
from drills.stores.rds_records import aggregate, encoded, key_text
from drills.stores.rds_secret import drop_secret
from drills.stores.rds_sessions import changing, drop, kept
from drills.stores.rds_settings import put_back, settings_of
from drills.stores.rds_unlisted import unlisted
from drills.stores.rds_writing import copy_aggregates, delete_aggregate, put_aggregate, transaction

LONGEST_NAME = 63
"""Source: RDS user guide, Quotas and constraints, naming constraints."""
DIGEST_LENGTH = 8
ERASED_AT_ONCE = 500


class RDSKind:
    """See drills.stores.StoreKind."""

    name = "rds"
    model = DatabaseConfig
    process_bytes = 200_000_000
    """Memory that one database of a simulated drill takes with its standbys and restores, beside a process without one:
    measured on the estate ``payments``. Its files are not counted: they lie in memory only where there is plenty."""

    # --- What the estate says

    def needs(self, config: DatabaseConfig) -> frozenset[str]:
        return frozenset({"rds", "rds.aurora"}) if config.is_aurora else frozenset({"rds"})

    def parse(self, node: Mapping[str, JSON]) -> DatabaseConfig:
        return DatabaseConfig.model_validate(node)

    def key_of(self, config: DatabaseConfig, record: Mapping[str, Any]) -> str:
        """Raises KeyError for a record without its key, ValueError for what cannot be a key."""
        return key_text(config, record)

    def encode(self, config: DatabaseConfig, record: Mapping[str, Any]) -> bytes:
        """Raises ValueError naming the attribute that its column cannot hold."""
        return encoded(config, aggregate(config, record))

    def outgoing(self, config: DatabaseConfig, record: Mapping[str, Any]) -> Outgoing:
        rows = aggregate(config, record)
        return Outgoing(str(rows.key(config)), encoded(config, rows), rows)

    def expires_at(self, config: DatabaseConfig, record: Mapping[str, Any]) -> int | None:
        """Rows stay until they are deleted."""
        return None

    # --- A database's life

    def physical_name(self, name: str, account: str, region: str) -> str:
        return identifier(name)

    def provision(self, site: Site) -> Location:
        at = site.primary()
        make_database(site, at)
        return at

    def take_name(self, stranger: Callable[[str, str], Any], at: Location) -> bool:
        return False

    def unlock(self, site: Site, at: Location) -> None:
        unlock_database(site, at)

    def destroy(self, site: Site, at: Location) -> None:
        drop(site, at)
        if site.store.config.is_aurora:
            leave_global_cluster(site, at)
        delete_database(site, at)
        drop_secret(site, at)

    # --- Records

    def seed(self, site: Site, at: Location, records: Iterable[Outgoing]) -> None:
        with changing(site, at, "the first records"):
            copy_aggregates(kept(site, at), site.store.config, (record.payload for record in records))

    def write(self, site: Site, at: Location, write: Write, payload: Any) -> None:
        config: DatabaseConfig = site.store.config
        with transaction(site, at) as cursor:
            if payload is None:
                delete_aggregate(cursor, config, write.key)
            else:
                put_aggregate(cursor, config, payload)

    def inventory(self, site: Site, at: Location) -> Iterator[Observed]:
        return read_records(kept(site, at), site.store.config)

    def erase(self, site: Site, at: Location, keys: Sequence[str]) -> None:
        if not keys:
            return
        guard(site, at, "erasing from")
        config: DatabaseConfig = site.store.config
        unique = list(dict.fromkeys(keys))
        for begin in range(0, len(unique), ERASED_AT_ONCE):
            with transaction(site, at) as cursor:
                for key in unique[begin : begin + ERASED_AT_ONCE]:
                    delete_aggregate(cursor, config, key)

    def purge_expired(self, site: Site, at: Location) -> int:
        """Nothing has a moment of expiry of its own."""
        return 0

    def load(self, site: Site, at: Location) -> Mapping[str, JSON]:
        """Only of what is restored from an instance's backups; what that is, its restore tells."""
        return load_database(site, at)

    # --- Settings and answers

    def unlisted(self, site: Site, at: Location) -> Mapping[str, str]:
        return unlisted(site, at)

    def settings(self, site: Site, at: Location) -> Mapping[str, JSON]:
        return settings_of(site, at)

    def reconfigure(self, site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
        put_back(site, at, settings)

    def probe(self, site: Site, at: Location) -> Sequence[Finding]:
        return probe_database(site, at)

    def damage(self, site: Site, at: Location, variant: str) -> int:
        return damage_database(site, at, variant)


def identifier(wanted: str) -> str:
    """A valid identifier of an instance or a cluster for ``wanted``; always the same for the same.

    Lower-case letters, digits and single hyphens, the first a letter, at most 63 characters, with room at the end for
    what distinguishes a cluster's instances.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"db-{plain}".strip("-")
    longest = LONGEST_NAME - len("-parameters")
    if plain == wanted and len(plain) <= longest:
        return plain
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{plain[: longest - DIGEST_LENGTH - 1].strip('-')}-{digest}"


kind = RDSKind()
