"""The cross-account copy of a bucket: replication into a locked bucket of the vault account, and the way back from it.

``BucketCopy`` names one copy. ``deploy`` makes both sides, ``bring_in`` brings over what existed before,
``record_deletions`` writes down, again and again, what production deleted, ``status`` tells how old, whole and safe the
copy is, ``allowed_to_production`` tries to destroy it, ``bring_back`` restores from it, ``remove`` deletes everything.
All of it goes through the boto3 clients it is given.
"""

from drills.bucket_copy.bring_back import bring_back
from drills.bucket_copy.bring_in import BroughtIn, bring_in
from drills.bucket_copy.compare import both, compare
from drills.bucket_copy.deletions import record_deletions
from drills.bucket_copy.deploy import deploy, remove
from drills.bucket_copy.model import BucketCopy, Clients, Options, Side
from drills.bucket_copy.status import Status, newest_write, status
from drills.bucket_copy.trespass import allowed_to_production
from drills.bucket_copy.vault_side import readable_by, remembered_source

__all__ = [
    "BroughtIn",
    "BucketCopy",
    "Clients",
    "Options",
    "Side",
    "Status",
    "allowed_to_production",
    "both",
    "bring_back",
    "bring_in",
    "compare",
    "deploy",
    "newest_write",
    "readable_by",
    "record_deletions",
    "remembered_source",
    "remove",
    "status",
]
