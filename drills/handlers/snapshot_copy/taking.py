"""Taking snapshots of databases: one in each interval, whatever becomes of the earlier ones meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .deciding import is_due, named_after, newest
from .making import make, name_for, tag_list, tags_for
from .run import Run
from .snapshots import Database, Snapshot


def take_if_due(
    run: Run, rds: Any, database: Database, taken: Sequence[Snapshot], shared: Sequence[Snapshot], *, to_come: int
) -> None:
    """``to_come``: how many snapshots more will have to be made of it in the same region.

    RDS makes one snapshot of an instance at a time. Source: RDS user guide, Viewing DB instance status, backing-up.
    """
    interval = run.settings.interval_seconds
    if any(one.is_under_way for one in taken) or not is_due([*taken, *shared], run.now, interval):
        return
    if database.status != "available":
        run.told.waiting.append(f"{database} is {database.status}, so that no snapshot of it can be taken")
        return
    full = run.room(rds).all_manual_there(database.words, 1 + to_come)
    if full is not None:
        run.told.problems.append(f"no snapshot of {database} is taken: {full}")
        return
    # One name: a run beside this one, or one that nobody heard the end of, took the same.
    target = name_for(run, database.identifier, named_after(run.now, interval))
    words = database.words
    asked = {
        words.source: database.identifier,
        words.identifier: target,
        "Tags": tag_list(tags_for(run, "taken", database.arn, database.tags)),
    }
    make(run, rds, words, target, lambda: getattr(rds, words.create)(**asked), copy=False)


def automated(run: Run, database: Database, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The good ones that RDS has taken by itself; that there are none is told."""
    found = [one for one in snapshots if one.kind == "automated"]
    if newest(found) is None:
        run.told.problems.append(f"{database} has no automated snapshot that could be copied")
    return [one for one in found if one.is_good]
