"""Forms of attributes that are one value: drawn from a pool or a choice, counted, or made of random bits.

Each form is one class. ``draws`` prepares once whatever costs (a pool drawn from Faker, a compiled template) and
returns a cheap function of the random numbers, the record's number and the record so far. Only ``random()`` and
``getrandbits()`` are asked of the random numbers: they give the same on every Python.
"""

from __future__ import annotations

import copy
import random
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from drills.checked import Checked
from drills.locations_in_yaml import shown
from drills.record_drawing import Draw, Making, Record, Template, below, between, is_mutable

F = TypeVar("F")
LARGEST_BYTES = 409_600
"""A DynamoDB item's limit, 400 KB; no attribute can be larger. Source: DynamoDB developer guide, Service quotas."""
_SIZES = {"": 1, "B": 1, "KB": 1024}


def _size(value: Any) -> Any:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{1,9})\s*(B|KB)", value)
        if found is None:
            raise ValueError(f"expected a size such as 64 or '380KB' (of 1,024 bytes), found {shown(value)}")
        return int(found[1]) * _SIZES[found[2]]
    return value


Size = Annotated[int, BeforeValidator(_size), Field(ge=0, le=LARGEST_BYTES)]


class Form(Checked):
    """One way to make an attribute's values."""

    word: ClassVar[str]
    shorthand: ClassVar[str | None] = None
    """The option that is meant when a form is given a bare value instead of its options."""
    redrawn: ClassVar[bool] = True
    """Whether an update may draw a new value."""

    @abstractmethod
    def draws(self, making: Making) -> Draw:
        """The function that makes this attribute's value of one record."""

    def unique(self, others: Mapping[str, bool]) -> bool:
        """Whether no two records have the same value; ``others`` says so of the attributes before this one."""
        return False

    def needs(self) -> list[str]:
        """The other attributes that this one is made from."""
        return []


class FakerForm(Form):
    """A value of a Faker provider, drawn from a pool."""

    word = "faker"
    shorthand = "provider"
    provider: str
    locale: str = "en_US"
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")

    def draws(self, making: Making) -> Draw:
        pool = making.pool(self.provider, self.locale, self.with_)
        size = len(pool)
        if any(map(is_mutable, pool)):
            return lambda rng, n, record: copy.deepcopy(pool[int(rng.random() * size)])
        return lambda rng, n, record: pool[int(rng.random() * size)]


class ChoiceForm(Form):
    """One of some values, all alike or, as a mapping, by weight."""

    word = "choice"
    shorthand = "values"
    values: list[Any] | dict[str, float]

    @model_validator(mode="after")
    def _something_to_choose(self) -> Self:
        if not self.values:
            raise ValueError("expected at least one value to choose from, found none")
        if isinstance(self.values, dict):
            weights = self.values.values()
            if min(weights) < 0 or sum(weights) <= 0:
                raise ValueError("expected weights of zero or more, and one above zero")
        return self

    def draws(self, making: Making) -> Draw:
        values = list(self.values)
        if isinstance(self.values, dict):
            return _by_weight(self.values)
        size = len(values)
        if any(map(is_mutable, values)):
            return lambda rng, n, record: copy.deepcopy(values[int(rng.random() * size)])
        return lambda rng, n, record: values[int(rng.random() * size)]


def _by_weight(values: Mapping[str, float]) -> Draw:
    total = sum(values.values())
    steps = [(value, weight / total) for value, weight in values.items()]
    last = steps[-1][0]

    def draw(rng: random.Random, n: int, record: Record) -> str:
        at = rng.random()
        for value, step in steps:
            at -= step
            if at < 0:
                return value
        return last

    return draw


class SequenceForm(Form):
    """Numbers in a row, or text with ``{n}``; ``among`` gives one of the first so many, to refer to another store."""

    word = "sequence"
    shorthand = "of"
    redrawn = False
    of: int | str = 1
    among: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if isinstance(self.of, str) and Template(self.of).names != ["n"]:
            raise ValueError(
                f"expected a first number, or text with {{n}} once, as 'ORD-{{n:08d}}'; found {shown(self.of)}"
            )
        return self

    def draws(self, making: Making) -> Draw:
        value = self._value()
        if self.among is not None:
            number = between(0, self.among - 1)
            return lambda rng, n, record: value(number(rng))
        return lambda rng, n, record: value(n)

    def _value(self) -> Callable[[int], Any]:
        if isinstance(self.of, int):
            first = self.of
            return lambda n: first + n
        text = self.of.format
        return lambda n: text(n=n)

    def unique(self, others: Mapping[str, bool]) -> bool:
        return self.among is None


class UuidForm(Form):
    """A random UUID as text."""

    word = "uuid"
    redrawn = False

    def draws(self, making: Making) -> Draw:
        return lambda rng, n, record: _uuid4(rng.getrandbits(128))

    def unique(self, others: Mapping[str, bool]) -> bool:
        return True


_NOT_VERSION = ~((0xF << 76) | (0x3 << 62))
_VERSION_4 = (0x4 << 76) | (0x2 << 62)


def _uuid4(bits: int) -> str:
    """The text of ``uuid.UUID(int=bits, version=4)``, at a fifth of its cost."""
    digits = f"{bits & _NOT_VERSION | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class NumberForm(Form):
    """A whole number from ``min`` to ``max``, both included."""

    word = "number"
    min: int = 0
    max: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return in_order(self, self.min, self.max)

    def draws(self, making: Making) -> Draw:
        number = between(self.min, self.max)
        return lambda rng, n, record: number(rng)


def in_order(form: F, low: Any, high: Any) -> F:
    if low > high:
        raise ValueError(f"expected the smaller value first, found {low} to {high}")
    return form


class DecimalForm(Form):
    """An exact decimal number: from ``min`` to ``max`` with ``places``, or any with so many ``digits``."""

    word = "decimal"
    min: Annotated[Decimal, Field(strict=False)] = Decimal(0)
    max: Annotated[Decimal, Field(strict=False)] | None = None
    places: Annotated[int, Field(ge=0, le=37)] = 2
    digits: Annotated[int, Field(ge=1, le=38)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.max is None) == (self.digits is None):
            raise ValueError("expected either 'max' (and 'min') or 'digits'")
        return self if self.max is None else in_order(self, self.min, self.max)

    def draws(self, making: Making) -> Draw:
        places = self.places
        if self.digits is not None:
            digits = between(10 ** (self.digits - 1), 10**self.digits - 1)
            return lambda rng, n, record: Decimal(f"{'-' if rng.random() < 0.5 else ''}{digits(rng)}E-{places}")
        assert self.max is not None
        number = between(_scaled(self.min, places), _scaled(self.max, places))
        return lambda rng, n, record: Decimal(f"{number(rng)}E-{places}")


def _scaled(number: Decimal, places: int) -> int:
    return int(Decimal(f"{number:f}E{places}").to_integral_value())


class TextForm(Form):
    """Words, exactly so many bytes of them: for large items."""

    word = "text"
    shorthand = "size"
    size: Size

    def draws(self, making: Making) -> Draw:
        size = self.size
        block = " ".join(making.pool("word", "en_US", {})) + " "
        repeated = block * (size // len(block) + 2)

        def draw(rng: random.Random, n: int, record: Record) -> str:
            at = below(rng, len(block))
            return repeated[at : at + size]

        return draw


class BytesForm(Form):
    """Binary data, so many random bytes or between ``min`` and ``max``."""

    word = "bytes"
    shorthand = "size"
    size: Size | None = None
    min: Size = 1
    max: Size | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.size is None) == (self.max is None):
            raise ValueError("expected a size, or 'min' and 'max'")
        return self if self.max is None else in_order(self, self.min, self.max)

    def draws(self, making: Making) -> Draw:
        low, high = (self.size, self.size) if self.max is None else (self.min, self.max)
        assert low is not None
        assert high is not None

        sizes = between(low, high)

        def draw(rng: random.Random, n: int, record: Record) -> bytes:
            size = sizes(rng)
            return rng.getrandbits(size * 8).to_bytes(size, "little") if size else b""

        return draw
