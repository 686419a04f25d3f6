"""``drills template``: a copy's templates and packages, for any store or for one of an estate, and their files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drills.errors import UsageError
from drills.model import JSON, Store
from drills.suggestions import did_you_mean
from drills.templates import Bundle, CopyTemplate, load
from drills.templates.writing import Format, written


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was given. ``options`` as ``name=value``; ``estate`` and ``store`` go together."""

    name: str
    estate: str | None = None
    store: str | None = None
    accounts: Path | None = None
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """Where one written template belongs."""

    file: Path
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class Wrote:
    """What was written, in which order it is deployed, and what to do with it."""

    stacks: Sequence[Stack]
    packages: Sequence[Path]
    steps: Sequence[str]


def bundle_of(asked: Asked) -> Bundle:
    """Raises UsageError for what there is not, ConfigurationError for what is wrong in a file."""
    template = load(asked.name)
    if asked.estate is None:
        if asked.store or asked.accounts:
            raise UsageError("--store and --on belong to an estate: expected --estate beside them, found none")
        try:
            return template.of_any(_options(asked.options))
        except ValueError as error:
            raise UsageError(f"the template {asked.name}: {error}") from None
    if asked.options:
        raise UsageError(
            f"--option {asked.options[0]}: the estate {asked.estate} says what its copies are to be; expected no "
            "--option beside --estate. Change the estate instead, so that `drills status` expects the same."
        )
    return _of_store(template, asked, asked.estate)


def _of_store(template: CopyTemplate, asked: Asked, estate: str) -> Bundle:
    from drills.accounts_file import AccountsFile, read_accounts
    from drills.clock import WallClock
    from drills.own_accounts import OwnAccounts
    from drills.own_site import OwnSite
    from drills.plugins import load_estate

    accounts = read_accounts(asked.accounts) if asked.accounts else AccountsFile("", {}, None)
    known = accounts.of(load_estate(estate))
    store = _store(template, asked, estate, known.stores)
    options = next(use.options for use in store.protections if use.name == template.protection)
    # Nothing is called through this site: it only knows what everything of the store is called, and where it lies.
    clock = WallClock()
    reached = OwnAccounts(accounts, known, clock, lambda _: None)
    return template.of_store(OwnSite(reached, known, store, clock, lambda _: None), options)


def _store(template: CopyTemplate, asked: Asked, estate: str, stores: Sequence[Store]) -> Store:
    """The one store that is meant: it exists, and this copy protects it."""
    fitting = {
        one.name: one
        for one in stores
        if one.exists is not None and any(use.name == template.protection for use in one.protections)
    }
    if asked.store is None and len(fitting) == 1:
        return next(iter(fitting.values()))
    if asked.store in fitting:
        return fitting[str(asked.store)]
    expected = f"a store with the keys 'exists' and the protection {template.protection}"
    if asked.store is None:
        found = f"found {len(fitting)}: {', '.join(fitting)}. Name one with --store" if fitting else "found none"
        raise UsageError(f"the estate {estate}: expected {expected}, {found}.")
    if asked.store not in {one.name for one in stores}:
        raise UsageError(
            f"the estate {estate} has no store {asked.store!r}{did_you_mean(asked.store, [one.name for one in stores])}"
        )
    raise UsageError(f"store {asked.store!r} of the estate {estate}: expected {expected}, as {asked.name} is its copy.")


def _options(given: Sequence[str]) -> Mapping[str, JSON]:
    """``name=value`` → what an estate file would have there: values are YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    options: dict[str, JSON] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"--option {one}: expected NAME=VALUE, such as --option batch_size=500")
        try:
            options[name] = YAML(typ="safe", pure=True).load(value)
        except YAMLError:
            raise UsageError(f"--option {one}: expected a value as in an estate file, found {value!r}") from None
    return options


def write(bundle: Bundle, folder: Path, form: Format, *, force: bool = False) -> Wrote:
    """Write everything into ``folder``, or nothing: what exists with another content is only overwritten by ``force``.

    Raises UsageError naming what is in the way.
    """
    files = {folder / f"{one.name}.{form}": written(one.structure(), form) for one in bundle.templates}
    stacks = [Stack(path, one.account, one.region) for path, one in zip(files, bundle.templates, strict=True)]
    packages = {folder / name: content for name, content in bundle.packages.items()}
    files |= packages
    if not force:
        _check_free(files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            _put(path, content)
    except OSError as error:
        raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return Wrote(stacks, list(packages), [step.replace(".EXT", f".{form}") for step in bundle.steps])


def _check_free(files: Mapping[Path, bytes]) -> None:
    taken = [path for path, content in files.items() if os.path.lexists(path) and not _is(path, content)]
    if taken:
        raise UsageError(
            f"{', '.join(map(str, taken))}: expected a free name, found another file. Nothing was written: give "
            "another folder with --out, or --force to overwrite."
        )


def _is(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _put(path: Path, content: bytes) -> None:
    """Whole or not at all: a template cut short by a full disk must not be deployed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
