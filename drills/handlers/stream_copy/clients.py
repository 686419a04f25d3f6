"""Clients with the function's own role, and with the vault's role that trusts the function."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from .settings import Settings


@dataclass
class Vault:
    """Clients with the vault role's credentials, which hold until ``expires_at`` and are renewed in place."""

    session: boto3.Session
    expires_at: datetime

    @cached_property
    def dynamodb(self) -> Any:
        return self.session.client("dynamodb", config=CLIENT_CONFIG)

    @cached_property
    def s3(self) -> Any:
        """Made when the first record is set aside: a client costs more than a batch."""
        return self.session.client("s3", config=CLIENT_CONFIG)


_vaults: dict[Settings, Vault] = {}
_own_clients: dict[tuple[str, str], Any] = {}
"""By service and the access key they were made with."""
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=3, read_timeout=10, max_pool_connections=4
)


def vault(settings: Settings) -> Vault:
    """The vault's clients, from the role that trusts this function; kept between invocations."""
    known = _vaults.get(settings)
    if known is not None and known.expires_at - datetime.now(UTC) > timedelta(minutes=5):
        return known
    answer = own_client("sts").assume_role(
        RoleArn=settings.vault_role_arn, RoleSessionName="drills-stream-copy", ExternalId=settings.external_id
    )["Credentials"]
    keys = answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
    if known is None:
        session = boto3.Session(*keys, region_name=settings.vault_region)
        known = _vaults[settings] = Vault(session, answer["Expiration"])
        return known
    # Clients keep the object that the credentials are in, and so need not be made anew.
    credentials: Any = known.session.get_credentials()
    credentials.access_key, credentials.secret_key, credentials.token = keys
    known.expires_at = answer["Expiration"]
    return known


def own_client(service: str) -> Any:
    """A client with the function's own role, made once."""
    key = (service, os.environ.get("AWS_ACCESS_KEY_ID", ""))
    if key not in _own_clients:
        # A session of its own: the process-wide default one would keep the credentials of an earlier environment.
        _own_clients[key] = boto3.Session().client(service, config=CLIENT_CONFIG)  # type: ignore[call-overload]
    return _own_clients[key]


def forget_vault(settings: Settings) -> None:
    """The next call begins with new credentials."""
    _vaults.pop(settings, None)
