"""``drills protect``, ``status`` and ``points``: the protections of stores that exist, without a drill."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from drills.errors import DrillError
from drills.model import AccountRole, Finding, RecoveryPoint, Store
from drills.own_accounts import told
from drills.own_estate import GONE, OUT_OF_REACH, OwnEstate, Use, existing, remember
from drills.own_site import OwnSite
from drills.protections import Resource
from drills.providers.interface import Call

CHANGES = re.compile(r"(Create|Put|Update|Add|Enable|Tag|Set|Register|Modify|Delete|Remove|Untag|Disable)")
RECORDS = frozenset(
    {"PutItem", "UpdateItem", "DeleteItem", "PutObject", "DeleteObject", "DeleteObjects", "PutMetricData"}
)
"""What carries data and changes no resource."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a protection of a store would make."""

    store: Store
    use: Use
    resources: Sequence[Resource]


@dataclass(frozen=True, slots=True)
class Protected:
    """One protection of a store, set up: what was changed for it, and its health. ``error`` where that failed."""

    store: Store
    use: str
    changes: Sequence[str]
    findings: Sequence[Finding]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """The recovery points of one protection in reach, newest first; ``reason`` where there are none."""

    use: str
    points: Sequence[RecoveryPoint]
    reason: str = ""


def wanted(own: OwnEstate, stores: Sequence[str], protection: str | None) -> list[Wanted]:
    """What ``protect`` would make; calls nothing. Raises UsageError."""
    chosen = own.stores(stores)
    return [
        Wanted(store, use, use.resources(own.site(store)))
        for store in chosen
        for use in _uses(own, chosen, store, protection)
    ]


def _uses(own: OwnEstate, chosen: Sequence[Store], store: Store, protection: str | None) -> list[Use]:
    """A protection that is named need not be one of every store, only of those that have it."""
    has_it = [other for other in chosen if any(use.name == protection for use in other.protections)]
    if protection is not None and has_it and store not in has_it:
        return []
    return own.uses(store, protection)


def protect(own: OwnEstate, stores: Sequence[str], protection: str | None) -> Iterator[Protected]:
    """Set up the protections, each told as it is done; safe to repeat. Raises UsageError before anything is done."""
    plan = wanted(own, stores, protection)
    own.verify(_roles(plan))
    sites = {one.store.name: own.site(one.store) for one in plan}
    for site in sites.values():
        existing(site)
    own.take_calls()
    for one in plan:
        yield _protected(own, sites[one.store.name], one.store, one.use)
    for site in sites.values():
        yield _settings_remembered(own, site)


def _roles(plan: Sequence[Wanted]) -> set[AccountRole]:
    return {"production", *(resource.role for one in plan for resource in one.resources)}


def _protected(own: OwnEstate, site: OwnSite, store: Store, use: Use) -> Protected:
    own.progress(f"{store.name}: setting up {use.name}")
    try:
        use.protection.set_up(site, use.options)
    except (DrillError, ClientError, BotoCoreError, ValueError) as error:
        return Protected(store, use.name, changes(own.take_calls()), [], told(error))
    made = changes(own.take_calls())
    return Protected(store, use.name, made, health(site, use))


def _settings_remembered(own: OwnEstate, site: OwnSite) -> Protected:
    keeper: AccountRole = "production" if "vault" in own.accounts.unreachable else "vault"
    try:
        remember(site, existing(site), keeper)
    except (DrillError, ClientError, BotoCoreError) as error:
        return Protected(site.store, "settings remembered", changes(own.take_calls()), [], told(error))
    return Protected(site.store, "settings remembered", changes(own.take_calls()), [])


def changes(calls: Sequence[Call]) -> list[str]:
    """The calls that changed a resource, each once, in the order of the first."""
    found: dict[str, int] = {}
    for call in calls:
        if call.error is None and CHANGES.match(call.operation) and call.operation not in RECORDS:
            line = f"{call.service}:{call.operation} {call.resource} ({call.role} {call.account}, {call.region})"
            found[line] = found.get(line, 0) + 1
    return [line if times == 1 else f"{line} × {times}" for line, times in found.items()]


def health(site: OwnSite, use: Use) -> Sequence[Finding]:
    """The protection's findings; one that cannot be asked is a finding itself."""
    try:
        return use.protection.health(site, use.options)
    except (DrillError, ClientError, BotoCoreError) as error:
        gone = isinstance(error, ClientError) and any(word in error.response["Error"]["Code"] for word in _NOT_THERE)
        expected = "set up by `drills protect`" if gone else "a check that runs through"
        return [Finding("protection", "fail" if gone else "unknown", site.store.name, expected, told(error))]


_NOT_THERE = (*GONE, "NotFound", "NoSuch", "NonExistent", "DoesNotExist")


def status(own: OwnEstate, stores: Sequence[str], protection: str | None) -> Iterator[Protected]:
    """The health of each protection; changes nothing."""
    plan = wanted(own, stores, protection)
    own.verify(_roles(plan))
    for one in plan:
        own.progress(f"{one.store.name}: asking {one.use.name}")
        yield Protected(one.store, one.use.name, [], health(own.site(one.store), one.use))


def points(own: OwnEstate, store: str, protection: str | None) -> list[Points]:
    """The newest recovery points of each protection that can be reached with what can be reached."""
    (chosen,) = own.stores([store])
    uses = own.uses(chosen, protection)
    own.verify(())
    site = own.site(chosen)
    return [_points(own, site, use) for use in uses]


def _points(own: OwnEstate, site: OwnSite, use: Use) -> Points:
    own.progress(f"{site.store.name}: asking {use.name}")
    try:
        found = sorted(use.protection.recovery_points(site, use.options, None), key=lambda p: p.as_of, reverse=True)
    except OUT_OF_REACH as error:
        return Points(use.name, [], told(error))
    return Points(use.name, found, "" if found else "nothing was made yet that can be restored")
