"""The data plane's operations, answered straight from the rows' bytes.

Calls in the older style without expressions (``KeyConditions``, ``Expected``, …) are left to moto.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drills.simulator.dynamodb import calls, client_parsing, querying, reading, transactions, updating, writing

if TYPE_CHECKING:
    from drills.simulator.request import Request, Response
    from drills.simulator.state import Simulation


def begin(_: Simulation) -> None:
    """Forget what an earlier simulation left."""
    calls.begin()


OPERATIONS: dict[str, Callable[[Request], Response | None]] = {
    "dynamodb:BatchGetItem": reading.batch_get_item,
    "dynamodb:BatchWriteItem": writing.batch_write_item,
    "dynamodb:DeleteItem": writing.delete_item,
    "dynamodb:GetItem": reading.get_item,
    "dynamodb:PutItem": writing.put_item,
    "dynamodb:Query": querying.query,
    "dynamodb:Scan": querying.scan,
    "dynamodb:TransactGetItems": reading.transact_get_items,
    "dynamodb:TransactWriteItems": transactions.transact_write_items,
    "dynamodb:UpdateItem": writing.update_item,
}

REPLACEMENTS = (*updating.REPLACEMENTS, *client_parsing.REPLACEMENTS)
