"""JSON values as PostgreSQL prints a ``jsonb``: the same text for the same value, with every digit of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from math import isfinite
from typing import Any


def jsonb_text(value: Any) -> str:
    """The text that the server gives for this value. Raises ValueError for what a ``jsonb`` cannot hold.

    Keys come by length and then by bytes, numbers as ``numeric`` prints them. Source: PostgreSQL documentation, JSON
    types, and ``lengthCompareJsonbStringValue`` for the order.
    """
    write = _WRITE.get(type(value))
    return _other_text(value) if write is None else write(value)


def _other_text(value: Any) -> str:
    """Of a value whose class is derived from one that JSON knows."""
    for known, write in _WRITE.items():
        if isinstance(value, known):
            return write(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    raise ValueError(f"{type(value).__name__} {str(value)[:60]!r}, of which JSON knows nothing")


def _mapping(value: Mapping[Any, Any]) -> str:
    members = [name + jsonb_text(value[key]) for key, name in _keys_in_order(tuple(value))]
    return "{" + ", ".join(members) + "}"


@lru_cache(maxsize=1024)
def _keys_in_order(names: tuple[Any, ...]) -> Sequence[tuple[str, str]]:
    """Keys in the server's order, each with what is written in front of its value. Maps have the same keys mostly."""
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"the name {name!r}, which is not text")
    return [(name, f"{_quoted(name)}: ") for name in sorted(names, key=_rank)]


def _rank(name: str) -> tuple[int, bytes]:
    encoded = _utf8(name)
    return len(encoded), encoded


def _sequence(value: Sequence[Any]) -> str:
    return "[" + ", ".join(map(jsonb_text, value)) + "]"


def _set(value: set[Any] | frozenset[Any]) -> str:
    return _sequence(sorted(value, key=lambda member: (str(type(member)), member)))


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
    if "\0" in text or not text.isascii():
        _utf8(text)
    return encode_basestring(text)


_WRITE: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    str: _quoted,
    int: str,
    float: _number,
    Decimal: _number,
    dict: _mapping,
    list: _sequence,
    tuple: _sequence,
    set: _set,
    frozenset: _set,
}
"""By the value's type; a bool stands before the int that it is as well."""
