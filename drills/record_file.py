"""Records that a file beside the estate holds: JSON Lines or CSV."""

from __future__ import annotations

import base64
import binascii
import copy
import csv
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from drills.checked import Checked
from drills.errors import ConfigurationError
from drills.locations_in_yaml import not_utf8, shown
from drills.record_drawing import Record, below
from drills.suggestions import did_you_mean

AttributeType = Literal["string", "number", "boolean", "base64", "set", "json"]


class RecordsFrom(Checked):
    """``records_from:`` of a store: the file, and the types of attributes that its format cannot express."""

    file: str
    types: dict[str, AttributeType] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileRecords:
    """Records read from a file, in its order. ``keys`` are the attributes that an update leaves alone."""

    store: str
    records: tuple[Record, ...]
    keys: frozenset[str] = frozenset()


def read_file(store: str, given: RecordsFrom, folder: Path) -> FileRecords:
    """Read the records. Raises ConfigurationError with the line of the file that is wrong, OSError when unreadable."""
    path = folder / given.file
    text = path.read_bytes()
    try:
        content = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(text, error, str(path)) from None
    rows = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    records = []
    names: set[str] = set()
    for line, row in rows(content, str(path)):
        names |= row.keys()
        records.append(
            {name: _typed(given.types.get(name), name, value, str(path), line) for name, value in row.items()}
        )
    if not records:
        raise ConfigurationError("expected at least one record, found none", file=str(path))
    for name in given.types.keys() - names:
        raise ConfigurationError(
            f"no record has the attribute {name!r} that 'types' names{did_you_mean(name, names)}", file=str(path)
        )
    return FileRecords(store, tuple(records))


def _json_rows(text: str, file: str) -> Iterator[tuple[int, Record]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(
                content, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_each_name_once
            )
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f"this line is not JSON: {error.msg}", file=file, line=line, column=error.colno
            ) from None
        except (ValueError, RecursionError, DecimalException) as error:
            raise ConfigurationError(
                f"this line is not JSON that a record can hold: {error}", file=file, line=line
            ) from None
        if not isinstance(row, dict):
            raise ConfigurationError(f"expected a record as a JSON object, found {shown(row)}", file=file, line=line)
        yield line, row


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return record


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number that a store can hold")


def _csv_rows(text: str, file: str) -> Iterator[tuple[int, Record]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(list(reader.fieldnames or ()), file)
        for row in reader:
            if None in row or None in row.values():
                wanted = len(reader.fieldnames or ())
                raise ConfigurationError(
                    f"expected {wanted} fields as in the first line, found {'more' if None in row else 'fewer'}",
                    file=file,
                    line=reader.line_num,
                )
            yield reader.line_num, dict(row)
    except csv.Error as error:
        raise ConfigurationError(f"this is not CSV: {error}", file=file, line=max(1, reader.line_num)) from None


def _check_header(names: list[str], file: str) -> None:
    for name in names:
        if not name.strip():
            raise ConfigurationError("expected the names of the attributes in the first line, found none", file=file)
        if names.count(name) > 1:
            raise ConfigurationError(f"the first line names {name!r} twice; expected each attribute once", file=file)


def _typed(wanted: AttributeType | None, name: str, value: Any, file: str, line: int) -> Any:
    if wanted is None:
        return value
    try:
        return _CONVERSIONS[wanted](value)
    except (ValueError, TypeError, KeyError, DecimalException, binascii.Error, RecursionError):
        raise ConfigurationError(f"{name!r}: expected a {wanted}, found {shown(value)}", file=file, line=line) from None


def _number(value: Any) -> Any:
    if isinstance(value, str):
        number = Decimal(value.strip())
        if not number.is_finite():
            raise ValueError(value)
        return number
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(value)
    return value


def _boolean(value: Any) -> bool:
    return value if isinstance(value, bool) else {"true": True, "false": False}[value.strip().lower()]


def _set(value: Any) -> set[Any]:
    elements = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    if not isinstance(elements, list) or not elements:
        raise TypeError(value)
    return set(elements)


def _json(value: Any) -> Any:
    return json.loads(value, parse_float=Decimal, parse_constant=_no_constant) if isinstance(value, str) else value


_CONVERSIONS: dict[AttributeType, Callable[[Any], Any]] = {
    "string": str,
    "number": _number,
    "boolean": _boolean,
    "base64": lambda value: base64.b64decode(value, validate=True),
    "set": _set,
    "json": _json,
}


class FileMaker:
    """Gives the records of a file in turn; once they are used up, again with keys that are new."""

    def __init__(self, spec: FileRecords) -> None:
        self._records = spec.records
        self._keys = spec.keys
        self._renewed = min(spec.keys, default=None)
        numbers = [r[self._renewed] for r in spec.records if self._renewed and _is_number(r.get(self._renewed))]
        self._span = int(max(numbers) - min(numbers)) + 1 if numbers else 1

    def record(self, n: int) -> Record:
        turn, index = divmod(n, len(self._records))
        record = copy.deepcopy(self._records[index])
        if turn and self._renewed is not None and self._renewed in record:
            record[self._renewed] = self._renew(record[self._renewed], turn)
        return record

    def _renew(self, value: Any, turn: int) -> Any:
        if isinstance(value, bytes):
            return value + turn.to_bytes(4, "big")
        if _is_number(value):
            return value + turn * self._span
        return f"{value}~{turn}"

    def changed(self, record: Record, rng: random.Random) -> Record:
        """Some attributes as another record of the file has them."""
        fresh = dict(record)
        for _ in range(8):
            other = self._records[below(rng, len(self._records))]
            names = [
                name for name in record if name not in self._keys and name in other and other[name] != record[name]
            ]
            if names:
                name = names[below(rng, len(names))]
                fresh[name] = copy.deepcopy(other[name])
                break
        return fresh


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
