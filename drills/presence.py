"""Whether something is there in AWS, and taking down what may be gone in part already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

NOT_THERE = ("NotFound", "NoSuch", "NonExistent", "404")
"""One of these is in the code of every service's answer that a thing is not there."""


def exists(call: Callable[[], Any]) -> Any:
    """The answer of a describing call, None where the thing is not there."""
    try:
        return call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if any(word in code for word in NOT_THERE):
            return None
        raise


def take_down(steps: Iterable[Callable[[], Any]]) -> None:
    """Run every step, whatever became of those before it. What is gone already is passed over; the first failure is
    raised last."""
    failures: list[Exception] = []
    for step in steps:
        try:
            exists(step)
        except Exception as error:  # noqa: BLE001 - the other steps must run whatever became of this one.
            failures.append(error)
    if failures:
        raise failures[0]
