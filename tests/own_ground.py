"""Accounts of one's own in the simulated AWS, with a table that exists, and the two files that name them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drills.cli import main
from drills.own_estate import OwnEstate
from drills.simulator import SimulatedAWS
from tests.kept_clients import client_of

PRODUCTION, VAULT, RECOVERY, ELSEWHERE = "101010101010", "202020202020", "303030303030", "404040404040"
PROFILES = {"prod": PRODUCTION, "vault": VAULT, "clean": RECOVERY, "stranger": ELSEWHERE}
TABLE = "prod-bookings"
ESTATE = f"""
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: bookings
    exists: {TABLE}
    kind: dynamodb
    key: {{partition: guest, sort: booking}}
    indexes:
      - {{name: by-day, partition: day}}
    protections: PROTECTIONS
"""
ALL = "[dynamodb_pitr, dynamodb_system_backup, {dynamodb_backup: {every: 1h, keep: 2}}, dynamodb_stream_copy]"
ACCOUNTS = """
accounts:
  production: {profile: prod}
  vault: {profile: vault}
  recovery: {profile: clean}
"""


def item(number: int) -> dict[str, Any]:
    return {
        "guest": {"S": f"G-{number:03d}"},
        "booking": {"N": str(number)},
        "day": {"S": f"2026-01-{number % 28 + 1:02d}"},
        "price": {"N": "12345678901234567890.123456789"},
        "extras": {"SS": ["late", "parking"]},
    }


@dataclass
class Ground:
    """A folder with both files, and the simulated AWS they lead to."""

    folder: Path
    aws: SimulatedAWS
    text: str = ESTATE

    def estate(self, protections: str = ALL) -> str:
        path = self.folder / "hotel.yaml"
        path.write_text(self.text.replace("PROTECTIONS", protections))
        return str(path)

    def accounts(self, text: str = ACCOUNTS) -> Path:
        path = self.folder / "accounts.yaml"
        path.write_text(text)
        return path

    def own(self, protections: str = ALL, accounts: str = ACCOUNTS) -> OwnEstate:
        """Opened with the simulated clock, so that one worker does everything in turn."""
        self.told: list[str] = []
        return OwnEstate(self.estate(protections), self.accounts(accounts), self.aws.clock, self.told.append)

    def client(self, service: str, account: str = PRODUCTION, region: str = "eu-west-1") -> Any:
        return client_of(self.aws, account, service, region)

    def make_table(self, items: int = 30, name: str = TABLE) -> None:
        dynamodb = self.client("dynamodb")
        dynamodb.create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": "guest", "KeyType": "HASH"},
                {"AttributeName": "booking", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "guest", "AttributeType": "S"},
                {"AttributeName": "booking", "AttributeType": "N"},
                {"AttributeName": "day", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-day",
                    "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "team", "Value": "front-desk"}],
        )
        self.aws.clock.sleep(60)
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "delete_after"}
        )
        self.put(range(items), name)

    def put(self, numbers: Any, name: str = TABLE) -> None:
        dynamodb = self.client("dynamodb")
        for number in numbers:
            dynamodb.put_item(TableName=name, Item=item(number))

    def erase(self, name: str = TABLE) -> None:
        dynamodb = self.client("dynamodb")
        for found in self.items(name).values():
            dynamodb.delete_item(TableName=name, Key={"guest": found["guest"], "booking": found["booking"]})

    def items(self, name: str = TABLE, account: str = PRODUCTION, region: str = "eu-west-1") -> Mapping[str, Any]:
        pages = self.client("dynamodb", account, region).get_paginator("scan").paginate(TableName=name)
        return {found["guest"]["S"]: found for page in pages for found in page["Items"]}

    def tables(self, account: str = PRODUCTION, region: str = "eu-west-1") -> list[str]:
        return list(self.client("dynamodb", account, region).list_tables()["TableNames"])

    def run(self, command: str, *more: str, protections: str = ALL, accounts: str = ACCOUNTS) -> int:
        """The exit code of a command on the two files."""
        with pytest.raises(SystemExit) as left:
            main([command, self.estate(protections), "--on", str(self.accounts(accounts)), *more])
        assert isinstance(left.value.code, int)
        return left.value.code


@contextmanager
def own_ground(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with SimulatedAWS(seed=3) as aws:
        write_profiles(folder, aws, monkeypatch)
        yield Ground(folder, aws)


def write_profiles(folder: Path, aws: SimulatedAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credentials file with an administrator's key of each account, and nothing else in the environment."""
    lines = []
    for profile, account in PROFILES.items():
        credentials = aws.session(account).get_credentials()
        assert credentials is not None
        key = credentials.get_frozen_credentials()
        lines += [f"[{profile}]", f"aws_access_key_id = {key.access_key}", f"aws_secret_access_key = {key.secret_key}"]
    (folder / "credentials").write_text("\n".join(lines))
    (folder / "config").write_text("")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
