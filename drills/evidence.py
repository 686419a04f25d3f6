"""The evidence of a drill: what it planned, its ledgers and what was read back, enough to judge it again.

::

    <drill>/history.jsonl
    <drill>/evidence/plan.json
    <drill>/evidence/<scenario>/<store>/ledger.jsonl
    <drill>/evidence/<scenario>/<store>/<protection>.inventory.jsonl
    <drill>/evidence/<scenario>/<store>/<protection>.mismatches.jsonl    (written by the judge)

Each file is one JSON value, or one a line, and ends up in the history with its length and its SHA-256: whatever is
changed, cut or missing later is noticed by whoever reads it. Items stand in these files byte for byte as they were
compared.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import orjson

from drills.errors import EvidenceError, UsageError
from drills.history import Event, canonical
from drills.ledger import Ledger
from drills.model import JSON, Observed, Write, WriteKind

PLAN = "evidence/plan.json"
WRITTEN_BY_A_DRILL = ("history.jsonl", "report.json", "report.html", "junit.xml")
WRITTEN_BY_A_STORE = ("ledger.jsonl", "*.inventory.jsonl", "*.mismatches.jsonl")
ITEM = b',"item":'
"""Where the item begins in a line. Quotes within a key are escaped, so that this is found nowhere before it."""
BUFFER_BYTES = 1 << 20
KINDS: Mapping[str, WriteKind] = {"put": "put", "delete": "delete", "erase": "erase"}


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of evidence: where it lies in the drill's folder, how many records it has, and its SHA-256 in hex."""

    file: str
    records: int
    sha256: str

    def as_json(self) -> Mapping[str, JSON]:
        """As the history keeps it."""
        return {"file": self.file, "records": self.records, "sha256": self.sha256}

    @classmethod
    def told_by(cls, event: Event) -> EvidenceFile:
        """The file that an event tells of. Raises EvidenceError when the event does not say."""
        return cls(event.text("file"), int(event.number("records")), event.text("sha256"))


class Evidence:
    """Writes the evidence of one drill. ``plan`` is the plan that lies there, as the history tells of it."""

    def __init__(self, folder: Path, plan: EvidenceFile) -> None:
        self.folder = folder
        self.plan = plan

    @classmethod
    def create(cls, folder: Path, plan_json: Mapping[str, JSON]) -> Evidence:
        """Make the drill's folder and put the plan into it.

        An earlier drill of the same id is replaced, so that a seed can be run again: the files that a drill writes go,
        every other file stays. Raises UsageError when the folder holds anything else, or cannot be written.
        """
        plan = canonical(plan_json)
        try:
            _make_room(folder, str(plan_json["drill"]["id"]))
            file = folder / PLAN
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, [plan])
        except OSError as error:
            raise UsageError(
                f"{folder}: the drill's folder cannot be written ({error.strerror}). Give another place with --out."
            ) from None
        return cls(folder, EvidenceFile(PLAN, 1, hashlib.sha256(plan).hexdigest()))

    def keep_only(self, told: Container[str]) -> None:
        """Remove the files of stores of which nothing that counts tells: cut off, or of what is begun anew."""
        for pattern in WRITTEN_BY_A_STORE:
            for path in (self.folder / "evidence").glob(f"*/*/{pattern}"):
                if path.relative_to(self.folder).as_posix() not in told:
                    path.unlink()

    def write_ledger(self, label: str, store: str, ledger: Ledger) -> EvidenceFile:
        """Write one store's ledger of the scenario ``label``."""
        return self._write(place(label, store, "ledger.jsonl"), map(_ledger_line, ledger))

    def write_inventory(self, label: str, store: str, protection: str, observed: Iterator[Observed]) -> EvidenceFile:
        """Write what was read back from one restored store, record by record as it comes."""
        return self._write(place(label, store, f"{protection}.inventory.jsonl"), map(_inventory_line, observed))

    def _write(self, name: str, lines: Iterable[bytes]) -> EvidenceFile:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        records = 0
        with path.open("xb", buffering=BUFFER_BYTES) as file:
            for line in lines:
                digest.update(line)
                file.write(line)
                records += 1
        return EvidenceFile(name, records, digest.hexdigest())


def place(label: str, store: str, name: str) -> str:
    """Where a file of one scenario and store lies in the drill's folder; ``bulk_erase:all`` → ``bulk_erase+all``."""
    return "/".join(("evidence", _safe(label), _safe(store), _safe(name)))


def _safe(name: str) -> str:
    safe = quote(name, safe="").replace("%3A", "+")
    return safe if safe.strip(".") else safe.replace(".", "%2E")


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f"{path.name}.part")
    with beside.open("wb", buffering=BUFFER_BYTES) as file:
        file.writelines(parts)
    os.replace(beside, path)


def _make_room(folder: Path, drill_id: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: expected a folder for the drill, found a file. Give another place with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        return
    found = _drill_in(folder)
    if found != drill_id:
        what = f"the drill {found}" if found else "files that no drill wrote"
        raise UsageError(
            f"{folder}: expected an empty folder or an earlier run of the drill {drill_id}, found {what}. "
            "Move it away, or give another place with --out."
        )
    _remove_earlier_run(folder)


def _drill_in(folder: Path) -> str | None:
    """The id of the drill whose folder this is, None when it is nothing of the kind."""
    try:
        found = orjson.loads((folder / PLAN).read_bytes())["drill"]["id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)


def _remove_earlier_run(folder: Path) -> None:
    # The plan stays until it is replaced: by it the folder is known as this drill's if this is interrupted.
    for name in WRITTEN_BY_A_DRILL:
        (folder / name).unlink(missing_ok=True)
    for pattern in WRITTEN_BY_A_STORE:
        for path in (folder / "evidence").glob(f"*/*/{pattern}"):
            path.unlink()
    for emptied in sorted((folder / "evidence").glob("**/"), reverse=True):
        with suppress(OSError):
            emptied.rmdir()  # Refused where something else is left, which then stays.


# --- Lines ---------------------------------------------------------------------------------------------------------


def _ledger_line(write: Write) -> bytes:
    header = orjson.dumps(
        {
            "sequence": write.sequence,
            "key": write.key,
            "kind": write.kind,
            "sent_us": write.sent_us,
            "acknowledged_us": write.acknowledged_us,
            "expires_at": write.expires_at,
        }
    )
    return _line(header, b"null" if write.item is None else write.item)


def _inventory_line(observed: Observed) -> bytes:
    return _line(orjson.dumps({"key": observed.key}), observed.item)


def _line(header: bytes, item: bytes) -> bytes:
    if b"\n" in item:
        raise ValueError("an item is canonical JSON and so has no line break in it")
    return header[:-1] + ITEM + item + b"}\n"


# --- Reading back --------------------------------------------------------------------------------------------------


def read_plan(folder: Path, told: EvidenceFile) -> Mapping[str, JSON]:
    """The plan of a drill. Raises EvidenceError when it is missing or not as the history knows it."""
    (plan,) = _checked_lines(folder, told, lambda file: iter([file.read()]))
    value = orjson.loads(plan)
    if not isinstance(value, dict):
        raise _damaged(folder / told.file, "it is no plan")
    return value


def read_ledger(folder: Path, told: EvidenceFile) -> Iterator[Write]:
    """The writes of a ledger, in order.

    Raises EvidenceError when the file is missing or a line is damaged, and at its end when the file as a whole is not
    as the history knows it: what was read is evidence only once the iterator is exhausted.
    """
    for number, line in enumerate(_checked_lines(folder, told, iter), 1):
        write = _write_in(line)
        if write is None:
            raise _damaged(folder / told.file, "this is no write of a ledger", number)
        yield write


def _write_in(line: bytes) -> Write | None:
    header, _, item = line.partition(ITEM)
    if item[-2:] != b"}\n":
        return None
    try:
        entry = orjson.loads(header + b"}")
        return Write(
            sequence=entry["sequence"],
            key=entry["key"],
            kind=KINDS[entry["kind"]],
            item=None if item == b"null}\n" else item[:-2],
            sent_us=entry["sent_us"],
            acknowledged_us=entry["acknowledged_us"],
            expires_at=entry["expires_at"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def read_inventory(folder: Path, told: EvidenceFile) -> Iterator[Observed]:
    """What was read back, in the order in which it came. Raises as read_ledger does, and at the end as well."""
    loads = orjson.loads
    for number, line in enumerate(_checked_lines(folder, told, iter), 1):
        header, found, item = line.partition(ITEM)
        try:
            key = loads(header[7:])
        except ValueError:
            key = None
        if not found or item[-2:] != b"}\n" or header[:7] != b'{"key":' or type(key) is not str:
            raise _damaged(folder / told.file, "this is no record of an inventory", number)
        yield Observed(key, item[:-2])


def _checked_lines(
    folder: Path, told: EvidenceFile, lines_of: Callable[[BinaryIO], Iterator[bytes]]
) -> Iterator[bytes]:
    path = folder / told.file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _damaged(path, "the history names a file outside of the drill's folder")
    digest = hashlib.sha256()
    update = digest.update
    records = 0
    try:
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            for line in lines_of(file):
                update(line)
                records += 1
                yield line
    except OSError as error:
        raise _damaged(
            path, f"expected a file of {told.records:,} records, it cannot be read ({error.strerror})"
        ) from None
    if records != told.records:
        raise _damaged(path, f"expected {told.records:,} records, found {records:,}")
    if digest.hexdigest() != told.sha256:
        raise _damaged(path, f"expected the SHA-256 {told.sha256}, found {digest.hexdigest()}")


def _damaged(path: Path, what: str, line: int | None = None) -> EvidenceError:
    where = f"{path}:{line}" if line else f"{path}"
    return EvidenceError(
        f"{where}: {what}. The evidence is damaged and cannot be judged: take the folder from where it was kept, "
        "or run the drill again."
    )
