"""Pools of values drawn from Faker, so that its cost is paid per pool and not per record."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from faker import Faker
from faker.config import AVAILABLE_LOCALES
from faker.generator import Generator

from drills.record_drawing import plain
from drills.suggestions import did_you_mean

POOL_VALUES = 500
POOL_CHARACTERS = 2_000_000
"""Where a provider's values are large, fewer of them make a pool."""


class UnknownName(ValueError):
    """A Faker provider or locale that does not exist. The message suggests the nearest."""


@functools.lru_cache(maxsize=32)
def _faker(locale: str) -> Generator:
    if locale not in AVAILABLE_LOCALES:
        raise UnknownName(f"unknown Faker locale {locale!r}{did_you_mean(locale, AVAILABLE_LOCALES)}")
    generator: Generator = Faker(locale, use_weighting=False).factories[0]
    return generator


@functools.lru_cache(maxsize=32)
def providers(locale: str) -> frozenset[str]:
    """The names of all Faker providers of a locale."""
    faker = _faker(locale)
    names = {name for provider in faker.get_providers() for name in dir(provider) if not name.startswith("_")}
    return frozenset(name for name in names if callable(getattr(faker, name, None)))


def check(provider: str, locale: str, options: Mapping[str, Any]) -> None:
    """Raises UnknownName, or ValueError for options that the provider does not take or values no record can hold."""
    known = providers(locale)
    if provider not in known:
        raise UnknownName(f"unknown Faker provider {provider!r}{did_you_mean(provider, known)}")
    try:
        faker = _faker(locale)
        faker.seed_instance(0)
        plain(getattr(faker, provider)(**options))
    except Exception as error:  # noqa: BLE001 - whatever a provider raises, it is about the options it was given
        raise ValueError(f"Faker's {provider!r} does not work here: {type(error).__name__}: {error}") from None


def pool(seed: int, started: datetime, provider: str, locale: str, options: Mapping[str, Any]) -> list[Any]:
    """Values of one provider. The same for the same seed and start, whatever else was drawn before."""
    return list(_pool(seed, started, provider, locale, json.dumps(options, sort_keys=True, default=str)))


@functools.lru_cache(maxsize=512)
def _pool(seed: int, started: datetime, provider: str, locale: str, options: str) -> tuple[Any, ...]:
    faker = _faker(locale)
    faker.seed_instance(f"{seed}/{provider}/{locale}/{options}")
    with _standing_still(started):
        return tuple(_values(getattr(faker, provider), json.loads(options)))


def _values(provide: Any, options: Mapping[str, Any]) -> Iterator[Any]:
    characters = 0
    for _ in range(POOL_VALUES):
        value = plain(provide(**options))
        yield value
        characters += len(value) if isinstance(value, str | bytes) else len(repr(value))
        if characters > POOL_CHARACTERS:
            return


def _standing_still(moment: datetime) -> AbstractContextManager[Any]:
    """Faker's date providers count from now; a pool must be the same whenever it is drawn."""
    if importlib.util.find_spec("time_machine") is None:
        return nullcontext()
    import time_machine

    return time_machine.travel(moment, tick=False)
