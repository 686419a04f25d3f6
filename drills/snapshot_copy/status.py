"""How old and how whole a copy is, judged from AWS alone by the code that its functions run. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from drills.clock import Clock
from drills.handlers.snapshot_copy import (
    Coverage,
    Database,
    Settings,
    Snapshot,
    Stage,
    by_database,
    coverage,
    databases_in,
    is_ours,
    newest,
    snapshots_in,
)
from drills.snapshot_copy.drift import drift
from drills.snapshot_copy.model import Clients, Side, SnapshotCopy
from drills.stream_copy.isolation import exposed_to

DESTRUCTIVE = (
    "rds:DeleteDBSnapshot",
    "rds:DeleteDBClusterSnapshot",
    "rds:ModifyDBSnapshotAttribute",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:UpdateAssumeRolePolicy",
)
"""What destroys the vault's copies or makes them unreadable, or leads to it."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """One chosen database and what the vault holds of it. Seconds."""

    database: Database
    copies: int
    as_of: datetime | None
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """All that can be told of a copy. Everything but ``databases`` and ``excluded`` is empty when all is well."""

    databases: tuple[DatabaseState, ...]
    excluded: Mapping[str, str]
    """By ARN, the rule that leaves a database out."""
    uncovered: tuple[str, ...]
    stale: tuple[str, ...]
    stuck: tuple[str, ...]
    """Snapshots that failed, that are under way for longer than a copy may be old, or that were not shared."""
    drift: tuple[str, ...]
    exposed: tuple[str, ...]


def copies_of(copy: SnapshotCopy, clients: Clients) -> list[Snapshot]:
    """The copy's own where they end up, in the vault, the newest rows first; asks the vault's side alone."""
    side: Side = "vault" if copy.crosses_accounts else "production"
    found = snapshots_in(clients(side, "rds", copy.vault_region), "manual")
    stage: Stage = "kept" if copy.crosses_accounts else "shared"
    settings = copy.settings("", "")
    return sorted((one for one in found if is_ours(settings, one, stage)), key=lambda one: one.age_key, reverse=True)


def status(copy: SnapshotCopy, clients: Clients, clock: Clock) -> Status:
    settings = copy.settings("", "")
    production = clients("production", "rds", copy.source_region)
    covered = coverage(settings.selection, databases_in(production))
    copies, now = copies_of(copy, clients), clock.now()
    states = tuple(_state(one, copies, now) for one in covered.chosen)
    return Status(
        databases=states,
        excluded=covered.excluded,
        uncovered=(*covered.uncovered.values(), *_missing(copy, covered)),
        stale=tuple(_stale(settings, states)),
        stuck=tuple(_stuck(copy, clients, settings, copies, now)),
        drift=drift(copy, clients),
        exposed=_exposed(copy, clients),
    )


def _state(database: Database, copies: Sequence[Snapshot], now: datetime) -> DatabaseState:
    key = (database.words.of, database.identifier, database.resource_id)
    good = [one for one in by_database(copies).get(key, []) if one.is_good]
    last = newest(good)
    since = last.age_key[0] if last is not None else database.created
    return DatabaseState(database, len(good), last.as_of if last else None, (now - since).total_seconds())


def _missing(copy: SnapshotCopy, covered: Coverage) -> Iterator[str]:
    """Names in the scope that are no patterns: each must be there."""
    there = {one.identifier for one in covered.chosen} | {
        arn.split(":", 6)[6] for arn in (*covered.excluded, *covered.uncovered)
    }
    for name in copy.scope:
        if not any(letter in name for letter in "*?[") and name not in there:
            yield f"{name} is to be copied, and there is no database of that name"


def _stale(settings: Settings, states: Sequence[DatabaseState]) -> Iterator[str]:
    limit = settings.objective_seconds
    for one in states:
        if one.as_of is None:
            yield f"there is no good copy of {one.database}"
        elif one.age_seconds > limit:
            yield f"the newest good copy of {one.database} is {one.age_seconds:,.0f} s old, more than {limit:,.0f} s"


def _stuck(
    copy: SnapshotCopy, clients: Clients, settings: Settings, copies: Sequence[Snapshot], now: datetime
) -> Iterator[str]:
    regions = dict.fromkeys((copy.source_region, copy.vault_region))
    ours = [
        one
        for region in regions
        for one in snapshots_in(clients("production", "rds", region), "manual")
        if is_ours(settings, one)
    ]
    everything = {one.arn: one for one in (*ours, *copies)}
    for one in everything.values():
        if one.status == "failed":
            yield f"{one.arn} has failed"
        elif one.is_under_way and one.created and (now - one.created).total_seconds() > settings.objective_seconds:
            yield f"{one.arn} is {one.status} since {one.created:%Y-%m-%d %H:%M}"
    if copy.crosses_accounts:
        yield from _unshared(copy, clients, [one for one in ours if is_ours(settings, one, "shared")], copies, now)


def _unshared(
    copy: SnapshotCopy, clients: Clients, offers: Sequence[Snapshot], copies: Sequence[Snapshot], now: datetime
) -> Iterator[str]:
    """What the vault has not copied and cannot see, some runs after it was there to be shared."""
    visible = {one.arn for one in snapshots_in(clients("vault", "rds", copy.vault_region), "shared")}
    patience_seconds = 3 * 60 * copy.options.every_minutes
    for key, group in by_database(offers).items():
        last = newest(by_database(copies).get(key, []))
        for one in group:
            if not one.is_good or one.arn in visible or (last is not None and one.age_key[0] <= last.age_key[0]):
                continue
            # Making it takes its time as well, of which AWS does not tell the end.
            age_seconds = (now - one.created).total_seconds() if one.created else 0.0
            if age_seconds > max(patience_seconds, copy.options.interval_seconds):
                yield f"{one.arn} is not shared with the vault"


def _exposed(copy: SnapshotCopy, clients: Clients) -> tuple[str, ...]:
    if not copy.crosses_accounts:
        return ("the copies are in production's own account",)
    return exposed_to(clients("vault", "iam", copy.vault_region), copy.source_account, DESTRUCTIVE)
