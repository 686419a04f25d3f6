"""Streaming standbys, which know only what they are let."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import LiteralString

from drills.errors import EngineError
from drills.simulator.postgres.gate import Gate, Source
from drills.simulator.postgres.images import Base
from drills.simulator.postgres.interface import Position
from drills.simulator.postgres.place import Place
from drills.simulator.postgres.positions import end_of_record
from drills.simulator.postgres.server import PostgresServer
from drills.simulator.postgres.waiting import pause
from drills.simulator.postgres.wal import Log, position_of, text_of

APPLY_SECONDS = 120.0
SOON_SECONDS = 0.1
PROMOTE_SECONDS = 60.0


class PostgresStandby(PostgresServer):
    """A Standby. What it was let has been applied when ``let`` returns, so that a reader sees it."""

    def __init__(
        self, place: Place, folder: Path, port: int, log: Log, base: Base | None, source: Source, allowed: Position
    ) -> None:
        super().__init__(place, folder, port, log, base)
        name = place.new_folder("").name
        self._gate_port = int(name)
        self._gate: Gate | None = Gate(source, place.folder / f".s.PGSQL.{name}", place.home, end_of_record(allowed))
        self._feed = source
        self._handed_over = allowed
        self._needed = end_of_record(allowed)
        self._following = True
        self._cut = False

    @property
    def promoted(self) -> bool:
        return not self._following

    def start(self) -> None:
        with self.lock:
            was_running = self.running
            super().start()
            if self._following and not was_running:
                self._await_applied()

    def let(self, position: Position) -> None:
        """Up to there and no further; less than before, or after a cut, changes nothing. Raises EngineError when the
        source's log does not reach that far."""
        with self.lock:
            self._must_follow()
            assert self._gate is not None
            if self._cut or position <= self._handed_over:
                return
            reaches = self._feed.log.reaches
            if position > reaches:
                raise EngineError(
                    f"Standby {self.folder.name} was let {text_of(position)}, its source's log reaches only "
                    f"{text_of(reaches)}. Let it a position that the source had"
                )
            self._handed_over = position
            self.log.has(position)
            self._gate.let(end_of_record(position))
            if self.running:
                self._await_applied()

    def cut(self) -> None:
        with self.lock:
            self._cut = True

    def promote(self) -> None:
        with self.lock:
            self._must_follow()
            self._must_run()
            self._cut = True
            self._await_applied()
            self.session.row("SELECT pg_promote(false)")
            if not self._becomes_so("SELECT NOT pg_is_in_recovery()", PROMOTE_SECONDS):
                raise self._too_slow("take over")
            self._close_gate()
            self._following = False
            self._begin_line()

    def destroy(self) -> None:
        with self.lock:
            super().destroy()
            self._close_gate()

    def more_settings(self) -> dict[str, str]:
        if not self._following:
            return {}
        host = str(self.place.folder).replace("\\", "\\\\").replace("'", "\\'")
        return {"primary_conninfo": f"host='{host}' port={self._gate_port} user=standby sslmode=disable"}

    def _asked_position(self) -> Position:
        return self._handed_over if self._following else super()._asked_position()

    def _begin_line(self) -> None:
        """The new timeline, and where it leaves the source's."""
        (segment,) = self.session.row("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        timeline = int(str(segment)[:8], 16)
        history = (self.log.folder / f"{timeline:08X}.history").read_text()
        switched_at = position_of(history.strip().splitlines()[-1].split("\t")[1])
        if switched_at < self._needed:
            raise EngineError(
                f"Standby {self.folder.name} was handed over {text_of(self._handed_over)} and was promoted at "
                f"{text_of(switched_at)}: log is missing. Make another standby"
            )
        self.log.switch(timeline, switched_at)

    def _await_applied(self) -> None:
        """Wait until all records that were handed over in full are applied.

        Positions that a server gave end a record, and the last record then ends there. Of any other, a reader of the
        log tells which record is the last.
        """
        if not self._applied(end_of_record(self._handed_over), SOON_SECONDS):
            last = self._feed.log.last_record(self._needed, self._handed_over)
            if not self._applied(self._needed if last is None else last + 1, APPLY_SECONDS):
                raise self._too_slow(f"apply the log up to {text_of(self._handed_over)}")

    def _applied(self, needed: Position, seconds: float) -> bool:
        statement = "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
        if not self._becomes_so(statement, seconds, [text_of(needed)]):
            return False
        self._needed = max(self._needed, needed)
        return True

    def _becomes_so(self, statement: LiteralString, seconds: float, given: Sequence[object] = ()) -> bool:
        deadline = time.monotonic() + seconds
        while not self.session.row(statement, given)[0]:
            if time.monotonic() > deadline:
                return False
            pause()
        return True

    def _too_slow(self, what: str) -> EngineError:
        return EngineError(f"Standby {self.folder.name} did not {what} in time.{self._last_words(0)} Make another one")

    def _must_follow(self) -> None:
        self._must_exist()
        if not self._following:
            raise EngineError(f"Server {self.folder.name} was promoted, it follows none. Make a new standby")

    def _close_gate(self) -> None:
        if self._gate is not None:
            self._gate.close()
            (self.place.folder / f".s.PGSQL.{self._gate_port}").unlink(missing_ok=True)
            self._gate = None
