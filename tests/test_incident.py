"""What a scenario does to the stores of a drill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_drill import TEXT

STORES = [f"people-{letter}" for letter in "abcdef"]
DELETE = """
import sys
from pathlib import Path
from tests import small_drill
report, folder = small_drill.drill(
    Path(sys.argv[1]), "table_deletion", text=Path(sys.argv[2]).read_text(), records=6
)
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_stores_are_deleted_in_the_estates_order_in_every_process(tmp_path: Path, hash_seed: str) -> None:
    head, _, tail = TEXT.partition("stores:\n")
    store, _, rest = tail.partition("response:")
    store = store.replace("[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_system_backup]")
    stores = "".join(store.replace("name: people", f"name: {name}") for name in STORES)
    text = f"{head}stores:\n{stores}response:{rest}".replace("workload_minutes: 80", "workload_minutes: 1")
    (tmp_path / "estate.yaml").write_text(text)
    subprocess.run(
        [sys.executable, "-c", DELETE, str(tmp_path / "out"), str(tmp_path / "estate.yaml")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
    )
    (history,) = (tmp_path / "out").glob("*/history.jsonl")
    events = [json.loads(line) for line in history.read_text().splitlines()]
    assert [event["resource"] for event in events if event["kind"] == "deleted"] == STORES
