"""Durations as people write them: 90s, 15m, 4h, 1d, 1h30m."""

from __future__ import annotations

import re
from typing import Any

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_SECONDS = 100 * 365 * 86400
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(s|m|h|d)")


def seconds(value: Any) -> float:
    """``15m`` → 900.0. Raises ValueError for anything but a duration with its unit."""
    text = value.replace(" ", "") if isinstance(value, str) else ""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"expected a duration with its unit, such as 90s, 15m, 4h or 1d, found {_shown(value)}")
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if total > LONGEST_SECONDS:
        raise ValueError(f"expected a duration of at most 100 years, found {_shown(value)}")
    return total


def signed_seconds(value: Any) -> float:
    """``-10m`` → -600.0: before the moment it is counted from."""
    if isinstance(value, str) and value.startswith("-"):
        return -seconds(value[1:])
    return seconds(value)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)[:40]


def written(duration_seconds: float | None) -> str:
    """Seconds as people read them: ``1h 02m``, ``12m 30s``, ``4.2s``; ``–`` for none."""
    if duration_seconds is None:
        return "–"
    if duration_seconds < 60:
        return f"{duration_seconds:.3g}s"
    whole = round(duration_seconds)
    days, rest = divmod(whole, SECONDS["d"])
    hours, rest = divmod(rest, SECONDS["h"])
    minutes, left = divmod(rest, SECONDS["m"])
    if days:
        return f"{days}d {hours:02d}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {left:02d}s" if left else f"{minutes}m"
