"""What the forms of records draw with: random numbers that are the same on every Python, plain values, templates."""

from __future__ import annotations

import random
import re
import string
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from drills.locations_in_yaml import shown

Record = dict[str, Any]
Draw = Callable[[random.Random, int, Record], Any]
WholeNumber = Callable[[random.Random], int]
SPARE_BITS = 32
"""So many more bits are drawn than a number needs, which makes all of them as likely."""


class Making(Protocol):
    """What the forms of one store's records are made with."""

    @property
    def started(self) -> datetime: ...

    def pool(self, provider: str, locale: str, options: Mapping[str, Any]) -> list[Any]:
        """Values of a Faker provider, as plain values; always the same for a seed."""
        ...


def below(rng: random.Random, limit: int) -> int:
    """A whole number from 0 up to, not including, ``limit``."""
    bits = limit.bit_length() + SPARE_BITS
    return (rng.getrandbits(bits) * limit) >> bits


def between(low: int, high: int) -> WholeNumber:
    """A function that draws a whole number from ``low`` to ``high``, both included, as ``below`` does."""
    span = high - low + 1
    bits = span.bit_length() + SPARE_BITS
    return lambda rng: low + ((rng.getrandbits(bits) * span) >> bits)


def is_mutable(value: Any) -> bool:
    """Whether a value could be changed by who has it, so that each record must get its own."""
    return isinstance(value, list | dict | set)


def plain(value: Any) -> Any:
    """A value as records hold it: numbers exact, dates as text. Raises TypeError for what no store can hold."""
    if value is None or isinstance(value, bool | int | str | Decimal | bytes):
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(element) for element in value]
    if isinstance(value, set | frozenset):
        return {plain(element) for element in value}
    if isinstance(value, Mapping):
        return {str(key): plain(element) for key, element in value.items()}
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"a record cannot hold {type(value).__name__}")


class Template:
    """Text with ``{n}``, the record's number, and ``{other}``, another attribute of the same record."""

    def __init__(self, text: str) -> None:
        self.names: list[str] = []
        self._text = text
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise ValueError(f"{shown(text)} is no template: {error}. Write {{{{ for a brace") from None
        for _, name, spec, conversion in parts:
            if name is not None:
                self._check(name, spec or "", conversion)

    def _check(self, name: str, spec: str, conversion: str | None) -> None:
        if not re.fullmatch(r"[\w-]+", name) or conversion or (spec and name != "n"):
            raise ValueError(
                f"in {shown(self._text)}, braces hold an attribute's name or {{n}} with a width like {{n:08d}}"
            )
        if spec and not re.fullmatch(r"0?\d{0,3}[dxX]?", spec):
            raise ValueError(f"in {shown(self._text)}, expected a width such as {{n:08d}}, found {{n:{spec}}}")
        self.names.append(name)

    def filling(self) -> Callable[[int, Record], str]:
        """The function that fills it; an attribute that the record lacks is an empty text."""
        fill, others = self._text.format_map, [name for name in self.names if name != "n"]
        if len(others) == 1:
            (only,) = others
            return lambda n, record: fill({"n": n, only: record.get(only, "")})
        return lambda n, record: fill({"n": n, **{name: record.get(name, "") for name in others}})
