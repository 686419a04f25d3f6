"""What DynamoDB refuses to store, and how big it counts what it stores.

Source: DynamoDB developer guide, "Supported data types and naming rules" and "Item sizes and formats".
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from moto.dynamodb.exceptions import MockValidationException, SerializationException

from drills.simulator.dynamodb.rows import AttributeValue

ITEM_BYTES = 400 * 1024
DEPTH = 32
SIGNIFICANT_DIGITS = 38

CANONICAL_NUMBER = re.compile(r"0|-?(?:[1-9][0-9]*(?:\.[0-9]*[1-9])?|0\.[0-9]*[1-9])")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
PREFIX = "One or more parameter values were invalid: "
SET_WORDS = {"SS": "An string set  may not be empty", "NS": "An number set  may not be empty"}


def text_size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def item_size(attributes: Mapping[str, AttributeValue]) -> int:
    """The size of an item in bytes; its numbers are made canonical in place.

    Raises a ValidationException for a value that DynamoDB refuses.
    """
    total = 0
    for name, value in attributes.items():
        total += (len(name) if name.isascii() else len(name.encode())) + value_size(value, 1)
    return total


def value_size(value: Any, depth: int) -> int:
    """The size of one value without its name. Raises as item_size."""
    if type(value) is not dict or len(value) != 1:
        raise MockValidationException(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    ((kind, content),) = value.items()
    if kind == "S":
        if type(content) is not str:
            raise SerializationException("NUMBER_VALUE cannot be converted to String")
        return len(content) if content.isascii() else len(content.encode())
    if kind == "N":
        text = canonical_number(content)
        if text is not content:
            value["N"] = text
        return number_size(text)
    if kind == "M":
        check_depth(depth)
        return 3 + sum([1 + text_size(name) + value_size(inner, depth + 1) for name, inner in content.items()])
    if kind == "L":
        check_depth(depth)
        return 3 + sum([1 + value_size(inner, depth + 1) for inner in content])
    size: int = OTHERS.get(kind, _unknown)(content)
    return size


def check_depth(depth: int) -> None:
    if depth > DEPTH:
        raise MockValidationException("Nesting Levels have exceeded supported limits")


def number_size(text: str) -> int:
    """The size of a canonical number: a byte for two significant digits, one more, and one for a minus sign."""
    digits = text.lstrip("-0.")
    significant = len(digits) - 1 if "." in digits else len(digits.rstrip("0"))
    return (significant + 1) // 2 + 1 + (text[0] == "-")


def canonical_number(text: Any) -> str:
    """A number as DynamoDB gives it back: no sign of plus, no leading or trailing zeros, no exponent.

    ``007`` becomes ``7``, ``1.10`` becomes ``1.1`` and ``1e2`` becomes ``100``: DynamoDB stores the value and not the
    text. Source: developer guide, "Number": leading and trailing zeros are trimmed. Raises for anything but a number
    of up to 38 significant digits between 1E-130 and 9.99E+125.
    """
    if type(text) is not str:
        raise SerializationException("NUMBER_VALUE cannot be converted to String")
    if len(text) <= SIGNIFICANT_DIGITS and CANONICAL_NUMBER.fullmatch(text):
        return text
    if not NUMBER.fullmatch(text):
        raise MockValidationException(f"The parameter cannot be converted to a numeric value: {text}")
    try:
        value = Decimal(text)
    except InvalidOperation as error:  # An exponent that even Decimal does not take.
        raise MockValidationException(OVERFLOW) from error
    if not value:
        return "0"
    if value.adjusted() > 125:
        raise MockValidationException(OVERFLOW)
    if value.adjusted() < -130:
        raise MockValidationException(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    if len("".join(map(str, value.as_tuple().digits)).strip("0")) > SIGNIFICANT_DIGITS:
        raise MockValidationException("Attempting to store more than 38 significant digits in a Number")
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _binary(content: Any) -> int:
    try:
        return len(a2b_base64(content))
    except (Base64Error, TypeError, ValueError) as error:
        raise SerializationException("Invalid base64 in a binary value") from error


def _boolean(content: Any) -> int:
    return 1


def _null(content: Any) -> int:
    if content is not True:
        raise MockValidationException("Null attribute value types must have the value of true")
    return 1


def _texts(content: Any) -> int:
    _distinct(content, "SS")
    return sum([text_size(part) for part in content])


def _numbers(content: Any) -> int:
    content[:] = [canonical_number(part) for part in content]
    _distinct(content, "NS")
    return sum([number_size(part) for part in content])


def _binaries(content: Any) -> int:
    _distinct(content, "BS")
    return sum([_binary(part) for part in content])


def _distinct(content: list[Any], kind: str) -> None:
    if not content:
        words = PREFIX + SET_WORDS.get(kind, "Binary sets should not be empty")
        raise MockValidationException(f"1 validation error detected: {words}")
    if len(set(content)) != len(content):
        raise MockValidationException(f"{PREFIX}Input collection [{', '.join(content)}] contains duplicates.")


def _unknown(content: Any) -> int:
    raise MockValidationException(
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
    )


OTHERS: dict[str, Any] = {
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "SS": _texts,
    "NS": _numbers,
    "BS": _binaries,
}
