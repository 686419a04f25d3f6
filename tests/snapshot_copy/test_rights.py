"""Who may do what: each side exactly what it needs, and production nothing to the vault's copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from drills.snapshot_copy import status
from drills.snapshot_copy.policies import production_policy, vault_policy
from tests.simulator.policies import allow, role
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, RECOVERY, REGION, VAULT, CopySite, copy_named, rowless_site


@pytest.fixture(scope="module")
def site() -> Iterator[CopySite]:
    with rowless_site(copy_named("c", vault_region=OTHER), "orders") as site:
        site.rounds(4)
        yield site


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def as_role(site: CopySite, account: str, name: str, region: str, service: str = "rds") -> Any:
    """A client of the role, by an administrator who let it trust them."""
    session = site.world.aws.session(account)
    document = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::'
        + account
        + ':root"},"Action":"sts:AssumeRole"}]}'
    )
    session.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=document)
    keys = session.client("sts").assume_role(RoleArn=f"arn:aws:iam::{account}:role/{name}", RoleSessionName="test")[
        "Credentials"
    ]
    made: Any = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]).client(
        service,
        region_name=region,  # type: ignore[call-overload]
    )
    return made


def test_productions_administrator_cannot_touch_the_vaults_copies(site: CopySite) -> None:
    (copied,) = site.snapshots("vault")
    rds = site.world.rds(PRODUCTION, OTHER)
    unshared = {"AttributeName": "restore", "ValuesToRemove": [RECOVERY]}
    for named in ({"DBSnapshotIdentifier": copied.arn}, {"DBSnapshotIdentifier": copied.identifier}):
        assert "NotFound" in refused(partial(rds.delete_db_snapshot, **named))
        assert "NotFound" in refused(partial(rds.modify_db_snapshot_attribute, **named, **unshared))
    sts = site.world.aws.session(PRODUCTION).client("sts")
    arn = f"arn:aws:iam::{VAULT}:role/{site.copy.role('vault')}"
    assert refused(partial(sts.assume_role, RoleArn=arn, RoleSessionName="other")) == "AccessDenied"
    kms = site.world.kms(PRODUCTION, OTHER)
    key = str(copied.key)
    assert refused(partial(kms.disable_key, KeyId=key))
    assert refused(partial(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=7))
    assert site.snapshots("vault")[0].is_good
    assert status(site.copy, site.clients, site.world.aws.clock).exposed == ()


def test_a_role_by_which_production_could_is_told(site: CopySite) -> None:
    aws = site.world.aws
    role(aws, "helper", allow("rds:Delete*"), account=VAULT, trusts=f"arn:aws:iam::{PRODUCTION}:root")
    found = status(site.copy, site.clients, site.world.aws.clock).exposed
    assert found == ("helper trusts production and may rds:DeleteDBSnapshot, rds:DeleteDBClusterSnapshot",)
    iam = aws.session(VAULT).client("iam")
    for name in iam.list_role_policies(RoleName="helper")["PolicyNames"]:
        iam.delete_role_policy(RoleName="helper", PolicyName=name)
    iam.delete_role(RoleName="helper")


def test_no_policy_lets_a_function_do_everything() -> None:
    copy = copy_named("c", vault_region=OTHER)
    for policy in (production_policy(copy), vault_policy(copy)):
        for statement in policy["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not any(action.endswith(":*") or action == "*" for action in actions)
            if statement["Resource"] == "*":
                assert all(action.split(":")[1].startswith(("Describe", "List", "PutMetricData")) for action in actions)


def test_functions_reach_snapshots_of_their_own_only(site: CopySite) -> None:
    rds = site.world.rds()
    rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="by-hand")
    site.world.pass_minutes(15)
    function = as_role(site, PRODUCTION, site.copy.role("production"), REGION)
    for call in (
        lambda: function.delete_db_snapshot(DBSnapshotIdentifier="by-hand"),
        lambda: function.modify_db_snapshot_attribute(
            DBSnapshotIdentifier="by-hand", AttributeName="restore", ValuesToAdd=[VAULT]
        ),
        lambda: function.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True),
        lambda: function.copy_db_snapshot(SourceDBSnapshotIdentifier="by-hand", TargetDBSnapshotIdentifier="elsewhere"),
    ):
        assert refused(call) == "AccessDenied"


def test_the_vault_may_mark_what_production_shares_and_no_more(site: CopySite) -> None:
    (shared,) = site.snapshots("production")
    reader = as_role(site, PRODUCTION, site.copy.reader_role, OTHER)
    assert reader.describe_db_snapshots()["DBSnapshots"]
    marked = {"ResourceName": shared.arn, "Tags": [{"Key": "drills:vault", "Value": "copying"}]}
    reader.add_tags_to_resource(**marked)
    for call in (
        lambda: reader.add_tags_to_resource(**{**marked, "Tags": [{"Key": "drills:copy", "Value": "x"}]}),
        lambda: reader.delete_db_snapshot(DBSnapshotIdentifier=shared.identifier),
        lambda: reader.modify_db_snapshot_attribute(
            DBSnapshotIdentifier=shared.identifier, AttributeName="restore", ValuesToAdd=["999999999999"]
        ),
    ):
        assert refused(call) == "AccessDenied"
