"""A provider file: the sandbox accounts of a game day, and the limits of what a drill may do there. No secrets in it.

It is an accounts file with every account role in it and with more keys. Everything wrong with it is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from drills.accounts_file import ALL_ROLES, AccessesPart, AccountsFile, AccountsFilePart, accesses_of, checked, text_of
from drills.errors import UsageError
from drills.estate_file import Duration
from drills.locations_in_yaml import shown
from drills.model import Estate
from drills.providers.capabilities import CAPABILITIES, SAFETY
from drills.suggestions import did_you_mean

REFERENCE = """\
| key of a provider file | what it says | when left out |
|---|---|---|
| `accounts.production`, `accounts.vault`, `accounts.recovery` | how each sandbox account is reached: `profile`, \
`role_arn`, `external_id`, `mfa_serial` and `region` as in an accounts file, and `id`, which must be given | all three \
must be given |
| `prefix` | how the names of everything begin that a drill makes | `drill` |
| `time_limit` | how long a drill may take, such as `6h`; a plan that expects more is refused | `12h` |
| `cost_limit` | how many US dollars a drill may cost by the price table; a plan that expects more is refused | 25 |
| `stop_alarm` | the name of a CloudWatch alarm in production: while it is in ALARM, the drill stops | none |
| `endpoint_url` | where all calls go instead of to AWS | AWS |
| `lacks` | what that endpoint cannot do, by name, each with the reason | what is known of an endpoint that says it \
is moto, LocalEmu or MiniStack; nothing otherwise |
"""
PREFIX = re.compile(r"[a-z][a-z0-9-]{0,10}[a-z0-9]")
DEFAULT_PREFIX, DEFAULT_TIME_LIMIT_SECONDS, DEFAULT_COST_LIMIT = "drill", 12 * 3600.0, 25.0


def _prefix(value: str) -> str:
    if PREFIX.fullmatch(value) is None or "--" in value:
        raise ValueError(
            f"expected 2 to 12 small letters, digits and single '-', beginning with a letter, found {shown(value)}"
        )
    return value


def _lacks(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if name not in CAPABILITIES:
            raise ValueError(f"unknown capability {shown(name)}{did_you_mean(name, CAPABILITIES)}")
        if name in SAFETY:
            raise ValueError(
                f"{shown(name)} is what proves an account safe to drill in, and cannot be declared lacking"
            )
    return value


class SandboxAccountsPart(AccessesPart):
    @model_validator(mode="after")
    def _all(self) -> SandboxAccountsPart:
        for role in ALL_ROLES:
            given = getattr(self, role)
            if given is None:
                raise ValueError(f"expected production, vault and recovery, found no {role}")
            if given.id is None:
                raise ValueError(f"expected {role}.id, the id of an account that may be destroyed in, found none")
        return self


class SandboxFilePart(AccountsFilePart):
    """The keys of the file itself."""

    accounts: SandboxAccountsPart
    prefix: Annotated[str, AfterValidator(_prefix)] = DEFAULT_PREFIX
    time_limit: Duration = DEFAULT_TIME_LIMIT_SECONDS
    cost_limit: Annotated[float, Field(gt=0, le=1e6)] = DEFAULT_COST_LIMIT
    stop_alarm: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    lacks: Annotated[dict[str, str], AfterValidator(_lacks)] | None = None

    @model_validator(mode="after")
    def _only_elsewhere(self) -> SandboxFilePart:
        if self.lacks and self.endpoint_url is None:
            raise ValueError("expected 'endpoint_url' beside 'lacks': AWS itself lacks nothing")
        return self


@dataclass(frozen=True, slots=True)
class SandboxFile:
    """A provider file, read. ``cost_limit_usd``: US dollars; ``lacks`` is None where the file does not say."""

    accounts: AccountsFile
    prefix: str
    time_limit_seconds: float
    cost_limit_usd: float
    stop_alarm: str | None
    lacks: Mapping[str, str] | None

    @property
    def file(self) -> str:
        return self.accounts.file

    @property
    def endpoint_url(self) -> str | None:
        return self.accounts.endpoint_url

    def of(self, estate: Estate) -> Estate:
        """The estate in this file's accounts. Raises UsageError where that does not fit together."""
        placed = self.accounts.of(estate)
        production, recovery = placed.accounts["production"], placed.accounts["recovery"]
        if production.region == recovery.region:
            raise UsageError(
                f"{self.file}: accounts.production and accounts.recovery are both at home in {production.region}; "
                "expected two regions, as people respond to an outage from recovery's. Nothing was done."
            )
        return placed


def read_sandbox(path: Path) -> SandboxFile:
    """Read and check a provider file. Raises ConfigurationError with all its problems, UsageError if unreadable."""
    return parse_sandbox(text_of(path, "the provider file"), str(path))


def parse_sandbox(text: str, file: str) -> SandboxFile:
    """Check the text of a provider file. Raises ConfigurationError with every problem."""
    part = checked(text, file, SandboxFilePart, "the provider file")
    return SandboxFile(
        accounts=AccountsFile(file, accesses_of(part), part.endpoint_url),
        prefix=part.prefix,
        time_limit_seconds=part.time_limit,
        cost_limit_usd=part.cost_limit,
        stop_alarm=part.stop_alarm,
        lacks=part.lacks,
    )
