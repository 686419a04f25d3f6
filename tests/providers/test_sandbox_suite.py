"""The suite that every provider must pass, on moto's own server; and what a sandbox's world does besides."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from drills.clock import ClockKind
from drills.errors import ConfigurationError
from drills.model import Estate
from drills.providers.emulators import MOTO
from drills.providers.interface import Call
from drills.providers.real_time import RealTime
from drills.providers.sandbox import SandboxProvider
from drills.sandbox_file import parse_sandbox
from tests import small_drill
from tests.provider_suite import ProviderSuite as Suite
from tests.sandbox_ground import FILE, PRODUCTION, RECOVERY, SECRET, VAULT, Ground

TEXT = (
    FILE.replace(PRODUCTION, small_drill.PRODUCTION)
    .replace(VAULT, small_drill.VAULT)
    .replace(RECOVERY, small_drill.RECOVERY)
)


class HandClock:
    """Real time that passes when it is waited for."""

    kind: ClockKind = "wall"

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, tzinfo=UTC)
        self.running = 0.0

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.running += seconds


@pytest.fixture
def provider(ground: Ground) -> SandboxProvider:
    hand = HandClock()
    return SandboxProvider(parse_sandbox(TEXT.replace("URL", ground.url), "sandbox.yaml"), hand, lambda: hand.running)


class TestSandbox(Suite):
    pass


def test_moto_is_recognised_and_what_it_lacks_is_data(provider: SandboxProvider) -> None:
    assert provider.lacks == MOTO.lacks
    assert not provider.capabilities & MOTO.lacks.keys()
    assert "(not AWS)" in provider.name


def test_what_the_file_says_is_lacking_is_taken_by_its_word(ground: Ground) -> None:
    text = TEXT.replace("URL", ground.url) + "lacks: {dynamodb.backup: it has none}\n"
    assert SandboxProvider(parse_sandbox(text, "f")).lacks == {"dynamodb.backup": "it has none"}


def test_the_check_of_organizations_cannot_be_declared_away(ground: Ground) -> None:
    text = TEXT.replace("URL", ground.url) + "lacks: {organizations: it has none}\n"
    with pytest.raises(ConfigurationError, match="cannot be declared lacking"):
        parse_sandbox(text, "f")


def test_what_proves_an_account_safe_is_known_of_the_endpoint_whatever_the_file_says(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = {"organizations": "every account is told that it is the management account", "dynamodb.pitr": "none"}
    monkeypatch.setattr("drills.providers.emulators.EMULATORS", (replace(MOTO, lacks=lacks),))
    text = TEXT.replace("URL", ground.url)
    assert SandboxProvider(parse_sandbox(text, "f")).lacks == lacks
    declared = SandboxProvider(parse_sandbox(text + "lacks: {dynamodb.backup: it has none}\n", "f"))
    assert declared.lacks.keys() == {"organizations", "dynamodb.backup"}


def test_what_belongs_to_an_account_is_asked_for_at_the_endpoint_itself(
    ground: Ground, provider: SandboxProvider, estate: Estate
) -> None:
    with provider.open(estate, 1) as world:
        ground.calls.clear()
        control = world.client("s3control", "production", "eu-west-1")
        with pytest.raises(ClientError, match="NoSuchPublicAccessBlockConfiguration"):
            control.get_public_access_block(AccountId=small_drill.PRODUCTION)
    assert ground.calls[-1].endswith("/v20180820/configuration/publicAccessBlock")


def test_a_lost_account_is_refused_by_arn_too_and_the_server_hears_nothing(
    ground: Ground, provider: SandboxProvider
) -> None:
    estate = small_drill.estate()
    with provider.open(estate, 1) as world:
        vault = world.client("dynamodb", "vault", "eu-central-1")
        held = world.client("dynamodb", "production", "eu-west-1")
        vault.list_tables()
        held.list_tables()
        world.close_account("production")
        heard: list[Call] = []
        world.listen(heard.append)
        ground.calls.clear()
        arn = f"arn:aws:dynamodb:eu-west-1:{small_drill.PRODUCTION}:table/orders"
        with pytest.raises(ClientError, match="AccessDenied"):
            vault.describe_table(TableName=arn)
        for client in (held, world.client("dynamodb", "production", "eu-west-1")):
            with pytest.raises(ClientError, match="is lost in this drill: the call was not sent"):
                client.list_tables()
        assert ground.calls == []
        assert [call.error for call in heard] == ["AccessDenied", *["UnrecognizedClientException"] * 2]
        world.lift()
        assert world.client("dynamodb", "production", "eu-west-1").list_tables()["TableNames"] == []


def test_a_bucket_in_a_region_that_is_down_is_out_of_reach_from_another(
    ground: Ground, provider: SandboxProvider
) -> None:
    with provider.open(small_drill.estate(), 1) as world:
        where: Any = {"LocationConstraint": "eu-west-1"}
        here = world.client("s3", "production", "eu-west-1")
        here.create_bucket(Bucket="drill-suite-bucket", CreateBucketConfiguration=where)
        elsewhere = world.client("s3", "production", "eu-north-1")
        elsewhere.head_bucket(Bucket="drill-suite-bucket")
        world.region_down("eu-west-1")
        ground.calls.clear()
        with pytest.raises(EndpointConnectionError):
            elsewhere.head_bucket(Bucket="drill-suite-bucket")
        assert ground.calls == []


def test_what_was_made_and_not_deleted_is_left(provider: SandboxProvider, estate: Estate) -> None:
    suite = Suite()
    with provider.open(estate, 1) as world:
        at = suite.table(world, estate)
        (left,) = world.close()
        assert left.startswith(f"table drill-suite in account {at.account}, {at.region}: made by this drill")
        world.client("dynamodb", "production", at.region).delete_table(TableName=at.name)
        assert world.close() == ()


@pytest.fixture
def estate() -> Estate:
    return small_drill.estate()


def test_the_credentials_of_every_request_are_masked(provider: SandboxProvider, estate: Estate) -> None:
    with provider.open(estate, 1) as world:
        client = world.client("dynamodb", "production", "eu-west-1")
        client.list_tables()
        keys = client._request_signer._credentials.get_frozen_credentials()
    said = f"key {keys.access_key} secret {keys.secret_key} token {keys.token}"
    for secret in (keys.secret_key, keys.token):
        assert secret not in provider.redaction.text(said)


def test_debug_messages_of_botocore_are_capped(
    provider: SandboxProvider, estate: Estate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with provider.open(estate, 1) as world:
        world.client("dynamodb", "production", "eu-west-1").list_tables()
    assert [record for record in caplog.records if record.levelno < logging.INFO and "boto" in record.name] == []
    assert SECRET not in caplog.text


def test_a_laptop_that_slept_is_noticed() -> None:
    hand = HandClock()
    clock = RealTime(hand, lambda: hand.running)
    clock.sleep(3600)
    assert clock.jumps == []
    hand.at += timedelta(seconds=1)  # A time server's correction.
    clock.now()
    assert clock.jumps == []
    hand.at += timedelta(hours=2)
    assert clock.now() == hand.at
    (jump,) = clock.jumps
    assert jump.seconds == 7200


def test_what_falls_due_while_it_slept_is_carried_out_in_order() -> None:
    hand = HandClock()
    clock = RealTime(hand, lambda: hand.running)
    done: list[str] = []
    clock.call_later(20, lambda: done.append("second"))
    clock.call_later(10, lambda: done.append("first"))
    clock.call_later(500, lambda: done.append("later"))
    hand.at += timedelta(seconds=100)
    clock.sleep(0)
    assert done == ["first", "second"]
