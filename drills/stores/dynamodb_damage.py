"""What a bug does to a table's records: it deletes or overwrites them, with the application's own access."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drills.errors import UsageError
from drills.model import Location
from drills.ownership import refuse_outside_a_drill
from drills.site import Site
from drills.stores.dynamodb_bulk import delete_all, put_all, scan_pages
from drills.stores.dynamodb_config import TableConfig
from drills.stores.dynamodb_items import Item, canonical
from drills.stores.dynamodb_tables import guard

OVERWRITTEN = "overwritten by a bug"


def damage_table(site: Site, at: Location, variant: str) -> int:
    """Mangle the records; returns how many were touched. Raises UsageError for a variant there is not."""
    if variant not in VARIANTS:
        raise UsageError(f"damage {variant!r} of store {site.store.name!r}: expected one of {', '.join(VARIANTS)}")
    refuse_outside_a_drill(site, f"table {at.name} in account {at.account}, {at.region}", "damaging")
    guard(site, at, "damaging")
    bug = VARIANTS[variant]
    dynamodb = site.client("dynamodb", at.role, at.region)
    # No bug makes a key that was not there, so that a scan does not meet again what was written behind it.
    return sum(bug(site, dynamodb, at.name, page) for page in scan_pages(dynamodb, at.name))


def _delete_all(site: Site, dynamodb: Any, table: str, page: Sequence[Item]) -> int:
    return delete_all(dynamodb, table, (_key(site, item) for item in page), site.clock)


def _delete_half(site: Site, dynamodb: Any, table: str, page: Sequence[Item]) -> int:
    """A filter that has nothing to do with what was meant: it hits about every second record, always the same."""
    return _delete_all(site, dynamodb, table, [item for item in page if _hit(canonical(_key(site, item)))])


def _hit(key: bytes) -> bool:
    return hashlib.sha256(key).digest()[0] % 2 == 1


def _key(site: Site, item: Item) -> Item:
    config: TableConfig = site.store.config
    return {name: item[name] for name in config.key_names}


def _overwrite(site: Site, dynamodb: Any, table: str, page: Sequence[Item]) -> int:
    """One attribute of each record, the first by name that is part of no key, gets one and the same value."""
    config: TableConfig = site.store.config
    kept = {*config.key_names, *config.index_key_names, config.ttl}
    changed = ({**item, min(item.keys() - kept, default="value"): {"S": OVERWRITTEN}} for item in page)
    return put_all(dynamodb, table, changed, site.clock)


VARIANTS: Mapping[str, Callable[[Site, Any, str, Sequence[Item]], int]] = {
    "all": _delete_all,
    "filter": _delete_half,
    "prefix": _delete_half,
    "overwrite": _overwrite,
    "versions": _delete_all,
    "truncate": _delete_all,
    "drop_table": _delete_all,
}
"""By the scenario's words. Items have no prefix and no older versions: such a bug does to them what the others do."""
