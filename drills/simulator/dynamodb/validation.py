"""What DynamoDB refuses to store, and how big it counts what it stores.

Source: DynamoDB developer guide, "Supported data types and naming rules" and "Item sizes and formats".
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from moto.dynamodb.exceptions import MockValidationException, SerializationException

from drills.simulator.dynamodb.rows import AttributeValue

ITEM_BYTES = 400 * 1024
DEPTH = 32
SIGNIFICANT_DIGITS = 38

PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
PREFIX = "One or more parameter values were invalid: "
SET_WORDS = {"SS": "An string set  may not be empty", "NS": "An number set  may not be empty"}


def text_size(text: str) -> int:
    """Bytes in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def item_size(attributes: Mapping[str, AttributeValue]) -> int:
    """The size of an item in bytes. Raises a ValidationException for a value that DynamoDB refuses."""
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
        return number_size(content)
    if kind == "M":
        check_depth(depth)
        return 3 + sum([1 + text_size(name) + value_size(inner, depth + 1) for name, inner in content.items()])
    if kind == "L":
        check_depth(depth)
        return 3 + sum([1 + value_size(inner, depth + 1) for inner in content])
    return OTHERS.get(kind, _unknown)(content)


def check_depth(depth: int) -> None:
    if depth > DEPTH:
        raise MockValidationException("Nesting Levels have exceeded supported limits")


def number_size(text: Any) -> int:
    """One byte for two significant digits and one more. Raises for what is not a DynamoDB number."""
    if type(text) is not str:
        raise SerializationException("NUMBER_VALUE cannot be converted to String")
    if len(text) > SIGNIFICANT_DIGITS or not PLAIN_NUMBER.fullmatch(text):
        check_number(text)
    return (len(text) + 1) // 2 + 1


def check_number(text: str) -> None:
    """Raises for anything but a number of up to 38 digits between 1E-130 and 9.99E+125."""
    if not NUMBER.fullmatch(text):
        raise MockValidationException(f"The parameter cannot be converted to a numeric value: {text}")
    value = Decimal(text)
    if not value:
        return
    if value.adjusted() > 125:
        raise MockValidationException(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if value.adjusted() < -130:
        raise MockValidationException(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    if len(digits) > SIGNIFICANT_DIGITS:
        raise MockValidationException("Attempting to store more than 38 significant digits in a Number")


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


def _set_of(kind: str) -> Any:
    size = {"SS": text_size, "NS": number_size, "BS": _binary}[kind]

    def measured(content: Any) -> int:
        if not content:
            words = PREFIX + SET_WORDS.get(kind, "Binary sets should not be empty")
            raise MockValidationException(f"1 validation error detected: {words}")
        total = sum([size(part) for part in content])
        distinct = {Decimal(part) for part in content} if kind == "NS" else set(content)
        if len(distinct) != len(content):
            raise MockValidationException(f"{PREFIX}Input collection [{', '.join(content)}] contains duplicates.")
        return total

    return measured


def _unknown(content: Any) -> int:
    raise MockValidationException(
        "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
    )


OTHERS: dict[str, Any] = {
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "SS": _set_of("SS"),
    "NS": _set_of("NS"),
    "BS": _set_of("BS"),
}
