"""Copying snapshots: with another key, into another region, into another account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .making import make, tag_list
from .option_groups import group_there
from .run import Run
from .snapshots import Snapshot


def may_copy(run: Run, rds: Any, source: Snapshot) -> bool:
    """Whether one more copy can begin in the client's region."""
    room = run.room(rds)
    busy, full = room.all_copies_under_way(), room.all_manual_there(source.words)
    if busy is not None:
        run.told.waiting.append(f"{source}: {busy}")
    elif full is not None:
        run.told.problems.append(f"no copy of {source} is made: {full}")
    return busy is None and full is None


def copy(run: Run, rds: Any, source: Snapshot, target: str, key: str, tags: Mapping[str, str], source_rds: Any) -> None:
    """Begin a copy of ``source`` called ``target``. ``source_rds``: a client of where the source lies, None where the
    copy stays in its account and region."""
    words = source.words
    asked: dict[str, Any] = {
        f"Source{words.identifier}": source.arn,
        f"Target{words.identifier}": target,
        "Tags": tag_list(tags),
    }
    if source.key is not None:
        asked["KmsKeyId"] = key
    group = group_there(run, source_rds, rds, source) if source_rds is not None else None
    if group is not None:
        asked["OptionGroupName"] = group
    there = source.arn.split(":")[3]
    if there != rds.meta.region_name:
        asked["SourceRegion"] = there
    make(run, rds, words, target, lambda: getattr(rds, words.copy)(**asked), copy=True)
