"""Items of DynamoDB as canonical JSON: two items are equal exactly when their canonical bytes are.

The form is DynamoDB JSON with attribute names sorted, numbers by value without exponent or needless zeros, sets sorted
(sets of numbers by value), binary as base64. Numbers go through Decimal and never through a float. Source of the
limits: DynamoDB developer guide, "Supported data types and naming rules" and "Item sizes and formats".
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Subnormal
from typing import Any

import orjson

Item = Mapping[str, Mapping[str, Any]]
"""An item as boto3's client takes and gives it: attribute name → {type: value}, binary values as bytes."""

ITEM_BYTES = 400 * 1024
PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024
DEPTH = 32
DIGITS = 38
KEY_TYPES = ("S", "N", "B")

_NUMBERS = Context(prec=DIGITS, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Overflow, Subnormal])
_PLAIN = r"(?:-?[1-9][0-9]*(?:\.[0-9]*[1-9])?|0(?:\.[0-9]*[1-9])?|-0\.[0-9]*[1-9])"
_PLAIN_NUMBER = re.compile(_PLAIN)
# Quotes within strings are escaped in JSON, so that these sequences are nothing but a number and the start of a set.
_OTHER_NUMBER = re.compile(rb'\{"N":"(?!' + _PLAIN.encode() + rb'"\})')
_SET_BEGINS = b':["'


def canonical(item: Item) -> bytes:
    """An item as boto3's client gives it → its canonical JSON. Raises ValueError for what is no DynamoDB number."""
    raw = orjson.dumps(item, _base64, orjson.OPT_SORT_KEYS)
    numbers_are_plain = _OTHER_NUMBER.search(raw) is None
    if numbers_are_plain and _SET_BEGINS not in raw:
        return raw
    settled = _settled_map(item, _SETTLE_SETS if numbers_are_plain else _SETTLE)
    return orjson.dumps(settled, _base64, orjson.OPT_SORT_KEYS)


def _base64(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return b2a_base64(value, newline=False).decode()
    raise TypeError(f"expected binary data, found {type(value).__name__}")


Settle = Mapping[str, Callable[[Any, Any], Any]]
"""By type of value: its content in canonical form, with the same table for what is inside it."""


def _settled_map(attributes: Item, settle: Settle) -> dict[str, Any]:
    """The attributes with numbers and sets in their canonical form."""
    settled: dict[str, Any] = {}
    for name, value in attributes.items():
        for kind in value:
            settled[name] = {kind: settle[kind](value[kind], settle)} if kind in settle else value
    return settled


def _settled_list(members: Sequence[Mapping[str, Any]], settle: Settle) -> list[Any]:
    return [
        {kind: settle[kind](content, settle)} if kind in settle else member
        for member in members
        for kind, content in member.items()
    ]


_SETTLE_SETS: Settle = {
    "NS": lambda content, _: sorted(map(number, content), key=Decimal),
    "SS": lambda content, _: sorted(content),
    "BS": lambda content, _: sorted(content),
    "M": _settled_map,
    "L": _settled_list,
}
_SETTLE: Settle = {**_SETTLE_SETS, "N": lambda content, _: number(content)}


def number(text: str) -> str:
    """The canonical text of a number: ``1.10`` → ``1.1``, ``1e2`` → ``100``, ``-0`` → ``0``.

    Raises ValueError for more than 38 digits, a magnitude that DynamoDB does not hold, or what is no number.
    """
    if len(text) <= DIGITS and _PLAIN_NUMBER.fullmatch(text):
        return text
    try:
        value = _NUMBERS.create_decimal(text).normalize(_NUMBERS)
    except DecimalException as error:
        # What is not exact has too many digits; everything else is no number, too large or too small.
        found = "more than 38 digits" if isinstance(error, Inexact) else "a number DynamoDB does not hold"
        raise ValueError(f"expected a number of up to 38 digits, found {found}: {text[:60]}") from None
    if not value.is_finite():
        raise ValueError(f"expected a number, found {text}")
    return format(value, "f") if value else "0"


# --- Back to what boto3 takes --------------------------------------------------------------------------------------


def item_of(raw: bytes | str) -> dict[str, Any]:
    """Canonical JSON → the item, or key, as boto3's client takes it."""
    item: dict[str, Any] = orjson.loads(raw)
    marks = ('"B":"', '"BS":["') if isinstance(raw, str) else (b'"B":"', b'"BS":["')
    if any(mark in raw for mark in marks):  # type: ignore[operator]
        return {name: _with_bytes(value) for name, value in item.items()}
    return item


def _with_bytes(value: Mapping[str, Any]) -> Mapping[str, Any]:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": a2b_base64(content)}
        case "BS":
            return {"BS": [a2b_base64(member) for member in content]}
        case "M":
            return {"M": {name: _with_bytes(member) for name, member in content.items()}}
        case "L":
            return {"L": [_with_bytes(member) for member in content]}
        case _:
            return value


def key_text(item: Item, names: Sequence[str]) -> str:
    """The key of an item as canonical text."""
    return canonical({name: item[name] for name in names}).decode()


# --- From plain Python values --------------------------------------------------------------------------------------


def typed_item(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of plain Python values → an item. Raises ValueError naming the attribute DynamoDB cannot hold."""
    return {name: typed(value, _checked_name(name, ""), 0) for name, value in record.items()}


def encoded(record: Mapping[str, Any]) -> bytes:
    """A record of plain Python values → canonical JSON. Raises ValueError naming what DynamoDB cannot hold."""
    item = typed_item(record)
    raw = canonical(item)
    # JSON is never shorter than what DynamoDB counts, so most items need not be measured.
    if len(raw) > ITEM_BYTES and (size := item_bytes(item)) > ITEM_BYTES:
        largest = max(item, key=lambda name: value_bytes(item[name]))
        raise ValueError(
            f"expected an item of at most {ITEM_BYTES:,} bytes, found {size:,}; its largest attribute is {largest!r}"
        )
    return raw


def typed(value: Any, name: str, depth: int) -> dict[str, Any]:
    """One value with its type. ``name`` is what an error calls it. Numbers come out canonical."""
    match value:
        case str():
            return {"S": _checked_text(value, name)}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": _number(value, name)}
        case None:
            return {"NULL": True}
        case bytes() | bytearray():
            return {"B": bytes(value)}
        case set() | frozenset():
            return _typed_set(value, name)
        case Mapping() | list() | tuple():
            return _typed_document(value, name, depth)
        case float():
            raise ValueError(
                f"attribute {name!r}: expected an exact number (int or Decimal), found the float {value!r}"
            )
        case _:
            raise ValueError(
                f"attribute {name!r}: expected text, a number, bytes, true or false, null, a list, a map or a set, "
                f"found {type(value).__name__}"
            )


def _typed_document(value: Any, name: str, depth: int) -> dict[str, Any]:
    if depth >= DEPTH:
        raise ValueError(f"attribute {name!r}: expected at most {DEPTH} levels of nesting, found more")
    if isinstance(value, Mapping):
        return {"M": {key: typed(member, _checked_name(key, name), depth + 1) for key, member in value.items()}}
    return {"L": [typed(member, f"{name}[{index}]", depth + 1) for index, member in enumerate(value)]}


def _typed_set(value: Any, name: str) -> dict[str, Any]:
    if not value:
        raise ValueError(f"attribute {name!r}: expected a set with at least one member, found an empty set")
    if all(isinstance(member, str) for member in value):
        return {"SS": sorted(_checked_text(member, name) for member in value)}
    if all(isinstance(member, bytes) for member in value):
        return {"BS": sorted(value)}
    if all(isinstance(member, int | Decimal) and not isinstance(member, bool) for member in value):
        return {"NS": sorted((_number(member, name) for member in value), key=Decimal)}
    kinds = sorted({type(member).__name__ for member in value})
    raise ValueError(
        f"attribute {name!r}: expected a set of only text, only numbers or only bytes, found {', '.join(kinds)}"
    )


def _number(value: int | Decimal, name: str) -> str:
    try:
        return number(str(value))
    except ValueError as error:
        raise ValueError(f"attribute {name!r}: {error}") from None


def _checked_text(text: str, name: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"attribute {name!r}: expected text, found half a surrogate pair in it") from None
    return text


def _checked_name(name: Any, within: str) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"attribute {within or name!r}: expected a name of at least one character, found {name!r}")
    _checked_text(name, name)
    return f"{within}.{name}" if within else name


def check_key(value: Mapping[str, Any], name: str, limit_bytes: int) -> None:
    """Raises ValueError for a value that cannot be a key attribute of a table or an index."""
    ((kind, content),) = value.items()
    if kind not in KEY_TYPES:
        raise ValueError(f"attribute {name!r}: expected a key of text, a number or bytes, found type {kind}")
    if not content:
        raise ValueError(f"attribute {name!r}: expected a key that is not empty, found an empty one")
    if kind != "N" and (size := value_bytes(value)) > limit_bytes:
        raise ValueError(f"attribute {name!r}: expected a key of at most {limit_bytes:,} bytes, found {size:,}")


# --- Sizes ---------------------------------------------------------------------------------------------------------


def item_bytes(item: Item) -> int:
    """How big DynamoDB reckons an item."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """How big DynamoDB reckons a value, its name not counted."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return (len(content) + 1) // 2 + 1
        case "M":
            return 3 + item_bytes(content) + len(content)
        case "L":
            return 3 + sum(map(value_bytes, content)) + len(content)
        case "SS" | "NS" | "BS":
            return sum(value_bytes({kind[0]: member}) for member in content)
        case _:
            return 1
