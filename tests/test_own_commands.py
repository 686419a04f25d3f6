"""``drills protect``, ``status``, ``points`` and ``restore`` on a table that exists, in the simulated AWS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from drills import protecting, restoring
from drills.cli import cli
from drills.errors import ProtectionError, UsageError
from drills.own_estate import OwnEstate, kind_of
from drills.protections import dynamodb_pitr
from drills.restoring import Asked
from drills.stream_copy import refill
from tests.own_ground import ALL, PRODUCTION, RECOVERY, TABLE, VAULT, Ground, item, own_ground

COPY = "drills-hotel-bookings-copy"
GLOBAL = "[dynamodb_pitr, {dynamodb_global_table: {region: eu-north-1}}]"


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with own_ground(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def protected(ground: Ground) -> Ground:
    """The table with 30 items, protected in all ways and ten minutes old."""
    ground.make_table()
    for done in protecting.protect(ground.own(), [], None):
        assert done.error is None
    ground.aws.clock.sleep(600)
    return ground


def asked(**changes: object) -> Asked:
    given: dict[str, object] = {
        "store": "bookings", "protection": None, "to": "latest", "role": "production", "region": None, "name": None,
        "in_place": False, "read_back": True,
    }  # fmt: skip
    return Asked(**{**given, **changes})  # type: ignore[arg-type]


def restored(own: OwnEstate, **changes: object) -> restoring.Restored:
    return restoring.restore(own, restoring.choose(own, asked(**changes)), read_back=True)


# --- Protecting ----------------------------------------------------------------------------------------------------


def test_a_dry_run_names_what_is_made_and_calls_nothing(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    operations: list[str] = []
    ground.aws.on_call(lambda request, status: operations.append(request.operation))
    assert ground.run("protect", "--dry-run") == 0
    assert operations == []
    planned = capsys.readouterr().out
    own = ground.own()
    wanted = {part.name for one in protecting.wanted(own, [], None) for part in one.resources}
    ground.make_table(3)
    list(protecting.protect(own, [], None))
    for name in wanted:
        assert name in planned
    assert {COPY, f"{COPY}-markers"} <= wanted & set(ground.tables(VAULT, "eu-central-1"))
    assert {role["RoleName"] for role in ground.client("iam").list_roles()["Roles"]} <= wanted
    assert {f["FunctionName"] for f in ground.client("lambda").list_functions()["Functions"]} <= wanted
    alarms = ground.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in alarms} <= wanted
    assert {b["Name"] for b in ground.client("s3", VAULT).list_buckets()["Buckets"]} <= wanted
    assert {q.rpartition("/")[2] for q in ground.client("sqs").list_queues()["QueueUrls"]} <= wanted
    assert {rule["Name"] for rule in ground.client("events").list_rules()["Rules"]} <= wanted


def test_protecting_twice_makes_nothing_new(protected: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    assert protected.run("protect") == 0
    out = capsys.readouterr().out
    assert "Create" not in out
    assert "dynamodb_pitr: pass: pitr.enabled: on, 35 days" in out
    assert "UpdateContinuousBackups" not in out


def test_what_is_made_is_tagged_as_the_estates(protected: Ground) -> None:
    arn = f"arn:aws:dynamodb:eu-central-1:{VAULT}:table/{COPY}"
    tags = protected.client("dynamodb", VAULT, "eu-central-1").list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "drills:managed", "Value": "hotel"}]
    own = f"arn:aws:dynamodb:eu-west-1:{PRODUCTION}:table/{TABLE}"
    assert protected.client("dynamodb").list_tags_of_resource(ResourceArn=own)["Tags"] == [
        {"Key": "team", "Value": "front-desk"}
    ]


def test_a_window_that_reaches_further_back_is_left_alone(ground: Ground) -> None:
    ground.make_table(1)
    assert ground.run("protect", "--protection", "dynamodb_pitr") == 0
    assert ground.run("protect", protections="[{dynamodb_pitr: {period_days: 3}}]") == 0
    found = ground.client("dynamodb").describe_continuous_backups(TableName=TABLE)["ContinuousBackupsDescription"]
    assert found["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 35


def test_backups_are_made_when_due_and_only_their_own_are_pruned(ground: Ground) -> None:
    ground.make_table(1)
    dynamodb = ground.client("dynamodb")
    dynamodb.create_backup(TableName=TABLE, BackupName="by-hand")
    for _ in range(5):
        assert ground.run("protect", "--protection", "dynamodb_backup") == 0
        assert ground.run("protect", "--protection", "dynamodb_backup") == 0
        ground.aws.clock.sleep(3_600)
    names = [one["BackupName"] for one in dynamodb.list_backups(TableName=TABLE)["BackupSummaries"]]
    assert "by-hand" in names
    assert len([name for name in names if name.startswith("drills-hotel-")]) == 2


def test_a_protection_that_cannot_be_set_up_stops_no_other(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.make_table(1)
    ground.client("dynamodb").update_table(
        TableName=TABLE, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )
    ground.aws.clock.sleep(60)
    assert ground.run("protect", protections="[dynamodb_stream_copy, dynamodb_pitr]") == 4
    captured = capsys.readouterr()
    assert "dynamodb_stream_copy: error: the stream of prod-bookings carries KEYS_ONLY" in captured.err
    assert "dynamodb_pitr: pass: pitr.enabled" in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--store", "bokings"], "the estate hotel has no store 'bokings'; did you mean 'bookings'?"),
        (["--protection", "dynamo_pitr"], "store 'bookings' of the estate hotel has no protection 'dynamo_pitr'; did"),
        ([], f"store 'bookings': expected {TABLE} in account {PRODUCTION}, eu-west-1, found nothing of that name"),
    ],
)
def test_what_is_not_there(
    ground: Ground, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert ground.run("protect", *arguments) == 2
    assert message in capsys.readouterr().err


def test_an_estate_that_says_another_key(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.make_table(1)
    path = Path(ground.estate())
    path.write_text(path.read_text().replace("guest, sort: booking", "guest"))
    accounts = str(ground.accounts())
    result = CliRunner().invoke(cli, ["protect", str(path), "--on", accounts])
    assert isinstance(result.exception, UsageError)
    assert "expected the key of prod-bookings to be guest as the estate says, found guest and booking" in str(
        result.exception
    )


def test_stores_that_are_only_drilled_are_not_touched(
    ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = str(ground.accounts())
    for more, message in (([], "expected a store with the key 'exists'"), (["--store", "orders"], "'exists' with")):
        result = CliRunner().invoke(cli, ["protect", "shop", "--on", accounts, "--dry-run", *more])
        assert isinstance(result.exception, UsageError)
        assert message in str(result.exception)


def test_a_store_that_exists_cannot_be_drilled_by_mistake(ground: Ground) -> None:
    result = CliRunner().invoke(cli, ["plan", "--estate", ground.estate()])
    assert isinstance(result.exception, UsageError)
    assert "without which it cannot be drilled; found only that it exists as prod-bookings" in str(result.exception)


# --- Status and points ---------------------------------------------------------------------------------------------


def test_status_before_and_after(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.make_table(2)
    assert ground.run("status") == 1
    out = capsys.readouterr().out
    assert "dynamodb_pitr: fail: pitr.enabled: off; expected: on, 35 days" in out
    assert "dynamodb_stream_copy: fail: protection: " in out
    assert "expected: set up by `drills protect`" in out
    assert ground.run("protect") == 0
    assert ground.run("status") == 0
    ground.client("dynamodb").update_table(TableName=TABLE, StreamSpecification={"StreamEnabled": False})
    ground.aws.clock.sleep(60)
    capsys.readouterr()
    assert ground.run("status") == 1
    assert "stream_copy.gap: the stream is off" in capsys.readouterr().out


def test_points_are_those_in_reach(protected: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    assert protected.run("points", "--store", "bookings") == 0
    out = capsys.readouterr().out
    assert "dynamodb_pitr: 2026-01-05T" in out
    assert ", any second since 2026-01-05T09:0" in out
    assert "dynamodb_system_backup: none: there is no SYSTEM backup of prod-bookings" in out
    protected.aws.close_account(PRODUCTION)
    assert protected.run("points", "--store", "bookings") == 0
    captured = capsys.readouterr()
    assert "dynamodb_pitr: none: the production account is out of reach" in captured.out
    assert f"(account {VAULT}, eu-central-1)" in captured.out
    assert protected.run("points", "--store", "bookings", "--protection", "dynamodb_pitr") == 1


# --- Restoring -----------------------------------------------------------------------------------------------------


def test_an_erase_is_undone_into_a_new_table(protected: Ground) -> None:
    before = dict(protected.items())
    moment = protected.aws.clock.now()
    protected.aws.clock.sleep(30)
    protected.erase()
    protected.aws.clock.sleep(900)
    for protection in ("dynamodb_pitr", "dynamodb_stream_copy"):
        done = restored(protected.own(), to=moment.isoformat(), protection=protection, name=f"back-by-{protection}")
        assert {finding.verdict for finding in done.findings} == {"pass"}
        assert protected.items(done.at.name) == before
        described = protected.client("dynamodb").describe_table(TableName=done.at.name)["Table"]
        assert described["StreamSpecification"]["StreamEnabled"]
    assert protected.items() == {}
    assert TABLE in protected.tables()


def test_the_state_as_of_the_second_asked_for(protected: Ground) -> None:
    """What was acknowledged by then is there, what came later is not."""
    protected.aws.clock.sleep(60 - protected.aws.clock.now().second)
    protected.put([500])
    protected.aws.clock.sleep(1)
    moment = protected.aws.clock.now().replace(microsecond=0)
    protected.aws.clock.sleep(1.5)
    protected.put([501])
    protected.aws.clock.sleep(900)
    done = restored(protected.own(), to=moment.isoformat(), protection="dynamodb_pitr")
    assert done.chosen.point.as_of == moment
    found = set(protected.items(done.at.name))
    assert "G-500" in found
    assert "G-501" not in found


def test_what_a_restore_had_to_do_without_is_told(protected: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    really = dynamodb_pitr.protection.restore

    def without_a_hold(site: Any, *what: Any) -> Any:
        site.note("hold.refused", warning="hold on it: the vault is out of reach")
        return really(site, *what)

    monkeypatch.setattr(dynamodb_pitr.protection, "restore", without_a_hold)
    done = restored(protected.own(), protection="dynamodb_pitr")
    assert "hold on it: the vault is out of reach" in done.notes


def test_production_is_closed_and_the_vault_brings_it_back(protected: Ground) -> None:
    before = dict(protected.items())
    protected.aws.close_account(PRODUCTION)
    own = protected.own()
    done = restored(own, role="recovery")
    assert done.chosen.use.name == "dynamodb_stream_copy"
    assert [reason.partition(":")[0] for reason in done.chosen.passed_over] == [
        "dynamodb_pitr", "dynamodb_system_backup", "dynamodb_backup",
    ]  # fmt: skip
    assert {finding.verdict for finding in done.findings} == {"pass"}
    assert protected.items(done.at.name, RECOVERY, "eu-north-1") == before
    client = protected.client("dynamodb", RECOVERY, "eu-north-1")
    described = client.describe_time_to_live(TableName=done.at.name)["TimeToLiveDescription"]
    assert described["AttributeName"] == "delete_after"
    assert any("going on without the production account" in line for line in protected.told)
    assert "settings were put back as it had them at the last `drills protect`" in done.notes


def test_the_table_is_deleted_and_comes_back_under_its_own_name(protected: Ground) -> None:
    before = dict(protected.items())
    protected.client("dynamodb").delete_table(TableName=TABLE)
    protected.aws.clock.sleep(600)
    done = restored(protected.own(), protection="dynamodb_system_backup", name=TABLE)
    assert {finding.verdict for finding in done.findings} == {"pass"}
    assert protected.items() == before


def test_the_region_is_down_and_it_comes_back_in_another(protected: Ground) -> None:
    before = dict(protected.items())
    with protected.aws.region_down("eu-west-1"):
        done = restored(protected.own(), region="eu-north-1", protection="dynamodb_stream_copy")
        assert {finding.verdict for finding in done.findings} == {"pass"}
    assert protected.items(done.at.name, PRODUCTION, "eu-north-1") == before


def test_a_live_copy_is_pointed_at_and_left_as_it_is(ground: Ground) -> None:
    ground.make_table(7)
    for protected in protecting.protect(ground.own(GLOBAL), [], None):
        assert protected.error is None
    own = ground.own(GLOBAL)
    with ground.aws.region_down("eu-west-1"):
        done = restored(own, region="eu-north-1", protection="dynamodb_global_table")
    assert (done.at.name, done.at.region) == (TABLE, "eu-north-1")
    assert [(finding.check, finding.verdict) for finding in done.findings] == [("records", "pass")]
    assert protecting.changes(own.take_calls()) == []


def test_settings_that_nobody_knows_are_unknown(ground: Ground) -> None:
    ground.make_table(3)
    ground.client("dynamodb").update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    ground.aws.clock.sleep(600)
    ground.client("dynamodb").delete_table(TableName=TABLE)
    ground.aws.clock.sleep(600)
    done = restored(ground.own(), protection="dynamodb_system_backup")
    assert {finding.check: finding.verdict for finding in done.findings}["settings"] == "unknown"


def test_an_empty_store_read_back_proves_nothing(ground: Ground) -> None:
    ground.make_table(0)
    list(protecting.protect(ground.own(), [], "dynamodb_pitr"))
    ground.aws.clock.sleep(600)
    done = restored(ground.own(), protection="dynamodb_pitr")
    assert {finding.check: finding.verdict for finding in done.findings}["records"] == "unknown"


def test_a_copy_that_lost_an_item_on_the_way_is_told(protected: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = refill

    def forgetful(source: object, table: str, target: object, name: str, *rest: object, **more: object) -> int:
        copied = honest(source, table, target, name, *rest, **more)  # type: ignore[arg-type]
        key = {"guest": item(3)["guest"], "booking": item(3)["booking"]}
        protected.client("dynamodb").delete_item(TableName=name, Key=key)
        return copied

    monkeypatch.setattr("drills.protections.dynamodb_stream_copy.refill", forgetful)
    done = restored(protected.own(), protection="dynamodb_stream_copy")
    (finding,) = [finding for finding in done.findings if finding.check == "records"]
    assert (finding.verdict, finding.expected) == ("fail", "30 records copied")
    assert finding.observed == "29 records read back"


REFUSED = [
    (["--to", "yesterday"], "--to yesterday: expected latest, a time with its zone such as"),
    (["--to", "2026-01-05T09:05:00"], "expected latest, a time with its zone"),
    (["--to", "2026-13-05T09:05:00Z"], "expected latest, a time with its zone"),
    (["--to", "-5x"], "or a time back such as -30m"),
    (["--to", "2027-01-05T09:05:00Z"], "expected a time that has passed, found one after now"),
    (["--to", "-30d"], "dynamodb_pitr: the recovery window begins at 2026-01-05"),
    (["--to", "-30d"], "dynamodb_backup: there is no recovery point in reach from then or before"),
    (["--protection", "dynamodb_system_backup"], "there is no SYSTEM backup of prod-bookings"),
    (["--as", TABLE], "expected the name of the restored store to be free, found a store"),
    (["--in-place"], "dynamodb_pitr: it restores into a new store and nothing in place"),
    (["--store", "bokings"], "the estate hotel has no store 'bokings'; did you mean 'bookings'?"),
    (["--protection", "dynamodb_ptir"], "did you mean 'dynamodb_pitr'"),
    (["--into", "recovery", "--protection", "dynamodb_pitr"], "it restores into the production account only"),
]


def test_what_cannot_be_restored_does_nothing(protected: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    before = protected.tables()
    for arguments, message in REFUSED:
        assert protected.run("restore", "--store", "bookings", "--into", "production", "--yes", *arguments) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.out == ""
    assert protected.tables() == before


def test_the_stores_name_is_typed_before_anything_is_made(protected: Ground) -> None:
    before = protected.tables()
    command = ["restore", protected.estate(), "--on", str(protected.accounts()), "--store", "bookings",
               "--into", "production", "--as", "again"]  # fmt: skip
    for typed in ("", "yes\n", "prod-bookings\n"):
        refused = CliRunner().invoke(cli, command, input=typed)
        assert isinstance(refused.exception, UsageError)
        assert "Nothing was done" in str(refused.exception)
    assert protected.tables() == before
    done = CliRunner().invoke(cli, command, input="bookings\n")
    assert done.exit_code == 0
    assert "lies in again" in done.output
    assert "replay erasures of people's data" in done.output
    assert "again" in protected.tables()


def test_not_reading_back_is_unknown(protected: Ground) -> None:
    assert protected.run("restore", "--store", "bookings", "--into", "production", "--yes", "--no-read-back") == 3


# --- Nothing is destroyed ------------------------------------------------------------------------------------------


def test_nothing_that_is_not_temporary_is_deleted(protected: Ground) -> None:
    own = protected.own()
    for done in protecting.protect(own, [], None):
        assert done.error is None
    moment = protected.aws.clock.now() - timedelta(minutes=2)
    deleted = []
    for protection in ("dynamodb_pitr", "dynamodb_stream_copy"):
        restored(own, protection=protection, to=moment.isoformat(), name=f"by-{protection}")
        deleted += [call for call in own.take_calls() if call.operation.startswith(("Delete", "Remove"))]
    assert {(call.role, call.operation) for call in deleted if call.operation != "DeleteItem"} == {
        ("vault", "DeleteTable")
    }
    for call in deleted:
        # The canary of a restored table, and the vault's own temporary table.
        assert call.resource.startswith(("by-", f"{COPY}-as-of-"))


def test_the_guards_hold_for_an_estates_own(protected: Ground) -> None:
    own = protected.own(ALL)
    own.verify(["production"])
    (store,) = own.stores()
    site = own.site(store)
    for deed in (
        lambda: kind_of(store).destroy(site, site.primary()),
        lambda: kind_of(store).damage(site, site.primary(), "all"),
    ):
        with pytest.raises(ProtectionError, match="Outside of drills no store is ever destroyed"):
            deed()
    for use in own.uses(store):
        if use.name != "dynamodb_system_backup":
            with pytest.raises(ProtectionError, match="Outside of drills no store is ever destroyed"):
                use.protection.destroy(site, use.options)
    with pytest.raises(ProtectionError, match="expected the tag drills:managed=hotel before changing it, found none"):
        kind_of(store).reconfigure(site, site.primary(), {})
    assert len(protected.items()) == 30
