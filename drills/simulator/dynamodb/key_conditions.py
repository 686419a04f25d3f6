"""KeyConditionExpression: which stretch of a table or index a Query reads.

Source: API reference, Query: equality on every partition key attribute, and one condition on the sort key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drills.simulator.dynamodb.answers import invalid
from drills.simulator.dynamodb.binding import Binding
from drills.simulator.dynamodb.conditions import Condition, Operand, Test, Value, condition_of, wrong_type
from drills.simulator.dynamodb.paging import Source, after
from drills.simulator.dynamodb.rows import TOP, AttributeValue, cast
from drills.simulator.dynamodb.secondary import Entry
from drills.simulator.dynamodb.tokens import Path

LABEL = "KeyConditionExpression"
ON_SORT_KEYS = frozenset({"=", "<", "<=", ">", ">=", "between", "begins_with"})
NOT_SUPPORTED = "Query key condition not supported"


@dataclass(frozen=True, slots=True)
class Stretch:
    """From ``low`` (inclusive) up to ``high`` (exclusive), ends as Source.rows takes them."""

    low: Entry
    high: Entry

    def holds(self, entry: Entry) -> bool:
        """Whether an entry lies within."""
        return not entry < self.low and entry < self.high


@dataclass(frozen=True, slots=True)
class KeyTest:
    """One condition on one key attribute."""

    name: str
    operator: str
    values: tuple[AttributeValue, ...]


def stretch_of(text: str, binding: Binding, source: Source) -> Stretch:
    """The stretch that a KeyConditionExpression means. Raises a ValidationException for one that is none."""
    tests: dict[str, KeyTest] = {}
    for one in _conjuncts(condition_of(text, LABEL)):
        test = _key_test(one, binding)
        if test.name in tests:
            raise invalid(f"{LABEL}s must only contain one condition per key")
        tests[test.name] = test
    beginning = _equalities(tests, source)
    ranges = source.names("RANGE")
    _refuse_strangers(tests, source, ranges)
    last: KeyTest | None = None
    for name in ranges:
        test_of_it = tests.get(name)
        if test_of_it is None or last is not None:
            if test_of_it is not None:
                raise invalid(NOT_SUPPORTED)
            break
        _check_type(test_of_it, source)
        if test_of_it.operator == "=":
            beginning = (*beginning, cast(test_of_it.values[0]))
        else:
            last = test_of_it
    _refuse_gaps(tests, ranges)
    if last is None:
        return Stretch(beginning, after(beginning))
    return _ranged(beginning, last)


def _conjuncts(condition: Condition) -> list[Test]:
    if isinstance(condition, Test):
        return [condition]
    if condition.name in ("or", "not"):
        raise invalid(f"Invalid operator used in {LABEL}: {condition.name.upper()}")
    return [test for part in condition.parts for test in _conjuncts(part)]


def _key_test(test: Test, binding: Binding) -> KeyTest:
    if test.name not in ON_SORT_KEYS:
        raise invalid(f"Invalid operator used in {LABEL}: {test.name.upper() if test.name == 'in' else test.name}")
    first, *others = test.operands
    operator = test.name
    if isinstance(first, Value) and len(others) == 1 and isinstance(others[0], Path) and operator != "begins_with":
        first, others = others[0], [first]
        operator = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
    if not isinstance(first, Path) or not all(isinstance(other, Value) for other in others):
        raise invalid(f"Invalid condition in {LABEL}: Multiple attribute names used in one condition")
    if len(first.steps) != 1:
        raise invalid(f"Invalid {LABEL}: {LABEL}s cannot have conditions on nested attributes")
    path = binding.path(first, LABEL)
    return KeyTest(str(path[0]), operator, tuple(_value(other, binding) for other in others))


def _value(operand: Operand, binding: Binding) -> AttributeValue:
    assert isinstance(operand, Value)
    return binding.value(operand.placeholder, LABEL)


def _equalities(tests: Mapping[str, KeyTest], source: Source) -> Entry:
    values: list[Any] = []
    for name in source.names("HASH"):
        test = tests.get(name)
        if test is None:
            raise invalid(f"Query condition missed key schema element: {name}")
        if test.operator != "=":
            raise invalid(NOT_SUPPORTED)
        _check_type(test, source)
        values.append(cast(test.values[0]))
    return tuple(values)


def _refuse_strangers(tests: Mapping[str, KeyTest], source: Source, ranges: list[str]) -> None:
    if set(tests) - set(source.names("HASH")) - set(ranges):
        missed = next((name for name in ranges if name not in tests), None)
        raise invalid(f"Query condition missed key schema element: {missed}" if missed else NOT_SUPPORTED)


def _refuse_gaps(tests: Mapping[str, KeyTest], ranges: list[str]) -> None:
    given = [name in tests for name in ranges]
    if given != sorted(given, reverse=True):
        raise invalid(NOT_SUPPORTED)


def _check_type(test: KeyTest, source: Source) -> None:
    kind = source.table.attribute_types[test.name]
    for value in test.values:
        given, content = next(iter(value.items()))
        if test.operator == "begins_with" and given not in ("S", "B"):
            raise wrong_type(LABEL, "begins_with", given)
        if given != kind:
            raise invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        if content == "":
            raise invalid(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty {'string' if kind == 'S' else 'binary'} value. Key: {test.name}"
            )
    if test.operator == "between" and cast(test.values[0]) > cast(test.values[1]):  # type: ignore[operator]
        bounds = (", ".join(f"{kind}:{content}" for kind, content in one.items()) for one in test.values)
        raise invalid(
            f"Invalid {LABEL}: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {{{}}}, upper bound operand: AttributeValue: {{{}}}".format(*bounds)
        )


def _ranged(beginning: Entry, test: KeyTest) -> Stretch:
    first = cast(test.values[0])
    at = (*beginning, first)
    if test.operator == "<":
        return Stretch(beginning, at)
    if test.operator == "<=":
        return Stretch(beginning, after(at))
    if test.operator == ">":
        return Stretch(after(at), after(beginning))
    if test.operator == ">=":
        return Stretch(at, after(beginning))
    if test.operator == "between":
        return Stretch(at, after((*beginning, cast(test.values[1]))))
    return Stretch(at, (*beginning, successor(first)))


def successor(prefix: Any) -> Any:
    """The smallest value after all that begin with ``prefix``, text or bytes."""
    last = 0x10FFFF if isinstance(prefix, str) else 0xFF
    units = [ord(unit) for unit in prefix] if isinstance(prefix, str) else list(prefix)
    while units and units[-1] == last:
        units.pop()
    if not units:
        return TOP
    units[-1] += 1
    return "".join(map(chr, units)) if isinstance(prefix, str) else bytes(units)
