"""Functions for tests, made through plain boto3 clients from source text."""

from __future__ import annotations

import io
import json
import textwrap
import zipfile
from collections.abc import Mapping
from typing import Any

from drills.simulator import SimulatedAWS

ACCOUNT, REGION = "111111111111", "eu-west-1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def zipped(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, source in files.items():
            archive.writestr(name, textwrap.dedent(source))
    return packed.getvalue()


class Lambdas:
    """One account's functions in one region."""

    def __init__(self, aws: SimulatedAWS, account: str = ACCOUNT, region: str = REGION) -> None:
        self.aws = aws
        self.session: Any = aws.session(account, region)
        self.client = self.session.client("lambda")
        self.iam = self.session.client("iam")
        self.account = account

    def role(self, name: str = "role", *statements: Mapping[str, Any], trust: Mapping[str, Any] = TRUST) -> str:
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.allow(name, *(statements or (EVERYTHING,)))
        return str(arn)

    def allow(self, role: str, *statements: Mapping[str, Any]) -> None:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy)

    def make(
        self, source: str, name: str = "f", *, role: str = "", files: Mapping[str, str] | None = None, **more: Any
    ) -> str:
        variables = more.pop("variables", {})
        made = self.client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role or self.role(f"{name}-role"),
            Handler=more.pop("handler", "main.handler"),
            Code={"ZipFile": zipped({"main.py": source, **(files or {})})},
            Environment={"Variables": variables},
            **more,
        )
        return str(made["FunctionArn"])

    def invoke(self, event: Any = None, name: str = "f", **more: Any) -> dict[str, Any]:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **more)
        payload = answer["Payload"].read()
        return {**answer, "said": json.loads(payload) if payload else None}

    def say(self, event: Any = None, name: str = "f") -> Any:
        """What a function answers that is expected not to fail."""
        answer = self.invoke(event, name)
        assert "FunctionError" not in answer, answer["said"]
        return answer["said"]
