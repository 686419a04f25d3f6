"""Condition blocks of policies. What is not judged here never allows and always denies.

Source: IAM user guide, IAM JSON policy elements: condition operators; policies with multiple values for a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Keys = Mapping[str, tuple[str, ...] | None]
"""What the call says, by condition key in lower case; None: the key is known and the call does not have it."""

TAGS_BY_NAME = ("s3:existingobjecttag/", "s3:requestobjecttag/")
"""Keys of tags: one that is not there is known not to be there, as where a call's keys have the prefix itself."""
VARIABLE = re.compile(r"\$\{([^}]*)\}")


def hold(block: Mapping[str, Any], keys: Keys) -> bool | None:
    """Whether every condition holds; None when one cannot be judged here and none of the others fails."""
    unjudged = False
    for operator, wanted in block.items():
        for key, values in wanted.items():
            held = _holds(operator, key.lower(), [text_of(value) for value in listed(values)], keys)
            if held is False:
                return False
            unjudged |= held is None
    return None if unjudged else True


def _holds(operator: str, key: str, wanted: list[str], keys: Keys) -> bool | None:
    name = operator.lower()
    quantifier, _, name = name.rpartition(":")
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if key not in keys and (key.startswith(TAGS_BY_NAME) or f"{key.partition('/')[0]}/" in keys):
        keys = {**keys, key: None}
    if key not in keys or quantifier not in ("", "foranyvalue", "forallvalues"):
        return None
    found = keys[key]
    if name == "null":
        return any((found is None) == (text.lower() == "true") for text in wanted)
    if name not in OPERATORS:
        return None
    test, negated = OPERATORS[name]
    wanted = [filled(text, keys) for text in wanted]
    if not found:
        return if_exists or negated or quantifier == "forallvalues"

    def one(value: str) -> bool:
        return any(test(value, text) for text in wanted) is not negated

    try:
        return all(map(one, found)) if quantifier == "forallvalues" else any(map(one, found))
    except ValueError:
        return None


def filled(text: str, keys: Keys) -> str:
    """The text with its policy variables; one that cannot be filled matches nothing."""
    if "${" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(",")
        if name in ("*", "?", "$"):
            return f"[{name}]" if name != "$" else "$"
        values = keys.get(name.strip().lower())
        return values[0] if values else default.strip().strip("'") or "\0"

    return VARIABLE.sub(value, text)


def like(text: str, pattern: str) -> bool:
    """Does the text match, where ``*`` and ``?`` stand for any characters?"""
    return _pattern(pattern).fullmatch(text) is not None


@lru_cache(4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\[\*\]|\[\?\]|\*|\?)", pattern)
    special = {"*": ".*", "?": ".", "[*]": r"\*", "[?]": r"\?"}
    return re.compile("".join(special.get(piece, re.escape(piece)) for piece in pieces), re.DOTALL)


def arn_like(text: str, pattern: str) -> bool:
    """As ``like``, with each of the six parts of an ARN by itself."""
    have, want = text.split(":", 5), pattern.split(":", 5)
    return len(have) == len(want) and all(map(like, have, want))


def listed(value: Any) -> list[Any]:
    """A policy's element, which may be one or a list, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _moment(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _compared(convert: Callable[[str], Any]) -> dict[str, Callable[[str, str], bool]]:
    return {
        "equals": lambda value, text: bool(convert(value) == convert(text)),
        "lessthan": lambda value, text: bool(convert(value) < convert(text)),
        "lessthanequals": lambda value, text: bool(convert(value) <= convert(text)),
        "greaterthan": lambda value, text: bool(convert(value) > convert(text)),
        "greaterthanequals": lambda value, text: bool(convert(value) >= convert(text)),
    }


OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "stringequals": (str.__eq__, False),
    "stringnotequals": (str.__eq__, True),
    "stringequalsignorecase": (lambda value, text: value.lower() == text.lower(), False),
    "stringnotequalsignorecase": (lambda value, text: value.lower() == text.lower(), True),
    "stringlike": (like, False),
    "stringnotlike": (like, True),
    "arnequals": (arn_like, False),
    "arnlike": (arn_like, False),
    "arnnotequals": (arn_like, True),
    "arnnotlike": (arn_like, True),
    "bool": (lambda value, text: value.lower() == text.lower(), False),
    **{f"numeric{name}": (test, False) for name, test in _compared(float).items()},
    "numericnotequals": (lambda value, text: float(value) == float(text), True),
    **{f"date{name}": (test, False) for name, test in _compared(_moment).items()},
    "datenotequals": (lambda value, text: _moment(value) == _moment(text), True),
}
"""By name in lower case: the test of one value, and whether the operator is its negation."""
