"""Where the behaviour tests of S3 run: in a simulated AWS, or at the endpoint that DRILLS_ENDPOINT_URL names.

The same steps run at both, so that other implementations of S3 can be asked as well. Only endpoints on this machine are
called. What only the simulated AWS can do is declared, by ``ground.simulated()`` in a test or the marker
``simulated_aws`` on it, and is skipped at an endpoint.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from drills.simulator import SimulatedAWS

ENDPOINT = os.environ.get("DRILLS_ENDPOINT_URL", "")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SIMULATED_ONLY = "needs the simulated AWS: its clock, its accounts, roles and policies, its faults or its replication"
ONE, TWO = "111111111111", "222222222222"
REGION = "us-east-1"
ENABLED, SUSPENDED = {"Status": "Enabled"}, {"Status": "Suspended"}


@dataclass
class S3Ground:
    """Plain boto3 clients, and buckets of names that are free."""

    aws: SimulatedAWS | None = None
    endpoint: str = ""
    made: list[tuple[Any, str]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def client(self, account: str = ONE, region: str = REGION, **config: Any) -> Any:
        if self.aws is not None:
            return self.aws.session(account, region).client("s3", config=Config(**config))
        # Elsewhere the access key's id is a common way to tell the account; a presigned URL is judged by the secret.
        keys: Any = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        path_style = Config(s3={"addressing_style": "path"}, **config) if self.endpoint else Config(**config)
        return boto3.client("s3", region_name=region, endpoint_url=self.endpoint or None, config=path_style, **keys)

    def simulated(self) -> SimulatedAWS:
        """The simulated AWS itself; skips the test at an endpoint."""
        if self.aws is None:
            pytest.skip(SIMULATED_ONLY)
        return self.aws

    def bucket(self, client: Any, *, versioned: bool = False, locked: bool = False, region: str = REGION) -> str:
        name = f"drills-{next(self._numbers)}" + (f"-{uuid.uuid4().hex[:12]}" if self.endpoint else "")
        more: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if locked else {}
        if region != REGION:
            more["CreateBucketConfiguration"] = {"LocationConstraint": region}
        client.create_bucket(Bucket=name, **more)
        self.made.append((client, name))
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration=ENABLED)
        return name


@contextmanager
def simulated() -> Iterator[S3Ground]:
    with SimulatedAWS(seed=5) as aws:
        yield S3Ground(aws=aws)


@contextmanager
def at_endpoint(url: str) -> Iterator[S3Ground]:
    if urlsplit(url).hostname not in LOOPBACK:
        raise ValueError(f"DRILLS_ENDPOINT_URL is {url}: these tests write and delete, and call this machine only")
    ground = S3Ground(endpoint=url)
    try:
        yield ground
    finally:
        for client, name in ground.made:
            _clear(client, name)


def _clear(client: Any, bucket: str) -> None:
    """As far as locks allow it; what stays is in a bucket of a name that nobody else has."""
    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
        client.delete_bucket(Bucket=bucket)
    except ClientError:
        return


@contextmanager
def plain_moto() -> Iterator[S3Ground]:
    """What a twin runs on: it asserts what plain moto does wrong, and fails the day that moto does it right."""
    with mock_aws():
        yield S3Ground()


# --- What the tests read of answers ----------------------------------------------------------------------------------


def refusal(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """S3's error code, empty when the call went well."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def refused(call: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The whole answer of a refused call."""
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return dict(caught.value.response)


def versions(client: Any, bucket: str, **arguments: Any) -> list[tuple[str, str, bool, bool]]:
    """Key, version id, whether it is the latest, whether it is a marker; in the order of keys, latest first."""
    answer = client.list_object_versions(Bucket=bucket, **arguments)
    found = [(one, False) for one in answer.get("Versions", [])] + [
        (one, True) for one in answer.get("DeleteMarkers", [])
    ]
    rows = [(one["Key"], one["VersionId"], one["IsLatest"], marker) for one, marker in found]
    return sorted(rows, key=lambda row: (row[0], not row[2]))


def body(client: Any, bucket: str, key: str, **arguments: Any) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read())
