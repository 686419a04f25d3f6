"""An estate file → the estate. Everything wrong with a file is told at once, each with its ``file:line:col``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from drills import plugins
from drills.checked import Complaint, complaints, without_echoes
from drills.errors import ConfigurationError, UsageError
from drills.estate_file import (
    DEFAULT_IDS,
    DEFAULT_REGIONS,
    NAMED,
    ROLES,
    AccountsPart,
    EstatePart,
    ExistingStorePart,
    ResponsePart,
    StorePart,
)
from drills.estate_reference import REFERENCE
from drills.locations_in_yaml import LocatedYAML, complain, not_utf8, read_yaml, shown
from drills.locations_in_yaml import Path as At
from drills.model import (
    Account,
    AccountRole,
    Estate,
    Module,
    Objectives,
    ProductionSize,
    ProtectionUse,
    Response,
    Store,
    WorkloadMix,
)
from drills.record_drawing import Record
from drills.record_file import FileRecords, RecordsFrom, read_file
from drills.records import RecordsSpec, make_records, read_attributes, with_keys
from drills.references_in_estate import read_references
from drills.stores import StoreKind
from drills.suggestions import did_you_mean, nearest

__all__ = ["REFERENCE", "parse_estate", "read_estate"]
SAMPLE_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When the sample records begin that a file is tried with; nothing of them is kept."""


def read_estate(path: Path) -> Estate:
    """Read and check an estate file. Raises ConfigurationError with all its problems, UsageError if unreadable."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the estate file {path} cannot be read: {error.strerror}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(raw, error, str(path)) from None
    return parse_estate(text, file=str(path), name=path.stem, folder=path.parent)


def parse_estate(text: str, *, file: str, name: str, folder: Path) -> Estate:
    """Check the text of an estate file.

    ``file`` is what errors call it, ``name`` the estate's name unless the file gives one, ``folder`` where the record
    files beside it lie. Raises ConfigurationError with every problem.
    """
    located = read_yaml(text, file)
    reading = _Reading(located, folder)
    estate = reading.estate(name, text)
    problems = [
        located.problem(found.path, found.message, at_key=found.at_key) for found in without_echoes(reading.complaints)
    ]
    # What could not be read as YAML was put down as nothing; that is not wrong a second time.
    unreadable = {(problem.line, problem.column) for problem in located.problems}
    problems = [problem for problem in problems if (problem.line, problem.column) not in unreadable]
    if problems or located.problems or estate is None:
        raise complain(file, [*located.problems, *problems])
    return estate


class _Reading:
    """One file being read: each part is checked by itself, so that one mistake does not hide another."""

    def __init__(self, located: LocatedYAML, folder: Path) -> None:
        self.data = located.data
        self.folder = folder
        self.complaints: list[Complaint] = []
        self.all_named = True

    def complain(self, path: At, message: str, *, at_key: bool = False) -> None:
        self.complaints.append(Complaint(path, message, at_key))

    def checked(self, model: type[BaseModel], node: Any, path: At, within: str, more_keys: tuple[str, ...] = ()) -> Any:
        """The node as the model, or None with complaints."""
        try:
            return model.model_validate(node)
        except ValidationError as error:
            self.complaints.extend(complaints(error, model, path, within, more_keys))
            return None

    def estate(self, name: str, source: str) -> Estate | None:
        if not isinstance(self.data, dict):
            self.complain((), f"expected an estate as a mapping with the key 'stores', found {shown(self.data)}")
            return None
        part: EstatePart | None = self.checked(EstatePart, self.data, (), "")
        stores = self._stores(self.data.get("stores"))
        modules = self._modules(self.data.get("modules"), stores)
        if part is None:
            return None
        self._check_response(part.response)
        references, wrong = read_references(part.references, stores)
        # A reference may name the store whose name is wrong.
        self.complaints += wrong if self.all_named else []
        accounts = self._accounts(part.accounts)
        if self.complaints:
            return None
        return Estate(
            name=part.name or name,
            summary=part.summary,
            accounts=accounts,
            stores=tuple(store for store in stores.values() if store is not None),
            modules=modules,
            response=Response(part.response.detect, part.response.decide, part.response.cut_over),
            workload_minutes=part.workload_minutes,
            source=source,
            references=references,
        )

    # --- Accounts and response

    def _accounts(self, part: AccountsPart) -> Mapping[AccountRole, Account]:
        found: dict[AccountRole, Account] = {}
        for word in ROLES:
            role = cast(AccountRole, word)
            given = getattr(part, role)
            account = Account(role, given.id or DEFAULT_IDS[role], given.region or DEFAULT_REGIONS[role])
            same = [other.role for other in found.values() if other.id == account.id]
            if same:
                self.complain(
                    ("accounts", role, "id"),
                    f"account {role!r} has the id {account.id} of account {same[0]!r}; expected an account of its own",
                )
            found[role] = account
        return found

    def _check_response(self, part: ResponsePart) -> None:
        path: At = ("response", "detect")
        if "default" not in part.detect:
            self.complain(
                path, "'response.detect': the key 'default' is missing, for every other scenario", at_key=True
            )
        beside = (path.stem for path in self.folder.parent.glob("scenarios/*.py"))
        known = {"default", *plugins.scenario_names(), *beside}
        for name in part.detect:
            if name not in known:
                self.complain(
                    (*path, name),
                    f"unknown scenario {name!r} in 'response.detect'{did_you_mean(name, known)}",
                    at_key=True,
                )

    # --- Stores

    def _stores(self, nodes: Any) -> dict[str, Store | None]:
        """The stores by name; None for one with complaints."""
        found: dict[str, Store | None] = {}
        for index, node in enumerate(nodes if isinstance(nodes, list) else []):
            path: At = ("stores", index)
            if not isinstance(node, dict):
                self.complain(path, f"expected a store as a mapping with a name and a kind, found {shown(node)}")
                continue
            given = node.get("name")
            name = given if isinstance(given, str) else f"number {index + 1}"
            store = self._store(name, node, path)
            if name in found:
                self.complain((*path, "name"), f"a second store is named {name!r}; expected a name of its own")
            found.setdefault(name, store)
            self.all_named &= isinstance(given, str) and NAMED.fullmatch(name) is not None
        return found

    def _store(self, name: str, node: dict[str, Any], path: At) -> Store | None:
        before = len(self.complaints)
        within = f"store {name!r}"
        kind = self._kind(node, path)
        own = {key: value for key, value in node.items() if key not in StorePart.model_fields}
        common = {key: value for key, value in node.items() if key in StorePart.model_fields}
        undrilled = "exists" in node and "records" not in node and "records_from" not in node
        model = ExistingStorePart if undrilled else StorePart
        part: StorePart | None = self.checked(model, common, path, within)
        config = self._config(kind, own, path, within) if kind else None
        protections = self._protections(node.get("protections"), kind, path, within)
        records = None if undrilled else self._records(name, node, path)
        if part is not None:
            self._check_mix(part, path, within)
        if len(self.complaints) == before and kind and records:
            records = self._tried(kind, config, records, path, within)
        if len(self.complaints) > before or part is None:
            return None
        return Store(
            name=part.name,
            kind=part.kind,
            config=config,
            records=records,
            share=part.share,
            workload=WorkloadMix(**part.workload.model_dump()),
            protections=tuple(protections),
            objectives=Objectives(part.objectives.rto, part.objectives.rpo),
            production=ProductionSize(part.production.size_gb, part.production.items),
            exists=part.exists,
        )

    def _kind(self, node: dict[str, Any], path: At) -> StoreKind | None:
        word = node.get("kind")
        if not isinstance(word, str):
            return None
        try:
            return plugins.load_store_kind(word)
        except UsageError as error:
            self.complain((*path, "kind"), str(error))
            return None

    def _config(self, kind: StoreKind, own: dict[str, Any], path: At, within: str) -> Any:
        try:
            return kind.parse(own)
        except ValidationError as error:
            model = getattr(kind, "model", None)
            self.complaints.extend(complaints(error, model, path, within, tuple(StorePart.model_fields)))
        except ValueError as error:
            self.complain(path, f"{within}: {error}")
        return None

    def _check_mix(self, part: StorePart, path: At, within: str) -> None:
        mix = part.workload
        if mix.writes_per_minute and not mix.inserts + mix.updates + mix.deletes + mix.erasures:
            self.complain(
                (*path, "workload"),
                f"'workload' in {within}: expected one of inserts, updates, deletes, erasures above zero, found none",
            )

    # --- Protections

    def _protections(self, nodes: Any, kind: StoreKind | None, path: At, within: str) -> list[ProtectionUse]:
        found: list[ProtectionUse] = []
        for index, node in enumerate(nodes if isinstance(nodes, list) else []):
            use = self._protection(node, kind, (*path, "protections", index), within)
            if use is not None and use.name in [other.name for other in found]:
                self.complain(
                    (*path, "protections", index),
                    f"the protection {use.name!r} stands twice in {within}; expected once",
                )
            elif use is not None:
                found.append(use)
        return found

    def _protection(self, node: Any, kind: StoreKind | None, path: At, within: str) -> ProtectionUse | None:
        """``name``, or ``{name: {option: value}}``."""
        name: Any = node
        options: Any = {}
        if isinstance(node, dict) and len(node) == 1:
            name, options = next(iter(node.items()))
            path = (*path, name)
        if not isinstance(name, str) or not isinstance(options or {}, dict):
            self.complain(
                path,
                f"a protection in {within}: expected its name, or {{name: {{option: value}}}}, found {shown(node)}",
            )
            return None
        try:
            protection = plugins.load_protection(name)
        except UsageError as error:
            self.complain(path, f"{within}: {error}", at_key=True)
            return None
        if kind is not None and protection.kind != kind.name:
            self.complain(
                path,
                f"the protection {name!r} in {within} is for stores of kind {protection.kind!r}, "
                f"found kind {kind.name!r}",
                at_key=True,
            )
            return None
        try:
            protection.check(options or {})
        except ValidationError as error:
            self.complaints.extend(complaints(error, None, path, f"the protection {name!r} in {within}"))
        except (ValueError, TypeError) as error:
            # Protections begin such a message with the option, as in "every: expected …".
            option = str(error).partition(":")[0]
            place = (*path, option) if option in (options or {}) else path
            self.complain(place, f"the protection {name!r} in {within}: {error}", at_key=True)
        return ProtectionUse(name, options or {})

    # --- Records

    def _records(self, name: str, node: dict[str, Any], path: At) -> RecordsSpec | None:
        within = f"store {name!r}"
        if ("records" in node) == ("records_from" in node):
            found = "both" if "records" in node else "neither"
            self.complain(path, f"expected either 'records' or 'records_from' in {within}, found {found}", at_key=True)
            return None
        if "records" in node:
            spec, found_wrong = read_attributes(name, node["records"], (*path, "records"))
            self.complaints.extend(found_wrong)
            return spec
        return self._records_from(name, node["records_from"], (*path, "records_from"))

    def _records_from(self, name: str, node: Any, path: At) -> FileRecords | None:
        node = {"file": node} if isinstance(node, str) else node
        given: RecordsFrom | None = self.checked(RecordsFrom, node, path, f"'records_from' in store {name!r}")
        if given is None:
            return None
        try:
            return read_file(name, given, self.folder)
        except ConfigurationError as error:
            self.complain(path, f"store {name!r}: {error}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.complain(path, f"store {name!r}: the file {given.file!r} beside the estate cannot be read: {reason}")
        return None

    def _tried(self, kind: StoreKind, config: Any, spec: RecordsSpec, path: At, within: str) -> RecordsSpec:
        """Try the records on the kind of store: which attributes are the key, are keys unique, can they be stored."""
        where: At = (*path, "records_from" if isinstance(spec, FileRecords) else "records")
        maker = make_records(spec, 0, SAMPLE_START)
        samples = spec.records if isinstance(spec, FileRecords) else [maker.record(n) for n in range(4)]
        seen: dict[str, int] = {}
        try:
            for number, record in enumerate(samples, start=1):
                key = kind.key_of(config, record)
                kind.encode(config, record)
                kind.expires_at(config, record)
                if key in seen:
                    self.complain(where, f"records {seen[key]} and {number} of {within} have the same key {shown(key)}")
                    return spec
                seen[key] = number
        except KeyError as error:
            self._lacking(str(error.args[0]), len(seen) + 1, record, path, where, within)
            return spec
        except Exception as error:  # noqa: BLE001 - whatever a kind of store says about a record is about the file
            self.complain(
                where, f"record {len(seen) + 1} of {within} cannot be stored: {type(error).__name__}: {error}"
            )
            return spec
        keys = _key_attributes(kind, config, samples[0])
        if not isinstance(spec, FileRecords) and keys and not keys & spec.unique():
            self.complain(
                where,
                f"the key of {within} is made of {_listed(keys)}, whose values repeat; make one of them unique with "
                "uuid, sequence or a template with {n}",
            )
        return with_keys(spec, keys)

    def _lacking(self, name: str, number: int, record: Record, path: At, where: At, within: str) -> None:
        """A record lacks what the store's own keys name: told where they name it."""
        near = nearest(name, record)
        meant = did_you_mean(name, record) if near else f"; it has {_listed(record)}"
        own = {key: value for key, value in self._at(path).items() if key not in StorePart.model_fields}
        self.complain(
            (*path, *(_place_of(name, own) or where[len(path) :])),
            f"record {number} of {within} lacks {name!r}, which the store needs{meant}",
        )

    def _at(self, path: At) -> Any:
        node = self.data
        for step in path:
            node = node[step]
        return node

    # --- Modules

    def _modules(self, nodes: Any, stores: Mapping[str, Store | None]) -> tuple[Module, ...]:
        modules = []
        for name, resources in (nodes if isinstance(nodes, dict) else {}).items():
            listed = resources if isinstance(resources, list) else []
            for index, resource in enumerate(listed):
                if isinstance(resource, str):
                    self._check_resource(resource, stores, ("modules", name, index), f"module {name!r}")
            modules.append(Module(name, tuple(r for r in listed if isinstance(r, str))))
        return tuple(modules)

    def _check_resource(self, resource: str, stores: Mapping[str, Store | None], path: At, within: str) -> None:
        name, slash, protection = resource.partition("/")
        if name not in stores:
            if not self.all_named:
                # The store it names may be the one whose name is wrong.
                return
            self.complain(path, f"{within} names the store {name!r}, which does not exist{did_you_mean(name, stores)}")
            return
        store = stores[name]
        if not slash or store is None:
            return
        known = [use.name for use in store.protections]
        if protection not in known:
            self.complain(
                path,
                f"{within} names the protection {protection!r} of store {name!r}, which has none of that name"
                f"{did_you_mean(protection, known)}",
            )


def _key_attributes(kind: StoreKind, config: Any, record: Mapping[str, Any]) -> frozenset[str]:
    """The attributes without which, or with another value of which, a record has another key."""
    found = set()
    for name in record:
        try:
            kind.key_of(config, {other: value for other, value in record.items() if other != name})
        except Exception:  # noqa: BLE001 - a kind refuses a record without its key in its own way.
            found.add(name)
    return frozenset(found)


def _listed(names: Iterable[str]) -> str:
    return " and ".join(repr(name) for name in sorted(names))


def _place_of(word: str, node: Any) -> At | None:
    """The path within a part of the file at which the word stands as a value; None if it does not."""
    if node == word:
        return ()
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps:
        below = _place_of(word, value)
        if below is not None:
            return (step, *below)
    return None
