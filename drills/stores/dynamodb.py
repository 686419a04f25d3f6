"""DynamoDB tables: made, filled, written, read back, put in order again, probed, damaged and destroyed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from drills.errors import ProtectionError, UsageError
from drills.model import JSON, Finding, Location, Observed, Write
from drills.record_file import FileRecords
from drills.records import make_records
from drills.site import Site
from drills.stores import Outgoing
from drills.stores.dynamodb_autoscaling import CAPABILITY as AUTOSCALING
from drills.stores.dynamodb_autoscaling import drop_autoscaling, put_autoscaling, wanted
from drills.stores.dynamodb_bulk import delete_all, put_all, scan_pages
from drills.stores.dynamodb_config import Index, TableConfig
from drills.stores.dynamodb_damage import damage_table
from drills.stores.dynamodb_items import (
    KEY_TYPES,
    PARTITION_KEY_BYTES,
    SORT_KEY_BYTES,
    Item,
    canonical,
    check_key,
    encoded,
    item_of,
    key_text,
    typed,
)
from drills.stores.dynamodb_probe import probe_table
from drills.stores.dynamodb_settings import put_back, settings_of
from drills.stores.dynamodb_tables import delete_table, described, guard, tag_list, wait_active

SAMPLED_RECORDS = 500
"""Types of key attributes are looked up in so many of the first records."""
NEVER_EXPIRED_SECONDS = 5 * 365 * 86_400
"""DynamoDB leaves items alone whose time to live is further back. Source: developer guide, Time to Live."""
SEGMENTS = 8


class DynamoDBKind:
    """See drills.stores.StoreKind."""

    name = "dynamodb"
    model = TableConfig

    # --- What the estate says

    def needs(self, config: TableConfig) -> frozenset[str]:
        scaled = config.billing is not None and config.billing.autoscaling is not None
        return frozenset({"dynamodb", AUTOSCALING} if scaled else {"dynamodb"})

    def parse(self, node: Mapping[str, JSON]) -> TableConfig:
        return TableConfig.model_validate(node)

    def key_of(self, config: TableConfig, record: Mapping[str, Any]) -> str:
        """Raises KeyError for a record without its key, ValueError for what cannot be a key."""
        key = {name: typed(record[name], name, 0) for name in config.key_names}
        for name, limit_bytes in zip(config.key_names, (PARTITION_KEY_BYTES, SORT_KEY_BYTES), strict=False):
            check_key(key[name], name, limit_bytes)
        return key_text(key, config.key_names)

    def encode(self, config: TableConfig, record: Mapping[str, Any]) -> bytes:
        """Raises ValueError naming the attribute that DynamoDB cannot hold."""
        for index in config.indexes:
            for name, limit_bytes in zip(index.key_names, (PARTITION_KEY_BYTES, SORT_KEY_BYTES), strict=False):
                if name in record:
                    check_key(typed(record[name], name, 0), name, limit_bytes)
        return encoded(record)

    def outgoing(self, config: TableConfig, record: Mapping[str, Any]) -> Outgoing:
        return Outgoing(self.key_of(config, record), self.encode(config, record))

    def expires_at(self, config: TableConfig, record: Mapping[str, Any]) -> int | None:
        if config.ttl is None or config.ttl not in record:
            return None
        value = typed(record[config.ttl], config.ttl, 0)
        if "N" not in value:
            return None
        moment = int(value["N"].partition(".")[0])
        return moment if moment > _oldest_expired(datetime.fromtimestamp(time.time(), UTC)) else None

    # --- A table's life

    def physical_name(self, name: str, account: str, region: str) -> str:
        return name

    def provision(self, site: Site) -> Location:
        config: TableConfig = site.store.config
        at = site.primary()
        dynamodb = site.client("dynamodb", at.role, at.region)
        try:
            dynamodb.create_table(**_creation(site, at.name))
        except dynamodb.exceptions.ResourceInUseException as error:
            raise ProtectionError(
                f"table {at.name} in account {at.account}, {at.region}: expected the name to be free, found a table. "
                "It is left alone: if an earlier drill left it, delete it; else give the estate another name."
            ) from error
        wait_active(site, at)
        if config.ttl is not None:
            dynamodb.update_time_to_live(
                TableName=at.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": config.ttl}
            )
        if config.billing is not None and config.billing.autoscaling is not None:
            scale = config.billing.autoscaling
            indexes = [index.name for index in config.indexes if not index.local]
            put_autoscaling(site, at, indexes, wanted(indexes, scale.min, scale.max, scale.target_percent))
        return at

    def take_name(self, stranger: Callable[[str, str], Any], at: Location) -> bool:
        return False

    def unlock(self, site: Site, at: Location) -> None:
        """Nothing that is done with a table keeps its deletion waiting for long."""

    def destroy(self, site: Site, at: Location) -> None:
        dynamodb = site.client("dynamodb", at.role, at.region)
        found = described(dynamodb, at.name)
        if found is None:
            return
        delete_table(site, at)
        drop_autoscaling(site, at, [index["IndexName"] for index in found.get("GlobalSecondaryIndexes", [])])

    # --- Records

    def seed(self, site: Site, at: Location, records: Iterable[Outgoing]) -> None:
        items = (item_of(record.item) for record in records)
        put_all(site.client("dynamodb", at.role, at.region), at.name, items, site.clock)

    def write(self, site: Site, at: Location, write: Write, payload: Any) -> None:
        dynamodb = site.client("dynamodb", at.role, at.region)
        if write.item is None:
            dynamodb.delete_item(TableName=at.name, Key=item_of(write.key))
        else:
            dynamodb.put_item(TableName=at.name, Item=item_of(write.item))

    def inventory(self, site: Site, at: Location) -> Iterator[Observed]:
        config: TableConfig = site.store.config
        dynamodb = site.client("dynamodb", at.role, at.region)
        # Simulated accounts answer one call at a time, and threads would make a seeded drill differ from run to run.
        simulated = site.clock.kind == "simulated"
        pages = scan_pages(dynamodb, at.name) if simulated else _segments_at_once(dynamodb, at.name)
        for page in pages:
            for item in page:
                yield Observed(key_text(item, config.key_names), canonical(item))

    def erase(self, site: Site, at: Location, keys: Sequence[str]) -> None:
        if keys:
            guard(site, at, "erasing from")
            dynamodb = site.client("dynamodb", at.role, at.region)
            delete_all(dynamodb, at.name, map(item_of, dict.fromkeys(keys)), site.clock)

    def purge_expired(self, site: Site, at: Location) -> int:
        config: TableConfig = site.store.config
        if config.ttl is None:
            return 0
        guard(site, at, "deleting expired records from")
        dynamodb = site.client("dynamodb", at.role, at.region)
        now = site.clock.now()
        expired = [item for page in scan_pages(dynamodb, at.name, **_expired(config, now)) for item in page]
        return delete_all(dynamodb, at.name, expired, site.clock)

    # --- Settings and answers

    def unlisted(self, site: Site, at: Location) -> Mapping[str, str]:
        """All that it holds is records."""
        return {}

    def settings(self, site: Site, at: Location) -> Mapping[str, JSON]:
        return settings_of(site, at)

    def reconfigure(self, site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
        put_back(site, at, settings)

    def probe(self, site: Site, at: Location) -> Sequence[Finding]:
        return probe_table(site, at)

    def damage(self, site: Site, at: Location, variant: str) -> int:
        return damage_table(site, at, variant)


# --- Making the table ----------------------------------------------------------------------------------------------


def _creation(site: Site, name: str) -> dict[str, Any]:
    """The CreateTable call that the config asks for."""
    config: TableConfig = site.store.config
    types = _key_types(site)
    call: dict[str, Any] = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": attr, "AttributeType": kind} for attr, kind in types.items()],
        "KeySchema": _key_schema(config.key_names),
        "BillingMode": "PAY_PER_REQUEST" if config.billing is None else "PROVISIONED",
        "DeletionProtectionEnabled": config.deletion_protection,
        "Tags": tag_list({**config.tags, **site.tags}),
        **_throughput(config),
    }
    for word, local in (("LocalSecondaryIndexes", True), ("GlobalSecondaryIndexes", False)):
        indexes = [index for index in config.indexes if index.local is local]
        throughput = {} if local else _throughput(config)
        if indexes:
            call[word] = [
                {
                    "IndexName": index.name,
                    "KeySchema": _key_schema(index.key_names),
                    "Projection": _projection(index),
                    **throughput,
                }
                for index in indexes
            ]
    if config.stream is not None:
        call["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": config.stream.upper()}
    return call


def _key_schema(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"), strict=False)]


def _projection(index: Index) -> dict[str, Any]:
    if isinstance(index.projection, str):
        return {"ProjectionType": index.projection.upper()}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projection)}


def _throughput(config: TableConfig) -> dict[str, Any]:
    if config.billing is None:
        return {}
    units = {"ReadCapacityUnits": config.billing.read_units, "WriteCapacityUnits": config.billing.write_units}
    return {"ProvisionedThroughput": units}


def _key_types(site: Site) -> dict[str, str]:
    """The type of each key attribute, as the store's records have it. Raises UsageError where none has it."""
    config: TableConfig = site.store.config
    names = dict.fromkeys((*config.key_names, *config.index_key_names))
    found: dict[str, str] = {}
    for record in _first_records(site):
        for name in names:
            if name in record and name not in found:
                (found[name],) = typed(record[name], name, 0)
        if len(found) == len(names):
            break
    for name in names:
        if found.get(name) not in KEY_TYPES:
            raise UsageError(
                f"store {site.store.name!r}: expected the key attribute {name!r} in its records, as text, a number or "
                f"bytes; found {found.get(name) or 'it in none of the first ' + str(SAMPLED_RECORDS)}. Add it to the "
                "records or take the index away."
            )
    return {name: found[name] for name in names}


def _first_records(site: Site) -> Iterator[Mapping[str, Any]]:
    spec = site.store.records
    if isinstance(spec, FileRecords):
        yield from spec.records
        return
    maker = make_records(spec, 0, site.clock.now())
    for number in range(SAMPLED_RECORDS):
        yield maker.record(number)


# --- Reading -------------------------------------------------------------------------------------------------------


def _oldest_expired(now: datetime) -> int:
    return int(now.timestamp()) - NEVER_EXPIRED_SECONDS


def _expired(config: TableConfig, now: datetime) -> dict[str, Any]:
    """What makes a scan give the keys of what has expired, and nothing that DynamoDB would leave alone."""
    keys = {f"#k{n}": name for n, name in enumerate(config.key_names)}
    return {
        "FilterExpression": "attribute_type(#ttl, :number) AND #ttl <= :now AND #ttl > :oldest",
        "ProjectionExpression": ", ".join(keys),
        "ExpressionAttributeNames": {"#ttl": config.ttl, **keys},
        "ExpressionAttributeValues": {
            ":number": {"S": "N"},
            ":now": {"N": str(int(now.timestamp()))},
            ":oldest": {"N": str(_oldest_expired(now))},
        },
    }


def _segments_at_once(dynamodb: Any, table: str) -> Iterator[Sequence[Item]]:
    """The pages of a scan in several threads, each a page ahead of the reader at most."""
    readers = [scan_pages(dynamodb, table, segment, SEGMENTS) for segment in range(SEGMENTS)]
    with ThreadPoolExecutor(SEGMENTS) as pool:
        reading = {pool.submit(next, reader, None): reader for reader in readers}
        while reading:
            done, _ = futures.wait(reading, return_when=futures.FIRST_COMPLETED)
            for future in done:
                reader = reading.pop(future)
                page = future.result()
                if page is not None:
                    reading[pool.submit(next, reader, None)] = reader
                    yield page


kind = DynamoDBKind()
