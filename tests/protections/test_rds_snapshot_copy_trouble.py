"""The vault's copies of snapshots when they cannot be used, are not what they should be, or are taken down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.model import Finding
from drills.protections import rds_snapshot_copy
from drills.protections.rds_snapshot_copy import copy_of, protection
from drills.snapshot_copy import copies_of, deploy
from drills.stores.rds import kind
from drills.world_site import WorldSite
from tests.protections.snapshot_copies import AWAY, OPTIONS, left_over
from tests.stores.database_site import (
    DATABASE,
    PRODUCTION,
    RECOVERY,
    VAULT,
    aws,
    by_check,
    database_site,
    filled,
    inventory,
    plain_client,
)
from tests.stores.table_site import as_of

UNENCRYPTED = "    encrypted: false\n"


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[WorldSite]:
    with database_site(tmp_path / "drill") as site:
        filled(site, 5)
        protection.set_up(site, OPTIONS)
        yield site


def failed(findings: Any) -> dict[str, Finding]:
    return {name: one for name, one in by_check(findings).items() if one.verdict != "pass"}


def test_who_cannot_read_the_vaults_key_or_snapshot_is_told(copied: WorldSite) -> None:
    (point, *_) = protection.recovery_points(copied, OPTIONS, None)
    vault = aws(copied).session(VAULT, "eu-central-1")
    found = copies_of(copy_of(copied, OPTIONS), rds_snapshot_copy._Clients(copied))[0]
    name = kind.physical_name(copied.name("away"), RECOVERY, AWAY.region)
    vault.client("kms").disable_key(KeyId=str(found.key))
    with pytest.raises(ClientError, match="KMSKeyNotAccessibleFault"):
        protection.restore(copied, OPTIONS, point, AWAY, name)
    assert "is Disabled" in failed(protection.health(copied, OPTIONS))["snapshot_copy.drift"].observed
    vault.client("kms").enable_key(KeyId=str(found.key))
    vault.client("rds").modify_db_snapshot_attribute(
        DBSnapshotIdentifier=found.identifier, AttributeName="restore", ValuesToRemove=[RECOVERY]
    )
    with pytest.raises(ProtectionError, match=f"{found.identifier} to be shared with account {RECOVERY}"):
        protection.restore(copied, OPTIONS, point, AWAY, name)
    assert left_over(copied) == []


def test_a_copy_in_productions_own_account_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No estate file can ask for one; whoever deploys by the library can."""
    with database_site(tmp_path / "drill") as site:
        filled(site, 5)
        own = replace(copy_of(site, OPTIONS), vault_account=PRODUCTION)
        deploy(own, rds_snapshot_copy._Clients(site), site.wait)
        monkeypatch.setattr(rds_snapshot_copy, "copy_of", lambda *_: own)
        told = failed(protection.health(site, OPTIONS))["snapshot_copy.isolated"]
        assert (told.verdict, told.observed) == ("fail", "the copies are in production's own account")


def test_a_stale_copy_and_an_untagged_database_are_told(copied: WorldSite) -> None:
    options = OPTIONS | {"objective": "1h", "tags": {"backup": "yes"}}
    copied.clock.sleep(5 * 3600)
    assert failed(protection.health(copied, OPTIONS)) == {}
    found = failed(protection.health(copied, options))
    assert "it has not the tag backup=yes, and no rule excludes it" in found["snapshot_copy.coverage"].observed
    at = copied.primary()
    events = plain_client(copied, at, "events")
    events.disable_rule(Name=copy_of(copied, OPTIONS).rule("production"))
    copied.clock.sleep(2 * 3600)
    found = failed(protection.health(copied, OPTIONS | {"objective": "1h"}))
    assert "the newest good copy of DB instance" in found["snapshot_copy.age"].observed
    assert "is DISABLED" in found["snapshot_copy.drift"].observed


def test_copies_that_are_pruned_before_anybody_misses_their_data(copied: WorldSite) -> None:
    options = OPTIONS | {"interval": "15m", "vault_keep": 1}
    found = by_check(protection.health(copied, options))["snapshot_copy.reach"]
    assert (found.verdict, found.observed) == ("fail", "1 of them, 15m apart: 0s at the least")


def test_taken_down_nothing_is_left(copied: WorldSite) -> None:
    protection.destroy(copied, OPTIONS)
    assert left_over(copied) == []
    assert protection.recovery_points(copied, OPTIONS, None) == []
    for role in ("production", "vault"):
        account = copied.account_id(role)
        for region in ("eu-west-1", "eu-central-1"):
            session = aws(copied).session(account, region)
            assert session.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []
            assert session.client("lambda").list_functions()["Functions"] == []


def test_an_option_group_of_its_own_has_no_options_and_is_not_missed(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill") as site:
        workload = filled(site, 5)
        rds = plain_client(site, workload.at)
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=workload.at.name)["DBInstances"]
        major = found["EngineVersion"].partition(".")[0]
        rds.create_option_group(
            OptionGroupName="ours", EngineName="postgres", MajorEngineVersion=major, OptionGroupDescription="of ours"
        )
        rds.modify_db_instance(DBInstanceIdentifier=workload.at.name, OptionGroupName="ours", ApplyImmediately=True)
        site.clock.sleep(600)
        protection.set_up(site, OPTIONS)
        settings = kind.settings(site, workload.at)
        point = protection.recovery_points(site, OPTIONS, None)[0]
        at = protection.restore(site, OPTIONS, point, AWAY, kind.physical_name(site.name("x"), RECOVERY, AWAY.region))
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=workload.at.name)["DBInstances"]
        assert [one["OptionGroupName"] for one in found["OptionGroupMemberships"]] == ["ours"]
        assert kind.settings(site, at)["options"] == settings["options"] == {}


def test_what_is_not_encrypted_stays_so(tmp_path: Path) -> None:
    with database_site(tmp_path / "drill", DATABASE + UNENCRYPTED) as site:
        workload = filled(site, 5)
        protection.set_up(site, OPTIONS)
        point = protection.recovery_points(site, OPTIONS, None)[0]
        name = kind.physical_name(site.name("away"), RECOVERY, AWAY.region)
        at = protection.restore(site, OPTIONS, point, AWAY, name)
        assert inventory(workload, at) == as_of(workload, point.as_of)
        assert kind.settings(site, at)["encryption"] == "none"
        assert left_over(site) == []
