"""The data plane's answers, made straight from the rows' bytes where the call is an ordinary one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drills.simulator.dynamodb import updating

if TYPE_CHECKING:
    from drills.simulator.gate import Request, Response

OPERATIONS: dict[str, Callable[[Request], Response | None]] = {}

REPLACEMENTS = updating.REPLACEMENTS
