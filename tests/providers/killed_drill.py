"""The drills command in a process that ends by SIGKILL: ``python -m tests.providers.killed_drill WHEN ARGUMENT...``.

It ends as soon as something is told that WHEN names: a kind of event of the drill's history (``decided``), or one of a
phase (``phase=restore``), or an operation that it intends (``PutItem``), which is then not sent, or that was answered
(``PutItem/done``); any ``event``, ``intention`` or ``answer``; the n-th of these with ``#n`` behind.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from typing import Any

from drills import sandbox_plan
from drills.cli import main
from drills.history import History
from drills.intentions import Intentions
from tests.providers.resumable import MEMO, rehearsed_once


def kill_at(when: str) -> None:
    """From now on this process ends then."""
    append, intend, done = History.append, Intentions.intend, Intentions.done
    named, _, number = when.partition("#")
    told: Counter[str] = Counter()
    operations: dict[int, str] = {}

    def tell(*names: str) -> None:
        told.update(names)
        if named in names and told[named] == int(number or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    def appended(history: History, kind: str, *what: Any, **data: Any) -> None:
        append(history, kind, *what, **data)
        tell("event", kind, f"{kind}={data.get('phase')}")

    def intended(record: Intentions, call: tuple[str, str], *what: Any, **more: Any) -> int:
        number = intend(record, call, *what, **more)
        operations[number] = call[1]
        tell("intention", call[1])
        return number

    def answered(record: Intentions, number: int, *what: Any, **more: Any) -> None:
        done(record, number, *what, **more)
        # Of an earlier process the number of an intention is known, and not its operation.
        tell("answer", f"{operations.get(number)}/done")

    History.append = appended  # type: ignore[method-assign, assignment]
    Intentions.intend = intended  # type: ignore[method-assign, assignment]
    Intentions.done = answered  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    kill_at(sys.argv[1])
    if MEMO in os.environ:
        sandbox_plan.rehearse = rehearsed_once  # type: ignore[attr-defined]
    main(sys.argv[2:])
