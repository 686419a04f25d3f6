"""The directory of this process in which all servers live, the user they run as, and the watchdog over both."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drills.errors import EngineError
from drills.simulator.postgres import waiting, watchdog
from drills.simulator.postgres.interface import Programs
from drills.simulator.postgres.programs import PACKAGE
from drills.simulator.postgres.waiting import ended

PLACES = ("/tmp", "/var/tmp")
"""Where to go when the directory for temporary files does not serve."""
MEMORY = "/dev/shm"
ROOMY_BYTES = 8 << 30
"""Files in memory are made and deleted several times as fast; there must be room for more than a drill ever needs."""
LONGEST_FOLDER = 70
"""Characters: the path of a Unix socket in it must stay below 104."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that servers run as where this process is root: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


class Home:
    """Removed with everything that runs in it when the process ends, however it ends."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.account = _unprivileged()
        self.folder = _temporary(self.account)
        self._dog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            bufsize=0,
        )
        atexit.register(self._end)
        os.register_at_fork(after_in_child=self._let_go)

    def reachable(self, programs: Programs) -> Programs:
        """Programs that the servers' user may run: in a checkout that is closed to it, a package is copied here."""
        closed = _closed_to(self.account, programs.folder)
        if closed is None:
            return programs
        if programs.found != PACKAGE:
            raise EngineError(
                f"PostgreSQL of {programs.found} lies in {programs.folder}; {closed} is closed to user {self._user}, "
                "as which servers run. Open it to that user, or set PGBIN to another PostgreSQL"
            )
        package = programs.folder.parent.parent
        copy = self.folder / "p"
        if not copy.exists():
            copy.mkdir(mode=0o755)
            self.give(copy)
            for part in (package, package.with_name(f"{package.name}.libs")):
                if part.exists():
                    shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("include", "*.a", "doc"))
        return Programs(copy / package.name / "pginstall" / "bin", programs.found)

    @property
    def _user(self) -> str:
        return self.account.name if self.account else "of this process"

    def make_folder(self, path: Path) -> Path:
        path.mkdir(mode=0o700)
        self.give(path)
        return path

    def give(self, made: Path | int) -> None:
        """Make a file or folder that this process made, or has open, the servers' own."""
        if self.account is not None:
            os.chown(made, self.account.uid, self.account.gid)

    def write(self, path: Path, content: str) -> None:
        """A file of the servers' own."""
        path.write_text(content)
        self.give(path)

    def start(self, command: Sequence[str | Path], output: Path, given: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program as the servers' user; the watchdog knows of it until ``reaped``. Output is appended."""
        with output.open("ab") as stream, open(given or os.devnull, "rb") as source:
            self.give(output)
            try:
                process = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=source,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd=self.folder,
                    env=_environment(),
                    user=self.account.uid if self.account else None,
                    group=self.account.gid if self.account else None,
                    extra_groups=[] if self.account else None,
                )
            except OSError as error:
                raise EngineError(
                    f"{command[0]} cannot be started as user {self._user}: {error}. "
                    "Set PGBIN to a PostgreSQL that this user may run"
                ) from error
        try:
            self._tell(f"+{process.pid}\n")
        except EngineError:
            process.kill()
            process.wait()
            raise
        return process

    def reaped(self, process: subprocess.Popen[bytes]) -> None:
        """The process has ended; where the watchdog has too, nobody needs to know."""
        with contextlib.suppress(EngineError):
            self._tell(f"-{process.pid}\n")

    def run(
        self, command: Sequence[str | Path], output: Path, *, given: Path | None = None, timeout_seconds: float = 120
    ) -> int:
        """Run a program to its end with a file as its input; its exit code."""
        process = self.start(command, output, given)
        try:
            if not ended(process, timeout_seconds):
                process.kill()
            return process.wait()
        finally:
            self.reaped(process)

    def remove(self, folder: Path) -> None:
        """Take a folder of this home away at once; the watchdog deletes what is in it, which takes a while."""
        away = Path(tempfile.mkdtemp(prefix="gone", dir=self.folder)) / folder.name
        with contextlib.suppress(FileNotFoundError):
            folder.rename(away)
        try:
            self._tell(f"!{away.parent.name}\n")
        except EngineError:
            shutil.rmtree(away.parent, ignore_errors=True)

    def _tell(self, line: str) -> None:
        assert self._dog.stdin is not None
        try:
            self._dog.stdin.write(line.encode())
        except BrokenPipeError as error:
            raise EngineError(
                "The watchdog over the simulated databases was ended from outside; without it servers could be left "
                "behind. Start the drill again"
            ) from error

    def _let_go(self) -> None:
        """A forked child must not keep the pipe open: the watchdog waits for its end."""
        if self._dog.stdin is not None:
            with contextlib.suppress(OSError):
                self._dog.stdin.close()
        self._dog.returncode = self._dog.returncode or 0

    def _end(self) -> None:
        if self.pid == os.getpid() and self._dog.stdin is not None:
            self._dog.stdin.close()
            waiting.ended(self._dog, watchdog.PATIENCE_SECONDS + 5)
            shutil.rmtree(self.folder, ignore_errors=True)


_home: Home | None = None


def home() -> Home:
    """This process's own; made when it is first needed."""
    global _home
    if _home is None or _home.pid != os.getpid():
        _home = Home()
    return _home


def _unprivileged() -> Account | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EngineError(
        "PostgreSQL does not run as root, and this system has neither a user postgres nor a user nobody to run it as. "
        "Add one of them, or run the drill as another user"
    )


def _temporary(account: Account | None) -> Path:
    """A fresh directory that the servers' user can get to. No mode of a directory that was there is changed."""
    tried: list[str] = []
    for parent in dict.fromkeys([*_in_memory(), tempfile.gettempdir(), *PLACES]):
        closed = _closed_to(account, Path(parent))
        if closed is not None:
            tried.append(f"{parent} ({closed} is closed to user {account.name if account else 'of this process'})")
        elif len(parent) > LONGEST_FOLDER - 20:
            tried.append(f"{parent} (too long for the path of a socket)")
        else:
            folder = Path(tempfile.mkdtemp(prefix="drills-pg-", dir=parent))
            if account is not None:
                os.chown(folder, account.uid, account.gid)
            return folder
    raise EngineError(
        f"No temporary directory serves for database servers. Tried: {'; '.join(tried)}. "
        "Set TMPDIR to a directory whose parents that user may enter"
    )


def _in_memory() -> list[str]:
    """Where the system keeps files in memory, if programs may lie there, and nobody asked for another place."""
    if "TMPDIR" in os.environ or not os.path.ismount(MEMORY):
        return []
    about = os.statvfs(MEMORY)
    roomy = about.f_bavail * about.f_frsize >= ROOMY_BYTES and not about.f_flag & os.ST_NOEXEC
    return [MEMORY] if roomy and os.access(MEMORY, os.W_OK) else []


def _closed_to(account: Account | None, folder: Path) -> Path | None:
    """The first of a folder and its parents that the account may not enter."""
    if not folder.is_dir():
        return folder
    if account is None:
        return None if os.access(folder, os.X_OK) else folder
    for one in [*reversed(folder.resolve().parents), folder.resolve()]:
        status = one.stat()
        own = 0o100 if status.st_uid == account.uid else 0o010 if status.st_gid == account.gid else 0o001
        if not status.st_mode & own:
            return one
    return None


def _environment() -> dict[str, str]:
    """This process's, without what would steer PostgreSQL, in English and UTC."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
