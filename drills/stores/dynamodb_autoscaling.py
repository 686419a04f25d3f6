"""Autoscaling of a table and its global indexes: registered, read, put back, taken away.

Source: Application Auto Scaling API reference; DynamoDB developer guide, Managing throughput capacity automatically.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from drills.model import JSON, Location
from drills.site import Site

NAMESPACE = "dynamodb"
CAPABILITY = "dynamodb.autoscaling"
"""Where it is not there, nothing scales and nothing is asked."""
METRICS = {
    "ReadCapacityUnits": "DynamoDBReadCapacityUtilization",
    "WriteCapacityUnits": "DynamoDBWriteCapacityUtilization",
}


def wanted(indexes: Iterable[str], low: int, high: int, target_percent: int) -> dict[str, JSON]:
    """The setting for a table and these global indexes, all scaled alike. See ``autoscaling_of`` for its shape."""
    return {
        f"{resource}/{unit}": {
            "min": low,
            "max": high,
            "policies": [{"metric": metric, "target_percent": float(target_percent)}],
        }
        for resource in ("table", *(f"index/{index}" for index in indexes))
        for unit, metric in METRICS.items()
    }


def autoscaling_of(site: Site, at: Location, indexes: Iterable[str]) -> dict[str, JSON]:
    """What scales, as ``{"table/ReadCapacityUnits": {"min", "max", "policies": [{"metric", "target_percent"}]}}``."""
    if CAPABILITY not in site.capabilities:
        return {}
    client = _client(site, at)
    found: dict[str, JSON] = {}
    for target in _targets(client, at, indexes):
        policies = [
            {
                "metric": specification["PredefinedMetricSpecification"]["PredefinedMetricType"],
                "target_percent": float(specification["TargetValue"]),
            }
            for policy in _policies(client, target)
            if "PredefinedMetricSpecification"
            in (specification := policy.get("TargetTrackingScalingPolicyConfiguration", {}))
        ]
        found[_name(at, target)] = {
            "min": target["MinCapacity"],
            "max": target["MaxCapacity"],
            "policies": sorted(policies, key=lambda policy: str(policy["metric"])),
        }
    return dict(sorted(found.items()))


def put_autoscaling(site: Site, at: Location, indexes: Iterable[str], setting: Mapping[str, JSON]) -> None:
    """Make autoscaling what the setting says; what it does not name is taken away."""
    if CAPABILITY not in site.capabilities:
        return
    client = _client(site, at)
    now = autoscaling_of(site, at, indexes)
    # A target takes its policies with it, so that none of the old ones stays beside the new.
    for name in now:
        if now[name] != setting.get(name):
            client.deregister_scalable_target(**_target(at, name))
    for name, scale in setting.items():
        if now.get(name) == scale:
            continue
        target = _target(at, name)
        client.register_scalable_target(**target, MinCapacity=scale["min"], MaxCapacity=scale["max"])
        for policy in scale["policies"]:
            client.put_scaling_policy(
                **target,
                PolicyName=f"{policy['metric']}:{target['ResourceId']}",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": policy["target_percent"],
                    "PredefinedMetricSpecification": {"PredefinedMetricType": policy["metric"]},
                },
            )


def drop_autoscaling(site: Site, at: Location, indexes: Iterable[str]) -> None:
    """Deregister everything, with its policies and alarms; a table that is deleted leaves it behind."""
    if CAPABILITY not in site.capabilities:
        return
    client = _client(site, at)
    for target in _targets(client, at, indexes):
        client.deregister_scalable_target(**_target(at, _name(at, target)))


def _client(site: Site, at: Location) -> Any:
    return site.client("application-autoscaling", at.role, at.region)


def _targets(client: Any, at: Location, indexes: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    table = f"table/{at.name}"
    resources = [table, *(f"{table}/index/{index}" for index in indexes)]
    pages = client.get_paginator("describe_scalable_targets").paginate(
        ServiceNamespace=NAMESPACE, ResourceIds=resources
    )
    for page in pages:
        yield from page["ScalableTargets"]


def _policies(client: Any, target: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    pages = client.get_paginator("describe_scaling_policies").paginate(
        ServiceNamespace=NAMESPACE,
        ResourceId=target["ResourceId"],
        ScalableDimension=target["ScalableDimension"],
    )
    for page in pages:
        # The simulated service takes a table's id for the beginning of its indexes' as well.
        yield from (one for one in page["ScalingPolicies"] if one["ResourceId"] == target["ResourceId"])


def _name(at: Location, target: Mapping[str, Any]) -> str:
    """``table/ReadCapacityUnits`` or ``index/by-email/ReadCapacityUnits``."""
    unit = target["ScalableDimension"].rpartition(":")[2]
    index = target["ResourceId"].removeprefix(f"table/{at.name}").removeprefix("/")
    return f"{index or 'table'}/{unit}"


def _target(at: Location, name: str) -> dict[str, str]:
    resource, _, unit = name.rpartition("/")
    index = resource != "table"
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": f"table/{at.name}/{resource}" if index else f"table/{at.name}",
        "ScalableDimension": f"dynamodb:{'index' if index else 'table'}:{unit}",
    }
