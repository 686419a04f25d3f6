"""Each way in which a copy is not what it should be is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from drills.simulator.rds.state import databases
from drills.snapshot_copy import Status, status
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, REGION, VAULT, CopySite, copy_named, rowless_site


def found(site: CopySite) -> Status:
    return status(site.copy, site.clients, site.world.aws.clock)


def test_a_sound_copy_has_nothing_to_tell() -> None:
    with rowless_site(copy_named("c", vault_region=OTHER, every_minutes=10), "orders", scheduled=True) as site:
        site.world.pass_minutes(300)
        told = found(site)
        assert (told.uncovered, told.stale, told.stuck, told.drift, told.exposed) == ((), (), (), (), ())
        (state,) = told.databases
        assert state.copies >= 3
        assert state.age_seconds < 2 * 3600


@pytest.mark.parametrize("seeds", [range(2, 4), pytest.param(range(2, 22), marks=pytest.mark.soak)])
def test_a_sound_copy_never_complains_whatever_aws_takes_its_time_for(seeds: range) -> None:
    copy = copy_named("c", vault_region=OTHER, interval="2h", objective="6h", every_minutes=15)
    for seed in seeds:
        with rowless_site(copy, "one", "two", scheduled=True, seed=seed) as site:
            site.world.pass_minutes(6 * 60)
            for _ in range(6):
                site.world.pass_minutes(47)
                told = found(site)
                assert (told.uncovered, told.stale, told.stuck, told.drift, told.exposed) == ((), (), (), (), ()), seed
            for side in copy.sides:
                cloudwatch = site.clients(side, "cloudwatch", copy.place(side)[1])
                assert cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"] == []


def test_a_copy_that_is_too_old_sets_its_alarm_off() -> None:
    copy = copy_named("c", objective="2h")
    with rowless_site(copy, "orders", scheduled=True) as site:
        site.world.pass_minutes(90)
        cloudwatch = site.clients("vault", "cloudwatch", REGION)

        def alarm(name: str) -> str:
            (one,) = cloudwatch.describe_alarms(AlarmNames=[f"c-vault-{name}"])["MetricAlarms"]
            return str(one["StateValue"])

        assert alarm("age") == "OK"
        databases().of(PRODUCTION, REGION).instances["orders"].status = "modifying"
        site.world.pass_minutes(180)
        assert alarm("age") == "ALARM"
        assert found(site).stale[0].startswith("the newest good copy of DB instance orders is ")


def test_a_function_that_does_not_run_sets_the_alarm_off_as_well() -> None:
    with rowless_site(copy_named("c"), "orders", scheduled=True) as site:
        site.world.pass_minutes(90)
        site.clients("vault", "events", REGION).disable_rule(Name=site.copy.rule("vault"))
        site.world.pass_minutes(60)
        cloudwatch = site.clients("vault", "cloudwatch", REGION)
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=["c-vault-age"])["MetricAlarms"]
        assert alarm["StateValue"] == "ALARM"
        assert found(site).drift == ("the schedule c-vault is DISABLED",)


def _default_key(site: CopySite) -> None:
    """Somebody has the functions use the default key, which cannot be shared."""
    rds_key = site.world.rds().describe_db_instances()["DBInstances"][0]["KmsKeyId"]
    client = site.clients("production", "lambda", REGION)
    variables = client.get_function_configuration(FunctionName=site.copy.function("production"))["Environment"]
    told = json.loads(variables["Variables"]["DRILLS_SNAPSHOT_COPY"]) | {"production_key": rds_key}
    client.update_function_configuration(
        FunctionName=site.copy.function("production"),
        Environment={"Variables": {"DRILLS_SNAPSHOT_COPY": json.dumps(told)}},
    )


def _key_lets_nobody_in(site: CopySite) -> None:
    kms = site.clients("production", "kms", REGION)
    key = kms.describe_key(KeyId=site.copy.key_alias("production"))["KeyMetadata"]["Arn"]
    own = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{PRODUCTION}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    kms.put_key_policy(
        KeyId=key, PolicyName="default", Policy=json.dumps({"Version": "2012-10-17", "Statement": [own]})
    )


def _key_pending_deletion(site: CopySite) -> None:
    kms = site.clients("vault", "kms", REGION)
    key = kms.describe_key(KeyId=site.copy.key_alias("vault"))["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def _not_shared(site: CopySite) -> None:
    iam = site.clients("production", "iam", REGION)
    document = iam.get_role_policy(RoleName=site.copy.role("production"), PolicyName="copy")["PolicyDocument"]
    for statement in document["Statement"]:
        if isinstance(statement["Action"], list):
            statement["Action"] = [one for one in statement["Action"] if "Attribute" not in one]
    iam.put_role_policy(RoleName=site.copy.role("production"), PolicyName="copy", PolicyDocument=json.dumps(document))


def _retention_of_nothing(site: CopySite) -> None:
    """The last good copy is deleted by hand."""
    rds = site.clients("vault", "rds", REGION)
    for one in site.snapshots("vault"):
        rds.delete_db_snapshot(DBSnapshotIdentifier=one.identifier)
    site.clients("vault", "events", REGION).disable_rule(Name=site.copy.rule("vault"))


@pytest.mark.parametrize(
    ("sabotage", "drift", "said"),
    [
        (
            _default_key,
            "the function c-production was told other settings",
            "the newest good copy of DB instance orders",
        ),
        (_key_lets_nobody_in, "production's key arn:", "the newest good copy of DB instance orders is "),
        (_key_pending_deletion, "PendingDeletion: nothing that is encrypted with it can be read", ""),
        (_not_shared, "the role c-production may do other things", "is not shared with the vault"),
        (_retention_of_nothing, "the schedule c-vault is DISABLED", "there is no good copy of DB instance orders"),
    ],
)
def test_sabotage_is_named(sabotage: Callable[[CopySite], None], drift: str, said: str) -> None:
    with rowless_site(copy_named("c", objective="3h", every_minutes=20), "orders", scheduled=True) as site:
        site.world.pass_minutes(150)
        assert not found(site).stale
        sabotage(site)
        site.world.pass_minutes(5 * 60)
        told = found(site)
        assert any(drift in one for one in told.drift), told.drift
        assert any(said in one for one in (*told.stale, *told.stuck)), told


def test_a_snapshot_that_stays_in_creating_is_named() -> None:
    with rowless_site(copy_named("c", objective="3h", every_minutes=20), "orders", scheduled=True) as site:
        site.world.pass_minutes(150)
        stuck = site.snapshots("vault")[-1]
        databases().of(VAULT, REGION).snapshots[stuck.identifier].status = "creating"
        site.world.pass_minutes(4 * 60)
        told = found(site)
        assert any(f"{stuck.arn} is creating since " in one for one in told.stuck)
        assert told.stale


def test_a_database_that_is_to_be_there_and_is_not_is_told() -> None:
    with rowless_site(copy_named("c", scope=("orders", "payments")), "orders") as site:
        assert found(site).uncovered == ("payments is to be copied, and there is no database of that name",)


def test_copies_in_productions_own_account_are_told() -> None:
    """Where the account is lost, so are they, whoever could delete them before."""
    with rowless_site(copy_named("c", vault=PRODUCTION, vault_region=OTHER), "orders") as site:
        site.rounds(3)
        assert found(site).exposed == ("the copies are in production's own account",)


def test_what_is_gone_is_told_part_by_part() -> None:
    with rowless_site(copy_named("c"), "orders") as site:
        for side in site.copy.sides:
            site.clients(side, "lambda", REGION).delete_function(FunctionName=site.copy.function(side))
            site.clients(side, "events", REGION).remove_targets(Rule=site.copy.rule(side), Ids=["function"])
            site.clients(side, "events", REGION).delete_rule(Name=site.copy.rule(side))
            site.clients(side, "cloudwatch", REGION).delete_alarms(AlarmNames=[f"c-{side}-age"])
        assert found(site).drift == tuple(
            difference
            for side in site.copy.sides
            for difference in (
                f"the function c-{side} is gone",
                f"the schedule c-{side} is gone",
                f"the alarm c-{side}-age is gone",
            )
        )
