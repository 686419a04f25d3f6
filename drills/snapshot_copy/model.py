"""What names one copy and how it is to work."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from drills.durations import seconds
from drills.handlers.snapshot_copy import Selection, Settings

Side = Literal["production", "vault"]
Take = Literal["own", "automated"]


class Clients(Protocol):
    """Where the boto3 clients of either side come from; in production's region, or in the vault's for either side."""

    def __call__(self, side: Side, service: str, region: str) -> Any: ...


class Wait(Protocol):
    """Polls until ``ready()``; raises naming ``what`` when the limit passes."""

    def __call__(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a copy works."""

    interval_seconds: float = 3600.0
    """Between two snapshots of one database, 15 minutes to 35 days."""
    every_minutes: int = 15
    """How often either function runs, 1 to 60."""
    take: Take = "own"
    """``own``: take snapshots at the interval; ``automated``: use those that RDS takes by itself."""
    names: tuple[str, ...] = ("*",)
    """Patterns of the identifiers that are chosen."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What a chosen database has to have; values are patterns."""
    exclude_names: tuple[str, ...] = ()
    exclude_tags: Mapping[str, str] = field(default_factory=dict)
    production_keep: int = 2
    """How many shared snapshots of one database stay in production, 1 to 20."""
    vault_keep: int = 7
    """How many copies of one database stay in the vault, 1 to 100."""
    production_key: str = ""
    """ARN of a key of production, in the vault's region, that lets the vault in; empty: one is made."""
    shareable_keys: tuple[str, ...] = ()
    """ARNs of keys that let the vault in, so that snapshots under them are shared as they are."""
    vault_key: str = ""
    """ARN of the vault's key for its copies; empty: one is made."""
    option_groups: Mapping[str, str] = field(default_factory=dict)
    """By a database's option group, the one of the vault that its copies are bound to."""
    copies_at_once: int = 20
    """1 to 20. Source: RDS user guide, Quotas: snapshot copies in progress."""
    manual_snapshots: int = 100
    """How many manual snapshots of each kind either account may have in a region, 10 to 100000; more are not made.
    Source: RDS user guide, Quotas: 100 unless AWS was asked for more."""
    objective_seconds: float = 86_400.0
    """How old the newest copy of a database may be; the alarm and the health check complain beyond."""
    alarm_topics: Mapping[str, str] = field(default_factory=dict)
    """ARNs of SNS topics by side, ``production`` or ``vault``, that the alarms notify."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Options:
        """From an estate file, where durations are ``interval`` and ``objective``. Raises ValueError naming the option,
        what is expected and what was found."""
        options = {DURATIONS.get(name, name): value for name, value in given.items()}
        known = {option.name for option in fields(cls)}
        parsed: dict[str, Any] = {}
        for name, value in options.items():
            if name not in known or (name in DURATIONS.values() and name in given):
                said = sorted(DURATIONS_BY_FIELD.get(one, one) for one in known)
                raise ValueError(f"{name}: there is no such option; expected one of {', '.join(said)}")
            parsed[name] = _parsed(name, value)
        return cls(**parsed)


DURATIONS = {"interval": "interval_seconds", "objective": "objective_seconds"}
DURATIONS_BY_FIELD = {field: name for name, field in DURATIONS.items()}
DURATION_BOUNDS: Mapping[str, tuple[str, str]] = {
    "interval_seconds": ("15m", "35d"),
    "objective_seconds": ("15m", "90d"),
}
BOUNDS: Mapping[str, tuple[int, int]] = {
    "every_minutes": (1, 60),
    "production_keep": (1, 20),
    "vault_keep": (1, 100),
    "copies_at_once": (1, 20),
    "manual_snapshots": (10, 100_000),
}
LISTS = frozenset({"names", "exclude_names", "shareable_keys"})
MAPPINGS = frozenset({"tags", "exclude_tags", "option_groups", "alarm_topics"})
KEY_ARN = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/.+")


def _parsed(name: str, value: Any) -> Any:
    if name in DURATION_BOUNDS:
        return _duration(name, value)
    if name in BOUNDS:
        low, high = BOUNDS[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name}: expected a whole number from {low} to {high}, found {value!r}")
        return value
    if name in LISTS:
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) and one for one in value):
            raise ValueError(f"{name}: expected a list of texts, found {value!r}")
        return tuple(value)
    if name in MAPPINGS:
        if not isinstance(value, Mapping) or not all(isinstance(one, str) for pair in value.items() for one in pair):
            raise ValueError(f"{name}: expected a mapping of texts, found {value!r}")
        return dict(value)
    if name == "take":
        if value not in ("own", "automated"):
            raise ValueError(f"take: expected own or automated, found {value!r}")
        return value
    if not isinstance(value, str) or not (KEY_ARN.fullmatch(value) or not value):
        raise ValueError(f"{name}: expected the ARN of a key, found {value!r}")
    return value


def _duration(field_name: str, value: Any) -> float:
    name, (low, high) = DURATIONS_BY_FIELD[field_name], DURATION_BOUNDS[field_name]
    try:
        found = seconds(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if not seconds(low) <= found <= seconds(high):
        raise ValueError(f"{name}: expected a duration from {low} to {high}, found {value}")
    return found


@dataclass(frozen=True, slots=True)
class SnapshotCopy:
    """One copy: of which databases of which account and region, where to, and what everything of it is called."""

    source_account: str
    source_region: str
    vault_account: str
    vault_region: str
    name: str
    """What its resources are called, in both accounts; 1 to 200 characters."""
    scope: tuple[str, ...] = ("*",)
    """Patterns of the identifiers that this copy answers for: each is chosen, excluded by a rule, or a finding."""
    readers: tuple[str, ...] = ()
    """Accounts that may restore from the vault's copies, besides the vault itself."""
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    removable: bool = False
    """Whether taking it down deletes its snapshots: for drills."""

    def __post_init__(self) -> None:
        if (self.source_account, self.source_region) == (self.vault_account, self.vault_region):
            raise ValueError(
                f"copy {self.name}: expected a vault in another account or region than {self.source_account}, "
                f"{self.source_region}; found the same. What is lost together is no copy: name another."
            )

    @property
    def crosses_accounts(self) -> bool:
        return self.source_account != self.vault_account

    @property
    def prefix(self) -> str:
        """What its snapshots' identifiers begin with: letters, digits and single hyphens, the first a letter."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return shortened(plain if plain[:1].isalpha() else f"copy-{plain}".strip("-"), 60)

    def function(self, side: Side) -> str:
        return shortened(f"{self.name}-{side}", 64)

    def function_arn(self, side: Side) -> str:
        account, region = self.place(side)
        return f"arn:aws:lambda:{region}:{account}:function:{self.function(side)}"

    def place(self, side: Side) -> tuple[str, str]:
        """The account and region that the side's function runs in."""
        if side == "production":
            return self.source_account, self.source_region
        return self.vault_account, self.vault_region

    def role(self, side: Side) -> str:
        return shortened(f"{self.name}-{side}", 64)

    def role_arn(self, side: Side) -> str:
        return f"arn:aws:iam::{self.place(side)[0]}:role/{self.role(side)}"

    @property
    def reader_role(self) -> str:
        """Of production, for the vault's function."""
        return shortened(f"{self.name}-reader", 64)

    @property
    def reader_role_arn(self) -> str:
        return f"arn:aws:iam::{self.source_account}:role/{self.reader_role}"

    def rule(self, side: Side) -> str:
        return shortened(f"{self.name}-{side}", 64)

    def key_alias(self, side: Side) -> str:
        return f"alias/{shortened(self.name, 200)}-{side}"

    @property
    def sides(self) -> tuple[Side, ...]:
        """Between regions of one account production's function does everything."""
        return ("production", "vault") if self.crosses_accounts else ("production",)

    @property
    def external_id(self) -> str:
        """Ties the reader role to this one copy. Not a secret: it stops a role from being used for another's copy."""
        named = "/".join((self.source_account, self.source_region, self.vault_account, self.vault_region, self.name))
        return hashlib.sha256(named.encode()).hexdigest()[:32]

    @property
    def selection(self) -> Selection:
        chosen = self.options
        return Selection(self.scope, chosen.names, chosen.tags, chosen.exclude_names, chosen.exclude_tags)

    def settings(self, production_key: str, vault_key: str) -> Settings:
        options = self.options
        return Settings(
            name=self.name,
            prefix=self.prefix,
            source_account=self.source_account,
            source_region=self.source_region,
            vault_account=self.vault_account,
            vault_region=self.vault_region,
            selection=self.selection,
            take=options.take,
            interval_seconds=options.interval_seconds,
            production_keep=options.production_keep,
            vault_keep=options.vault_keep,
            production_key=production_key,
            shareable_keys=options.shareable_keys,
            vault_key=vault_key,
            readers=tuple(account for account in self.readers if account != self.vault_account),
            option_groups=options.option_groups,
            reader_role_arn=self.reader_role_arn,
            external_id=self.external_id,
            copies_at_once=options.copies_at_once,
            manual_snapshots=options.manual_snapshots,
            objective_seconds=options.objective_seconds,
            tags=self.tags,
            removable=self.removable,
        )

    @property
    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


def shortened(name: str, limit: int) -> str:
    """The name itself, or its beginning and a digest where it is too long, so that it stays unique."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
