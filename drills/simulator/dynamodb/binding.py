"""What the placeholders of one call's expressions stand for, and whether every one of them is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.exceptions import MockValidationException

from drills.simulator.dynamodb.answers import Body, Refused, invalid
from drills.simulator.dynamodb.rows import AttributeValue
from drills.simulator.dynamodb.tokens import Path
from drills.simulator.dynamodb.validation import value_size

PLACEHOLDER = re.compile(r"[A-Za-z0-9_]+")


class Binding:
    """Names and values of one call. Each expression asks for what it uses; ``finish`` refuses what none asked for."""

    def __init__(self, names: Mapping[str, str], values: Mapping[str, AttributeValue]) -> None:
        self._names = names
        self._values = values
        self._unused_names = set(names)
        self._unused_values = set(values)

    @classmethod
    def of(cls, parameters: Body, *expressions: str) -> Binding:
        """The binding of a call, or of a part of one, whose expressions have these names of parameter."""
        names = parameters.get("ExpressionAttributeNames")
        values = parameters.get("ExpressionAttributeValues")
        if names is None and values is None:
            return cls({}, {})
        present = any(name in parameters for name in expressions)
        for label, given, sign in (("Names", names, "#"), ("Values", values, ":")):
            if given is not None:
                _check_given(label, given, sign, present, expressions)
        for key, value in (values or {}).items():
            try:
                value_size(value, 1)
            except MockValidationException as error:
                raise invalid(
                    f"ExpressionAttributeValues contains invalid value: {error.message} for key {key}"
                ) from error
        return cls(names or {}, values or {})

    def name(self, step: str, label: str) -> str:
        """The attribute name that a step of a path stands for."""
        if not step.startswith("#"):
            return step
        if step not in self._names:
            raise _undefined(label, "name used in the document path", "name", step)
        self._unused_names.discard(step)
        return self._names[step]

    def path(self, path: Path, label: str) -> tuple[str | int, ...]:
        """A path with its placeholders replaced."""
        return tuple(self.name(step, label) if isinstance(step, str) else step for step in path.steps)

    def value(self, placeholder: str, label: str) -> AttributeValue:
        """The typed value that a placeholder stands for."""
        if placeholder not in self._values:
            raise _undefined(label, "value used in expression", "value", placeholder)
        self._unused_values.discard(placeholder)
        return self._values[placeholder]

    def finish(self) -> None:
        """Raises where a name or a value was given that no expression uses."""
        for label, unused in (("Names", self._unused_names), ("Values", self._unused_values)):
            if unused:
                raise invalid(
                    f"Value provided in ExpressionAttribute{label} unused in expressions: "
                    f"keys: {{{', '.join(sorted(unused))}}}"
                )


def _check_given(label: str, given: Mapping[str, Any], sign: str, present: bool, expressions: tuple[str, ...]) -> None:
    if not present:
        null = f": {expressions[0]} is null" if label == "Values" and len(expressions) == 1 else ""
        raise invalid(f"ExpressionAttribute{label} can only be specified when using expressions{null}")
    if not given:
        raise invalid(f"ExpressionAttribute{label} must not be empty")
    for key in given:
        if key[:1] != sign or not PLACEHOLDER.fullmatch(key[1:]):
            raise invalid(f'ExpressionAttribute{label} contains invalid key: Syntax error; key: "{key}"')


def _undefined(label: str, what: str, kind: str, placeholder: str) -> Refused:
    return invalid(f"Invalid {label}: An expression attribute {what} is not defined; attribute {kind}: {placeholder}")


def found(item: Mapping[str, AttributeValue], path: tuple[str | int, ...]) -> AttributeValue | None:
    """The value at a path of an item; None where there is none."""
    value = item.get(path[0])  # type: ignore[arg-type]
    for step in path[1:]:
        if value is None:
            return None
        if isinstance(step, int):
            elements = value.get("L")
            value = elements[step] if elements is not None and step < len(elements) else None
        else:
            members = value.get("M")
            value = None if members is None else members.get(step)
    return value
