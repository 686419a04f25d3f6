"""The log of one server's line: a folder of segments that is the server's own ``pg_wal`` and its archive at once.

Segments are never reused nor removed while the folder is there (``wal_recycle`` off, ``wal_keep_size`` without a
bound), so nothing has to be copied to archive it, and what was acknowledged is in it at that moment. A finished segment
never changes, so that others may link it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from drills.errors import EngineError
from drills.simulator.postgres.files import copy_file
from drills.simulator.postgres.home import Home
from drills.simulator.postgres.interface import Position, Programs

SEGMENT = 1024 * 1024
"""Bytes: ``initdb --wal-segsize=1``."""
PER_LOG_ID = 2**32 // SEGMENT
PAGE = 8192
SHORT_HEADER, LONGEST_HEADER = 24, 40
"""Bytes at the start of a page that belong to no record; a segment's first page has the longest."""


def position_of(text: str) -> Position:
    """A log sequence number such as ``0/3000060`` as a number."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def text_of(position: Position) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def segment_name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number // PER_LOG_ID:08X}{number % PER_LOG_ID:08X}"


def number_of(name: str) -> int:
    """The number of a segment from its file's name."""
    return int(name[8:16], 16) * PER_LOG_ID + int(name[16:24], 16)


class Log:
    """An Archive. ``asked`` gives the position of the running server that writes it, None when it does not run."""

    def __init__(self, folder: Path, home: Home, programs: Programs, timeline: int) -> None:
        self.folder = folder
        self.timeline = timeline
        self.asked: Callable[[], Position | None] = lambda: None
        self.in_use = True
        self.discarded = False
        self._home = home
        self._programs = programs
        self._ended: dict[int, tuple[Position, int]] = {}
        self._known = 0
        """The newest position that is sure to be in it."""
        self._seen: tuple[str, int] | None = None

    @property
    def reaches(self) -> Position:
        self._there()
        asked = self.asked()
        if asked is not None:
            self._known = max(self._known, asked)
        else:
            self._read_on()
        return self._known

    def has(self, position: Position) -> None:
        """The log is known to reach this position."""
        self._known = max(self._known, position)

    def discard(self) -> None:
        """The files go now, or with the server that still writes them."""
        self.discarded = True
        self._remove()

    def let_go(self) -> None:
        """Its server is gone."""
        if not self.discarded and self.folder.exists():
            self._read_on()
        self.in_use = False
        self.asked = lambda: None
        self._remove()

    def segment(self, number: int) -> Path:
        return self.segment_of(self.timeline, number)

    def segment_of(self, timeline: int, number: int) -> Path:
        return self.folder / segment_name(timeline, number)

    def switch(self, timeline: int, position: Position) -> None:
        """Its server was promoted: from this position it writes another timeline."""
        self._ended[self.timeline] = (position, timeline)
        self.timeline = timeline

    def end_of(self, timeline: int) -> tuple[Position, int] | None:
        """Where a timeline ended and which one follows; None while it goes on."""
        return self._ended.get(timeline)

    def _remove(self) -> None:
        if self.discarded and not self.in_use:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _there(self) -> None:
        if self.discarded and not self.in_use:
            raise EngineError(f"The archived log in {self.folder} was discarded. Restore while it is kept")

    def _read_on(self) -> None:
        """Find the end of a log that no server writes: by PostgreSQL's own reader, from the last known position."""
        newest = max(self.folder.glob(f"{self.timeline:08X}{'?' * 16}"), default=None)
        if newest is None or not self.segment(self._known // SEGMENT).exists():
            return
        seen = (newest.name, newest.stat().st_mtime_ns)
        if seen == self._seen:
            return
        # Without an end the reader waits seconds for a segment after the last.
        end = (number_of(newest.name) + 1) * SEGMENT
        stopped_at = STOPPED_AT.search(self._read(self._known, end, "--quiet"))
        self._known = max(self._known, position_of(stopped_at[1]) if stopped_at else end)
        self._seen = seen

    def last_record(self, start: Position, until: Position) -> Position | None:
        """Where the last record begins that lies between these positions as a whole."""
        last = None
        for last in RECORD.finditer(self._read(start, until)):  # noqa: B007 - the last one is meant
            pass
        return position_of(last[1]) if last else None

    def _read(self, start: Position, end: Position, *options: str) -> str:
        """What PostgreSQL's own reader says of a part of the log."""
        output = self.folder.with_name(f"{self.folder.name}.read")
        reader = [str(self._programs.folder / "pg_waldump"), "--path", str(self.folder), f"--timeline={self.timeline}"]
        self._home.run([*reader, "--start", text_of(start), "--end", text_of(end), *options], output)
        told = output.read_text(errors="replace")
        output.unlink()
        return told


RECORD = re.compile(r"^rmgr: .*?, lsn: ([0-9A-F]+/[0-9A-F]+)", re.MULTILINE)
STOPPED_AT = re.compile(r"error in WAL record at [0-9A-F/]+: .* at ([0-9A-F]+/[0-9A-F]+)")


def lay(find: Callable[[int], Path], target: Path, timeline: int, first: int, until: Position, home: Home) -> None:
    """Lay the log from segment ``first`` up to exactly ``until`` into a folder; the rest of its last page is empty.

    Finished segments are linked. A server that starts on it finds its end there and goes on from there.
    """
    home.make_folder(target)
    last = until // SEGMENT
    for number in range(first, last + 1):
        source = find(number)
        copy = target / segment_name(timeline, number)
        if number < last:
            os.link(source, copy)
        elif until % SEGMENT > LONGEST_HEADER:
            copy_file(source, copy, home)
            with copy.open("r+b") as stream:
                stream.truncate(until % SEGMENT)
                stream.truncate(SEGMENT)
