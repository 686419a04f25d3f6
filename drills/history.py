"""The history of a drill: an append-only file of events, one canonical JSON object a line. Everything else follows.

A line is ``{"at": …, "digest": …, "kind": …, "sequence": …}`` with the event's own data beside these, keys sorted.
``at`` is UTC with microseconds; ``sequence`` counts from one without a gap; ``digest`` covers the line and the digest
before it, so that a line that was changed, cut out or put in is noticed by whoever reads the file.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

from drills.errors import EvidenceError
from drills.model import JSON

FILE = "history.jsonl"
OWN_KEYS = ("at", "digest", "kind", "sequence")
FIRST_DIGEST = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. ``at`` is UTC; ``data`` is what was told about it."""

    sequence: int
    at: datetime
    kind: str
    data: Mapping[str, JSON]

    def text(self, name: str) -> str:
        """A datum that is text. Raises EvidenceError when it is missing or something else."""
        value = self.data.get(name)
        if not isinstance(value, str):
            raise self.lacks(name, "text")
        return value

    def moment(self, name: str) -> datetime:
        """A datum that is a moment in UTC. Raises EvidenceError when it is not."""
        try:
            return datetime.fromisoformat(self.text(name)).astimezone(UTC)
        except ValueError:
            raise self.lacks(name, "a moment in UTC") from None

    def number(self, name: str) -> float:
        """A datum that is a number. Raises EvidenceError when it is not."""
        value = self.data.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.lacks(name, "a number")
        return value

    def mapping(self, name: str) -> Mapping[str, JSON]:
        """A datum that is an object. Raises EvidenceError when it is not."""
        value = self.data.get(name)
        if not isinstance(value, dict):
            raise self.lacks(name, "an object")
        return value

    def lacks(self, name: str, expected: str) -> EvidenceError:
        """The error of an event that does not say what it should."""
        return EvidenceError(
            f"{FILE}:{self.sequence}: the event {self.kind!r} needs {name!r} as {expected}, found "
            f"{self.data.get(name)!r:.80}. The drill was written by another version or changed: run it again."
        )


class Appends(Protocol):
    """Whatever takes events: the history itself, or what will be appended to it."""

    def append(self, kind: str, at: datetime, **data: Any) -> None: ...


class History:
    """Writes the history of one drill. Each event is in the file when ``append`` returns."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sequence = 0
        self._digest = FIRST_DIGEST
        self._lock = threading.Lock()

    @classmethod
    def create(cls, folder: Path) -> History:
        """Begin the history of a drill in its folder; Evidence.create has made sure that there is none."""
        return cls((folder / FILE).open("xb"))

    @classmethod
    def go_on(cls, folder: Path) -> tuple[History, list[Event]]:
        """Open the history of a drill that was cut off, to bring it to its end; a line that is cut off is cut away.

        Raises EvidenceError as read_history does.
        """
        path = folder / FILE
        try:
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                with path.open("r+b") as file:
                    file.truncate(len(whole))
        except OSError:
            pass  # Told by read_history, in words.
        events = read_history(folder)
        history = cls(path.open("ab"))
        history._sequence = len(events)
        history._digest = str(orjson.loads(whole.splitlines()[-1])["digest"])
        return history, events

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, kind: str, at: datetime, **data: Any) -> None:
        """Append one event. ``data`` must be JSON and must not use the names of OWN_KEYS."""
        if at.tzinfo is None:
            raise ValueError(f"the event {kind!r} needs a timezone-aware time, got the naive {at}")
        if taken := [name for name in OWN_KEYS if name in data]:
            raise ValueError(f"the event {kind!r} cannot carry {taken[0]!r}: every event has one of its own")
        with self._lock:
            event = {**data, "at": _utc(at), "kind": kind, "sequence": self._sequence + 1}
            digest = _digest(self._digest, canonical(event))
            self._file.write(canonical({**event, "digest": digest}) + b"\n")
            self._file.flush()
            self._sequence, self._digest = self._sequence + 1, digest


def read_history(folder: Path) -> list[Event]:
    """All events of a drill, checked.

    Raises EvidenceError naming ``file:line`` when the file is missing, damaged, cut within a line or has a gap. That
    the last events are missing cannot be seen from here: a drill that is whole ends with ``drill.ended``.
    """
    file = folder / FILE
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise EvidenceError(
            f"{file}: expected the history of a drill, found nothing that can be read ({error.strerror}). "
            "Give the folder that `drills run` wrote."
        ) from None
    if lines.pop():
        raise _damaged(file, len(lines) + 1, "the line is cut off")
    if not lines:
        raise _damaged(file, 1, "the file is empty")
    events: list[Event] = []
    digest = FIRST_DIGEST
    for number, line in enumerate(lines, 1):
        event, digest = _read_line(file, number, line, digest)
        events.append(event)
    return events


def _read_line(file: Path, number: int, line: bytes, before: str) -> tuple[Event, str]:
    try:
        data = orjson.loads(line)
    except ValueError as error:
        raise _damaged(file, number, f"this is no JSON ({error})") from None
    if not isinstance(data, dict) or any(name not in data for name in OWN_KEYS):
        raise _damaged(file, number, f"an event needs {', '.join(OWN_KEYS)}")
    if data["sequence"] != number:
        raise _damaged(file, number, f"expected event {number}, found event {data['sequence']!r:.40}")
    told = data.pop("digest")
    digest = _digest(before, canonical(data))
    if told != digest:
        raise _damaged(file, number, "the event is not as it was written")
    try:
        at = datetime.fromisoformat(data.pop("at")).astimezone(UTC)
    except (ValueError, TypeError):
        raise _damaged(file, number, "'at' is no moment in UTC") from None
    del data["sequence"]
    return Event(number, at, str(data.pop("kind")), data), digest


def canonical(value: JSON) -> bytes:
    """The one way to write a JSON value: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, _plain, orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"expected JSON, found {type(value).__name__}")


def _digest(before: str, event: bytes) -> str:
    return hashlib.sha256(before.encode() + event).hexdigest()[:32]


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _damaged(file: Path, number: int, what: str) -> EvidenceError:
    return EvidenceError(
        f"{file}:{number}: {what}. The history is damaged and cannot be judged: take the folder from where it was "
        "kept, or run the drill again."
    )
