"""JSON values as PostgreSQL prints a ``jsonb``: the same text for the same value, with every digit of its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any


def jsonb_text(value: Any) -> str:
    """The text that the server gives for this value. Raises ValueError for what a ``jsonb`` cannot hold.

    Keys come by length and then by bytes, numbers as ``numeric`` prints them. Source: PostgreSQL documentation, JSON
    types, and ``lengthCompareJsonbStringValue`` for the order.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case int():
            return str(value)
        case float() | Decimal():
            return _number(value)
        case Mapping():
            keyed = sorted((_key(name), member) for name, member in _named(value))
            return "{" + ", ".join(f"{_quoted(key[1].decode())}: {jsonb_text(member)}" for key, member in keyed) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(jsonb_text, value)) + "]"
        case set() | frozenset():
            return jsonb_text(sorted(value, key=lambda member: (str(type(member)), member)))
        case _:
            raise ValueError(f"{type(value).__name__} {str(value)[:60]!r}, of which JSON knows nothing")


def _named(value: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"the name {name!r}, which is not text")
    return list(value.items())


def _key(name: str) -> tuple[int, bytes]:
    encoded = _utf8(name)
    return len(encoded), encoded


def _number(value: float | Decimal) -> str:
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite() or (isinstance(value, float) and not isfinite(value)):
        raise ValueError(f"the number {value}")
    return plain_digits(number)


def plain_digits(number: Decimal) -> str:
    """A number as PostgreSQL prints it: all its digits, without exponent and without a sign of zero."""
    if not number:
        # The exponent of zero is its scale.
        places = max(0, -int(number.as_tuple().exponent))
        return "0" + (f".{'0' * places}" if places else "")
    return format(number, "f")


def _utf8(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a text with the character NUL")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text with half of a surrogate pair") from None


def _quoted(text: str) -> str:
    _utf8(text)
    return json.dumps(text, ensure_ascii=False)
