"""From the copy into another bucket, as the source was at a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from drills.bucket_copy.deletions import Registered, deleted_by, erased_by, registered
from drills.bucket_copy.model import RESERVED, BucketCopy, Clients
from drills.bucket_rollback import Checkpoint, Copying, Decision, Entry, Report, keys_of
from drills.bucket_rollback.deciding import whole_second
from drills.bucket_rollback.doing import Doing, carry_out
from drills.bucket_rollback.report import Tally, Tell


def bring_back(
    copy: BucketCopy,
    clients: Clients,
    target: Any,
    bucket: str,
    to: datetime,
    *,
    deletions_to: datetime | None = None,
    owner: str | None = None,
    retention: bool = False,
    workers: int = 8,
    checkpoint: Checkpoint | None = None,
    tell: Tell | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> Report:
    """Copy every object that the source had at ``to`` from the copy into ``bucket`` by the client ``target``.

    ``deletions_to``: heed only deletions from before then; what a failure emptied was not deleted.

    The copy's delete markers say nothing, as it does not follow deletions; its register of deletions does. Metadata,
    content type, tags, storage class and, with ``retention``, the lock come along; encryption is the target bucket's.
    ``target`` needs to read the copy: see ``readable_by``. Streaming and resumable as ``roll_back``.
    """
    vault = clients("vault", "s3")
    how = Copying(
        vault,
        target,
        copy.copy_bucket,
        bucket,
        encryption=False,
        retention=retention,
        source_owner=copy.vault_account,
        target_owner=owner,
    )
    job = {"copy": copy.copy_bucket, "bucket": bucket, "to": to.isoformat()}
    after_key = checkpoint.last_key(job) if checkpoint is not None else ""
    tally = Tally(tell)
    listed = keys_of(vault, copy.copy_bucket, copy.options.prefix, after_key=after_key, owner=copy.vault_account)
    decisions = _as_of(to, deletions_to or to, listed, registered(copy, clients))
    with how.quickly() as quick:
        carry_out(
            Doing(vault, copy.copy_bucket, copy.vault_account, quick, False),
            decisions,
            tally,
            workers=workers,
            checkpoint=None if checkpoint is None else (checkpoint, job),
            progress=progress,
        )
    return tally.report(bucket, copy.options.prefix, to, False, after_key)


def _as_of(
    to: datetime,
    deletions_to: datetime,
    listed: Iterator[tuple[str, list[Entry]]],
    deletions: Iterator[Registered],
) -> Iterator[Decision]:
    """Each key of the copy with its state at the moment: to be copied, or, where it was not there then, kept out."""
    known = next(deletions, None)
    for key, entries in listed:
        if key.startswith(RESERVED):
            continue
        while known is not None and known.key < key:
            known = next(deletions, None)
        of_key = known if known is not None and known.key == key else Registered(key, ())
        deleted, erased = of_key.deletions, erased_by(deletions_to, of_key.erased)
        before = (
            entry
            for entry in entries
            if not entry.marker and entry.modified < whole_second(to) and entry.version_id not in erased
        )
        state = next(before, None)
        if state is None or deleted_by(deletions_to, state, deleted):
            yield Decision(key, "kept", entries[0])
        else:
            yield Decision(key, "copied", entries[0], state)
