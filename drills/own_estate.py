"""An estate in accounts of the user's own, opened: its stores that exist, their protections, and their settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drills.accounts_file import read_accounts
from drills.clock import Clock
from drills.errors import PointUnreachable, ProtectionError, UsageError
from drills.model import JSON, AccountRole, Estate, Location, ProtectionUse, Store
from drills.own_accounts import OwnAccounts, told
from drills.own_site import OwnSite, Progress
from drills.plugins import load_estate, load_protection, load_store_kind
from drills.protections import Protection, Resource
from drills.providers.interface import Call
from drills.site import Site
from drills.stores import StoreKind
from drills.suggestions import did_you_mean

OUT_OF_REACH = (PointUnreachable, ClientError, BotoCoreError)
GONE = frozenset({"ResourceNotFoundException", "TableNotFoundException", "NoSuchBucket", "NotFound", "404"})
"""What AWS says of a store that is not there."""
LONGEST_REMEMBERED_BYTES = 8_192
"""Source: Systems Manager user guide, Parameter tiers."""


@dataclass(frozen=True, slots=True)
class Use:
    """One protection of one store, ready to be used."""

    protection: Protection
    given: ProtectionUse

    @property
    def name(self) -> str:
        return self.given.name

    @property
    def options(self) -> Mapping[str, JSON]:
        return self.given.options

    def resources(self, site: Site) -> Sequence[Resource]:
        """What it makes; for a protection that does not say so, what it is."""
        if hasattr(self.protection, "makes"):
            return self.protection.makes(site, self.options)
        return [Resource(self.protection.summary, site.primary().name, "production", site.region("production"))]


class OwnEstate:
    """An estate whose stores exist. Nothing is called until ``verify``."""

    def __init__(self, estate: str, accounts_file: Path, clock: Clock, progress: Progress = lambda _: None) -> None:
        self.given = read_accounts(accounts_file)
        self.estate: Estate = self.given.of(load_estate(estate))
        self.clock = clock
        self.progress = progress
        self.calls: list[Call] = []
        """Every call since the last ``take_calls``."""
        self.accounts = OwnAccounts(self.given, self.estate, clock, self.calls.append)

    def take_calls(self) -> list[Call]:
        taken = list(self.calls)
        self.calls.clear()
        return taken

    def verify(self, needed: Collection[AccountRole], region: str | None = None) -> None:
        """Hold each account against the estate. Raises UsageError; afterwards the accounts may be called.

        ``region``: where those in ``needed`` are asked, should their home region be down.
        """
        self.progress("asking each account for its id")
        self.accounts.verify(needed, region)
        for role, reason in self.accounts.unreachable.items():
            if role not in self.given.accesses:
                continue
            self.progress(f"going on without the {role} account: {reason}")

    def site(self, store: Store) -> OwnSite:
        return OwnSite(self.accounts, self.estate, store, self.clock, self.progress)

    # --- What the user names

    def stores(self, names: Sequence[str] = ()) -> list[Store]:
        """The stores of these names, all that exist when none is named. Raises UsageError."""
        known = {store.name: store for store in self.estate.stores}
        for name in names:
            if name not in known:
                raise UsageError(f"the estate {self.estate.name} has no store {name!r}{did_you_mean(name, known)}")
        chosen = [known[name] for name in dict.fromkeys(names)] or [s for s in known.values() if s.exists]
        for store in chosen:
            if store.exists is None:
                raise UsageError(
                    f"store {store.name!r} of the estate {self.estate.name}: expected the key 'exists' with the name "
                    "that it has in AWS, found none: it is only drilled"
                )
        if not chosen:
            raise UsageError(
                f"the estate {self.estate.name}: expected a store with the key 'exists', the name that it has in AWS; "
                "found none. Add it to the stores that are to be protected."
            )
        return chosen

    def uses(self, store: Store, protection: str | None = None) -> list[Use]:
        """The store's protections, or the one of this name. Raises UsageError."""
        known = {use.name: use for use in store.protections}
        if protection is not None and protection not in known:
            raise UsageError(
                f"store {store.name!r} of the estate {self.estate.name} has no protection {protection!r}"
                f"{did_you_mean(protection, known)}"
            )
        wanted = store.protections if protection is None else (known[protection],)
        return [Use(load_protection(use.name), use) for use in wanted]


def kind_of(store: Store) -> StoreKind:
    return load_store_kind(store.kind)


def there(site: Site, at: Location) -> Mapping[str, JSON] | None:
    """The settings of what has this name there, None where the name is free.

    Raises ProtectionError where it is somebody else's, which only names of buckets can be.
    """
    try:
        return kind_of(site.store).settings(site, at)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in GONE:
            return None
        raise ProtectionError(f"{at.name} in account {at.account}, {at.region}: {told(error)}.") from error


def existing(site: Site) -> Mapping[str, JSON]:
    """The settings of the store. Raises UsageError where it is not there or is another than the estate says."""
    at = site.primary()
    settings = there(site, at)
    if settings is None:
        raise UsageError(
            f"store {site.store.name!r}: expected {at.name} in account {at.account}, {at.region}, found nothing "
            "of that name. Correct 'exists' or the region in the estate."
        )
    names = getattr(site.store.config, "key_names", None)
    found = [part["name"] for part in settings["key_schema"]] if "key_schema" in settings else None
    if names is not None and found is not None and list(names) != found:
        raise UsageError(
            f"store {site.store.name!r}: expected the key of {at.name} to be {' and '.join(names)} as the estate says, "
            f"found {' and '.join(found)}. Correct 'key' in the estate."
        )
    return settings


# --- Settings that are remembered -----------------------------------------------------------------------------------


def remember(site: OwnSite, settings: Mapping[str, JSON], keeper: AccountRole) -> str:
    """Keep the settings in a Systems Manager parameter of the vault, for when the store is gone; returns its name."""
    document = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    name = _parameter(site)
    if len(document.encode()) > LONGEST_REMEMBERED_BYTES:
        raise ProtectionError(
            f"the settings of {site.primary().name} are {len(document.encode()):,} bytes; expected at most "
            f"{LONGEST_REMEMBERED_BYTES:,}, which a parameter holds. They are not remembered: should the store be "
            "gone, they must be put back by other means."
        )
    ssm = site.client("ssm", keeper)
    if _remembered(ssm, name) != document:
        ssm.put_parameter(Name=name, Value=document, Type="String", Tier="Intelligent-Tiering", Overwrite=True)
        tags = [{"Key": key, "Value": value} for key, value in site.tags.items()]
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=tags)
    return name


def _remembered(ssm: Any, name: str) -> str | None:
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise


def _parameter(site: Site) -> str:
    return f"/drills/{site.estate.name}/{site.store.name}/settings"


def known_settings(site: Site, tell: Callable[[str], None]) -> tuple[Mapping[str, JSON], str] | None:
    """The settings a restored store is to have and where they are from: the store's own, else the remembered ones."""
    try:
        settings = there(site, site.primary())
        if settings is not None:
            return settings, f"as {site.primary().name} has them"
    except (*OUT_OF_REACH, ProtectionError) as error:
        tell(f"{site.store.name}: its settings cannot be read: {told(error)}")
    for keeper in ("vault", "production"):
        try:
            document = _remembered(site.client("ssm", keeper), _parameter(site))
        except OUT_OF_REACH as error:
            tell(f"{site.store.name}: no remembered settings from the {keeper} account: {told(error)}")
            continue
        if document is not None:
            found: Mapping[str, JSON] = json.loads(document)
            return found, "as it had them at the last `drills protect`"
    return None
