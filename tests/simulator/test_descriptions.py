"""Sessions of a simulated AWS share what they read of the services, and nothing else."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.handlers
import botocore.loaders
import botocore.session
import pytest

from drills.simulator import SimulatedAWS


@pytest.fixture(autouse=True)
def _botocores_own_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    # All tests share what is read of services; here a simulated AWS does so by itself.
    monkeypatch.setattr(botocore.session, "create_loader", botocore.loaders.create_loader)


def description(session: botocore.session.Session) -> object:
    return session.get_component("data_loader").load_service_model("sts", "service-2")


def of(session: boto3.Session) -> botocore.session.Session:
    return session._session


def test_a_service_is_read_of_once_for_all_sessions() -> None:
    with SimulatedAWS() as aws:
        sessions = [of(aws.session("111111111111")), of(aws.session("222222222222")), of(boto3.Session())]
        assert len({id(description(session)) for session in sessions}) == 1


def test_a_session_with_a_search_path_of_its_own_reads_for_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with SimulatedAWS() as aws:
        first = of(aws.session("111111111111"))
        monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
        for other in (of(aws.session("111111111111")), of(boto3.Session())):
            assert str(tmp_path) in other.get_component("data_loader").search_paths
            assert description(other) is not description(first)


def test_no_session_makes_the_next_one_search_more_folders() -> None:
    with SimulatedAWS() as aws:
        paths = [len(of(aws.session("111111111111")).get_component("data_loader").search_paths) for _ in range(3)]
        assert len(set(paths)) == 1


def test_what_is_registered_with_one_session_is_not_told_of_anothers_calls() -> None:
    with SimulatedAWS() as aws:
        one, other = aws.session("111111111111"), aws.session("111111111111")
        told: list[str] = []
        one.events.register("before-call.sts", lambda model, **_: told.append(model.name))
        other.client("sts").get_caller_identity()
        assert told == []
        one.client("sts").get_caller_identity()
        assert told == ["GetCallerIdentity"]


def test_an_administrators_session_has_the_handlers_of_any_session() -> None:
    with SimulatedAWS() as aws:
        made, plain = aws.session("111111111111"), boto3.Session()
        for event in ("before-send.s3.GetObject", "before-parameter-build.s3.PutObject", "creating-client-class.s3"):
            made_handlers, plain_handlers = (
                of(session).get_component("event_emitter")._emitter._handlers.prefix_search(event)
                for session in (made, plain)
            )
            assert len(made_handlers) == len(plain_handlers) > 0


def test_what_is_registered_with_a_session_of_boto3s_own_is_its_alone() -> None:
    with SimulatedAWS() as aws:
        keys = aws.session("111111111111").get_credentials()
        assert keys is not None
        one, other = (boto3.Session(keys.access_key, keys.secret_key, region_name="us-east-1") for _ in range(2))
        told: list[str] = []
        one.events.register("before-call.sts", lambda model, **_: told.append(model.name))
        other.client("sts").get_caller_identity()
        assert told == []
        assert one.client("sts").get_caller_identity()["Account"] == "111111111111"
        assert told == ["GetCallerIdentity"]


def test_a_handler_put_among_botocores_own_is_every_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    handler = ("before-call.sts", lambda model, **_: told.append(model.name))
    with SimulatedAWS() as aws:
        aws.session("111111111111").client("sts").get_caller_identity()
        monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", [*botocore.handlers.BUILTIN_HANDLERS, handler])
        boto3.Session("testing", "testing", region_name="us-east-1").client("sts").get_caller_identity()
        assert told == ["GetCallerIdentity"]


@pytest.mark.parametrize("service", ["sts", "s3", "dynamodb"])
def test_a_service_is_read_of_as_botocore_reads(service: str) -> None:
    mine = botocore.loaders.create_loader().load_service_model(service, "service-2")
    with SimulatedAWS():
        assert botocore.loaders.create_loader().load_service_model(service, "service-2") == mine
