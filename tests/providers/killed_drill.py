"""The drills command in a process that ends by SIGKILL: ``python -m tests.providers.killed_drill WORD ARGUMENT...``.

It ends as soon as something of which WORD is the first word is told: a phase of the drill's history, or an operation
that it intends.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from drills.cli import main
from drills.history import History
from drills.intentions import Intentions


def kill_at(word: str) -> None:
    """From now on this process ends at the first event, or the first intention, of that name."""
    append, intend = History.append, Intentions.intend

    def appended(history: History, kind: str, *what: Any, **data: Any) -> None:
        append(history, kind, *what, **data)
        if kind == word:
            os.kill(os.getpid(), signal.SIGKILL)

    def intended(record: Intentions, call: tuple[str, str], *what: Any, **more: Any) -> int:
        number = intend(record, call, *what, **more)
        if call[1] == word:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    History.append = appended  # type: ignore[method-assign, assignment]
    Intentions.intend = intended  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    kill_at(sys.argv[1])
    main(sys.argv[2:])
