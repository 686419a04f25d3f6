"""Secrets never reach a history, a report or an error: they are masked here, however deep they lie.

Source of the forms: IAM user guide, IAM identifiers; Signature Version 4, query and header forms.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from drills.history import Appends

MASK = "[redacted]"
SECRET_KEYS = frozenset(
    {"secretaccesskey", "awssecretaccesskey", "sessiontoken", "awssessiontoken", "securitytoken", "xamzsecuritytoken"}
    | {"xamzsignature", "authorization", "password", "masteruserpassword", "tokencode", "clientsecret"}
    | {"secretstring", "secretbinary"}
)
"""Only these: a record's attribute may be called a token, and a setting that is masked could not be compared."""
_FORMS = (
    re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,20}(?![A-Z0-9])"),
    re.compile(r"(?i)(?<=x-amz-security-token=)[^&\s\"']+"),
    re.compile(r"(?i)(?<=x-amz-signature=)[^&\s\"']+"),
    re.compile(r"(?i)(?<=x-amz-credential=)[^&\s\"']+"),
    re.compile(r"(?i)(?<=signature=)[0-9a-f]{64}"),
    re.compile(r"(?i)(?<=x-amz-security-token: )\S+"),
    re.compile(r"(?i)(?<=<sessiontoken>)[^<]+|(?<=<secretaccesskey>)[^<]+"),
    re.compile(r"(?i)(?<=aws_secret_access_key=)\S+|(?<=aws_session_token=)\S+"),
)
_PAIR = re.compile(
    r"""(?ix)
    (?P<name> [\"']? \b (?: aws[_-]? )? (?: secret[_-]?access[_-]?key | session[_-]?token | security[_-]?token
        | master[_-]?user[_-]?password | password | passwd | token[_-]?code | client[_-]?secret ) \b [\"']?
        \s* [:=] \s* )
    (?: (?P<quote>[\"']) (?: \\. | (?!(?P=quote)). )* (?P=quote) | [^\s"',;})\]]+ )
    """
)
"""A secret beside its name, as reprs, JSON, connection strings and keyword arguments write it."""
_IN_URL = re.compile(r"(?<=://)([^\s:/@]+):[^\s/@]+(?=@)")
_LEARNED: set[str] = set()
"""Every secret that any part of this process learned of."""
LOUD = ("botocore", "boto3", "s3transfer", "urllib3")
"""Their debug messages hold whole requests and answers, credentials included."""
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")


def learn(*secrets: str | None) -> None:
    """A text of a crash never quotes these."""
    _LEARNED.update(_long(secrets))


def passwords_in(secret: str | None) -> list[str]:
    """The passwords in a secret's text, where it is the JSON of names and values."""
    try:
        found = json.loads(secret or "")
    except ValueError:
        return []
    pairs = found.items() if isinstance(found, dict) else ()
    return [value for name, value in pairs if "password" in name and isinstance(value, str)]


def _long(secrets: Iterable[str | None]) -> set[str]:
    return {secret for secret in secrets if secret and len(secret) >= 16}


class Redaction:
    """Masks the known forms of secrets, and the secrets that it was told of."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def learn(self, *secrets: str | None) -> None:
        """From now on these are masked wherever they stand. What is short would mask innocent text and is ignored."""
        self._known |= _long(secrets)
        _LEARNED.update(_long(secrets))

    def text(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, MASK)
        for form in _FORMS:
            text = form.sub(MASK, text)
        return text

    def value(self, value: Any) -> Any:
        """The same value with every secret in it masked: in texts, lists, mappings and their keys."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace")).encode()
        if isinstance(value, Mapping):
            return {self.value(key): self._under(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _under(self, key: Any, item: Any) -> Any:
        name = str(key).lower().replace("_", "").replace("-", "")
        if isinstance(item, str) and name in SECRET_KEYS:
            return MASK
        return self.value(item)


def text_of_a_crash(text: str) -> str:
    """A text of which nobody knows what is in it, without any secret: a traceback, an unexpected error's message.

    Masked are the known forms, whatever this process learned or was given in its environment, passwords in URLs, and
    every value beside a secret's name, which in a history could be a record's own.
    """
    redaction = Redaction()
    redaction.learn(*_LEARNED, *(os.environ.get(name) for name in _SECRET_VARIABLES))
    text = _IN_URL.sub(rf"\1:{MASK}", redaction.text(text))
    return _PAIR.sub(lambda found: f"{found['name']}{found['quote'] or ''}{MASK}{found['quote'] or ''}", text)


class RedactedHistory:
    """A history that takes no secrets."""

    def __init__(self, history: Appends, redaction: Redaction) -> None:
        self._history = history
        self._redaction = redaction

    def append(self, kind: str, at: datetime, **data: Any) -> None:
        self._history.append(kind, at, **self._redaction.value(data))


def quiet_loggers() -> None:
    """Cap the loggers whose debug messages hold credentials, whatever level the root logger has."""
    children = [name for name in logging.root.manager.loggerDict if name.startswith(tuple(f"{one}." for one in LOUD))]
    for logger in map(logging.getLogger, LOUD):
        if logger.getEffectiveLevel() < logging.INFO or logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
    for child in map(logging.getLogger, children):
        if logging.NOTSET < child.level < logging.INFO:
            child.setLevel(logging.INFO)
