"""The two Lambda functions that copy RDS and Aurora snapshots into another account, another region, or both.

Each runs on a schedule and does whatever is next. What is next is judged from AWS alone: from the ARN, status and tags
of each snapshot. So a run may end at any call, come twice or come late, and the next one goes on from what it finds.

*Production's* function (``production_handler``) takes a snapshot of every chosen database, or uses its automated ones;
makes of it one that can be shared, in the vault's region, encrypted with a key that lets the vault in; shares it; and
deletes what is not needed any more. *The vault's* (``vault_handler``) copies what is shared with it, with the vault's
own key and the tags that AWS leaves behind, and deletes what is older than what it keeps, unless somebody who restores
from it holds it by a tag. It has a role of production with which it may only read, and mark a snapshot as being copied;
production has no role of the vault's.

Settings come from the environment; see ``Settings``. Uses nothing but the standard library and boto3. Within a deployed
function the package lies at the top, so that its modules import each other relatively.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .deciding import by_database, is_ours, newest, to_prune
from .holds import hold_key, hold_until, is_held
from .production import ProductionRun
from .reporting import METRIC_NAMESPACE
from .selection import Coverage, Selection, coverage
from .settings import Settings
from .snapshots import (
    CLUSTER,
    COPY_TAG,
    DB,
    HELD_TAG,
    VAULT_TAG,
    Database,
    Snapshot,
    Stage,
    Words,
    databases_in,
    snapshot_named,
    snapshot_of,
    snapshots_in,
)
from .vault import VaultRun

__all__ = [
    "CLUSTER",
    "COPY_TAG",
    "DB",
    "HELD_TAG",
    "METRIC_NAMESPACE",
    "TAKE_DOWN",
    "VAULT_TAG",
    "Coverage",
    "Database",
    "Selection",
    "Settings",
    "Snapshot",
    "Stage",
    "Words",
    "by_database",
    "coverage",
    "databases_in",
    "hold_key",
    "hold_until",
    "is_held",
    "is_ours",
    "newest",
    "production_handler",
    "snapshot_named",
    "snapshot_of",
    "snapshots_in",
    "to_prune",
    "vault_handler",
]
TAKE_DOWN = {"drills": "take down"}


def production_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Entry point of production's function. Raises what made the whole run impossible, so that its alarm sees it."""
    return _answer(ProductionRun, event, context)


def vault_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Entry point of the vault's function, as ``production_handler``."""
    return _answer(VaultRun, event, context)


def _answer(side: type[ProductionRun | VaultRun], event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    remaining = getattr(context, "get_remaining_time_in_millis", lambda: 300_000)
    run = side(Settings.from_environment(os.environ), lambda: remaining() / 1000)
    return run.remove() if event.get("drills") == TAKE_DOWN["drills"] else run.run()
