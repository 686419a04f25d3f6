"""Drills of databases in sandbox accounts: on a simulated AWS that enforces IAM, with a real PostgreSQL behind it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from drills.errors import ProtectionError
from drills.guard import Guard
from drills.history import History
from drills.intentions import FILE, read_intentions
from drills.model import JSON, Location
from drills.records import make_records
from drills.simulator import SimulatedAWS
from drills.stopping import Stopping
from drills.stores import Refused, rds, rds_loading, rds_sessions
from drills.stores.rds import kind
from drills.stores.rds_secret import read_secret
from drills.stores.rds_sessions import kept, ssl_mode
from drills.world_site import WorldSite
from tests.own_ground import PRODUCTION, RECOVERY, VAULT
from tests.providers.test_sandbox_permissions import Stage, actions_of, not_passed, without
from tests.simulated_sandbox import Sandbox, plan_of, sandbox, text

COPY = "{rds_snapshot_copy: {interval: 15m, every_minutes: 5}}"
REPLICATED = "{rds_automated_backup: {replicate_to: eu-north-1}}"
ALL = f"[{REPLICATED}, {{rds_snapshot: {{every: 15m}}}}, rds_read_replica, {COPY}]"
AURORA = f"[rds_automated_backup, aurora_global_database, {COPY}]"
SOAK = pytest.mark.soak
LOADING_SECONDS = 700


def nothing_is_left(aws: SimulatedAWS) -> None:
    for account in (PRODUCTION, VAULT, RECOVERY):
        for region in ("eu-west-1", "eu-central-1", "eu-north-1"):
            rds: Any = aws.session(account).client("rds", region_name=region)
            assert rds.describe_db_instances()["DBInstances"] == []
            assert rds.describe_db_clusters()["DBClusters"] == []
            assert rds.describe_db_snapshots()["DBSnapshots"] == []
            assert rds.describe_db_cluster_snapshots()["DBClusterSnapshots"] == []
            assert rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"] == []
            groups = [one["DBParameterGroupName"] for one in rds.describe_db_parameter_groups()["DBParameterGroups"]]
            assert [name for name in groups if not name.startswith("default.")] == []
            secrets: Any = aws.session(account).client("secretsmanager", region_name=region)
            assert secrets.list_secrets()["SecretList"] == []


def loaded_slowly(site: WorldSite, at: Location) -> Mapping[str, JSON]:
    """As where S3 has much to send: a simulated AWS reads a small database in no time of its clock."""
    site.clock.sleep(LOADING_SECONDS)
    return rds_loading.load_database(site, at)


@pytest.mark.parametrize(
    ("scenario", "protections", "engine", "passing"),
    [
        ("bulk_erase", "[rds_automated_backup]", "postgres", {"rds_automated_backup"}),
        pytest.param("account_loss", f"[{COPY}]", "postgres", {"rds_snapshot_copy"}, marks=SOAK),
        pytest.param("account_loss", AURORA, "aurora-postgresql", {"rds_snapshot_copy"}, marks=SOAK),
        pytest.param("region_outage", ALL, "postgres", {"rds_read_replica", "rds_snapshot_copy"}, marks=SOAK),
        pytest.param("table_deletion", ALL, "postgres", {"rds_snapshot", "rds_snapshot_copy"}, marks=SOAK),
        pytest.param(
            "region_outage", AURORA, "aurora-postgresql", {"aurora_global_database", "rds_snapshot_copy"}, marks=SOAK
        ),
    ],
)
def test_a_drill_with_exactly_its_permissions_passes_and_leaves_nothing(
    scenario: str,
    protections: str,
    engine: str,
    passing: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rds, "load_database", loaded_slowly)
    stage = Stage(tmp_path, monkeypatch, scenario, text(protections, engine), after=nothing_is_left)
    report, said = stage.run({str(role): policy for role, policy in stage.planned.permissions().items()})
    assert report is not None
    assert not_passed(report).keys() <= {"recovery_point"}
    attempts = report.cells[0].attempts
    assert {one.protection for one in attempts if one.verdict == "pass"} >= passing
    assert report.verdict == "pass"
    # Nothing of an Aurora cluster or a promoted replica is loaded behind what answers; of all else, everything is read.
    tells = [one for one in attempts if one.endpoint is not None]
    assert tells
    for one in tells:
        assert one.endpoint is not None
        assert one.endpoint.full_speed_seconds is not None
        loads = engine == "postgres" and one.protection != "rds_read_replica"
        since = one.rto_seconds if loads else one.endpoint.available_seconds
        assert since is not None
        assert one.endpoint.full_speed_seconds == pytest.approx(since + LOADING_SECONDS * loads, abs=5)
    assert said.count('"kind":"endpoint.loaded"') == sum(
        one.protection != "rds_read_replica" for one in tells if engine == "postgres"
    )
    told = "\n".join(stage.planned.describe())
    what = "DB cluster" if engine.startswith("aurora") else "DB instance"
    assert f"make {what} {stage.planned.plan.prefix}a-payments (production {PRODUCTION}, eu-west-1)" in told
    assert "rds:DeleteDBInstance" in told
    # An instance of this class alone costs so much an hour, by the list of prices.
    assert stage.planned.cost.usd > 0.065 * stage.planned.seconds / 3600
    assert "MasterUserPassword" not in said
    if "rds_snapshot_copy" in passing:
        assert '"kind":"point.held"' in said
        assert "hold.refused" not in said
        vault = stage.planned.permissions()["vault"]["Statement"]
        named = [one["Resource"] for one in vault if "rds:RemoveTagsFromResource" in one["Action"]]
        assert named
        assert all(":drill-" in name and "snapshot:" in name for resources in named for name in resources)


def test_a_server_without_pg_prewarm_fails_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, monkeypatch, "bulk_erase", text("[rds_automated_backup]"))
    create = "CREATE EXTENSION IF NOT EXISTS pg_prewarm_of_nobody"
    monkeypatch.setattr(rds_loading, "CREATE", create)
    report, said = stage.run({str(role): policy for role, policy in stage.planned.permissions().items()})
    assert report is not None
    assert report.verdict == "pass"
    ((attempt,),) = [cell.attempts for cell in report.cells]
    assert attempt.endpoint is not None
    assert attempt.endpoint.verified_seconds is not None
    assert attempt.endpoint.full_speed_seconds is None
    (finding,) = [one for one in attempt.findings if one.check == "full_speed"]
    assert 'the server refused: extension "pg_prewarm_of_nobody" is not available' in finding.observed
    assert '"kind":"endpoint.unloaded"' in said


@SOAK
def test_each_permission_less_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tmp_path, monkeypatch, "bulk_erase", text("[rds_automated_backup]"))
    policies = stage.policies()
    silent = []
    for role, action in actions_of(policies):
        report, said = stage.run(without(policies, role, action))
        named = action in said or (action.startswith("kms:") and "KMSKeyNotAccessible" in said)
        if not named or (report is not None and not set(not_passed(report)) - {"clean_up"}):
            silent.append((role, action))
    assert silent == []


# --- Connections -----------------------------------------------------------------------------------------------------


@contextmanager
def running(ground: Sandbox, folder: Path) -> Iterator[WorldSite]:
    """The site of a drill that keeps its record, in a world that it may break."""
    plan = plan_of(ground.provider, text("[rds_automated_backup]"), "bulk_erase")
    folder.mkdir()
    with (
        ground.provider.keep(folder, plan.drill.id, plan.estate),
        ground.provider.open(plan.estate, 1) as world,
        History.create(folder) as history,
    ):
        keeping = ground.provider.keeping
        assert keeping is not None
        yield WorldSite(
            world,
            plan.estate,
            plan.estate.stores[0],
            drill_id=plan.drill.id,
            prefix=plan.prefix,
            history=history,
            context={},
            capabilities=ground.provider.capabilities,
            guard=Guard(plan.drill.id, keeping.record, stop=keeping.stop),
        )


def rows(ground: Sandbox, site: WorldSite, at: Location) -> int:
    """How many there are, by a connection that is nobody's but the test's."""
    endpoint = ground.client("rds").describe_db_instances(DBInstanceIdentifier=at.name)["DBInstances"][0]["Endpoint"]
    text = ground.client("secretsmanager").get_secret_value(SecretId=f"rds/{at.name}")["SecretString"]
    known = json.loads(text)
    with psycopg.connect(
        host=endpoint["Address"],
        port=endpoint["Port"],
        user=known["username"],
        password=known["password"],
        dbname="books",
    ) as connection:
        found = connection.execute("SELECT count(*) FROM payments").fetchone()
    assert found is not None
    return int(found[0])


def seed(site: WorldSite, at: Location) -> None:
    made = make_records(site.store.records, 3, site.clock.now())
    records = [made.record(number) for number in range(5)]
    kind.seed(site, at, (kind.outgoing(site.store.config, one) for one in records))


def test_statements_and_connections_are_held_to_the_rules_of_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox(tmp_path, monkeypatch) as ground, running(ground, tmp_path / "drill") as site:
        at = kind.provision(site)
        seed(site, at)
        assert rows(ground, site, at) == 5

        # Nothing is sent to a database of others, whatever it is called and however it is tagged.
        ground.settle(site.name()[: -len("-payments")], site.tags["drills:drill"])
        with pytest.raises(ProtectionError, match="no record of making"):
            kind.damage(site, at_others(site), "all")
        with pytest.raises(Refused, match="no record of making"):
            kind.inventory(site, at_others(site))

        # A lost account has no connections either, old ones included.
        old = kept(site, at)
        ground_world: Any = site.world
        ground_world.close_account("production")
        with pytest.raises(Refused, match="is lost in this drill"):
            list(kind.inventory(site, at))
        assert old.closed
        ground_world.lift()
        assert len(list(kind.inventory(site, at))) == 5

        # Each statement that changes something is on disk before it is sent, and none of what it holds is.
        told = (tmp_path / "drill" / FILE).read_text()
        assert '"operation":"the first records"' in told
        assert read_secret(site, at)["password"] not in told
        assert site.world._redaction.text(read_secret(site, at)["password"]) == "[redacted]"  # type: ignore[attr-defined]

        # Once it is to stop, nothing is destroyed any more.
        keeping = ground.provider.keeping
        assert keeping is not None
        keeping.stop.tell("a test")
        with pytest.raises(Stopping):
            kind.damage(site, at, "truncate")
        assert rows(ground, site, at) == 5
        assert "the bug 'truncate'" not in (tmp_path / "drill" / FILE).read_text()
        assert read_intentions(tmp_path / "drill").uncertain == []


def at_others(site: WorldSite) -> Location:
    at = site.primary()
    return Location(at.role, at.account, at.region, f"{at.name}2")


@pytest.mark.parametrize(
    ("host", "asked", "mode"),
    [
        ("127.0.0.1", "", "prefer"),
        ("localhost", "disable", "prefer"),
        ("payments.abc.eu-west-1.rds.amazonaws.com", "", "require"),
        ("payments.abc.eu-west-1.rds.amazonaws.com", "disable", "require"),
        ("payments.abc.eu-west-1.rds.amazonaws.com", "verify-full", "verify-full"),
        ("10.0.0.7", "prefer", "require"),
    ],
)
def test_nothing_leaves_this_machine_unencrypted(
    host: str, asked: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", asked)
    assert ssl_mode(host) == mode


def test_an_endpoint_that_is_silent_is_said_to_be_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rds_sessions, "CONNECT_SECONDS", 2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host, port = silent.getsockname()
        monkeypatch.setattr(
            "drills.stores.rds_secret.connect",
            lambda *_: rds_sessions.connect_to(host, port, "somebody", "secret", "books"),
        )
        site: Any = SimpleSite()
        with pytest.raises(Refused, match="Run drills within it, or by a VPN into it"):
            kept(site, Location("production", PRODUCTION, "eu-west-1", "payments"))


class SimpleSite:
    """As much of a site as a connection needs."""

    store = SimpleNamespace(config=SimpleNamespace(engine="postgres"))

    def reach(self, at: Location, kind: str) -> None:
        """It is there."""
