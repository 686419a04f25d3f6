"""The copy of RDS and Aurora snapshots in another account, another region, or both: deployment and status.

``SnapshotCopy`` names one copy. ``deploy`` makes both sides, whose functions do the rest on a schedule; ``status``
tells how old and how whole the copies are; ``remove`` takes it down. All of it goes through the boto3 clients it is
given.
"""

from drills.snapshot_copy.deploy import deploy, remove
from drills.snapshot_copy.model import Clients, Options, Side, SnapshotCopy, Wait
from drills.snapshot_copy.parts import Part, parts_of
from drills.snapshot_copy.status import DatabaseState, Status, copies_of, status

__all__ = [
    "Clients",
    "DatabaseState",
    "Options",
    "Part",
    "Side",
    "SnapshotCopy",
    "Status",
    "Wait",
    "copies_of",
    "deploy",
    "parts_of",
    "remove",
    "status",
]
