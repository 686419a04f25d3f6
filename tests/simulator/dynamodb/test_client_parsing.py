"""What a client gets while a simulated AWS is active is what botocore's own parser makes of the same bytes."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore import parsers
from botocore.model import ServiceModel
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.simulator.dynamodb.client_parsing import handle_map, handle_structure
from tests.simulator.dynamodb.ground import REGION, simulated
from tests.simulator.dynamodb.tables import EVERY_TYPE

texts = st.text(max_size=6)
binaries = st.sampled_from(["", "AA==", "AAEC", "////"])
leaves = st.one_of(
    texts.map(lambda text: {"S": text}),
    st.integers().map(lambda number: {"N": str(number)}),
    binaries.map(lambda text: {"B": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(texts, max_size=3).map(lambda part: {"SS": part}),
    st.lists(binaries, max_size=3).map(lambda part: {"BS": part}),
    st.sampled_from([{}, {"S": None}, {"Unknown": "x"}, {"S": "two", "N": "2"}]),
)
attribute_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda part: {"L": part})
        | st.dictionaries(texts, inner, max_size=3).map(lambda part: {"M": part})
    ),
    max_leaves=8,
)
pages = st.fixed_dictionaries(
    {"Items": st.lists(st.dictionaries(texts, attribute_values, max_size=5), max_size=4), "Count": st.integers(0, 9)},
    optional={
        "LastEvaluatedKey": st.dictionaries(texts, attribute_values, max_size=2),
        "ConsumedCapacity": st.fixed_dictionaries(
            {"TableName": texts, "CapacityUnits": st.floats(0, 9)},
            optional={"GlobalSecondaryIndexes": st.dictionaries(texts, st.just({"CapacityUnits": 1.0}), max_size=2)},
        ),
        "New": st.just({"what": "a later botocore may know"}),
    },
)


def model(service: str) -> ServiceModel:
    return boto3.client(service, region_name=REGION).meta.service_model  # type: ignore[call-overload, no-any-return]


PARSER: Any = parsers.BaseJSONParser


def in_place() -> tuple[Any, Any]:
    return PARSER._handle_structure, PARSER._handle_map


def both(shape: Any, body: Any) -> tuple[Any, Any]:
    response = {"status_code": 200, "headers": {}, "body": json.dumps(body).encode()}
    stock = parsers.create_parser("json").parse(response, shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PARSER, "_handle_structure", handle_structure)
        patch.setattr(PARSER, "_handle_map", handle_map)
        return parsers.create_parser("json").parse(response, shape), stock


@given(pages)
@settings(max_examples=80, deadline=None)
def test_pages_of_items_are_parsed_alike(body: Any) -> None:
    ours, stock = both(SCAN, body)
    assert ours == stock


SCAN = model("dynamodb").operation_model("Scan").output_shape


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        ("dynamodb", "DescribeTable", {"Table": {"CreationDateTime": 1.5e9, "KeySchema": [], "ItemCount": 0}}),
        ("dynamodb", "BatchGetItem", {"Responses": {"t": [{"a": {"B": "AA=="}}]}, "UnprocessedKeys": {}}),
        (
            "dynamodbstreams",
            "GetRecords",
            {"Records": [{"dynamodb": {"Keys": {"a": {"BS": ["AA=="]}}, "SizeBytes": 1}}]},
        ),
        ("kms", "Encrypt", {"CiphertextBlob": "AAEC", "KeyId": "k"}),
        ("ssm", "GetParameter", {"Parameter": {"LastModifiedDate": 1.5e9, "Version": 1}}),
        ("logs", "GetLogEvents", {"events": [{"timestamp": 1}], "nextForwardToken": None}),
    ],
)
def test_other_answers_are_parsed_alike(service: str, operation: str, body: Any) -> None:
    ours, stock = both(model(service).operation_model(operation).output_shape, body)
    assert ours == stock


def test_it_is_in_place_only_while_a_simulated_aws_is_active() -> None:
    stock = in_place()
    with simulated() as ground:
        assert in_place() == (handle_structure, handle_map)
        client = ground.client()
        client.create_table(
            TableName="people",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item = {"pk": {"S": "a"}, "raw": EVERY_TYPE["raw"], "map": EVERY_TYPE["map"]}
        client.put_item(TableName="people", Item=item)
        assert client.scan(TableName="people")["Items"] == [item]
    assert in_place() == stock
