"""Nothing is written before every account is proven safe: counted at the server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sandbox_ground import FILE, PRODUCTION, RECOVERY, VAULT, Ground

WHAT = ("bulk_erase", "--estate", "small.yaml", "--on", "sandbox.yaml", "--records", "12")


@pytest.fixture
def prepared(ground: Ground) -> Ground:
    ground.estate()
    ground.file()
    return ground


def refused(ground: Ground, capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a drill that is approved and refused, with nothing written."""
    ground.drills("plan", *WHAT)
    digest = re.findall(r"^PLAN_DIGEST (\S+)$", capsys.readouterr().out, re.MULTILINE)[0]
    ground.calls.clear()
    assert ground.drills("run", *WHAT, "--approve", digest) == 2
    error = capsys.readouterr().err
    assert "Nothing was done." in error
    assert ground.writes == []
    assert ground.calls
    assert not Path("reports").exists()
    return error


def test_the_wrong_account(prepared: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    prepared.mark()
    text = FILE.replace('role_arn: "arn:aws:iam::121212121212:role/drills", profile: here', "profile: here")
    prepared.file(text)
    error = refused(prepared, capsys)
    assert f"accounts.production leads into account 123456789012; expected {PRODUCTION}" in error


def test_no_mark(prepared: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    prepared.mark(["production", "vault"])
    error = refused(prepared, capsys)
    assert f"accounts.recovery ({RECOVERY}): expected an account alias with the word 'sandbox' in it" in error
    assert "found no alias" in error


def test_an_alias_of_another_word_is_no_mark(prepared: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    prepared.mark(["production", "recovery"])
    prepared.client("iam", "vault").create_account_alias(AccountAlias="acme-sandboxed")
    assert f"accounts.vault ({VAULT})" in refused(prepared, capsys)


def test_the_management_account(prepared: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    prepared.mark()
    prepared.client("organizations", "vault", "us-east-1").create_organization(FeatureSet="ALL")
    assert f"accounts.vault is {VAULT}, the management account of its organization" in refused(prepared, capsys)


def test_the_three_differ(prepared: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    prepared.file(FILE.replace(VAULT, PRODUCTION))
    assert prepared.drills("run", *WHAT, "--approve", "x") == 2
    assert f"both have the id {PRODUCTION}" in capsys.readouterr().err
    assert prepared.calls == ["GetMotoPage"]


def test_nobody_answers(prepared: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be asked is not proven safe."""
    monkeypatch.setattr("drills.sessions.RETRIES", {"mode": "standard", "total_max_attempts": 1})
    prepared.file(FILE.replace("endpoint_url: URL", "endpoint_url: http://127.0.0.1:9"))
    prepared.drills("plan", *WHAT)
    digest = re.findall(r"^PLAN_DIGEST (\S+)$", capsys.readouterr().out, re.MULTILINE)[0]
    assert prepared.drills("run", *WHAT, "--approve", digest) == 2
    error = capsys.readouterr().err
    assert "expected AWS to tell who these credentials are, found: EndpointConnectionError" in error
