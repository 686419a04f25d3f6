"""Run as a process of its own: when the process that started it ends, however it ends, its servers and files go.

Standard input is a pipe whose other end only that process has: each line ``+pid`` or ``-pid`` says what has been
started and what has ended, ``!name`` which folder is to be deleted, the end of the file says that the process is gone.
Imports nothing of drills, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

PATIENCE_SECONDS = 10.0


def main(folder: Path) -> None:
    started: set[int] = set()
    for line in sys.stdin:
        if line[0] == "!":
            shutil.rmtree(folder / line[1:].strip(), ignore_errors=True)
        else:
            (started.add if line[0] == "+" else started.discard)(int(line[1:]))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        # PostgreSQL takes SIGQUIT as: stop at once and let go of shared memory.
        _end(started | _noted_by_servers(folder), signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)
        started = {pid for pid in started if _alive(pid)}
        if started and time.monotonic() > deadline - PATIENCE_SECONDS / 2:
            _end(started, signal.SIGKILL)


def _noted_by_servers(folder: Path) -> set[int]:
    """Of servers that were started in the very moment in which the process ended."""
    found = set()
    for note in folder.glob("*/*/data/postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            found.add(int(note.read_text().splitlines()[0]))
    return found


def _end(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
