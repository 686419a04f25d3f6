"""Sabotage of databases and of their protections: break one thing of a sound estate, and the drill names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drills.errors import ConfigurationError
from drills.model import Location, Report
from drills.plugins import load_store_kind
from drills.simulator import SimulatedAWS
from drills.simulator.rds.state import databases
from drills.site import Site
from drills.stores.rds_secret import connect
from tests.simulator.policies import allow, role
from tests.small_database import store, text
from tests.small_drill import PRODUCTION, VAULT, Hook, attempt, cell, drill, failed, production, vault

COPY = "rds_snapshot_copy"
COPIED = "{rds_snapshot_copy: {interval: 30m, every_minutes: 10, objective: 2h}}"
TAGGED = "{rds_snapshot_copy: {interval: 30m, every_minutes: 10, objective: 2h, tags: {team: billing}}}"
AWAY = "eu-central-1"
SOON_SECONDS, LATE_SECONDS = 700.0, 17_500.0


# --- What came back --------------------------------------------------------------------------------------------------


def in_the_restored(monkeypatch: pytest.MonkeyPatch, change: Callable[[Site, Location], None]) -> None:
    """Let ``change`` do something to every restored database, just after it was put in order."""
    kind: Any = load_store_kind("rds")

    def and_change(site: Site, at: Location) -> int:
        change(site, at)
        return 0

    monkeypatch.setattr(kind, "purge_expired", and_change, raising=False)


def by_sql(*statements: str) -> Callable[[Site, Location], None]:
    def change(site: Site, at: Location) -> None:
        with connect(site, at) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    return change


def default_parameters(site: Site, at: Location) -> None:
    rds = site.client("rds", at.role, at.region)
    rds.modify_db_instance(
        DBInstanceIdentifier=at.name, DBParameterGroupName="default.postgres17", ApplyImmediately=True
    )
    site.clock.sleep(600)
    rds.reboot_db_instance(DBInstanceIdentifier=at.name)
    site.clock.sleep(600)


FIRST = "(SELECT min(id) FROM payments)"


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (by_sql(f"DELETE FROM lines WHERE payment = {FIRST}"), "records.corrupt"),
        (
            by_sql(f"DELETE FROM lines WHERE payment = {FIRST}", f"DELETE FROM payments WHERE id = {FIRST}"),
            "records.complete",
        ),
        (by_sql(f"UPDATE payments SET amount = round(amount, 1) + 0.01 WHERE id = {FIRST}"), "records.corrupt"),
        (by_sql("SELECT setval('receipts', 1000)"), "database.sequences"),
        (by_sql("DROP EXTENSION pg_trgm"), "settings.database.extensions"),
        (
            by_sql("GRANT readers TO CURRENT_USER", "DROP OWNED BY readers", "DROP ROLE readers"),
            "settings.database.roles",
        ),
        (by_sql("REVOKE UPDATE ON payments FROM teller"), "settings.database.grants"),
        (by_sql("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO readers"), "settings.database.grants"),
        (by_sql("ALTER DATABASE books SET work_mem = '1MB'"), "settings.database.database_settings"),
        (by_sql("ALTER ROLE teller PASSWORD 'of somebody else'"), "database.login"),
        (default_parameters, "settings.parameters"),
    ],
    ids=[
        *("line", "row", "numeric", "sequence", "extension", "role"),
        *("grant", "defaults", "setting", "password", "parameters"),
    ],
)
def test_what_a_restored_database_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Site, Location], None], check: str
) -> None:
    in_the_restored(monkeypatch, change)
    report, _ = drill(tmp_path, "bulk_erase", text=text(store("postgres", ["rds_automated_backup"]), minutes=5))
    assert report.verdict == "fail"
    assert check in failed(report)


def lost_before_it_is_put_in_order(monkeypatch: pytest.MonkeyPatch, *statements: str) -> None:
    """Let a restored database lack something that is to be put back."""
    kind: Any = load_store_kind("rds")
    whole = kind.reconfigure

    def reconfigure(site: Site, at: Location, settings: Any) -> None:
        by_sql(*statements)(site, at)
        whole(site, at, settings)

    monkeypatch.setattr(kind, "reconfigure", reconfigure, raising=False)


@pytest.mark.parametrize(("role", "checks"), [("teller", set()), ("auditor", {"database.passwords"})])
def test_a_role_that_is_made_again_logs_in_or_is_said_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, checks: set[str]
) -> None:
    """The application's has a password again, which its secret says; nobody knows that of another."""
    lost_before_it_is_put_in_order(
        monkeypatch,
        f"GRANT {role} TO CURRENT_USER",
        f"REASSIGN OWNED BY {role} TO CURRENT_USER",
        f"DROP OWNED BY {role}",
        f"DROP ROLE {role}",
    )
    estate = text(store("postgres", ["rds_automated_backup"]), minutes=5)
    estate = estate.replace("CREATE ROLE readers;", "CREATE ROLE readers; CREATE ROLE auditor LOGIN;")
    report, _ = drill(tmp_path, "bulk_erase", text=estate)
    assert failed(report).keys() == checks
    assert report.verdict == ("fail" if checks else "pass")
    (login,) = [one for one in attempt(report, "rds_automated_backup").findings if one.check == "database.login"]
    assert login.observed.startswith("teller logs in with what the secret rds/")


# --- What no record covers -------------------------------------------------------------------------------------------

BESIDE = """
      CREATE TABLE rates (currency text PRIMARY KEY, rate numeric NOT NULL);
      INSERT INTO rates VALUES ('EUR', 1), ('CHF', 0.9412);
      CREATE TABLE audit (n bigint GENERATED ALWAYS AS IDENTITY, payment text, at timestamptz DEFAULT now());
      CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO public.audit (payment) VALUES (NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER noting AFTER INSERT OR UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION noted();
      CREATE ROLE readers;
"""


def with_tables_beside(*, unverified: bool) -> str:
    """Two tables that no record covers: one that stays as it is, one that the application's writes fill."""
    estate = text(store("postgres", ["rds_automated_backup"]), minutes=5)
    estate = estate.replace("\n      CREATE ROLE readers;\n", BESIDE, 1)
    assert BESIDE in estate
    return estate.replace("    tables:\n", "    unverified: [audit]\n    tables:\n") if unverified else estate


def test_a_table_that_no_record_covers_and_that_came_back_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_restored(monkeypatch, by_sql("UPDATE rates SET rate = 0.9411 WHERE currency = 'CHF'"))
    report, _ = drill(tmp_path, "bulk_erase", text=with_tables_beside(unverified=True))
    assert report.verdict == "fail"
    assert set(failed(report)) == {"unlisted.public.rates"}
    told = failed(report)["unlisted.public.rates"]
    assert told.expected.startswith("as before the failure: 2 rows, digest ")
    assert told.observed.startswith("2 rows, digest ")


def test_a_table_that_nobody_can_verify_is_told_unless_the_estate_leaves_it_out(tmp_path: Path) -> None:
    report, _ = drill(tmp_path / "told", "bulk_erase", text=with_tables_beside(unverified=False))
    assert report.verdict == "unknown"
    (told,) = failed(report).values()
    assert (told.check, told.verdict) == ("unlisted.public.audit", "unknown")
    assert told.observed.endswith("restored: nobody verifies it")
    report, _ = drill(tmp_path / "left_out", "bulk_erase", text=with_tables_beside(unverified=True))
    assert report.verdict == "pass", failed(report)
    (beside,) = [one for one in attempt(report, "rds_automated_backup").findings if one.check == "unlisted"]
    assert "public.audit: left out by the estate; public.rates: 2 rows, digest " in beside.observed


# --- What was to lead back -------------------------------------------------------------------------------------------


def for_hours(protection: str) -> str:
    """An estate of a database that is small enough to be copied within the hour, and written to for five."""
    changes = {"size_gb: 100": "size_gb: 20", "writes_per_minute: 4": "writes_per_minute: 1", "rpo: 2h": "rpo: 3h"}
    estate = text(store("postgres", [protection]), minutes=300)
    for before, after in changes.items():
        assert before in estate
        estate = estate.replace(before, after)
    return estate


def sabotaged(folder: Path, hook: Hook, *, protection: str = COPIED, seconds: float = SOON_SECONDS) -> Report:
    """A drill of an account loss, in which ``hook`` does something so many seconds after the workload began."""

    def begin(aws: SimulatedAWS) -> None:
        aws.clock.call_later(seconds - 600, partial(hook, aws))

    report, _ = drill(folder, "account_loss", early=begin, text=for_hours(protection), records=10)
    assert report.verdict == "fail"
    return report


@pytest.mark.parametrize("protection", [COPIED, TAGGED])
def test_without_sabotage_it_passes(tmp_path: Path, protection: str) -> None:
    report, _ = drill(tmp_path, "account_loss", text=for_hours(protection), records=10)
    assert report.verdict == "pass", failed(report)


def said(report: Report, check: str) -> str:
    return failed(report)[check].observed


def function(aws: SimulatedAWS, side: str) -> tuple[Any, str]:
    client = {"production": production, "vault": vault}[side](aws, "lambda")
    (name,) = [
        one["FunctionName"] for one in client.list_functions()["Functions"] if one["FunctionName"].endswith(side)
    ]
    return client, str(name)


def alias(aws: SimulatedAWS, account: str, ending: str) -> tuple[Any, str]:
    """A client of KMS in the vault's region, and the ARN of the key whose alias ends so."""
    kms: Any = aws.session(account, AWAY).client("kms")
    (found,) = [one for one in kms.list_aliases()["Aliases"] if one["AliasName"].endswith(ending)]
    return kms, str(kms.describe_key(KeyId=found["TargetKeyId"])["KeyMetadata"]["Arn"])


def not_shared(aws: SimulatedAWS) -> None:
    """The role of production's function may not share any more."""
    iam = production(aws, "iam")
    client, name = function(aws, "production")
    role = client.get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
    document = iam.get_role_policy(RoleName=role, PolicyName="copy")["PolicyDocument"]
    for statement in document["Statement"]:
        if isinstance(statement["Action"], list):
            statement["Action"] = [one for one in statement["Action"] if "Attribute" not in one]
    iam.put_role_policy(RoleName=role, PolicyName="copy", PolicyDocument=json.dumps(document))


def test_snapshots_that_are_not_shared(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, not_shared)
    assert "is not shared with the vault" in said(report, "snapshot_copy.stuck")
    assert "old" in said(report, "snapshot_copy.age")
    assert "rpo" in failed(report)


def default_key(aws: SimulatedAWS) -> None:
    """Somebody has production's function use the default key, which cannot be shared."""
    kms: Any = aws.session(PRODUCTION, AWAY).client("kms")
    default = kms.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"]
    client, name = function(aws, "production")
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    (word,) = [one for one, value in variables.items() if value.startswith("{")]
    told = json.loads(variables[word]) | {"production_key": default}
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, word: json.dumps(told)}}
    )


def test_the_default_key(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, default_key)
    assert "was told other settings" in said(report, "snapshot_copy.drift")
    assert "snapshot_copy.age" in failed(report)


def lets_in_for(aws: SimulatedAWS, keep: Callable[[Any], bool]) -> None:
    """Of the statements of production's key that let the vault in only those that ``keep`` wants are left."""
    kms, key = alias(aws, PRODUCTION, "-snapshots-production")
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    own, *others = policy["Statement"]
    assert others
    policy["Statement"] = [own, *filter(keep, others)]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))


def lets_nobody_in(aws: SimulatedAWS) -> None:
    lets_in_for(aws, lambda _: False)


def grants_nothing(aws: SimulatedAWS) -> None:
    """The vault may use the key, and may not have RDS use it."""
    lets_in_for(aws, lambda statement: "kms:CreateGrant" not in statement["Action"])


@pytest.mark.parametrize("hook", [lets_nobody_in, grants_nothing])
def test_a_key_that_does_not_let_the_vault_in(tmp_path: Path, hook: Hook) -> None:
    report = sabotaged(tmp_path, hook)
    assert "production's key" in said(report, "snapshot_copy.drift")
    assert "snapshot_copy.age" in failed(report)


def deleted_key(aws: SimulatedAWS) -> None:
    kms, key = alias(aws, VAULT, "-snapshots-vault")
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def test_a_key_that_is_to_be_deleted(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, deleted_key, seconds=LATE_SECONDS)
    assert "PendingDeletion: nothing that is encrypted with it can be read" in said(report, "snapshot_copy.drift")
    assert "attempt" in failed(report)


def test_automated_snapshots_alone(tmp_path: Path) -> None:
    report, _ = drill(tmp_path, "account_loss", text=text(store("postgres", ["rds_automated_backup"]), minutes=5))
    assert report.verdict == "fail"
    assert cell(report).path is None
    assert "InvalidClientTokenId" in said(report, "recovery_point")


def untagged(aws: SimulatedAWS) -> None:
    rds = production(aws, "rds")
    (one,) = rds.describe_db_instances()["DBInstances"]
    rds.remove_tags_from_resource(ResourceName=one["DBInstanceArn"], TagKeys=["team"])


def test_an_instance_without_the_tag_by_which_it_is_chosen(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, untagged, protection=TAGGED)
    assert "payments" in said(report, "snapshot_copy.coverage")
    assert "rpo" in failed(report)


def eaten(aws: SimulatedAWS) -> None:
    """A retention of somebody's own that knows nothing of the newest good copy."""
    rds = vault(aws, "rds")
    for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]:
        rds.delete_db_snapshot(DBSnapshotIdentifier=one["DBSnapshotIdentifier"])
    events = vault(aws, "events")
    for rule in events.list_rules()["Rules"]:
        events.disable_rule(Name=rule["Name"])


def test_a_retention_that_ate_the_last_good_copy(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, eaten, seconds=LATE_SECONDS)
    assert "there is no good copy of DB instance" in said(report, "snapshot_copy.age")
    assert "recovery_point" in failed(report)
    assert attempt(report, COPY).recovery_point is None


def disabled(aws: SimulatedAWS) -> None:
    events = production(aws, "events")
    for rule in events.list_rules()["Rules"]:
        events.disable_rule(Name=rule["Name"])


def test_a_copy_that_has_grown_stale(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, disabled)
    assert "more than 7,200 s" in said(report, "snapshot_copy.age")
    assert "is DISABLED" in said(report, "snapshot_copy.drift")
    lost = cell(report).rpo_seconds
    assert lost is not None
    assert lost > 10_800


def test_a_copy_in_the_same_account(tmp_path: Path) -> None:
    report, _ = drill(
        tmp_path, "account_loss", text=text(store("postgres", ["{rds_snapshot: {every: 1h}}"]), minutes=5)
    )
    assert report.verdict == "fail"
    assert cell(report).path is None
    assert "InvalidClientTokenId" in said(report, "recovery_point")


def helper(aws: SimulatedAWS) -> None:
    """Somebody gave production a role of the vault's for convenience."""
    role(aws, "helper", allow("rds:Delete*"), account=VAULT, trusts=f"arn:aws:iam::{PRODUCTION}:root")


def test_a_role_by_which_production_can_delete_the_copies(tmp_path: Path) -> None:
    told = said(sabotaged(tmp_path, helper), "snapshot_copy.isolated")
    assert told == "helper trusts production and may rds:DeleteDBSnapshot, rds:DeleteDBClusterSnapshot"


def test_a_vault_in_the_same_account(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected an account of its own"):
        drill(tmp_path, "account_loss", text=text(store("postgres", [COPIED])).replace(VAULT, PRODUCTION))


def stuck(aws: SimulatedAWS) -> None:
    for one in databases().of(VAULT, AWAY).snapshots.values():
        one.status = "creating"


def test_snapshots_stuck_in_creating(tmp_path: Path) -> None:
    report = sabotaged(tmp_path, stuck)
    assert "is creating since" in said(report, "snapshot_copy.stuck")
