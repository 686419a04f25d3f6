"""The accounts of an accounts file: sessions that renew themselves, each held against the account it should be.

Nothing here prints credentials: of an error of AWS's only its code and the first line of its message are told, as the
rest may quote a request with its token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from drills.accounts_file import Access, AccountsFile
from drills.clock import Clock
from drills.errors import DrillError, PointUnreachable, UsageError
from drills.model import AccountRole, Estate
from drills.providers.calls import tell_of_calls
from drills.providers.interface import Call
from drills.suggestions import did_you_mean

SESSION_NAME = "drills"
RETRIES = {"mode": "standard", "total_max_attempts": 6}


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
        self._loader = botocore.session.Session().get_component("data_loader")
        self._asked_in: dict[AccountRole, str] = {}
        self.unreachable: dict[AccountRole, str] = {}
        """Why a role cannot be used, for those that could be done without."""

    def client(self, service: str, role: AccountRole, region: str) -> Any:
        """A client with that role's credentials. Raises PointUnreachable for a role that was found out of reach."""
        if role in self.unreachable:
            raise PointUnreachable(f"the {role} account is out of reach: {self.unreachable[role]}")
        key = (service, role, region)
        if key not in self._clients:
            self._clients[key] = self._client(self._session(role), service, region)
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
        sts = self._client(self._session(role), "sts", self._sts_region(role))
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
            access, account = self._given.accesses[role], self._estate.accounts[role]
            base = self._base(role, access)
            if access.role_arn is not None:
                base = self._assuming(role, access, base, self._sts_region(role))
            session = boto3.Session(botocore_session=base, region_name=account.region)
            tell_of_calls(session, role, account.id, self._clock, self._listener)
            self._sessions[role] = session
        return self._sessions[role]

    def _base(self, role: AccountRole, access: Access) -> botocore.session.Session:
        base = botocore.session.Session(profile=access.profile)
        base.register_component("data_loader", self._loader)
        try:
            base.get_scoped_config()
        except ProfileNotFound:
            raise UsageError(
                f"{self._given.file}: accounts.{role}.profile: there is no profile {access.profile!r} in the AWS "
                f"configuration{did_you_mean(str(access.profile), base.available_profiles)}. Nothing was done."
            ) from None
        return base

    def _assuming(
        self, role: AccountRole, access: Access, base: botocore.session.Session, region: str
    ) -> botocore.session.Session:
        """A session of the role, whose credentials are fetched when first used and again before they expire."""
        source = base.get_credentials()
        if source is None:
            where = f"the profile {access.profile}" if access.profile else "the environment"
            raise UsageError(
                f"{self._given.file}: accounts.{role}.role_arn: expected credentials in {where} to assume the role "
                "with, found none. Give a profile, or set the usual AWS variables. Nothing was done."
            )

        def sts(service: str, **credentials: Any) -> Any:
            return base.create_client(
                service, region_name=region, endpoint_url=self._given.endpoint_url, config=self._config(), **credentials
            )

        more = {"ExternalId": access.external_id} if access.external_id else {}
        fetcher = AssumeRoleCredentialFetcher(
            sts, source, str(access.role_arn), extra_args={"RoleSessionName": SESSION_NAME, **more}
        )
        session = botocore.session.Session()
        session.register_component("data_loader", self._loader)
        session.register_component("credential_provider", CredentialResolver([_Assumed(fetcher)]))
        return session

    def _client(self, session: boto3.Session, service: str, region: str) -> Any:
        return session.client(  # type: ignore[call-overload]
            service, region_name=region, endpoint_url=self._given.endpoint_url, config=self._config()
        )

    def _config(self) -> Config:
        # An endpoint of the user's own has one name; account ids and buckets are not put before it.
        own = {"account_id_endpoint_mode": "disabled", "s3": {"addressing_style": "path"}}
        return Config(retries=RETRIES, **(own if self._given.endpoint_url else {}))  # type: ignore[arg-type]


class _Assumed(CredentialProvider):
    """Gives a session the credentials of a role."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)
