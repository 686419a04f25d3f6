"""What the gate costs a call, side by side with plain moto in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drills.simulator import SimulatedAWS

CALLS = 100
ROUNDS = 7


def _seconds_per_call(context: AbstractContextManager[Any]) -> float:
    """Of a call that moto answers in both cases, the best of some rounds."""
    with context:
        ssm = boto3.client("ssm", region_name="eu-west-1")
        ssm.put_parameter(Name="/a", Value="x", Type="String")
        call: Callable[[], Any] = lambda: ssm.get_parameter(Name="/a")  # noqa: E731
        call()
        return min(_timed(call) for _ in range(ROUNDS))


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS


@pytest.mark.benchmark
def test_the_gate_costs_next_to_nothing() -> None:
    here, plain = _seconds_per_call(SimulatedAWS()), _seconds_per_call(mock_aws())
    print(f"\nget_parameter: {here * 1e6:.0f} µs here, {plain * 1e6:.0f} µs on plain moto: {here / plain:.2f}×")  # noqa: T201
    assert here < 1.25 * plain
