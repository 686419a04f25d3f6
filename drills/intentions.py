"""What a drill is about to change, on disk before the call is sent: by it a drill that was killed is cleaned up.

``intentions.jsonl`` in the drill's folder, one canonical JSON object a line::

    {"kind": "drill", "drill": …, "accounts": {role: {id, region}}, "provider": …, "endpoint_url": …, "asked": …}
    {"kind": "intention", "number": 7, "service": "dynamodb", "operation": "CreateTable", "role": "production", …}
    {"kind": "done", "number": 7, "error": null, "also": […]}
    {"kind": "adopted", "number": 7, "resource": […]}

An intention without its ``done`` may have been carried out or not. Each line carries a digest over itself and the line
before, so that a file that was changed is never believed; a last line that is cut off was never acted upon, as its
call is sent only once it is on disk. Parameters are kept as a digest only, their secrets masked before: no value of
theirs is ever in the file but the names of resources.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from drills.asked import Asked
from drills.errors import EvidenceError, UsageError
from drills.guard_rules import UNTAGGED, Resource
from drills.history import canonical
from drills.model import JSON, Account, AccountRole
from drills.redaction import MASK, SECRET_KEYS

FILE = "intentions.jsonl"
CLUES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("dynamodb", "CreateBackup"): ("TableName", "BackupName"),
    ("lambda", "CreateEventSourceMapping"): ("FunctionName", "EventSourceArn"),
    ("kms", "CreateKey"): ("Description",),
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): ("SourceDBInstanceArn",),
    ("s3control", "CreateJob"): ("Description",),
}
"""Parameters by which that is found whose name only the answer would have told."""
TAGGING = frozenset({("rds", "AddTagsToResource"), ("rds", "RemoveTagsFromResource")})
"""What holds a recovery point while it is restored from: it changes nothing that would have to be put back."""


@dataclass(frozen=True, slots=True)
class Header:
    """Whose file it is. ``provider``: the provider file's path; ``endpoint_url`` is None for AWS itself; ``asked`` is
    None where nobody approved a plan."""

    drill_id: str
    accounts: Mapping[AccountRole, Account]
    provider: str
    endpoint_url: str | None
    asked: Asked | None = None

    def role_of(self, account: str) -> AccountRole | None:
        return next((role for role, known in self.accounts.items() if known.id == account), None)

    def as_json(self) -> Mapping[str, JSON]:
        accounts = {role: {"id": one.id, "region": one.region} for role, one in self.accounts.items()}
        return {
            "drill": self.drill_id,
            "accounts": accounts,
            "provider": self.provider,
            "endpoint_url": self.endpoint_url,
            "asked": None if self.asked is None else self.asked.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Intention:
    """One call that was about to be sent.

    ``account`` and ``region`` are the caller's. ``makes`` are the resources it would make, as far as its parameters
    name them, and ``new`` those of them that were looked up right before and were not there. ``changes`` are the
    others it names. ``tagged``: it gives what it makes the drill's tag.
    """

    number: int
    at: datetime
    service: str
    operation: str
    account: str
    region: str
    makes: tuple[Resource, ...]
    changes: tuple[Resource, ...]
    new: tuple[Resource, ...]
    tagged: bool
    clues: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that the drill made: which account and region it was called from, and whether it has been tagged."""

    resource: Resource
    account: str
    region: str
    tagged: bool
    at: datetime


@dataclass
class Told:
    """What the file tells. ``uncertain``: intentions of which nobody knows whether they were carried out. ``first``:
    when each resource was about to be made for the first time; ``touched``: when it was last about to be made or
    changed; ``calls``: how often each role was about to call what."""

    header: Header
    made: dict[Resource, Made] = field(default_factory=dict)
    uncertain: list[Intention] = field(default_factory=list)
    first: dict[Resource, datetime] = field(default_factory=dict)
    touched: dict[Resource, datetime] = field(default_factory=dict)
    calls: Counter[tuple[AccountRole, str, str]] = field(default_factory=Counter)
    digest: str = ""
    count: int = 0
    whole_bytes: int = 0

    @property
    def memory(self) -> dict[Resource, bool]:
        """As the guard remembers it."""
        return {one.resource: one.tagged for one in self.made.values()}

    def made_since(self, moment: datetime) -> Told:
        """The same of what the drill made, or was about to make, for the first time from that moment on."""
        made = {there: one for there, one in self.made.items() if self.first[there] >= moment}
        return replace(self, made=made, uncertain=[one for one in self.uncertain if one.at >= moment])

    def changed_since(self, moment: datetime) -> list[Resource]:
        """What was there before that moment and was changed, or about to be, from then on; sorted."""
        made_since = {there for there, at in self.first.items() if at >= moment}
        return sorted(there for there, at in self.touched.items() if at >= moment and there not in made_since)


class Intentions:
    """Writes the file. The drill that has it open has it alone; when its process ends in whatever way, it is free."""

    def __init__(self, file: BinaryIO, header: Header, *, digest: str = "", count: int = 0) -> None:
        self.header = header
        self._file = file
        self._digest = digest
        self._number = count
        self._write_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._written = self._synced = 0

    @classmethod
    def begin(cls, folder: Path, header: Header) -> Intentions:
        """Begin the file of a drill. Raises UsageError where there is one already."""
        path = folder / FILE
        try:
            file = path.open("xb", buffering=0)
        except FileExistsError:
            raise UsageError(
                f"{path}: expected no intentions of an earlier drill, found some. Run `drills cleanup {folder}` and "
                "take another folder."
            ) from None
        _lock(file, path)
        intentions = cls(file, header)
        intentions._append({"kind": "drill", **header.as_json()}, durable=True)
        _sync_folder(folder)
        return intentions

    @classmethod
    def go_on(cls, folder: Path) -> tuple[Intentions, Told]:
        """Open the file of a drill that ended in whatever way. A last line that is cut off is cut away.

        Raises UsageError where there is none or its drill is still running, EvidenceError where it is damaged.
        """
        path = folder / FILE
        try:
            file = path.open("r+b", buffering=0)
        except OSError:
            raise no_drill_of_accounts(folder) from None
        _lock(file, path)
        try:
            told = read_intentions(folder)
        except BaseException:
            file.close()
            raise
        file.truncate(told.whole_bytes)
        file.seek(told.whole_bytes)
        return cls(file, told.header, digest=told.digest, count=told.count), told

    def __enter__(self) -> Intentions:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def intend(
        self,
        call: tuple[str, str],
        params: Mapping[str, Any],
        account: str,
        region: str,
        *,
        makes: Sequence[Resource] = (),
        changes: Sequence[Resource] = (),
        new: Sequence[Resource] = (),
        tagged: bool = False,
    ) -> int:
        """Put one call on disk before it is sent; returns its number."""
        service, operation = call
        entry = {
            "kind": "intention",
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "service": service,
            "operation": operation,
            "role": self.header.role_of(account),
            "account": account,
            "region": region,
            "makes": [list(one) for one in makes],
            "changes": [list(one) for one in changes],
            "new": [list(one) for one in new],
            "tagged": tagged,
            "params": params_digest(params),
            "clues": {name: str(params[name]) for name in CLUES.get(call, ()) if params.get(name)},
        }
        return self._append(entry, durable=True, numbered=True)

    def done(self, number: int, error: str | None, also: Sequence[Resource] = (), *, certain: bool = True) -> None:
        """How a call was answered. Not ``certain``: refused after a try that got no answer and may have done it."""
        entry = {"kind": "done", "number": number, "error": error, "also": [list(one) for one in also]}
        # What only the answer names could otherwise only be searched for.
        self._append({**entry, "certain": certain}, durable=bool(also))

    def adopt(self, intention: Intention, resource: Resource) -> None:
        """A resource of an uncertain intention was found and proved to be the drill's."""
        self._append({"kind": "adopted", "number": intention.number, "resource": list(resource)}, durable=True)

    def _append(self, entry: Mapping[str, JSON], *, durable: bool, numbered: bool = False) -> int:
        with self._write_lock:
            number = self._number + 1 if numbered else 0
            line = {**entry, "number": number} if numbered else dict(entry)
            self._digest = _digest(self._digest, canonical(line))
            self._file.write(canonical({**line, "digest": self._digest}) + b"\n")
            self._number = max(self._number, number)
            self._written += 1
            mine = self._written
        if durable:
            with self._sync_lock:
                # Whoever waited here while another's was synced need not do it again.
                if self._synced < mine:
                    reached = self._written
                    os.fsync(self._file.fileno())
                    self._synced = reached
        return number


def read_intentions(folder: Path) -> Told:
    """What a drill intended and did. A last line that is cut off is left out.

    Raises UsageError where the folder has no such file, EvidenceError naming ``file:line`` where it is damaged.
    """
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError:
        raise no_drill_of_accounts(folder) from None
    whole = content[: content.rfind(b"\n") + 1]
    if not whole:
        raise _damaged(path, 1, "expected a drill's first line, found none: killed before it made anything, or cut")
    told: Told | None = None
    open_calls: dict[int, Intention] = {}
    digest = ""
    for number, line in enumerate(whole.splitlines(), 1):
        entry, digest = _read_line(path, number, line, digest)
        try:
            if told is None:
                told = Told(_header(entry))
            else:
                _enter(told, open_calls, entry)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, number, f"it lacks or spoils {error}") from None
    assert told is not None
    told.uncertain = sorted(open_calls.values(), key=lambda one: one.number)
    told.digest, told.whole_bytes = digest, len(whole)
    return told


def _header(entry: Mapping[str, Any]) -> Header:
    if entry["kind"] != "drill":
        raise ValueError("the drill's id, which comes first")
    accounts: dict[AccountRole, Account] = {
        role: Account(role, str(one["id"]), str(one["region"])) for role, one in entry["accounts"].items()
    }
    asked = entry.get("asked")
    return Header(
        str(entry["drill"]),
        accounts,
        str(entry["provider"]),
        entry["endpoint_url"],
        None if asked is None else Asked.told_by(asked),
    )


def _enter(told: Told, open_calls: dict[int, Intention], entry: Mapping[str, Any]) -> None:
    number = int(entry["number"])
    if entry["kind"] == "intention":
        told.count = number
        intention = open_calls[number] = Intention(
            number=number,
            at=datetime.fromisoformat(entry["at"]),
            service=entry["service"],
            operation=entry["operation"],
            account=entry["account"],
            region=entry["region"],
            makes=_resources(entry["makes"]),
            changes=_resources(entry["changes"]),
            new=_resources(entry["new"]),
            tagged=bool(entry["tagged"]),
            clues=dict(entry["clues"]),
        )
        for there in intention.makes:
            told.first.setdefault(there, intention.at)
        if (intention.service, intention.operation) not in TAGGING:
            told.touched.update(dict.fromkeys((*intention.makes, *intention.changes), intention.at))
        role = told.header.role_of(intention.account)
        if role is not None:
            told.calls[role, intention.service, intention.operation] += 1
    elif entry["kind"] == "adopted":
        _remember(told, open_calls[number], _resources([entry["resource"]]), tagged=open_calls[number].tagged)
    elif entry["error"] is None:
        intention = open_calls.pop(number)
        _remember(told, intention, intention.makes, tagged=intention.tagged)
        _remember(told, intention, _resources(entry["also"]), tagged=False)
        if intention.tagged:
            _remember(told, intention, [one for one in intention.changes if one in told.made], tagged=True)
    elif entry["certain"]:
        del open_calls[number]


def _remember(told: Told, intention: Intention, resources: Sequence[Resource], *, tagged: bool) -> None:
    for one in resources:
        known = told.made.get(one)
        carries = (tagged or (known is not None and known.tagged)) and one.kind not in UNTAGGED
        told.made[one] = Made(one, intention.account, intention.region, carries, intention.at)
        told.first.setdefault(one, intention.at)


def _resources(told: Sequence[Sequence[str]]) -> tuple[Resource, ...]:
    return tuple(Resource(*map(str, one)) for one in told)


def _read_line(path: Path, number: int, line: bytes, before: str) -> tuple[dict[str, Any], str]:
    try:
        entry = orjson.loads(line)
        found = entry.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(path, number, "expected an entry, found something else") from None
    digest = _digest(before, canonical(entry))
    if found != digest:
        raise _damaged(path, number, "it is not as it was written")
    return entry, digest


def _digest(before: str, entry: bytes) -> str:
    return hashlib.sha256(before.encode() + entry).hexdigest()[:32]


def _damaged(path: Path, line: int, what: str) -> EvidenceError:
    return EvidenceError(
        f"{path}:{line}: {what}. A changed list of what may be deleted is not believed and nothing was deleted: take "
        "the folder from where it was kept. Else look for what carries the tag drills:drill in the accounts, and "
        "delete it by hand."
    )


def no_drill_of_accounts(folder: Path) -> UsageError:
    found = "none"
    if (folder / "history.jsonl").exists():
        found = "a drill in the simulated AWS, which leaves nothing behind"
        with suppress(OSError, ValueError, KeyError, TypeError):
            if orjson.loads((folder / "evidence" / "plan.json").read_bytes())["drill"]["grade"] == "sandbox":
                found = "a drill that ended before it made anything: run it anew"
    return UsageError(
        f"{folder / FILE}: expected the intentions of a drill in sandbox accounts, found {found}. Give the folder that "
        "`drills run --on FILE` wrote. Nothing was done."
    )


# --- Digests, locks ------------------------------------------------------------------------------------------------


def params_digest(params: Mapping[str, Any]) -> str:
    """By which a call can be recognized, and nothing of it be read. What is secret does not even enter the digest."""
    return hashlib.sha256(canonical(_digestible(params))).hexdigest()[:32]


def _digestible(value: Any) -> JSON:
    if isinstance(value, Mapping):
        return {str(key): _under(str(key), item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, list | tuple):
        return [_digestible(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(str(_digestible(item)) for item in value)
    if value is None or isinstance(value, str | bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else str(value)
    return value.isoformat() if isinstance(value, datetime) else type(value).__name__


def _under(key: str, item: Any) -> JSON:
    return MASK if key.lower().replace("_", "").replace("-", "") in SECRET_KEYS else _digestible(item)


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UsageError(
            f"{path}: expected a drill that has ended, found one that is still running, or being cleaned up. Stop it "
            f"first: Ctrl-C where it runs, or `touch {path.parent / 'stop'}`. Nothing was done."
        ) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
