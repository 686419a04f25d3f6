"""The snapshot copy's stacks make what its deployment by API makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drills.model import AccountRole
from drills.simulator import SimulatedAWS
from drills.snapshot_copy import Options, Side, SnapshotCopy, deploy
from drills.templates import Bundle, load
from drills.templates.snapshot_copy import NAME
from tests.handlers.copy_site import ACCOUNTS, LocalSite
from tests.templates.api_calls import Recorder, Resources, resources_of
from tests.templates.sides import hold_equal, resolvers, resources

PLACES = {
    "production-key": ("111111111111", "eu-west-1"),
    "vault": ("222222222222", "eu-west-1"),
    "production": ("111111111111", "us-east-1"),
}
COPY = SnapshotCopy(
    "111111111111",
    "us-east-1",
    "222222222222",
    "eu-west-1",
    "drill-clients",
    readers=("111111111111", "333333333333"),
)
OPTIONS: Mapping[str, Any] = {
    "interval": "30m",
    "every_minutes": 1,
    "names": ["prod-*"],
    "vault_keep": 3,
    "option_groups": {"a": "b"},
    "alarm_topics": {"vault": "arn:aws:sns:eu-west-1:222222222222:people"},
}


def called(copy: SnapshotCopy) -> Recorder:
    with SimulatedAWS(seed=1) as aws:
        known: dict[tuple[str, str, str], Any] = {}

        def client(side: AccountRole, service: str, region: str) -> Any:
            if (side, service, region) not in known:
                session = aws.session(ACCOUNTS[side].id)
                known[side, service, region] = session.client(service, region_name=region)  # type: ignore[call-overload]
            return known[side, service, region]

        recorder = Recorder(client)
        deploy(copy, recorder, LocalSite(aws).wait)
    return recorder


def made(bundle: Bundle, copy: SnapshotCopy, recorder: Recorder) -> Resources:
    keys = {
        side: arn
        for side, _, operation, _, answer in recorder.calls
        if operation == "CreateKey"
        for arn in [str(answer["KeyMetadata"]["Arn"])]
    }
    rules = {side: str(answer["RuleArn"]) for side, _, operation, _, answer in recorder.calls if operation == "PutRule"}
    given_parameters = {
        "Name": copy.name,
        "SourceAccount": copy.source_account,
        "SourceRegion": copy.source_region,
        "VaultAccount": copy.vault_account,
        "VaultRegion": copy.vault_region,
        "RecoveryAccount": copy.readers[-1],
        "ExternalId": copy.external_id,
        "CodeBucket": "packages",
    }
    found: Resources = {}
    for template in bundle.templates:
        side: Side = "vault" if template.name == "vault" else "production"
        arns = {
            "FunctionRole": copy.role_arn(side),
            "ReaderRole": copy.reader_role_arn,
            "Function": copy.function_arn(side),
            "Schedule": rules[side],
            "Key": keys.get(side, ""),
        }
        more: dict[str, Any] = {"ProductionKeyArn": keys["production"]} if "production" in keys else {}
        if template.name == "production" and "vault" in keys:
            more["VaultKeyArn"] = keys["vault"]
        one = replace(bundle, templates=(template,))
        stack = resolvers(one, {**given_parameters, **more}, PLACES, arns)
        found |= {(side, *key[1:]): value for key, value in resources(one, stack).items()}
    return found


def any_store(site: LocalSite) -> tuple[SnapshotCopy, Bundle]:
    return COPY, load("snapshot-copy").of_any({})


def with_options(site: LocalSite) -> tuple[SnapshotCopy, Bundle]:
    return replace(COPY, options=Options.parse(OPTIONS)), load("snapshot-copy").of_any(OPTIONS)


def with_their_keys(site: LocalSite) -> tuple[SnapshotCopy, Bundle]:
    keys = {
        side: f"arn:aws:kms:eu-west-1:{account}:key/theirs"
        for side, account in (("production_key", "111111111111"), ("vault_key", "222222222222"))
    }
    return replace(COPY, options=Options.parse(keys)), load("snapshot-copy").of_any(keys)


def of_the_store(site: LocalSite) -> tuple[SnapshotCopy, Bundle]:
    from drills.protections.rds_snapshot_copy import copy_of

    return copy_of(site, OPTIONS), load("snapshot-copy").of_store(site, OPTIONS)


@pytest.mark.parametrize("case", [any_store, with_options, with_their_keys, of_the_store])
def test_the_stacks_are_what_the_api_is_asked_for(case: Callable[[LocalSite], tuple[SnapshotCopy, Bundle]]) -> None:
    copy, bundle = case(LocalSite(SimulatedAWS()))
    recorder = called(copy)
    hold_equal(made(bundle, copy, recorder), resources_of(recorder, {}))


def test_keys_are_kept() -> None:
    key, vault, _ = (template.structure() for template in load("snapshot-copy").of_any({}).templates)
    for document in (key, vault):
        for name in ("Key", "KeyAlias"):
            one = document["Resources"][name]
            assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("Retain", "Retain")


@settings(max_examples=200, deadline=None)
@given(name=st.from_regex(NAME, fullmatch=True).filter(lambda name: "--" not in name))
def test_every_name_that_the_template_takes_is_called_as_the_model_calls_it(name: str) -> None:
    copy = replace(COPY, name=name)
    assert copy.prefix == name
    assert {copy.function("production"), copy.role("vault"), copy.reader_role, copy.rule("vault")} == {
        f"{name}-production",
        f"{name}-vault",
        f"{name}-reader",
    }
