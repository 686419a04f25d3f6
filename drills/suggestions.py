"""What a user probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_LISTED = 30


def nearest(word: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names most like ``word``, best first; case does not count."""
    by_folded = {name.casefold(): name for name in sorted(known)}
    return [by_folded[name] for name in difflib.get_close_matches(word.casefold(), by_folded, n=limit, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'orders'?``, or all there is when nothing is near, or nothing when that is too much."""
    names = list(known)
    near = nearest(word, names)
    if near:
        return f"; did you mean {' or '.join(repr(name) for name in near)}?"
    if not names:
        return ""
    return f"; expected one of: {', '.join(sorted(names))}" if len(names) <= MOST_LISTED else ""
