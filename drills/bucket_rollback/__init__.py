"""Roll a bucket back to a moment by its own versions: ``roll_back``. Needs versioning, and nothing else of a drill."""

from drills.bucket_rollback.checkpoint import Checkpoint, FileCheckpoint
from drills.bucket_rollback.copying import Copying
from drills.bucket_rollback.deciding import DEEDS, Decision, Deed, decide
from drills.bucket_rollback.errors import RollBackRefused, RollBackStopped
from drills.bucket_rollback.listing import Entry, keys_of
from drills.bucket_rollback.report import Outcome, Report
from drills.bucket_rollback.rollback import roll_back

__all__ = [
    "DEEDS",
    "Checkpoint",
    "Copying",
    "Decision",
    "Deed",
    "Entry",
    "FileCheckpoint",
    "Outcome",
    "Report",
    "RollBackRefused",
    "RollBackStopped",
    "decide",
    "keys_of",
    "roll_back",
]
