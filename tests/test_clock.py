"""How often is asked for what takes long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drills.clock import pause_seconds

EVERY = st.floats(1, 300)
WAITED = st.floats(0, 86_400)


@given(every=EVERY, waited=WAITED)
def test_what_is_waited_for_is_seen_within_a_sixtieth_of_the_wait_or_the_usual_pause(
    every: float, waited: float
) -> None:
    pause = pause_seconds(every, waited)
    assert every <= pause <= max(every, waited / 60, 0)
    assert pause <= max(every, 60)


def test_a_wait_of_four_hours_is_asked_for_a_third_as_often() -> None:
    waited, asked = 0.0, 0
    while waited < 4 * 3600:
        waited += pause_seconds(15, waited)
        asked += 1
    assert asked <= 4 * 3600 / 15 / 2.9
