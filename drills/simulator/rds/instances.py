"""DB instances: made, described, changed, stopped, rebooted, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.simulator.rds import state
from drills.simulator.rds.calls import Call, answering, page
from drills.simulator.rds.states import new_instance as new_instance
from drills.simulator.state import Simulation


def begin(simulation: Simulation) -> None:
    state.begin(simulation)


def describe(call: Call) -> Mapping[str, Any] | None:
    found = state.databases().of(call.account, call.region).instances
    return page(
        call,
        [{"DBInstanceIdentifier": name, "InstanceCreateTime": one.created} for name, one in found.items()],
        "DBInstances",
    )


OPERATIONS = {"rds:DescribeDBInstances": answering(describe)}
