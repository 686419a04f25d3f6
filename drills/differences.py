"""What differs between two JSON values, place by place, in words that can stand in a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drills.history import canonical
from drills.model import JSON

LONGEST = 160
"""Characters of one value in a finding; the whole value stands in the evidence."""


class _Absent:
    """Stands for a place that is not there, which is something else than one that holds null."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two values differ; either side may be ABSENT. ``path`` is empty for the value as a whole."""

    path: str
    expected: JSON | _Absent
    observed: JSON | _Absent

    def expected_text(self) -> str:
        """``tags.team = "accounts"``, or ``no tags.team`` for what should not be there."""
        if self.expected is ABSENT:
            return f"no {self.path}" if self.path else "absent"
        return f"{self.path} = {shown(self.expected)}" if self.path else shown(self.expected)

    def observed_text(self) -> str:
        """What is there instead; its place is named only where nothing was expected."""
        if self.expected is ABSENT and self.path:
            return f"{self.path} = {shown(self.observed)}"
        return shown(self.observed)


def differences(expected: JSON, observed: JSON, path: str = "") -> Iterator[Difference]:
    """Where ``observed`` is not what was expected. Exact: 1, 1.0, true and "1" are four values.

    Lists are compared by their members first, so that a member lost from a set is named by itself; lists of the same
    members in another order differ as a whole.
    """
    if isinstance(expected, Mapping) and isinstance(observed, Mapping):
        for name in sorted({*expected, *observed}):
            there = f"{path}.{name}" if path else str(name)
            yield from _at(there, expected.get(name, ABSENT), observed.get(name, ABSENT))
    elif isinstance(expected, list | tuple) and isinstance(observed, list | tuple):
        yield from _of_lists(expected, observed, path)
    elif canonical(expected) != canonical(observed):
        yield Difference(path, expected, observed)


def _at(path: str, expected: JSON | _Absent, observed: JSON | _Absent) -> Iterator[Difference]:
    if expected is ABSENT or observed is ABSENT:
        yield Difference(path, expected, observed)
    else:
        yield from differences(expected, observed, path)


def _of_lists(expected: Sequence[JSON], observed: Sequence[JSON], path: str) -> Iterator[Difference]:
    wanted, found = [canonical(member) for member in expected], [canonical(member) for member in observed]
    if wanted == found:
        return
    missing = [index for index, member in enumerate(wanted) if wanted[: index + 1].count(member) > found.count(member)]
    extra = [index for index, member in enumerate(found) if found[: index + 1].count(member) > wanted.count(member)]
    if not missing and not extra:
        yield Difference(path, list(expected), list(observed))
    elif len(missing) == len(extra) == 1:
        yield from differences(expected[missing[0]], observed[extra[0]], f"{path}[{missing[0]}]")
    else:
        yield from (Difference(f"{path}[{index}]", expected[index], ABSENT) for index in missing)
        yield from (Difference(f"{path}[{index}]", ABSENT, observed[index]) for index in extra)


def shown(value: JSON | _Absent) -> str:
    """A value as short text."""
    if value is ABSENT:
        return "absent"
    return shortened(canonical(value).decode(), LONGEST)


def shortened(text: str, longest: int) -> str:
    """Text of at most about this length, with how long it is when something was left out."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
