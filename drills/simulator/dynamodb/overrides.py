"""The settings of a restored table: the source's, as the call overrides them.

Source: API reference, RestoreTableToPointInTime and RestoreTableFromBackup (…Override parameters): indexes can be left
out but not invented; everything else comes from the source's settings.
"""

from __future__ import annotations

from typing import Any

from drills.simulator.dynamodb.answers import Body, invalid
from drills.simulator.dynamodb.images import TableImage

ONE = "One or more parameter values were invalid: "


def creation_of(image: TableImage, body: Body, region: str) -> dict[str, Any]:
    """The arguments of moto's ``create_table`` for the restored table. Tags, stream, protection are not restored."""
    billing_mode, throughput = _billing(image, body)
    global_indexes = _indexes(image.global_indexes, body.get("GlobalSecondaryIndexOverride"), "GlobalSecondaryIndexes")
    local_indexes = _indexes(image.local_indexes, body.get("LocalSecondaryIndexOverride"), "LocalSecondaryIndexes")
    schemas = [image.key_schema, *(index["KeySchema"] for index in (*global_indexes, *local_indexes))]
    used = {element["AttributeName"] for schema in schemas for element in schema}
    return {
        "schema": [dict(element) for element in image.key_schema],
        "attr": [dict(one) for one in image.attributes if one["AttributeName"] in used],
        "billing_mode": billing_mode,
        "throughput": throughput,
        "global_indexes": [_billed(index, billing_mode) for index in global_indexes],
        "indexes": local_indexes,
        "sse_specification": _encryption(image, body.get("SSESpecificationOverride"), region),
        "streams": None,
        "tags": [],
        "deletion_protection_enabled": False,
        "warm_throughput": None,
    }


def _billing(image: TableImage, body: Body) -> tuple[str, dict[str, int] | None]:
    mode = body.get("BillingModeOverride") or image.billing_mode
    override = body.get("ProvisionedThroughputOverride")
    if mode == "PAY_PER_REQUEST":
        if override:
            raise invalid(
                f"{ONE}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
                "PAY_PER_REQUEST"
            )
        return mode, None
    if override:
        return mode, {unit: int(override[unit]) for unit in ("ReadCapacityUnits", "WriteCapacityUnits")}
    if image.billing_mode == "PAY_PER_REQUEST":
        raise invalid(
            f"{ONE}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    return mode, dict(image.throughput)


def _indexes(source: list[dict[str, Any]], override: list[dict[str, Any]] | None, what: str) -> list[dict[str, Any]]:
    if override is None:
        return [dict(index) for index in source]
    known = {index["IndexName"]: index for index in source}
    for index in override:
        same = known.get(index["IndexName"])
        if same is None or any(same[part] != index[part] for part in ("KeySchema", "Projection")):
            raise invalid(f"{ONE}{what} in the override must match those of the source table: {index['IndexName']}")
    return [{**known[index["IndexName"]], **index} for index in override]


def _billed(index: dict[str, Any], billing_mode: str) -> dict[str, Any]:
    if billing_mode == "PROVISIONED":
        return index
    return {part: value for part, value in index.items() if part != "ProvisionedThroughput"}


def _encryption(image: TableImage, override: dict[str, Any] | None, region: str) -> dict[str, Any] | None:
    if override is not None:
        return dict(override) if override.get("Enabled") else None
    if not image.sse or not image.sse.get("Enabled"):
        return None
    # A key belongs to its region: in another one DynamoDB takes that region's default key.
    return {part: value for part, value in image.sse.items() if part != "KMSMasterKeyId" or image.region == region}
