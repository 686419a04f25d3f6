"""Sandbox accounts of a simulated AWS, with databases of others in them, reached as real ones are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drills import engine
from drills.drill_plan import Plan, ScenarioUse
from drills.estate import parse_estate
from drills.ownership import DRILL_TAG
from drills.plugins import load_scenario
from drills.providers.sandbox import SandboxProvider
from drills.sandbox_file import parse_sandbox
from drills.simulator import SimulatedAWS
from tests.own_ground import PRODUCTION, RECOVERY, VAULT, write_profiles
from tests.providers.test_sandbox_permissions import FILE, LateClock

HEAD = f"""
summary: One ledger of payments.
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
"""
STORE = """
  - name: payments
    kind: rds
    engine: ENGINE
    customer_key: true
    parameters: {work_mem: 16384}
    database: books
    application: teller
    schema: |
      CREATE TABLE payments (id text PRIMARY KEY, amount numeric(12,2) NOT NULL, note text);
      CREATE ROLE teller LOGIN;
      GRANT SELECT, INSERT, UPDATE, DELETE ON payments TO teller;
    tables:
      payments: {key: id, columns: {id: text, amount: "numeric(12,2)", note: text}}
    records:
      id: {sequence: "PAY-{n:06d}"}
      amount: {decimal: {max: 4999.99, places: 2}}
      note: {template: "of {id}"}
    workload: {writes_per_minute: 4, inserts: 3, updates: 4, deletes: 1}
    protections: PROTECTIONS
    objectives: {rto: 4h, rpo: 2h}
    production: {size_gb: 100, items: 10_000_000}
"""
TAIL = """
response: {detect: {default: 10m}, decide: 1m}
workload_minutes: 5
"""
PLACES = (
    *((PRODUCTION, region) for region in ("eu-west-1", "eu-central-1", "eu-north-1")),
    (VAULT, "eu-central-1"),
    (RECOVERY, "eu-central-1"),
    (RECOVERY, "eu-north-1"),
)
"""Where a drill of a database makes anything."""
VOLATILE = {"ResponseMetadata", "LatestRestorableTime", "LastChangedDate", "LastAccessedDate"}
LISTS = (
    ("rds", "describe_db_instances", "DBInstances"),
    ("rds", "describe_db_clusters", "DBClusters"),
    ("rds", "describe_global_clusters", "GlobalClusters"),
    ("rds", "describe_db_snapshots", "DBSnapshots"),
    ("rds", "describe_db_cluster_snapshots", "DBClusterSnapshots"),
    ("rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups"),
    ("rds", "describe_db_cluster_parameter_groups", "DBClusterParameterGroups"),
    ("secretsmanager", "list_secrets", "SecretList"),
    ("lambda", "list_functions", "Functions"),
    ("events", "list_rules", "Rules"),
    ("logs", "describe_log_groups", "logGroups"),
    ("ssm", "describe_parameters", "Parameters"),
)


def text(protections: str, kind: str = "postgres") -> str:
    return HEAD + STORE.replace("ENGINE", kind).replace("PROTECTIONS", protections) + TAIL


def plan_of(provider: SandboxProvider, estate: str, scenario: str, records: int = 20) -> Plan:
    """The plan of one scenario with its default variant; not rehearsed."""
    parsed = provider.given.of(parse_estate(estate, file="small.yaml", name="small", folder=Path("fixtures")))
    found = load_scenario(scenario)
    use = ScenarioUse(scenario, next(iter(found.variants), ""), found)
    return engine.plan(parsed, [use], provider, 3, records=records)


def _names(one: dict[str, Any]) -> Iterator[str]:
    yield from (str(value) for name, value in one.items() if name.endswith(("Arn", "ARN", "arn")) and value)
    yield str(one.get("Name", "~"))


def _steady(about: Any) -> Any:
    if isinstance(about, dict):
        return {key: _steady(value) for key, value in about.items() if key not in VOLATILE}
    return [_steady(one) for one in about] if isinstance(about, list) else about


@dataclass
class Sandbox:
    """The accounts, and a provider that reaches them as it would reach real ones."""

    aws: SimulatedAWS
    provider: SandboxProvider
    folder: Path
    clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)

    def client(self, service: str, account: str = PRODUCTION, region: str = "eu-west-1") -> Any:
        key = (service, account, region)
        if key not in self.clients:
            self.clients[key] = self.aws.session(account).client(service, region_name=region)  # type: ignore[call-overload]
        return self.clients[key]

    def seen(self) -> dict[str, str]:
        """All that can be seen of databases and of what goes with them, and keys that are in use."""
        found = {}
        for account, region in PLACES:
            for service, call, member in LISTS:
                client = self.client(service, account, region)
                pages = (
                    client.get_paginator(call).paginate() if client.can_paginate(call) else [getattr(client, call)()]
                )
                for one in (each for page in pages for each in page[member]):
                    if ":default." in min(_names(one)):
                        continue  # A group of AWS's own, which appears with the first database of a region.
                    about = json.dumps(_steady(one), sort_keys=True, default=str)
                    found[f"{account} {region} {call} {min(_names(one))}"] = about
            kms = self.client("kms", account, region)
            for key in kms.list_keys()["Keys"]:
                about = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
                if about["KeyState"] == "Enabled" and about["KeyManager"] == "CUSTOMER":
                    found[f"{account} {region} key {key['KeyId']}"] = str(about["Description"])
        return found

    def settle(self, prefix: str, drill: str) -> None:
        """Databases of others: of similar names, with tags copied from the drill's, and a snapshot of each."""
        rds, manager = self.client("rds"), self.client("secretsmanager")
        others = {f"{prefix[:-1]}-payments": f"{drill}0", f"{prefix}-payments2": drill}
        for name, owner in others.items():
            listed = [{"Key": DRILL_TAG, "Value": owner}]
            rds.create_db_parameter_group(
                DBParameterGroupName=f"{name}-parameters", DBParameterGroupFamily="postgres17", Description=name
            )
            rds.create_db_instance(
                DBInstanceIdentifier=name,
                DBInstanceClass="db.t4g.medium",
                Engine="postgres",
                EngineVersion="17",
                AllocatedStorage=20,
                MasterUsername="boss",
                MasterUserPassword="password1",
                BackupRetentionPeriod=0,
                DBParameterGroupName=f"{name}-parameters",
                Tags=listed,
            )
            manager.create_secret(Name=f"rds/{name}", SecretString="{}", Tags=listed)
        self.aws.clock.sleep(1200)
        for name, owner in others.items():
            # Its name begins as those of the snapshots do that a function of the drill's makes.
            rds.create_db_snapshot(
                DBInstanceIdentifier=name,
                DBSnapshotIdentifier=f"{prefix}a-payments-snapshots-{name}",
                Tags=[{"Key": DRILL_TAG, "Value": owner}, {"Key": "drills:copy", "Value": "mine"}],
            )
        self.aws.clock.sleep(900)


@contextmanager
def sandbox(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Marked accounts whose roles may do anything."""
    (folder / "sandbox.yaml").write_text(FILE)
    monkeypatch.chdir(folder)
    clock = LateClock()
    given = parse_sandbox(FILE, str(folder / "sandbox.yaml"))
    provider = SandboxProvider(given, clock, lambda: clock.now().timestamp())
    with SimulatedAWS(seed=3, replica_source_kept_seconds=0) as aws:
        clock.of = aws.clock
        write_profiles(folder, aws, monkeypatch)
        for account in (PRODUCTION, VAULT, RECOVERY):
            iam: Any = aws.session(account).client("iam")
            trust = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}],
            }
            anything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
            iam.create_role(RoleName="drills", AssumeRolePolicyDocument=json.dumps(trust))
            iam.put_role_policy(RoleName="drills", PolicyName="all", PolicyDocument=json.dumps(anything))
        yield Sandbox(aws, provider, folder)
