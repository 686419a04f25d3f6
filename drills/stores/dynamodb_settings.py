"""A table's settings: read as a flat mapping, and put back where a restore left them out.

Nothing in the mapping names an account, a region or a table, so that two tables that are to be alike compare as equal
wherever they lie. What a restore leaves out: tags, time to live, streams, point-in-time recovery, autoscaling, deletion
protection and policies. Source: DynamoDB developer guide, Point-in-time backups, Restoring a table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from drills.model import JSON, Location
from drills.site import Site
from drills.stores.dynamodb_autoscaling import autoscaling_of, put_autoscaling
from drills.stores.dynamodb_recovery import recovery_window, set_recovery
from drills.stores.dynamodb_tables import described, guard, table_arn, tag_list, tags_of, wait_active

INDEX = "index."
ROLES = {"HASH": "partition", "RANGE": "sort"}
KEY_TYPES = {role: key_type for key_type, role in ROLES.items()}
OWN_ARN, OWN_ACCOUNT = "<table>", "<account>"
"""What stands in a resource policy for the table and its account."""


def settings_of(site: Site, at: Location) -> dict[str, JSON]:
    """Every setting by name. Raises botocore's exceptions, ResourceNotFoundException where there is no table."""
    dynamodb = site.client("dynamodb", at.role, at.region)
    table = dynamodb.describe_table(TableName=at.name)["Table"]
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
    global_indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])]
    autoscaling = autoscaling_of(site, at, global_indexes)
    time_to_live = dynamodb.describe_time_to_live(TableName=at.name)["TimeToLiveDescription"]
    window = recovery_window(dynamodb, at.name)
    stream = table.get("StreamSpecification", {})
    return {
        "key_schema": _keys(table["KeySchema"], types),
        **_indexes(table, types),
        "billing": _billing(table, autoscaling),
        "autoscaling": autoscaling,
        "ttl": time_to_live.get("AttributeName") if time_to_live["TimeToLiveStatus"].startswith("ENABL") else None,
        "stream": stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        "tags": _own_tags(site, at),
        "point_in_time_recovery": None if window is None else {"period_days": window.period_days},
        "deletion_protection": bool(table.get("DeletionProtectionEnabled")),
        "encryption": table.get("SSEDescription", {}).get("SSEType", "default"),
        "resource_policy": _policy(dynamodb, at),
    }


def _keys(schema: Any, types: Mapping[str, str]) -> list[JSON]:
    return [
        {"name": part["AttributeName"], "type": types[part["AttributeName"]], "role": ROLES[part["KeyType"]]}
        for part in schema
    ]


def _indexes(table: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in table.get(kind, []):
            projection = index["Projection"]
            found[INDEX + index["IndexName"]] = {
                "local": kind == "LocalSecondaryIndexes",
                "keys": _keys(index["KeySchema"], types),
                "projection": projection["ProjectionType"],
                "attributes": sorted(projection.get("NonKeyAttributes", [])),
            }
    return dict(sorted(found.items()))


def _billing(table: Mapping[str, Any], autoscaling: Mapping[str, JSON]) -> JSON:
    """Units that autoscaling moves are given as the least it may set, as they differ from minute to minute."""
    if table.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
        return {"mode": "on_demand"}

    def units(resource: str, described: Mapping[str, Any]) -> JSON:
        throughput = described["ProvisionedThroughput"]
        found = {}
        for unit in ("ReadCapacityUnits", "WriteCapacityUnits"):
            scale = autoscaling.get(f"{resource}/{unit}")
            found[unit] = throughput[unit] if scale is None else scale["min"]
        return found

    indexes = table.get("GlobalSecondaryIndexes", [])
    return {
        "mode": "provisioned",
        "table": units("table", table),
        "indexes": {index["IndexName"]: units(f"index/{index['IndexName']}", index) for index in indexes},
    }


def _own_tags(site: Site, at: Location) -> JSON:
    """The tags of the table's owners: neither the drill's nor AWS's."""
    tags = tags_of(site, at)
    return {key: tags[key] for key in sorted(tags) if key not in site.tags and not key.startswith("aws:")}


def _policy(dynamodb: Any, at: Location) -> JSON:
    try:
        document = dynamodb.get_resource_policy(ResourceArn=table_arn(at))["Policy"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "PolicyNotFoundException":
            return None
        raise
    return json.loads(document.replace(table_arn(at), OWN_ARN).replace(at.account, OWN_ACCOUNT))


# --- Putting them back ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """One table whose settings are being put back; ``all`` are the settings it is to have."""

    site: Site
    at: Location
    all: Mapping[str, JSON]

    @property
    def dynamodb(self) -> Any:
        return self.site.client("dynamodb", self.at.role, self.at.region)

    def update(self, **what: Any) -> None:
        """One UpdateTable, and the wait until the next one is taken."""
        self.dynamodb.update_table(TableName=self.at.name, **what)
        wait_active(self.site, self.at, limit_seconds=86_400)

    def global_indexes(self) -> list[str]:
        table = described(self.dynamodb, self.at.name) or {}
        return [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])]


def put_back(site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
    """Make the table's settings what ``settings`` says, where that can be changed; twice is as once.

    Keys and local indexes are given to a table when it is made, and stay; a difference in them is left to be found.
    """
    guard(site, at, "changing")
    change = _Change(site, at, settings)
    now = settings_of(site, at)
    for name, index in settings.items():
        if name.startswith(INDEX) and name not in now and not index["local"]:
            _make_index(change, name.removeprefix(INDEX), index, now["billing"])
            now = settings_of(site, at)
    for name, put in PUT_BACK.items():
        if name in settings and now[name] != settings[name]:
            put(change, now[name], settings[name])
            now = settings_of(site, at)


def _make_index(change: _Change, name: str, index: JSON, billing: JSON) -> None:
    """DynamoDB makes one global index at a time, billed as the table is at the moment."""
    table = change.dynamodb.describe_table(TableName=change.at.name)["Table"]
    types = {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]}
    types |= {key["name"]: key["type"] for key in index["keys"]}
    attributes = {"NonKeyAttributes": index["attributes"]} if index["attributes"] else {}
    units = change.all.get("billing", {}).get("indexes", {}).get(name, billing.get("table"))
    throughput = {"ProvisionedThroughput": units} if billing["mode"] == "provisioned" else {}
    create = {
        "IndexName": name,
        "KeySchema": [{"AttributeName": key["name"], "KeyType": KEY_TYPES[key["role"]]} for key in index["keys"]],
        "Projection": {"ProjectionType": index["projection"], **attributes},
        **throughput,
    }
    change.update(
        AttributeDefinitions=[{"AttributeName": attr, "AttributeType": kind} for attr, kind in types.items()],
        GlobalSecondaryIndexUpdates=[{"Create": create}],
    )


def _put_tags(change: _Change, now: JSON, wanted: JSON) -> None:
    arn = table_arn(change.at)
    change.dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list({**wanted, **change.site.tags}))
    if needless := [key for key in now if key not in wanted]:
        change.dynamodb.untag_resource(ResourceArn=arn, TagKeys=needless)


def _put_billing(change: _Change, now: JSON, wanted: JSON) -> None:
    if wanted["mode"] == "on_demand":
        change.update(BillingMode="PAY_PER_REQUEST")
        return
    what: dict[str, Any] = {} if now["mode"] == wanted["mode"] else {"BillingMode": "PROVISIONED"}
    if now.get("table") != wanted["table"]:
        what["ProvisionedThroughput"] = wanted["table"]
    there = change.global_indexes()
    updates = [
        {"Update": {"IndexName": name, "ProvisionedThroughput": units}}
        for name, units in wanted["indexes"].items()
        if name in there and now.get("indexes", {}).get(name) != units
    ]
    if updates:
        what["GlobalSecondaryIndexUpdates"] = updates
    if what:
        change.update(**what)


def _put_autoscaling(change: _Change, _: JSON, wanted: JSON) -> None:
    put_autoscaling(change.site, change.at, change.global_indexes(), wanted)


def _put_stream(change: _Change, now: JSON, wanted: JSON) -> None:
    if now is not None:
        change.update(StreamSpecification={"StreamEnabled": False})
    if wanted is not None:
        change.update(StreamSpecification={"StreamEnabled": True, "StreamViewType": wanted})


def _put_ttl(change: _Change, now: JSON, wanted: JSON) -> None:
    if now is not None:
        _change_ttl(change, now, False)
    if wanted is not None:
        _change_ttl(change, wanted, True)


def _change_ttl(change: _Change, attribute: str, enabled: bool) -> None:
    """DynamoDB takes one such change an hour. Source: API reference, UpdateTimeToLive."""
    specification = {"Enabled": enabled, "AttributeName": attribute}

    def taken() -> bool:
        try:
            change.dynamodb.update_time_to_live(TableName=change.at.name, TimeToLiveSpecification=specification)
        except ClientError as error:
            if "multiple times within a fixed interval" in str(error):
                return False
            raise
        return True

    change.site.wait(f"time to live of {change.at.name} to change", taken, every_seconds=60, limit_seconds=7_200)


def _put_recovery(change: _Change, _: JSON, wanted: JSON) -> None:
    set_recovery(change.site, change.at, None if wanted is None else wanted["period_days"])


def _put_deletion_protection(change: _Change, _: JSON, wanted: JSON) -> None:
    change.update(DeletionProtectionEnabled=wanted)


def _put_encryption(change: _Change, _: JSON, wanted: JSON) -> None:
    specification = {"Enabled": False} if wanted == "default" else {"Enabled": True, "SSEType": wanted}
    change.update(SSESpecification=specification)


def _put_policy(change: _Change, _: JSON, wanted: JSON) -> None:
    arn = table_arn(change.at)
    if wanted is None:
        change.dynamodb.delete_resource_policy(ResourceArn=arn)
        return
    document = json.dumps(wanted).replace(OWN_ARN, arn).replace(OWN_ACCOUNT, change.at.account)
    change.dynamodb.put_resource_policy(ResourceArn=arn, Policy=document)


PUT_BACK: Mapping[str, Callable[[_Change, JSON, JSON], None]] = {
    "tags": _put_tags,
    "billing": _put_billing,
    "autoscaling": _put_autoscaling,
    "stream": _put_stream,
    "ttl": _put_ttl,
    "point_in_time_recovery": _put_recovery,
    "encryption": _put_encryption,
    "resource_policy": _put_policy,
    "deletion_protection": _put_deletion_protection,
}
"""By setting, in the order in which they are put back: units before what scales them, protection last."""
