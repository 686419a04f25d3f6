"""The history: what is appended is there, in order, and any line that was changed, cut out or put in is noticed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.errors import EvidenceError
from drills.history import FILE, History, read_history

AT = datetime(2026, 1, 5, 9, 30, 0, 250, tzinfo=UTC)


def write(folder: Path, events: int = 4) -> Path:
    with History.create(folder) as history:
        for number in range(events):
            history.append("counted", AT + timedelta(seconds=number), number=number, store="orders")
    return folder / FILE


def test_an_event_is_one_canonical_line(tmp_path: Path) -> None:
    with History.create(tmp_path) as history:
        history.append("point", AT, store="Zürich", at_most=1.5, deep={"b": [1, None], "a": True})
    line = (tmp_path / FILE).read_bytes()
    digest = json.loads(line)["digest"]
    assert (
        line
        == (
            '{"at":"2026-01-05T09:30:00.000250Z","at_most":1.5,"deep":{"a":true,"b":[1,null]},'
            f'"digest":"{digest}","kind":"point","sequence":1,"store":"Zürich"}}\n'
        ).encode()
    )


def test_times_are_told_in_utc(tmp_path: Path) -> None:
    with History.create(tmp_path) as history:
        history.append("one", AT.astimezone(timezone(timedelta(hours=5))))
    (event,) = read_history(tmp_path)
    assert event.at == AT
    assert b'"at":"2026-01-05T09:30:00.000250Z"' in (tmp_path / FILE).read_bytes()


def test_each_event_is_in_the_file_at_once(tmp_path: Path) -> None:
    with History.create(tmp_path) as history:
        for number in range(1, 4):
            history.append("counted", AT)
            assert [event.sequence for event in read_history(tmp_path)] == list(range(1, number + 1))


def test_the_same_events_give_the_same_bytes_and_another_one_changes_all_that_follow(tmp_path: Path) -> None:
    digests = []
    for name, first in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        with History.create(tmp_path / name) as history:
            history.append("first", AT, number=first)
            history.append("second", AT)
        digests.append([json.loads(line)["digest"] for line in (tmp_path / name / FILE).read_text().splitlines()])
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])


def test_an_existing_history_is_never_written_over(tmp_path: Path) -> None:
    file = write(tmp_path)
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        History.create(tmp_path)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["sequence", "digest"])
def test_data_cannot_pose_as_what_every_event_has(tmp_path: Path, name: str) -> None:
    with History.create(tmp_path) as history, pytest.raises(ValueError, match=f"'one' cannot carry '{name}'"):
        history.append("one", AT, **{name: 1})


def test_a_naive_time_is_refused(tmp_path: Path) -> None:
    with History.create(tmp_path) as history, pytest.raises(ValueError, match="'one' needs a timezone-aware time"):
        history.append("one", AT.replace(tzinfo=None))


def test_any_mapping_is_json_and_anything_else_is_refused_without_a_gap(tmp_path: Path) -> None:
    with History.create(tmp_path) as history:
        history.append("one", AT, view=MappingProxyType({"a": 1}))
        with pytest.raises(TypeError):
            history.append("two", AT, thing=object())
        history.append("three", AT)
    assert [event.data for event in read_history(tmp_path)] == [{"view": {"a": 1}}, {}]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(json_values, min_size=1, max_size=5))
def test_what_was_appended_is_read_back(values: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with History.create(folder) as history:
            for value in values:
                history.append("told", AT, value=value)
        events = read_history(folder)
    assert [event.data["value"] for event in events] == values
    assert [event.sequence for event in events] == list(range(1, len(values) + 1))


def lines_changed(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(change(content.splitlines(keepends=True)))


@pytest.mark.parametrize(
    ("damage", "line", "what"),
    [
        (lambda content: content[:-1], 4, "the line is cut off"),
        (lambda content: content[:-20], 4, "the line is cut off"),
        (lambda _: b"", 1, "the file is empty"),
        (lines_changed(lambda lines: lines[:1] + lines[2:]), 2, "expected event 2, found event 3"),
        (lines_changed(lambda lines: lines[1:]), 1, "expected event 1, found event 2"),
        (lines_changed(lambda lines: [lines[0], lines[2], lines[1], lines[3]]), 2, "expected event 2, found event 3"),
        (lines_changed(lambda lines: [lines[0], lines[0], *lines[1:]]), 2, "expected event 2, found event 1"),
        (lambda content: content.replace(b'"number":2', b'"number":7'), 3, "not as it was written"),
        (lambda content: content.replace(b"09:30:01", b"09:30:09"), 2, "not as it was written"),
        (lambda content: content.replace(b"counted", b"cheated", 1), 1, "not as it was written"),
        (lambda content: content.replace(b'"number":1,', b""), 2, "not as it was written"),
        (lambda content: content.replace(b'"kind"', b'"sort"', 1), 1, "an event needs at, digest, kind, sequence"),
        (lambda content: content.replace(b"{", b"[", 1), 1, "this is no JSON"),
        (lambda content: b"[]\n" + content, 1, "an event needs"),
        (lambda content: content.replace(b"\n", b"\n\n", 1), 2, "this is no JSON"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path: Path, damage: Callable[[bytes], bytes], line: int, what: str) -> None:
    file = write(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(EvidenceError, match=f"{FILE}:{line}: .*{what}"):
        read_history(tmp_path)


def test_a_missing_history_says_which_folder_to_give(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"history\.jsonl: expected the history of a drill.*Give the folder"):
        read_history(tmp_path)


def test_data_that_an_event_lacks_is_named_with_its_line(tmp_path: Path) -> None:
    with History.create(tmp_path) as history:
        history.append("point", AT, told="yesterday", on=True)
    (event,) = read_history(tmp_path)
    for ask, name, what in (
        (event.text, "on", "text"),
        (event.number, "on", "a number"),
        (event.moment, "told", "a moment in UTC"),
        (event.mapping, "told", "an object"),
        (event.text, "nothing", "text"),
    ):
        with pytest.raises(EvidenceError, match=rf"history\.jsonl:1: the event 'point' needs '{name}' as {what}"):
            ask(name)
