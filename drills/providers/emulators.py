"""Implementations of AWS's API that are known, how each is recognised, and what each lacks, as it was seen.

``tests/providers/test_foreign_endpoints.py`` asks each for every capability that can be asked for, through plain
clients, and fails where the answer and this table differ. An endpoint that is none of these is taken for AWS's equal,
unless the provider file says what it lacks.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from drills.providers.capabilities import CAPABILITIES

PROBE_SECONDS = 5
READ_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Emulator:
    """``page``: the path of its own that it tells who it is at; ``says``: what stands there, a regular expression.

    ``lacks``: capabilities by name (``drills.providers.capabilities``), each with what was seen instead.
    """

    name: str
    page: str
    says: bytes
    lacks: Mapping[str, str]


NO_ROWS = "{}'s databases hold no rows and take no connections"


def _no_databases(name: str) -> Mapping[str, str]:
    """Where an instance takes no connections, nothing that is said of its snapshots and replicas can be true."""
    return {capability: NO_ROWS.format(name) for capability in CAPABILITIES if capability.partition(".")[0] == "rds"}


MOTO = Emulator(
    "moto",
    page="/moto-api/",
    says=rb"(?i)moto",
    lacks={
        "dynamodb.pitr": "moto restores what the table holds now, whatever moment is asked for",
        "dynamodb.system_backup": "moto keeps nothing of a deleted table",
        "dynamodb.global_tables": "moto lists replicas and copies nothing into them",
        "lambda.event_sources": "moto runs functions in Docker containers",
        "lambda.schedules": "moto runs functions in Docker containers",
        **_no_databases("moto"),
        "rds.aurora_global_database": "moto lists members and copies nothing into them",
        "rds.pitr": "moto keeps no automated backups",
        "rds.read_replicas": "moto lists replicas and copies nothing into them",
        "rds.sharing": "moto notes down whom a snapshot is shared with and shows it to nobody",
        "s3.bucket_policies": "moto does not enforce policies by default",
        "s3.replication": "moto stores a replication's rules and replicates nothing",
        "s3.batch_replication": "moto does not know batch jobs",
        "sts.session_policies": "moto does not enforce policies by default",
    },
)
MINISTACK = Emulator(
    "MiniStack",
    page="/_ministack/health",
    says=rb'"services"',
    lacks={
        **_no_databases("MiniStack"),
        "dynamodb.autoscaling": "MiniStack does not know Application Auto Scaling",
        "dynamodb.pitr": "MiniStack restores what the table holds now, whatever moment is asked for",
        "dynamodb.system_backup": "MiniStack keeps nothing of a deleted table",
        "organizations": "MiniStack tells each account that it is the management account of an organization of its own",
        "s3.replication": "MiniStack gives replicas version ids of their own and shows no account another's bucket",
        "s3.bucket_policies": "MiniStack does not enforce policies by default",
        "s3.batch_replication": "MiniStack has no batch jobs",
        "sts.session_policies": "MiniStack does not enforce policies by default",
    },
)
LOCALEMU = Emulator(
    "LocalEmu",
    page="/_localemu/info",
    says=rb'"version"',
    lacks={
        **_no_databases("LocalEmu"),
        "dynamodb.global_tables": "LocalEmu takes the request for a replica and makes none",
        "dynamodb.pitr": "LocalEmu restores what the table holds now, whatever moment is asked for",
        "dynamodb.system_backup": "LocalEmu keeps nothing of a deleted table",
        "lambda.event_sources": "LocalEmu runs functions in Docker containers",
        "lambda.schedules": "LocalEmu runs functions in Docker containers",
        "s3.bucket_policies": "LocalEmu does not enforce policies by default",
        "s3.replication": "LocalEmu replicates nothing to another account's bucket whose policy lets in the "
        "replication's role only",
        "s3.batch_replication": "LocalEmu has no batch replication",
        "sts.session_policies": "LocalEmu does not enforce policies by default",
    },
)
EMULATORS = (MOTO, LOCALEMU, MINISTACK)


def recognised(endpoint_url: str) -> Emulator | None:
    """Which of the known ones answers at this endpoint; None for any other, and where nobody answers."""
    return next((emulator for emulator in EMULATORS if _is(emulator, endpoint_url)), None)


def _is(emulator: Emulator, endpoint_url: str) -> bool:
    try:
        with urllib.request.urlopen(endpoint_url.rstrip("/") + emulator.page, timeout=PROBE_SECONDS) as answer:
            return re.search(emulator.says, answer.read(READ_BYTES)) is not None
    except (urllib.error.URLError, OSError, ValueError):
        return False
