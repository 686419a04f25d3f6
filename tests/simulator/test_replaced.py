"""What is replaced in moto is what it was, and is put back."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import boto3
import moto
import pytest
from moto import mock_aws

from drills.errors import SimulatorError
from drills.simulator import SimulatedAWS, replaced

ALL = replaced.replacements()


def test_something_is_replaced_and_nothing_twice() -> None:
    targets = [one.target for one in ALL]
    assert len(targets) > 10
    assert len(set(targets)) == len(targets)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.target)
def test_moto_has_not_changed_what_is_replaced(one: replaced.Replacement) -> None:
    assert one.digest_now() == one.digest, (
        f"moto {moto.__version__} has changed {one.target}, which the simulated AWS replaces because {one.reason}. "
        f"Compare it with moto {replaced.MOTO}: bring what is new into {one.replacement!r}, or drop the replacement if "
        f"moto does it right now; then put the digest {one.digest_now()!r} and replaced.MOTO right."
    )


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.target)
def test_each_has_a_reason(one: replaced.Replacement) -> None:
    assert len(one.reason) > 15


def test_everything_is_put_back_even_after_an_error() -> None:
    before = {one.target: one.original() for one in ALL}
    own = {one.target: one.owner_and_name[1] in vars(one.owner_and_name[0]) for one in ALL}
    inside: list[bool] = []

    def use_and_fail() -> None:
        with SimulatedAWS():
            inside.extend(one.original() is one.replacement for one in ALL)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use_and_fail()
    assert len(inside) == len(ALL)
    assert all(inside)
    assert {one.target: one.original() for one in ALL} == before
    assert {one.target: one.owner_and_name[1] in vars(one.owner_and_name[0]) for one in ALL} == own


def test_plain_moto_works_as_before_afterwards() -> None:
    with SimulatedAWS():
        pass
    with mock_aws():
        iam, sts = boto3.client("iam"), boto3.client("sts")
        # As in moto, a role need not exist.
        arn = "arn:aws:iam::111111111111:role/nobody"
        assert sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]["AccessKeyId"]
        assert iam.list_roles()["Roles"] == []


class _Changed:
    def answer(self) -> int:
        return 1


def _another(one: replaced.Replacement) -> replaced.Replacement:
    return replace(one, digest="000000000000")


def test_another_moto_is_accepted_where_nothing_replaced_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moto, "__version__", "5.9.9")
    assert replaced.differences() == []
    with SimulatedAWS():
        pass


def test_another_moto_that_changed_something_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moto, "__version__", "5.9.9")
    monkeypatch.setattr(replaced, "replacements", lambda: (_another(ALL[0]), *ALL[1:]))
    with pytest.raises(SimulatorError) as caught:
        SimulatedAWS().__enter__()
    said = str(caught.value)
    assert "moto 5.9.9 is installed" in said
    assert ALL[0].target in said
    assert ALL[0].reason in said
    assert "changed_moto='accepted'" in said
    with SimulatedAWS(changed_moto="accepted") as aws:
        aws.clock.sleep(1)


def test_what_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = replace(ALL[0], target="moto.core.responses:BaseResponse.no_more")
    monkeypatch.setattr(replaced, "replacements", lambda: (gone,))
    assert replaced.differences()[0].startswith("moto.core.responses:BaseResponse.no_more is gone")


def test_the_digest_follows_the_source() -> None:
    target = f"{__name__}:_Changed.answer"
    one = replaced.Replacement(target, None, "a test's own")
    first = one.digest_now()
    assert first == one.digest_now()
    source: Any = inspect.getsource(_Changed.answer)
    assert "return 1" in source
    other = replaced.Replacement(f"{__name__}:_another", None, "a test's own")
    assert other.digest_now() != first
