"""Accounts files, and the accounts that they lead into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills.accounts_file import parse_accounts, read_accounts
from drills.errors import ConfigurationError, UsageError
from drills.estate import parse_estate
from tests.own_ground import ACCOUNTS, ELSEWHERE, ESTATE, PRODUCTION, RECOVERY, VAULT, Ground, own_ground

ROLE = f"arn:aws:iam::{VAULT}:role/drills"


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    with own_ground(tmp_path, monkeypatch) as found:
        yield found


# --- The file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml:1:1: the accounts file: expected a mapping, found nothing"),
        ("accounts: {}", "a.yaml:1:11: 'accounts' in the accounts file: expected at least one of production, vault"),
        ("accounts: {production: {}}", "a.yaml:1:24: 'accounts.production' in the accounts file: expected 'profile'"),
        ("accounts: {prodction: {profile: a}, vault: {profile: b}}", "a.yaml:1:12: unknown key 'prodction' of 'acc"),
        ("accounts: {vault: {profile: b, regin: x}}", "did you mean 'region'?"),
        ("accounts: {vault: {role_arn: 'arn:aws:x'}}", "expected a role such as arn:aws:iam::123456789012:role/drills"),
        ("accounts: {vault: {profile: b, external_id: abc}}", "expected 'role_arn' beside 'external_id'"),
        ("accounts:\n  vault: {profile: b, region: eu-wst-1}", "a.yaml:2:31: 'accounts.vault.region'"),
        ("accounts:\n  vault: {profile: b, id: 12}", "expected an account id of 12 digits, found 12"),
        ("accounts: {vault: {profile: b}}\nendpoint_url: localhost", "a.yaml:2:15: 'endpoint_url'"),
        ("accounts: {vault: {profile: b}}\naccounts: 1", "the key 'accounts' stands here a second time"),
        ("accounts: [", "a.yaml:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_accounts(text, "a.yaml")
    assert message in str(caught.value)


def test_secrets_in_the_file_are_refused_and_not_repeated() -> None:
    text = (
        "accounts: {vault: {profile: b, aws_secret_access_key: hunter2}}\nendpoint_url: https://me:hunter3@example.org"
    )
    with pytest.raises(ConfigurationError) as caught:
        parse_accounts(text, "a.yaml")
    assert "unknown key 'aws_secret_access_key'" in str(caught.value)
    assert "there are no secrets in this file" in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_accounts(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"accounts:\n  \xff")
    with pytest.raises(ConfigurationError, match=r"bad.yaml:2:3: expected UTF-8"):
        read_accounts(tmp_path / "bad.yaml")


def test_what_the_file_says_of_an_account_wins_over_the_estate(tmp_path: Path) -> None:
    estate = parse_estate(ESTATE.replace("PROTECTIONS", "[dynamodb_pitr]"), file="e", name="hotel", folder=tmp_path)
    given = parse_accounts(f"accounts: {{vault: {{profile: x, id: '{ELSEWHERE}', region: us-east-1}}}}", "a.yaml")
    accounts = given.of(estate).accounts
    assert (accounts["vault"].id, accounts["vault"].region) == (ELSEWHERE, "us-east-1")
    assert accounts["production"] == estate.accounts["production"]
    with pytest.raises(UsageError, match=f"'production' and 'vault' both have the id {PRODUCTION}"):
        parse_accounts(f"accounts: {{vault: {{profile: x, id: '{PRODUCTION}'}}}}", "a.yaml").of(estate)
    with pytest.raises(UsageError, match=f"role_arn lies in account {VAULT}; expected {RECOVERY}.*Nothing was done"):
        parse_accounts(f"accounts: {{recovery: {{role_arn: '{ROLE}'}}}}", "a.yaml").of(estate)


# --- The accounts --------------------------------------------------------------------------------------------------


def test_each_account_is_reached_with_its_own_profile(ground: Ground) -> None:
    own = ground.own()
    own.verify(["production", "vault", "recovery"])
    found = {
        role: own.accounts.client("sts", role, "eu-west-1").get_caller_identity()["Account"]
        for role in own.estate.accounts
    }
    assert found == {"production": PRODUCTION, "vault": VAULT, "recovery": RECOVERY}


def test_the_wrong_account_ends_everything_before_it_begins(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.make_table(3)
    # Every call that is made by then is the question who one is.
    operations: list[str] = []
    ground.aws.on_call(lambda request, status: operations.append(request.operation))
    assert ground.run("protect", accounts=ACCOUNTS.replace("vault}", "stranger}")) == 2
    assert f"accounts.vault leads into account {ELSEWHERE}; expected {VAULT}" in capsys.readouterr().err
    assert set(operations) == {"GetCallerIdentity"}
    assert ground.run("restore", "--store", "bookings", "--into", "production", "--yes",
                      accounts=ACCOUNTS.replace("vault}", "stranger}")) == 2  # fmt: skip
    assert set(operations) == {"GetCallerIdentity"}


def test_a_profile_that_is_missing(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    assert ground.run("protect", accounts=ACCOUNTS.replace("vault}", "vualt}")) == 2
    err = capsys.readouterr().err
    assert "accounts.vault.profile: there is no profile 'vualt' in the AWS configuration; did you mean 'vault'?" in err


def test_an_account_that_is_needed_and_not_in_the_file(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    alone = "accounts: {production: {profile: prod}}"
    assert ground.run("protect", accounts=alone) == 2
    assert "expected accounts.vault, which this command needs, found no such key" in capsys.readouterr().err
    ground.make_table(3)
    assert ground.run("protect", "--protection", "dynamodb_pitr", accounts=alone) == 0


def test_credentials_that_are_refused(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    ground.aws.close_account(VAULT)
    assert ground.run("protect") == 2
    captured = capsys.readouterr()
    assert f"expected to come into account {VAULT} with profile vault, found: GetCallerIdentity was" in captured.err
    keys = (ground.folder / "credentials").read_text().split()
    assert not any(word in captured.err + captured.out for word in keys if len(word) > 15 and word.isalnum())


def test_no_account_at_all(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    for account in (PRODUCTION, VAULT, RECOVERY):
        ground.aws.close_account(account)
    assert ground.run("points", "--store", "bookings") == 2
    assert "no account can be reached. Nothing was done.\n  production: " in capsys.readouterr().err


def test_a_role_is_assumed_with_a_profile_and_renewed(ground: Ground) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": PRODUCTION},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "hotel-1"}},
        },
    }
    iam = ground.client("iam", VAULT)
    iam.create_role(RoleName="drills", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(
        RoleName="drills",
        PolicyName="all",
        PolicyDocument='{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}',
    )
    role = f"vault: {{role_arn: '{ROLE}', profile: prod, external_id: hotel-1}}"
    own = ground.own(accounts=ACCOUNTS.replace("vault: {profile: vault}", role))
    own.verify(["production", "vault"])
    dynamodb = own.accounts.client("dynamodb", "vault", "eu-central-1")
    for _ in range(3):
        assert dynamodb.list_tables()["TableNames"] == []
        ground.aws.clock.sleep(3_000)
    assumed = [call for call in own.calls if call.operation == "GetCallerIdentity" and call.role == "vault"]
    assert [call.error for call in assumed] == [None]


def test_a_role_that_does_not_trust_us(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    role = f"vault: {{role_arn: '{ROLE}', profile: prod}}"
    assert ground.run("protect", accounts=ACCOUNTS.replace("vault: {profile: vault}", role)) == 2
    err = capsys.readouterr().err
    assert f"with profile prod and role_arn {ROLE}, found: AssumeRole was answered AccessDenied" in err


def test_a_role_with_no_credentials_to_assume_it(
    ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    role = f"vault: {{role_arn: '{ROLE}'}}"
    assert ground.run("protect", accounts=ACCOUNTS.replace("vault: {profile: vault}", role)) == 2
    assert "expected credentials in the environment to assume the role with, found none" in capsys.readouterr().err
