"""Ends a function's environment at a chosen call, before or after AWS has carried it out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.client import BaseClient

from drills.simulator.functions import EnvironmentLost


class Calls:
    """Counts what functions call; ``die_at`` is the number of the call at which the next one dies, None for none."""

    def __init__(self) -> None:
        self.count = 0
        self.die_at: int | None = None
        self.after = True
        self.died = False


@contextmanager
def counted_calls() -> Iterator[Calls]:
    calls = Calls()
    really: Any = vars(BaseClient)["_make_api_call"]

    def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
        if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
            return really(client, operation, params)
        calls.count += 1
        dies = calls.count == calls.die_at
        if dies and not calls.after:
            calls.died = True
            raise EnvironmentLost
        answer = really(client, operation, params)
        if dies:
            calls.died = True
            raise EnvironmentLost
        return answer

    with mock.patch.object(BaseClient, "_make_api_call", call):
        yield calls
