"""A table as of one moment: what backups keep, and what restores and exports start from."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drills.simulator.dynamodb.answers import Body, as_utc
from drills.simulator.dynamodb.rows import Row
from drills.simulator.timing import Size


@dataclass(frozen=True, slots=True)
class TableImage:
    """A table's settings and its rows, whose bytes are the table's own. ``size_bytes`` is of the items."""

    name: str
    arn: str
    table_id: str
    account: str
    region: str
    created_at: datetime
    attributes: list[dict[str, str]]
    key_schema: list[dict[str, str]]
    billing_mode: str
    throughput: dict[str, int]
    global_indexes: list[dict[str, Any]]
    local_indexes: list[dict[str, Any]]
    sse: dict[str, Any] | None
    stream: dict[str, Any] | None
    ttl: dict[str, Any]
    rows: tuple[Row, ...]
    size_bytes: int

    @property
    def size(self) -> Size:
        return Size(self.size_bytes / 1e9, len(self.rows))


def image_of(table: Any, rows: tuple[Row, ...] | None = None) -> TableImage:
    """The table's settings as they are, with ``rows``, or with the rows it holds."""
    kept = copied(table.rows()) if rows is None else rows
    return TableImage(
        name=table.name,
        arn=table.table_arn,
        table_id=table.id,
        account=table.account_id,
        region=table.region_name,
        created_at=as_utc(table.created_at),
        attributes=copy.deepcopy(table.attr),
        key_schema=copy.deepcopy(table.schema),
        billing_mode=table.billing_mode or "PROVISIONED",
        throughput=_units(table.throughput),
        global_indexes=[_index(index, index.throughput) for index in table.global_indexes],
        local_indexes=[_index(index) for index in table.indexes],
        sse=copy.deepcopy(table.sse_specification),
        stream=copy.deepcopy(table.stream_specification),
        ttl=dict(table.ttl),
        rows=kept,
        size_bytes=sum(row.size for row in kept),
    )


def copied(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows as they are now, over the same bytes: a table changes its own rows in place."""
    return tuple(Row(row.key, row.raw, row.size) for row in rows)


def _units(throughput: dict[str, Any]) -> dict[str, int]:
    return {unit: int(throughput.get(unit, 0)) for unit in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _index(index: Any, throughput: dict[str, Any] | None = None) -> dict[str, Any]:
    described = {
        "IndexName": index.name,
        "KeySchema": copy.deepcopy(index.schema),
        "Projection": copy.deepcopy(index.projection),
    }
    if throughput is not None:
        described["ProvisionedThroughput"] = _units(throughput)
    return described


def source_details(image: TableImage) -> Body:
    """``SourceTableDetails`` of a backup's description."""
    return {
        "TableName": image.name,
        "TableId": image.table_id,
        "TableArn": image.arn,
        "TableSizeBytes": image.size_bytes,
        "KeySchema": image.key_schema,
        "TableCreationDateTime": image.created_at,
        "ProvisionedThroughput": image.throughput,
        "ItemCount": len(image.rows),
        "BillingMode": image.billing_mode,
    }


def source_features(image: TableImage) -> Body:
    """``SourceTableFeatureDetails`` of a backup's description: only the features the table had."""
    features: Body = {}
    if image.local_indexes:
        features["LocalSecondaryIndexes"] = image.local_indexes
    if image.global_indexes:
        features["GlobalSecondaryIndexes"] = image.global_indexes
    if image.stream and image.stream.get("StreamEnabled"):
        features["StreamDescription"] = image.stream
    if image.ttl.get("TimeToLiveStatus") == "ENABLED":
        features["TimeToLiveDescription"] = image.ttl
    if image.sse and image.sse.get("Enabled"):
        features["SSEDescription"] = {
            "Status": "ENABLED",
            "SSEType": "KMS",
            "KMSMasterKeyArn": image.sse.get("KMSMasterKeyId"),
        }
    return features
