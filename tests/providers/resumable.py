"""Whole drills at moto's own server that are killed and gone on with, and what can be seen of them afterwards."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drills import rehearsal, sandbox_plan
from drills.drill_plan import Plan
from drills.rehearsal import Rehearsed
from tests.sandbox_ground import ACCOUNTS, REGIONS, Ground

MEMO = "DRILLS_TEST_REHEARSED"
"""A folder that keeps rehearsals, so that one drill is not rehearsed by each process of it."""
TWO_STORES = """
summary: One small table and one small bucket, written to for a second.
stores:
  - name: people
    kind: dynamodb
    key: {partition: person_id}
    records:
      person_id: uuid
      email: {template: "{person_id}@example.org"}
      visits: {number: {min: 0, max: 9}}
    workload: {writes_per_minute: 300, inserts: 3, updates: 4, deletes: 1, erasures: 1}
    protections: PROTECTIONS
    objectives: {rto: 8h, rpo: 5m}
    production: {size_gb: 1, items: 1000}
  - name: papers
    kind: s3
    records:
      key: {template: "papers/{n:06d}.txt"}
      body: {const: "a paper"}
    workload: {writes_per_minute: 300, inserts: 3, updates: 4, deletes: 1}
    protections: [s3_versioning]
    objectives: {rto: 8h, rpo: 5m}
    production: {size_gb: 1, items: 1000}
response: {detect: {default: 0.2s}, decide: 0.2s, cut_over: 0s}
workload_minutes: 0.02
"""
REST = ("--estate", "small.yaml", "--on", "sandbox.yaml", "--records", "12")


@dataclass
class Resumable:
    """A drill of these scenarios that may run."""

    ground: Ground
    what: tuple[str, ...]
    digest: str

    @property
    def folder(self) -> Path:
        (folder,) = (self.ground.folder / "out").iterdir()
        return folder

    def killed_when_run(self, when: str) -> None:
        """Run it until then."""
        self.killed(when, "run", *self.what, "--approve", self.digest, "--out", "out")

    def killed_when_resumed(self, when: str) -> None:
        self.killed(when, "resume", str(self.folder))

    def killed(self, when: str, *arguments: str) -> None:
        code, error = self.process(when, *arguments)
        assert code == -signal.SIGKILL, error

    def process(self, when: str, *arguments: str) -> tuple[int, str]:
        """The exit code of the command in a process that is killed then, and what it said."""
        ended = subprocess.run(
            [sys.executable, "-m", "tests.providers.killed_drill", when, *arguments],
            cwd=self.ground.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return ended.returncode, ended.stderr

    def resumed(self) -> int:
        return self.ground.drills("resume", str(self.folder))

    def report(self) -> Any:
        return json.loads((self.folder / "report.json").read_text())

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "history.jsonl").read_text().splitlines()]

    def verdicts(self) -> dict[str, str]:
        return {
            f"{cell['scenario']} {cell['store']} {attempt['protection']}": attempt["verdict"]
            for cell in self.report()["cells"]
            for attempt in cell["attempts"]
        }

    def findings(self, check: str, store: str = "") -> list[Any]:
        """Those of the drill as a whole, or of the attempts at a store."""
        report = self.report()
        cells = [cell for cell in report["cells"] if cell["store"] == store]
        of_attempts = [one for cell in cells for attempt in cell["attempts"] for one in attempt["findings"]]
        return [finding for finding in (of_attempts if store else report["findings"]) if finding["check"] == check]

    def left(self) -> list[str]:
        """What carries names of the drill in any of its accounts."""
        prefix = f"drill-{self.folder.name[-5:]}"
        found: list[str] = []
        for role in ACCOUNTS:
            found += [one["Name"] for one in self.ground.client("s3", role).list_buckets()["Buckets"]]
            for region in REGIONS.values():
                dynamodb, ssm = (self.ground.client(name, role, region) for name in ("dynamodb", "ssm"))
                found += dynamodb.list_tables()["TableNames"]
                found += [one["TableName"] for one in dynamodb.list_backups()["BackupSummaries"]]
                found += [one["Name"] for one in ssm.describe_parameters()["Parameters"]]
        return [name for name in found if prefix in name]

    def stands(self) -> None:
        """Judged again it is the same; resumed again nothing is done; and nothing is left."""
        assert self.left() == []
        before = (self.folder / "report.json").read_bytes()
        code = self.ground.drills("judge", str(self.folder))
        assert (self.folder / "report.json").read_bytes() == before
        told = len(self.events())
        assert self.resumed() == code
        assert len(self.events()) == told
        assert (self.folder / "report.json").read_bytes() == before


def planned(
    ground: Ground,
    capsys: pytest.CaptureFixture[str],
    *scenarios: str,
    protections: str = "[{dynamodb_backup: {every: 1m, keep: 3}}]",
    estate: str = TWO_STORES,
    more: Sequence[str] = (),
) -> Resumable:
    ground.mark()
    ground.estate(protections, estate)
    what = (*scenarios, *REST, *more)
    assert ground.drills("plan", *what) == 0, capsys.readouterr().err
    digest = re.findall(r"^PLAN_DIGEST (\S+)$", capsys.readouterr().out, re.MULTILINE)[0]
    return Resumable(ground, what, str(digest))


@contextmanager
def remembered_rehearsals(folder: Path) -> Iterator[None]:
    """Here, and in the processes that are started from here, what was rehearsed once is not rehearsed again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MEMO, str(folder))
        patch.setattr(sandbox_plan, "rehearse", rehearsed_once)
        yield


def rehearsed_once(plan: Plan) -> tuple[Rehearsed, ...]:
    labels = [use.label for use in plan.scenarios]
    stores = [store.name for store in plan.estate.stores]
    key = "-".join([plan.drill.id[-6:], *labels, *stores, str(plan.records), plan.paths])
    file = Path(os.environ[MEMO]) / key
    if not file.exists():
        file.write_bytes(pickle.dumps((plan.estate.source, rehearsal.rehearse(plan))))
    source, rehearsed = pickle.loads(file.read_bytes())
    found: tuple[Rehearsed, ...] = rehearsed if source == plan.estate.source else rehearsal.rehearse(plan)
    return found
