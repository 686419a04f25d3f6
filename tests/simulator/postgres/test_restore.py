"""Images and restores: what is in them is exactly what had been committed at that position."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.errors import BeyondArchive, EngineError
from drills.simulator.postgres import files
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.images import PostgresImage
from drills.simulator.postgres.interface import Position
from drills.simulator.postgres.server import PostgresServer
from drills.simulator.postgres.wal import SEGMENT, position_of
from tests.simulator.postgres.shop import MASTER, connect, sell, sold


def test_an_image_is_as_of_when_it_was_taken(engine: PostgresEngine, server: PostgresServer) -> None:
    sell(server, 1, 2)
    image = server.image()
    sell(server, 3)
    restored = engine.restore(image)
    assert sold(restored) == [1, 2]
    assert restored.address != server.address
    sell(restored, 10)
    assert sold(server) == [1, 2, 3]
    again = engine.restore(image)
    assert sold(again) == [1, 2]
    assert image.size_bytes > 1_000_000
    for one in (restored, again):
        one.destroy()


def test_a_restore_is_as_of_its_position(engine: PostgresEngine, server: PostgresServer) -> None:
    image = server.image()
    positions = []
    for one in range(4):
        sell(server, one)
        positions.append(server.position())
    assert positions == sorted(set(positions))
    for one, position in enumerate(positions):
        restored = engine.restore(image, server.archive, position)
        assert sold(restored) == list(range(one + 1))
        restored.destroy()


def test_an_image_outlives_its_server_and_so_does_the_archive(engine: PostgresEngine, server: PostgresServer) -> None:
    image, archive = server.image(), server.archive
    sell(server, 1)
    position = server.position()
    sell(server, 2)
    server.destroy()
    assert archive.reaches > position
    for until, expected in ((position, [1]), (archive.reaches, [1, 2]), (None, [])):
        restored = engine.restore(image, archive, until)
        assert sold(restored) == expected
        restored.destroy()
    archive.discard()
    assert not archive.folder.exists()
    with pytest.raises(EngineError, match="was discarded"):
        engine.restore(image, archive, position)
    image.discard()
    with pytest.raises(EngineError, match="was discarded"):
        engine.restore(image)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_stopped_server_can_be_restored_to_its_end(
    engine: PostgresEngine, server: PostgresServer, at_once: bool
) -> None:
    image = server.image()
    sell(server, 1)
    server.stop(at_once=at_once)
    position = server.position()
    restored = engine.restore(image, server.archive, position)
    assert sold(restored) == [1]
    server.start()
    sell(server, 2)
    assert server.position() > position
    later = engine.restore(image, server.archive, server.position())
    assert sold(later) == [1, 2]
    for one in (restored, later):
        one.destroy()


def test_a_position_where_the_next_segment_is_not_begun(engine: PostgresEngine, server: PostgresServer) -> None:
    """A segment is made with its first record."""
    sell(server, 1)
    image, archive = server.image(), server.archive
    while archive.segment(server.position() // SEGMENT).exists():
        server.session.row("SELECT pg_logical_emit_message(true, 'test', '')")
        server.session.row("SELECT pg_switch_wal()")
    position = server.position()
    server.destroy()
    assert archive.reaches >= position
    restored = engine.restore(image, archive, position)
    assert sold(restored) == [1]
    sell(restored, 2)
    restored.stop(at_once=True)
    restored.start()
    assert sold(restored) == [1, 2]
    restored.destroy()


def test_what_was_restored_can_be_restored_again(engine: PostgresEngine, server: PostgresServer) -> None:
    sell(server, 1)
    first = engine.restore(server.image())
    image = first.image()
    sell(first, 2)
    middle = first.position()
    sell(first, 3)
    second = engine.restore(image, first.archive, middle)
    assert sold(second) == [1, 2]
    for one in (first, second):
        one.destroy()


def test_a_restore_beyond_the_log_is_refused(engine: PostgresEngine, server: PostgresServer) -> None:
    image = server.image()
    before = list(engine.folder.glob("s*"))
    with pytest.raises(BeyondArchive, match=r"reaches 0/[0-9A-F]+, 0/[0-9A-F]+ was asked for"):
        engine.restore(image, server.archive, server.position() + SEGMENT)
    assert list(engine.folder.glob("s*")) == before


def test_a_damaged_log_is_not_taken_for_a_short_one(engine: PostgresEngine, server: PostgresServer) -> None:
    image = server.image()
    sell(server, 1, note="marked")
    damaged_at = server.position()
    sell(server, 2)
    segment = server.archive.segment(damaged_at // SEGMENT)
    with segment.open("r+b") as stream:
        content = stream.read().replace(b"marked", b"MARKED")
        stream.seek(0)
        stream.write(content)
    with pytest.raises(BeyondArchive, match="damaged"):
        engine.restore(image, server.archive, server.position())


def test_a_log_that_misses_a_segment_is_said(engine: PostgresEngine, server: PostgresServer) -> None:
    image = server.image()
    sell(server, 1, 2, 3, note="x" * SEGMENT)
    with connect(server) as connection:
        connection.execute("INSERT INTO sales SELECT x, md5(x::text) FROM generate_series(10, 20000) x")
    server.archive.segment(image.position // SEGMENT + 1).unlink()
    with pytest.raises(BeyondArchive, match="lost its segment"):
        engine.restore(image, server.archive, server.position())


def test_the_archive_must_be_of_the_images_server(engine: PostgresEngine, server: PostgresServer) -> None:
    other = engine.restore(server.image())
    image = server.image()
    sell(server, 1)
    with pytest.raises(EngineError, match="not of the server that the image was taken of"):
        engine.restore(image, other.archive, other.position() + SEGMENT)
    with pytest.raises(EngineError, match="Give the archive"):
        engine.restore(image, None, server.position())
    with pytest.raises(EngineError, match="Restore from an older image"):
        engine.restore(image, server.archive, image.position - 8)
    other.destroy()


def test_images_share_what_did_not_change(server: PostgresServer) -> None:
    with connect(server) as connection:
        connection.execute("INSERT INTO sales SELECT x, repeat('a', 500) FROM generate_series(1, 4000) x")
    quiet(server)
    images = [server.image() for _ in range(3)]
    quiet(server)
    last = server.image()
    own = sum(path.stat().st_size for path in last.data.rglob("*") if path.is_file() and path.stat().st_nlink == 1)
    assert own < last.size_bytes / 5
    for image in images:
        image.discard()
    again = sum(path.stat().st_size for path in last.data.rglob("*") if path.is_file())
    assert again == last.size_bytes + (last.data / "backup_label").stat().st_size


def test_shared_files_do_not_hide_a_change(engine: PostgresEngine, server: PostgresServer) -> None:
    """Images in quick succession, each after a change in place."""
    sell(server, *range(50))
    for turn in range(3):
        with connect(server) as connection:
            connection.execute("UPDATE sales SET note = %s", (f"turn {turn}",))
        image = server.image()
        with connect(server) as connection:
            connection.execute("VACUUM sales")
        restored = engine.restore(image)
        with connect(restored) as connection:
            assert connection.execute("SELECT count(*), min(note), max(note) FROM sales").fetchone() == (
                50,
                f"turn {turn}",
                f"turn {turn}",
            )
        restored.destroy()
        image.discard()


def test_an_image_of_a_server_that_is_written_meanwhile(engine: PostgresEngine, server: PostgresServer) -> None:
    """Whatever it caught, it is a prefix of the commits, and a restore to a later position has them all."""
    done = threading.Event()
    committed: list[int] = []

    def write() -> None:
        with connect(server) as connection:
            while not done.is_set():
                connection.execute("INSERT INTO sales VALUES (%s, repeat('n', 300))", (len(committed),))
                committed.append(len(committed))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before = len(committed)
        images = [server.image() for _ in range(2)]
        asked = len(committed)
        position = server.position()
    finally:
        done.set()
        writer.join()
    for image in images:
        restored = engine.restore(image)
        caught = sold(restored)
        assert caught == list(range(len(caught)))
        assert len(caught) >= before
        restored.destroy()
        restored = engine.restore(image, server.archive, position)
        assert len(sold(restored)) >= asked
        restored.destroy()


def test_a_failed_image_leaves_nothing(
    engine: PostgresEngine, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*copied: object) -> None:
        raise OSError(28, "No space left on device")

    before = set(engine.folder.glob("i*"))
    with monkeypatch.context() as patched:
        patched.setattr(files, "copy_file", full)
        with pytest.raises(OSError, match="No space left"):
            server.image()
    assert set(engine.folder.glob("i*")) == before
    sell(server, 1)
    assert sold(engine.restore(server.image())) == [1]


def test_a_position_never_misses_an_acknowledged_commit(server: PostgresServer) -> None:
    """Asked at once after each commit, and again when nothing was written for so long that the server is not asked."""
    with connect(server) as connection:
        for one in range(300):
            connection.execute("INSERT INTO sales VALUES (%s, %s)", (one, "n" * (one * 37 % 5000)))
            row = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
            assert row is not None
            assert server.position() >= position_of(str(row[0]))
            if one % 10 == 0:
                quiet(server)


def test_positions_are_cheap_while_nothing_is_written(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet(server)
    position = server.position()
    monkeypatch.setattr(server.session, "row", None)
    assert server.position() == position


def quiet(server: PostgresServer) -> None:
    """Until a further question would not reach the server."""
    while not server._reach._settled:
        server.position()


STEPS = ("sell", "sell", "big", "abandon", "quiet", "stop", "cut", "image", "vacuum")


@pytest.fixture(scope="module")
def start(engine: PostgresEngine) -> PostgresImage:
    """What each history begins with."""
    server = engine.create(MASTER, "shop")
    with connect(server) as connection:
        connection.execute("CREATE TABLE sales (id int PRIMARY KEY, note text)")
    image = server.image()
    server.destroy()
    return image


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS), min_size=3, max_size=9), data=st.data())
def test_each_position_restores_to_exactly_the_commits_before_it(
    engine: PostgresEngine, start: PostgresImage, steps: list[str], data: st.DataObject
) -> None:
    commits_against_restores(engine, start, steps, data, restores=2)


@pytest.mark.soak
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(STEPS), min_size=5, max_size=60), data=st.data())
def test_each_position_of_a_long_history(
    engine: PostgresEngine, start: PostgresImage, steps: list[str], data: st.DataObject
) -> None:
    commits_against_restores(engine, start, steps, data, restores=6)


def commits_against_restores(
    engine: PostgresEngine, start: PostgresImage, steps: list[str], data: st.DataObject, restores: int
) -> None:
    server = engine.restore(start)
    archive = server.archive
    images: list[PostgresImage] = [server.image()]
    known: list[tuple[Position, int]] = [(server.position(), 0)]
    committed = 0
    for step in steps:
        committed += _step(server, step, committed, images)
        known.append((server.position(), committed))
    assert [position for position, _ in known] == sorted(position for position, _ in known)
    server.destroy()
    assert archive.reaches >= known[-1][0]
    for position, expected in data.draw(st.lists(st.sampled_from(known), min_size=restores, max_size=restores)):
        usable = [image for image in images if image.position <= position]
        restored = engine.restore(data.draw(st.sampled_from(usable or images[:1])), archive, position)
        assert sold(restored) == list(range(expected))
        restored.archive.discard()
        restored.destroy()
    for image in images:
        image.discard()
    archive.discard()


def _step(server: PostgresServer, step: str, committed: int, images: list[PostgresImage]) -> int:
    """How many sales the step committed."""
    if step in ("sell", "big"):
        sell(server, committed, note="n" * (700_000 if step == "big" else 10))
        return 1
    if step == "abandon":
        with connect(server) as connection:
            connection.autocommit = False
            connection.execute("INSERT INTO sales VALUES (-1, 'never')")
            connection.rollback()
    elif step == "quiet":
        quiet(server)
    elif step in ("stop", "cut"):
        server.stop(at_once=step == "cut")
        server.position()
        server.start()
    elif step == "image":
        images.append(server.image())
    else:
        with connect(server) as connection:
            connection.execute("VACUUM FULL sales")
    return 0
