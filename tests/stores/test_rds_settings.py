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
    database_site,
    describe,
    filled,
    plain_client,
    told,
)

CHECKS = {
    f"database.{word}"
    for word in ("endpoint", "application", "canary", "sequences", "constraints", "indexes", "statistics", "amcheck")
} | {"database.large_objects"}


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
