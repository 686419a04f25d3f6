"""The data plane's answers, made straight from the rows' bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drills.simulator.dynamodb import calls, querying, reading, updating, writing

if TYPE_CHECKING:
    from drills.simulator.request import Request, Response
    from drills.simulator.state import Simulation


def begin(simulation: Simulation) -> None:
    """Forget what an earlier simulation left."""
    calls.begin()


OPERATIONS: dict[str, Callable[[Request], Response | None]] = {
    "dynamodb:BatchWriteItem": writing.batch_write_item,
    "dynamodb:GetItem": reading.get_item,
    "dynamodb:PutItem": writing.put_item,
    "dynamodb:Scan": querying.scan,
}

REPLACEMENTS = updating.REPLACEMENTS
