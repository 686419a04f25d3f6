"""The accounts of an accounts file: sessions that renew themselves, each held against the account it should be.

Nothing here prints credentials: of an error of AWS's only its code and the first line of its message are told, as the
rest may quote a request with its token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from drills.accounts_file import AccountsFile
from drills.clock import Clock
from drills.errors import DrillError, PointUnreachable, UsageError
from drills.model import AccountRole, Estate
from drills.providers.calls import tell_of_calls
from drills.providers.interface import Call
from drills.sessions import Sessions


def told(error: Exception) -> str:
    """An error of boto3's on one line, without what may be secret and without a full stop."""
    return _told(error).rstrip(".")


def _told(error: Exception) -> str:
    if isinstance(error, ClientError):
        code, message = error.response["Error"].get("Code", "?"), error.response["Error"].get("Message", "")
        return f"{error.operation_name} was answered {code}: {_first_line(message)}"
    if isinstance(error, DrillError):
        return str(error)
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]


class OwnAccounts:
    """Clients of the estate's accounts. ``verify`` comes before any other call."""

    def __init__(self, given: AccountsFile, estate: Estate, clock: Clock, listener: Callable[[Call], None]) -> None:
        self._given = given
        self._estate = estate
        self._clock = clock
        self._listener = listener
        self._sessions: dict[AccountRole, boto3.Session] = {}
        self._clients: dict[tuple[str, AccountRole, str], Any] = {}
        self._make = Sessions(given.file, given.accesses, given.endpoint_url)
        self._asked_in: dict[AccountRole, str] = {}
        self.unreachable: dict[AccountRole, str] = {}
        """Why a role cannot be used, for those that could be done without."""

    def client(self, service: str, role: AccountRole, region: str) -> Any:
        """A client with that role's credentials. Raises PointUnreachable for a role that was found out of reach."""
        if role in self.unreachable:
            raise PointUnreachable(f"the {role} account is out of reach: {self.unreachable[role]}")
        key = (service, role, region)
        if key not in self._clients:
            self._clients[key] = self._make.client(self._session(role), service, region)
        return self._clients[key]

    def verify(self, needed: Collection[AccountRole], region: str | None = None) -> None:
        """Ask each account for its id. Raises UsageError for one that is another than the estate's, and for a role in
        ``needed`` that cannot be reached; others are put down as unreachable. ``region``: where those in ``needed`` are
        asked, if it is not their home region."""
        self._asked_in = dict.fromkeys(needed, region) if region else {}
        for role in self._estate.accounts:
            if role not in self._given.accesses and role not in needed:
                self.unreachable[role] = f"{self._given.file} does not say how to reach it"
                continue
            try:
                found = self._found(role)
            except (ClientError, BotoCoreError, UsageError) as error:
                reason = told(error)
                if role in needed:
                    known = isinstance(error, UsageError)
                    raise UsageError(str(error) if known else self._not_in(role, reason)) from None
                self.unreachable[role] = reason
                continue
            expected = self._estate.accounts[role].id
            if found != expected:
                raise UsageError(
                    f"{self._given.file}: accounts.{role} leads into account {found}; expected {expected}, which is "
                    f"{role} of the estate {self._estate.name}. Correct the profile or the role, or give "
                    f"accounts.{role}.id if another account is meant. Nothing was done."
                )
        if len(self.unreachable) == len(self._estate.accounts):
            reasons = "\n".join(f"  {role}: {reason}" for role, reason in self.unreachable.items())
            raise UsageError(f"{self._given.file}: no account can be reached. Nothing was done.\n{reasons}")

    def _found(self, role: AccountRole) -> str:
        if role not in self._given.accesses:
            raise UsageError(
                f"{self._given.file}: expected accounts.{role}, which this command needs, found no such key. Add it "
                "with a profile or a role_arn. Nothing was done."
            )
        sts = self._make.client(self._session(role), "sts", self._sts_region(role))
        return str(sts.get_caller_identity()["Account"])

    def _sts_region(self, role: AccountRole) -> str:
        return self._asked_in.get(role) or self._estate.accounts[role].region

    def _not_in(self, role: AccountRole, reason: str) -> str:
        access = self._given.accesses[role]
        how = " and ".join(
            f"{word} {value}" for word, value in (("profile", access.profile), ("role_arn", access.role_arn)) if value
        )
        return (
            f"{self._given.file}: accounts.{role}: expected to come into account {self._estate.accounts[role].id} with "
            f"{how}, found: {reason}. Check these credentials, for instance with `aws sts get-caller-identity`. "
            "Nothing was done."
        )

    # --- Sessions

    def _session(self, role: AccountRole) -> boto3.Session:
        if role not in self._sessions:
            account = self._estate.accounts[role]
            session = self._make.session(role, account.region, sts_region=self._sts_region(role))
            tell_of_calls(session, role, account.id, self._clock, self._listener)
            self._sessions[role] = session
        return self._sessions[role]
