"""What pydantic found wrong, in the words an estate file is written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from drills.locations_in_yaml import Path, shown
from drills.suggestions import did_you_mean, nearest


class Checked(BaseModel):
    """A part of a file: types as written, nothing unknown, never changed afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with the content: at which path, whether the key or the value is meant.

    ``missing`` is the key that is not there, ``meant`` are the keys that an unknown one was probably meant to be.
    """

    path: Path
    message: str
    at_key: bool = False
    missing: str | None = None
    meant: tuple[str, ...] = ()


def without_echoes(found: Iterable[Complaint]) -> list[Complaint]:
    """A key that stands there misspelt is not missing as well."""
    found = list(found)
    misspelt = {(complaint.path[:-1], key) for complaint in found for key in complaint.meant}
    return [complaint for complaint in found if (complaint.path, complaint.missing) not in misspelt]


def complaints(
    error: ValidationError, model: type[BaseModel] | None, base: Path, within: str, more_keys: tuple[str, ...] = ()
) -> Iterator[Complaint]:
    """Each error of ``error`` as a Complaint.

    ``within`` names the thing checked, as in "store 'orders'"; ``more_keys`` are keys that may stand beside the model's
    own; ``base`` is the path of the thing in its file.
    """
    for details in error.errors(include_url=False):
        yield _complaint(details, model, base, within, more_keys)


def _complaint(
    details: ErrorDetails, model: type[BaseModel] | None, base: Path, within: str, more_keys: tuple[str, ...]
) -> Complaint:
    loc = tuple(details["loc"])
    path = base + loc
    where = f" in {within}" if within else ""
    if details["type"] == "extra_forbidden":
        known = _keys_at(model, loc[:-1]) + (more_keys if len(loc) == 1 else ())
        parent = f" of {dotted(loc[:-1])!r}" if loc[:-1] else ""
        word = str(loc[-1])
        message = f"unknown key {word!r}{parent}{where}{did_you_mean(word, known)}"
        return Complaint(path, message, True, meant=tuple(nearest(word, known)))
    if details["type"] == "missing":
        parent = f" of {dotted(loc[:-1])!r}" if loc[:-1] else ""
        missing = str(loc[-1])
        return Complaint(path[:-1], f"the key {missing!r}{parent} is missing{where}", True, missing=missing)
    name = f"{dotted(loc)!r}{where}" if loc else within or "the file"
    return Complaint(path, f"{name}: {_expectation(details)}")


def _expectation(details: ErrorDetails) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    if details["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"expected a mapping, found {shown(details['input'])}"
    if details["type"] == "literal_error" and isinstance(details["input"], str):
        return f"expected {details['ctx']['expected']}, found {shown(details['input'])}"
    if details["type"] == "too_short":
        least, found = details["ctx"]["min_length"], details["ctx"]["actual_length"]
        return f"expected at least {least} item{'s' if least > 1 else ''}, found {found or 'none'}"
    expected = details["msg"].removeprefix("Input should be ").partition(",")[0]
    expected = expected.removeprefix("a valid ").removeprefix("an valid ")
    if expected.startswith(("greater than", "less than")):
        expected = f"a number {expected}"
    word = {"number": "a number", "integer": "a whole number", "string": "text", "list": "a list"}.get(expected)
    word = word or {"boolean": "true or false"}.get(expected, expected)
    return f"expected {word}, found {shown(details['input'])}"


def dotted(loc: Path) -> str:
    """``('indexes', 0, 'name')`` → ``indexes[0].name``."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _keys_at(model: type[BaseModel] | None, loc: Path) -> tuple[str, ...]:
    """The keys that the model knows at this place; nothing when it cannot be told."""
    here: Any = model
    for step in loc:
        if isinstance(step, int):
            # The element of a list: its model was reached through the list's own key.
            continue
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = _field(here, step)
            here = _model_within(field) if field is not None else None
        elif here is not None:
            here = _model_within(here)
    if isinstance(here, type) and issubclass(here, BaseModel):
        return tuple(info.alias or name for name, info in here.model_fields.items())
    return ()


def _field(model: type[BaseModel], step: str | int) -> Any:
    for name, info in model.model_fields.items():
        if step in (name, info.alias):
            return info.annotation
    return None


def _model_within(annotation: Any) -> Any:
    """The model that an annotation leads to: through Optional, Annotated, and the element of a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return _model_within(arguments[0])
    if origin in (Union, UnionType) or origin in (list, tuple, dict):
        return next((found for found in map(_model_within, arguments) if found is not None), None)
    return None
