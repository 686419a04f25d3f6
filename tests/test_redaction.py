"""Secrets are nowhere to be read: not in a crash's file, not on the terminal, not in a log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from drills import cli
from drills.redaction import MASK, Redaction, quiet_loggers, text_of_a_crash

KEY_ID = "ASIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUC"


@pytest.mark.parametrize(
    "text",
    [
        f"{{'Credentials': {{'AccessKeyId': '{KEY_ID}', 'SecretAccessKey': '{SECRET}', 'SessionToken': '{TOKEN}'}}}}",
        f'{{"aws_secret_access_key": "{SECRET}", "aws_session_token": "{TOKEN}"}}',
        f"Session(aws_secret_access_key={SECRET!r}, aws_session_token='{TOKEN}')",
        f"password={SECRET} host=db.example",
        f"connection to postgresql://admin:{SECRET.replace('/', '.')}@db.example:5432/shop failed",
        f"MasterUserPassword: {SECRET}",
        f"<SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>",
        f"https://s3.example/x?X-Amz-Security-Token={TOKEN}&X-Amz-Credential={KEY_ID}%2F2025",
    ],
)
def test_a_crash_quotes_no_secret_in_whatever_form(text: str) -> None:
    masked = text_of_a_crash(text)
    assert MASK in masked
    for secret in (KEY_ID, SECRET, SECRET.replace("/", "."), TOKEN):
        assert secret not in masked


def test_what_is_no_secret_stays() -> None:
    text = 'File "x.py", line 3, in f\n    password = ask()\nKeyError: "token" at http://127.0.0.1:5000/a@b'
    assert text_of_a_crash(text).replace(f"password = {MASK}", "password = ask(").count("\n") == 2
    assert 'KeyError: "token" at http://127.0.0.1:5000/a@b' in text_of_a_crash(text)


def crash(error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What stands on the terminal and what in the file, of a command that broke by this error."""

    def breaks(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("drills.running.run_drill", breaks)
    with pytest.raises(SystemExit) as left:
        cli.main(["run", "bulk_erase"])
    assert left.value.code == cli.BROKE
    told = capsys.readouterr().err
    details = Path(told.strip().rpartition("The details are in ")[2])
    text = details.read_text()
    details.unlink()
    return told, text


def test_an_unexpected_error_is_told_and_filed_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learned, given = "learned-by-signing-a-request", "given-in-the-environment"
    Redaction().learn(learned)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", given)
    cause = ValueError({"answer": [{"SecretAccessKey": SECRET, "nested": {"SessionToken": TOKEN}}]})
    cause.add_note(f"with {learned}")
    error = RuntimeError(f"{KEY_ID} signed with {given} and {learned}")
    error.__cause__ = cause
    told, text = crash(error, monkeypatch, capsys)
    assert "RuntimeError" in told
    assert "Traceback" in text
    assert "ValueError" in text
    for secret in (KEY_ID, SECRET, TOKEN, learned, given):
        assert secret not in told
        assert secret not in text


def test_loggers_that_show_requests_are_capped_whoever_turned_them_up() -> None:
    root, child = logging.getLogger().level, logging.getLogger("botocore.auth").level
    try:
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger("botocore.auth").setLevel(logging.DEBUG)
        quiet_loggers()
        loud = ("botocore", "botocore.auth", "botocore.endpoint", "urllib3.connectionpool", "s3transfer", "boto3")
        assert [name for name in loud if logging.getLogger(name).isEnabledFor(logging.DEBUG)] == []
        assert logging.getLogger("somebody.elses").isEnabledFor(logging.DEBUG)
    finally:
        logging.getLogger().setLevel(root)
        logging.getLogger("botocore.auth").setLevel(child)
