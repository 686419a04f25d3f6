"""Finds scenarios and estates, protections and kinds of store: built in, from entry points, and the user's own.

The user's ``./scenarios`` and ``./fixtures`` win over entry points, and those over what is built in. Files are loaded
by their path and never by a module name, so that a user's ``bulk_erase.py`` is the user's. Entry points of the groups
``drills.scenarios``, ``drills.estates``, ``drills.protections`` and ``drills.stores`` point at a Scenario, at the path
of an estate file, at a protection and at a kind of store.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from drills.errors import ConfigurationError, UsageError
from drills.model import Estate, Store
from drills.protections import Protection
from drills.scenario import Scenario
from drills.stores import StoreKind
from drills.suggestions import did_you_mean

Origin = Literal["built in", "entry point", "yours"]
ESTATE_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Found:
    """Something that can be loaded by name, and where it comes from: a file or an entry point."""

    name: str
    origin: Origin
    source: Path | importlib.metadata.EntryPoint

    @property
    def where(self) -> str:
        return str(self.source) if isinstance(self.source, Path) else self.source.value


def builtin_folder(name: Literal["scenarios", "fixtures"]) -> Path:
    """Where built-in files lie: beside the package in a checkout, within it in a wheel."""
    package = Path(__file__).resolve().parent
    folded = package / "builtin" / name
    return folded if folded.is_dir() else package.parent / name


# --- Scenarios -----------------------------------------------------------------------------------------------------


def scenarios() -> dict[str, Found]:
    """Every scenario by name."""
    return _found("scenarios", (".py",), "drills.scenarios", _mentions_drills)


def scenario_names() -> tuple[str, ...]:
    """The names of all scenarios, sorted."""
    return tuple(scenarios())


def load_scenario(name: str) -> Scenario:
    """The scenario of this name. Raises UsageError for an unknown one, ConfigurationError for a broken file."""
    known = scenarios()
    if name not in known:
        file = Path("scenarios", f"{name}.py")
        if re.fullmatch(r"[\w-]+", name) and file.is_file():
            return _scenario_in(file)
        raise UsageError(f"unknown scenario {name!r}{did_you_mean(name, known)}")
    source = known[name].source
    if isinstance(source, Path):
        return _scenario_in(source)
    loaded = _load(source, "scenario")
    if not isinstance(loaded, Scenario):
        raise UsageError(
            f"the entry point {source.value} of drills.scenarios is no Scenario but {type(loaded).__name__}"
        )
    return loaded


def _scenario_in(path: Path) -> Scenario:
    module = _run_file(path)
    if not hasattr(module, "scenario"):
        raise ConfigurationError(
            "expected a module-level 'scenario = Scenario(…)' (from drills.scenario import Scenario), found none",
            file=str(path),
        )
    scenario = module.scenario
    if not isinstance(scenario, Scenario):
        raise ConfigurationError(
            f"expected 'scenario' to be a Scenario, found {type(scenario).__name__}", file=str(path)
        )
    return scenario


def _run_file(path: Path) -> Any:
    """Run a Python file as a module of its own. Raises ConfigurationError with the line that failed."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"_drills_file_{digest}_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except SyntaxError as error:
        sys.modules.pop(name, None)
        line, column = (error.lineno or 1, error.offset or 1) if error.filename == str(path.resolve()) else (1, 1)
        raise ConfigurationError(f"this is not Python: {error.msg}", file=str(path), line=line, column=column) from None
    except (Exception, SystemExit) as error:  # a user's file can raise anything; it is named, not traced back
        sys.modules.pop(name, None)
        line = _line_in(path, error)
        raise ConfigurationError(
            f"the scenario cannot be loaded: {type(error).__name__}: {error}", file=str(path), line=line
        ) from error
    return module


def _line_in(path: Path, error: BaseException) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) in (path, path.resolve())]
    return lines[-1] or 1 if lines else 1


# --- Estates -------------------------------------------------------------------------------------------------------


def estates() -> dict[str, Found]:
    """Every estate by name."""
    return _found("fixtures", ESTATE_SUFFIXES, "drills.estates", _looks_like_an_estate)


def estate_names() -> tuple[str, ...]:
    """The names of all estates, sorted."""
    return tuple(estates())


def load_estate(name_or_file: str) -> Estate:
    """The estate of this name, or in this file. Raises UsageError for an unknown one, ConfigurationError for errors."""
    from drills.estate import read_estate

    return read_estate(estate_path(name_or_file))


def estate_path(name_or_file: str) -> Path:
    """The file of an estate given by name or by path."""
    path = Path(name_or_file)
    if path.suffix in ESTATE_SUFFIXES or len(path.parts) > 1:
        if path.is_dir():
            raise UsageError(f"{name_or_file} is a folder; expected an estate file")
        if os.path.lexists(path):
            return path
        raise UsageError(f"there is no estate file {name_or_file}; `drills list` shows the estates there are")
    known = estates()
    if name_or_file in known:
        return _estate_file(known[name_or_file])
    for suffix in ESTATE_SUFFIXES:
        own = Path("fixtures", name_or_file + suffix)
        if own.name == name_or_file + suffix and own.is_file():
            return own
    raise UsageError(f"unknown estate {name_or_file!r}{did_you_mean(name_or_file, known)}")


def _estate_file(found: Found) -> Path:
    if isinstance(found.source, Path):
        return found.source
    loaded = _load(found.source, "estate")
    path = Path(str(loaded))
    if not path.is_file():
        raise UsageError(f"the entry point {found.source.value} of drills.estates names no file: {loaded}")
    return path


# --- Files and entry points ----------------------------------------------------------------------------------------


def _found(
    folder: Literal["scenarios", "fixtures"], suffixes: tuple[str, ...], group: str, fits: Any
) -> dict[str, Found]:
    """What there is, by name: later origins replace earlier ones."""
    builtin = builtin_folder(folder)
    found = {path.stem: Found(path.stem, "built in", path) for path in _files(builtin, suffixes)}
    for point in importlib.metadata.entry_points(group=group):
        found[point.name] = Found(point.name, "entry point", point)
    own = Path(folder)
    if own.resolve() != builtin.resolve():
        found |= {path.stem: Found(path.stem, "yours", path) for path in _files(own, suffixes) if fits(path)}
    return dict(sorted(found.items()))


def _files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix in suffixes and not path.name.startswith(("_", ".")) and path.is_file():
                yield path


def _mentions_drills(path: Path) -> bool:
    """Whether a Python file is about drills at all: a folder named scenarios may hold what is none of our business,
    and running it to find out would be rude."""
    return re.search(rb"^\s*(from|import)\s+drills\b", _start_of(path), re.MULTILINE) is not None


def _looks_like_an_estate(path: Path) -> bool:
    return re.search(rb"^stores\s*:", _start_of(path), re.MULTILINE) is not None


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(200_000)
    except OSError:
        return b""


def _load(point: importlib.metadata.EntryPoint, what: str) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise UsageError(
            f"the {what} {point.name!r} of the entry point {point.value} cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error


# --- Protections and kinds of store --------------------------------------------------------------------------------


def protection_names() -> tuple[str, ...]:
    """The names of all protections, sorted."""
    return tuple(sorted(_modules("drills.protections", "protection")))


def load_protection(name: str) -> Protection:
    """The protection of this name. Raises UsageError for an unknown one."""
    return cast(Protection, _plugin("drills.protections", "protection", name))


def lacking(name: str, capabilities: frozenset[str], *, to_go_back: bool = False) -> list[str]:
    """What the protection of this name needs and is not among the capabilities of where a drill runs, sorted.

    ``to_go_back``: to before data was mangled, for which a protection may need more.
    """
    protection = load_protection(name)
    needs = frozenset(getattr(protection, "needs", ()))
    if to_go_back:
        needs |= frozenset(getattr(protection, "needs_to_go_back", ()))
    return sorted(needs - capabilities)


def store_kind_names() -> tuple[str, ...]:
    """The words that ``kind:`` of an estate file can be, sorted."""
    return tuple(sorted(_modules("drills.stores", "kind")))


def store_lacking(store: Store, capabilities: frozenset[str]) -> list[str]:
    """What a store of this kind needs to exist and is not among the capabilities of where a drill runs, sorted."""
    needs = getattr(load_store_kind(store.kind), "needs", None)
    return sorted((frozenset() if needs is None else frozenset(needs(store.config))) - capabilities)


def load_store_kind(name: str) -> StoreKind:
    """The kind of store of this name. Raises UsageError for an unknown one."""
    return cast(StoreKind, _plugin("drills.stores", "kind", name))


def _plugin(package: str, attribute: str, name: str) -> Any:
    known = _modules(package, attribute)
    word = {"protection": "protection", "kind": "kind of store"}[attribute]
    if name not in known:
        raise UsageError(f"unknown {word} {name!r}{did_you_mean(name, known)}")
    return known[name]


@functools.lru_cache(maxsize=8)
def _modules(package: str, attribute: str) -> dict[str, Any]:
    """Every plugin of a package by its name: its modules that hold one, and those of entry points, which win."""
    found: dict[str, Any] = {}
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(folder.__path__, f"{package}."):
        plugin = getattr(importlib.import_module(module.name), attribute, None)
        if plugin is not None:
            found[plugin.name] = plugin
    for point in importlib.metadata.entry_points(group=package):
        found[point.name] = _load(point, attribute)
    return found
