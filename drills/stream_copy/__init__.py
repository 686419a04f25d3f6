"""The cross-account copy of a DynamoDB table: its deployment on both sides, backfill, status, redrive and refill.

``StreamCopy`` names one copy. ``deploy`` makes both sides, ``backfill`` brings over what existed before, ``status``
tells how old and how whole the copy is, ``repair`` closes a gap, ``redrive`` applies again what was set aside,
``remove`` deletes everything. All of it goes through the boto3 clients it is given.
"""

from drills.stream_copy.backfill import Backfill, backfill
from drills.stream_copy.deploy import deploy, remove, repair
from drills.stream_copy.model import Clients, Options, Side, StreamCopy, Wait
from drills.stream_copy.parts import Part, parts_of
from drills.stream_copy.redrive import Redriven, redrive
from drills.stream_copy.refill import refill
from drills.stream_copy.status import Status, VaultState, status, vault_state

__all__ = [
    "Backfill",
    "Clients",
    "Options",
    "Part",
    "Redriven",
    "Side",
    "Status",
    "StreamCopy",
    "VaultState",
    "Wait",
    "backfill",
    "deploy",
    "parts_of",
    "redrive",
    "refill",
    "remove",
    "repair",
    "status",
    "vault_state",
]
