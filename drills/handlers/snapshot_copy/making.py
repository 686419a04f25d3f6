"""What has to do with every snapshot that is made, be it taken or copied: its name, its tags, and that it is made
once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from .deciding import is_ours
from .run import Run
from .snapshots import (
    AS_OF_TAG,
    COPY_TAG,
    DATABASE_TAG,
    OWN_TAGS,
    RESERVED,
    SNAPSHOT_TAG,
    STAGE_TAG,
    Snapshot,
    Stage,
    Words,
    is_hold,
    pages,
    snapshot_of,
)

MOST_TAGS = 50
"""Source: RDS user guide, Tagging Amazon RDS resources."""
MOST_HOLDS = 3
"""How many restores at once there is always room for, to hold a copy by a tag of their own."""


def name_for(run: Run, source: str, at: datetime, ending: str = "") -> str:
    return f"{run.settings.prefix}-{source}-{at:%Y%m%d-%H%M%S}{ending}"


def tags_for(
    run: Run, stage: Stage, database: str, from_tags: Mapping[str, str], source: Snapshot | None = None
) -> dict[str, str]:
    """Ours, and as many of the database's as there is room for."""
    ours = {**run.settings.tags, COPY_TAG: run.settings.name, STAGE_TAG: stage, DATABASE_TAG: database}
    if source is not None and source.as_of is not None:
        ours |= {SNAPSHOT_TAG: source.arn, AS_OF_TAG: source.as_of.isoformat()}
    theirs = {
        key: value
        for key, value in sorted(from_tags.items())
        if not key.startswith(RESERVED) and key not in (*OWN_TAGS, *ours) and not is_hold(key)
    }
    room = MOST_TAGS - len(ours) - 1 - MOST_HOLDS
    if len(theirs) > room:
        run.told.problems.append(f"{database}: {', '.join(list(theirs)[room:])} have no room among its copy's tags")
    return {**dict(list(theirs.items())[:room]), **ours}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def make(run: Run, rds: Any, words: Words, target: str, call: Callable[[], Any], *, copy: bool) -> None:
    """One that is there already was made by a run whose end nobody heard of, or by one beside this."""
    try:
        call()
    except ClientError as error:
        if "AlreadyExists" not in error.response["Error"]["Code"]:
            raise
        there = [
            snapshot_of(words, one)
            for one in pages(rds, words.describe, f"{words.member}s", **{words.identifier: target})
        ]
        if not all(is_ours(run.settings, one) for one in there):
            run.told.problems.append(f"{target} was made by somebody else, in {rds.meta.region_name}: rename it")
        return
    run.room(rds).takes(words, copy=copy)
    run.told.done.append(f"making {target} in {rds.meta.region_name}")
