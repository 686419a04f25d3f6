"""The stream copy's stacks made by a CloudFormation that nobody here wrote: moto's.

It knows no alarms and no versioning, and keeps the policies of roles in a form of its own; what it does make must be as
it is by API.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drills.stream_copy import StreamCopy
from drills.stream_copy.production_side import feed_configuration, function_code, function_configuration
from drills.templates import load
from drills.templates.writing import Format, written

COPY = StreamCopy("123456789012", "us-east-1", "orders", "222222222222", "eu-west-1", "orders-copy")


@pytest.fixture
def sessions() -> Iterator[dict[str, boto3.Session]]:
    """Of both accounts; the table that is copied is there, the vault is empty."""
    with mock_aws():
        production = boto3.Session("testing", "testing", region_name="us-east-1")
        role = "arn:aws:iam::222222222222:role/people"
        keys = production.client("sts").assume_role(RoleArn=role, RoleSessionName="people")["Credentials"]
        vault = boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name="eu-west-1"
        )
        production.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        yield {"production": production, "vault": vault}


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..CloudWatch..Alarm")
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_both_stacks_can_be_made(sessions: dict[str, boto3.Session], form: Format) -> None:
    bundle = load("stream-copy").of_any({})
    production, vault = sessions["production"], sessions["vault"]
    stream = production.client("dynamodb").describe_table(TableName="orders")["Table"]["LatestStreamArn"]
    production.client("s3").create_bucket(Bucket="packages")
    for name, content in bundle.packages.items():
        production.client("s3").put_object(Bucket="packages", Key=name, Body=content)
    given = {
        "Name": COPY.name,
        "StreamArn": stream,
        "SourceAccount": COPY.source_account,
        "VaultAccount": COPY.vault_account,
        "VaultRegion": COPY.vault_region,
        "ExternalId": COPY.external_id,
        "CodeBucket": "packages",
        "PartitionKey": "id",
    }
    for template in bundle.templates:
        document = template.structure()
        cloudformation: Any = sessions[template.name].client("cloudformation")
        wanted = {name: value for name, value in given.items() if name in document["Parameters"]}
        cloudformation.create_stack(
            StackName=template.name,
            TemplateBody=written(document, form).decode(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (stack,) = cloudformation.describe_stacks(StackName=template.name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"

    label = stream.rpartition("/")[2]
    function: Any = production.client("lambda").get_function_configuration(FunctionName=COPY.function)
    # A number given to a text is the number as text (CloudFormation user guide, Parameters); moto leaves it so.
    function["Environment"]["Variables"] = {k: str(v) for k, v in function["Environment"]["Variables"].items()}
    for name, value in function_configuration(COPY, label).items():
        assert function[name] == value, name
    assert function["CodeSha256"] == base64.b64encode(hashlib.sha256(function_code()).digest()).decode()
    (feed,) = production.client("lambda").list_event_source_mappings(FunctionName=COPY.function)["EventSourceMappings"]
    assert (feed["EventSourceArn"], feed["BatchSize"]) == (stream, feed_configuration(COPY)["BatchSize"])
    for name in (COPY.copy_table, COPY.marker_table):
        table = vault.client("dynamodb").describe_table(TableName=name)["Table"]
        assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
        assert table["DeletionProtectionEnabled"]
    assert [one["Name"] for one in vault.client("s3").list_buckets()["Buckets"]] == [COPY.bucket]
