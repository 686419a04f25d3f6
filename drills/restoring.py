"""``drills restore``: a store that exists, restored from one of its protections without a drill."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from drills.durations import signed_seconds
from drills.errors import DrillError, ProtectionError, UsageError
from drills.findings import counted, crashed, setting_findings
from drills.model import JSON, AccountRole, Finding, Location, Place, RecoveryPoint, Store, Verdict
from drills.own_accounts import told
from drills.own_estate import OUT_OF_REACH, OwnEstate, Use, kind_of, known_settings, there
from drills.own_site import OwnSite
from drills.protections import WayBack
from drills.stores import LEFT_OUT

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")


def moment(text: str, now: datetime) -> datetime | None:
    """``latest`` → None; RFC 3339 or a time back such as ``-30m`` → that moment. Raises UsageError."""
    if text == "latest":
        return None
    found: datetime | None = None
    try:
        if text.startswith("-"):
            found = now + timedelta(seconds=signed_seconds(text))
        elif RFC_3339.fullmatch(text):
            found = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise UsageError(
            f"--to {text}: expected latest, a time with its zone such as 2026-01-05T09:41:00Z, or a time back such as "
            "-30m or -2h"
        )
    if found > now:
        raise UsageError(f"--to {text}: expected a time that has passed, found one after now ({_at(now)})")
    return found


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is about to be restored, as it is confirmed. ``to`` is where the store will lie."""

    store: Store
    use: Use
    point: RecoveryPoint
    way_back: WayBack
    to: Location
    passed_over: Sequence[str]
    """Why the protections before this one will not do."""

    def describe(self) -> str:
        what = f"{self.store.name} by {self.use.name} as of {_at(self.point.as_of)}"
        where = f"{self.to.name} in account {self.to.account} ({self.to.role}), {self.to.region}"
        return {
            "new_store": f"restore {what} into a new store {where}",
            "live_copy": f"put the live copy of {what} to use as it is: {where}",
            "in_place": f"put {what} back IN PLACE, over what is there now: {where}",
        }[self.way_back]


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored store: where it lies and what was found when it was verified."""

    chosen: Chosen
    at: Location
    findings: Sequence[Finding]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks for."""

    store: str
    protection: str | None
    to: str
    role: AccountRole
    region: str | None
    name: str | None
    in_place: bool
    read_back: bool


def choose(own: OwnEstate, asked: Asked) -> Chosen:
    """Find the first protection that can do what is asked. Reads only. Raises UsageError with every reason."""
    (store,) = own.stores([asked.store])
    uses = own.uses(store, asked.protection)
    to = moment(asked.to, own.clock.now())
    place = Place(asked.role, asked.region or own.estate.accounts[asked.role].region)
    own.verify([asked.role], place.region)
    site = own.site(store)
    reasons: list[str] = []
    for use in uses:
        found = _usable(own, site, use, asked, to, place)
        if isinstance(found, RecoveryPoint):
            return _chosen(site, use, found, asked, place, reasons)
        reasons.append(f"{use.name}: {found}")
    until = "" if to is None else f" as of {_at(to)}"
    raise UsageError(
        f"store {store.name!r}: expected a recovery point{until} that can be restored into the {place.role} account, "
        f"{place.region}; found none. Nothing was done.\n" + "\n".join(f"  {reason}" for reason in reasons)
    )


def _usable(
    own: OwnEstate, site: OwnSite, use: Use, asked: Asked, to: datetime | None, place: Place
) -> RecoveryPoint | str:
    """The newest point that will do, or why none does."""
    way = way_back(use)
    into: Sequence[AccountRole] = getattr(use.protection, "restores_into", (place.role,))
    if place.role not in into:
        return f"it restores into the {' or '.join(into)} account only"
    if way == "in_place" and to is None:
        return "it puts the store back in place as it was at a moment: say which with --to"
    if way == "in_place" and not asked.in_place:
        return "it puts the store back in place, over what is there now: if that is meant, give --in-place"
    if asked.in_place and way != "in_place":
        return "it restores into a new store and nothing in place: leave --in-place out"
    own.progress(f"{site.store.name}: looking for a recovery point of {use.name}")
    try:
        # A protection looks for what is strictly before a moment, and the state as of ``to`` is wanted.
        before = None if to is None else to + timedelta(microseconds=1)
        found = use.protection.recovery_points(site, use.options, before)
    except OUT_OF_REACH as error:
        return told(error)
    fit = [point for point in found if to is None or point.as_of <= to]
    if fit:
        return max(fit, key=lambda point: point.as_of)
    if found:
        return f"the oldest recovery point is as of {_at(min(point.as_of for point in found))}, which is later"
    return "there is no recovery point in reach from then or before" if to else "nothing was made that can be restored"


def _chosen(
    site: OwnSite, use: Use, point: RecoveryPoint, asked: Asked, place: Place, reasons: Sequence[str]
) -> Chosen:
    way = way_back(use)
    account = site.account_id(place.role)
    if way != "new_store":
        if asked.name is not None:
            raise UsageError(
                f"--as {asked.name}: expected no name, as {use.name} makes no new store. Leave it out. Nothing was "
                "done."
            )
        at = Location("production", point.account, point.region, site.primary().name)
        if place.role != at.role or (way == "in_place" and place.region != at.region):
            raise UsageError(
                f"{use.name}: expected --into {at.role} in {at.region}, where it is; found {place.role} in "
                f"{place.region}. Nothing was done."
            )
        return Chosen(site.store, use, point, way, at, reasons)
    name = asked.name or kind_of(site.store).physical_name(
        f"{site.primary().name}-as-of-{point.as_of:%Y%m%d-%H%M%S}", account, place.region
    )
    at = Location(place.role, account, place.region, name)
    try:
        taken = there(site, at) is not None
    except ProtectionError as error:
        raise UsageError(f"{error} Give another name with --as. Nothing was done.") from error
    if taken:
        raise UsageError(
            f"{name} in account {account}, {place.region}: expected the name of the restored store to be free, found "
            "a store. Nothing is written over: give another name with --as, or delete it if it is not needed. Nothing "
            "was done."
        )
    return Chosen(site.store, use, point, way, at, reasons)


def way_back(use: Use) -> WayBack:
    found: WayBack = getattr(use.protection, "way_back", "new_store")
    return found


# --- Restoring and verifying ---------------------------------------------------------------------------------------


def restore(own: OwnEstate, chosen: Chosen, *, read_back: bool) -> Restored:
    """Carry out what was chosen. Raises ProtectionError naming how far it came."""
    site = own.site(chosen.store)
    settings = known_settings(site, own.progress) if chosen.way_back == "new_store" else None
    own.progress(f"{chosen.store.name}: restoring by {chosen.use.name}")
    to = Place(chosen.to.role, chosen.to.region)
    try:
        at = chosen.use.protection.restore(site, chosen.use.options, chosen.point, to, chosen.to.name)
    except (DrillError, ClientError, BotoCoreError) as error:
        raise ProtectionError(
            f"{chosen.describe()}: {told(error)}. What was begun is left as it is; look at {chosen.to.name} there "
            "before repeating."
        ) from error
    findings: list[Finding] = []
    notes = [line for kind, data in site.noted if (line := str(data.get("warning", "")) or _counts(kind, data))]
    if read_back:
        findings += _checked("records", site, lambda: [_counted(own, site, at, chosen.way_back)])
    else:
        findings.append(Finding("records", "unknown", site.store.name, "every record read back", "not read back"))
    if chosen.way_back == "new_store":
        findings += _put_in_order(own, site, at, settings, notes)
        findings += _checked("unlisted", site, lambda: _unlisted(site, at))
        own.progress(f"{site.store.name}: asking the restored store")
        findings += _checked("probe", site, lambda: kind_of(site.store).probe(site, at))
    return Restored(chosen, at, findings, notes)


def _counts(kind: str, data: Mapping[str, object]) -> str:
    """What a protection counted, on a line; empty where it counted nothing."""
    nested = data.get("counts")
    counts = {**data, **(nested if isinstance(nested, Mapping) else {})}
    numbers = [f"{value:,} {name}" for name, value in counts.items() if type(value) is int and value]
    return f"{kind}: {', '.join(numbers)}" if numbers else ""


def _put_in_order(
    own: OwnEstate, site: OwnSite, at: Location, known: tuple[Mapping[str, JSON], str] | None, notes: list[str]
) -> Sequence[Finding]:
    """Settings put back and compared, and what has expired removed."""
    kind = kind_of(site.store)
    if known is None:
        expected = "as before, but neither the store nor settings remembered by `drills protect` are in reach"
        return [Finding("settings", "unknown", site.store.name, expected, "what the restore brought")]
    settings, whence = known
    notes.append(f"settings were put back {whence}")
    own.progress(f"{site.store.name}: putting settings back {whence}")

    def put_back() -> Sequence[Finding]:
        kind.reconfigure(site, at, settings)
        expired = kind.purge_expired(site, at)
        if expired:
            notes.append(f"{counted(expired, 'record')} that had expired by now removed")
        told = [Finding(**data["finding"]) for what, data in site.noted if what == "check"]
        return [*setting_findings(settings, kind.settings(site, at), site.store.name), *told]

    return _checked("settings", site, put_back)


def _checked(check: str, site: OwnSite, run: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return run()
    except (DrillError, ClientError, BotoCoreError) as error:
        return [crashed(check, site.store.name, ProtectionError(told(error)))]


def _counted(own: OwnEstate, site: OwnSite, at: Location, way: WayBack) -> Finding:
    """Every record read back; held against what was copied, where our own copying counted it."""
    own.progress(f"{site.store.name}: reading every record back")
    found = sum(1 for _ in kind_of(site.store).inventory(site, at))
    copied = _copied(site, at) if way == "new_store" else None
    observed = f"{counted(found, 'record')} read back"
    if copied is None:
        # Nobody counted before, and an empty store proves nothing.
        verdict: Verdict = "pass" if found else "unknown"
        return Finding("records", verdict, site.store.name, "every record readable", observed, found)
    verdict = "pass" if copied == found else "fail"
    return Finding("records", verdict, site.store.name, f"{counted(copied, 'record')} copied", observed, found)


def _unlisted(site: OwnSite, at: Location) -> Sequence[Finding]:
    """What no record covers: nobody has written down what it should hold."""
    held = kind_of(site.store).unlisted(site, at)
    expected = "held against what it was, which only a drill can; name what nobody needs to verify in the estate"
    return [
        Finding(f"unlisted.{name}", "pass" if said == LEFT_OUT else "unknown", site.store.name, expected, said)
        for name, said in held.items()
    ]


def _copied(site: OwnSite, at: Location) -> int | None:
    """How many records our own copying put there, None where AWS restored them."""
    for _, data in reversed(site.noted):
        counts = {**data, **data.get("counts", {})}
        found = counts.get("items", counts.get("copied"))
        if found is not None and at.name in (data.get("table"), data.get("bucket")):
            return int(found)
    return None


def _at(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
