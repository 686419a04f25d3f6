"""Everything that is replaced in moto, with the reason.

Each part of the simulator lists its own ``REPLACEMENTS``; here they are gathered, put in place and taken back. The
digest is of the replaced thing's source in the moto release it was written for; a test compares it with what is
installed, so that a moto that changes any of it is noticed before a drill relies on it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
from dataclasses import dataclass
from typing import Any, Literal

import moto

from drills.errors import SimulatorError

MOTO = "5.2.5"
PARTS = (
    "drills.simulator.moments",
    "drills.simulator.key_pairs",
    "drills.simulator.accounts",
    "drills.simulator.sts",
    "drills.simulator.dynamodb.table",
    "drills.simulator.dynamodb.transactions",
    "drills.simulator.dynamodb.operations",
    "drills.simulator.dynamodb.settings",
    "drills.simulator.dynamodb.recovery",
    "drills.simulator.dynamodb.backups",
    "drills.simulator.dynamodb.ttl",
    "drills.simulator.dynamodb.streams",
    "drills.simulator.dynamodb.global_tables",
    "drills.simulator.dynamodb.exports",
    "drills.simulator.dynamodb.imports",
    "drills.simulator.autoscaling",
    "drills.simulator.metrics",
    "drills.simulator.alarms",
    "drills.simulator.functions",
    "drills.simulator.event_sources",
    "drills.simulator.queues",
    "drills.simulator.schedules",
    "drills.simulator.rds.data_plane",
    "drills.simulator.rds.joining",
    "drills.simulator.rds.instances",
    "drills.simulator.rds.replicas",
    "drills.simulator.rds.changing",
    "drills.simulator.rds.deleting",
    "drills.simulator.rds.clusters",
    "drills.simulator.rds.events",
    "drills.simulator.rds.group_calls",
    "drills.simulator.rds.parameter_groups",
    "drills.simulator.rds.tags",
    "drills.simulator.rds.following",
    "drills.simulator.rds.global_clusters",
    "drills.simulator.rds.readers",
    "drills.simulator.rds.failover",
    "drills.simulator.rds.keys",
    "drills.simulator.rds.snapshots",
    "drills.simulator.rds.sharing",
    "drills.simulator.rds.copies",
    "drills.simulator.rds.automated_backups",
    "drills.simulator.rds.backup_replication",
    "drills.simulator.rds.restoring",
    "drills.simulator.s3.versions",
    "drills.simulator.s3.changes",
    "drills.simulator.s3.access",
    "drills.simulator.s3.acls",
    "drills.simulator.s3.replication",
    "drills.simulator.s3.replication_settings",
    "drills.simulator.s3.batch_replication",
    "drills.simulator.s3.lifecycle",
    "drills.simulator.s3.glacier",
    "drills.simulator.s3.calls",
    "drills.simulator.s3.writing",
    "drills.simulator.s3.reading",
    "drills.simulator.s3.multipart",
    "drills.simulator.s3.deleting",
    "drills.simulator.s3.listing",
    "drills.simulator.s3.listing_uploads",
    "drills.simulator.s3.lock",
    "drills.simulator.s3.tagging",
    "drills.simulator.s3.notifications",
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """One thing of moto's, ``module:Class.attribute``, and what stands in its place."""

    target: str
    replacement: Any
    reason: str
    digest: str = ""

    @property
    def owner_and_name(self) -> tuple[Any, str]:
        module, _, path = self.target.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        return owner, name

    def original(self) -> Any:
        owner, name = self.owner_and_name
        return inspect.getattr_static(owner, name)

    def digest_now(self) -> str:
        """The digest of the source that is installed."""
        original = self.original()
        unwrapped: Any = original.fget if isinstance(original, property) else getattr(original, "__func__", original)
        return hashlib.sha256(inspect.getsource(unwrapped).encode()).hexdigest()[:12]


def parts() -> list[Any]:
    """The modules of the simulator that replace or serve something."""
    return [importlib.import_module(name) for name in PARTS if importlib.util.find_spec(name)]


def replacements() -> tuple[Replacement, ...]:
    """All of them."""
    return tuple(one for part in parts() for one in getattr(part, "REPLACEMENTS", ()))


def check_moto(changed: Literal["refused", "accepted"]) -> None:
    """Raise SimulatorError when what is replaced is not what it was when the replacement was written.

    In the release that it was written for, the test suite has compared every digest, so nothing is computed here.
    """
    if moto.__version__ == MOTO or changed == "accepted":
        return
    different = differences()
    if different:
        raise SimulatorError(
            f"moto {moto.__version__} is installed, and the simulated AWS was made for {MOTO}. It replaces parts of "
            f"moto that have changed since: {'; '.join(different)}. Install moto=={MOTO}, or, if you have looked at "
            "these changes, say SimulatedAWS(changed_moto='accepted')."
        )


def differences() -> list[str]:
    """What is replaced and is not what it was, each with what that may mean."""
    found = []
    for one in replacements():
        try:
            there = one.digest_now()
        except (AttributeError, ImportError, OSError, TypeError) as error:
            found.append(f"{one.target} is gone ({error})")
            continue
        if there != one.digest:
            found.append(
                f"{one.target} (replaced because {one.reason}; digest {there}, expected {one.digest or 'one'})"
            )
    return found


class Replaced:
    """All replacements in place, between ``install`` and ``restore``."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        for one in replacements():
            owner, name = one.owner_and_name
            own = vars(owner).get(name, _INHERITED)
            self._originals.append((owner, name, own))
            setattr(owner, name, one.replacement)

    def restore(self) -> None:
        while self._originals:
            owner, name, original = self._originals.pop()
            if original is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


_INHERITED = object()
"""Stands for an attribute that the owner itself does not have."""
