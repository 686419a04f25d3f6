"""Instances and clusters whose servers cannot be made or started: which state they end in, and an event that says why.

The engine's trouble is that of one database; the clock and everybody else go on. Source: RDS user guide, Viewing Amazon
RDS DB instance status (failed, incompatible-parameters, incompatible-restore, restore-error); botocore's waiters, whose
failures of a DB cluster are failed, incompatible-restore and incompatible-parameters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from drills.errors import BeyondArchive, EngineError
from drills.simulator.rds import events, state
from drills.simulator.rds.model import Cluster, Held
from drills.simulator.rds.state import databases

FAILED = "failed"
INCOMPATIBLE_PARAMETERS = "incompatible-parameters"
INCOMPATIBLE_RESTORE = "incompatible-restore"
RESTORE_ERROR = "restore-error"
NEVER_THERE = frozenset({FAILED, INCOMPATIBLE_RESTORE, RESTORE_ERROR})
"""States that end only with the deletion."""
TROUBLE = (EngineError, OSError)

Otherwise = Callable[[Exception], str]
"""The state by what stood in the way."""


def failed(_: Exception) -> str:
    return FAILED


def instance_not_restored(why: Exception) -> str:
    """``restore-error``, but where the log does not lead to the moment that was asked for."""
    return INCOMPATIBLE_RESTORE if isinstance(why, BeyondArchive) else RESTORE_ERROR


def cluster_not_restored(_: Exception) -> str:
    """Clusters have no ``restore-error``."""
    return INCOMPATIBLE_RESTORE


def attempt(held: Held, action: Callable[[], object], otherwise: Otherwise = failed) -> bool:
    """Do it with its server. Where that cannot, it takes on the state that ``otherwise`` says; False then.

    Where there is no engine at all, such as without its programs, the error is raised: nothing can be simulated then.
    """
    try:
        action()
    except TROUBLE as error:
        if not state.has_engine():
            raise
        fail(held, otherwise(error), str(error))
        return False
    return True


def fail(held: Held, status: str, why: str) -> None:
    """Take on a state without a server, and tell why. Members that answer from a cluster's server go with it."""
    held.status = status
    kind = "DB cluster" if isinstance(held, Cluster) else "Database instance"
    events.tell(held, events.FAILURE, f"{kind} put into {status}. {why}")
    server = held.volume.server if held.volume is not None else None
    if server is not None:
        with contextlib.suppress(*TROUBLE):
            server.stop(at_once=True)
    if isinstance(held, Cluster):
        instances = databases().of(held.account, held.region).instances
        for member in [instances[name] for name in held.members if name in instances]:
            if member.volume is None and member.status not in ("creating", "deleting", *NEVER_THERE):
                fail(member, FAILED, f"DB cluster {held.identifier} is {status}.")
