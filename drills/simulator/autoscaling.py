"""Application Auto Scaling: policies belong to their own target, and go when it goes.

Source: Application Auto Scaling API reference, DescribeScalingPolicies and DeregisterScalableTarget ("Deregistering a
scalable target deletes the scaling policies that are associated with it").
"""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend

from drills.simulator.replaced import Replacement

POLICIES_PER_PAGE = 100

_deregister_scalable_target = ApplicationAutoscalingBackend.deregister_scalable_target


def describe_scaling_policies(
    self: ApplicationAutoscalingBackend,
    service_namespace: str,
    resource_id: str | None,
    scalable_dimension: str | None,
    max_results: int | None,
    next_token: str | None,
) -> tuple[str | None, list[Any]]:
    """In place of moto's: the policies of this very resource and dimension, if they are named."""
    found = [
        policy
        for policy in self.policies.values()
        if policy.service_namespace == service_namespace
        and (not resource_id or policy.resource_id == resource_id)
        and (not scalable_dimension or policy.scalable_dimension == scalable_dimension)
    ]
    start = int(next_token) if next_token else 0
    end = start + (max_results or POLICIES_PER_PAGE)
    return (str(end) if end < len(found) else None), found[start:end]


def deregister_scalable_target(self: ApplicationAutoscalingBackend, namespace: str, r_id: str, dimension: str) -> None:
    """moto's, and the target's policies go with it."""
    _deregister_scalable_target(self, namespace, r_id, dimension)
    for key, policy in list(self.policies.items()):
        if (policy.service_namespace, policy.resource_id, policy.scalable_dimension) == (namespace, r_id, dimension):
            del self.policies[key]


REPLACEMENTS = (
    Replacement(
        "moto.applicationautoscaling.models:ApplicationAutoscalingBackend.describe_scaling_policies",
        describe_scaling_policies,
        "the policies of one resource; moto adds those of every resource whose name is a part of its name",
        digest="94c313b98e19",
    ),
    Replacement(
        "moto.applicationautoscaling.models:ApplicationAutoscalingBackend.deregister_scalable_target",
        deregister_scalable_target,
        "a target's policies go with it; moto keeps them for the next target of the name",
        digest="353775863270",
    ),
)
