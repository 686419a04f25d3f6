"""What names one copy of a bucket, and how it is to work."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

from drills.durations import seconds
from drills.protections.options import whole_number

Side = Literal["production", "vault"]
LockMode = Literal["governance", "compliance"]
LOCK_MODE: LockMode = "governance"
LOCK_DAYS = 30
RESERVED = ".bucket-copy/"
"""Below this prefix the copy keeps what it must remember; it is never restored."""
REGISTER = RESERVED + "deletions.jsonl"
SOURCE = RESERVED + "source.json"
CANARY = RESERVED + "canary"
RULE = "drills-bucket-copy"


class Clients(Protocol):
    """Where the boto3 clients of either side come from, each in its side's region."""

    def __call__(self, side: Side, service: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Options:
    """How a copy works."""

    lock_mode: LockMode = LOCK_MODE
    """Of the copy's default retention: ``governance`` can be lifted by the vault's own administrators, ``compliance``
    by nobody before its time."""
    lock_days: int = LOCK_DAYS
    """How long no version of the copy can be deleted, 1 to 36,500."""
    noncurrent_days: int = 0
    """After so many days a version that was written over is deleted from the copy; 0 keeps all. At least lock_days."""
    prefix: str = ""
    """Only keys that begin so; empty for all."""
    maximum_lag_seconds: int = 900
    """The health check complains beyond this. S3's own promise is 99.99 % within 15 minutes."""
    deletions_every_seconds: int = 600
    """How often the deletions in production are looked at. They are registered in the vault and not followed."""
    replication_time: bool = False
    """Whether S3 is to give its promise (Replication Time Control), which costs extra."""
    kms_key: str = ""
    """ARN of a key in the vault's region for replicas of objects that are encrypted by KMS. Empty: one is made where
    the source encrypts by KMS by default."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Options:
        """Raises ValueError naming the option, what is expected and what was found."""
        for name in given:
            if name not in KNOWN:
                raise ValueError(f"{name}: there is no such option; expected one of {', '.join(KNOWN)}")
        lock_days = whole_number(given, "lock_days", LOCK_DAYS, 1, 36_500)
        noncurrent_days = whole_number(given, "noncurrent_days", 0, 0, 36_500)
        if 0 < noncurrent_days < lock_days:
            raise ValueError(
                f"noncurrent_days: expected at least lock_days ({lock_days}), as a locked version cannot be deleted "
                f"earlier, found {noncurrent_days}"
            )
        return cls(
            lock_mode=cast(LockMode, _word(given, "lock_mode", LOCK_MODE, ("governance", "compliance"))),
            lock_days=lock_days,
            noncurrent_days=noncurrent_days,
            prefix=_text(given, "prefix"),
            maximum_lag_seconds=_duration(given, "maximum_lag", "15m", 1, 86_400),
            deletions_every_seconds=_duration(given, "deletions_every", "10m", 60, 86_400),
            replication_time=_flag(given, "replication_time"),
            kms_key=_key(given),
        )


KNOWN = (
    "lock_mode",
    "lock_days",
    "noncurrent_days",
    "prefix",
    "maximum_lag",
    "deletions_every",
    "replication_time",
    "kms_key",
)


@dataclass(frozen=True, slots=True)
class BucketCopy:
    """One copy: which bucket, into which account and bucket, and what else of it is called."""

    source_account: str
    source_region: str
    source_bucket: str
    vault_account: str
    vault_region: str
    copy_bucket: str
    name: str
    """What its role and keys are called."""
    readers: tuple[str, ...] = ()
    """Accounts that may read the copy at any time, such as the recovery account."""
    tags: Mapping[str, str] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    @property
    def role(self) -> str:
        """Of replication, in production. Role names have 64 characters at most."""
        wanted = f"{self.name}-replication"
        if len(wanted) <= 64:
            return wanted
        return f"{wanted[:55].rstrip('-')}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{self.source_account}:role/{self.role}"

    @property
    def source_arn(self) -> str:
        return f"arn:aws:s3:::{self.source_bucket}"

    @property
    def copy_arn(self) -> str:
        return f"arn:aws:s3:::{self.copy_bucket}"

    @property
    def key_alias(self) -> str:
        return f"alias/{self.name[:240]}"

    @property
    def source(self) -> dict[str, str]:
        """The source in a call: a bucket of this name may be somebody else's by now."""
        return {"Bucket": self.source_bucket, "ExpectedBucketOwner": self.source_account}

    @property
    def copy(self) -> dict[str, str]:
        return {"Bucket": self.copy_bucket, "ExpectedBucketOwner": self.vault_account}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


# --- Reading options -----------------------------------------------------------------------------------------------


def _duration(given: Mapping[str, Any], name: str, default: str, low: int, high: int) -> int:
    value = given.get(name, default)
    try:
        found = seconds(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if not low <= found <= high:
        raise ValueError(f"{name}: expected a duration from {low}s to {high}s, found {value}")
    return round(found)


def _word(given: Mapping[str, Any], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = given.get(name, default)
    if value not in allowed:
        raise ValueError(f"{name}: expected {' or '.join(allowed)}, found {value!r}")
    return str(value)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text, found {value!r}")
    return value


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected true or false, found {value!r}")
    return value


def _key(given: Mapping[str, Any]) -> str:
    value = given.get("kms_key", "")
    if not isinstance(value, str) or (value and not value.startswith("arn:")):
        raise ValueError(f"kms_key: expected the ARN of a key in the vault's region, found {value!r}")
    return value
