"""What names one copy and how it is to work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

Side = Literal["production", "vault"]


class Clients(Protocol):
    """Where the boto3 clients of either side come from, each in its side's region."""

    def __call__(self, side: Side, service: str) -> Any: ...


class Wait(Protocol):
    """Polls until ``ready()``; raises naming ``what`` when the limit passes."""

    def __call__(self, what: str, ready: Callable[[], bool], *, every_seconds: float, limit_seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a copy works. Source of the bounds: Lambda API reference, CreateEventSourceMapping."""

    parallelization_factor: int = 1
    """Concurrent batches per shard, 1 to 10. Order within one item is kept."""
    batch_size: int = 100
    """Records per invocation at most, 1 to 10,000."""
    batch_window_seconds: int = 0
    """How long a batch may wait to fill, 0 to 300."""
    maximum_record_age_seconds: int = 82_800
    """After this age a record goes to the failure queue, 60 to 86,340: before the stream itself drops it at 24 h."""
    timeout_seconds: int = 60
    """How long one invocation may take, 30 to 900."""
    memory_mb: int = 256
    tombstone_hours: int = 72
    """How long the marker of a deletion stays, at least 48: longer than any record can still come."""
    maximum_lag_seconds: int = 300
    """The alarm and the health check complain beyond this."""
    recovery_period_days: int = 35
    """Of the vault's point-in-time recovery, 1 to 35."""
    alarm_topic: str = ""
    """ARN of an SNS topic in production that the alarms notify; empty for none."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Options:
        """Raises ValueError naming the option, what is expected and what was found."""
        known = {option.name: option for option in fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"{name}: there is no such option; expected one of {', '.join(known)}")
            if name == "alarm_topic":
                if not isinstance(value, str):
                    raise ValueError(f"alarm_topic: expected the ARN of an SNS topic, found {value!r}")
                continue
            low, high = BOUNDS[name]
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"{name}: expected a whole number from {low} to {high}, found {value!r}")
        return cls(**given)


BOUNDS: Mapping[str, tuple[int, int]] = {
    "parallelization_factor": (1, 10),
    "batch_size": (1, 10_000),
    "batch_window_seconds": (0, 300),
    "maximum_record_age_seconds": (60, 86_340),
    "timeout_seconds": (30, 900),
    "memory_mb": (128, 10_240),
    "tombstone_hours": (48, 8_760),
    "maximum_lag_seconds": (1, 86_400),
    "recovery_period_days": (1, 35),
}


@dataclass(frozen=True, slots=True)
class StreamCopy:
    """One copy: which table, into which account, and what everything of it is called."""

    source_account: str
    source_region: str
    source_table: str
    vault_account: str
    vault_region: str
    name: str
    """What its resources are called, in both accounts; 3 to 200 characters."""
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    @property
    def copy_table(self) -> str:
        return self.name

    @property
    def marker_table(self) -> str:
        return f"{self.name}-markers"

    @property
    def bucket(self) -> str:
        """Where records are set aside. Bucket names are shared by everybody, so it carries the vault's account."""
        plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.name.lower()).strip("-")
        return f"{_shortened(plain, 50)}-{self.vault_account}"

    @property
    def aside_prefix(self) -> str:
        return "set-aside/"

    @property
    def function(self) -> str:
        return _shortened(self.name, 64)

    @property
    def function_arn(self) -> str:
        return f"arn:aws:lambda:{self.source_region}:{self.source_account}:function:{self.function}"

    @property
    def queue(self) -> str:
        return _shortened(f"{self.name}-given-up", 80)

    @property
    def queue_arn(self) -> str:
        return f"arn:aws:sqs:{self.source_region}:{self.source_account}:{self.queue}"

    @property
    def heartbeat_rule(self) -> str:
        return _shortened(f"{self.name}-heartbeat", 64)

    @property
    def production_role(self) -> str:
        return _shortened(f"{self.name}-function", 64)

    @property
    def vault_role(self) -> str:
        return _shortened(f"{self.name}-writer", 64)

    @property
    def production_role_arn(self) -> str:
        return f"arn:aws:iam::{self.source_account}:role/{self.production_role}"

    @property
    def vault_role_arn(self) -> str:
        return f"arn:aws:iam::{self.vault_account}:role/{self.vault_role}"

    @property
    def external_id(self) -> str:
        """Ties the vault's role to this one copy. Not a secret: it stops a role from being used for another's copy."""
        named = "/".join((self.source_account, self.source_region, self.source_table, self.vault_account, self.name))
        return hashlib.sha256(named.encode()).hexdigest()[:32]

    @property
    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


def _shortened(name: str, limit: int) -> str:
    """The name itself, or its beginning and a digest where it is too long, so that it stays unique."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
