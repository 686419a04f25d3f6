"""Nothing is written before every account is proven safe: counted at the server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.sandbox_ground import FILE, PRODUCTION, RECOVERY, VAULT, Ground, refusal

WHAT = ("bulk_erase", "--estate", "small.yaml", "--on", "sandbox.yaml", "--records", "12")


@pytest.fixture
def prepared(ground: Ground) -> Ground:
    ground.estate()
    ground.file()
    return ground


def digest_of(ground: Ground, capsys: pytest.CaptureFixture[str]) -> str:
    ground.drills("plan", *WHAT)
    return str(re.findall(r"^PLAN_DIGEST (\S+)$", capsys.readouterr().out, re.MULTILINE)[0])


def refused(ground: Ground, capsys: pytest.CaptureFixture[str]) -> str:
    """The message of a drill that is approved and refused, with nothing written."""
    digest = digest_of(ground, capsys)
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


EXPIRED = "The security token included in the request is expired"
NOT_AUTHORIZED = "is not authorized to perform:"


@pytest.mark.parametrize(
    ("operation", "status", "code", "message", "told"),
    [
        ("AssumeRole", 403, "ExpiredToken", EXPIRED, "who these"),
        (
            "GetCallerIdentity",
            403,
            "ExpiredToken",
            EXPIRED,
            "who these",
        ),
        ("AssumeRole", 403, "AccessDenied", f"x {NOT_AUTHORIZED} sts:AssumeRole", "who these"),
        ("ListAccountAliases", 403, "AccessDenied", f"x {NOT_AUTHORIZED} iam:ListAccountAliases", "its alias"),
        (
            "DescribeOrganization",
            400,
            "AccessDeniedException",
            f"x {NOT_AUTHORIZED} organizations:DescribeOrganization",
            "which is its organization's management account",
        ),
    ],
)
def test_expired_tokens_and_denied_permissions(
    operation: str,
    status: int,
    code: str,
    message: str,
    told: str,
    prepared: Ground,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepared.mark()
    prepared.troubles.append(lambda called, form: refusal(status, code, message, form) if called == operation else None)
    error = refused(prepared, capsys)
    assert f"expected AWS to tell {told}" in error
    assert code in error
    assert message in error
    assert "drills plan --permissions" in error
    assert prepared.calls.count(operation) == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException"])
def test_what_is_denied_at_the_first_change_ends_the_drill_there(
    code: str, prepared: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared.mark()
    digest = digest_of(prepared, capsys)
    prepared.troubles.append(
        lambda called, form: refusal(400, code, "not dynamodb:CreateTable", form) if called == "CreateTable" else None
    )
    assert prepared.drills("run", *WHAT, "--approve", digest, "--out", "out") == 4
    assert "not dynamodb:CreateTable" in capsys.readouterr().err
    assert prepared.writes == ["CreateTable"]
    (report,) = Path("out").glob("*/report.json")
    findings = {one["check"]: one for one in json.loads(report.read_text())["findings"]}
    assert code in findings["drill"]["observed"]
    assert findings["clean_up"]["verdict"] == "pass"
