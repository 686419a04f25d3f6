"""The guard before databases: what a drill did not make is not changed, whatever the call and its name for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drills.errors import ProtectionError
from drills.world_site import WorldSite
from tests.stores.table_site import PLAIN, plain_client, table_site

NEW: dict[str, Any] = {
    "DBInstanceClass": "db.t3.micro",
    "Engine": "postgres",
    "AllocatedStorage": 20,
    "MasterUsername": "boss",
    "MasterUserPassword": "password1",
    "BackupRetentionPeriod": 0,
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WorldSite]:
    with table_site(tmp_path / "drill", PLAIN) as site:
        yield site


ARN = "arn:aws:rds:eu-west-1:101010101010:db:theirs"
CALLS: dict[str, Callable[[Any], Any]] = {
    "DeleteDBInstance": lambda rds: rds.delete_db_instance(DBInstanceIdentifier="theirs", SkipFinalSnapshot=True),
    "ModifyDBInstance": lambda rds: rds.modify_db_instance(DBInstanceIdentifier=ARN, DeletionProtection=False),
    "RebootDBInstance": lambda rds: rds.reboot_db_instance(DBInstanceIdentifier="theirs"),
    "AddTagsToResource": lambda rds: rds.add_tags_to_resource(
        ResourceName=ARN, Tags=[{"Key": "drills:drill", "Value": "test-1"}]
    ),
}


@pytest.mark.parametrize("operation", CALLS)
def test_a_database_of_others_is_not_changed(site: WorldSite, operation: str) -> None:
    tags = [{"Key": "drills:drill", "Value": site.tags["drills:drill"]}]
    plain_client(site, site.primary(), "rds").create_db_instance(DBInstanceIdentifier="theirs", Tags=tags, **NEW)
    with pytest.raises(ProtectionError, match="no record of making") as caught:
        CALLS[operation](site.client("rds", "production"))
    assert "theirs" in str(caught.value)


def test_a_database_that_the_drill_made_is_its_own_also_under_another_name(site: WorldSite) -> None:
    rds = site.client("rds", "production")
    tags = [{"Key": key, "Value": value} for key, value in site.tags.items()]
    rds.create_db_instance(DBInstanceIdentifier="ours", Tags=tags, **NEW)
    site.clock.sleep(1200)
    rds.modify_db_instance(DBInstanceIdentifier="ours", NewDBInstanceIdentifier="renamed", ApplyImmediately=True)
    site.clock.sleep(1200)
    rds.delete_db_instance(DBInstanceIdentifier="renamed", SkipFinalSnapshot=True)


def test_what_somebody_else_made_in_its_place_is_not_deleted(site: WorldSite) -> None:
    rds, other = site.client("rds", "production"), plain_client(site, site.primary(), "rds")
    tags = [{"Key": key, "Value": value} for key, value in site.tags.items()]
    rds.create_db_instance(DBInstanceIdentifier="ours", Tags=tags, **NEW)
    other.delete_db_instance(DBInstanceIdentifier="ours", SkipFinalSnapshot=True)
    site.clock.sleep(1200)
    other.create_db_instance(DBInstanceIdentifier="ours", **NEW)
    with pytest.raises(ProtectionError, match="somebody made it their own"):
        rds.delete_db_instance(DBInstanceIdentifier="ours", SkipFinalSnapshot=True)


def test_a_database_that_is_not_there_answers_as_aws_does(site: WorldSite) -> None:
    with pytest.raises(ClientError, match="the call was not sent"):
        site.client("rds", "production").delete_db_instance(DBInstanceIdentifier="nowhere", SkipFinalSnapshot=True)
