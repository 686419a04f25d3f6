"""What CloudFormation makes of a template: its parameters, conditions and intrinsic functions resolved, as far as our
templates use them. Written after the CloudFormation user guide, Intrinsic functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NO_VALUE = object()


class Resolver:
    """Resolves one template. ``arns``: the ARN that each resource gets, by its logical name."""

    def __init__(
        self, document: Mapping[str, Any], given: Mapping[str, Any], account: str, region: str, arns: Mapping[str, str]
    ) -> None:
        parameters = document.get("Parameters", {})
        assert set(given) <= set(parameters), f"unknown parameters: {set(given) - set(parameters)}"
        self.values: dict[str, Any] = {}
        for name, parameter in parameters.items():
            value = given.get(name, parameter.get("Default"))
            assert value is not None, f"parameter {name} must be given"
            check_parameter(name, parameter, value)
            self.values[name] = value
        self.values |= {"AWS::AccountId": account, "AWS::Region": region}
        self.document = document
        self.arns = arns
        self.conditions = {name: self.resolve(condition) for name, condition in document.get("Conditions", {}).items()}

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources that are made, by logical name: type and resolved properties."""
        found = {}
        for name, one in self.document["Resources"].items():
            if "Condition" not in one or self.conditions[one["Condition"]]:
                found[name] = {**one, "Properties": self.resolve(one["Properties"])}
        return found

    def outputs(self) -> dict[str, Any]:
        return {name: self.resolve(one["Value"]) for name, one in self.document["Outputs"].items()}

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for one in value if (found := self.resolve(one)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (key := next(iter(value))) in FUNCTIONS:
            return FUNCTIONS[key](self, value[key])
        return {key: found for key, one in value.items() if (found := self.resolve(one)) is not NO_VALUE}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.values:
            return self.values[name]
        return self.physical(name)

    def physical(self, name: str) -> Any:
        one = self.document["Resources"][name]
        if one["Type"] == "AWS::SQS::Queue":
            return f"url of {name}"
        named = {
            "AWS::Lambda::Function": "FunctionName",
            "AWS::S3::Bucket": "BucketName",
            "AWS::IAM::Role": "RoleName",
            "AWS::Events::Rule": "Name",
        }
        kind = named.get(one["Type"])
        return self.resolve(one["Properties"][kind]) if kind else self.arns[name].rpartition("/")[2]

    def sub(self, given: Any) -> str:
        text, variables = (given, {}) if isinstance(given, str) else given
        known = {name: self.resolve(value) for name, value in variables.items()}
        return re.sub(r"\$\{([^}!]+)\}", lambda m: str(known.get(m[1]) or self.ref(m[1])), text)

    def attribute(self, given: list[str]) -> str:
        name, attribute = given
        assert attribute == "Arn"
        return self.arns[name]

    def either(self, given: list[Any]) -> Any:
        return self.resolve(given[1] if self.conditions[given[0]] else given[2])

    def split(self, given: list[Any]) -> list[str]:
        return str(self.resolve(given[1])).split(given[0])


FUNCTIONS: Mapping[str, Any] = {
    "Ref": Resolver.ref,
    "Fn::Sub": Resolver.sub,
    "Fn::GetAtt": Resolver.attribute,
    "Fn::If": Resolver.either,
    "Fn::Not": lambda self, given: not self.resolve(given[0]),
    "Fn::Equals": lambda self, given: self.resolve(given[0]) == self.resolve(given[1]),
    "Fn::Split": Resolver.split,
    "Fn::Select": lambda self, given: self.resolve(given[1])[int(given[0])],
}


def check_parameter(name: str, parameter: Mapping[str, Any], value: Any) -> None:
    """As CloudFormation checks it: AllowedPattern holds the whole value."""
    pattern = parameter.get("AllowedPattern")
    assert pattern is None or re.fullmatch(pattern, str(value)), f"{name}: {value!r} does not match {pattern}"
    if "MinValue" in parameter:
        assert parameter["MinValue"] <= float(value) <= parameter["MaxValue"], f"{name}: {value}"
    assert value in parameter.get("AllowedValues", [value]), f"{name}: {value}"
