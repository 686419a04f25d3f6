"""Reading a protection's options from an estate file. Every error begins with the option it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping

from drills.durations import seconds
from drills.model import JSON


def only(options: Mapping[str, JSON], *known: str) -> None:
    """Raises ValueError for an option that there is not."""
    for name in options:
        if name not in known:
            expected = f"expected one of {', '.join(known)}" if known else "expected none"
            raise ValueError(f"{name}: there is no such option; {expected}")


def whole_number(options: Mapping[str, JSON], name: str, default: int, low: int, high: int) -> int:
    """The option, or its default. Raises ValueError for anything but a whole number within the bounds."""
    value = options.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, found {value!r}")
    return value


def duration_seconds(options: Mapping[str, JSON], name: str, default: str, low: str, high: str) -> float:
    """The option, or its default, in seconds. Raises ValueError for anything but a duration within the bounds."""
    value = options.get(name, default)
    try:
        found = seconds(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if not seconds(low) <= found <= seconds(high):
        raise ValueError(f"{name}: expected a duration from {low} to {high}, found {value}")
    return found


def region(options: Mapping[str, JSON], name: str = "region") -> str | None:
    """The option, None when left out. Raises ValueError for what is no region."""
    value = options.get(name)
    if value is not None and (not isinstance(value, str) or not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", value)):
        raise ValueError(f"{name}: expected a region such as eu-west-1, found {value!r}")
    return value
