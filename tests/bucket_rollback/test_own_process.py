"""What users run sends its copies without boto3: the commands in a process of their own, as a shell starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from tests.benchmarks.s3_endpoint import ACCOUNT, client_of

ESTATE = f"""
accounts: {{production: {{id: "{ACCOUNT}", region: eu-west-1}}}}
stores: [{{name: invoices, exists: prod-invoices, kind: s3, protections: [s3_versioning]}}]
"""
ACCOUNTS = """
endpoint_url: URL
accounts: {production: {profile: here}}
"""
COMMAND = """
import json, sys
from botocore.endpoint import Endpoint
from drills.cli import main

sent, whole = [], Endpoint.make_request

def make_request(self, model, request):
    sent.append(model.name)
    return whole(self, model, request)

Endpoint.make_request = make_request
try:
    main(sys.argv[1:])
finally:
    print(json.dumps({"sent": sent, "moto": "moto" in sys.modules}))
"""


@pytest.fixture
def server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        server.stop()


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"), "AWS_CONFIG_FILE": str(folder / "config")}
    command = [sys.executable, "-c", COMMAND, arguments[0], "hotel.yaml", "--on", "accounts.yaml", *arguments[1:]]
    done = subprocess.run(command, cwd=folder, env={**given, **files}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_restore_copies_without_boto3(server: str, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[here]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (tmp_path / "config").write_text("")
    (tmp_path / "hotel.yaml").write_text(ESTATE)
    (tmp_path / "accounts.yaml").write_text(ACCOUNTS.replace("URL", server))
    s3 = client_of(server)
    s3.create_bucket(Bucket="prod-invoices", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    run(tmp_path, "protect")
    backend, keys = s3_backends[ACCOUNT]["aws"], [f"2026/{number}.pdf" for number in range(5)]
    for body, ago in ((b"good", 2), (b"ruined", 1)):
        for key in keys:
            s3.put_object(Bucket="prod-invoices", Key=key, Body=body)
            backend.get_object("prod-invoices", key).last_modified -= timedelta(hours=ago)
    told = run(
        tmp_path, "restore", "--store", "invoices", "--into", "production", "--to", "-90m", "--yes", "--in-place"
    )
    assert not told["moto"]
    assert "CopyObject" not in told["sent"]
    assert {s3.get_object(Bucket="prod-invoices", Key=key)["Body"].read() for key in keys} == {b"good"}
