"""An accounts file: with which credentials each account role is reached. There are no secrets in it.

Everything wrong with a file is told at once, each with its ``file:line:col``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from drills.checked import Checked, complaints, without_echoes
from drills.errors import UsageError
from drills.estate_file import AccountPart
from drills.locations_in_yaml import complain, not_utf8, read_yaml, shown
from drills.model import Account, AccountRole, Estate

REFERENCE = """\
| key of an accounts file | what it says | when left out |
|---|---|---|
| `accounts.production`, `accounts.vault`, `accounts.recovery` | how that account role is reached | it is not reached, \
and what needs it is refused |
| `….profile` | a profile of the AWS configuration, of whatever kind (keys, SSO, a role) | this or `role_arn` must be \
given |
| `….role_arn` | a role to assume, with the profile's credentials or else with the environment's; they are renewed \
as long as the command runs | the profile's credentials are used as they are |
| `….external_id` | the external id that the role's trust asks for | none |
| `….mfa_serial` | the MFA device whose code the role's trust asks for; the code is asked for at the terminal, again \
whenever the credentials are renewed | none |
| `….id` | the account's id (12 digits), where it is another than the estate's | the estate's |
| `….region` | its home region, where it is another than the estate's | the estate's |
| `endpoint_url` | where all calls go instead of to AWS | AWS |
"""
ALL_ROLES: tuple[AccountRole, ...] = ("production", "vault", "recovery")
Part = TypeVar("Part", bound=BaseModel)
ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}")


def _role_arn(value: str) -> str:
    if ROLE_ARN.fullmatch(value) is None:
        raise ValueError(f"expected a role such as arn:aws:iam::123456789012:role/drills, found {shown(value)}")
    return value


def _endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("expected a URL without a user and a password: there are no secrets in this file")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"expected a URL such as http://127.0.0.1:5000, found {shown(value)}")
    return value


class AccessPart(AccountPart):
    """One account role of the file."""

    profile: Annotated[str, Field(min_length=1)] | None = None
    role_arn: Annotated[str, AfterValidator(_role_arn)] | None = None
    external_id: Annotated[str, Field(min_length=2, max_length=1224)] | None = None
    mfa_serial: Annotated[str, Field(min_length=9, max_length=256)] | None = None

    @model_validator(mode="after")
    def _says_how(self) -> AccessPart:
        if self.profile is None and self.role_arn is None:
            raise ValueError("expected 'profile' or 'role_arn' (or both: the role is assumed with the profile)")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("expected 'role_arn' beside 'external_id', which its trust asks for")
        if self.mfa_serial is not None and self.role_arn is None:
            raise ValueError(
                "expected 'role_arn' beside 'mfa_serial'; a profile has one of its own in the configuration"
            )
        return self


class AccessesPart(Checked):
    production: AccessPart | None = None
    vault: AccessPart | None = None
    recovery: AccessPart | None = None

    @model_validator(mode="after")
    def _any(self) -> AccessesPart:
        if not any((self.production, self.vault, self.recovery)):
            raise ValueError("expected at least one of production, vault and recovery, found none")
        return self


class AccountsFilePart(Checked):
    """The keys of the file itself."""

    accounts: AccessesPart
    endpoint_url: Annotated[str, AfterValidator(_endpoint)] | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """How one account role is reached; ``id`` and ``region`` are None where the estate's hold."""

    profile: str | None
    role_arn: str | None
    external_id: str | None
    id: str | None
    region: str | None
    mfa_serial: str | None = None


@dataclass(frozen=True, slots=True)
class AccountsFile:
    """An accounts file, read."""

    file: str
    accesses: Mapping[AccountRole, Access]
    endpoint_url: str | None

    def of(self, estate: Estate) -> Estate:
        """The estate with its accounts as this file has them. Raises UsageError where that does not fit together."""
        accounts = dict(estate.accounts)
        for role, access in self.accesses.items():
            known = accounts[role]
            accounts[role] = Account(role, access.id or known.id, access.region or known.region)
            if access.role_arn is not None:
                self._check_role(role, access.role_arn, accounts[role].id, estate.name)
        ids: dict[str, AccountRole] = {}
        for role, account in accounts.items():
            other = ids.setdefault(account.id, role)
            if other != role:
                raise UsageError(
                    f"{self.file}: the accounts {other!r} and {role!r} both have the id {account.id}; expected an "
                    "account of its own for each role, as a copy beside its original is lost with it"
                )
        return replace(estate, accounts=accounts)

    def _check_role(self, role: AccountRole, arn: str, expected: str, estate: str) -> None:
        found = cast("re.Match[str]", ROLE_ARN.fullmatch(arn))[2]
        if found != expected:
            raise UsageError(
                f"{self.file}: accounts.{role}.role_arn lies in account {found}; expected {expected}, which is {role} "
                f"of the estate {estate}. Correct one of them, or give accounts.{role}.id. Nothing was done."
            )


def read_accounts(path: Path) -> AccountsFile:
    """Read and check an accounts file. Raises ConfigurationError with all its problems, UsageError if unreadable."""
    return parse_accounts(text_of(path, "the accounts file"), str(path))


def parse_accounts(text: str, file: str) -> AccountsFile:
    """Check the text of an accounts file. Raises ConfigurationError with every problem."""
    part = checked(text, file, AccountsFilePart, "the accounts file")
    return AccountsFile(file, accesses_of(part), part.endpoint_url)


def text_of(path: Path, what: str) -> str:
    """The text of a file. Raises UsageError, naming ``what`` it is, and ConfigurationError where it is not UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(raw, error, str(path)) from None


def checked(text: str, file: str, shape: type[Part], what: str) -> Part:
    """The text of a file in its shape. Raises ConfigurationError with every problem."""
    located = read_yaml(text, file)
    try:
        part = shape.model_validate(located.data)
    except ValidationError as error:
        found = without_echoes(complaints(error, shape, (), what))
        problems = [located.problem(one.path, one.message, at_key=one.at_key) for one in found]
        raise complain(file, [*located.problems, *problems]) from None
    if located.problems:
        raise complain(file, located.problems)
    return part


def accesses_of(part: AccountsFilePart) -> Mapping[AccountRole, Access]:
    return {
        role: Access(given.profile, given.role_arn, given.external_id, given.id, given.region, given.mfa_serial)
        for role in ALL_ROLES
        if (given := getattr(part.accounts, role)) is not None
    }
