"""How far a running server's log reaches, asked of the server only when its files changed."""

from __future__ import annotations

import time

from drills.simulator.postgres.interface import Position
from drills.simulator.postgres.sessions import Session
from drills.simulator.postgres.wal import LONGEST_HEADER, PAGE, SEGMENT, SHORT_HEADER, Log, position_of

TICK_SECONDS = 0.02
"""Two writes nearer than this may leave the same time of change on a file: kernels stamp files by their tick."""


class Reach:
    """The position up to which all commits that were acknowledged are in the log's files; always a record's end."""

    def __init__(self, log: Log, session: Session) -> None:
        self._log = log
        self._session = session
        self._position = 0
        self._seen: tuple[int, int] | None = None
        self._since = 0.0
        self._settled = False

    def now(self) -> Position:
        before = self._signature()
        if self._settled and before == self._seen:
            return self._position
        asked_at = time.monotonic()
        position = self._ask()
        if position // SEGMENT != self._position // SEGMENT:
            self._position = position
            self._seen, self._since, self._settled = self._signature(), time.monotonic(), False
        elif before != self._seen:
            self._seen, self._since, self._settled = before, asked_at, False
        else:
            # A write after this question leaves another time on the file than the one that was seen long before it.
            self._settled = asked_at - self._since > TICK_SECONDS
        self._position = position
        self._log.has(position)
        return position

    def _signature(self) -> tuple[int, int] | None:
        try:
            status = self._log.segment(self._position // SEGMENT).stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def _ask(self) -> Position:
        """Where the next record would begin, once everything before it is in the files."""
        told = self._session.row("SELECT pg_current_wal_insert_lsn()::text, pg_current_wal_flush_lsn()::text")
        inserted, flushed = position_of(told[0]), position_of(told[1])
        if flushed < end_of_record(inserted):
            self._session.row("SELECT pg_logical_emit_message(true, 'drills', '')")
        return inserted


def end_of_record(start_of_next: Position) -> Position:
    """Where the record before ends: a page's header may lie between, which is longer at the start of a segment."""
    within = start_of_next % PAGE
    header = LONGEST_HEADER if start_of_next % SEGMENT < PAGE else SHORT_HEADER
    return start_of_next - within if within <= header else start_of_next
