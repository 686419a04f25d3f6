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
GRACE_SECONDS = 3.0
"""How long files stay while what was ended still ends: initdb's helpers note their shared memory in them, and can
only then give it back."""
PROCESSES = Path("/proc")


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
        ending = started | _noted_by_servers(folder)
        _end(ending, signal.SIGQUIT)
        _wait_for(ending, min(deadline, time.monotonic() + GRACE_SECONDS))
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


def _wait_for(groups: set[int], deadline: float) -> None:
    """Each of what was started leads a group, in which its helpers are."""
    while time.monotonic() < deadline and any(_works(group) for group in groups):
        time.sleep(0.005)


def _works(group: int) -> bool:
    """Whether anything of a group of processes still runs; what has ended and was not yet reaped does not."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    if not PROCESSES.joinpath("self/stat").exists():
        return True  # Here nothing tells what was not yet reaped.
    return any(_state_and_group(one) == (True, group) for one in PROCESSES.glob("[0-9]*/stat"))


def _state_and_group(note: Path) -> tuple[bool, int]:
    """Of a process: whether it has not ended, and its group. Source: proc(5), /proc/PID/stat."""
    try:
        state, _, group, *_ = note.read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return False, 0
    return state not in "ZX", int(group)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
