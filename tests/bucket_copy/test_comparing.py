"""Two listings side by side, and the register of deletions. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from drills.bucket_copy.compare import Pair, compare, pairs
from drills.bucket_copy.deletions import Deletion, Registered, _deletions, deleted_by
from drills.bucket_rollback import Entry

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def version(
    of: str, seconds: float = 0, *, key: str = "k", size: int = 1, etag: str = "e", latest: bool = True
) -> Entry:
    return Entry(key, of, False, latest, at(seconds), size, etag)


def marker(of: str, seconds: float) -> Entry:
    return Entry("k", of, True, True, at(seconds))


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_every_key_of_either_side_is_one_pair(left: set[str], right: set[str]) -> None:
    def side(keys: set[str]) -> list[tuple[str, list[Entry]]]:
        return [(key, [version("v", key=key)]) for key in sorted(keys)]

    found = list(pairs(iter(side(left)), iter(side(right))))
    assert [pair.key for pair in found] == sorted(left | right)
    assert {pair.key for pair in found if pair.source} == left
    assert {pair.key for pair in found if pair.copy} == right


def test_what_agrees() -> None:
    found = compare(iter([Pair("k", [version("v2", 5), version("v1")], [version("v2", 5), version("v1")])]))
    assert (found.keys, found.versions, found.newest) == (1, 2, at(5))
    assert found.missing.count == found.differing.count == found.covered.count == 0


def test_what_is_missing() -> None:
    pair = Pair("k", [version("v2", 5, etag="n"), version("v1")], [version("v1")])
    assert [(key, one.version_id) for key, one in compare(iter([pair])).missing.some] == [("k", "v2")]
    older = Pair("k", [version("v2", 5), version("v1", etag="o")], [version("v2", 5)])
    assert compare(iter([older])).missing.count == 1
    assert compare(iter([older]), every_version=False).missing.count == 0


def test_what_differs() -> None:
    truncated = Pair("k", [version("v1", size=9)], [version("v1", size=4)])
    assert compare(iter([truncated])).differing.count == 1
    other = Pair("k", [version("v1", etag="a")], [version("v1", etag="b")])
    assert compare(iter([other])).differing.count == 1


def test_what_lies_over_a_replica() -> None:
    written_over = Pair("k", [version("v1")], [version("x", 9, size=0), version("v1")])
    (covered,) = compare(iter([written_over])).covered.some
    assert covered[1].version_id == "x"
    hidden = Pair("k", [marker("m", 8), version("v1")], [marker("m", 9), version("v1")])
    assert compare(iter([hidden])).covered.count == 1
    deleted_at_the_source_alone = Pair("k", [marker("m", 8), version("v1")], [version("v1")])
    assert compare(iter([deleted_at_the_source_alone])).covered.count == 0


def test_a_direct_copy_has_an_id_of_its_own() -> None:
    pair = Pair("k", [version("v1", etag="same", size=3)], [version("other", 60, etag="same", size=3)])
    found = compare(iter([pair]))
    assert found.missing.count == found.covered.count == found.differing.count == 0


def test_another_version_with_the_same_content_is_no_replica_of_it() -> None:
    source = [version("v2", 5, etag="same"), version("v1", etag="same")]
    assert compare(iter([Pair("k", source, [version("v1", etag="same")])])).missing.count == 1


# --- The register ---------------------------------------------------------------------------------------------------


def test_a_line_reads_as_it_was_written() -> None:
    entry = Registered("ä\n", (Deletion(at(1), "v"), Deletion(at(2))))
    assert Registered.read(entry.line().rstrip(b"\n")) == entry
    assert entry.line().count(b"\n") == 1


def test_a_delete_marker_is_registered_with_what_it_deleted() -> None:
    pair = Pair("k", [marker("m2", 20), version("v2", 10), marker("m1", 5), version("v1")], [])
    assert _deletions(pair, (), at(60)) == (Deletion(at(5), "v1"), Deletion(at(20), "v2"))


def test_a_marker_that_was_taken_away_again_is_no_deletion() -> None:
    pair = Pair("k", [version("v1")], [version("v1")])
    assert _deletions(pair, (Deletion(at(20), "v1"),), at(60)) == ()


def test_what_the_source_has_forgotten_stays_registered() -> None:
    pair = Pair("k", [version("v9", 50)], [version("v9", 50), version("v1")])
    known = (Deletion(at(20), "v1"),)
    assert _deletions(pair, known, at(60)) == known


def test_a_key_of_which_nothing_is_left_was_deleted_when_that_was_seen() -> None:
    pair = Pair("k", [], [version("v1")])
    first = _deletions(pair, (), at(60))
    assert first == (Deletion(at(60)),)
    assert _deletions(pair, first, at(120)) == first


def test_deleted_by_a_moment() -> None:
    state = version("v1", 10)
    assert deleted_by(at(30), state, [Deletion(at(20), "v1")])
    assert deleted_by(at(30), state, [Deletion(at(20))])
    assert not deleted_by(at(20), state, [Deletion(at(20), "v1")]), "within the second counts as later"
    assert not deleted_by(at(30), state, [Deletion(at(5), "v0")])
    # Deleted and written again within one second: the marker lies above another version.
    assert not deleted_by(at(30), state, [Deletion(at(10), "v0")])
    assert deleted_by(at(30), state, [Deletion(at(10), "v1")])
