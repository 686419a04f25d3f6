"""Verification against a naive model: all worlds that the ledger allows are played through, one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.measure import rpo_seconds
from drills.model import RECORD_CLASSES, Observed, RecordClass, Write
from drills.verify import Expectations, Outcome, Reading, outcome, verify

PURGED, ENDED = 100, 200
READING = Reading(PURGED * 1_000_000, ENDED * 1_000_000)
EXPIRES = {b"gone": 50, b"just gone": PURGED, b"may go": 150, b"just may go": ENDED, b"stays": 300, b"for ever": None}
ITEMS = sorted(EXPIRES)


def written(*steps: str) -> list[Write]:
    """``"put stays"``, ``"delete"``, ``"erase"``; a question mark at the end for one that was never acknowledged."""
    writes = []
    for number, step in enumerate(steps, 1):
        kind, _, item = step.rstrip("?").partition(" ")
        acknowledged = None if step.endswith("?") else number * 10 + 1
        expires = EXPIRES.get(item.encode()) if item else None
        write = Write(number, "k", kind, item.encode() or None, number * 10, acknowledged, expires)  # type: ignore[arg-type]
        writes.append(write)
    return writes


def became(observed: str | None, *steps: str) -> Outcome:
    return outcome(written(*steps), None if observed is None else observed.encode(), READING)


# --- By hand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "observed", "record_class", "must_be_there", "writes_lost"),
    [
        (["put a"], "a", "recovered", True, 0),
        (["put a"], None, "lost", True, 1),
        (["put a"], "b", "corrupt", True, 1),
        (["put a", "put b"], "b", "recovered", True, 0),
        (["put a", "put b"], "a", "stale", True, 1),
        (["put a", "put b"], None, "lost", True, 2),
        (["put a", "put b", "put a"], "a", "recovered", True, 0),
        (["put a", "delete"], None, None, False, 0),
        (["put a", "delete"], "a", "resurrected", False, 1),
        (["put a", "delete"], "b", "corrupt", False, 2),
        (["put a", "delete", "put b"], None, "lost", True, 1),
        (["put a", "delete", "put b"], "a", "stale", True, 2),
        (["put a?"], None, "indeterminate", False, 0),
        (["put a?"], "a", "indeterminate", False, 0),
        (["put a", "put b?"], "a", "recovered", True, 0),
        (["put a", "put b?"], "b", "indeterminate", True, 0),
        (["put a", "put b?"], None, "lost", True, 1),
        (["put a", "delete?"], "a", "indeterminate", False, 0),
        (["put a", "delete?"], None, "indeterminate", False, 0),
        (["put a", "put b?", "put c"], "b", "stale", True, 1),
        (["put a", "delete?", "put c"], None, "lost", True, 1),
        (["put a", "delete", "put b?"], "b", "indeterminate", False, 0),
        (["put a", "delete", "put b?"], "a", "resurrected", False, 1),
        (["put stays"], None, "lost", True, 1),
        (["put may go"], "may go", "indeterminate", False, 0),
        (["put may go"], None, "indeterminate", False, 0),
        (["put just may go"], None, "indeterminate", False, 0),
        (["put gone"], None, None, False, 0),
        (["put gone"], "gone", "resurrected", False, 0),
        (["put just gone"], "just gone", "resurrected", False, 0),
        (["put a", "put gone"], "a", "resurrected", False, 1),
        (["put gone", "put stays"], None, "lost", True, 1),
        ([], "a", "corrupt", False, 0),
    ],
)
def test_what_became_of_a_key(
    steps: list[str], observed: str | None, record_class: RecordClass | None, must_be_there: bool, writes_lost: int
) -> None:
    found = became(observed, *steps)
    assert (found.record_class, found.must_be_there, found.writes_lost) == (record_class, must_be_there, writes_lost)
    read = [] if observed is None else [Observed("k", observed.encode())]
    whole = verify(Expectations(written(*steps)), read, READING)
    assert (whole.counts.expected, whole.writes_lost) == (must_be_there, writes_lost)
    assert all(getattr(whole.counts, name) == (name == record_class) for name in RECORD_CLASSES)


def test_why_a_record_must_not_be_there() -> None:
    assert became("a", "put a", "erase").why == "erased"
    assert became("b", "put a", "erase").why == "erased", "an erased person in another form is back all the same"
    assert became("a", "put a", "erase", "delete").why == "erased"
    assert became("a", "put a", "erase", "put b").why is None
    assert became("b", "put a", "erase", "put b?").why is None
    assert became("a", "put a", "erase", "put b?").why == "erased"
    assert became("a", "put a", "delete").why is None
    assert became("gone", "put gone").why == "expired"
    assert became("gone", "put gone", "erase").why == "erased"
    assert became("gone", "put gone", "put stays").why == "expired"


def test_the_first_lost_write_is_told_by_its_acknowledgement() -> None:
    assert became("a", "put a", "put b?", "put c", "put d").first_lost_us == 31
    assert became("a", "put a").first_lost_us is None


# --- Against the naive model ---------------------------------------------------------------------------------------

steps = st.lists(
    st.sampled_from(
        [f"{step}{mark}" for step in ("delete", "erase", *(f"put {i.decode()}" for i in ITEMS)) for mark in ("", "?")]
    ),
    max_size=5,
)
observations = st.none() | st.sampled_from([*(item.decode() for item in ITEMS), "never written"])


@dataclass(frozen=True)
class Naive:
    """What the model says of one key."""

    record_class: RecordClass | None
    must_be_there: bool
    lost: list[int]


def shows(write: Write | None) -> set[bytes | None]:
    """What may be read when this write was the last to take effect."""
    if write is None or write.item is None:
        return {None}
    expires = write.expires_at
    if expires is not None and expires <= PURGED:
        return {None}
    return {write.item, None} if expires is not None and expires <= ENDED else {write.item}


def naive(writes: Sequence[Write], observed: bytes | None) -> Naive:
    allowed: set[bytes | None] = set()
    unsure = [index for index, write in enumerate(writes) if write.acknowledged_us is None]
    for happened in product((False, True), repeat=len(unsure)):
        left_out = {index for index, did in zip(unsure, happened, strict=True) if not did}
        world = [write for index, write in enumerate(writes) if index not in left_out]
        allowed |= shows(world[-1] if world else None)
    certain = [write for write in writes if write.acknowledged_us is not None]
    final = certain[-1] if certain else None
    must_be_there = None not in allowed
    record_class: RecordClass | None
    if observed is None:
        record_class = "lost" if must_be_there else "indeterminate" if allowed != {None} else None
    elif observed not in {write.item for write in writes}:
        record_class = "corrupt"
    elif observed in allowed:
        is_final = final is not None and observed == final.item
        record_class = "recovered" if must_be_there and is_final else "indeterminate"
    else:
        purged = EXPIRES[observed] is not None and (EXPIRES[observed] or 0) <= PURGED
        record_class = "resurrected" if purged or shows(final) == {None} else "stale"
    lost = []
    for index, write in enumerate(writes):
        later = writes[index:]
        survived = any(one.item == observed or (observed is None and None in shows(one)) for one in later)
        if write.acknowledged_us is not None and not survived:
            lost.append(write.acknowledged_us)
    return Naive(record_class, must_be_there, lost)


def check_one_key(drawn: list[str], observed: str | None) -> None:
    found, model = became(observed, *drawn), naive(written(*drawn), None if observed is None else observed.encode())
    assert found.record_class == model.record_class
    assert found.must_be_there == model.must_be_there
    assert found.writes_lost == len(model.lost)
    assert found.first_lost_us == min(model.lost, default=None)


@settings(max_examples=300, deadline=None)
@given(steps, observations)
def test_one_key_against_the_model(drawn: list[str], observed: str | None) -> None:
    check_one_key(drawn, observed)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(steps, observations)
def test_one_key_against_the_model_for_long(drawn: list[str], observed: str | None) -> None:
    check_one_key(drawn, observed)


whole = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(steps, observations), max_size=8)


@settings(max_examples=150, deadline=None)
@given(whole, st.randoms(use_true_random=False))
def test_a_whole_store_against_the_model(drawn: dict[str, tuple[list[str], str | None]], rng: random.Random) -> None:
    ledger, observed = store(drawn, rng)
    found = verify(Expectations(ledger), observed, READING)
    models = {key: naive([w for w in ledger if w.key == key], seen(drawn[key][1])) for key in drawn}
    classes = Counter(model.record_class for model in models.values())
    counts = found.counts
    assert counts.expected == sum(model.must_be_there for model in models.values())
    for name in RECORD_CLASSES:
        assert getattr(counts, name) == classes[name], name
    lost = [moment for model in models.values() for moment in model.lost]
    assert (found.writes_lost, found.first_lost_us) == (len(lost), min(lost, default=None))
    bad = {
        key: m.record_class for key, m in models.items() if m.record_class not in (None, "recovered", "indeterminate")
    }
    assert [(one.key, one.record_class) for one in found.deviations] == sorted(bad.items())
    assert counts.recovered <= counts.expected
    assert found.read_twice == 0


def seen(observed: str | None) -> bytes | None:
    return None if observed is None else observed.encode()


def store(drawn: dict[str, tuple[list[str], str | None]], rng: random.Random) -> tuple[list[Write], list[Observed]]:
    """The ledger of all keys, interleaved at random with the order of each kept, and what was read in any order."""
    queues = {key: written(*steps) for key, (steps, _) in drawn.items()}
    ledger: list[Write] = []
    while left := [key for key, queue in queues.items() if queue]:
        key = rng.choice(left)
        one = queues[key].pop(0)
        ledger.append(Write(len(ledger) + 1, key, one.kind, one.item, one.sent_us, one.acknowledged_us, one.expires_at))
    observed = [Observed(key, o.encode()) for key, (_, o) in drawn.items() if o is not None]
    rng.shuffle(observed)
    return ledger, observed


@settings(max_examples=100, deadline=None)
@given(whole, st.randoms(use_true_random=False), st.integers(0, 80))
def test_rpo_is_back_to_the_newest_moment_up_to_which_everything_survived(
    drawn: dict[str, tuple[list[str], str | None]], rng: random.Random, failed_us: int
) -> None:
    ledger, observed = store(drawn, rng)
    found = verify(Expectations(ledger), observed, READING)
    lost = [moment for key in drawn for moment in naive([w for w in ledger if w.key == key], seen(drawn[key][1])).lost]
    # Up to but not including the acknowledgement of the first lost write, everything survived.
    newest = max(moment for moment in range(failed_us + 1) if all(at >= moment for at in lost))
    assert rpo_seconds(failed_us, found.first_lost_us) == (failed_us - newest) / 1_000_000


def test_a_record_read_twice_is_counted_and_compared_once() -> None:
    ledger = written("put a")
    found = verify(Expectations(ledger), [Observed("k", b"a"), Observed("k", b"b")], READING)
    assert (found.read_twice, found.counts.recovered, found.counts.corrupt) == (1, 1, 0)


def test_how_many_keys_there_were_of_each_kind() -> None:
    ledger = []
    for key, steps in {"a": ["put a"], "d": ["put a", "delete"], "e": ["put a", "erase"], "x": ["put gone"]}.items():
        ledger += [Write(w.sequence, key, w.kind, w.item, 0, w.acknowledged_us, w.expires_at) for w in written(*steps)]
    found = verify(Expectations(ledger), [Observed("a", b"a"), Observed("new", b"n")], READING)
    assert (found.keys, found.deleted, found.erased, found.expired) == (5, 2, 1, 1)
    assert Expectations(ledger).writes_acknowledged == 6
