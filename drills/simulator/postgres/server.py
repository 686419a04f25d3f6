"""One PostgreSQL server: its process, its files, its log."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from drills.errors import EngineError
from drills.simulator.postgres import images
from drills.simulator.postgres.interface import Address, Credentials, Position
from drills.simulator.postgres.parameters import apply, set_password
from drills.simulator.postgres.place import Place
from drills.simulator.postgres.positions import Reach
from drills.simulator.postgres.sessions import Session
from drills.simulator.postgres.settings import start_arguments
from drills.simulator.postgres.waiting import ended, pause
from drills.simulator.postgres.wal import Log

if TYPE_CHECKING:
    from drills.simulator.postgres.images import Base, Copied, PostgresImage
    from drills.simulator.postgres.standby import PostgresStandby

START_SECONDS = 120.0
STOP_SECONDS = 30.0


class PostgresServer:
    """A Server. ``folder`` holds ``data`` and what the server told; its log lies beside it and may outlive it."""

    def __init__(self, place: Place, folder: Path, port: int, log: Log, base: Base | None) -> None:
        self.place = place
        self.folder = folder
        self.address = Address("127.0.0.1", port)
        self.log = log
        self._base = base
        self._process: subprocess.Popen[bytes] | None = None
        self._gone = False
        self._parameters_before = ""
        self.lock = threading.RLock()
        self.session = Session(place.folder, port, folder.name)
        self._reach = Reach(log, self.session)
        log.asked = self._position_if_running

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def _parameters(self) -> Path:
        """The file that ALTER SYSTEM writes."""
        return self.data / "postgresql.auto.conf"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def archive(self) -> Log:
        return self.log

    def start(self) -> None:
        with self.lock:
            self._must_exist()
            if self.running:
                return
            self._reap()
            arguments = start_arguments(
                self.data, self.address.port, self.place.folder, self.place.settings | self.more_settings()
            )
            told_before = self._told_bytes()
            command = [str(self.place.programs.folder / "postgres"), *arguments]
            self._process = self.place.home.start(command, self._output)
            try:
                self._await_start(self._process, told_before)
            except BaseException:
                self._end(signal.SIGQUIT)
                raise
            self._reach = Reach(self.log, self.session)

    def stop(self, *, at_once: bool = False) -> None:
        with self.lock:
            self.session.close()
            self._end(signal.SIGQUIT if at_once else signal.SIGINT)

    def position(self) -> Position:
        with self.lock:
            self._must_exist()
            return self._asked_position() if self.running else self.log.reaches

    def image(self) -> PostgresImage:
        with self.lock:
            self._must_run()
            applied = self.position()
            image = images.take(self.place, self.session, self.data, self.log, self._base, applied)
            self._base = image.base
            return image

    def copy_to(self, data: Path, wal: Path) -> Copied:
        """A copy of the files and of the log that belongs to them, as a standby begins with."""
        with self.lock:
            self._must_run()
            applied = self.position()
            return images.copy_running(self.place, self.session, self.data, self.log, None, applied, (data, wal))

    def set_password(self, credentials: Credentials) -> None:
        with self.lock:
            self._must_run()
            set_password(self.session, credentials)

    def set_parameters(self, parameters: dict[str, str]) -> list[str]:
        with self.lock:
            self._must_run()
            self._parameters_before = self._parameters.read_text()
            return apply(self.session, self.data, parameters)

    def undo_parameters(self) -> None:
        with self.lock:
            self._must_exist()
            self.place.home.write(self._parameters, self._parameters_before)

    def standby(self) -> PostgresStandby:
        from drills.simulator.postgres.making import follow

        with self.lock:
            self._must_run()
            return follow(self)

    def destroy(self) -> None:
        with self.lock:
            if self._gone:
                return
            self.stop(at_once=True)
            self._gone = True
            self.log.let_go()
            self.place.home.remove(self.folder)

    def move(self, port: int) -> None:
        """To another port, as long as nobody knows the address."""
        self.address = Address(self.address.host, port)
        self.session = Session(self.place.folder, port, self.folder.name)

    def more_settings(self) -> dict[str, str]:
        """Settings of this start beside the engine's."""
        return {}

    def _asked_position(self) -> Position:
        return self._reach.now()

    def _position_if_running(self) -> Position | None:
        with self.lock:
            return self._asked_position() if self.running else None

    def _must_exist(self) -> None:
        if self._gone:
            raise EngineError(f"Database server {self.folder.name} was destroyed. Restore it from an image")

    def _must_run(self) -> None:
        self._must_exist()
        if not self.running:
            raise EngineError(f"Database server {self.folder.name} is stopped. Start it first.{self._last_words(0)}")

    @property
    def _output(self) -> Path:
        return self.folder / "log"

    def _told_bytes(self) -> int:
        return self._output.stat().st_size if self._output.exists() else 0

    def _await_start(self, process: subprocess.Popen[bytes], told_before: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EngineError(f"Database server {self.folder.name} did not start.{self._last_words(told_before)}")
            if _says_ready(self.data / "postmaster.pid", process.pid):
                self.session.connection()
                return
            pause()
        words = self._last_words(told_before)
        raise EngineError(f"Database server {self.folder.name} was not ready after {START_SECONDS:.0f} s.{words}")

    def _last_words(self, since: int) -> str:
        """What the server said at its end, for a message."""
        with contextlib.suppress(OSError), self._output.open("rb") as stream:
            stream.seek(since)
            lines = stream.read().decode(errors="replace").strip().splitlines()
            fatal = [line for line in lines if "FATAL" in line or "PANIC" in line or "could not" in line]
            return f" It said: {' / '.join((fatal or lines)[-3:])}"
        return ""

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
            if not ended(self._process, STOP_SECONDS):
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        self._reap()

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self.place.home.reaped(self._process)
            self._process = None


def _says_ready(note: Path, pid: int) -> bool:
    """PostgreSQL writes its state into the eighth line of ``postmaster.pid``."""
    try:
        lines = note.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() in ("ready", "standby")
