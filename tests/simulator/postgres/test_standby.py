"""Standbys: real ones, which know what they are let and not a row more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drills.errors import EngineError
from drills.simulator.postgres.engine import PostgresEngine
from drills.simulator.postgres.interface import Credentials, Position, Server, Standby
from drills.simulator.postgres.positions import end_of_record
from drills.simulator.postgres.server import PostgresServer
from drills.simulator.postgres.standby import PostgresStandby
from drills.simulator.postgres.wal import LONGEST_HEADER, PAGE, SEGMENT, position_of
from tests.simulator.postgres.shop import connect, sell, sold


@pytest.fixture
def standby(server: PostgresServer) -> Iterator[PostgresStandby]:
    made = server.standby()
    yield made
    made.archive.discard()
    made.destroy()


def sell_each(server: Server, *ids: int, note: str = "") -> list[Position]:
    """The position after each."""
    positions = []
    for one in ids:
        sell(server, one, note=note)
        positions.append(server.position())
    return positions


def test_a_standby_begins_as_its_source_is_and_is_no_source_of_surprise(server: PostgresServer) -> None:
    sell(server, 1)
    standby: Standby = server.standby()
    assert standby.running
    assert standby.address != server.address
    assert sold(standby) == [1]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        sell(standby, 2)
    with pytest.raises(EngineError, match="read-only"):
        standby.set_password(Credentials("clerk", "other"))
    standby.destroy()


def test_it_knows_what_it_was_let_and_no_more(server: PostgresServer, standby: PostgresStandby) -> None:
    positions = sell_each(server, 1, 2, 3)
    assert sold(standby) == []
    for count, position in enumerate(positions, 1):
        standby.let(position)
        assert sold(standby) == [1, 2, 3][:count]
        assert standby.position() == position
    standby.let(positions[0])
    assert sold(standby) == [1, 2, 3]


def test_a_commit_that_is_longer_than_a_segment_is_split(server: PostgresServer, standby: PostgresStandby) -> None:
    (before,) = sell_each(server, 1)
    with connect(server) as connection:
        connection.execute(
            "INSERT INTO sales SELECT x, md5(x::text) || repeat('x', 200) FROM generate_series(2, 12000) x"
        )
    after = server.position()
    assert after - before > 2 * SEGMENT
    for part in range(1, 5):
        standby.let(before + (after - before) * part // 5)
        assert sold(standby) == [1]
    standby.let(after)
    assert len(sold(standby)) == 12000


def test_of_a_page_it_is_not_sent_the_header_alone(server: PostgresServer, standby: PostgresStandby) -> None:
    sell(server, 1)
    server.session.row("SELECT pg_switch_wal()")
    position = server.position()
    assert position % SEGMENT == LONGEST_HEADER
    standby.let(position)
    assert sold(standby) == [1]
    (received,) = standby.session.row("SELECT latest_end_lsn::text FROM pg_stat_wal_receiver")
    assert position_of(str(received)) == position - LONGEST_HEADER
    standby.let(sell_each(server, 2)[0])
    assert sold(standby) == [1, 2]
    # Once, as it starts at the end of its image.
    assert next(standby.folder.glob("log*")).read_text().count("invalid record length") == 1


def test_where_a_record_ends() -> None:
    assert [end_of_record(SEGMENT + one) for one in (0, 24, 40, 48)] == [SEGMENT, SEGMENT, SEGMENT, SEGMENT + 48]
    page = SEGMENT + PAGE
    # The last bytes of a record may lie behind the header of the next page.
    assert [end_of_record(page + one) for one in (0, 24, 32, 40)] == [page, page, page + 32, page + 40]


def test_promoted_it_has_exactly_what_was_handed_over(server: PostgresServer, standby: PostgresStandby) -> None:
    positions = sell_each(server, 1, 2, 3)
    standby.let(positions[1])
    standby.promote()
    assert sold(standby) == [1, 2]
    sell(standby, 30)
    assert sold(standby) == [1, 2, 30]
    assert sold(server) == [1, 2, 3]
    standby.stop()
    standby.start()
    assert sold(standby) == [1, 2, 30]
    with pytest.raises(EngineError, match="was promoted"):
        standby.let(positions[2])
    with pytest.raises(EngineError, match="was promoted"):
        standby.promote()


def test_promoted_it_has_a_line_of_its_own(
    engine: PostgresEngine, server: PostgresServer, standby: PostgresStandby
) -> None:
    before = standby.image()
    standby.promote()
    image = standby.image()
    (position,) = sell_each(standby, 1)
    sell(standby, 2)
    restored = engine.restore(image, standby.archive, position)
    assert sold(restored) == [1]
    restored.destroy()
    with pytest.raises(EngineError, match="a promotion lies between"):
        engine.restore(before, standby.archive, position)


def test_a_record_that_was_handed_over_in_part_is_not_there(server: PostgresServer, standby: PostgresStandby) -> None:
    (before,) = sell_each(server, 1)
    after = sell_each(server, 2)[0]
    standby.let(after - 12)
    assert sold(standby) == [1]
    standby.promote()
    assert sold(standby) == [1]
    sell(standby, 3)
    assert before < standby.position()


def test_its_source_may_stop_and_start(server: PostgresServer, standby: PostgresStandby) -> None:
    first, second, third = sell_each(server, 1, 2, 3)
    standby.let(first)
    server.stop(at_once=True)
    standby.let(second)
    assert sold(standby) == [1, 2]
    server.start()
    standby.let(third)
    (fourth,) = sell_each(server, 4)
    standby.let(fourth)
    assert sold(standby) == [1, 2, 3, 4]


def test_it_may_itself_stop_and_start(server: PostgresServer, standby: PostgresStandby) -> None:
    first, second = sell_each(server, 1, 2)
    standby.let(first)
    standby.stop(at_once=True)
    standby.let(second)
    standby.start()
    assert sold(standby) == [1, 2]


def test_cut_off_it_learns_nothing_more(server: PostgresServer, standby: PostgresStandby) -> None:
    first, second = sell_each(server, 1, 2)
    standby.let(first)
    standby.cut()
    standby.let(second)
    assert sold(standby) == [1]
    standby.promote()
    assert sold(standby) == [1]


def test_it_outlives_its_source(server: PostgresServer, standby: PostgresStandby) -> None:
    first, second = sell_each(server, 1, 2)
    standby.let(first)
    server.destroy()
    standby.let(second)
    standby.promote()
    assert sold(standby) == [1, 2]


def test_what_the_source_never_had_cannot_be_let(server: PostgresServer, standby: PostgresStandby) -> None:
    with pytest.raises(EngineError, match="Let it a position that the source had"):
        standby.let(server.position() + SEGMENT)


def test_an_image_of_a_standby(engine: PostgresEngine, server: PostgresServer, standby: PostgresStandby) -> None:
    first, second = sell_each(server, 1, 2)
    standby.let(first)
    image = standby.image()
    standby.let(second)
    for until, expected in ((None, [1]), (second, [1, 2])):
        restored = engine.restore(image, standby.archive, until)
        assert sold(restored) == expected
        sell(restored, 10)
        restored.destroy()


def test_a_standby_of_a_standby_follows_it_over_its_promotion(server: PostgresServer, standby: PostgresStandby) -> None:
    first, second = sell_each(server, 1, 2)
    standby.let(first)
    further = standby.standby()
    with pytest.raises(EngineError, match="Let it a position"):
        further.let(second)
    standby.let(second)
    further.let(second)
    standby.promote()
    (position,) = sell_each(standby, 30)
    further.let(position)
    assert sold(further) == [1, 2, 30]
    further.promote()
    sell(further, 40)
    assert sold(further) == [1, 2, 30, 40]
    assert sold(standby) == [1, 2, 30]
    further.destroy()


def test_it_keeps_its_sources_parameters(server: PostgresServer) -> None:
    server.set_parameters({"max_connections": "60"})
    server.stop()
    server.start()
    standby = server.standby()
    with connect(standby) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("60",)
    standby.destroy()


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(("sell", "big", "let", "let", "stop", "cut power", "image")), max_size=12))
def test_any_order_of_sales_and_lets(server: PostgresServer, steps: list[str]) -> None:
    lets_against_sales(server, steps)


@pytest.mark.soak
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.sampled_from(("sell", "big", "let", "stop", "cut power", "image")), min_size=5, max_size=60))
def test_any_long_order_of_sales_and_lets(server: PostgresServer, steps: list[str]) -> None:
    lets_against_sales(server, steps)


def lets_against_sales(server: PostgresServer, steps: list[str]) -> None:
    """The standby has what had been sold up to the position that it was let last; so has what it is promoted to."""
    with connect(server) as connection:
        connection.execute("TRUNCATE sales")
    standby = server.standby()
    count, let, waiting = 0, 0, list[tuple[Position, int]]()
    for step in steps:
        if step in ("sell", "big"):
            sell(server, count, note="n" * (900_000 if step == "big" else 10))
            count += 1
            waiting.append((server.position(), count))
        elif step == "let" and waiting:
            position, let = waiting.pop(0)
            standby.let(position)
        elif step == "image":
            server.image().discard()
        else:
            one = standby if count % 2 else server
            one.stop(at_once=step == "cut power")
            one.start()
        assert sold(standby) == list(range(let))
    standby.promote()
    assert sold(standby) == list(range(let))
    sell(standby, -1)
    standby.archive.discard()
    standby.destroy()
