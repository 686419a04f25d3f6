"""Forms of attributes that are made of other forms, of time, or of other attributes; and all forms by their names."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from drills.durations import signed_seconds
from drills.record_drawing import Draw, Making, Record, Template, between, is_mutable
from drills.record_scalar_forms import (
    BytesForm,
    ChoiceForm,
    DecimalForm,
    FakerForm,
    Form,
    NumberForm,
    SequenceForm,
    TextForm,
    UuidForm,
    in_order,
)

Moment = Annotated[float, BeforeValidator(signed_seconds)]


class _SeveralForm(Form):
    of: Form
    size: Annotated[int, Field(ge=0, le=10_000)] | list[Annotated[int, Field(ge=0, le=10_000)]] = Field(
        default_factory=lambda: [1, 4]
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if isinstance(self.size, list) and (len(self.size) != 2 or self.size[0] > self.size[1]):
            raise ValueError(f"expected a size, or the smallest and the largest as [1, 4], found {self.size}")
        return self

    def bounds(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else (self.size[0], self.size[1])

    def needs(self) -> list[str]:
        return self.of.needs()


class ListForm(_SeveralForm):
    """A list of so many values, each made by ``of``."""

    word = "list"

    def draws(self, making: Making) -> Draw:
        size = between(*self.bounds())
        element = self.of.draws(making)
        return lambda rng, n, record: [element(rng, n, record) for _ in range(size(rng))]


class SetForm(_SeveralForm):
    """A set of different values of one type, each made by ``of``; never empty, as DynamoDB has no empty sets."""

    word = "set"

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.bounds()[0] < 1:
            raise ValueError("expected a set of at least 1 element, as DynamoDB has no empty sets, found 0")
        if isinstance(self.of, ListForm | SetForm | MapForm):
            raise ValueError(f"expected a set of text, numbers or bytes, found a set of {self.of.word}s")
        return self

    def draws(self, making: Making) -> Draw:
        size = between(*self.bounds())
        element = self.of.draws(making)

        def draw(rng: random.Random, n: int, record: Record) -> set[Any]:
            wanted = size(rng)
            found: set[Any] = set()
            for _ in range(wanted * 4):
                found.add(element(rng, n, record))
                if len(found) == wanted:
                    break
            return found

        return draw


class MapForm(Form):
    """A map of named values, each made by its own form."""

    word = "map"
    shorthand = "entries"
    entries: dict[str, Form]

    def draws(self, making: Making) -> Draw:
        entries = [(name, form.draws(making)) for name, form in self.entries.items()]
        return lambda rng, n, record: {name: draw(rng, n, record) for name, draw in entries}

    def needs(self) -> list[str]:
        return [name for form in self.entries.values() for name in form.needs()]


class EitherForm(Form):
    """One of several forms, all alike; a form that stands twice comes twice as often."""

    word = "either"
    shorthand = "forms"
    forms: Annotated[list[Form], Field(min_length=1)]

    def draws(self, making: Making) -> Draw:
        forms = [form.draws(making) for form in self.forms]
        size = len(forms)
        return lambda rng, n, record: forms[int(rng.random() * size)](rng, n, record)

    def needs(self) -> list[str]:
        return [name for form in self.forms for name in form.needs()]


class CycleForm(Form):
    """Several forms in turn, by the record's number: another store that turns through the same gives the same."""

    word = "cycle"
    shorthand = "forms"
    redrawn = False
    forms: Annotated[list[Form], Field(min_length=1)]

    def draws(self, making: Making) -> Draw:
        forms = [form.draws(making) for form in self.forms]
        size = len(forms)
        return lambda rng, n, record: forms[n % size](rng, n, record)

    def unique(self, others: Mapping[str, bool]) -> bool:
        return all(form.unique(others) for form in self.forms)

    def needs(self) -> list[str]:
        return [name for form in self.forms for name in form.needs()]


class ConstForm(Form):
    """Always the same value, null and the empty text included."""

    word = "const"
    shorthand = "value"
    redrawn = False
    value: Any

    def draws(self, making: Making) -> Draw:
        value = self.value
        if is_mutable(value):
            return lambda rng, n, record: copy.deepcopy(value)
        return lambda rng, n, record: value


class TimeForm(Form):
    """A moment around the drill's start: epoch seconds (as a time to live needs), milliseconds, or ISO 8601 text."""

    word = "time"
    from_: Moment = Field(default=0.0, alias="from")
    to: Moment = 0.0
    as_: Literal["epoch", "milliseconds", "iso"] = Field(default="epoch", alias="as")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return in_order(self, self.from_, self.to)

    def draws(self, making: Making) -> Draw:
        start = int(making.started.timestamp())
        low, high = start + int(self.from_), start + int(self.to)
        factor = 1000 if self.as_ == "milliseconds" else 1
        moment = between(low * factor, high * factor)
        if self.as_ == "iso":
            return lambda rng, n, record: _iso(moment(rng))
        return lambda rng, n, record: moment(rng)


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, which its text says by itself.


def _iso(epoch_seconds: int) -> str:
    return f"{(_EPOCH + timedelta(seconds=epoch_seconds)).isoformat()}Z"


class TemplateForm(Form):
    """Text made of other attributes of the record and its number: ``{first_name}.{n}@example.org``."""

    word = "template"
    shorthand = "text"
    redrawn = False
    text: str

    @model_validator(mode="after")
    def _readable(self) -> Self:
        Template(self.text)
        return self

    def draws(self, making: Making) -> Draw:
        fill = Template(self.text).filling()
        return lambda rng, n, record: fill(n, record)

    def unique(self, others: Mapping[str, bool]) -> bool:
        return any(name == "n" or others.get(name, False) for name in Template(self.text).names)

    def needs(self) -> list[str]:
        return [name for name in Template(self.text).names if name != "n"]


class RefForm(Form):
    """The same value as another attribute of the record."""

    word = "ref"
    shorthand = "attribute"
    redrawn = False
    attribute: str

    def draws(self, making: Making) -> Draw:
        name = self.attribute

        def draw(rng: random.Random, n: int, record: Record) -> Any:
            value = record.get(name)
            return copy.deepcopy(value) if is_mutable(value) else value

        return draw

    def unique(self, others: Mapping[str, bool]) -> bool:
        return others.get(self.attribute, False)

    def needs(self) -> list[str]:
        return [self.attribute]


FORMS: dict[str, type[Form]] = {
    form.word: form
    for form in (
        FakerForm, ChoiceForm, SequenceForm, UuidForm, NumberForm, DecimalForm, TextForm, BytesForm,
        ListForm, SetForm, MapForm, EitherForm, CycleForm, ConstForm, TimeForm, TemplateForm, RefForm,
    )
}  # fmt: skip
BARE_WORDS = ("uuid", "sequence")
"""Forms that need no options and so can be given as a bare word; every other bare word is a Faker provider."""
