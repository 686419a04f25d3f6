"""What is next, judged from snapshots alone. Nothing here calls AWS.

Everything that is given is of one database, but for ``by_database``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from .holds import is_held
from .settings import Settings
from .snapshots import COPY_TAG, STAGE_TAG, VAULT_TAG, DatabaseKey, Snapshot, Stage

SLACK_SECONDS = 120.0
MOST_BEING_COPIED = 2
"""How many that the vault is copying production keeps beyond what it keeps anyway: the vault may be gone for good."""


def is_ours(settings: Settings, snapshot: Snapshot, stage: Stage | None = None) -> bool:
    """Whether this copy made it: by its tags and by its name. Nothing else is ever changed or deleted."""
    return (
        snapshot.kind == "manual"
        and snapshot.tags.get(COPY_TAG) == settings.name
        and snapshot.identifier.startswith(f"{settings.prefix}-")
        and stage in (None, snapshot.tags.get(STAGE_TAG))
    )


def by_database(snapshots: Iterable[Snapshot]) -> dict[DatabaseKey, list[Snapshot]]:
    found: dict[DatabaseKey, list[Snapshot]] = {}
    for one in snapshots:
        found.setdefault(one.database_key, []).append(one)
    return found


def newest(snapshots: Iterable[Snapshot]) -> Snapshot | None:
    """The good one with the newest rows."""
    return max((one for one in snapshots if one.is_good), key=lambda one: one.age_key, default=None)


# --- Taking ----------------------------------------------------------------------------------------------------------


def is_due(snapshots: Iterable[Snapshot], now: datetime, interval_seconds: float) -> bool:
    """Whether the last was taken an interval ago, whatever has become of it meanwhile.

    A run comes a little early or late: without slack, one that is early by seconds would leave it to the run after it.
    """
    moments = [one.as_of for one in snapshots if one.as_of is not None]
    slack = min(SLACK_SECONDS, interval_seconds / 10)
    return not moments or (now - max(moments)).total_seconds() >= interval_seconds - slack


def named_after(now: datetime, interval_seconds: float) -> datetime:
    """The moment that a snapshot taken now is named after: for runs beside each other the same, for the next interval
    another."""
    apart = interval_seconds / 2
    return datetime.fromtimestamp(now.timestamp() // apart * apart, UTC)


# --- Copying ---------------------------------------------------------------------------------------------------------


def next_to_copy(sources: Iterable[Snapshot], copies: Sequence[Snapshot]) -> Snapshot | None:
    """The newest, if it is newer than every copy, and none is being made.

    Copies of one database are made one after the other: one that is asked for earlier than it can begin would hold the
    place of a newer one. Source: RDS user guide, Copying a DB snapshot, Limitations.
    """
    source, last = newest(sources), newest(copies)
    if source is None or source.as_of is None or any(one.is_under_way for one in copies):
        return None
    return source if last is None or last.age_key < (source.as_of, "") else None


# --- Pruning ---------------------------------------------------------------------------------------------------------


def to_prune(snapshots: Iterable[Snapshot], keep: int, now: datetime) -> list[Snapshot]:
    """Those that ``keep`` newer good ones make needless; never the newest good one, nor one that is held.

    What has failed or is under way is no good copy and makes nothing needless, nor is it pruned here. What is held
    stays beside the newest and not in place of one of them.
    """
    good = sorted((one for one in snapshots if one.is_good), key=lambda one: one.age_key, reverse=True)
    return [one for one in good[max(1, keep) :] if not is_held(one, now)]


def offered_too_long(offered: Iterable[Snapshot], keep: int, now: datetime) -> list[Snapshot]:
    """As ``to_prune``, but that the last that the vault is copying stay until it has: deleting one ends its copy."""
    pruned = to_prune(offered, keep, now)
    being_copied = [one for one in pruned if one.tags.get(VAULT_TAG) == "copying"]
    return [one for one in pruned if one not in being_copied[:MOST_BEING_COPIED]]


def taken_in_vain(taken: Iterable[Snapshot], shared: Sequence[Snapshot]) -> list[Snapshot]:
    """Of what was taken, that of which, or of a later one, a copy can be shared; and what still waits to be copied
    when there is a newer one to be copied in its place.

    Never what is being copied, as that would end the copy, nor the newest good one while nothing newer can be shared.
    """
    taken = list(taken)
    last, latest = newest(shared), newest(taken)
    being_copied = {one.copied_from for one in shared if one.is_under_way}
    return [
        one
        for one in taken
        if one.is_good
        and one.arn not in being_copied
        and (one is not latest or (last is not None and one.age_key[0] <= last.age_key[0]))
    ]
