"""Drills against moto's own server over HTTP, in a process of its own and with the wall clock."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox_ground import (
    ACCOUNTS,
    ESTATE,
    FILE,
    LOST,
    PRODUCTION,
    RECOVERY,
    REGIONS,
    RESET,
    SECRET,
    Ground,
    Trouble,
    refusal,
)

WHAT = ("bulk_erase", "--estate", "small.yaml", "--on", "sandbox.yaml", "--records", "12")
NOTHING = "Nothing was done."


def planned(ground: Ground, capsys: pytest.CaptureFixture[str], *what: str) -> tuple[str, str]:
    """The digest that ``plan`` prints, and all that it prints."""
    assert ground.drills("plan", *(what or WHAT)) == 0
    out = capsys.readouterr().out
    return re.findall(r"^PLAN_DIGEST (\S+)$", out, re.MULTILINE)[0], out


def run(ground: Ground, capsys: pytest.CaptureFixture[str], *what: str) -> tuple[int, Any]:
    """The exit code of a drill that is approved, and its report."""
    digest, _ = planned(ground, capsys, *what)
    code = ground.drills("run", *(what or WHAT), "--approve", digest, "--out", "out")
    (report,) = Path("out").glob("*/report.json")
    return code, json.loads(report.read_text())


def not_passed(findings: list[Any]) -> dict[str, Any]:
    return {finding["check"]: finding for finding in findings if finding["verdict"] != "pass"}


def tables(ground: Ground) -> list[str]:
    clients = [ground.client("dynamodb", role, region) for role in ACCOUNTS for region in REGIONS.values()]
    return [name for client in clients for name in client.list_tables()["TableNames"]]


def test_a_drill_from_the_plan_to_the_report(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    ground.estate()
    ground.file()
    planned(ground, capsys)
    assert ground.writes == []
    assert tables(ground) == []
    _, told = run(ground, capsys)
    (cell,) = told["cells"]
    assert (told["drill"]["grade"], told["drill"]["clock"]) == ("sandbox", "wall")
    assert not_passed(cell["attempts"][0]["findings"]) == {}
    assert cell["verdict"] == "pass"
    assert cell["rto_seconds"] < 600
    (folder,) = Path("out").iterdir()
    assert "measured" in (folder / "report.html").read_text()
    held = [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert held == []
    assert "CreateTable" in ground.writes


def test_what_the_endpoint_lacks_is_unknown_and_never_pass(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    ground.estate("[{dynamodb_backup: {every: 1m, keep: 3}}, dynamodb_pitr]")
    ground.file()
    _, out = planned(ground, capsys)
    assert "not there: dynamodb.pitr: moto restores what the table holds now" in out
    _, told = run(ground, capsys)
    by_name = {attempt["protection"]: attempt for attempt in told["cells"][0]["attempts"]}
    assert by_name["dynamodb_backup"]["verdict"] == "pass"
    assert by_name["dynamodb_pitr"]["verdict"] == "unknown"
    assert "dynamodb.pitr (moto restores" in not_passed(by_name["dynamodb_pitr"]["findings"])["capability"]["observed"]
    assert told["cells"][0]["verdict"] == "unknown"
    assert "UpdateContinuousBackups" not in ground.calls


DATABASE = """
  - name: ledger
    kind: rds
    schema: CREATE TABLE entries (id text PRIMARY KEY, note text)
    tables: {entries: {key: id, columns: {id: text, note: text}}}
    records: {id: uuid, note: city}
    workload: {writes_per_minute: 60}
    protections: [rds_automated_backup, rds_snapshot_copy]
    objectives: {rto: 8h, rpo: 1h}
    production: {size_gb: 1, items: 1000}
"""


@pytest.mark.soak
def test_a_database_where_there_can_be_none_is_unknown_and_the_others_are_drilled(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.mark()
    ground.estate(text=ESTATE.replace("response:", f"{DATABASE.strip(chr(10))}\nresponse:"))
    ground.file()
    _, out = planned(ground, capsys)
    assert "not there: rds: moto's databases hold no rows and take no connections" in out
    assert "make DB instance" not in out
    code, told = run(ground, capsys)
    by_store = {cell["store"]: cell for cell in told["cells"]}
    assert by_store["people"]["verdict"] == "pass"
    assert by_store["ledger"]["verdict"] == "unknown"
    assert code != 0
    for attempt in by_store["ledger"]["attempts"]:
        (finding,) = attempt["findings"]
        assert finding["check"] == "capability"
        assert "rds (moto's databases hold no rows and take no connections)" in finding["observed"]
    assert not {"CreateDBInstance", "CreateDBParameterGroup", "CreateSecret"} & set(ground.calls)


def test_where_none_of_the_stores_can_exist_nothing_is_made(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    head, _, tail = ESTATE.partition("stores:")
    ground.estate(text=f"{head}stores:{DATABASE}{tail[tail.index('response:') :]}")
    ground.file()
    code, told = run(ground, capsys, "account_loss", *WHAT[1:])
    assert [cell["verdict"] for cell in told["cells"]] == ["unknown"]
    assert code != 0
    assert ground.writes == []


SCALED = ESTATE.replace(
    "    workload:", "    billing: {read_units: 5, write_units: 5, autoscaling: {min: 5, max: 9}}\n    workload:"
)


@pytest.mark.parametrize("text", [pytest.param(ESTATE, marks=pytest.mark.soak), SCALED])
def test_a_store_that_scales_is_unknown_where_nothing_scales(
    text: str, ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.mark()
    ground.estate(text=text)
    ground.file(FILE + "lacks: {dynamodb.autoscaling: it does not know it}\n")
    _, told = run(ground, capsys)
    (attempt,) = told["cells"][0]["attempts"]
    if text == SCALED:
        why = not_passed(attempt["findings"])["capability"]
        assert "dynamodb.autoscaling (it does not know it)" in why["observed"]
    assert (attempt["verdict"], told["cells"][0]["verdict"]) == (("unknown",) * 2 if text == SCALED else ("pass",) * 2)
    assert not [call for call in ground.calls if "Scal" in call]


@pytest.mark.parametrize("scenario", ["account_loss", "region_outage"])
def test_no_call_leaves_for_what_is_lost(scenario: str, ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    ground.estate()
    ground.file()
    code, told = run(ground, capsys, scenario, *WHAT[1:])
    assert code == 1
    (attempt,) = told["cells"][0]["attempts"]
    assert not_passed(attempt["findings"])["recovery_point"]["verdict"] == "fail"
    assert not_passed(attempt["findings"]).keys() == {"recovery_point"}
    (enforcement,) = [finding for finding in told["findings"] if finding["check"] == "enforcement"]
    assert "by drills only, on this side of the wire" in enforcement["observed"]


def test_a_changed_plan_is_not_run_and_says_what_changed(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    ground.estate()
    ground.file()
    digest, _ = planned(ground, capsys)
    assert planned(ground, capsys)[0] == digest
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: ground.file(FILE.replace("eu-north-1", "eu-west-3")), "the accounts or how they are reached"),
        (lambda: ground.file(FILE + "time_limit: 5h\n"), "the limits, the prefix, the endpoint or what it lacks"),
        (lambda: ground.estate("[{dynamodb_backup: {every: 2m, keep: 3}}]"), "the estate, its records or its stores"),
    ]
    for change, word in changes:
        ground.estate()
        ground.file()
        change()
        assert ground.drills("run", *WHAT, "--approve", digest) == 2
        error = capsys.readouterr().err
        assert f"what changed: {word}" in error
        assert NOTHING in error
    assert ground.drills("run", *WHAT, "--approve", "yes") == 2
    assert "it is no digest that `drills plan --on` prints" in capsys.readouterr().err
    assert ground.writes == []
    assert not Path("reports").exists()


SNEAKING = """
from pathlib import Path
from drills.scenario import Scenario


def fail(incident):
    incident.damage("all")
    with Path("failures").open("a") as file:
        file.write("x")
    # Once for the plan, once for the plan that run makes again, and then for real.
    if Path("failures").read_text() == "xxx":
        for workload in incident._workloads.values():
            workload.site.client("dynamodb", "production").update_time_to_live(
                TableName=workload.at.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "at"}
            )


scenario = Scenario(summary="A failure that does more than was planned.", fail=fail, respond_from="production")
"""


def test_a_call_that_the_plan_does_not_list_is_not_sent(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    ground.estate()
    ground.file()
    (ground.folder / "scenarios").mkdir()
    (ground.folder / "scenarios" / "sneaking.py").write_text(SNEAKING)
    what = ("sneaking", *WHAT[1:])
    digest, out = planned(ground, capsys, *what)
    assert "UpdateTimeToLive" not in out
    assert ground.drills("run", *what, "--approve", digest, "--out", "out") == 4
    assert "UpdateTimeToLive" not in ground.calls
    assert "BatchWriteItem" in ground.calls
    (history,) = Path("out").glob("*/history.jsonl")
    told = f"dynamodb UpdateTimeToLive as production: expected a call that the plan {digest} lists, found one that"
    assert told in history.read_text()
    assert told in capsys.readouterr().err
    assert tables(ground) == []


def test_without_a_terminal_it_is_not_run(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.mark()
    ground.estate()
    ground.file()
    assert ground.drills("run", *WHAT) == 2
    error = capsys.readouterr().err
    assert f"this drill destroys in the account {PRODUCTION}, and there is no terminal to ask at" in error
    assert ground.writes == []


@pytest.mark.parametrize(("typed", "code"), [(PRODUCTION, "runs"), (RECOVERY, 2)])
def test_the_production_accounts_id_is_typed(
    typed: str, code: object, ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.mark(["vault", "recovery"])
    ground.estate()
    ground.file()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: typed)
    assert ground.drills("run", *WHAT) == 2
    error = capsys.readouterr().err
    assert "destroy table drill-" in error or "make table drill-" in error
    # What is typed rightly gets as far as the accounts, of which one is not marked here.
    assert ("found no alias" in error) == (code == "runs")
    assert ("expected the production account's id" in error) == (code == 2)
    assert ground.writes == []


@pytest.mark.parametrize(("limit", "word"), [("time_limit: 1s", "the plan expects"), ("cost_limit: 0.001", "$")])
def test_a_plan_over_a_limit_is_not_run(
    limit: str, word: str, ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.mark()
    ground.estate()
    ground.file(FILE + limit + "\n")
    digest, _ = planned(ground, capsys)
    assert ground.drills("run", *WHAT, "--approve", digest) == 2
    error = capsys.readouterr().err
    assert limit.partition(":")[0] in error
    assert word in error
    assert ground.writes == []


def test_the_policies_to_attach_are_printed_and_nothing_is_asked(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.estate()
    ground.file()
    assert ground.drills("plan", *WHAT, "--permissions") == 0
    policies = json.loads(capsys.readouterr().out)
    assert policies.keys() == set(ACCOUNTS)
    actions = {role: [one for each in told["Statement"] for one in each["Action"]] for role, told in policies.items()}
    assert "dynamodb:RestoreTableFromBackup" in actions["production"]
    assert "dynamodb:RestoreTableFromBackup" not in actions["vault"]
    assert [one for of in actions.values() for one in of if "*" in one] == []
    assert set(ground.calls) <= {"GetMotoPage"}


def troubled(seed: int, rate: float) -> Trouble:
    """Throttled, failing and unreachable by turns, for that share of calls; seeded."""
    rng = random.Random(seed)

    def met(operation: str, content_type: str) -> bytes | None:
        if operation == "GetMotoPage" or rng.random() >= rate:
            return None
        return rng.choice(
            [
                refusal(400, "ThrottlingException", "Rate exceeded", content_type),
                refusal(503, "ServiceUnavailable", "Try again", content_type),
                refusal(500, "InternalServerError", "It failed", content_type),
                RESET,
            ]
        )

    return met


MAKING = ("Create", "Restore")


def answers_lost(seed: int, rate: float) -> Trouble:
    """That share of calls is carried out, and the connection closed before the answer; seeded.

    Not of those that make something: repeated, AWS refuses them, as a table of that name is there by then.
    """
    rng = random.Random(seed)

    def met(operation: str, content_type: str) -> bytes | None:
        repeated = operation != "GetMotoPage" and not operation.startswith(MAKING)
        return LOST if repeated and rng.random() < rate else None

    return met


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(troubled(7, 0.3), id="refused"),
        pytest.param(answers_lost(7, 0.3), id="carried out unheard", marks=pytest.mark.soak),
    ],
)
def test_with_faults_at_three_calls_in_ten_the_verdict_is_the_same_and_nothing_is_lost(
    ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    # As often as it takes; how long one waits between is not what is looked at.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    monkeypatch.setattr("drills.sessions.RETRIES", {"mode": "standard", "total_max_attempts": 12})
    ground.mark()
    ground.estate()
    ground.file()
    digest, _ = planned(ground, capsys)
    ground.troubles.append(trouble)
    assert ground.drills("run", *WHAT, "--approve", digest, "--out", "out") == 0, capsys.readouterr().err
    (path,) = Path("out").glob("*/report.json")
    told = json.loads(path.read_text())
    (cell,) = told["cells"]
    assert cell["verdict"] == "pass"
    assert not_passed(cell["attempts"][0]["findings"]) == {}
    assert not_passed(told["findings"]) == {}
    assert tables(ground) == []


def test_a_table_whose_making_was_not_heard_of_breaks_the_drill_and_is_deleted(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    ground.mark()
    ground.estate()
    ground.file()
    digest, _ = planned(ground, capsys)
    once = iter([LOST])
    ground.troubles.append(lambda operation, _: next(once, None) if operation == "CreateTable" else None)
    assert ground.drills("run", *WHAT, "--approve", digest, "--out", "out") == 4
    assert "found a table" in capsys.readouterr().err
    assert ground.calls.count("CreateTable") > 1
    assert tables(ground) == []
