"""RTO by its phases, at the median and at the 95th percentile, and RPO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.errors import EvidenceError
from drills.history import Event
from drills.measure import Measured, Modelled, Response, measure, rpo_seconds, stretch_seconds
from drills.model import JSON, Endpoint

FAILED = datetime(2026, 1, 5, 10, tzinfo=UTC)
RESPONSE = Response(FAILED, FAILED + timedelta(minutes=10), FAILED + timedelta(minutes=15))


def later(seconds: float) -> str:
    """So many seconds after the decision, as an event has it."""
    return (RESPONSE.decided + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event(kind: str, at: float, **data: JSON) -> Event:
    return Event(1, RESPONSE.decided + timedelta(seconds=at), kind, data)


def phase(name: str, began: float, ended: float, *, behind: float = 0) -> Event:
    """A phase by its stopwatch; ``behind``: how much later than the stopwatch the clock was."""
    return event("phase", ended + behind, phase=name, began=later(began), ended=later(ended))


def modelled(name: str, began: float, seconds: float, p95: float, *, assumed: bool = False) -> Event:
    data: Mapping[str, JSON] = {"began": later(began), "seconds": seconds, "p95_seconds": p95, "assumed": assumed}
    return event("modelled", began + seconds, phase=name, **data)


COURSE = [
    phase("find_point", 0, 5),
    phase("restore", 5, 1205),
    phase("reconfigure", 1205, 1265),
    phase("verify", 1265, 1365),
    phase("cut_over", 1365, 1400),
]


def measured(*more: Event, course: Sequence[Event] = COURSE, cut_over: bool = True) -> Measured:
    return measure(RESPONSE, [*more, *course], cut_over=cut_over)


def test_phases_and_rto() -> None:
    found = measured()
    assert dict(found.phases.items()) == {
        "detect": 600,
        "decide": 300,
        "find_point": 5,
        "restore": 1200,
        "reconfigure": 60,
        "verify": 100,
        "cut_over": 35,
    }
    assert found.rto_seconds == 900 + 1400


def test_what_was_not_reached_has_no_figure() -> None:
    found = measured(course=COURSE[:2], cut_over=False)
    assert found.phases.restore == 1200
    assert (found.phases.verify, found.phases.cut_over, found.rto_seconds, found.rto_p95_seconds) == (None,) * 4


def loading(began: float, seconds: float) -> Event:
    data: Mapping[str, JSON] = {
        "operation": "rds.full_speed",
        "began": later(began),
        "seconds": seconds,
        "p95_seconds": 3 * seconds,
        "assumed": True,
    }
    return event("modelled", began + seconds, phase="restore", **data)


def test_a_store_answers_is_verified_and_at_full_speed() -> None:
    answers = event("endpoint.available", 1205, loads_lazily=True)
    found = measured(answers, modelled("restore", 5, 1200, 1300), loading(1200, 9000))
    assert found.endpoint == Endpoint(900 + 1205, 900 + 1365, 900 + 10_200)
    assert not found.assumed
    # What goes on behind an answering store holds nothing up, also where it ends within the phase.
    quick = measured(answers, modelled("restore", 5, 1200, 1300), loading(1100, 50))
    assert (quick.rto_p95_seconds, quick.endpoint) == (found.rto_p95_seconds, Endpoint(2105, 2265, 2105))


def test_full_speed_by_the_stopwatch() -> None:
    answers = event("endpoint.available", 8405, loads_lazily=True)
    course = [phase("find_point", 0, 5, behind=7200), phase("restore", 5, 1205, behind=7200)]
    found = measured(answers, loading(8405, 100), course=course, cut_over=False)
    assert found.endpoint == Endpoint(2105, None, 2205)


def test_full_speed_once_all_was_read() -> None:
    answers = event("endpoint.available", 8405, loads_lazily=True)
    course = [
        phase("find_point", 0, 5, behind=7200),
        phase("restore", 5, 1205, behind=7200),
        phase("verify", 1205, 1300, behind=7200),
        phase("cut_over", 1300, 1310, behind=7200),
    ]
    read = event("endpoint.loaded", 8910, ended=later(1710), relations=3, blocks=40)
    found = measured(answers, read, course=course)
    assert found.endpoint == Endpoint(2105, 2200, 900 + 1710)
    assert found.rto_seconds == 900 + 1310, "nobody waits for it"
    refused = event("endpoint.unloaded", 8910, reason="it may not")
    assert measured(answers, refused, course=course).endpoint == Endpoint(2105, 2200, None)


def test_full_speed_at_once_or_not_told() -> None:
    assert measured(event("endpoint.available", 1205, loads_lazily=False)).endpoint == Endpoint(2105, 2265, 2105)
    assert measured(event("endpoint.available", 1205, loads_lazily=True)).endpoint == Endpoint(2105, 2265, None)
    assert measured().endpoint is None


def test_nothing_modelled_gives_no_percentile() -> None:
    assert measured().rto_p95_seconds is None
    assert not measured().assumed


def test_durations_one_after_the_other_add_up() -> None:
    found = measured(
        modelled("restore", 5, 1000, 1500), modelled("restore", 1005, 200, 300), modelled("verify", 1265, 100, 130)
    )
    assert found.rto_seconds is not None
    assert found.rto_p95_seconds == pytest.approx(found.rto_seconds + 500 + 100 + 30)


def test_durations_side_by_side_do_not() -> None:
    found = measured(modelled("restore", 5, 1200, 1500), modelled("restore", 5, 1100, 1700))
    assert found.rto_seconds is not None
    assert found.rto_p95_seconds == pytest.approx(found.rto_seconds + 500)


def test_a_duration_that_outlasts_its_phase_did_not_hold_it_up() -> None:
    found = measured(modelled("restore", 5, 1200, 1500), modelled("restore", 600, 1800, 9000, assumed=True))
    assert found.rto_seconds is not None
    assert found.rto_p95_seconds == pytest.approx(found.rto_seconds + 300)
    assert not found.assumed


def test_durations_are_on_the_clock_and_phases_on_the_stopwatch() -> None:
    course = [phase("restore", 0, 1200, behind=7200), phase("cut_over", 1200, 1230, behind=7200)]
    found = measured(modelled("restore", 7200, 1200, 1500), course=course)
    assert (found.rto_seconds, found.rto_p95_seconds) == (900 + 1230, 900 + 1530)


def test_an_assumption_in_one_duration_marks_the_figure() -> None:
    assert measured(modelled("verify", 1265, 100, 130, assumed=True)).assumed
    assert not measured(modelled("verify", 1265, 100, 130)).assumed


def test_an_event_that_lacks_its_times_is_named() -> None:
    with pytest.raises(EvidenceError, match="the event 'phase' needs 'ended'"):
        measured(course=[event("phase", 1, phase="restore", began=later(0))])


durations = st.lists(
    st.builds(
        lambda began, seconds, more: Modelled(FAILED + timedelta(seconds=began), seconds, seconds + more, False),
        st.integers(0, 100),
        st.integers(1, 50),
        st.integers(0, 50),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(durations)
def test_a_stretch_lies_between_that_of_the_longest_and_that_of_all(drawn: list[Modelled]) -> None:
    stretch = stretch_seconds(drawn)
    assert stretch_seconds(list(reversed(drawn))) == stretch
    assert 0 <= stretch <= sum(one.p95_seconds - one.seconds for one in drawn)
    last = max(drawn, key=lambda one: one.starts_after(FAILED) + one.seconds)
    assert stretch >= last.p95_seconds - last.seconds


def test_rpo() -> None:
    assert rpo_seconds(10_000_000, None) == 0
    assert rpo_seconds(10_000_000, 7_500_000) == 2.5
    assert rpo_seconds(10_000_000, 10_000_001) == 0
