"""Clients with the function's own role, and with the role of production that trusts the vault's function."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from .settings import Settings

CLIENT_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=3, read_timeout=20)
_own_clients: dict[tuple[str, str, str], Any] = {}
"""By service, region and the access key they were made with."""
_readers: dict[tuple[str, str], Reader] = {}


def own_client(service: str, region: str | None = None) -> Any:
    """A client with the function's own role, made once."""
    key = (service, region or "", os.environ.get("AWS_ACCESS_KEY_ID", ""))
    if key not in _own_clients:
        # A session of its own: the process-wide default one would keep the credentials of an earlier environment.
        _own_clients[key] = boto3.Session().client(service, region_name=region, config=CLIENT_CONFIG)  # type: ignore[call-overload]
    return _own_clients[key]


@dataclass
class Reader:
    """A session of the role of production that trusts the vault's function, with its clients; renewed in place."""

    session: boto3.Session
    expires: datetime
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __call__(self, service: str, region: str) -> Any:
        key = (service, region)
        if key not in self.clients:
            self.clients[key] = self.session.client(service, region_name=region, config=CLIENT_CONFIG)  # type: ignore[call-overload]
        return self.clients[key]


def reader(settings: Settings) -> Callable[[str, str], Any]:
    """Makes clients with the role of production that trusts the vault's function. Each may find it out of reach."""
    return lambda service, region: _reader(settings)(service, region)


def _reader(settings: Settings) -> Reader:
    key = (settings.reader_role_arn, os.environ.get("AWS_ACCESS_KEY_ID", ""))
    known = _readers.get(key)
    if known is not None and known.expires - datetime.now(UTC) > timedelta(minutes=20):
        return known
    answer = own_client("sts").assume_role(
        RoleArn=settings.reader_role_arn, RoleSessionName="drills-snapshot-copy", ExternalId=settings.external_id
    )["Credentials"]
    keys = answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
    if known is None:
        known = _readers[key] = Reader(boto3.Session(*keys), answer["Expiration"])
        return known
    # Clients keep the object that the credentials are in, and so need not be made anew.
    credentials: Any = known.session.get_credentials()
    credentials.access_key, credentials.secret_key, credentials.token = keys
    known.expires = answer["Expiration"]
    return known
