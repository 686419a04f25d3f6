"""Deletion protection, billing, encryption, tags and policies of tables through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulator.dynamodb.ground import (
    Ground,
    contents,
    make_table,
    plain_moto,
    put,
    refusal,
    refusal_code,
    simulated,
)

UNITS = {"ReadCapacityUnits": 4, "WriteCapacityUnits": 5}


@pytest.fixture
def ground() -> Iterator[Ground]:
    with simulated() as ground:
        yield ground


def tags(client: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=arn)["Tags"]}


def described(client: Any, table: str = "orders") -> dict[str, Any]:
    return dict(client.describe_table(TableName=table)["Table"])


def test_a_protected_table_cannot_be_deleted(ground: Ground) -> None:
    client = ground.client()
    make_table(client, DeletionProtectionEnabled=True)
    put(client, "a", 1)
    code, message = refusal(client.delete_table, TableName="orders")
    assert code == "ValidationException"
    assert "protected against deletion" in message
    assert contents(client, "orders") == {"a": "1"}
    client.update_table(TableName="orders", DeletionProtectionEnabled=False)
    client.delete_table(TableName="orders")
    assert client.list_tables()["TableNames"] == []


def test_protection_can_be_switched_on_later(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    assert not described(client)["DeletionProtectionEnabled"]
    client.update_table(TableName="orders", DeletionProtectionEnabled=True)
    assert described(client)["DeletionProtectionEnabled"]
    assert refusal_code(client.delete_table, TableName=described(client)["TableArn"]) == "ValidationException"


def test_a_table_that_is_not_there(ground: Ground) -> None:
    client = ground.client()
    assert refusal_code(client.delete_table, TableName="none") == "ResourceNotFoundException"
    assert refusal_code(client.describe_table, TableName="none") == "ResourceNotFoundException"
    assert (
        refusal_code(client.update_table, TableName="none", DeletionProtectionEnabled=True)
        == "ResourceNotFoundException"
    )


def test_a_table_is_found_by_its_arn(ground: Ground) -> None:
    client = ground.client()
    arn = make_table(client)["TableArn"]
    assert described(client, arn)["TableName"] == "orders"


def test_billing_can_be_switched(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    assert refusal_code(client.update_table, TableName="orders", BillingMode="PROVISIONED") == "ValidationException"
    client.update_table(TableName="orders", BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
    table = described(client)
    assert table["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
    both = {"BillingMode": "PAY_PER_REQUEST", "ProvisionedThroughput": UNITS}
    assert refusal_code(client.update_table, TableName="orders", **both) == "ValidationException"
    client.update_table(TableName="orders", BillingMode="PAY_PER_REQUEST")
    table = described(client)
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 0


def test_twin_plain_moto_keeps_the_units_of_an_on_demand_table(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        client = ground.client()
        make_table(client, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS)
        client.update_table(TableName="orders", BillingMode="PAY_PER_REQUEST")
        assert described(client)["ProvisionedThroughput"]["WriteCapacityUnits"] == 5


def test_encryption_can_be_switched(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    client.update_table(TableName="orders", SSESpecification={"Enabled": True, "SSEType": "KMS"})
    assert described(client)["SSEDescription"]["Status"] == "ENABLED"
    client.update_table(TableName="orders", SSESpecification={"Enabled": False})
    assert "SSEDescription" not in described(client)


# --- Tags


def tag_twice_steps(ground: Ground) -> list[dict[str, str]]:
    client = ground.client()
    arn = make_table(client, Tags=[{"Key": "team", "Value": "shop"}])["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "desk"}, {"Key": "stage", "Value": "live"}])
    return list(client.list_tags_of_resource(ResourceArn=arn)["Tags"])


def test_a_tag_set_again_has_the_new_value() -> None:
    with simulated() as ground:
        assert tag_twice_steps(ground) == [{"Key": "team", "Value": "desk"}, {"Key": "stage", "Value": "live"}]


def test_twin_plain_moto_has_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        assert [tag["Key"] for tag in tag_twice_steps(ground)] == ["team", "team", "stage"]


def test_tags_are_taken_away(ground: Ground) -> None:
    client = ground.client()
    arn = make_table(client, Tags=[{"Key": key, "Value": "x"} for key in "abc"])["TableArn"]
    client.untag_resource(ResourceArn=arn, TagKeys=["a", "c", "not there"])
    assert tags(client, arn) == {"b": "x"}


def test_tags_are_listed_page_by_page(ground: Ground) -> None:
    client = ground.client()
    arn = make_table(client, Tags=[{"Key": f"k{number}", "Value": "x"} for number in range(23)])["TableArn"]
    pages = list(client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn))
    assert [len(page["Tags"]) for page in pages] == [10, 10, 3]


def test_tags_that_are_refused(ground: Ground) -> None:
    client = ground.client()
    arn = make_table(client)["TableArn"]
    many = [{"Key": f"k{number}", "Value": "x"} for number in range(51)]
    for wrong in (
        many,
        [{"Key": "aws:team", "Value": "x"}],
        [{"Key": "k" * 129, "Value": "x"}],
        [{"Key": "k", "Value": "x" * 257}],
        [{"Key": "k", "Value": "x"}, {"Key": "k", "Value": "y"}],
    ):
        assert refusal_code(client.tag_resource, ResourceArn=arn, Tags=wrong) == "ValidationException"
    assert tags(client, arn) == {}


def test_tags_of_what_is_not_the_callers(ground: Ground) -> None:
    client = ground.client()
    arn = make_table(client)["TableArn"]
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client.list_tags_of_resource, {}),
        (client.tag_resource, {"Tags": [{"Key": "k", "Value": "v"}]}),
        (client.untag_resource, {"TagKeys": ["k"]}),
    ]
    for call, more in calls:
        assert refusal_code(call, ResourceArn=arn + "s", **more) == "ResourceNotFoundException"
        assert refusal_code(call, ResourceArn="arn:aws:s3:::bucket", **more) == "ValidationException"
        assert refusal_code(call, ResourceArn=arn.replace("eu-west-1", "eu-west-2"), **more) == "ValidationException"
        assert (
            refusal_code(call, ResourceArn=arn.replace("123456789012", "222233334444"), **more)
            == "AccessDeniedException"
        )


# --- Resource policies


def policy_steps(ground: Ground) -> str:
    """What reading the policy of a table says that was made anew after one with a policy was deleted."""
    client = ground.client()
    arn = make_table(client)["TableArn"]
    policy = '{"Version": "2012-10-17", "Statement": []}'
    client.put_resource_policy(ResourceArn=arn, Policy=policy)
    assert client.get_resource_policy(ResourceArn=arn)["Policy"] == policy
    client.delete_table(TableName="orders")
    make_table(client)
    try:
        client.get_resource_policy(ResourceArn=arn)
    except client.exceptions.PolicyNotFoundException:
        return "none"
    return "inherited"


def test_a_policy_goes_with_its_table() -> None:
    with simulated() as ground:
        assert policy_steps(ground) == "none"


def test_twin_plain_moto_gives_it_to_the_next_table_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with plain_moto(monkeypatch) as ground:
        assert policy_steps(ground) == "inherited"


def test_what_is_deleted_says_so(ground: Ground) -> None:
    client = ground.client()
    make_table(client)
    assert client.delete_table(TableName="orders")["TableDescription"]["TableStatus"] == "DELETING"
