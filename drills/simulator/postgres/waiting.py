"""Waiting in real time. While a simulated AWS is active ``time.sleep`` moves its clock, also within ``subprocess``."""

from __future__ import annotations

import subprocess
import threading
import time

POLL_SECONDS = 0.003


def pause(seconds: float = POLL_SECONDS) -> None:
    """Let this much real time pass."""
    threading.Event().wait(seconds)


def ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the process ends within this time."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return False
        pause()
    return True
