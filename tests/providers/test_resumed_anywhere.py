"""Drills that are killed at any moment, and killed again, and gone on with: as if nobody had killed them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.providers.resumable import Resumable, planned, remembered_rehearsals
from tests.providers.test_cut_short import seen, settle
from tests.providers.test_stopped_drill import alarm
from tests.sandbox_ground import FILE, Ground, sandbox_ground

SCENARIOS = ("account_loss", "bulk_erase")
UNINTERRUPTED = {
    f"{scenario} {store} {protection}": verdict
    for scenario, verdict in (("account_loss", "fail"), ("bulk_erase", "pass"))
    for store, protection in (("people", "dynamodb_backup"), ("papers", "s3_versioning"))
}
MOST = 160
"""No fewer than what such a drill intends, or tells of; a test holds them to that."""


def as_if_uninterrupted(drill: Resumable) -> None:
    assert drill.resumed() == 1
    assert drill.verdicts() == UNINTERRUPTED
    assert [one["verdict"] for one in drill.findings("clean_up")] == ["pass", "pass"]
    drill.stands()


@pytest.mark.soak
def test_uninterrupted(direct: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    drill = planned(direct, capsys, *SCENARIOS)
    assert direct.drills("run", *drill.what, "--approve", drill.digest, "--out", "out") == 1
    assert drill.verdicts() == UNINTERRUPTED
    intended = (drill.folder / "intentions.jsonl").read_text().count('"kind":"intention"')
    assert 40 < intended < MOST


@pytest.mark.soak
@pytest.mark.parametrize("number", range(1, MOST))
@pytest.mark.parametrize("moment", ["intention", "answer"])
def test_killed_at_every_call(moment: str, number: int, direct: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    bystanders = settle(direct)
    before = seen(bystanders)
    drill = planned(direct, capsys, *SCENARIOS)
    code, _ = drill.process(f"{moment}#{number}", "run", *drill.what, "--approve", drill.digest, "--out", "out")
    if code >= 0:
        # It had come to its end before, so that there are no more calls: then the report is an uninterrupted one.
        assert (code, drill.verdicts()) == (1, UNINTERRUPTED)
        pytest.skip("the drill has fewer calls")
    as_if_uninterrupted(drill)
    assert seen(bystanders) == before


@pytest.mark.soak
def test_killed_and_cleaned_up_after(direct: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    drill = planned(direct, capsys, *SCENARIOS)
    drill.killed_when_run("phase=restore")
    assert direct.drills("cleanup", str(drill.folder)) == 0
    as_if_uninterrupted(drill)


@pytest.mark.soak
def test_an_alarm_stops_it_when_it_goes_on_too(direct: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    alarm(direct, "OK")
    direct.file(FILE + "stop_alarm: halt\n")
    drill = planned(direct, capsys, *SCENARIOS)
    drill.killed_when_run("phase=restore#2")
    alarm(direct, "ALARM")
    assert drill.resumed() == 5
    assert "the alarm halt is in ALARM" in drill.findings("drill")[0]["observed"]
    verdicts = {**UNINTERRUPTED, "bulk_erase papers s3_versioning": "unknown"}
    assert drill.verdicts() == verdicts
    drill.stands()


@pytest.mark.soak
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kills=st.lists(
        st.tuples(st.sampled_from(["event", "intention", "answer"]), st.integers(1, 150)), min_size=1, max_size=4
    )
)
def test_killed_again_and_again(
    kills: Sequence[tuple[str, int]],
    moto: str,
    rehearsals: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.mktemp("ground")
    with (
        pytest.MonkeyPatch.context() as patch,
        sandbox_ground(folder, patch, moto) as ground,
        remembered_rehearsals(rehearsals),
    ):
        ground.url = moto
        ground.file()
        drill = planned(ground, capsys, *SCENARIOS)
        command = ["run", *drill.what, "--approve", drill.digest, "--out", "out"]
        for moment, number in kills:
            drill.process(f"{moment}#{number}", *command)
            if not (drill.folder / "intentions.jsonl").exists():
                return  # It had made nothing yet, and is run anew.
            command = ["resume", str(drill.folder)]
        as_if_uninterrupted(drill)
