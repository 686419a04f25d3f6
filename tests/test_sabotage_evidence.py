"""Sabotage of evidence: whatever is changed after the drill is refused, or shown for what it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drills.cli import main
from tests.small_drill import TEXT, drill

COPY_ALONE = TEXT.replace("[dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]", "[dynamodb_stream_copy]")
HISTORY, PLAN, LEDGER, INVENTORY = "history.jsonl", "plan.json", "ledger.jsonl", "*.inventory.jsonl"
REFUSED, UNKNOWN = 2, 3


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    report, folder = drill(tmp_path_factory.mktemp("drill"), "account_loss", text=COPY_ALONE)
    assert report.verdict == "pass"
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    copy = tmp_path / sound.name
    shutil.copytree(sound, copy)
    return copy


def judged(folder: Path) -> int:
    with pytest.raises(SystemExit) as left:
        main(["judge", str(folder)])
    return int(left.value.code or 0)


def file_of(folder: Path, name: str) -> Path:
    (found,) = folder.rglob(name)
    return found


def without_line(number: int) -> Callable[[bytes], bytes]:
    def without(content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        del lines[number]
        return b"".join(lines)

    return without


def a_record_copied_over_another(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([lines[0], *lines[:1], *lines[2:]])


def relax_the_objective(content: bytes) -> bytes:
    assert b'"rpo_seconds":300.0' in content
    return content.replace(b'"rpo_seconds":300.0', b'"rpo_seconds":999.0')


def another_word(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def replaced(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return replaced


def test_an_untouched_drill_is_judged_to_the_same_bytes(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in ("report.json", "report.html", "junit.xml")}
    assert judged(folder) == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (HISTORY, without_line(1)),
        (HISTORY, without_line(-2)),
        (HISTORY, another_word(b'"kind":"failure.began"', b'"kind":"failure.begin"')),
        (HISTORY, another_word(b'"verdict":"pass"', b'"verdict":"fail"')),
        (HISTORY, lambda content: content[:-10]),
        (PLAN, relax_the_objective),
        (PLAN, another_word(b'"dynamodb_stream_copy"', b'"dynamodb_pitr"')),
        (LEDGER, without_line(0)),
        (LEDGER, without_line(-1)),
        (LEDGER, another_word(b'"kind":"erase"', b'"kind":"delete"')),
        (INVENTORY, without_line(-1)),
        (INVENTORY, a_record_copied_over_another),
        (INVENTORY, another_word(b'"balance":{"N":"', b'"balance":{"N":"9')),
        (INVENTORY, lambda content: content + content.splitlines(keepends=True)[0]),
        (INVENTORY, lambda _: b""),
    ],
)
def test_evidence_that_was_changed_is_refused_by_its_name(
    folder: Path, name: str, change: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of(folder, name)
    file.write_bytes(change(file.read_bytes()))
    assert judged(folder) == REFUSED
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize("name", [PLAN, LEDGER, INVENTORY])
def test_evidence_of_another_drill_is_refused(folder: Path, name: str, tmp_path: Path) -> None:
    """Whole and sound by itself, but not what this drill saw."""
    _, other = drill(tmp_path / "other", "account_loss", text=COPY_ALONE, seed=4)
    shutil.copy(file_of(other, name), file_of(folder, name))
    assert judged(folder) == REFUSED


def test_a_history_whose_end_is_cut_off_is_unknown(folder: Path) -> None:
    """The last lines prove nothing by their absence, so that a history must say where it ends."""
    file = folder / HISTORY
    file.write_bytes(without_line(-1)(file.read_bytes()))
    assert judged(folder) in (UNKNOWN, 4)
    assert json.loads((folder / "report.json").read_text())["verdict"] == "unknown"


def test_a_report_that_was_edited_is_written_anew(folder: Path) -> None:
    """Nothing is read from a report: it follows from the evidence."""
    kept = {name: (folder / name).read_bytes() for name in ("report.json", "report.html", "junit.xml")}
    report = json.loads(kept["report.json"])
    report["verdict"], report["cells"][0]["rto_seconds"] = "fail", 1.0
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "report.html").write_text("<p>all is well</p>")
    assert judged(folder) == 0
    assert {name: (folder / name).read_bytes() for name in kept} == kept
