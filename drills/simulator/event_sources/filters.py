"""Filter criteria of an event source mapping: which records the function gets at all.

Source: Lambda developer guide, Control which events Lambda sends to your function: filter rule syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One pattern. A record passes when it fits any filter of its mapping."""

    pattern: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Raises ValueError saying what is wrong."""
        try:
            pattern = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"The pattern is not JSON: {error}") from error
        if not isinstance(pattern, dict):
            raise ValueError("The pattern must be an object")
        _check(pattern)
        return cls(pattern)

    def fits(self, record: Mapping[str, Any]) -> bool:
        return _fits(self.pattern, record)


def _check(pattern: Mapping[str, Any]) -> None:
    for name, rule in pattern.items():
        if name == "$or":
            for one in rule:
                _check(one)
        elif isinstance(rule, dict):
            _check(rule)
        elif not isinstance(rule, list) or not rule:
            raise ValueError(f"{name}: expected an array of values or an object")
        else:
            for one in rule:
                if isinstance(one, dict) and (len(one) != 1 or next(iter(one)) not in RULES):
                    raise ValueError(f"{name}: {next(iter(one), '')} is not a comparison; expected {', '.join(RULES)}")


def _fits(pattern: Mapping[str, Any], found: Any) -> bool:
    for name, rule in pattern.items():
        if name == "$or":
            if not any(_fits(one, found) for one in rule):
                return False
            continue
        there = isinstance(found, Mapping) and name in found
        value = found[name] if there else None
        if isinstance(rule, dict):
            if not _fits(rule, value if there else {}):
                return False
        elif not _any(rule, value, there):
            return False
    return True


def _any(rules: Sequence[Any], value: Any, there: bool) -> bool:
    if isinstance(value, list):
        return any(_one(rule, member, True) for member in value for rule in rules)
    return any(_one(rule, value, there) for rule in rules)


def _one(rule: Any, value: Any, there: bool) -> bool:
    if isinstance(rule, dict):
        ((kind, wanted),) = rule.items()
        return RULES[kind](wanted, value, there)
    return (
        there and not isinstance(value, Mapping) and rule == value and isinstance(rule, bool) == isinstance(value, bool)
    )


def _exists(wanted: Any, value: Any, there: bool) -> bool:
    # Only leaves count as existing. Source: as above.
    return (there and not isinstance(value, Mapping)) == bool(wanted)


def _prefix(wanted: Any, value: Any, there: bool) -> bool:
    return there and isinstance(value, str) and value.startswith(str(wanted))


def _suffix(wanted: Any, value: Any, there: bool) -> bool:
    return there and isinstance(value, str) and value.endswith(str(wanted))


def _ignoring_case(wanted: Any, value: Any, there: bool) -> bool:
    return there and isinstance(value, str) and value.lower() == str(wanted).lower()


def _anything_but(wanted: Any, value: Any, there: bool) -> bool:
    return there and value not in (wanted if isinstance(wanted, list) else [wanted])


def _numeric(wanted: Sequence[Any], value: Any, there: bool) -> bool:
    if not there:
        return False
    try:
        number = Decimal(str(value))
        return all(
            COMPARISONS[wanted[index]](number, Decimal(str(wanted[index + 1]))) for index in range(0, len(wanted), 2)
        )
    except InvalidOperation:
        return False


RULES: Mapping[str, Callable[[Any, Any, bool], bool]] = {
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
}
