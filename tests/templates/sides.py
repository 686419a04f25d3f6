"""What the tests of every template do: resolve its stacks and hold them against the calls of the deployment by API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from drills.templates import Bundle
from tests.templates.api_calls import Resources, comparable
from tests.templates.resolving import Resolver

NAMES = {
    "AWS::IAM::Role": "RoleName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::EventSourceMapping": "FunctionName",
    "AWS::Lambda::Permission": "FunctionName",
    "AWS::Events::Rule": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::KMS::Key": "Description",
    "AWS::KMS::Alias": "AliasName",
}


def resolvers(
    bundle: Bundle,
    given: Mapping[str, Any],
    places: Mapping[str, tuple[str, str]],
    arns: Mapping[str, str],
) -> dict[str, Resolver]:
    """By stack. ``given`` holds the parameters of both; each stack is given those that it has."""
    found = {}
    for template in bundle.templates:
        document = json.loads(json.dumps(template.structure()))
        known = {name: value for name, value in given.items() if name in document.get("Parameters", {})}
        found[template.name] = Resolver(document, known, *places[template.name], arns)
    return found


def resources(bundle: Bundle, stacks: Mapping[str, Resolver]) -> Resources:
    """What the stacks make, as the calls would be: code is the package that was uploaded under its key."""
    found: Resources = {}
    for side, stack in stacks.items():
        for one in stack.resources().values():
            properties = dict(one["Properties"])
            if one["Type"] == "AWS::Lambda::Function":
                package = bundle.packages[properties["Code"]["S3Key"]]
                properties["Code"] = {"ZipFile": package.decode("latin-1")}
                # CloudFormation makes texts of what a mapping of texts is given.
                variables = properties["Environment"]["Variables"]
                properties["Environment"] = {"Variables": {key: str(value) for key, value in variables.items()}}
            key = (side, one["Type"], properties[NAMES[one["Type"]]])
            assert key not in found, f"two of {key}"
            found[key] = properties
    return found


def hold_equal(made: Resources, called: Resources) -> None:
    """Resource by resource, property by property."""
    assert sorted(made) == sorted(called)
    for key in called:
        assert comparable(made[key]) == comparable(called[key]), key
