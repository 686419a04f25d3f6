"""Letting other accounts use a snapshot, and making one of which they can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .run import Run
from .settings import Settings
from .snapshots import Snapshot


def can_be_shared(settings: Settings, one: Snapshot) -> bool:
    """Nobody can share an automated snapshot, nor one under a key that does not let the vault in, such as the default
    key; and only in its own region can one be used there.

    Source: RDS user guide, Sharing a DB snapshot; Copying a DB snapshot, shared snapshots.
    """
    lets_in = one.key is None or one.key in (settings.production_key, *settings.shareable_keys)
    return lets_in and one.kind == "manual" and not settings.crosses_regions


def share(run: Run, rds: Any, snapshot: Snapshot, accounts: Sequence[str]) -> None:
    words = snapshot.words
    named = {words.identifier: snapshot.identifier}
    answer = getattr(rds, words.attributes)(**named)[f"{words.member}AttributesResult"]
    there = {
        account
        for one in answer.get(f"{words.member}Attributes", ())
        if one["AttributeName"] == "restore"
        for account in one.get("AttributeValues", ())
    }
    missing = [account for account in accounts if account not in there]
    if missing:
        getattr(rds, words.share)(**named, AttributeName="restore", ValuesToAdd=missing)
        run.told.done.append(f"sharing {snapshot.arn} with {', '.join(missing)}")
