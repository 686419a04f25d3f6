"""Update expressions: what one makes of an item. Every operand is read from the item as it was before.

Source: developer guide, "Update expressions".
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, Overflow
from functools import lru_cache
from typing import Any, TypeAlias

import orjson
from moto.dynamodb.exceptions import (
    AttributeDoesNotExist,
    IncorrectDataType,
    InvalidUpdateExpressionInvalidDocumentPath,
    UpdateHashRangeKeyException,
)

from drills.simulator.dynamodb.answers import invalid
from drills.simulator.dynamodb.binding import Binding, found
from drills.simulator.dynamodb.conditions import Value, wrong_type
from drills.simulator.dynamodb.projection import Steps, refuse_overlaps
from drills.simulator.dynamodb.rows import SETS, AttributeValue
from drills.simulator.dynamodb.tokens import Path, Tokens
from drills.simulator.dynamodb.validation import OVERFLOW

LABEL = "UpdateExpression"
SECTIONS = ("set", "remove", "add", "delete")
FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
TYPE_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}
NUMBERS = Context(prec=38, Emin=-130, Emax=125)
"""Sums of more than 38 digits are rounded to 38. (A): AWS does not say what it does with them."""


@dataclass(frozen=True, slots=True)
class Call:
    """``if_not_exists``, ``list_append``, ``+`` or ``-`` of two operands."""

    name: str
    operands: tuple[Operand, ...]


Operand: TypeAlias = Path | Value | Call


@dataclass(frozen=True, slots=True)
class Action:
    """One thing an update does at one path."""

    section: str
    path: Path
    operand: Operand | None


# --- Reading


@lru_cache(maxsize=256)
def actions_of(text: str) -> tuple[Action, ...]:
    """The actions of an update expression, in order. Raises a ValidationException."""
    tokens = Tokens(text, LABEL)
    seen: set[str] = set()
    actions: list[Action] = []
    while tokens.next.kind != "end":
        section = tokens.take_if(*SECTIONS)
        if section is None:
            raise tokens.syntax_error()
        if section in seen:
            raise tokens.invalid(f'The "{section.upper()}" section can only be used once in an update expression;')
        seen.add(section)
        actions.append(_action(section, tokens))
        while tokens.take_if(","):
            actions.append(_action(section, tokens))
    return tuple(actions)


def _action(section: str, tokens: Tokens) -> Action:
    path = tokens.path()
    if section == "remove":
        return Action(section, path, None)
    if section == "set":
        tokens.expect("=")
        return Action(section, path, _sum(tokens))
    if tokens.next.kind != "value":
        raise tokens.syntax_error()
    return Action(section, path, Value(tokens.take().text))


def _sum(tokens: Tokens) -> Operand:
    first = _operand(tokens)
    sign = tokens.take_if("+", "-")
    return first if sign is None else Call(sign, (first, _operand(tokens)))


def _operand(tokens: Tokens) -> Operand:
    if tokens.next.kind == "value":
        return Value(tokens.take().text)
    if tokens.next.kind == "word" and tokens.ahead(1).text == "(":
        return _call(tokens)
    if tokens.take_if("("):
        inner = _sum(tokens)
        tokens.expect(")")
        return inner
    return tokens.path()


def _call(tokens: Tokens) -> Call:
    name = tokens.take().text
    if name not in FUNCTIONS:
        raise tokens.invalid(f"Invalid function name; function: {name}")
    tokens.expect("(")
    operands = [_operand(tokens)]
    while tokens.take_if(","):
        operands.append(_operand(tokens))
    tokens.expect(")")
    if len(operands) != FUNCTIONS[name]:
        raise tokens.invalid(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {name}, number of operands: {len(operands)}"
        )
    if name == "if_not_exists" and not isinstance(operands[0], Path):
        raise tokens.invalid(f"Operator or function requires a document path; operator or function: {name}")
    return Call(name, tuple(operands))


# --- Binding


class Update:
    """An update with the names and values of one call. Raises a ValidationException where they do not fit."""

    def __init__(self, text: str, binding: Binding, key_names: list[str]) -> None:
        self._binding = binding
        self._actions = [(action, binding.path(action.path, LABEL)) for action in actions_of(text)]
        for action, _ in self._actions:
            self._check(action.operand)
            if action.section in ("add", "delete"):
                self._check_set_or_number(action)
        refuse_overlaps(self.paths, LABEL)
        for path in self.paths:
            if path[0] in key_names:
                raise UpdateHashRangeKeyException(str(path[0]))

    @property
    def paths(self) -> list[Steps]:
        """The paths that it touches."""
        return [path for _, path in self._actions]

    def _check(self, operand: Operand | None) -> None:
        if isinstance(operand, Path):
            self._binding.path(operand, LABEL)
        elif isinstance(operand, Value):
            self._binding.value(operand.placeholder, LABEL)
        elif isinstance(operand, Call):
            allowed = {"+": "N", "-": "N", "list_append": "L"}.get(operand.name)
            for one in operand.operands:
                self._check(one)
                if allowed and isinstance(one, Value):
                    kind = next(iter(self._binding.value(one.placeholder, LABEL)))
                    if kind != allowed:
                        raise wrong_type(LABEL, operand.name, kind)

    def _check_set_or_number(self, action: Action) -> None:
        assert isinstance(action.operand, Value)
        kind = next(iter(self._binding.value(action.operand.placeholder, LABEL)))
        if kind not in SETS and not (kind == "N" and action.section == "add"):
            name = action.section.upper()
            raise invalid(
                f"Invalid {LABEL}: Incorrect operand type for operator or function; operator: {name}, "
                f"operand type: {TYPE_NAMES[kind]}, typeSet: ALLOWED_FOR_{name}_OPERAND"
            )

    # --- Carrying out

    def of(self, before: Mapping[str, AttributeValue]) -> dict[str, Any]:
        """The item that the update makes of ``before``, which stays as it is."""
        after: dict[str, Any] = orjson.loads(orjson.dumps(before))
        written = [(path, self._written(action, path, before)) for action, path in self._actions]
        for path, value in sorted(written, key=lambda one: _last_index(one[0])):
            if value is not None:
                _place(after, path, value)
        for path, value in sorted(written, key=lambda one: _last_index(one[0]), reverse=True):
            if value is None:
                _remove(after, path)
        return after

    def _written(self, action: Action, path: Steps, before: Mapping[str, AttributeValue]) -> AttributeValue | None:
        if action.operand is None:
            return None
        operand = self._value(action.operand, before)
        if action.section == "set":
            return operand
        present = found(before, path)
        if action.section == "add":
            return operand if present is None else _added(present, operand)
        return None if present is None else _without(present, operand)

    def _value(self, operand: Operand, before: Mapping[str, AttributeValue]) -> AttributeValue:
        if isinstance(operand, Value):
            return self._binding.value(operand.placeholder, LABEL)
        if isinstance(operand, Path):
            value = found(before, self._binding.path(operand, LABEL))
            if value is None:
                raise AttributeDoesNotExist
            return value
        first, second = operand.operands
        if operand.name == "if_not_exists":
            assert isinstance(first, Path)
            value = found(before, self._binding.path(first, LABEL))
            return self._value(second, before) if value is None else value
        left, right = self._value(first, before), self._value(second, before)
        if operand.name == "list_append":
            if "L" not in left or "L" not in right:
                raise IncorrectDataType
            return {"L": [*left["L"], *right["L"]]}
        return _reckoned(operand.name, left, right)


def _last_index(path: Steps) -> int:
    return path[-1] if isinstance(path[-1], int) else 0


def _reckoned(sign: str, left: AttributeValue, right: AttributeValue) -> AttributeValue:
    if "N" not in left or "N" not in right:
        raise IncorrectDataType
    one, other = Decimal(left["N"]), Decimal(right["N"])
    try:
        return {"N": str(NUMBERS.add(one, other) if sign == "+" else NUMBERS.subtract(one, other))}
    except Overflow as error:
        raise invalid(OVERFLOW) from error


def _added(present: AttributeValue, operand: AttributeValue) -> AttributeValue:
    ((kind, content),) = operand.items()
    if kind not in present:
        raise IncorrectDataType
    if kind == "N":
        return _reckoned("+", present, operand)
    return {kind: [*present[kind], *(part for part in content if part not in present[kind])]}


def _without(present: AttributeValue, operand: AttributeValue) -> AttributeValue | None:
    ((kind, content),) = operand.items()
    if kind not in present:
        raise IncorrectDataType
    left = [part for part in present[kind] if part not in content]
    return {kind: left} if left else None


def _container(item: dict[str, Any], path: Steps) -> Any:
    """The map or list that holds the last step of a path. Raises where there is none."""
    holder: Any = item
    for step, following in itertools.pairwise(path):
        holder = _inside(holder, step)
        kind = "L" if isinstance(following, int) else "M"
        if holder is None or kind not in holder:
            raise InvalidUpdateExpressionInvalidDocumentPath
        holder = holder[kind]
    return holder


def _inside(holder: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return holder[step] if step < len(holder) else None
    return holder.get(step)


def _place(item: dict[str, Any], path: Steps, value: AttributeValue) -> None:
    holder, last = _container(item, path), path[-1]
    if isinstance(last, int) and last >= len(holder):
        holder.append(value)
    else:
        holder[last] = value


def _remove(item: dict[str, Any], path: Steps) -> None:
    holder, last = _container(item, path), path[-1]
    if _inside(holder, last) is not None:
        del holder[last]
