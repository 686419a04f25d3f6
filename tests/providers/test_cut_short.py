"""Drills that are killed at any moment: what they made is deleted by their record, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drills.intentions import FILE, read_intentions
from tests.bystanders import Bystander
from tests.made_and_killed import DRILL, NAME
from tests.sandbox_ground import ACCOUNTS, REGIONS, Ground

CALLS = 39
"""How many changes ``make_everything`` makes; a test holds it to that."""
SIMILAR: Mapping[str, dict[str, str]] = {
    f"{NAME}-orders": {"drills:store": "people", "team": "accounts"},
    NAME[:-1]: {"drills:drill": f"{DRILL}0", "drills:store": "people"},
    f"{NAME}-restored2": {"drills:drill": DRILL, "drills:store": "people"},
}
"""Others' resources: by name, and their tags; the last are copied from the drill's."""


@dataclass
class _Session:
    ground: Ground
    role: str
    region: str
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.ground.client(service, self.role, self.region)
        return self.clients[service]


@dataclass
class _Accounts:
    """What Bystander asks for sessions."""

    ground: Ground

    def session(self, account: str, region: str) -> _Session:
        role = next(role for role, id in ACCOUNTS.items() if id == account)
        return _Session(self.ground, role, region)


def settle(
    ground: Ground, roles: Collection[str] = tuple(ACCOUNTS), names: Collection[str] = tuple(SIMILAR)
) -> list[Bystander]:
    """Bystanders in each account; whoever is returned sees all of its account's home region."""
    ground.file()
    seers = []
    for role in roles:
        for name in names:
            account, tags = ACCOUNTS[role], SIMILAR[name]
            seer = Bystander(_Accounts(ground), account, REGIONS[role], name, tags)  # type: ignore[arg-type]
            seer.make_all()
            if role == "production":
                seer.make_database()
        seers.append(seer)
    return seers


def seen(bystanders: list[Bystander]) -> dict[str, str]:
    return {name: about for one in bystanders for name, about in one.seen().items()}


def make(ground: Ground, moment: str, number: int = 0) -> Path:
    """The folder of a drill that made everything, and was killed at that moment."""
    folder = ground.folder / "drill"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.made_and_killed", str(folder), ground.url, moment, str(number)]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    ended = subprocess.run(
        command,
        cwd=ground.folder,
        env=path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == (0 if moment == "never" else -signal.SIGKILL), ended.stderr.decode()
    return folder


def held_against(ground: Ground, moment: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Make, kill, clean up twice: the accounts are as they were."""
    bystanders = settle(ground)
    before = seen(bystanders)
    make(ground, moment, number)
    for _ in range(2):
        code = ground.drills("cleanup", "drill")
        told, complaint = capsys.readouterr()
        # 3: others carry copied tags, and are told of.
        assert code == 3, told + complaint
        assert "LEFT" not in told
        assert "could not be looked for" not in told
        assert seen(bystanders) == before
        keys = ground.client("kms", "vault")
        states = [keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] for key in keys.list_keys()["Keys"]]
        assert set(states) <= {"PendingDeletion"}
        assert scaled(ground) == []
    copied = [line for line in told.splitlines() if line.startswith("not this drill's: ")]
    assert all(f"{NAME}-restored2" in line for line in copied)
    assert {line.split()[3] for line in copied} >= {"table", "queue", "bucket", "role", "rule", "alarm", "parameter"}
    assert any(line.startswith("not this drill's: DB instance ") for line in copied)
    assert any(line.startswith("not this drill's: secret ") for line in copied)


def scaled(ground: Ground) -> list[Any]:
    client = ground.client("application-autoscaling", "production")
    return list(client.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"])


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("torn", 7),
        pytest.param("never", 0, marks=pytest.mark.soak),
        pytest.param("before", 37, marks=pytest.mark.soak),
        *(pytest.param("after", number, marks=pytest.mark.soak) for number in (3, 4, 25, 30, 33, 39)),
    ],
)
def test_killed_and_cleaned_up_twice(
    moment: str, number: int, ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    held_against(ground, moment, number, capsys)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(1, CALLS + 1))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_call(moment: str, number: int, ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    held_against(ground, moment, number, capsys)


def test_every_intention_is_told_of_and_no_content_is(ground: Ground) -> None:
    ground.file()
    folder = make(ground, "never")
    lines = [json.loads(line) for line in (folder / FILE).read_bytes().splitlines()]
    intentions = [line for line in lines if line["kind"] == "intention"]
    assert [line["number"] for line in intentions] == list(range(1, CALLS + 1))
    assert {line["number"] for line in lines if line["kind"] == "done"} == set(range(1, CALLS + 1))
    first = intentions[0]
    assert (first["service"], first["operation"], first["role"]) == ("dynamodb", "CreateTable", "production")
    assert first["makes"] == first["new"] == [["table", ACCOUNTS["production"], "eu-west-1", NAME]]
    assert b"what nobody may read" not in (folder / FILE).read_bytes()
    kinds = {resource.kind for resource in read_intentions(folder).made}
    assert kinds >= {"table", "backup", "bucket", "role", "queue", "function", "event source mapping", "key", "alias"}
    assert kinds >= {"DB instance", "DB cluster", "DB snapshot", "DB cluster snapshot", "DB parameter group", "secret"}
