"""The bucket copy's stacks make what its deployment by API makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from drills.bucket_copy import BucketCopy, Options, deploy
from drills.simulator import SimulatedAWS
from drills.templates import Bundle, load
from tests.handlers.copy_site import ACCOUNTS, LocalSite
from tests.templates.api_calls import Recorder, resources_of
from tests.templates.resolving import Resolver
from tests.templates.sides import hold_equal, resolvers, resources

PLACES = {"production": ("111111111111", "us-east-1"), "vault": ("222222222222", "eu-west-1")}
COPY = BucketCopy(
    "111111111111",
    "us-east-1",
    "drill-clients",
    "222222222222",
    "eu-west-1",
    "drill-clients-copy-of-222222222222",
    "drill-clients-copy",
    readers=("333333333333",),
)
UNCOVERED = {
    "production s3.PutBucketVersioning": "the source bucket is not the stack's",
    "production s3.PutBucketReplication": "so is its replication; production's stack gives the rule as an output",
    "vault s3.PutObject": "what the vault remembers of the bucket is data; drills protect writes it",
}
OPTIONS: Mapping[str, Any] = {"lock_mode": "compliance", "lock_days": 3, "noncurrent_days": 9, "prefix": "2026/"}


def called(copy: BucketCopy, key: str | None) -> Recorder:
    """What deploying by API calls. ``key``: by which key the source encrypts, None where it does not by KMS."""
    with SimulatedAWS(seed=1) as aws:
        clients: dict[tuple[str, str], Any] = {}

        def client(side: str, service: str) -> Any:
            if (side, service) not in clients:
                account = ACCOUNTS[side]  # type: ignore[index]
                clients[side, service] = aws.session(account.id).client(service, region_name=account.region)  # type: ignore[call-overload]
            return clients[side, service]

        s3 = client("production", "s3")
        s3.create_bucket(Bucket=copy.source_bucket)
        if key is not None:
            default = {"SSEAlgorithm": "aws:kms", **({"KMSMasterKeyID": key} if key else {})}
            s3.put_bucket_encryption(
                Bucket=copy.source_bucket,
                ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
            )
        recorder = Recorder(client)
        deploy(copy, recorder)
    return recorder


def parameters(copy: BucketCopy) -> dict[str, Any]:
    return {
        "Name": copy.name,
        "SourceBucket": copy.source_bucket,
        "SourceAccount": copy.source_account,
        "SourceRegion": copy.source_region,
        "CopyBucket": copy.copy_bucket,
        "VaultAccount": copy.vault_account,
        "VaultRegion": copy.vault_region,
        "RecoveryAccount": copy.readers[0],
    }


def rule_of(recorder: Recorder) -> Any:
    """What the source's replication was put to."""
    return next(
        request["ReplicationConfiguration"]
        for _, _, operation, request, _ in recorder.calls
        if operation == "PutBucketReplication"
    )


def with_bucket(site: LocalSite | None) -> tuple[BucketCopy, Bundle]:
    return COPY, load("bucket-copy").of_any({})


def with_options(site: LocalSite) -> tuple[BucketCopy, Bundle]:
    return replace(COPY, options=Options.parse(OPTIONS)), load("bucket-copy").of_any(OPTIONS)


def of_the_store(site: LocalSite) -> tuple[BucketCopy, Bundle]:
    from drills.protections.s3_replication import copy_of

    return copy_of(site, OPTIONS), load("bucket-copy").of_store(site, OPTIONS)


def site_of_a_bucket() -> LocalSite:
    """Only asked for names."""
    return LocalSite(SimulatedAWS())


@pytest.mark.parametrize("made", [with_bucket, with_options, of_the_store])
def test_the_stacks_are_what_the_api_is_asked_for(made: Callable[[LocalSite], tuple[BucketCopy, Bundle]]) -> None:
    copy, bundle = made(site_of_a_bucket())
    recorder = called(copy, None)
    stacks = resolvers(bundle, parameters(copy), PLACES, {"ReplicationRole": copy.role_arn})
    hold_equal(resources(bundle, stacks), resources_of(recorder, UNCOVERED))
    assert json.loads(stacks["production"].outputs()["ReplicationConfiguration"]) == rule_of(recorder)
    assert stacks["vault"].resolve(bundle.templates[1].outputs["ReplicaKeyArn"][1]) == ""


@pytest.mark.parametrize("key", ["", "arn:aws:kms:us-east-1:111111111111:key/of-the-source"])
def test_a_bucket_that_encrypts_by_kms(key: str) -> None:
    recorder = called(COPY, key)
    made = next(answer for _, _, operation, _, answer in recorder.calls if operation == "CreateKey")
    arn = str(made["KeyMetadata"]["Arn"])
    bundle = load("bucket-copy").of_any({})
    given = {**parameters(COPY), "MakeKey": "true", "ReplicaKeyArn": arn, "SourceKeyArn": key}
    stacks = resolvers(bundle, given, PLACES, {"ReplicationRole": COPY.role_arn, "ReplicaKey": arn})
    hold_equal(resources(bundle, stacks), resources_of(recorder, UNCOVERED))
    assert json.loads(stacks["production"].outputs()["ReplicationConfiguration"]) == rule_of(recorder)


def test_a_key_of_the_vault_that_is_there_already() -> None:
    arn = "arn:aws:kms:eu-west-1:222222222222:key/theirs"
    copy = replace(COPY, options=Options.parse({"kms_key": arn}))
    recorder = called(copy, None)
    bundle = load("bucket-copy").of_any({"kms_key": arn})
    stacks = resolvers(bundle, parameters(copy), PLACES, {"ReplicationRole": copy.role_arn})
    hold_equal(resources(bundle, stacks), resources_of(recorder, UNCOVERED))
    assert json.loads(stacks["production"].outputs()["ReplicationConfiguration"]) == rule_of(recorder)


def test_alarms_where_s3_tells_how_late_it_is() -> None:
    """They are the one thing that the deployment by API does not make."""
    options = {"replication_time": True, "maximum_lag": "10m"}
    copy = replace(COPY, options=Options.parse(options))
    recorder = called(copy, None)
    bundle = load("bucket-copy").of_any(options)
    stacks = resolvers(
        bundle,
        {**parameters(copy), "AlarmTopic": "arn:aws:sns:us-east-1:111111111111:people"},
        PLACES,
        {"ReplicationRole": copy.role_arn},
    )
    made = resources(bundle, stacks)
    alarms = {key: made.pop(key) for key in list(made) if key[1] == "AWS::CloudWatch::Alarm"}
    hold_equal(made, resources_of(recorder, UNCOVERED))
    rule = rule_of(recorder)
    assert json.loads(stacks["production"].outputs()["ReplicationConfiguration"]) == rule
    told = {(one["MetricName"], one["Threshold"], *(d["Value"] for d in one["Dimensions"])) for one in alarms.values()}
    watched = (copy.source_bucket, copy.copy_bucket, rule["Rules"][0]["ID"])
    assert told == {("ReplicationLatency", 600.0, *watched), ("OperationsFailedReplication", 0.0, *watched)}
    assert all(one["AlarmActions"] == ["arn:aws:sns:us-east-1:111111111111:people"] for one in alarms.values())


def test_nothing_of_the_vault_is_lost_with_its_stack() -> None:
    _, vault = (template.structure() for template in load("bucket-copy").of_any({}).templates)
    for one in vault["Resources"].values():
        assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_role_can_delete_nothing() -> None:
    document = json.loads(json.dumps(load("bucket-copy").of_any({}).templates[0].structure()))
    given = {name: value for name, value in parameters(COPY).items() if name in document["Parameters"]}
    role = Resolver(document, given, *PLACES["production"], {}).resources()["ReplicationRole"]
    actions = [
        action for one in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] for action in one["Action"]
    ]
    assert actions
    assert not [action for action in actions if "Delete" in action or "*" in action]
