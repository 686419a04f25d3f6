"""Conditions and filters: read once, bound to a call's names and values, then asked of items' typed JSON.

Source: developer guide, "Condition and filter expressions, operators, and functions". Values of different types are
never equal and never in order; what is not there is unequal to everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from drills.simulator.dynamodb.answers import Refused, invalid
from drills.simulator.dynamodb.binding import Binding, found
from drills.simulator.dynamodb.rows import AttributeValue, cast, same_value
from drills.simulator.dynamodb.tokens import Path, Tokens

Item: TypeAlias = Mapping[str, AttributeValue]
Predicate: TypeAlias = Callable[[Item], bool]
Getter: TypeAlias = Callable[[Item], "AttributeValue | None"]

COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
FUNCTIONS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
TYPES = frozenset({"B", "BOOL", "BS", "L", "M", "N", "NS", "NULL", "S", "SS"})
ORDERED = frozenset({"S", "N", "B"})
SIZED = frozenset({"S", "B", "SS", "NS", "BS", "L", "M"})
MOST_CHOICES = 100


@dataclass(frozen=True, slots=True)
class Value:
    """A placeholder of a value."""

    placeholder: str


@dataclass(frozen=True, slots=True)
class Size:
    """``size(path)``."""

    of: Path | Value


Operand: TypeAlias = Path | Value | Size


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison (``=`` …, ``between``, ``in``) or a function and what it is asked of."""

    name: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """``and``, ``or``, ``not`` of conditions, or ``()`` round one."""

    name: str
    parts: tuple[Condition, ...]


Condition: TypeAlias = Test | Joined


# --- Reading


@lru_cache(maxsize=512)
def condition_of(text: str, label: str) -> Condition:
    """The condition that an expression is. ``label`` is the parameter's name. Raises a ValidationException."""
    tokens = Tokens(text, label)
    condition = _any_of(tokens)
    if tokens.next.kind != "end":
        raise tokens.syntax_error()
    return condition


def _any_of(tokens: Tokens) -> Condition:
    parts = [_all_of(tokens)]
    while tokens.take_if("or"):
        parts.append(_all_of(tokens))
    return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))


def _all_of(tokens: Tokens) -> Condition:
    parts = [_negated(tokens)]
    while tokens.take_if("and"):
        parts.append(_negated(tokens))
    return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))


def _negated(tokens: Tokens) -> Condition:
    if tokens.take_if("not"):
        return Joined("not", (_negated(tokens),))
    if tokens.take_if("("):
        inner = _any_of(tokens)
        tokens.expect(")")
        if isinstance(inner, Joined) and inner.name == "()":
            raise tokens.invalid("The expression has redundant parentheses;")
        return Joined("()", (inner,))
    return _test(tokens)


def _test(tokens: Tokens) -> Test:
    if tokens.next.kind == "word" and tokens.ahead(1).text == "(" and tokens.next.text != "size":
        return _function(tokens)
    first = _operand(tokens)
    comparator = tokens.take_if(*COMPARATORS, "between", "in")
    if comparator is None:
        raise tokens.syntax_error()
    if comparator == "between":
        low = _operand(tokens)
        tokens.expect("and")
        return Test("between", (first, low, _operand(tokens)))
    if comparator == "in":
        return Test("in", (first, *_listed(tokens)))
    second = _operand(tokens)
    if first == second:
        raise tokens.invalid(
            "The first operand must be distinct from the remaining operands for this operator or function; "
            f"operator: {comparator}, first operand: {first if isinstance(first, Path) else '[size]'}"
        )
    return Test(comparator, (first, second))


def _function(tokens: Tokens) -> Test:
    name = tokens.take().text
    if name not in FUNCTIONS:
        raise tokens.invalid(f"Invalid function name; function: {name}")
    operands = _listed(tokens)
    if len(operands) != FUNCTIONS[name]:
        raise tokens.invalid(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {name}, number of operands: {len(operands)}"
        )
    if name.startswith("attribute_") and not isinstance(operands[0], Path):
        raise tokens.invalid(f"Operator or function requires a document path; operator or function: {name}")
    return Test(name, operands)


def _listed(tokens: Tokens) -> tuple[Operand, ...]:
    tokens.expect("(")
    operands = [_operand(tokens)]
    while tokens.take_if(","):
        operands.append(_operand(tokens))
    tokens.expect(")")
    if len(operands) > MOST_CHOICES + 1:
        raise tokens.invalid(f"The IN operator is provided with too many operands; number of operands: {len(operands)}")
    return tuple(operands)


def _operand(tokens: Tokens) -> Operand:
    if tokens.next.kind == "value":
        return Value(tokens.take().text)
    if tokens.next.text == "size" and tokens.ahead(1).text == "(":
        tokens.take()
        tokens.expect("(")
        inner = _operand(tokens)
        tokens.expect(")")
        if isinstance(inner, Size):
            raise tokens.invalid("The function is not allowed to be used this way in an expression; function: size")
        return Size(inner)
    if tokens.next.kind == "word" and tokens.ahead(1).text == "(":
        name = tokens.next.text
        if name in FUNCTIONS:
            raise tokens.invalid(f"The function is not allowed to be used this way in an expression; function: {name}")
        raise tokens.invalid(f"Invalid function name; function: {name}")
    return tokens.path()


# --- Binding


def predicate(condition: Condition, binding: Binding, label: str) -> Predicate:
    """A condition with the values of one call, to be asked of any number of items. Raises a ValidationException."""
    if isinstance(condition, Test):
        return _bound_test(condition, binding, label)
    parts = [predicate(part, binding, label) for part in condition.parts]
    if condition.name == "and":
        return lambda item: all(part(item) for part in parts)
    if condition.name == "or":
        return lambda item: any(part(item) for part in parts)
    (only,) = parts
    return (lambda item: not only(item)) if condition.name == "not" else only


def bound(text: str, binding: Binding, label: str) -> Predicate:
    """The predicate of an expression."""
    return predicate(condition_of(text, label), binding, label)


def paths_of(condition: Condition) -> list[Path]:
    """Every path that occurs in a condition."""
    if isinstance(condition, Joined):
        return [path for part in condition.parts for path in paths_of(part)]
    operands = (one.of if isinstance(one, Size) else one for one in condition.operands)
    return [one for one in operands if isinstance(one, Path)]


def _bound_test(test: Test, binding: Binding, label: str) -> Predicate:
    _check_operands(test, binding, label)
    getters = [_getter(operand, binding, label) for operand in test.operands]
    first, *others = getters
    if test.name == "in":
        return lambda item: any(_equal(first(item), other(item)) for other in others)
    if test.name == "between":
        low, high = others
        return lambda item: _ordered("<=", low(item), value := first(item)) and _ordered("<=", value, high(item))
    if test.name == "attribute_exists":
        return lambda item: first(item) is not None
    if test.name == "attribute_not_exists":
        return lambda item: first(item) is None
    (second,) = others
    if test.name == "=":
        return lambda item: _equal(first(item), second(item))
    if test.name == "<>":
        return lambda item: not _equal(first(item), second(item))
    if test.name in COMPARATORS:
        name = test.name
        return lambda item: _ordered(name, first(item), second(item))
    asked = {"attribute_type": _is_of_type, "begins_with": _begins_with, "contains": _contains}[test.name]
    return lambda item: (
        (value := first(item)) is not None and (against := second(item)) is not None and asked(value, against)
    )


def _getter(operand: Operand, binding: Binding, label: str) -> Getter:
    if isinstance(operand, Value):
        constant = binding.value(operand.placeholder, label)
        return lambda item: constant
    if isinstance(operand, Size):
        of = _getter(operand.of, binding, label)
        return lambda item: _size(of(item))
    path = binding.path(operand, label)
    if len(path) == 1:
        name = path[0]
        return lambda item: item.get(name)  # type: ignore[arg-type]
    return lambda item: found(item, path)


def _check_operands(test: Test, binding: Binding, label: str) -> None:
    """Raises where a value's type does not fit the operator."""
    name = test.name
    kinds = [
        next(iter(binding.value(operand.placeholder, label))) if isinstance(operand, Value) else None
        for operand in test.operands
    ]
    for operand in test.operands:
        if isinstance(operand, Size) and isinstance(operand.of, Value):
            kind = next(iter(binding.value(operand.of.placeholder, label)))
            if kind not in SIZED:
                raise wrong_type(label, "size", kind)
    if name in ("<", "<=", ">", ">=", "between", "begins_with"):
        allowed = ORDERED - {"N"} if name == "begins_with" else ORDERED
        for given in kinds:
            if given is not None and given not in allowed:
                raise wrong_type(label, "BETWEEN" if name == "between" else name, given)
    if name == "between" and kinds[1] is not None and kinds[2] is not None:
        _check_bounds(test, binding, label)
    if name == "attribute_type":
        _check_type_name(test, binding, label)


def _check_bounds(test: Test, binding: Binding, label: str) -> None:
    low, high = (binding.value(one.placeholder, label) for one in test.operands[1:] if isinstance(one, Value))
    lower, upper = (", ".join(f"{kind}:{content}" for kind, content in one.items()) for one in (low, high))
    bounds = f"lower bound operand: AttributeValue: {{{lower}}}, upper bound operand: AttributeValue: {{{upper}}}"
    if low.keys() != high.keys():
        raise invalid(
            f"Invalid {label}: The BETWEEN operator requires same data type for lower and upper bounds; {bounds}"
        )
    if cast(low) > cast(high):  # type: ignore[operator]
        raise invalid(
            f"Invalid {label}: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            f"{bounds}"
        )


def _check_type_name(test: Test, binding: Binding, label: str) -> None:
    operand = test.operands[1]
    if not isinstance(operand, Value):
        raise wrong_type(label, "attribute_type", "path")
    kind, name = next(iter(binding.value(operand.placeholder, label).items()))
    if kind != "S":
        raise wrong_type(label, "attribute_type", kind)
    if name not in TYPES:
        raise invalid(
            f"Invalid {label}: Invalid attribute type name found; type: {name}, "
            f"valid types: {{{','.join(sorted(TYPES))}}}"
        )


def wrong_type(label: str, name: str, kind: str) -> Refused:
    """The error of an operator that is given a value of a type that it cannot take."""
    return invalid(
        f"Invalid {label}: Incorrect operand type for operator or function; operator or function: {name}, "
        f"operand type: {kind}"
    )


# --- Asking


def _equal(one: AttributeValue | None, other: AttributeValue | None) -> bool:
    return one is not None and other is not None and same_value(one, other)


def _ordered(name: str, one: AttributeValue | None, other: AttributeValue | None) -> bool:
    if one is None or other is None:
        return False
    (kind,) = one
    if kind not in ORDERED or kind not in other:
        return False
    left: Any = cast(one)
    right: Any = cast(other)
    if name == "<":
        return bool(left < right)
    if name == "<=":
        return bool(left <= right)
    return bool(left > right if name == ">" else left >= right)


def _is_of_type(value: AttributeValue, against: AttributeValue) -> bool:
    return against["S"] in value


def _begins_with(value: AttributeValue, against: AttributeValue) -> bool:
    (kind,) = value
    if kind not in ("S", "B") or kind not in against:
        return False
    return cast(value).startswith(cast(against))  # type: ignore[union-attr, arg-type]


def _contains(value: AttributeValue, against: AttributeValue) -> bool:
    ((kind, content),) = value.items()
    if kind == "L":
        return any(same_value(element, against) for element in content)
    if kind in ("SS", "NS", "BS"):
        return kind[0] in against and any(same_value({kind[0]: part}, against) for part in content)
    if kind in ("S", "B") and kind in against:
        return cast(against) in cast(value)  # type: ignore[operator]
    return False


def _size(value: AttributeValue | None) -> AttributeValue | None:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind not in SIZED:
        return None
    return {"N": str(len(cast(value) if kind == "B" else content))}  # type: ignore[arg-type]
