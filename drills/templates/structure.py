"""A CloudFormation template as plain data, made of what a copy's own model says of it.

A copy whose names are known when it is deployed is described by *placeholders*, ``${Name}``, in the place of texts, and
by ``Decided`` numbers. Its policies, settings and alarms are made by the functions that the deployment by API calls;
``filled`` then turns what stands for a parameter into the intrinsic function that gives its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Structure = Mapping[str, Any]
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")
VERSION = "2010-09-09"
NO_VALUE: Structure = {"Ref": "AWS::NoValue"}
KEPT: Structure = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
"""Of what holds data or opens it: deleting the stack, or renaming the thing in it, leaves it there."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; without ``default`` it must be given. ``pattern``, ``limits`` and ``allowed`` bound its values."""

    name: str
    description: str
    type: str = "String"
    default: str | int | None = None
    pattern: str = ""
    limits: tuple[int, int] | None = None
    allowed: tuple[str, ...] = ()

    def structure(self) -> Structure:
        found: dict[str, Any] = {"Description": self.description, "Type": self.type}
        if self.default is not None:
            found["Default"] = self.default
        if self.pattern:
            found["AllowedPattern"] = self.pattern
        if self.limits is not None:
            found["MinValue"], found["MaxValue"] = self.limits
        if self.allowed:
            found["AllowedValues"] = list(self.allowed)
        return found


class Decided(int):
    """A number that whoever deploys decides: the number to a copy's model, its parameter in a template.

    As text it is its placeholder. What is reckoned from it is a plain number again.
    """

    parameter: str

    def __new__(cls, parameter: str, value: int) -> Decided:
        decided = super().__new__(cls, value)
        decided.parameter = parameter
        return decided

    def __str__(self) -> str:
        return placeholder(self.parameter)


def placeholder(parameter: str) -> str:
    return f"${{{parameter}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """One stack. ``account`` and ``region`` say in words where it belongs."""

    name: str
    account: str
    region: str
    description: str
    parameters: Sequence[Parameter]
    resources: Mapping[str, Structure]
    conditions: Mapping[str, Structure] = field(default_factory=dict)
    outputs: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    """By name, a description and a value."""

    def structure(self) -> Structure:
        """The template's document. Parameters that nothing in it refers to are left out."""
        body: dict[str, Any] = {"Conditions": self.conditions, "Resources": self.resources, "Outputs": self._outputs()}
        named = set(_named(body))
        parameters = {one.name: one.structure() for one in self.parameters if one.name in named}
        whole = {"AWSTemplateFormatVersion": VERSION, "Description": self.description, "Parameters": parameters, **body}
        return {key: value for key, value in whole.items() if value}

    def _outputs(self) -> Structure:
        return {name: {"Description": words, "Value": value} for name, (words, value) in self.outputs.items()}


@dataclass(frozen=True, slots=True)
class Bundle:
    """All that deploys one copy: its stacks in the order in which they are made, the packages of its functions by file
    name, and what to do, step by step."""

    templates: Sequence[Template]
    packages: Mapping[str, bytes]
    steps: Sequence[str]


def filled(value: Any, meanings: Mapping[str, Any], attributes: Mapping[str, Structure]) -> Any:
    """The value with intrinsic functions in the place of placeholders.

    ``meanings``: what a placeholder stands for, where it is no parameter of this template: another text, or an
    intrinsic function. ``attributes``: of whole texts, such as the ARN of a queue, the attribute of the resource that
    has it, so that CloudFormation makes that resource first.
    """
    if isinstance(value, Decided):
        return {"Ref": value.parameter}
    if isinstance(value, Mapping):
        return {key: filled(one, meanings, attributes) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(one, meanings, attributes) for one in value]
    if isinstance(value, str):
        return attributes[value] if value in attributes else _text(value, meanings)
    return value


def _text(text: str, meanings: Mapping[str, Any]) -> Any:
    for name, meaning in meanings.items():
        if isinstance(meaning, str):
            text = text.replace(placeholder(name), meaning)
    names = PLACEHOLDER.findall(text)
    if not names:
        return text
    if text == placeholder(names[0]):
        return meanings.get(names[0], {"Ref": names[0]})
    variables = {name: meanings[name] for name in dict.fromkeys(names) if name in meanings}
    return {"Fn::Sub": [text, variables] if variables else text}


def _named(value: Any) -> Iterator[str]:
    """Every name that an intrinsic function in the value refers to."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key == "Ref":
                yield one
            elif key == "Fn::Sub":
                yield from PLACEHOLDER.findall(one if isinstance(one, str) else one[0])
            yield from _named(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _named(one)


def resource(kind: str, properties: Structure, **attributes: Any) -> Structure:
    """One resource; properties that are None or empty are left out, as they say nothing."""
    said = {name: value for name, value in properties.items() if value is not None and value != [] and value != {}}
    return {"Type": kind, **attributes, "Properties": said}
