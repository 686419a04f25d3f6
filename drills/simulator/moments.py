"""How a client reads a moment in an answer: as botocore does, without guessing at the two forms that AWS writes.

botocore leaves every moment to a parser that tries all the forms people have ever written; in a drill that took as long
as verifying signatures would. What comes out is the same, and any other form is botocore's own.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from botocore import utils

from drills.simulator.replaced import Replacement

ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}|\.\d{6})?Z", re.ASCII)
HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) GMT", re.ASCII)
"""Source: RFC 9110, 5.6.7, IMF-fixdate."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH = {name: f"{number:02}" for number, name in enumerate(MONTHS, start=1)}
ZONE = utils.parse_timestamp("2000-01-01T00:00:00Z").tzinfo
"""UTC as botocore has it."""

_parse: Any = utils._parse_timestamp_with_tzinfo  # type: ignore[attr-defined]


def parse(value: Any, tzinfo: Any) -> datetime:
    """In place of ``botocore.utils._parse_timestamp_with_tzinfo``."""
    try:
        read = _read(value) if isinstance(value, str) else None
    except (KeyError, ValueError):
        read = None  # There is no such day or month, which botocore says in its own words.
    if read is not None:
        return read
    other: datetime = _parse(value, tzinfo)
    return other


def _read(value: str) -> datetime | None:
    if ISO_8601.fullmatch(value):
        return datetime.fromisoformat(value[:-1]).replace(tzinfo=ZONE)
    if (date := HTTP_DATE.fullmatch(value)) is not None:
        day, month, year, time = date.groups()
        return datetime.fromisoformat(f"{year}-{MONTH[month]}-{day}T{time}").replace(tzinfo=ZONE)
    return None


REPLACEMENTS = (
    Replacement(
        "botocore.utils:_parse_timestamp_with_tzinfo",
        parse,
        "moments in the two forms that AWS writes are read as such; botocore has each guessed at",
        digest="dc76511bfbc4",
    ),
)
