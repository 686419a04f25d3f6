"""Implementations of AWS's API that nobody here wrote, each started as a process on loopback that ends with the tests.

None is a dependency: an environment variable names the command of each that is installed, in an environment of its own.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills.providers.emulators import LOCALEMU, MINISTACK, MOTO, Emulator
from tests.sandbox_ground import ACCOUNTS, REGIONS, Ground, free_port, moto_server

STARTING_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Foreign:
    """How one is started. ``variable`` names its command in the environment; PORT stands for the port."""

    emulator: Emulator
    variable: str
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] | None = None
    reset: str | None = None
    """Where a POST makes it forget everything; None where it must be swept."""


FOREIGN = {
    one.emulator.name: one
    for one in (
        Foreign(MOTO, "", reset="/moto-api/reset"),
        Foreign(
            LOCALEMU,
            "DRILLS_LOCALEMU",
            ("start", "--host", "127.0.0.1", "--port", "PORT"),
            # Its default server listens on all interfaces whatever host it is given.
            {"GATEWAY_SERVER": "hypercorn", "GATEWAY_LISTEN": "127.0.0.1:PORT"},
        ),
        Foreign(
            MINISTACK,
            "DRILLS_MINISTACK",
            (),
            {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": "PORT"},
            reset="/_ministack/reset",
        ),
    )
}


@contextmanager
def serving(name: str, folder: Path) -> Iterator[str]:
    """The address of one that runs; skips where it is not installed. ``folder``: where it is started and logs."""
    foreign = FOREIGN[name]
    if foreign.emulator is MOTO:
        with moto_server() as url:
            yield url
        return
    command = os.environ.get(foreign.variable)
    if not command:
        pytest.skip(f"{name} is not installed here: {foreign.variable} names no command (see CONTRIBUTING)")
    port = free_port()
    settings = {key: value.replace("PORT", str(port)) for key, value in (foreign.settings or {}).items()}
    arguments = [value.replace("PORT", str(port)) for value in foreign.arguments]
    with (folder / f"{name}.log").open("wb") as log:
        server = subprocess.Popen(
            [*shlex.split(command), *arguments],
            cwd=folder,
            env={**_environment(), **settings},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url + foreign.emulator.page, server, folder / f"{name}.log")
            yield url
        finally:
            _end(server)


def _environment() -> dict[str, str]:
    """Nothing of this process's AWS settings, nor of its Python's."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PYTHON", "DRILLS_"))}


def _wait(page: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(page, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"it did not answer at {page}; its log ends {log.read_text()[-2000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """The server and all that it started, which are one process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(timeout=20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def sweep(ground: Ground) -> None:
    """Delete tables, buckets and aliases of the three accounts, where nothing else empties them."""
    for role in ACCOUNTS:
        iam = ground.client("iam", role)
        for alias in iam.list_account_aliases()["AccountAliases"]:
            iam.delete_account_alias(AccountAlias=alias)
        for region in REGIONS.values():
            dynamodb = ground.client("dynamodb", role, region)
            for name in dynamodb.list_tables()["TableNames"]:
                dynamodb.delete_table(TableName=name)
        _sweep_buckets(ground.client("s3", role))


def _sweep_buckets(s3: Any) -> None:
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        try:
            listed = s3.list_object_versions(Bucket=name)
        except ClientError:
            continue
        for entry in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])
        s3.delete_bucket(Bucket=name)


def seen(ground: Ground) -> dict[str, list[str]]:
    """By kind, the names of all resources that a drill could have made, in the three accounts and their regions."""
    found: dict[str, list[str]] = {kind: [] for kind in ("table", "backup", "bucket", "role", "rule", "alarm", "queue")}
    found |= {"function": [], "parameter": []}
    for role in ACCOUNTS:
        found["bucket"] += [one["Name"] for one in ground.client("s3", role).list_buckets()["Buckets"]]
        found["role"] += [one["RoleName"] for one in ground.client("iam", role).list_roles()["Roles"]]
        for region in REGIONS.values():
            here = {
                service: ground.client(service, role, region)
                for service in ("dynamodb", "events", "cloudwatch", "sqs", "lambda", "ssm")
            }
            found["table"] += here["dynamodb"].list_tables()["TableNames"]
            found["backup"] += [one["BackupName"] for one in here["dynamodb"].list_backups()["BackupSummaries"]]
            found["rule"] += [one["Name"] for one in here["events"].list_rules()["Rules"]]
            found["alarm"] += [one["AlarmName"] for one in here["cloudwatch"].describe_alarms()["MetricAlarms"]]
            found["queue"] += here["sqs"].list_queues().get("QueueUrls", [])
            found["function"] += [one["FunctionName"] for one in here["lambda"].list_functions()["Functions"]]
            found["parameter"] += [one["Name"] for one in here["ssm"].describe_parameters()["Parameters"]]
    return found
