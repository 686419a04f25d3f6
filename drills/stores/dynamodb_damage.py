"""What a bug does to a table's records: it deletes or overwrites them, with the application's own access."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from drills.errors import UsageError
from drills.model import Location
from drills.site import Site
from drills.stores.dynamodb_bulk import delete_all, put_all, scan_pages
from drills.stores.dynamodb_config import TableConfig
from drills.stores.dynamodb_items import Item, key_text
from drills.stores.dynamodb_tables import guard

OVERWRITTEN = "overwritten by a bug"


def damage_table(site: Site, at: Location, variant: str) -> int:
    """Mangle the records; returns how many were touched. Raises UsageError for a variant there is not."""
    if variant not in VARIANTS:
        raise UsageError(f"damage {variant!r} of store {site.store.name!r}: expected one of {', '.join(VARIANTS)}")
    guard(site, at, "damaging")
    config: TableConfig = site.store.config
    dynamodb = site.client("dynamodb", at.role, at.region)
    # All is read before anything is changed: a scan that meets its own writes would depend on their order.
    items = [item for page in scan_pages(dynamodb, at.name) for item in page]
    return VARIANTS[variant](site, dynamodb, at.name, config, items)


Bug = Callable[[Site, Any, str, TableConfig, list[Item]], int]


def _delete_every(site: Site, dynamodb: Any, table: str, config: TableConfig, items: list[Item]) -> int:
    return _delete(site, dynamodb, table, config, items)


def _delete_half(site: Site, dynamodb: Any, table: str, config: TableConfig, items: list[Item]) -> int:
    """A filter that has nothing to do with what was meant: it hits about every second record, always the same."""
    hit = (item for item in items if hashlib.sha256(key_text(item, config.key_names).encode()).digest()[0] % 2)
    return _delete(site, dynamodb, table, config, hit)


def _delete(site: Site, dynamodb: Any, table: str, config: TableConfig, items: Iterable[Item]) -> int:
    keys = ({name: item[name] for name in config.key_names} for item in items)
    return delete_all(dynamodb, table, keys, site.clock)


def _overwrite(site: Site, dynamodb: Any, table: str, config: TableConfig, items: list[Item]) -> int:
    """One attribute of every record, the same in all, gets one and the same value."""
    kept = {*config.key_names, *config.index_key_names, config.ttl}
    names = sorted({name for item in items for name in item if name not in kept})
    name = names[0] if names else "value"
    changed = ({**item, name: {"S": OVERWRITTEN}} for item in items)
    return put_all(dynamodb, table, changed, site.clock)


VARIANTS: dict[str, Bug] = {"all": _delete_every, "filter": _delete_half, "overwrite": _overwrite}
