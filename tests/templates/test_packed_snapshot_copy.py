"""The snapshot copy's package as Lambda would run it, over HTTP against plain moto."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from drills.snapshot_copy import SnapshotCopy
from drills.templates import load
from tests.templates.lambda_process import RUNTIME, Invoked, invoke

COPY = SnapshotCopy("123456789012", "us-east-1", "222222222222", "eu-west-1", "orders")
KEY = "arn:aws:kms:eu-west-1:123456789012:key/k"


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        reset(f"http://{host}:{port}")
        yield f"http://{host}:{port}"
        reset(f"http://{host}:{port}")
    finally:
        server.stop()


def reset(endpoint: str) -> None:
    """Moto keeps its state in the process, whichever server asks for it."""
    with urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")):
        pass


def run(endpoint: str, folder: Path, side: str) -> Invoked:
    (package,) = load("snapshot-copy").of_any({}).packages.values()
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
    environment = {**keys, **region, **COPY.settings(KEY, KEY).as_environment()}
    return invoke(folder, package, f"snapshot_copy.{side}_handler", environment, [{}])


def test_production_takes_a_snapshot_of_what_is_chosen(endpoint: str, tmp_path: Path) -> None:
    rds: Any = boto3.client(
        "rds", "us-east-1", endpoint_url=endpoint, aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    rds.create_db_instance(
        DBInstanceIdentifier="orders", DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20
    )
    invoked = run(endpoint, tmp_path, "production")
    assert set(invoked.tops) - {"__main__", "__mp_main__", "snapshot_copy"} <= set(RUNTIME)
    found = [one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots()["DBSnapshots"]]
    assert [name for name in found if name.startswith(f"{COPY.prefix}-")], invoked.told
