"""How long a function of ours takes to start, beside what Lambda's runtime takes for boto3 itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.packing import packed
from tests.templates.lambda_process import invoke

ROUNDS = 7


@pytest.mark.benchmark
@pytest.mark.parametrize(("module", "handler"), [("stream_copy", "handler"), ("snapshot_copy", "vault_handler")])
def test_a_handler_starts_in_milliseconds(module: str, handler: str, tmp_path: Path) -> None:
    runs = [invoke(tmp_path, packed(module), f"{module}.{handler}", {}) for _ in range(ROUNDS)]
    ours, runtime = min(run.seconds for run in runs), min(run.runtime_seconds for run in runs)
    print(f"\n{module}: {ours * 1e3:.1f} ms, boto3 {runtime * 1e3:.1f} ms: {ours / runtime:.2f}×")  # noqa: T201
    assert ours < 0.25 * runtime
