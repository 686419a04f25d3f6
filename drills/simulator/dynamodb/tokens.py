"""The words of DynamoDB's expressions. Source: developer guide, "Using expressions in DynamoDB"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from drills.simulator.dynamodb.answers import Refused, invalid

TOKEN = re.compile(
    r"(?P<value>:[A-Za-z0-9_]+)|(?P<name>#[A-Za-z0-9_]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9]+)"
    r"|(?P<sign><=|>=|<>|[=<>(),.\[\]+-])"
)
SPACE = re.compile(r"\s+")
STRUCTURE = frozenset({"and", "or", "not", "in", "between"})
MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Token:
    """One word. ``kind``: ``value``, ``name``, ``word``, ``number``, ``sign`` or ``end``."""

    kind: str
    text: str


class Tokens:
    """The words of one expression, read from left to right. ``label`` is the parameter's name, for its errors."""

    def __init__(self, text: str, label: str) -> None:
        self.label = label
        if not text.strip():
            raise self.invalid("The expression can not be empty;")
        if len(text.encode()) > MOST_BYTES:
            raise self.invalid(
                f"Expression size has exceeded the maximum allowed size; expression size: {len(text.encode())}"
            )
        self._tokens = self._cut(text)
        self._at = 0

    def invalid(self, what: str) -> Refused:
        return invalid(f"Invalid {self.label}: {what}")

    def _cut(self, text: str) -> list[Token]:
        tokens: list[Token] = []
        at = 0
        while at < len(text):
            if space := SPACE.match(text, at):
                at = space.end()
                continue
            found = TOKEN.match(text, at)
            if found is None:
                raise self._syntax_error(text[at], text[max(0, at - 10) : at + 10])
            tokens.append(Token(str(found.lastgroup), found[0]))
            at = found.end()
        tokens.append(Token("end", "<EOF>"))
        return tokens

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def ahead(self, steps: int) -> Token:
        """A token further on."""
        return self._tokens[min(self._at + steps, len(self._tokens) - 1)]

    def take(self) -> Token:
        """The next token, which is passed."""
        token = self.next
        if token.kind != "end":
            self._at += 1
        return token

    def take_if(self, *texts: str) -> str | None:
        """The next token's text in lower case, passed, if it is one of these."""
        text = self.next.text.lower()
        if self.next.kind in ("word", "sign") and text in texts:
            self._at += 1
            return text
        return None

    def expect(self, text: str) -> None:
        """Pass this token. Raises if it is not the next."""
        if self.take_if(text) is None:
            raise self.syntax_error()

    def syntax_error(self) -> Refused:
        """The error at the next token."""
        near = " ".join(
            token.text for token in self._tokens[max(0, self._at - 1) : self._at + 2] if token.kind != "end"
        )
        return self._syntax_error(self.next.text, near)

    def _syntax_error(self, token: str, near: str) -> Refused:
        return self.invalid(f'Syntax error; token: "{token}", near: "{near}"')

    # --- Paths occur in every kind of expression

    def path(self) -> Path:
        """A document path. Raises where none stands here."""
        steps: list[str | int] = [self._member()]
        while True:
            if self.take_if("."):
                steps.append(self._member())
            elif self.take_if("["):
                if self.next.kind != "number":
                    raise self.syntax_error()
                steps.append(int(self.take().text))
                self.expect("]")
            else:
                return Path(tuple(steps))

    def _member(self) -> str:
        token = self.next
        if token.kind == "name":
            return self.take().text
        if token.kind != "word" or token.text.lower() in STRUCTURE:
            raise self.syntax_error()
        if token.text.upper() in ReservedKeywords.get_reserved_keywords():
            raise self.invalid(f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        return self.take().text


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: names (``#name`` where it stands for another) and list indexes."""

    steps: tuple[str | int, ...]

    def __str__(self) -> str:
        """As AWS's messages print it."""
        return f"[{', '.join(f'[{step}]' if isinstance(step, int) else step for step in self.steps)}]"
