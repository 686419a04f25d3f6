"""Whole drills at moto's own server that are stopped or killed: no destructive call more, cleaned up, judged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drills.intentions import FILE
from drills.prices import PER_CALL
from tests.sandbox_ground import ACCOUNTS, REGIONS, Ground
from tests.sandbox_ground import FILE as PROVIDER_FILE

WHAT = ("bulk_erase", "--estate", "small.yaml", "--on", "sandbox.yaml", "--records", "12")


def ready(ground: Ground, capsys: pytest.CaptureFixture[str], more: str = "") -> str:
    """The digest of the plan of a drill that may run."""
    ground.mark()
    ground.estate()
    ground.file(PROVIDER_FILE + more)
    assert ground.drills("plan", *WHAT) == 0
    return str(re.findall(r"^PLAN_DIGEST (\S+)$", capsys.readouterr().out, re.MULTILINE)[0])


def started(ground: Ground, digest: str, word: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.providers.killed_drill", word, "run", *WHAT]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen(
        [*command, "--approve", digest, "--out", "out"],
        cwd=ground.folder,
        env=path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tables(ground: Ground) -> list[str]:
    clients = [ground.client("dynamodb", role, region) for role in ACCOUNTS for region in REGIONS.values()]
    return [name for client in clients for name in client.list_tables()["TableNames"]]


def report_in(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())


def drill_in(ground: Ground) -> Path:
    (folder,) = (ground.folder / "out").iterdir()
    return folder


@pytest.mark.parametrize(
    ("word", "how_far"),
    [
        ("PutItem", "before the failure: nothing was destroyed, and nothing is proved"),
        ("RestoreTableFromBackup", "after the failure: what was not read back by then is unknown"),
    ],
)
def test_a_killed_drill_that_is_told_to_stop_is_only_cleaned_up_after(
    word: str, how_far: str, ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    drill = started(ground, ready(ground, capsys), word)
    drill.communicate(timeout=120)
    assert drill.returncode == -signal.SIGKILL
    assert tables(ground) != []
    folder = drill_in(ground)
    with (folder / "history.jsonl").open("ab") as history:
        history.write(b'{"at":"2026-')
    (folder / "stop").touch()
    assert ground.drills("resume", str(folder)) == 5
    told = capsys.readouterr().out
    assert how_far in told
    assert f"the stop file {folder / 'stop'} is there" in told
    (folder / "stop").unlink()
    assert tables(ground) == []
    (cell,) = report_in(folder)["cells"]
    assert cell["verdict"] == "unknown"
    assert any(how_far in finding["observed"] for finding in cell["attempts"][0]["findings"])
    (clean,) = [finding for finding in report_in(folder)["findings"] if finding["check"] == "clean_up"]
    assert clean["verdict"] == "pass"
    assert ground.drills("judge", str(folder)) == 5
    assert ground.drills("cleanup", str(folder)) == 0
    assert ground.drills("resume", str(folder)) == 5


@pytest.mark.parametrize(
    "how",
    [
        "SIGINT",
        "cost limit",
        *(pytest.param(how, marks=pytest.mark.soak) for how in ("SIGTERM", "stop file", "alarm", "time limit")),
    ],
)
def test_a_stopped_drill_destroys_nothing_more_and_cleans_up(
    how: str, ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "alarm":
        alarm(ground, "OK")
    digest = ready(ground, capsys, {"alarm": "stop_alarm: halt\n"}.get(how, ""))
    monkeypatch.setattr("drills.stopping.ALARM_EVERY_SECONDS", 0.0)

    def stop(folder: Path) -> None:
        if how.startswith("SIG"):
            os.kill(os.getpid(), signal.Signals[how])
        elif how == "stop file":
            (folder / "stop").touch()
        elif how == "alarm":
            alarm(ground, "ALARM")
        elif how == "cost limit":
            monkeypatch.setitem(PER_CALL, ("dynamodb", "PutItem"), 100.0)
        else:
            later = SimpleNamespace(time=lambda: 1e12, monotonic=time.monotonic)
            monkeypatch.setattr("drills.stopping.time", later)

    at_failure(ground, monkeypatch, stop)
    code = ground.drills("run", *WHAT, "--approve", digest, "--out", "out")
    assert code == 5, capsys.readouterr().err
    reason = {"alarm": "alarm halt is in ALARM", "time limit": "time limit of 43,200 s"}.get(how, how)
    reason = {"SIGINT": "Ctrl-C", "cost limit": "USD; the limit is 25.00 USD"}.get(how, reason)
    (finding,) = [one for one in report_in(drill_in(ground))["findings"] if one["check"] == "drill"]
    assert reason in finding["observed"]
    assert finding["verdict"] == "unknown"
    assert tables(ground) == []
    assert "RestoreTableFromBackup" not in ground.calls
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def at_failure(ground: Ground, monkeypatch: pytest.MonkeyPatch, stop: Any) -> None:
    """Stop the drill as soon as its history says that the failure began, and not the rehearsal's."""
    from drills.history import History

    append = History.append

    def appended(history: History, kind: str, *what: Any, **data: Any) -> None:
        append(history, kind, *what, **data)
        if kind == "failure.began":
            stop(drill_in(ground))

    monkeypatch.setattr(History, "append", appended)


def alarm(ground: Ground, state: str) -> None:
    cloudwatch = ground.client("cloudwatch", "production")
    cloudwatch.put_metric_alarm(
        AlarmName="halt",
        Namespace="somebody",
        MetricName="errors",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName="halt", StateValue=state, StateReason="a test")


def test_a_drill_that_is_running_is_not_cleaned_up(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []
    digest = ready(ground, capsys)
    with pytest.MonkeyPatch.context() as patch:
        at_failure(ground, patch, lambda folder: seen.append(ground.drills("cleanup", str(folder))))
        ground.drills("run", *WHAT, "--approve", digest, "--out", "out")
    assert seen == [2]
    assert "found one that is still running" in capsys.readouterr().err


def test_whatever_is_not_such_a_drill_is_refused_and_said(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.file()
    (ground.folder / "empty").mkdir()
    assert ground.drills("cleanup", "empty") == 2
    assert "expected the intentions of a drill in sandbox accounts, found none" in capsys.readouterr().err
    assert ground.drills("cleanup", "nowhere") == 2
    capsys.readouterr()
    drill = started(ground, ready(ground, capsys), "CreateBackup")
    drill.communicate(timeout=120)
    assert drill.returncode == -signal.SIGKILL
    folder = drill_in(ground)
    before = len(ground.writes)

    ground.file(PROVIDER_FILE.replace("121212121212", "121212121219"))
    assert ground.drills("cleanup", str(folder)) == 2
    assert "accounts.production leads into account 121212121219; expected 121212121212" in capsys.readouterr().err
    ground.file(PROVIDER_FILE.replace("URL", "http://127.0.0.1:9"))
    assert ground.drills("cleanup", str(folder)) == 2
    assert "its calls go to http://127.0.0.1:9; the drill" in capsys.readouterr().err
    (ground.folder / "sandbox.yaml").rename(ground.folder / "moved.yaml")
    assert ground.drills("cleanup", str(folder)) == 2
    assert "Give the provider file of the drill with --on" in capsys.readouterr().err

    ground.file(PROVIDER_FILE + "time_limit: 5h\n")
    assert ground.drills("resume", str(folder)) == 2
    error = capsys.readouterr().err
    assert "what changed: the limits, the prefix, the endpoint or what it lacks" in error
    assert "Nothing was done." in error
    ground.file()
    ground.estate("[{dynamodb_backup: {every: 2m, keep: 3}}]")
    assert ground.drills("resume", str(folder)) == 2
    assert "what changed: the estate, its records or its stores" in capsys.readouterr().err
    (ground.folder / "small.yaml").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("empty")
        assert ground.drills("resume", str(folder)) == 2
    error = capsys.readouterr().err
    assert "the plan that was approved cannot be made again: there is no estate file" in error
    assert f"It was started in {ground.folder}: go there first." in error

    whole = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(whole.replace(b'"tagged":true', b'"tagged":false', 1))
    assert ground.drills("cleanup", str(folder)) == 2
    assert "it is not as it was written" in capsys.readouterr().err
    assert len(ground.writes) == before
    (folder / FILE).write_bytes(whole)
    assert ground.drills("cleanup", str(folder)) == 0
    assert tables(ground) == []
    assert json.loads((folder / "history.jsonl").read_text().splitlines()[-1])["kind"] == "cleaned_up"
