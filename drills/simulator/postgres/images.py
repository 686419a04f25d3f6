"""Images: copies of a server's files that never change."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from drills.errors import EngineError
from drills.simulator.postgres.files import copy_database
from drills.simulator.postgres.interface import Position
from drills.simulator.postgres.place import Place
from drills.simulator.postgres.sessions import Session
from drills.simulator.postgres.wal import SEGMENT, Log, lay, position_of, segment_name

MARGIN_NANOSECONDS = 50_000_000
"""A file that was changed nearer than this to a copy of it may have changed after it with the same time on it."""


CALLS: tuple[LiteralString, LiteralString] = (
    "SELECT pg_backup_start('image', true)",
    "SELECT lsn::text, labelfile FROM pg_backup_stop(false)",
)
OLD_CALLS: tuple[LiteralString, LiteralString] = (
    "SELECT pg_start_backup('image', true, false)",
    "SELECT lsn::text, labelfile FROM pg_stop_backup(false, false)",
)
"""As they are named before PostgreSQL 15."""


@dataclass(frozen=True, slots=True)
class Base:
    """Files that never change and from which a server's, where it has not written them, do not differ."""

    data: Path
    copied_at: int
    """Nanoseconds, by the file system's clock, when the copying into it began."""

    def unchanged(self, path: str, status: os.stat_result) -> Path | None:
        if status.st_mtime_ns > self.copied_at - MARGIN_NANOSECONDS:
            return None
        file = self.data / path
        try:
            kept = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        same = kept.st_mtime_ns == status.st_mtime_ns and kept.st_size == status.st_size
        return file if same else None


@dataclass(slots=True)
class PostgresImage:
    """``data`` and ``wal`` in one folder: what a server needs to start as of ``position``."""

    folder: Path
    position: Position
    timeline: int
    first_segment: int
    size_bytes: int
    base: Base
    line: Log
    """The log of the server that it was taken of."""
    discarded: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    def segment(self, number: int) -> Path:
        return self.wal / segment_name(self.timeline, number)

    def there(self) -> PostgresImage:
        if self.discarded:
            raise EngineError(f"The image in {self.folder} was discarded. Restore from one that is kept")
        return self

    def discard(self) -> None:
        self.discarded = True
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy of a running server's files is."""

    position: Position
    timeline: int
    first_segment: int
    size_bytes: int
    copied_at: int


def take(place: Place, session: Session, data: Path, log: Log, base: Base | None, applied: Position) -> PostgresImage:
    """An image of a running server; see ``copy_running``."""
    folder = place.home.make_folder(place.new_folder("i"))
    try:
        copied = copy_running(place, session, data, log, base, applied, (folder / "data", folder / "wal"))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    kept = Base(folder / "data", copied.copied_at)
    return PostgresImage(folder, copied.position, copied.timeline, copied.first_segment, copied.size_bytes, kept, log)


def copy_running(
    place: Place,
    session: Session,
    data: Path,
    log: Log,
    base: Base | None,
    applied: Position,
    targets: tuple[Path, Path],
) -> Copied:
    """Copy the files of a running server, as PostgreSQL's manual says for a low-level base backup.

    ``base``: where files that did not change are linked from, if they may be; ``applied``: what the copy must not be
    older than, which a standby's backup may be; ``targets``: folders to make, for the data and for the log.
    """
    begin, end = CALLS if place.version >= 15 else OLD_CALLS
    try:
        copied_at = filesystem_time(targets[0].parent)
        session.row(begin)
        unchanged = base.unchanged if base else lambda path, status: None
        size = copy_database(data, targets[0], place.home, unchanged)
        lsn, label = session.row(end)
        place.home.write(targets[0] / "backup_label", label)
        position = max(position_of(lsn), applied)
        first, timeline = _start_of(label)
        lay(log.segment, targets[1], timeline, first, position, place.home)
    except BaseException:
        # The end of the connection ends the backup in the server.
        session.close()
        raise
    return Copied(position, timeline, first, size, copied_at)


def filesystem_time(folder: Path) -> int:
    """Nanoseconds, by the clock that stamps files there: it lags behind the process's by up to a tick."""
    probe = folder / "now"
    probe.touch()
    stamped = probe.stat().st_mtime_ns
    probe.unlink()
    return stamped


def _start_of(label: str) -> tuple[int, int]:
    """The segment and timeline from which the log is needed."""
    start = re.search(r"^START WAL LOCATION: ([0-9A-F]+/[0-9A-F]+)", label, re.MULTILINE)
    timeline = re.search(r"^START TIMELINE: (\d+)", label, re.MULTILINE)
    if start is None or timeline is None:
        raise EngineError(f"PostgreSQL's backup label has no start: {label!r}. This version is not known to drills")
    return position_of(start[1]) // SEGMENT, int(timeline[1])
