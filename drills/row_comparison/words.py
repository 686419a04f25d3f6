"""Names, values and lines as PostgreSQL writes and reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable

PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
ESCAPED = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
"""Source: PostgreSQL documentation, COPY, File Formats, Text Format."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def array(texts: Iterable[str]) -> str:
    """An array of texts, to be cast to an array of what they stand for."""
    return f"ARRAY[{', '.join(map(literal, texts))}]::text[]"


def name_of(schema: str, name: str) -> str:
    """A full name as people write it."""
    return ".".join(part if PLAIN.fullmatch(part) else quoted(part) for part in (schema, name))


def fields(line: bytes) -> list[str]:
    """What stands between the tabs of a line of COPY. No field of it may be NULL."""
    parts = line.split(b"\t")
    if b"\\" in line:
        parts = [ESCAPE.sub(lambda escape: ESCAPED.get(escape[1], escape[1]), part) for part in parts]
    return [part.decode("utf-8", "backslashreplace") for part in parts]
