"""Long values made short enough to read, without hiding where they differ or how long they are."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 320
"""Characters up to which a value is shown whole."""
BEFORE, CHANGED, AFTER = 80, 160, 60
"""Characters shown of what comes before the difference, of the difference itself, and of what comes after it."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A value in three parts; ``changed`` is where it differs from its counterpart. ``length`` is that of the whole
    value when it was shortened, None when it is shown whole."""

    before: str
    changed: str
    after: str
    length: int | None


def excerpt(text: str) -> Excerpt:
    """A value that stands by itself: its beginning and its end."""
    if len(text) <= LONGEST:
        return Excerpt(text, "", "", None)
    return Excerpt(f"{text[: LONGEST - AFTER]}…{text[-AFTER:]}", "", "", len(text))


def difference(expected: str | None, observed: str | None) -> tuple[Excerpt | None, Excerpt | None]:
    """Two values with what differs between them marked; None for one that is absent."""
    if expected is None or observed is None:
        return (
            None if expected is None else excerpt(expected),
            None if observed is None else excerpt(observed),
        )
    same = _common_prefix(expected, observed)
    shorter = min(len(expected), len(observed))
    tail = _common_prefix(expected[: same - 1 if same else None : -1], observed[: same - 1 if same else None : -1])
    tail = min(tail, shorter - same)
    shorten = max(len(expected), len(observed)) > LONGEST
    return _parts(expected, same, tail, shorten), _parts(observed, same, tail, shorten)


def _parts(text: str, same: int, tail: int, shorten: bool) -> Excerpt:
    before, changed, after = text[:same], text[same : len(text) - tail], text[len(text) - tail :]
    if not shorten:
        return Excerpt(before, changed, after, None)
    if len(before) > BEFORE:
        before = f"…{before[-BEFORE:]}"
    if len(changed) > CHANGED:
        changed = f"{changed[: CHANGED // 2]}…{changed[-CHANGED // 2 :]}"
    if len(after) > AFTER:
        after = f"{after[:AFTER]}…"
    return Excerpt(before, changed, after, len(text))


def _common_prefix(one: str, other: str) -> int:
    """How many characters two values share at the start; by halving, as an item may have 400,000 of them."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
