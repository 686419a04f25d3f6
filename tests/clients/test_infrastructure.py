"""An estate made by infrastructure code and deleted by it, at endpoints over HTTP; drills protects and restores it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from drills.cli import main
from tests.clients.infrastructure import CLIENTS, HERE, UNCHANGED, Infrastructure
from tests.clients.simulated import simulated
from tests.sandbox_ground import moto_server

ACCOUNT = "123456789012"
ESTATE = f"""
accounts: {{production: {{id: "{ACCOUNT}", region: eu-west-1}}}}
stores:
  - name: bookings
    exists: prod-bookings
    kind: dynamodb
    key: {{partition: guest, sort: night}}
    protections: PROTECTIONS
  - {{name: invoices, exists: prod-invoices, kind: s3, protections: [s3_versioning]}}
"""
ACCOUNTS = """
endpoint_url: URL
accounts: {production: {profile: here}}
"""
SERVERS = {"moto": moto_server, "simulated": simulated}
PROTECTIONS = {"moto": "[dynamodb_backup]", "simulated": "[dynamodb_pitr, dynamodb_system_backup]"}
"""What there is of a table that outlives its deletion, and what that needs."""
UNABLE = {("moto", "ansible"): "Module failed: 'table_id'"}
"""Which client cannot make the estate where, and what it says: plain moto tells no id of a table."""


@pytest.fixture(params=sorted(SERVERS))
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Which server it is and its address; the two files are in the folder where the test runs."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text("[here]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
    (tmp_path / "config").write_text("")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with SERVERS[request.param]() as url:
        (tmp_path / "hotel.yaml").write_text(ESTATE.replace("PROTECTIONS", PROTECTIONS[request.param]))
        (tmp_path / "accounts.yaml").write_text(ACCOUNTS.replace("URL", url))
        yield request.param, url


@pytest.fixture(params=sorted(CLIENTS))
def infrastructure(request: pytest.FixtureRequest, served: tuple[str, str], tmp_path: Path) -> Infrastructure:
    folder = tmp_path / "infrastructure"
    folder.mkdir()
    return CLIENTS[request.param](folder, served[1])


def run(command: str, *more: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([command, "hotel.yaml", "--on", "accounts.yaml", *more])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_what_infrastructure_code_deletes_is_restored(
    served: tuple[str, str],
    infrastructure: Infrastructure,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    session = boto3.Session(profile_name="here", region_name="eu-west-1")
    dynamodb, s3 = session.client("dynamodb", endpoint_url=served[1]), session.client("s3", endpoint_url=served[1])
    client = request.node.callspec.params["infrastructure"]
    if (served[0], client) in UNABLE:
        with pytest.raises(AssertionError, match=UNABLE[served[0], client]):
            infrastructure.make()
        return
    infrastructure.make()
    assert UNCHANGED[client] in infrastructure.make()
    described = dynamodb.describe_table(TableName="prod-bookings")["Table"]
    assert {key["AttributeName"] for key in described["KeySchema"]} == {"guest", "night"}
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == ["by-room"]
    assert s3.get_bucket_versioning(Bucket="prod-invoices")["Status"] == "Enabled"
    items = [{"guest": {"S": f"G-{n}"}, "night": {"N": str(n)}, "room": {"S": f"R-{n % 3}"}} for n in range(20)]
    for item in items:
        dynamodb.put_item(TableName="prod-bookings", Item=item)
    s3.put_object(Bucket="prod-invoices", Key="2026/1.pdf", Body=b"1")
    assert run("protect") == 0

    infrastructure.delete()
    assert dynamodb.list_tables()["TableNames"] == []
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket="prod-invoices")

    capsys.readouterr()
    back = ["restore", "--store", "bookings", "--into", "production", "--as", "prod-bookings", "--yes"]
    assert run(*back) == 0, capsys.readouterr()
    assert "bookings: pass: records: 20 records read back" in capsys.readouterr().out
    assert sorted(dynamodb.scan(TableName="prod-bookings")["Items"], key=str) == sorted(items, key=str)
    # Versions go with the bucket.
    assert run("restore", "--store", "invoices", "--into", "production", "--as", "prod-invoices", "--yes") != 0
    # What the restore made is what the code describes: but for what a backup leaves out, it has nothing to do.
    infrastructure.make()
    assert dynamodb.scan(TableName="prod-bookings")["Count"] == 20


def test_the_configuration_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not on PATH")
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", str(HERE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
