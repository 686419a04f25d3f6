"""What a restore leaves out is named by the settings and put back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from drills.findings import setting_findings
from drills.model import JSON, Finding, Location
from drills.stores import rds_sessions
from drills.stores.rds import kind
from drills.stores.rds_secret import renew_password
from drills.workload import StoreWorkload
from tests.stores.database_site import (
    AURORA,
    DATABASE,
    as_ledger_says,
    asked,
    by_check,
    database_site,
    describe,
    events,
    filled,
    plain_client,
    told,
)

CHECKS = {
    f"database.{word}"
    for word in ("endpoint", "application", "canary", "sequences", "constraints", "indexes", "statistics", "amcheck")
} | {"database.large_objects", "database.login"}


@pytest.fixture(scope="module", params=[DATABASE, AURORA], ids=["instance", "cluster"])
def workload(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWorkload]:
    """A seeded database of each kind. Tests leave it as they found it."""
    with database_site(tmp_path_factory.mktemp("settings") / "drill", request.param) as site:
        yield filled(site, 20)


def differing(workload: StoreWorkload, expected: Mapping[str, JSON], at: Location | None = None) -> dict[str, Finding]:
    """The findings on settings that are not as expected, by setting."""
    found = setting_findings(expected, kind.settings(workload.site, at or workload.at), "s")
    return {finding.check.removeprefix("settings."): finding for finding in found if finding.verdict == "fail"}


def modified(workload: StoreWorkload, **changes: Any) -> None:
    site, at = workload.site, workload.at
    rds = plain_client(site, at)
    if site.store.config.is_aurora:
        rds.modify_db_cluster(DBClusterIdentifier=at.name, ApplyImmediately=True, **changes)
    else:
        rds.modify_db_instance(DBInstanceIdentifier=at.name, ApplyImmediately=True, **changes)
    site.clock.sleep(3600)


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("deletion_protection", {"DeletionProtection": False}),
        ("backup_retention", {"BackupRetentionPeriod": 3}),
        ("copy_tags_to_snapshots", {"CopyTagsToSnapshot": False}),
        ("iam_authentication", {"EnableIAMDatabaseAuthentication": True}),
    ],
)
def test_a_setting_of_aws_is_named_and_put_back(workload: StoreWorkload, setting: str, change: dict[str, Any]) -> None:
    before = kind.settings(workload.site, workload.at)
    modified(workload, **change)
    assert list(differing(workload, before)) == [setting]
    kind.reconfigure(workload.site, workload.at, before)
    assert kind.settings(workload.site, workload.at) == before


def test_tags_are_put_back_and_our_own_stay(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    found = describe(site, at)
    arn = found.get("DBClusterArn") or found["DBInstanceArn"]
    plain_client(site, at).remove_tags_from_resource(ResourceName=arn, TagKeys=["team"])
    plain_client(site, at).add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "stray", "Value": "1"}])
    assert list(differing(workload, before)) == ["tags"]
    kind.reconfigure(site, at, before)
    tags = {tag["Key"]: tag["Value"] for tag in describe(site, at)["TagList"]}
    assert tags == {
        "team": "billing", "data": "personal", "drills:drill": "test-1", "drills:store": "pay_ments",
    }  # fmt: skip


def test_parameters_are_what_the_group_says_and_are_in_force_again(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    word = "DBClusterParameterGroupName" if site.store.config.is_aurora else "DBParameterGroupName"
    family = f"{site.store.config.engine}17"
    modified(workload, **{word: f"default.{family}"})
    assert list(differing(workload, before)) == ["parameters"]
    kind.reconfigure(site, at, before)
    assert kind.settings(site, at) == before
    assert asked(site, at, "SHOW work_mem") == [("8MB",)]


# --- After a restore -------------------------------------------------------------------------------------------------


def test_a_restored_database_is_reconfigured_to_what_it_was(workload: StoreWorkload) -> None:
    """Restored by plain calls, with nothing but a name and tags, and its password forgotten."""
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    moment = site.clock.now()
    expected = as_ledger_says(workload)
    site.clock.sleep(3600)
    kind.damage(site, at, "all")
    to = Location(at.role, at.account, at.region, f"{at.name}-r")
    restored(workload, to, moment)
    kind.reconfigure(site, to, before)
    assert kind.settings(site, to) == before
    assert {found.key: found.item for found in kind.inventory(site, to)} == expected
    findings = kind.probe(site, to)
    assert {finding.check for finding in findings} == CHECKS
    assert [finding for finding in findings if finding.verdict != "pass"] == []
    kind.destroy(site, to)
    kind.seed(site, at, [])
    told(site, at, "ANALYZE")


def restored(workload: StoreWorkload, to: Location, moment: Any) -> None:
    site, at = workload.site, workload.at
    rds = site.client("rds", at.role, at.region)
    tags = [{"Key": key, "Value": value} for key, value in site.tags.items()]
    if site.store.config.is_aurora:
        rds.restore_db_cluster_to_point_in_time(
            SourceDBClusterIdentifier=at.name, DBClusterIdentifier=to.name, RestoreToTime=moment, Tags=tags
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"{to.name}-1", DBClusterIdentifier=to.name, Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large", Tags=tags,
        )  # fmt: skip
    else:
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=at.name, TargetDBInstanceIdentifier=to.name, RestoreTime=moment, Tags=tags,
            DBInstanceClass="db.r6g.large",
        )  # fmt: skip
    site.clock.sleep(timedelta(hours=6).total_seconds())


def test_a_forgotten_password_is_given_anew(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    settings = kind.settings(site, at)
    plain_client(site, at, "secretsmanager").delete_secret(SecretId=f"rds/{at.name}", ForceDeleteWithoutRecovery=True)
    rds_sessions.drop(site, at)
    kind.reconfigure(site, at, settings)
    assert kind.settings(site, at) == settings
    renew_password(site, at)
    assert kind.settings(site, at) == settings


# --- Within the database ---------------------------------------------------------------------------------------------


IDS = [
    *("extension", "role", "attributes", "membership", "setting", "grant", "public", "option", "column", "sequence"),
    *("schema", "owner"),
]


@pytest.mark.parametrize(
    ("statements", "setting"),
    [
        ("DROP EXTENSION citext CASCADE; ALTER TABLE payments ADD email text", "database.extensions"),
        ("GRANT readers TO CURRENT_USER; DROP OWNED BY readers; DROP ROLE readers", "database.roles"),
        ("ALTER ROLE shop_payments NOLOGIN CREATEDB CONNECTION LIMIT 3", "database.roles"),
        ("REVOKE readers FROM shop_payments", "database.roles"),
        ("ALTER ROLE shop_payments RESET statement_timeout", "database.database_settings"),
        ("REVOKE UPDATE, DELETE ON payments FROM shop_payments", "database.grants"),
        ("GRANT SELECT ON payments TO PUBLIC", "database.grants"),
        ("GRANT SELECT ON payments TO readers WITH GRANT OPTION", "database.grants"),
        ("GRANT UPDATE (state) ON payments TO readers", "database.grants"),
        ("REVOKE USAGE ON SEQUENCE receipt_numbers FROM shop_payments", "database.grants"),
        ("GRANT CREATE ON SCHEMA public TO readers", "database.grants"),
        (
            "GRANT shop_payments TO CURRENT_USER; GRANT ALL ON SCHEMA public TO shop_payments;"
            "ALTER TABLE payment_lines OWNER TO shop_payments",
            "database.grants",
        ),
    ],
    ids=[
        "extension",
        "role",
        "attributes",
        "membership",
        "setting",
        "grant",
        "public",
        "option",
        "column",
        "sequence",
        "schema",
        "owner",
    ],
)
def test_what_lacks_within_is_put_back(workload: StoreWorkload, statements: str, setting: str) -> None:
    """All but what the schema lost with it."""
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    told(site, at, statements)
    assert setting in differing(workload, before)
    kind.reconfigure(site, at, before)
    if "citext" in statements:
        left = set(differing(workload, before))
        assert "database.extensions" not in left
        assert left <= {f"database.{word}" for word in ("tables", "indexes", "functions")}
        told(site, at, "ALTER TABLE payments ALTER email TYPE citext")
        told(site, at, "CREATE INDEX payments_email ON payments USING gin (email gin_trgm_ops)")
    else:
        assert kind.settings(site, at) == before


def test_a_sequence_that_lags_is_put_ahead(workload: StoreWorkload) -> None:
    site, at = workload.site, workload.at
    told(site, at, "INSERT INTO payments (payment_id, booked, amount, at) VALUES ('last', '2026-01-05', 1, now())")
    ((furthest,),) = asked(site, at, "SELECT max(receipt_number) FROM payments")
    told(site, at, "SELECT setval('receipt_numbers', 1000)")
    assert by_check(kind.probe(site, at))["database.sequences"].verdict == "fail"
    told(site, at, "SELECT setval('receipt_numbers', 1000)")
    kind.reconfigure(site, at, kind.settings(site, at))
    assert asked(site, at, "SELECT nextval('receipt_numbers')") == [(furthest + 1,)]
    assert by_check(kind.probe(site, at))["database.sequences"].verdict == "pass"
    told(site, at, "DELETE FROM payments WHERE payment_id = 'last'")


def test_what_cannot_be_put_back_stays_to_be_found(workload: StoreWorkload) -> None:
    """A table that is lost is the recovery point's business; that the server refuses something is noted."""
    site, at = workload.site, workload.at
    before = kind.settings(site, at)
    wanted = {**before, "database.extensions": {**before["database.extensions"], "no_such": "1.0"}}
    wanted["database.grants"] = {**before["database.grants"], "table public.lost": "owner app: readers=r/app"}
    kind.reconfigure(site, at, wanted)
    assert set(differing(workload, wanted)) == {"database.extensions", "database.grants"}
    refused = events(site, "setting.refused")[-1].data
    assert refused["setting"] == "database.extensions"
    assert "no_such" in refused["error"]
    assert kind.settings(site, at) == before
