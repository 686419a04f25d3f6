"""Sessions that renew themselves, made as an accounts file or a provider file says, and clients of them.

Nothing here prints credentials.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
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
from botocore.exceptions import ProfileNotFound

from drills.accounts_file import Access
from drills.errors import UsageError
from drills.model import AccountRole
from drills.redaction import learn, quiet_loggers
from drills.suggestions import did_you_mean

SESSION_NAME = "drills"
NEEDED_BY_HEAD = {
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject, or s3:GetObjectVersion where a version is named",
}
"""Source: S3 API reference, HeadBucket and HeadObject, Permissions."""
RETRIES = {"mode": "standard", "total_max_attempts": 6}


class Sessions:
    """Makes sessions for account roles and clients of them. Nothing is called until a client is used."""

    def __init__(self, file: str, accesses: Mapping[AccountRole, Access], endpoint_url: str | None) -> None:
        quiet_loggers()
        self._file = file
        self._accesses = accesses
        self._endpoint_url = endpoint_url
        self._loader = botocore.session.Session().get_component("data_loader")

    def session(
        self, role: AccountRole, region: str, *, sts_region: str | None = None, policy: str | None = None
    ) -> boto3.Session:
        """A session in that region. ``policy`` narrows it where the file has a role to assume, and only there.

        Raises UsageError for a profile that is not there and for a role without credentials to assume it with.
        """
        access = self._accesses[role]
        base = self._base(role, access)
        if access.role_arn is not None:
            base = self._assuming(role, access, base, sts_region or region, policy)
        return boto3.Session(botocore_session=base, region_name=region)

    def client(self, session: boto3.Session, service: str, region: str) -> Any:
        client = session.client(  # type: ignore[call-overload]
            service, region_name=region, endpoint_url=self._endpoint_url, config=self._config()
        )
        client.meta.events.register("after-call.s3", _say_what_is_needed, unique_id="drills-needed")
        if self._endpoint_url is not None:
            client.meta.events.register("before-call.s3-control", _without_account, unique_id="drills-one-name")
        return client

    def _base(self, role: AccountRole, access: Access) -> botocore.session.Session:
        base = botocore.session.Session(profile=access.profile)
        base.register_component("data_loader", self._loader)
        _learn_from(base)
        try:
            base.get_scoped_config()
        except ProfileNotFound:
            raise UsageError(
                f"{self._file}: accounts.{role}.profile: there is no profile {access.profile!r} in the AWS "
                f"configuration{did_you_mean(str(access.profile), base.available_profiles)}. Nothing was done."
            ) from None
        return base

    def _assuming(
        self, role: AccountRole, access: Access, base: botocore.session.Session, region: str, policy: str | None
    ) -> botocore.session.Session:
        """A session of the role, whose credentials are fetched when first used and again before they expire."""
        source = base.get_credentials()
        if source is None:
            where = f"the profile {access.profile}" if access.profile else "the environment"
            raise UsageError(
                f"{self._file}: accounts.{role}.role_arn: expected credentials in {where} to assume the role "
                "with, found none. Give a profile, or set the usual AWS variables. Nothing was done."
            )

        def sts(service: str, **credentials: Any) -> Any:
            return base.create_client(
                service, region_name=region, endpoint_url=self._endpoint_url, config=self._config(), **credentials
            )

        given = {"ExternalId": access.external_id, "SerialNumber": access.mfa_serial, "Policy": policy}
        fetcher = AssumeRoleCredentialFetcher(
            sts,
            source,
            str(access.role_arn),
            extra_args={"RoleSessionName": SESSION_NAME, **{name: value for name, value in given.items() if value}},
            mfa_prompter=getpass.getpass,
        )
        session = botocore.session.Session()
        session.register_component("data_loader", self._loader)
        session.register_component("credential_provider", CredentialResolver([_Assumed(fetcher)]))
        _learn_from(session)
        return session

    def _config(self) -> Config:
        # An endpoint of the user's own has one name; account ids and buckets are not put before it.
        own = {"account_id_endpoint_mode": "disabled", "s3": {"addressing_style": "path"}}
        return Config(retries=RETRIES, **(own if self._endpoint_url else {}))  # type: ignore[arg-type]


def _say_what_is_needed(parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """An answer to HEAD has no body, and so says nothing of what is missing."""
    error = parsed.get("Error", {})
    if error.get("Code") == "403" and model.name in NEEDED_BY_HEAD:
        error["Message"] = f"Forbidden, without a reason: {model.name} needs {NEEDED_BY_HEAD[model.name]}"


def _learn_from(session: botocore.session.Session) -> None:
    """Whatever credentials a request is signed with are secrets that no crash may quote from now on."""

    def signing(**_: Any) -> None:
        credentials = session.get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            learn(frozen.secret_key, frozen.token)

    session.register("request-created", signing)


def _without_account(params: dict[str, Any], **_: Any) -> None:
    """S3 Control puts the account's id before the name even of an endpoint of the user's own, and it is in a header."""
    account = params["headers"].get("x-amz-account-id", "")
    params["url"] = params["url"].replace(f"//{account}.", "//", 1)


class _Assumed(CredentialProvider):
    """Gives a session the credentials of a role."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)
