"""What the two functions do, run by run: taken, made sharable, shared, copied, pruned; and when AWS does not do it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from drills.handlers.snapshot_copy import CLUSTER, VAULT_TAG, Database, Snapshot, coverage
from drills.handlers.snapshot_copy.deciding import named_after
from drills.simulator.rds.state import databases
from drills.snapshot_copy import deploy, status
from tests.simulator.rds.databases import lets
from tests.snapshot_copy.copy_site import OTHER, PRODUCTION, RECOVERY, REGION, VAULT, CopySite, copy_named, rowless_site
from tests.snapshot_copy.crashing import counted_calls

START = datetime(2026, 1, 5, tzinfo=UTC)


def states(snapshots: list[Snapshot]) -> list[str]:
    return [one.status for one in snapshots]


# --- One after the other -------------------------------------------------------------------------------------------


def test_a_snapshot_under_the_default_key_reaches_the_vault_with_its_tags() -> None:
    with rowless_site(copy_named("c", vault_region=OTHER), "orders", Tags=[{"Key": "team", "Value": "web"}]) as site:
        taken_at = site.world.now
        site.rounds(4)
        (copied,) = site.snapshots("vault")
        assert copied.status == "available"
        assert copied.as_of == taken_at
        assert copied.tags["team"] == "web"
        assert copied.tags["drills:database"] == f"arn:aws:rds:{REGION}:{PRODUCTION}:db:orders"
        kms = site.clients("vault", "kms", OTHER)
        assert copied.key == kms.describe_key(KeyId=site.copy.key_alias("vault"))["KeyMetadata"]["Arn"]
        (shared,) = site.snapshots("production")
        assert shared.tags[VAULT_TAG] == "copied"
        assert copied.copied_from == shared.arn
        assert site.snapshots("production", REGION) == []  # The intermediate one is gone.


def test_within_a_region_what_can_be_shared_as_it_is_is_not_copied_first() -> None:
    with rowless_site(copy_named("c"), "plain", StorageEncrypted=False) as site:
        with counted_calls():
            site.rounds(3)
        (taken,) = site.snapshots("production")
        assert taken.key is None
        assert taken.copied_from is None
        assert states(site.snapshots("vault")) == ["available"]


def test_under_a_key_that_lets_the_vault_in_as_well() -> None:
    with rowless_site(copy_named("c")) as site:
        key = site.world.key(vault=lets(VAULT))
        copy = copy_named("c", shareable_keys=[key])
        site.copy = copy
        site.deploy(scheduled=False)
        site.database("own", KmsKeyId=key)
        site.world.pass_minutes(30)
        site.rounds(3)
        assert [one.key for one in site.snapshots("production")] == [key]
        assert states(site.snapshots("vault")) == ["available"]


def test_a_customer_key_that_lets_nobody_in_is_left_behind() -> None:
    with rowless_site(copy_named("c")) as site:
        key = site.world.key()
        site.database("own", KmsKeyId=key)
        site.world.pass_minutes(30)
        site.rounds(3)
        site.invoke("production")
        (shared,) = site.snapshots("production")
        assert shared.key not in (None, key)
        assert states(site.snapshots("vault")) == ["available"]


def test_automated_snapshots_are_made_manual_ones() -> None:
    copy = copy_named("c", take="automated")
    with rowless_site(copy, "orders", BackupRetentionPeriod=3) as site:
        rds = site.world.rds()
        (automated,) = rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
        site.rounds(3)
        (copied,) = site.snapshots("vault")
        assert copied.as_of == automated["SnapshotCreateTime"]
        assert rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"]
        site.world.pass_minutes(24 * 60)
        site.rounds(3)
        assert len(site.snapshots("vault")) == 2


def test_automated_snapshots_that_there_are_none_of_are_told() -> None:
    with rowless_site(copy_named("c", take="automated"), "orders") as site:
        told = site.invoke("production")
        assert told["problems"] == ["DB instance orders has no automated snapshot that could be copied"]


def test_between_regions_of_one_account_production_does_everything() -> None:
    copy = copy_named("c", vault=PRODUCTION, vault_region=OTHER, interval="15m", vault_keep=2)
    with rowless_site(copy, "orders") as site:
        assert copy.sides == ("production",)
        site.rounds(10)
        site.invoke("production")  # One more may have become good after the last run.
        kept = site.snapshots("production", OTHER)
        assert len([one for one in kept if one.is_good]) == 2
        attributes = site.world.rds(PRODUCTION, OTHER).describe_db_snapshot_attributes(
            DBSnapshotIdentifier=kept[0].identifier
        )["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
        assert attributes[0]["AttributeValues"] == []


def test_the_vault_lets_read_who_restores() -> None:
    with rowless_site(copy_named("c"), "orders") as site:
        site.rounds(4)
        (copied,) = site.snapshots("vault")
        recovery = site.world.rds(RECOVERY)
        (seen,) = recovery.describe_db_snapshots(SnapshotType="shared")["DBSnapshots"]
        assert seen["DBSnapshotArn"] == copied.arn
        recovery.copy_db_snapshot(
            SourceDBSnapshotIdentifier=copied.arn, TargetDBSnapshotIdentifier="mine", KmsKeyId="alias/aws/rds"
        )
        site.world.until_there("mine", RECOVERY)


def test_both_sides_keep_so_many_of_the_newest() -> None:
    copy = copy_named("c", interval="15m", production_keep=2, vault_keep=3)
    with rowless_site(copy, "orders") as site:
        seen: list[Any] = []
        for _ in range(14):
            site.rounds()
            good = [one for one in site.snapshots("vault") if one.is_good]
            assert not seen or good[-1].as_of >= seen[-1]
            seen += [one.as_of for one in good[-1:]]
        site.invoke("vault")  # One more may have become good after the last run.
        assert len([one for one in site.snapshots("vault") if one.is_good]) == 3
        site.invoke("production")
        here = [one for one in site.snapshots("production") if one.is_good]
        # Beside what is kept the one that the vault is copying; of what was taken the one being copied, and the next.
        assert len([one for one in here if one.copied_from is not None]) <= 3
        assert len([one for one in here if one.copied_from is None]) <= 2


def test_nothing_new_is_taken_before_its_time_and_only_one_after_a_long_silence() -> None:
    with rowless_site(copy_named("c", interval="1h"), "orders") as site:
        site.rounds(4, minutes=14)
        assert len(site.snapshots("vault")) == 1
        site.world.pass_minutes(9 * 24 * 60)
        assert status(site.copy, site.clients, site.world.aws.clock).stale
        site.rounds(4)
        assert len(site.snapshots("vault")) == 2
        assert not status(site.copy, site.clients, site.world.aws.clock).stale


# --- Selection and coverage ----------------------------------------------------------------------------------------


def test_every_database_is_copied_excluded_or_told() -> None:
    copy = copy_named("c", tags={"backup": "yes"}, exclude_names=["scratch-*"], exclude_tags={"tier": "test"})
    with rowless_site(copy) as site:
        yes, test = {"Key": "backup", "Value": "yes"}, {"Key": "tier", "Value": "test"}
        for name, tags in (
            ("orders", [yes]),
            ("scratch-1", [yes]),
            ("trial", [yes, test]),
            ("forgotten", []),
        ):
            site.database(name, Tags=tags)
        site.world.pass_minutes(30)
        told = site.invoke("production")
        assert [one.source for one in site.snapshots("production")] == ["orders"]
        assert {arn.rpartition(":")[2]: rule for arn, rule in told["excluded"].items()} == {
            "scratch-1": "its name matches scratch-*",
            "trial": "it has the tag tier=test",
        }
        assert told["problems"] == [
            "DB instance forgotten is not copied: it has not the tag backup=yes, and no rule excludes it"
        ]
        assert status(copy, site.clients, site.world.aws.clock).uncovered == tuple(told["problems"])


def test_what_another_copy_answers_for_is_none_of_this_ones_business() -> None:
    with rowless_site(copy_named("c", scope=("orders",)), "orders", "payments") as site:
        told = site.invoke("production")
        assert told["problems"] == []
        assert told["excluded"] == {}
        assert [one.source for one in site.snapshots("production")] == ["orders"]


# --- When it does not go well --------------------------------------------------------------------------------------


def test_copies_that_fail_are_told_and_made_again_on_both_sides() -> None:
    with rowless_site(copy_named("c", interval="6h"), "orders") as site:
        failing = {PRODUCTION, VAULT}
        databases().failing_copies.append(
            lambda snapshot: snapshot.account in failing and (failing.remove(snapshot.account) or True)  # type: ignore[func-returns-value]
        )
        failed: list[str] = []
        for _ in range(6):
            for side in site.copy.sides:
                failed += site.invoke(side)["failed"]
            site.world.pass_minutes(15)
        assert len(failed) == 2
        assert all("has failed, and is made anew" in one for one in failed)
        assert states(site.snapshots("vault")) == ["available"]
        assert states(site.snapshots("production")) == ["available"]


def test_a_database_that_cannot_be_copied_does_not_hold_up_the_others() -> None:
    with rowless_site(copy_named("c"), "one", "two") as site:
        databases().of(PRODUCTION, REGION).instances["one"].status = "modifying"
        told = site.invoke("production")
        assert told["waiting"] == ["DB instance one is modifying, so that no snapshot of it can be taken"]
        assert [one.source for one in site.snapshots("production")] == ["two"]


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_throttling_only_makes_it_later(share: float) -> None:
    with rowless_site(copy_named("c", vault_region=OTHER), "one", "two", "three") as site:
        with site.world.aws.faults(throttle=share, services=["rds"]):
            for _ in range(12):
                for side in site.copy.sides:
                    site.invoked(side)
                site.world.pass_minutes(15)
        site.rounds(2)
        assert {one.source for one in site.snapshots("vault") if one.is_good} == {"one", "two", "three"}
        assert site.snapshots("production", REGION) == [] or all(
            one.tags["drills:stage"] == "taken" for one in site.snapshots("production", REGION)
        )


def test_runs_beside_each_other_make_nothing_twice() -> None:
    with rowless_site(copy_named("c"), "orders") as site:
        for _ in range(5):
            for side in site.copy.sides:
                site.invoke(side)
                site.invoke(side)
            site.world.pass_minutes(11)
        assert len(site.snapshots("vault")) == 1
        assert len(site.snapshots("production")) == 1


def test_acknowledgements_that_are_lost_make_nothing_twice() -> None:
    with rowless_site(copy_named("c"), "orders") as site:
        with site.world.aws.faults(lose_acknowledgement=0.4, services=["rds"]):
            for _ in range(8):
                for side in site.copy.sides:
                    site.invoked(side)
                site.world.pass_minutes(7)
        site.rounds(1)
        assert len(site.snapshots("vault")) == 1


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_a_crash_at_any_call_leaves_nothing_behind(every: int) -> None:
    """Each hour the functions die once, at the next of their calls, before or after AWS carried it out; run again, the
    hour ends as one without a crash does."""
    copy = copy_named("c", vault_region=OTHER, interval="1h", production_keep=1, vault_keep=1)
    with rowless_site(copy, "orders") as site, counted_calls() as calls:
        steps = [("production", 6), ("production", 7), ("production", 1), ("vault", 7), ("vault", 1), ("production", 1)]

        def hour() -> None:
            began = site.world.now
            for side, minutes in steps:
                if not site.invoked(side)[1]:  # type: ignore[arg-type]
                    assert calls.died
                    site.invoke(side)  # type: ignore[arg-type]
                site.world.pass_minutes(minutes)
            assert site.snapshots("production", REGION) == []
            (shared,) = site.snapshots("production")
            (copied,) = site.snapshots("vault")
            assert shared.tags[VAULT_TAG] == "copied"
            assert (copied.is_good, copied.as_of) == (True, began)
            site.world.pass_minutes(60 - (site.world.now - began).total_seconds() / 60)

        hour()
        calls.count = 0
        hour()
        in_an_hour = calls.count
        assert in_an_hour > 25
        for after in (False, True):
            for number in range(1 + every // 2 * after, in_an_hour + 1, every):
                calls.count, calls.die_at, calls.after, calls.died = 0, number, after, False
                hour()
                assert calls.died


def test_25_databases_at_once_wait_for_their_turn() -> None:
    names = [f"db{number:02}" for number in range(25)]
    with rowless_site(copy_named("c", vault_region=OTHER), *names) as site:
        busiest = 0
        for _ in range(8):
            for side in site.copy.sides:
                told = site.invoke(side)
                assert told["problems"] == []
                busiest = max(busiest, sum(one.is_under_way for one in site.snapshots(side)))
            site.world.pass_minutes(9)
        assert busiest == 20
        assert {one.source for one in site.snapshots("vault") if one.is_good} == set(names)


def test_a_name_that_somebody_else_took_is_told_and_left_alone() -> None:
    with rowless_site(copy_named("c"), "orders") as site:
        rds = site.world.rds()
        at = named_after(site.world.now, 3600)
        theirs = f"c-orders-{at:%Y%m%d-%H%M%S}"
        rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=theirs)
        site.world.pass_minutes(10)
        told = site.invoke("production")
        assert told["problems"] == [f"{theirs} was made by somebody else, in {REGION}: rename it"]
        assert rds.describe_db_snapshots(DBSnapshotIdentifier=theirs)["DBSnapshots"]


def test_a_copy_of_a_deleted_database_stays() -> None:
    copy = copy_named("c", interval="15m", vault_keep=1)
    with rowless_site(copy, "orders") as site:
        site.rounds(3)
        site.world.rds().delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
        site.world.pass_minutes(30)
        site.database("orders")
        site.world.pass_minutes(30)
        site.rounds(6)
        resources = {one.resource_id for one in site.snapshots("vault") if one.is_good}
        assert len(resources) == 2


# --- Coming and going ----------------------------------------------------------------------------------------------


def test_deploying_again_changes_nothing_and_taking_down_leaves_nothing() -> None:
    from drills.snapshot_copy import remove

    copy = copy_named("c", vault_region=OTHER)
    with rowless_site(copy, "orders", scheduled=True) as site:
        site.world.pass_minutes(90)
        deploy(copy, site.clients, site.wait)
        assert status(copy, site.clients, site.world.aws.clock).drift == ()
        remove(copy, site.clients, site.wait)
        for account, region in ((PRODUCTION, REGION), (PRODUCTION, OTHER), (VAULT, OTHER)):
            assert site.world.rds(account, region).describe_db_snapshots(SnapshotType="manual")["DBSnapshots"] == []
            session = site.world.aws.session(account)
            assert session.client("lambda", region).list_functions()["Functions"] == []
            assert session.client("events", region).list_rules()["Rules"] == []
            assert session.client("cloudwatch", region).describe_alarms()["MetricAlarms"] == []
            assert session.client("iam", region).list_roles()["Roles"] == []
        remove(copy, site.clients, site.wait)


# --- Clusters, option groups, engines --------------------------------------------------------------------------------


def test_a_cluster_is_copied_with_the_age_of_its_rows() -> None:
    """AWS does not say of a copy of a cluster snapshot how old its rows are."""
    with rowless_site(copy_named("c", vault_region=OTHER)) as site:
        rds = site.world.rds()
        rds.create_db_cluster(
            DBClusterIdentifier="orders",
            Engine="aurora-postgresql",
            MasterUsername="app",
            MasterUserPassword="long-enough",
            StorageEncrypted=True,
            Tags=[{"Key": "team", "Value": "web"}],
        )
        rds.create_db_instance(
            DBInstanceIdentifier="orders-1",
            DBClusterIdentifier="orders",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )
        site.world.pass_minutes(45)
        taken_at = site.world.now
        site.rounds(4)
        (copied,) = site.snapshots("vault")
        assert (copied.words.of, copied.source, copied.status) == ("cluster", "orders", "available")
        assert copied.created is not None
        assert copied.created > taken_at
        assert copied.as_of == taken_at
        assert copied.tags["team"] == "web"
        (state,) = status(site.copy, site.clients, site.world.aws.clock).databases
        assert state.as_of == taken_at
        assert state.database.identifier == "orders"  # Its instance is no database by itself.


def option_group(site: CopySite, account: str, name: str, *options: str) -> None:
    rds = site.world.rds(account)
    rds.create_option_group(
        OptionGroupName=name, EngineName="mysql", MajorEngineVersion="5.6", OptionGroupDescription="of the test"
    )
    if options:
        included = [{"OptionName": option} for option in options]
        rds.modify_option_group(OptionGroupName=name, OptionsToInclude=included, ApplyImmediately=True)


def test_an_option_group_of_its_own_is_exchanged_for_the_vaults() -> None:
    with rowless_site(copy_named("c", option_groups={"ours": "theirs"})) as site:
        option_group(site, PRODUCTION, "ours")
        option_group(site, VAULT, "theirs")
        site.database("orders")
        site.database("plain")
        databases().of(PRODUCTION, REGION).instances["orders"].option_group = "ours"
        site.world.pass_minutes(30)
        site.rounds(4)
        groups = {one.source: one.option_group for one in site.snapshots("vault")}
        assert groups["orders"] == "theirs"
        assert groups["plain"].startswith("default:")


@pytest.mark.parametrize("vault_region", [REGION, OTHER])
def test_an_option_group_that_a_snapshot_needs_is_made_in_the_vault(vault_region: str) -> None:
    """With its options and their settings, on every leg of the way; changed when the database's is."""
    from drills.snapshot_copy import remove

    with rowless_site(copy_named("c", vault_region=vault_region, interval="15m")) as site:
        rds, name = site.world.rds(), "audited"
        option_group(site, PRODUCTION, name)

        def set_to(rows: str) -> None:
            settings = [{"Name": "SERVER_AUDIT_FILE_ROTATIONS", "Value": rows}]
            option = {"OptionName": "MARIADB_AUDIT_PLUGIN", "OptionSettings": settings}
            rds.modify_option_group(OptionGroupName=name, OptionsToInclude=[option], ApplyImmediately=True)

        def in_the_vault() -> dict[str, Any]:
            vault = site.world.rds(VAULT, vault_region)
            (group,) = vault.describe_option_groups(OptionGroupName="c-audited")["OptionGroupsList"]
            assert (group["EngineName"], group["MajorEngineVersion"]) == ("mysql", "5.6")
            (option,) = group["Options"]
            return {one["Name"]: one["Value"] for one in option["OptionSettings"]}

        set_to("12")
        site.database("orders")
        databases().of(PRODUCTION, REGION).instances["orders"].option_group = name
        site.world.pass_minutes(30)
        site.rounds(5)
        assert {one.option_group for one in site.snapshots("vault")} == {"c-audited"}
        assert in_the_vault() == {"SERVER_AUDIT_FILE_ROTATIONS": "12"}
        set_to("34")
        site.rounds(5)
        assert in_the_vault() == {"SERVER_AUDIT_FILE_ROTATIONS": "34"}
        remove(site.copy, site.clients, site.wait)
        for account, region in ((PRODUCTION, vault_region), (VAULT, vault_region)):
            found = site.world.rds(account, region).describe_option_groups()["OptionGroupsList"]
            assert not [one for one in found if one["OptionGroupName"].startswith("c-")]


def test_an_option_group_that_forbids_sharing_is_told() -> None:
    with rowless_site(copy_named("c")) as site:
        option_group(site, PRODUCTION, "binding", "TDE")
        site.database("orders")
        databases().of(PRODUCTION, REGION).instances["orders"].option_group = "binding"
        site.world.pass_minutes(30)
        site.rounds(3)
        told = site.invoke("production")
        assert any("permanent or persistent options: [TDE]" in problem for problem in told["problems"])
        assert status(site.copy, site.clients, site.world.aws.clock).stale


def test_an_engine_that_is_not_known_is_told() -> None:
    settings = copy_named("c").settings("", "")
    known = Database(CLUSTER, "one", "arn:one", "r-1", "aurora-mysql", "available", START, {})
    found = coverage(settings.selection, [known, replace(known, arn="arn:two", identifier="two", engine="neptune")])
    assert found.chosen == (known,)
    assert found.uncovered == {"arn:two": "DB cluster two is not copied: its engine neptune is not known here"}


def test_tags_that_there_is_no_room_for_are_told() -> None:
    tags = [{"Key": f"tag-{number:02}", "Value": "x"} for number in range(48)]
    with rowless_site(copy_named("c"), "orders", Tags=tags) as site:
        told = site.invoke("production")
        assert any("have no room among its copy's tags" in problem for problem in told["problems"])
        site.rounds(4)
        (copied,) = site.snapshots("vault")
        assert copied.is_good
        assert len(copied.tags) <= 50
