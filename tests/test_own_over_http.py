"""The commands against a server on loopback, with the wall clock: plain moto, without the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import time_machine
from moto.server import ThreadedMotoServer

from drills.cli import main

PRODUCTION, VAULT = "123456789012", "222222222222"
ESTATE = f"""
accounts: {{production: {{id: "{PRODUCTION}", region: eu-west-1}}}}
stores:
  - {{name: bookings, exists: prod-bookings, kind: dynamodb, key: {{partition: guest}}, protections: [dynamodb_backup]}}
  - {{name: invoices, exists: prod-invoices, kind: s3, protections: [s3_versioning]}}
"""
ACCOUNTS = """
endpoint_url: URL
accounts:
  production: {profile: here}
  vault: {role_arn: "arn:aws:iam::222222222222:role/drills", profile: here}
"""


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with the two stores, and a folder with the two files."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    key = "[here]\naws_access_key_id = testing\naws_secret_access_key = testing\n"
    (tmp_path / "credentials").write_text(key)
    (tmp_path / "config").write_text("")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        (tmp_path / "hotel.yaml").write_text(ESTATE)
        (tmp_path / "accounts.yaml").write_text(ACCOUNTS.replace("URL", f"http://{host}:{port}"))
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def run(command: str, *more: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([command, "hotel.yaml", "--on", "accounts.yaml", *more])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_from_protecting_to_restoring(endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    session = boto3.Session(profile_name="here", region_name="eu-west-1")
    dynamodb, s3 = session.client("dynamodb", endpoint_url=endpoint), session.client("s3", endpoint_url=endpoint)
    dynamodb.create_table(
        TableName="prod-bookings",
        KeySchema=[{"AttributeName": "guest", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "guest", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket="prod-invoices", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(20):
        dynamodb.put_item(TableName="prod-bookings", Item={"guest": {"S": f"G-{number}"}})
    assert run("protect") == 0
    assert run("status") == 0
    for number in range(5):
        s3.put_object(Bucket="prod-invoices", Key=f"2026/{number}.pdf", Body=b"%d" % number)
    for number in range(20):
        dynamodb.delete_item(TableName="prod-bookings", Key={"guest": {"S": f"G-{number}"}})

    assert run("restore", "--store", "bookings", "--into", "production", "--as", "bookings-2", "--yes") == 0
    assert "bookings: pass: records: 20 records read back" in capsys.readouterr().out
    assert dynamodb.scan(TableName="bookings-2")["Count"] == 20
    assert dynamodb.scan(TableName="prod-bookings")["Count"] == 0

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
        for number in range(5):
            s3.put_object(Bucket="prod-invoices", Key=f"2026/{number}.pdf", Body=b"ruined")
        s3.put_object(Bucket="prod-invoices", Key="2026/new.pdf", Body=b"ruined")
        back = ["restore", "--store", "invoices", "--into", "production", "--to", "-5m", "--yes"]
        assert run(*back) == 2
        assert "over what is there now: if that is meant, give --in-place" in capsys.readouterr().err
        assert run(*back, "--in-place") == 0
        assert "put invoices by s3_versioning" in capsys.readouterr().out
        assert bodies(s3) == {f"2026/{number}.pdf": b"%d" % number for number in range(5)}


def bodies(s3: Any) -> dict[str, bytes]:
    found = s3.list_objects_v2(Bucket="prod-invoices")["Contents"]
    return {entry["Key"]: s3.get_object(Bucket="prod-invoices", Key=entry["Key"])["Body"].read() for entry in found}


def test_the_wrong_account_over_http(endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("hotel.yaml")
    path.write_text(path.read_text().replace(PRODUCTION, "999999999999"))
    assert run("protect") == 2
    assert f"accounts.production leads into account {PRODUCTION}; expected 999999999999" in capsys.readouterr().err


def test_nobody_answers(endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("accounts.yaml")
    path.write_text(path.read_text().replace(endpoint, "http://127.0.0.1:9"))
    assert run("protect") == 2
    assert "found: EndpointConnectionError: Could not connect" in capsys.readouterr().err
