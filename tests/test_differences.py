"""What differs between two values, named place by place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.differences import LONGEST, differences, shown
from drills.history import canonical


@pytest.mark.parametrize(
    ("expected", "observed", "texts"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a = 1", "2")]),
        ({"a": 1}, {"a": 1.0}, [("a = 1", "1.0")]),
        ({"a": 1}, {"a": True}, [("a = 1", "true")]),
        ({"a": 1}, {"a": "1"}, [("a = 1", '"1"')]),
        ({"a": None}, {}, [("a = null", "absent")]),
        ({}, {"a": None}, [("no a", "a = null")]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {}}}, [("a.b.c = 1", "absent")]),
        ({"a": {}}, {"a": []}, [("a = {}", "[]")]),
        ({"s": ["a", "b", "c"]}, {"s": ["a", "c"]}, [('s[1] = "b"', "absent")]),
        ({"s": ["a"]}, {"s": ["a", "a"]}, [("no s[1]", 's[1] = "a"')]),
        ({"s": ["a", "b"]}, {"s": ["b", "a"]}, [('s = ["a","b"]', '["b","a"]')]),
        ({"i": [{"n": "x", "k": 1}]}, {"i": [{"n": "x", "k": 2}]}, [("i[0].k = 1", "2")]),
        ({"i": ["a", "b"]}, {"i": ["c", "d"]}, [('i[0] = "a"', "absent"), ('i[1] = "b"', "absent"),
            ("no i[0]", 'i[0] = "c"'), ("no i[1]", 'i[1] = "d"')]),
        (1, 2, [("1", "2")]),
    ],
)  # fmt: skip
def test_places(expected: Any, observed: Any, texts: list[tuple[str, str]]) -> None:
    assert [(one.expected_text(), one.observed_text()) for one in differences(expected, observed)] == texts


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from([0.0, 1.0, "", "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(values, values)
def test_there_is_a_difference_exactly_when_the_values_differ(one: Any, other: Any) -> None:
    assert bool(list(differences(one, other))) == (canonical(one) != canonical(other))


def test_a_long_value_is_shortened_and_says_so() -> None:
    text = shown("x" * 400_000)
    assert len(text) < LONGEST + 40
    assert text.endswith("… (400,002 characters)")
