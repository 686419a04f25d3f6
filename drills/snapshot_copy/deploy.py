"""Both sides of a copy: made, brought up to date, taken down."""

from __future__ import annotations

from drills.handlers.snapshot_copy import Settings
from drills.presence import take_down
from drills.snapshot_copy.model import Clients, SnapshotCopy, Wait
from drills.snapshot_copy.sides import (
    make_alarms,
    make_function,
    make_key,
    make_roles,
    make_schedule,
    removing,
)


def deploy(copy: SnapshotCopy, clients: Clients, wait: Wait) -> Settings:
    """Make or update both sides; returns what their functions were told. Safe to repeat.

    The schedules begin to run at once, the vault's first, so that nothing that is shared waits for it.
    """
    production_key = make_key(copy, clients, "production")
    vault_key = make_key(copy, clients, "vault") if copy.crosses_accounts else production_key
    make_roles(copy, clients, wait)
    settings = copy.settings(production_key, vault_key)
    for side in reversed(copy.sides):
        make_function(copy, clients, wait, side, settings)
        make_alarms(copy, clients, side)
        make_schedule(copy, clients, side)
    return settings


def remove(copy: SnapshotCopy, clients: Clients, wait: Wait) -> None:
    """Take both sides down; of a drill's copy the snapshots as well. What is gone already is passed over; the first
    failure is raised last."""
    take_down(step for side in copy.sides for step in removing(copy, clients, wait, side))
