"""Both sides of a copy: made, mended, removed."""

from __future__ import annotations

from drills.bucket_copy.model import BucketCopy, Clients
from drills.bucket_copy.production_side import (
    describe_source,
    make_role,
    put_rule,
    remove_production_side,
    switch_versioning_on,
)
from drills.bucket_copy.vault_side import (
    make_copy_bucket,
    make_key,
    put_copy_policy,
    remember_source,
    remove_vault_side,
)
from drills.presence import take_down


def deploy(copy: BucketCopy, clients: Clients) -> None:
    """Make or update both sides; from now on every write is replicated. Safe to repeat.

    What the bucket held before is not copied yet: ``bring_in`` does that. Raises ProtectionError, botocore's errors.
    """
    source = describe_source(copy, clients)
    switch_versioning_on(copy, clients)
    make_copy_bucket(copy, clients)
    key = copy.options.kms_key or None
    make_role(copy, clients, source, key)
    if key is None and source["kms"]:
        key = make_key(copy, clients)
        make_role(copy, clients, source, key)
    put_copy_policy(copy, clients)
    put_rule(copy, clients, key)
    remember_source(copy, clients, source)


def remove(copy: BucketCopy, clients: Clients) -> None:
    """Delete both sides, the copy included. What is gone already is passed over; the first failure is raised last."""
    take_down(step for side in (remove_production_side, remove_vault_side) for step in side(copy, clients))
