"""Deleting snapshots: only what this copy has made."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from .deciding import is_ours
from .holds import is_held
from .reporting import said
from .run import Run
from .snapshots import Snapshot, snapshot_named, snapshots_in


def delete(run: Run, rds: Any, snapshot: Snapshot, why: str) -> None:
    """Only what is ours; one that is gone already is fine."""
    if not is_ours(run.settings, snapshot):
        raise ValueError(f"{snapshot.arn}: expected a snapshot that the copy {run.settings.name} made")
    try:
        getattr(rds, snapshot.words.delete)(**{snapshot.words.identifier: snapshot.identifier})
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
    else:
        run.room(rds).gives(snapshot.words)
        run.told.done.append(f"deleting {snapshot.arn}: {why}")


def prune(run: Run, rds: Any, snapshot: Snapshot, why: str) -> None:
    """Delete what newer ones make needless, unless somebody has begun to hold it since it was looked at."""
    there = snapshot_named(rds, snapshot.words, snapshot.identifier)
    if there is not None and not is_held(there, run.now):
        delete(run, rds, there, why)


def delete_failed(run: Run, rds: Any, snapshot: Snapshot) -> None:
    run.told.failed.append(f"{snapshot.arn} of {snapshot.source} has failed, and is made anew")
    delete(run, rds, snapshot, "it has failed")


def delete_all(run: Run, rds: Any) -> None:
    """Delete every snapshot that is ours; what is being taken must first have ended."""
    if not run.settings.removable:
        raise ValueError(f"the copy {run.settings.name} is not a drill's: its snapshots are deleted by hand")
    for one in snapshots_in(rds, "manual"):
        if is_ours(run.settings, one):
            try:
                delete(run, rds, one, "the copy is taken down")
            except ClientError as error:
                run.told.waiting.append(f"{one.arn}: {said(error)}")
