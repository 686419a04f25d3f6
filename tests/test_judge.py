"""The judge: findings, figures and verdicts from a folder alone; sabotage is named, damage is no verdict at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drills.errors import EvidenceError, UsageError
from drills.history import canonical
from drills.judge import broke, judge
from drills.model import Attempt, Cell, Finding, Report
from tests.told_drill import (
    RPO_OBJECTIVE,
    RTO_OBJECTIVE,
    SETTINGS,
    Telling,
    Told,
    Writes,
    final,
    person,
    sound_writes,
    told,
)


def sound(protection: str = "copy", **changed: object) -> Told:
    return Told(protection, tuple(final(sound_writes()).items()), **changed)  # type: ignore[arg-type]


def only(report: Report) -> Attempt:
    (cell,) = report.cells
    (attempt,) = cell.attempts
    return attempt


def cell_of(report: Report) -> Cell:
    (cell,) = report.cells
    return cell


def against(attempt: Attempt) -> dict[str, Finding]:
    return {finding.check: finding for finding in attempt.findings if finding.verdict != "pass"}


def judged(tmp_path: Path, records: dict[str, bytes], writes: Writes | None = None, **changed: object) -> Attempt:
    path = Told("copy", tuple(records.items()), **changed)  # type: ignore[arg-type]
    return only(judge(told(tmp_path / "drill", writes or sound_writes(), path)))


def test_a_sound_drill_passes(tmp_path: Path) -> None:
    folder = told(tmp_path / "drill", sound_writes(), sound())
    report = judge(folder)
    assert report.verdict == "pass"
    assert not broke(folder)
    cell = cell_of(report)
    assert (cell.path, cell.verdict, cell.writes_acknowledged, cell.writes_lost) == ("copy", "pass", 15, 0)
    assert (cell.rpo_seconds, cell.rto_seconds) == (0, 15 * 60 + 1200 + 60 + 120 + 30)
    (attempt,) = cell.attempts
    assert attempt.records is not None
    assert (attempt.records.expected, attempt.records.recovered) == (9, 9)
    assert {finding.check for finding in attempt.findings} == {
        "recovery_point",
        "rto",
        "rpo",
        "records.complete",
        "records.corrupt",
        "records.resurrected",
        "records.erased",
        "records.expired",
        "settings",
        "probe.read",
    }
    assert report.findings == (
        Finding("clean_up", "pass", "account_loss", "nothing left behind", "nothing left behind"),
    )


def test_the_same_evidence_gives_the_same_report_in_whatever_order_it_was_read(tmp_path: Path) -> None:
    records = tuple(final(sound_writes()).items())[2:]
    reports = [
        judge(told(tmp_path / name, sound_writes(), Told("copy", order)))
        for name, order in (("one", records), ("two", tuple(reversed(records))))
    ]
    assert reports[0] == reports[1] == judge(tmp_path / "one")
    mismatches = [(tmp_path / name).joinpath(MISMATCHES).read_bytes() for name in ("one", "two")]
    assert mismatches[0] == mismatches[1]


# --- Sabotage ------------------------------------------------------------------------------------------------------


def test_a_number_rounded(tmp_path: Path) -> None:
    attempt = judged(
        tmp_path, {**final(sound_writes()), "p3": person("person 3", balance={"N": "12345.6789012345679"})}
    )
    assert attempt.verdict == "fail"
    finding = against(attempt)["records.corrupt"]
    assert "p3" in finding.observed
    assert 'balance.N = "12345.678901234567890123456789" is "12345.6789012345679"' in finding.observed
    assert attempt.records is not None
    assert (attempt.records.corrupt, attempt.records.recovered) == (1, 8)
    (mismatch,) = attempt.mismatches
    assert (mismatch.key, mismatch.record_class, mismatch.expected) == ("p3", "corrupt", person("person 3").decode())


def test_a_set_member_lost(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {**final(sound_writes()), "p3": person("person 3", consents={"SS": ["mail", "post"]})})
    finding = against(attempt)["records.corrupt"]
    assert 'consents.SS[1] = "phone" is absent' in finding.observed


def test_an_item_dropped(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {key: item for key, item in final(sound_writes()).items() if key != "p5"})
    assert against(attempt).keys() == {"records.complete", "rpo"}
    assert "p5 is absent" in against(attempt)["records.complete"].observed
    assert attempt.rpo_seconds == 3600 - 1 - 0.001


def test_an_old_value(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {**final(sound_writes()), "updated": person("before")})
    assert 'updated: name.S = "after" is "before"' in against(attempt)["records.complete"].observed


def test_an_erased_person_back(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {**final(sound_writes()), "erased": person("erased")}, point=3000)
    finding = against(attempt)["records.erased"]
    assert finding.observed == "1 record: erased is there"
    assert finding.records_covered == 1


def test_an_erased_person_back_in_a_changed_form(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {**final(sound_writes()), "erased": person("e.")})
    assert {"records.erased", "records.corrupt"} <= against(attempt).keys()


def test_a_deleted_record_back(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {**final(sound_writes()), "deleted": person("deleted")})
    assert "deleted is there" in against(attempt)["records.resurrected"].observed


def test_an_expired_record_back(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes(), without=()))
    assert against(attempt)["records.expired"].observed == "1 record: expired is there"


@pytest.mark.parametrize(
    ("settings", "check", "expected", "observed"),
    [
        ({**SETTINGS, "tags": {"data": "personal"}}, "settings.tags", 'tags.team = "accounts"', "absent"),
        ({**SETTINGS, "tags": {}}, "settings.tags", 'tags.data = "personal"; tags.team = "accounts"', "all absent"),
        ({**SETTINGS, "ttl": {"enabled": False}}, "settings.ttl", 'ttl.attribute = "expires_at"', "absent; false"),
        ({key: SETTINGS[key] for key in ("tags", "ttl")}, "settings.indexes", "indexes = [{", "absent"),
        ({**SETTINGS, "policy": "open"}, "settings.policy", "no policy", 'policy = "open"'),
        ({**SETTINGS, "ttl": {"attribute": "expires_at", "enabled": 1}}, "settings.ttl", "ttl.enabled = true", "1"),
    ],
)
def test_a_setting_not_put_back(
    tmp_path: Path, settings: dict[str, object], check: str, expected: str, observed: str
) -> None:
    attempt = judged(tmp_path, final(sound_writes()), settings=settings)
    assert attempt.verdict == "fail"
    assert against(attempt).keys() == {check}
    assert expected in against(attempt)[check].expected
    assert against(attempt)[check].observed == observed


def test_a_record_read_twice_proves_nothing(tmp_path: Path) -> None:
    records = (*final(sound_writes()).items(), ("p1", person("person 1")))
    attempt = only(judge(told(tmp_path / "drill", sound_writes(), Told("copy", records))))
    assert attempt.verdict == "unknown"
    assert against(attempt).keys() == {"records.read_twice"}


def test_no_records_at_all_is_unknown(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {}, Writes())
    assert attempt.verdict == "unknown"


# --- What is judged by the RPO alone -------------------------------------------------------------------------------


def late_writes() -> Writes:
    """Two writes and a deletion after a recovery point at 3540 seconds."""
    writes = sound_writes()
    writes.put("late", person("late"), 3550)
    writes.put("p1", person("changed late"), 3560)
    writes.delete("p2", 3570)
    return writes


def test_what_was_written_after_the_point_counts_for_the_rpo_alone(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes()), late_writes())
    assert attempt.verdict == "pass"
    assert attempt.records is not None
    assert (attempt.records.lost, attempt.records.stale, attempt.records.resurrected) == (1, 1, 1)
    assert (attempt.writes_lost, attempt.rpo_seconds) == (3, 3600 - 3550 - 0.001)
    complete = next(finding for finding in attempt.findings if finding.check == "records.complete")
    assert complete.expected == "every write acknowledged before 2026-01-05T09:59:00Z"
    assert "3 records without writes from after that" in complete.observed
    assert len(attempt.mismatches) == 3


def test_the_same_losses_fail_where_the_point_promised_more(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes()), late_writes(), point=3599)
    assert against(attempt).keys() == {"records.complete", "records.resurrected"}


def test_a_copy_that_may_lag_is_held_to_what_it_promises(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes()), late_writes(), point=3599, lag_seconds=60)
    assert attempt.verdict == "pass"


def test_a_write_acknowledged_at_the_very_point_may_be_missing(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes()), late_writes(), point=3550.001)
    assert attempt.verdict == "pass"


def test_a_corrupt_record_is_not_excused_by_when_it_was_written(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {**final(sound_writes()), "late": person("later")}, late_writes())
    assert against(attempt).keys() == {"records.corrupt"}


def test_a_record_that_expires_while_the_store_is_read_may_be_gone(tmp_path: Path) -> None:
    writes = sound_writes()
    purged, read = 5730, 5880
    writes.put("expiring", person("expiring", expires_at={"N": "1"}), expires=(purged + read) / 2)
    for name, without in (("one", ("expired",)), ("two", ("expired", "expiring"))):
        records = tuple(final(writes, without=without).items())
        attempt = only(judge(told(tmp_path / name, writes, Told("copy", records))))
        assert attempt.verdict == "pass"
        assert attempt.records is not None
        assert (attempt.records.expected, attempt.records.indeterminate) == (9, 1)


def test_exactly_at_the_objective_passes(tmp_path: Path) -> None:
    writes = sound_writes()
    writes.put("late", person("late"), 3600 - RPO_OBJECTIVE - 0.001)
    restore = RTO_OBJECTIVE - 900 - 60 - 120 - 30
    attempt = judged(tmp_path, final(sound_writes()), writes, point=3000, restore_seconds=restore)
    assert (attempt.rpo_seconds, attempt.rto_seconds) == (RPO_OBJECTIVE, RTO_OBJECTIVE)
    assert attempt.verdict == "pass"


def test_losses_beyond_the_objective_fail_the_rpo(tmp_path: Path) -> None:
    records = {**final(sound_writes()), "updated": person("before"), "deleted": person("deleted")}
    attempt = judged(tmp_path, records, point=500)
    assert against(attempt).keys() == {"rpo"}
    assert against(attempt)["rpo"].observed == "50m lost, 2 acknowledged writes"
    assert attempt.rpo_seconds == 3600 - 600 - 0.001


def test_writes_after_the_failure_are_lost_and_do_not_count_for_the_rpo(tmp_path: Path) -> None:
    writes = sound_writes()
    writes.put("p1", person("while nobody noticed"), 3700)
    attempt = judged(tmp_path, final(sound_writes()), writes, point=3599)
    assert (attempt.rpo_seconds, attempt.writes_lost, attempt.verdict) == (0, 1, "pass")


# --- Verdicts ------------------------------------------------------------------------------------------------------


def test_a_path_without_a_point_does_not_count_beside_one_with(tmp_path: Path) -> None:
    cell = cell_of(judge(told(tmp_path / "drill", sound_writes(), Told("pitr", point=None), sound())))
    assert (cell.verdict, cell.path) == ("pass", "copy")
    assert [attempt.verdict for attempt in cell.attempts] == ["fail", "pass"]
    assert against(cell.attempts[0]).keys() == {"recovery_point"}


def test_no_way_back_fails(tmp_path: Path) -> None:
    report = judge(told(tmp_path / "drill", sound_writes(), Told("pitr", point=None), Told("copy", point=None)))
    cell = cell_of(report)
    assert (report.verdict, cell.path, cell.rto_seconds, cell.rpo_seconds) == ("fail", None, None, None)


def test_without_a_way_back_one_that_could_not_be_tried_leaves_it_unknown(tmp_path: Path) -> None:
    untried = Told("copy", lacking=True)
    report = judge(told(tmp_path / "drill", sound_writes(), Told("pitr", point=None), untried))
    cell = cell_of(report)
    assert [attempt.verdict for attempt in cell.attempts] == ["fail", "unknown"]
    assert (cell.verdict, report.verdict) == ("unknown", "unknown")
    off = Finding("pitr.enabled", "fail", "people", "on", "off")
    unhealthy = Told("pitr", point=None, health=(off,))
    report = judge(told(tmp_path / "unhealthy", sound_writes(), unhealthy, untried))
    assert cell_of(report).verdict == "fail"


def test_a_fallback_that_restores_wrong_data_fails_the_cell(tmp_path: Path) -> None:
    wrong = Told("copy", ())
    cell = cell_of(judge(told(tmp_path / "drill", sound_writes(), sound("pitr"), wrong)))
    assert (cell.verdict, cell.path, cell.writes_lost) == ("fail", "pitr", 0)


def test_a_protection_found_unhealthy_fails_the_cell_even_where_it_was_not_needed(tmp_path: Path) -> None:
    off = Finding("pitr.enabled", "fail", "people", "on", "off")
    path = Told("pitr", point=None, health=(off,))
    cell = cell_of(judge(told(tmp_path / "drill", sound_writes(), path, sound())))
    assert (cell.verdict, cell.path) == ("fail", "copy")


def test_a_protection_that_could_not_be_set_up(tmp_path: Path) -> None:
    path = Told("pitr", point=None, set_up_failed="LimitExceeded: no")
    cell = cell_of(judge(told(tmp_path / "drill", sound_writes(), path, sound())))
    assert cell.verdict == "fail"
    assert against(cell.attempts[0])["protection"].observed == "LimitExceeded: no"


def test_paths_that_were_skipped_do_not_count(tmp_path: Path) -> None:
    cell = cell_of(judge(told(tmp_path / "drill", sound_writes(), sound("pitr"), Told("copy", skipped=True))))
    assert cell.verdict == "pass"
    assert [attempt.verdict for attempt in cell.attempts] == ["pass", "unknown"]


@pytest.mark.parametrize("phase", ["restore", "reconfigure", "verify", "cut_over"])
def test_an_attempt_that_broke_off(tmp_path: Path, phase: str) -> None:
    cell = cell_of(judge(told(tmp_path / "drill", sound_writes(), sound("pitr", fails_in=phase), sound())))
    broken, fine = cell.attempts
    assert (cell.verdict, cell.path) == ("fail", "copy")
    assert against(broken)["attempt"].observed == f"broke off in the phase {phase}: RuntimeError: no"
    assert broken.rto_seconds is None
    assert broken.phases.restore == 1200
    assert (broken.records is None) == (phase in ("restore", "reconfigure", "verify"))
    assert fine.verdict == "pass"


def test_an_attempt_that_was_refused_says_so(tmp_path: Path) -> None:
    attempt = judged(tmp_path, {}, fails_in="restore", refused=True)
    assert against(attempt)["attempt"].observed.startswith("out of the responders' reach in the phase restore")


def test_a_failed_probe(tmp_path: Path) -> None:
    probe = Finding("probe.index", "fail", "people", "the item", "nothing", 3)
    attempt = judged(tmp_path, final(sound_writes()), checks=(probe,))
    assert against(attempt) == {"probe.index": probe}


def test_too_slow(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes()), restore_seconds=9 * 3600)
    assert against(attempt)["rto"].observed == "after 9h 18m"


def test_a_figure_that_is_lacking_is_told_and_fails_nobody(tmp_path: Path) -> None:
    attempt = judged(tmp_path, final(sound_writes()), not_loaded="the server refused: no pg_prewarm")
    assert (attempt.verdict, against(attempt)) == ("pass", {})
    (finding,) = [one for one in attempt.findings if one.check == "full_speed"]
    assert finding.observed == "not known: the server refused: no pg_prewarm"


def test_things_left_behind(tmp_path: Path) -> None:
    telling = Telling(tmp_path / "drill", ["account_loss"], [sound()])
    telling.scenario("account_loss", sound_writes(), left=["table x: access denied"])
    report = judge(telling.end())
    assert report.verdict == "fail"
    assert report.findings[0].observed == "table x: access denied"


def test_no_word_of_the_clean_up_is_unknown(tmp_path: Path) -> None:
    telling = Telling(tmp_path / "drill", ["account_loss"], [sound()], without=["cleanup"])
    telling.scenario("account_loss", sound_writes())
    report = judge(telling.end())
    assert (report.verdict, cell_of(report).verdict) == ("unknown", "pass")
    assert report.findings[0].observed == "no word of it"


def test_a_scenario_that_broke_gives_unknown_cells_that_say_why(tmp_path: Path) -> None:
    telling = Telling(tmp_path / "drill", ["bulk_erase:filter", "account_loss"], [sound()])
    telling.scenario("bulk_erase:filter", sound_writes(), breaks="RuntimeError: the saboteur was here")
    telling.scenario("account_loss", sound_writes())
    folder = telling.end()
    report = judge(folder)
    assert broke(folder)
    assert [(cell.scenario, cell.verdict) for cell in report.cells] == [
        ("bulk_erase:filter", "unknown"),
        ("account_loss", "pass"),
    ]
    assert "the saboteur was here" in report.cells[0].attempts[0].findings[0].observed
    assert (report.verdict, report.findings[0].check) == ("unknown", "drill")


@pytest.mark.parametrize("phase", ["find_point", "restore", "verify", "cut_over"])
def test_a_drill_that_was_killed_is_unknown(tmp_path: Path, phase: str) -> None:
    telling = Telling(tmp_path / "drill", ["account_loss"], [sound("pitr", stops_after=phase), sound()])
    telling.scenario("account_loss", sound_writes())
    folder = telling.stop()
    assert broke(folder)
    report = judge(folder)
    assert report.verdict == "unknown"
    assert report.cells[0].attempts[0].verdict == ("pass" if phase == "cut_over" else "unknown")


def test_a_check_that_breaks_is_unknown_and_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError("in the check")

    monkeypatch.setattr("drills.judge_attempt.verify", explode)
    attempt = judged(tmp_path, final(sound_writes()))
    assert attempt.verdict == "unknown"
    assert against(attempt)["records"].observed == "ZeroDivisionError: in the check"
    assert {"settings", "rto", "probe.read"} <= {finding.check for finding in attempt.findings}


# --- Mismatches ----------------------------------------------------------------------------------------------------

MISMATCHES = "evidence/account_loss/people/copy.mismatches.jsonl"


def test_all_mismatches_are_in_the_evidence_and_the_first_in_the_report(tmp_path: Path) -> None:
    writes = Writes()
    for number in range(30):
        writes.put(f"p{number:02}", person("p"))
    for number in range(30):
        writes.put(f"late{number:02}", person("late"), 3580)
    folder = told(tmp_path / "drill", writes, Told("copy", [("p07", person("other"))]))
    attempt = only(judge(folder))
    assert len(attempt.mismatches) == 20
    assert {mismatch.key[0] for mismatch in attempt.mismatches} == {"p"}, "what breaks a check comes first"
    lines = [json.loads(line) for line in (folder / MISMATCHES).read_text().splitlines()]
    assert [line["key"] for line in lines] == sorted(key for key in [w.key for w in writes.all])
    corrupt = next(line for line in lines if line["key"] == "p07")
    assert (corrupt["class"], corrupt["judged_by_rpo_alone"]) == ("corrupt", False)
    assert canonical(corrupt["expected"]) == person("p")
    assert canonical(corrupt["observed"]) == person("other")


def test_mismatches_of_an_earlier_judgement_do_not_stay(tmp_path: Path) -> None:
    folder = told(tmp_path / "drill", sound_writes(), sound())
    (folder / MISMATCHES).write_text("{}\n")
    judge(folder)
    assert not (folder / MISMATCHES).exists()


@pytest.mark.parametrize("records", [(), tuple(final(sound_writes()).items())])
def test_a_folder_that_cannot_be_written(tmp_path: Path, records: tuple[tuple[str, bytes], ...]) -> None:
    folder = told(tmp_path / "drill", sound_writes(), Told("copy", records))
    (folder / MISMATCHES).mkdir()
    with pytest.raises(UsageError, match=r"copy\.mismatches\.jsonl: .* cannot be written"):
        judge(folder)


# --- Damage --------------------------------------------------------------------------------------------------------

LEDGER = "evidence/account_loss/people/ledger.jsonl"
INVENTORY = "evidence/account_loss/people/copy.inventory.jsonl"


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def without_a_line(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[len(lines) // 2]
    return b"".join(lines)


def without_the_last_line(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


def changed(content: bytes) -> bytes:
    return content.replace(b"person 4", b"person 5", 1) if b"person 4" in content else content.replace(b"told", b"tall")


@pytest.mark.parametrize("damage", [cut, without_a_line, without_the_last_line, changed, lambda _: b""])
@pytest.mark.parametrize("file", [LEDGER, INVENTORY, "evidence/plan.json", "history.jsonl"])
def test_damaged_evidence_is_never_judged_a_pass(tmp_path: Path, file: str, damage: Callable[[bytes], bytes]) -> None:
    folder = told(tmp_path / "drill", sound_writes(), sound())
    before = (folder / file).read_bytes()
    (folder / file).write_bytes(damage(before))
    if file == "history.jsonl" and damage is without_the_last_line:
        assert judge(folder).verdict == "unknown"
        assert broke(folder)
        return
    with pytest.raises(EvidenceError, match=file.rpartition("/")[2]) as refused:
        judge(folder)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("file", [LEDGER, INVENTORY, "evidence/plan.json", "history.jsonl"])
def test_missing_evidence_is_named(tmp_path: Path, file: str) -> None:
    folder = told(tmp_path / "drill", sound_writes(), sound())
    (folder / file).unlink()
    with pytest.raises(EvidenceError, match=file):
        judge(folder)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("failure.began", "the failure, its detection and the decision"),
        ("decided", "the failure, its detection and the decision"),
        ("ledger", "the ledger"),
        ("inventory", "what was read back"),
        ("point", "its recovery point"),
        ("settings.observed", "the settings of the restored store"),
        ("settings.expected", "the settings before the failure"),
    ],
)
def test_a_history_that_leaves_out_what_a_verdict_needs(tmp_path: Path, kind: str, what: str) -> None:
    telling = Telling(tmp_path / "drill", ["account_loss"], [sound()], without=[kind])
    telling.scenario("account_loss", sound_writes())
    with pytest.raises(EvidenceError, match=f"at people by copy after account_loss, but not of {what}"):
        judge(telling.end())


def test_an_attempt_that_the_history_does_not_know_is_unknown(tmp_path: Path) -> None:
    telling = Telling(tmp_path / "drill", ["account_loss"], [sound()], without=["attempt.started"])
    telling.scenario("account_loss", sound_writes())
    assert judge(telling.end()).verdict == "unknown"


def test_a_folder_of_no_drill(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"history\.jsonl.*Give the folder"):
        judge(tmp_path)
    with pytest.raises(EvidenceError):
        broke(tmp_path)


def test_evidence_outside_of_the_folder_is_not_read(tmp_path: Path) -> None:
    telling = Telling(tmp_path / "drill", ["account_loss"], [sound()])
    telling.scenario("account_loss", sound_writes())
    telling.note("ledger", "account_loss", file="../elsewhere.jsonl", records=1, sha256="")
    with pytest.raises(EvidenceError, match="outside of the drill's folder"):
        judge(telling.end())
