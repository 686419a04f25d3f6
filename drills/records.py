"""How a store's records are made, and the maker that makes them.

A store says it in its estate file: attribute by attribute, by Faker providers and the forms of ``record_forms``, or as
records from a JSON Lines or CSV file beside the estate. Record ``n`` is always the same for a seed, in whatever order
records are asked for.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Protocol

from pydantic import Field, ValidationError

from drills.checked import Checked, Complaint, complaints, without_echoes
from drills.locations_in_yaml import Path, shown
from drills.record_drawing import Draw, Record, below
from drills.record_file import FileRecords
from drills.record_forms import BARE_WORDS, FORMS
from drills.record_scalar_forms import FakerForm, Form
from drills.suggestions import did_you_mean

DRAWS_FOR_ANOTHER = 200
CHANGED_AT_ONCE = 3
"""An update changes at most so many attributes of a record."""


class RecordMaker(Protocol):
    """Makes a store's records. Values are int, Decimal, str, bytes, bool, None, list, dict and set."""

    def record(self, n: int) -> Record:
        """Record number ``n``, from zero; always the same, and no other has its key."""
        ...

    def changed(self, record: Record, rng: random.Random) -> Record:
        """A copy with some attributes updated; never those of the key."""
        ...


class Presence(Checked):
    """In which records an attribute occurs: a share of them by chance, or only the first so many."""

    share: Annotated[float, Field(gt=0, le=1)] | None = None
    count: Annotated[int, Field(ge=1)] | None = None

    def holds(self, rng: random.Random, n: int) -> bool:
        if self.count is not None and n >= self.count:
            return False
        return self.share is None or rng.random() < self.share

    @property
    def always(self) -> bool:
        return self.share is None and self.count is None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the records of a store."""

    name: str
    form: Form
    presence: Presence


@dataclass(frozen=True, slots=True)
class MadeRecords:
    """Records made attribute by attribute. ``keys`` are the attributes that an update leaves alone."""

    store: str
    attributes: tuple[Attribute, ...]
    keys: frozenset[str] = frozenset()

    def unique(self) -> frozenset[str]:
        """The attributes whose values never repeat."""
        found: dict[str, bool] = {}
        for attribute in self.attributes:
            found[attribute.name] = attribute.presence.always and attribute.form.unique(found)
        return frozenset(name for name, unique in found.items() if unique)


RecordsSpec = MadeRecords | FileRecords


def with_keys(spec: RecordsSpec, keys: frozenset[str]) -> RecordsSpec:
    """The same records, now that the store's kind has said which attributes make up the key."""
    return replace(spec, keys=keys)


def make_records(spec: RecordsSpec, seed: int, started: datetime) -> RecordMaker:
    """The maker of a store's records: deterministic by seed; times count from ``started``."""
    from drills.record_file import FileMaker

    if isinstance(spec, FileRecords):
        return FileMaker(spec)
    return _Maker(spec, seed, started)


@dataclass(frozen=True)
class _Making:
    seed: int
    started: datetime

    def pool(self, provider: str, locale: str, options: Mapping[str, Any]) -> list[Any]:
        # Faker takes a fifth of a second to import: only when records are made.
        from drills import record_pools

        return record_pools.pool(self.seed, self.started, provider, locale, options)


class _Maker:
    """Makes records from pools and cheap draws; one at a time."""

    def __init__(self, spec: MadeRecords, seed: int, started: datetime) -> None:
        making = _Making(seed, started)
        digest = hashlib.sha256(f"{seed}/{spec.store}/records".encode()).digest()
        # The number of a record is added to this, so that each has random numbers of its own.
        self._base = int.from_bytes(digest[:16], "big") << 64
        # One generator, seeded anew for each record: to make another takes longer than to make a record's values.
        self._rng = random.Random(0)
        self._draws: list[tuple[str, Draw, Presence | None]] = [
            (a.name, a.form.draws(making), None if a.presence.always else a.presence) for a in spec.attributes
        ]
        self._redraws = [
            (name, draw)
            for attribute, (name, draw, _) in zip(spec.attributes, self._draws, strict=True)
            if attribute.form.redrawn and name not in spec.keys
        ]

    def record(self, n: int) -> Record:
        rng = self._rng
        rng.seed(self._base + n)
        record: Record = {}
        for name, draw, presence in self._draws:
            if presence is None or presence.holds(rng, n):
                record[name] = draw(rng, n, record)
        return record

    def changed(self, record: Record, rng: random.Random) -> Record:
        fresh = dict(record)
        candidates = [(name, draw) for name, draw in self._redraws if name in record]
        wanted = 1 + below(rng, CHANGED_AT_ONCE)
        while wanted and candidates:
            name, draw = candidates.pop(below(rng, len(candidates)))
            another = _another(record[name], lambda: draw(rng, 0, record))  # noqa: B023 - called at once
            if another is not record[name]:
                fresh[name] = another
                wanted -= 1
        return fresh


def _another(old: Any, draw: Callable[[], Any]) -> Any:
    """A value other than the old one; the old one itself if no draw gives another.

    An update that changes nothing tests nothing, and a choice may be as uneven as ninety-nine to one.
    """
    for _ in range(DRAWS_FOR_ANOTHER):
        value = draw()
        if value != old:
            return value
    return old


# --- Reading it from an estate file --------------------------------------------------------------------------------


@dataclass
class _Reading:
    """Collects complaints on the way; ``within`` names the store."""

    within: str
    complaints: list[Complaint]

    def complain(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self.complaints.append(Complaint(path, message, at_key))


def read_attributes(store: str, node: Any, path: Path) -> tuple[MadeRecords | None, list[Complaint]]:
    """``records:`` of a store → how to make them, and what is wrong about it. Paths begin with ``path``."""
    reading = _Reading(f"store {store!r}", [])
    if not isinstance(node, dict) or not node:
        reading.complain(path, f"'records' in store {store!r}: expected a mapping of attributes, found {shown(node)}")
        return None, reading.complaints
    attributes: list[Attribute] = []
    for name, value in node.items():
        attribute = _attribute(reading, name, value, (*path, name))
        if attribute is None:
            continue
        before = [other.name for other in attributes]
        for needed in attribute.form.needs():
            if needed not in before:
                reading.complain(
                    (*path, name),
                    f"attribute {name!r} in {reading.within} is made from {needed!r}, which must be an attribute "
                    f"that stands before it{did_you_mean(needed, before)}",
                )
        attributes.append(attribute)
    if reading.complaints:
        return None, without_echoes(reading.complaints)
    return MadeRecords(store, tuple(attributes)), []


def _attribute(reading: _Reading, name: str, value: Any, path: Path) -> Attribute | None:
    presence: dict[str, Any] = {}
    if isinstance(value, dict):
        presence = {key: value[key] for key in ("share", "count") if key in value}
        value = {key: item for key, item in value.items() if key not in presence}
    form = _form(reading, name, value, path)
    try:
        held = Presence.model_validate(presence)
    except ValidationError as error:
        reading.complaints.extend(complaints(error, Presence, path, f"attribute {name!r} in {reading.within}"))
        return None
    return None if form is None else Attribute(name, form, held)


def _form(reading: _Reading, name: str, value: Any, path: Path) -> Form | None:
    """One form: a bare word, or a mapping with the form's word as its one key."""
    where = f"attribute {name!r} in {reading.within}"
    if isinstance(value, str):
        if value in BARE_WORDS:
            return FORMS[value]()
        return _checked_faker(reading, {"provider": value}, path, where)
    if not isinstance(value, dict) or not value:
        reading.complain(
            path, f"{where}: expected a Faker provider or a form such as {{choice: [a, b]}}, found {shown(value)}"
        )
        return None
    unknown = [key for key in value if key not in FORMS]
    for key in unknown:
        reading.complain((*path, key), f"{where}: unknown form {key!r}{did_you_mean(key, _form_words())}", at_key=True)
    if unknown:
        return None
    if len(value) > 1:
        reading.complain(path, f"{where}: expected one form, found {len(value)}: {', '.join(value)}")
        return None
    word, options = next(iter(value.items()))
    return _options(reading, word, options, (*path, word), name)


def _form_words() -> list[str]:
    return [*FORMS, "share", "count"]


def _options(reading: _Reading, word: str, options: Any, path: Path, name: str) -> Form | None:
    """A form's options → the form, with the forms inside it read first."""
    form = FORMS[word]
    where = f"attribute {name!r} in {reading.within}"
    nested = path
    if word == "map":
        nested = (*path, "entries") if _is_options(options, "entries") else path
    if not _is_options_of(form, options):
        options = {form.shorthand: options} if form.shorthand else options if options is not None else {}
    before = len(reading.complaints)
    options = dict(_with_forms(reading, word, options, path, nested, name)) if isinstance(options, dict) else options
    if len(reading.complaints) > before:
        return None
    if word == "faker":
        return _checked_faker(reading, options, path, where)
    return _validated(reading, form, options, path, where)


def _is_options(options: Any, key: str) -> bool:
    return isinstance(options, dict) and set(options) == {key} and isinstance(options[key], dict)


def _is_options_of(form: type[Form], options: Any) -> bool:
    """Whether the mapping names the form's options, rather than being the bare value of its shorthand."""
    if not isinstance(options, dict):
        return False
    if form.shorthand in ("entries", "values", "value", "forms"):
        return set(options) == {form.shorthand}
    return True


def _with_forms(
    reading: _Reading, word: str, options: dict[str, Any], path: Path, nested: Path, name: str
) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if word in ("list", "set") and key == "of":
            yield key, _form(reading, name, value, (*path, key))
        elif word == "map" and key == "entries" and isinstance(value, dict):
            yield (
                key,
                {entry: _form(reading, f"{name}.{entry}", item, (*nested, entry)) for entry, item in value.items()},
            )
        elif word in ("either", "cycle") and key == "forms" and isinstance(value, list):
            yield key, [_form(reading, name, item, (*path, index)) for index, item in enumerate(value)]
        else:
            yield key, value


def _validated(reading: _Reading, form: type[Form], options: Any, path: Path, where: str) -> Form | None:
    try:
        return form.model_validate(options)
    except ValidationError as error:
        found = complaints(error, form, path, f"{form.word!r} of {where}")
        reading.complaints.extend(found)
        return None


def _checked_faker(reading: _Reading, options: Any, path: Path, where: str) -> Form | None:
    form = _validated(reading, FakerForm, options, path, where)
    if isinstance(form, FakerForm):
        from drills import record_pools

        try:
            record_pools.check(form.provider, form.locale, form.with_)
        except ValueError as error:
            reading.complain(path, f"{where}: {error}")
            return None
    return form
