"""YAML with the position of every key and value, so that an error can name ``file:line:col``.

Only what plain data needs is accepted: no tags but YAML's own scalars, no recursion, no key twice. Numbers stay exact:
what is written with a fraction becomes a Decimal and never passes through a float.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from drills.errors import ConfigurationError

Path = tuple[str | int, ...]
Position = tuple[int, int]
TAGS = "tag:yaml.org,2002:"
NODES_LIMIT = 100_000
"""More values than any file a person writes; aliases within aliases reach it at once and are refused."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a file. Line and column count from one."""

    line: int
    column: int
    message: str


def complain(file: str, problems: Iterable[Problem]) -> ConfigurationError:
    """All problems of a file as one error, in the order of the file, one a line."""
    first, *others = sorted(set(problems))
    lines = [first.message, *(f"{file}:{p.line}:{p.column}: {p.message}" for p in others)]
    return ConfigurationError("\n".join(lines), file=file, line=first.line, column=first.column)


def not_utf8(raw: bytes, error: UnicodeDecodeError, file: str) -> ConfigurationError:
    """What to say of a file that is not UTF-8, with the place of the first byte that is wrong."""
    before = raw[: error.start]
    line = before.rpartition(b"\n")[2].removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return ConfigurationError(
        f"expected UTF-8, found the byte 0x{raw[error.start]:02x}; save the file as UTF-8",
        file=file,
        line=before.count(b"\n") + 1,
        column=len(line) + 1,
    )


@dataclass
class LocatedYAML:
    """The data of a file, where each of its keys and values stands, and what was wrong on the level of YAML."""

    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    _values: dict[Path, Position] = field(default_factory=dict)
    _keys: dict[Path, Position] = field(default_factory=dict)

    def value_position(self, path: Path) -> Position:
        """Where the value at ``path`` stands, or the nearest thing around it that exists."""
        while path and path not in self._values:
            path = path[:-1]
        return self._values.get(path, (1, 1))

    def key_position(self, path: Path) -> Position:
        """Where the key of the value at ``path`` stands; for an element of a list, where the element stands."""
        return self._keys.get(path) or self.value_position(path)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        line, column = self.key_position(path) if at_key else self.value_position(path)
        return Problem(line, column, message)

    def get(self, path: Path) -> Any:
        """The value at ``path``; KeyError, IndexError or TypeError when there is none."""
        value = self.data
        for step in path:
            value = value[step]
        return value


def read_yaml(text: str, file: str) -> LocatedYAML:
    """Read one YAML document.

    Raises ConfigurationError for what is no YAML at all. Keys that stand twice, tags and the like are collected in
    ``problems``, so that they can be told together with what is wrong about the content.
    """
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        raise _syntax_error(error, file) from None
    except ReaderError as error:
        line, column = _position_in(text, error.position)
        what = f"a character that YAML does not allow, U+{ord(_character(error)):04X}; write it as an escape in quotes"
        raise ConfigurationError(what, file=file, line=line, column=column) from None
    except RecursionError:
        raise ConfigurationError("the file is nested too deeply to be read", file=file) from None
    except (YAMLError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"this is not YAML: {_one_line(str(error))}", file=file) from None
    located = LocatedYAML()
    if node is not None:
        try:
            located.data = _Reader(located).read(node, ())
        except RecursionError:
            raise ConfigurationError("the file is nested too deeply to be read", file=file) from None
    return located


def _character(error: ReaderError) -> str:
    character = error.character
    return character if isinstance(character, str) and len(character) == 1 else chr(int(character))


def _position_in(text: str, index: int) -> Position:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def _syntax_error(error: MarkedYAMLError, file: str) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if error.problem and "'\\t'" in error.problem:
        return ConfigurationError("a tab; YAML is indented with spaces", file=file, line=line, column=column)
    context = f" ({_one_line(error.context)})" if error.context else ""
    return ConfigurationError(
        f"this is not YAML: {_one_line(error.problem or str(error))}{context}", file=file, line=line, column=column
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _TooMuch(Exception):
    pass


class _Reader:
    """Nodes → plain data, noting positions and problems on the way."""

    def __init__(self, located: LocatedYAML) -> None:
        self._located = located
        self._inside: set[int] = set()
        self._count = 0

    def read(self, node: Node, path: Path) -> Any:
        try:
            return self._value(node, path)
        except _TooMuch:
            self._complain(node, f"more than {NODES_LIMIT:,} values; aliases within aliases grow without end")
            return None

    def _complain(self, node: Node, message: str) -> None:
        line, column = _position(node)
        self._located.problems.append(Problem(line, column, message))

    def _value(self, node: Node, path: Path) -> Any:
        self._count += 1
        if self._count > NODES_LIMIT:
            raise _TooMuch
        self._located._values[path] = _position(node)
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if id(node) in self._inside:
            self._complain(node, f"the alias *{node.anchor} contains itself")
            return None
        self._inside.add(id(node))
        try:
            if isinstance(node, SequenceNode) and self._tag(node) == "seq":
                return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
            if isinstance(node, MappingNode) and self._tag(node) == "map":
                return self._mapping(node, path)
        finally:
            self._inside.discard(id(node))
        self._complain(node, f"the tag {_shown_tag(node)} means nothing here; leave it out")
        return None

    @staticmethod
    def _tag(node: Node) -> str:
        return str(node.tag or "").removeprefix(TAGS)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if self._tag(key_node) == "merge":
                self._merge(value_node, path, merged)
                continue
            if not isinstance(key_node, ScalarNode):
                self._complain(key_node, "a key must be a word, found a list or a mapping")
                continue
            key = str(key_node.value)
            if key in found:
                line, _ = self._located.key_position((*path, key))
                self._complain(key_node, f"the key {key!r} stands here a second time; the first is in line {line}")
                continue
            self._located._keys[(*path, key)] = _position(key_node)
            found[key] = self._value(value_node, (*path, key))
        return merged | found

    def _merge(self, node: Node, path: Path, merged: dict[str, Any]) -> None:
        """``<<: *base`` takes over the base's keys; what stands in the mapping itself wins, then the first base."""
        for base in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(base, MappingNode):
                self._complain(base, "'<<' takes a mapping or a list of mappings")
                continue
            value = self._value(base, path)
            for key in value or {}:
                merged.setdefault(key, value[key])

    def _scalar(self, node: ScalarNode) -> Any:
        text = str(node.value)
        try:
            return _SCALARS[self._tag(node)](text)
        except KeyError:
            self._complain(node, f"the tag {_shown_tag(node)} means nothing here; leave it out")
        except (ValueError, DecimalException, binascii.Error):
            self._complain(node, f"expected {_EXPECTED.get(self._tag(node), 'text')}, found {shown(text)}")
        return None


def shown(value: Any, limit: int = 60) -> str:
    """A value as an error message shows it: short, on one line, in the words of YAML."""
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > limit * 3:
        return "a number of very many digits"
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _position(node: Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _shown_tag(node: Node) -> str:
    tag = str(node.tag)
    return f"!!{tag.removeprefix(TAGS)}" if tag.startswith(TAGS) else tag


def _text(text: str) -> str:
    text.encode()
    return text


def _integer(text: str) -> int | str:
    plain = text.replace("_", "").lower()
    if re.fullmatch(r"0\d+", plain):
        # Whoever writes leading zeros, as in an account's id, wants to keep them.
        return text
    if re.fullmatch(r"[-+]?0[xob].*", plain):
        return int(plain, 0)
    return int(plain)


def _fraction(text: str) -> Decimal:
    number = Decimal(text.replace("_", ""))
    if not number.is_finite():
        raise ValueError(text)
    return number


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _no_truth(text)


def _no_truth(text: str) -> bool:
    raise ValueError(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": _text,
    "int": _integer,
    "float": _fraction,
    "bool": _truth,
    "null": lambda _: None,
    "timestamp": _text,
    "merge": _text,
    "value": _text,
    "binary": lambda text: base64.b64decode("".join(text.split()), validate=True),
}
_EXPECTED = {
    "int": "a whole number of fewer than 4,300 digits",
    "float": "a finite number",
    "bool": "true or false",
    "binary": "base64",
    "str": "text of Unicode characters",
}
