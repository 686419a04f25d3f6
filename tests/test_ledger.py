"""The ledger and its evidence: what must be erased again, and that what was written is read back or refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.errors import EvidenceError, UsageError
from drills.evidence import Evidence, EvidenceFile, place, read_inventory, read_ledger, read_plan
from drills.history import canonical
from drills.ledger import Ledger
from drills.model import Observed, Write
from tests.told_drill import Writes, at_us, person

PLAN = {"drill": {"id": "d-1"}}


def erasures(writes: Writes, since: float) -> list[str]:
    return list(writes.ledger().erasures(at_us(since)))


def test_erasures_since_a_moment() -> None:
    writes = Writes()
    for key in "abc":
        writes.put(key, person(key))
    writes.erase("a", 10)
    writes.erase("b", 20)
    writes.delete("c", 30)
    assert erasures(writes, 0) == ["a", "b"]
    assert erasures(writes, 15) == ["b"]
    assert erasures(writes, 20.001) == ["b"], "an erasure counts by its acknowledgement, and that moment is included"
    assert erasures(writes, 20.002) == []


def test_a_key_written_again_is_not_erased_again() -> None:
    writes = Writes()
    writes.erase("a", 10)
    writes.put("a", person("anew"), 20)
    writes.erase("b", 10)
    writes.put("b", person("anew"), 20, acknowledged=False)
    writes.erase("c", 10)
    writes.delete("c", 20)
    assert erasures(writes, 0) == ["b", "c"], "only an acknowledged put takes an erasure back"


def test_an_erasure_that_was_never_acknowledged_is_made_again() -> None:
    writes = Writes()
    writes.erase("a", 10, acknowledged=False)
    assert erasures(writes, 10) == ["a"]
    assert erasures(writes, 10.0001) == []


class AnyWrites:
    """Random writes of few keys."""

    one = st.tuples(
        st.sampled_from("abc"), st.sampled_from(["put", "delete", "erase"]), st.booleans(), st.integers(0, 5)
    )

    @staticmethod
    def made(drawn: list[tuple[str, str, bool, int]]) -> Writes:
        writes = Writes()
        at = 0
        for key, kind, acknowledged, pause in drawn:
            at += pause
            if kind == "put":
                writes.put(key, person(key), at, acknowledged=acknowledged)
            elif kind == "delete":
                writes.delete(key, at, acknowledged=acknowledged)
            else:
                writes.erase(key, at, acknowledged=acknowledged)
        return writes


@settings(max_examples=100, deadline=None)
@given(st.lists(AnyWrites.one, max_size=12), st.integers(0, 30))
def test_erasures_are_those_that_stand(drawn: list[tuple[str, str, bool, int]], since: int) -> None:
    writes = AnyWrites.made(drawn)
    standing = set()
    for index, write in enumerate(writes.all):
        after = [w for w in writes.all[index:] if w.key == write.key and w.kind == "put" and w.acknowledged_us]
        if write.kind == "erase" and (write.acknowledged_us or write.sent_us) >= at_us(since) and not after:
            standing.add(write.key)
    found = erasures(writes, since)
    assert set(found) == standing
    assert len(found) == len(standing)


@pytest.mark.parametrize(
    "write",
    [
        Write(1, "a", "put", b"{}", 0, 0),
        Write(3, "a", "put", None, 0, 0),
        Write(3, "a", "delete", b"{}", 0, 0),
    ],
)
def test_a_ledger_refuses_what_is_out_of_order_or_no_write(write: Write) -> None:
    ledger = Ledger()
    ledger.append(Write(2, "a", "put", b"{}", 0, 0))
    with pytest.raises(ValueError, match="of 'a'"):
        ledger.append(write)
    assert len(ledger) == 1


# --- As evidence ---------------------------------------------------------------------------------------------------

keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['","item":{', '{"key":"a","item":', "\n", "\\", '"', ",", "\x00"]
)
items = st.dictionaries(keys, keys | st.integers(-(2**53), 2**53) | st.lists(keys, max_size=3), max_size=4).map(
    canonical
)
moments = st.integers(0, 2**52)
whole_writes = st.builds(
    lambda key, kind, item, sent, ack, expires: (key, kind, item if kind == "put" else None, sent, ack, expires),
    keys,
    st.sampled_from(["put", "delete", "erase"]),
    items,
    moments,
    st.none() | moments,
    st.none() | moments,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(whole_writes, max_size=6))
def test_a_ledger_is_read_back_as_it_was(drawn: list[tuple[object, ...]]) -> None:
    ledger = Ledger()
    for sequence, fields in enumerate(drawn, 1):
        ledger.append(Write(sequence, *fields))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as name:
        evidence = Evidence.create(Path(name) / "d", PLAN)
        written = evidence.write_ledger("bulk_erase:all", "orders", ledger)
        assert list(read_ledger(evidence.folder, written)) == list(ledger)
    assert written.records == len(ledger)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(Observed, keys, items), max_size=6))
def test_an_inventory_is_read_back_as_it_was(observed: list[Observed]) -> None:
    with tempfile.TemporaryDirectory() as name:
        evidence = Evidence.create(Path(name) / "d", PLAN)
        written = evidence.write_inventory("account_loss", "orders", "copy", iter(observed))
        assert list(read_inventory(evidence.folder, written)) == observed
    assert written.records == len(observed)


def test_an_inventory_is_written_as_it_comes(tmp_path: Path) -> None:
    evidence = Evidence.create(tmp_path / "d", PLAN)
    file = tmp_path / "d" / place("s", "orders", "copy.inventory.jsonl")
    sizes: list[int] = []

    def coming() -> Iterator[Observed]:
        for number in range(40):
            yield Observed(str(number), b'"' + b"x" * 200_000 + b'"')
            sizes.append(file.stat().st_size)

    evidence.write_inventory("s", "orders", "copy", coming())
    assert 0 < sizes[20] < sizes[-1]


def test_a_line_break_in_an_item_is_refused(tmp_path: Path) -> None:
    evidence = Evidence.create(tmp_path / "d", PLAN)
    with pytest.raises(ValueError, match="no line break"):
        evidence.write_inventory("s", "orders", "copy", iter([Observed("a", b"{\n}")]))


def test_names_of_scenarios_and_stores_stay_within_the_folder_and_apart() -> None:
    names = ["bulk_erase:all", "bulk_erase+all", "..", ".", "a/b", "a%2Fb", "ä"]
    places = {place(name, "orders", "ledger.jsonl") for name in names}
    assert len(places) == len(names)
    assert all(name.count("/") == 3 and not {"..", "."} & set(name.split("/")) for name in places)
    assert place("bulk_erase:all", "orders", "ledger.jsonl") == "evidence/bulk_erase+all/orders/ledger.jsonl"


def recorded(folder: Path) -> EvidenceFile:
    writes = Writes()
    for key in "abcd":
        writes.put(key, person(key))
    return Evidence.create(folder, PLAN).write_ledger("s", "orders", writes.ledger())


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"kind":"put"', b'"kind":"pot"', r"ledger\.jsonl:1: this is no write"),
        (b'"item":', b'"items":', r"ledger\.jsonl:1: this is no write"),
        (b'{"S":"c"}', b'{"S":"C"}', r"ledger\.jsonl: expected the SHA-256"),
        (b'"sequence":3', b'"sequence":9', r"ledger\.jsonl: expected the SHA-256"),
    ],
)
def test_a_changed_ledger_is_named(tmp_path: Path, old: bytes, new: bytes, what: str) -> None:
    told = recorded(tmp_path / "d")
    file = tmp_path / "d" / told.file
    file.write_bytes(file.read_bytes().replace(old, new, 1))
    with pytest.raises(EvidenceError, match=what):
        list(read_ledger(tmp_path / "d", told))


def test_a_ledger_with_more_or_fewer_lines_is_named(tmp_path: Path) -> None:
    told = recorded(tmp_path / "d")
    file = tmp_path / "d" / told.file
    lines = file.read_bytes().splitlines(keepends=True)
    for changed, found in ((lines[:-1], 3), ([*lines, lines[0]], 5), ([], 0)):
        file.write_bytes(b"".join(changed))
        with pytest.raises(EvidenceError, match=rf"ledger\.jsonl: expected 4 records, found {found}"):
            list(read_ledger(tmp_path / "d", told))
    file.write_bytes(b"".join(lines)[:-5])
    with pytest.raises(EvidenceError, match=r"ledger\.jsonl:4: this is no write"):
        list(read_ledger(tmp_path / "d", told))


# --- The drill's folder --------------------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_plan_is_evidence(tmp_path: Path) -> None:
    evidence = Evidence.create(tmp_path / "d", PLAN)
    assert read_plan(tmp_path / "d", evidence.plan) == PLAN
    with pytest.raises(EvidenceError, match="expected the SHA-256"):
        read_plan(tmp_path / "d", replace(evidence.plan, sha256="0" * 64))


def test_an_earlier_run_is_replaced_and_nothing_else_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    recorded(folder)
    Evidence(folder, EvidenceFile("", 0, "")).write_inventory("s", "orders", "copy", iter([Observed("a", b"1")]))
    foreign = ["notes.txt", "evidence/photo.jpg", "evidence/s/orders/why.md", "evidence/s/orders/deep/ledger.jsonl"]
    for name in ["history.jsonl", "report.json", "report.html", "junit.xml", *foreign]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    Evidence.create(folder, PLAN)
    assert files(folder) == sorted(["evidence/plan.json", *foreign])
    assert all((folder / name).read_text() == name for name in foreign)


def test_emptied_folders_of_an_earlier_run_go(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    recorded(folder)
    Evidence.create(folder, PLAN)
    assert [path.name for path in folder.rglob("*")] == ["evidence", "plan.json"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("evidence/plan.json", '{"drill": {"id": "d-2"}}', "found the drill d-2"),
        ("evidence/plan.json", '{"drill": ', "found files that no drill wrote"),
        ("evidence/plan.json", "[]", "found files that no drill wrote"),
        ("history.jsonl", "", "found files that no drill wrote"),
        ("thesis.doc", "", "found files that no drill wrote"),
    ],
)
def test_a_folder_that_holds_something_else_is_refused_and_left_alone(
    tmp_path: Path, name: str, content: str, what: str
) -> None:
    file = tmp_path / "d" / name
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with pytest.raises(UsageError, match=f"{what}.*Move it away"):
        Evidence.create(tmp_path / "d", PLAN)
    assert files(tmp_path / "d") == [name]
    assert file.read_text() == content


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("")
    with pytest.raises(UsageError, match="expected a folder for the drill, found a file"):
        Evidence.create(tmp_path / "d", PLAN)
    with pytest.raises(UsageError, match="cannot be written"):
        Evidence.create(tmp_path / "d" / "deeper", PLAN)
