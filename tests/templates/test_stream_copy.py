"""The stream copy's stacks make what its deployment by API makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.stream_copy import Options, StreamCopy, deploy
from drills.templates import Bundle, load
from drills.templates.common import NAME
from drills.templates.stream_copy import DECIDED
from tests.handlers.copy_site import LocalSite, local_site
from tests.templates.api_calls import Recorder, resources_of
from tests.templates.sides import hold_equal, resolvers, resources

TOPIC = "arn:aws:sns:us-east-1:111111111111:people"
OPTIONS: Mapping[str, Any] = {"batch_size": 7, "memory_mb": 512, "tombstone_hours": 50, "recovery_period_days": 3}
COPY = StreamCopy("111111111111", "us-east-1", "drill-clients", "222222222222", "eu-west-1", "drill-clients-copy")
PLACES = {"production": ("111111111111", "us-east-1"), "vault": ("222222222222", "eu-west-1")}
UNCOVERED = {
    "production dynamodb.UpdateTable": "the stream belongs to the table, which is not the stack's",
    "vault dynamodb.PutItem": "what the vault remembers of the table is data; drills protect writes it",
    "vault dynamodb.UpdateItem": "so is when the copy was last seen at work; the function's heartbeat writes it",
}


def called(copy: StreamCopy, site: LocalSite) -> tuple[Recorder, str]:
    """What deploying by API calls, and the table's stream."""
    recorder = Recorder(lambda side, service: site.client(service, side))
    deploy(copy, recorder, site.wait)
    table = site.table.describe_table(TableName=copy.source_table)["Table"]
    return recorder, str(table["LatestStreamArn"])


def arns_of(copy: StreamCopy, recorder: Recorder) -> dict[str, str]:
    rule = next(answer["RuleArn"] for _, _, operation, _, answer in recorder.calls if operation == "PutRule")
    return {
        "FunctionRole": copy.production_role_arn,
        "GivenUpQueue": copy.queue_arn,
        "Function": copy.function_arn,
        "Heartbeat": rule,
    }


def parameters(copy: StreamCopy, stream: str) -> dict[str, Any]:
    return {
        "Name": copy.name,
        "StreamArn": stream,
        "SourceAccount": copy.source_account,
        "VaultAccount": copy.vault_account,
        "VaultRegion": copy.vault_region,
        "ExternalId": copy.external_id,
        "CodeBucket": "packages",
        "AlarmTopic": copy.options.alarm_topic,
        "PartitionKey": "id",
    }


def any_store(site: LocalSite) -> tuple[StreamCopy, Bundle]:
    return COPY, load("stream-copy").of_any({})


def with_options(site: LocalSite) -> tuple[StreamCopy, Bundle]:
    options = {**OPTIONS, "alarm_topic": TOPIC}
    return replace(COPY, options=Options.parse(options)), load("stream-copy").of_any(options)


def of_the_store(site: LocalSite) -> tuple[StreamCopy, Bundle]:
    from drills.protections.dynamodb_stream_copy import copy_of

    return copy_of(site, OPTIONS), load("stream-copy").of_store(site, OPTIONS)


@pytest.mark.parametrize("made", [any_store, with_options, of_the_store])
def test_the_stacks_are_what_the_api_is_asked_for(made: Callable[[LocalSite], tuple[StreamCopy, Bundle]]) -> None:
    with local_site() as site:
        copy, bundle = made(site)
        recorder, stream = called(copy, site)
    stacks = resolvers(bundle, parameters(copy, stream), PLACES, arns_of(copy, recorder))
    hold_equal(resources(bundle, stacks), resources_of(recorder, UNCOVERED))


def test_a_table_with_a_sort_key() -> None:
    with local_site() as site:
        site.table.create_table(
            TableName="sorted",
            KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "a", "AttributeType": "N"},
                {"AttributeName": "b", "AttributeType": "B"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        copy = replace(COPY, source_table="sorted")
        recorder, stream = called(copy, site)
    keys = {"PartitionKey": "a", "PartitionKeyType": "N", "SortKey": "b", "SortKeyType": "B"}
    bundle = load("stream-copy").of_any({})
    stacks = resolvers(bundle, {**parameters(copy, stream), **keys}, PLACES, arns_of(copy, recorder))
    hold_equal(resources(bundle, stacks), resources_of(recorder, UNCOVERED))


def test_what_is_decided_at_deployment_reaches_the_resources() -> None:
    with local_site() as site:
        options = {**OPTIONS, "batch_window_seconds": 9, "parallelization_factor": 4, "timeout_seconds": 70}
        options["maximum_record_age_seconds"] = 600
        assert set(options) == set(DECIDED)
        copy = replace(COPY, options=Options.parse(options))
        recorder, stream = called(copy, site)
    bundle = load("stream-copy").of_any({})
    decided = {"".join(word.capitalize() for word in name.split("_")): value for name, value in options.items()}
    stacks = resolvers(bundle, {**parameters(copy, stream), **decided}, PLACES, arns_of(copy, recorder))
    hold_equal(resources(bundle, stacks), resources_of(recorder, UNCOVERED))


def test_the_comparison_notices_a_difference() -> None:
    """Each resource with one property changed, and each without one resource."""
    with local_site() as site:
        recorder, stream = called(COPY, site)
    bundle = load("stream-copy").of_any({})
    stacks = resolvers(bundle, parameters(COPY, stream), PLACES, arns_of(COPY, recorder))
    for key in resources_of(recorder, UNCOVERED):
        for changed in (changes_of(resources(bundle, stacks)[key]), None):
            made = resources(bundle, stacks)
            if changed is None:
                del made[key]
                with pytest.raises(AssertionError):
                    hold_equal(made, resources_of(recorder, UNCOVERED))
                continue
            for one in changed:
                with pytest.raises(AssertionError):
                    hold_equal({**made, key: one}, resources_of(recorder, UNCOVERED))


def changes_of(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Without each of the properties that say something."""
    said = [name for name, value in properties.items() if value not in ([], {}, None)]
    return [{name: value for name, value in properties.items() if name != left_out} for left_out in said]


def test_what_holds_data_is_kept_and_protected() -> None:
    _, vault = (template.structure() for template in load("stream-copy").of_any({}).templates)
    kept = {
        name: (one["DeletionPolicy"], one["UpdateReplacePolicy"])
        for name, one in vault["Resources"].items()
        if one["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
    }
    assert kept == dict.fromkeys(("CopyTable", "MarkerTable", "SetAsideBucket"), ("Retain", "Retain"))
    assert all(
        vault["Resources"][name]["Properties"]["DeletionProtectionEnabled"] for name in ("CopyTable", "MarkerTable")
    )


@settings(max_examples=200, deadline=None)
@given(name=st.from_regex(NAME, fullmatch=True))
def test_every_name_that_the_template_takes_is_called_as_the_model_calls_it(name: str) -> None:
    copy = replace(COPY, name=name)
    given_parameters = parameters(copy, "arn:aws:dynamodb:us-east-1:111111111111:table/drill-clients/stream/L")
    arns = {
        "FunctionRole": copy.production_role_arn,
        "GivenUpQueue": copy.queue_arn,
        "Function": copy.function_arn,
        "Heartbeat": "arn:aws:events:us-east-1:111111111111:rule/r",
    }
    bundle = load("stream-copy").of_any({})
    made = resources(bundle, resolvers(bundle, given_parameters, PLACES, arns))
    named = {(kind, found) for _, kind, found in made}
    assert {
        ("AWS::IAM::Role", copy.production_role),
        ("AWS::IAM::Role", copy.vault_role),
        ("AWS::SQS::Queue", copy.queue),
        ("AWS::Lambda::Function", copy.function),
        ("AWS::Events::Rule", copy.heartbeat_rule),
        ("AWS::DynamoDB::Table", copy.copy_table),
        ("AWS::DynamoDB::Table", copy.marker_table),
        ("AWS::S3::Bucket", copy.bucket),
    } <= named


def test_every_parameter_is_described_and_referred_to() -> None:
    for template in load("stream-copy").of_any({}).templates:
        document = template.structure()
        text = json.dumps({key: value for key, value in document.items() if key != "Parameters"})
        for name, parameter in document["Parameters"].items():
            assert len(parameter["Description"]) > 10
            assert f'"{name}"' in text or f"${{{name}}}" in text
    production, vault = load("stream-copy").of_any({}).templates
    decided = {"".join(word.capitalize() for word in name.split("_")) for name in DECIDED}
    assert decided <= {*production.structure()["Parameters"], *vault.structure()["Parameters"]}
