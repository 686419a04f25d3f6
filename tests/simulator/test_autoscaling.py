"""Application Auto Scaling: whose policies are whose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.dynamodb.ground import plain_moto, simulated

DIMENSION = "dynamodb:table:WriteCapacityUnits"


def of(table: str) -> dict[str, str]:
    return {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}", "ScalableDimension": DIMENSION}


def scale(client: Any, table: str) -> None:
    client.register_scalable_target(**of(table), MinCapacity=1, MaxCapacity=9)
    client.put_scaling_policy(
        **of(table),
        PolicyName=f"scale {table}",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
        },
    )


def names(client: Any, table: str) -> list[str]:
    return [policy["PolicyName"] for policy in client.describe_scaling_policies(**of(table))["ScalingPolicies"]]


def test_a_table_has_its_own_policies_only_and_they_go_with_its_target() -> None:
    with simulated() as ground:
        client = ground.client(service="application-autoscaling")
        scale(client, "orders")
        scale(client, "orders-restored")
        assert names(client, "orders") == ["scale orders"]
        assert names(client, "orders-restored") == ["scale orders-restored"]
        assert len(client.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"]) == 2
        client.deregister_scalable_target(**of("orders-restored"))
        client.register_scalable_target(**of("orders-restored"), MinCapacity=1, MaxCapacity=9)
        assert names(client, "orders-restored") == []
        assert names(client, "orders") == ["scale orders"]


def test_plain_moto_mixes_up_policies_of_names_within_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client(service="application-autoscaling")
        scale(client, "orders")
        scale(client, "orders-restored")
        assert names(client, "orders-restored") == ["scale orders", "scale orders-restored"]
        client.deregister_scalable_target(**of("orders-restored"))
        assert "scale orders-restored" in names(client, "orders-restored")
