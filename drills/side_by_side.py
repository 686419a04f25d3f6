"""The scenarios of a simulated drill side by side, each in a process of its own.

Scenarios share nothing: each has accounts of its own, made from the seed. So they may run at the same time, and what
each tells goes into the history in the plan's order afterwards. The bytes are those of a drill run in one process.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drills.collecting import collect_rarely
from drills.drill_plan import Plan, ScenarioUse
from drills.engine import Progress, run_scenario, tell_error
from drills.evidence import Evidence
from drills.history import Appends
from drills.plugins import load_store_kind

MEMORY_BYTES = 1_500_000_000
"""What all processes of a drill may take together."""
PROCESS_BYTES, RECORD_BYTES = 110_000_000, 12_000
"""What one takes: measured on the estate ``shop`` with 2,000 and 100,000 records, all copies and restores included.

A kind of store that takes more says so as ``process_bytes``.
"""


@dataclass
class Told:
    """What one scenario told, to be appended to the history of the drill."""

    events: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)

    def append(self, kind: str, at: datetime, **data: Any) -> None:
        """As History.append."""
        self.events.append((kind, at, data))


def processes_for(plan: Plan) -> int:
    """How many processes are worth starting here. Drills in real accounts run in one, as their clock is everybody's."""
    if plan.drill.grade != "simulated":
        return 1
    kinds = [load_store_kind(store.kind) for store in plan.estate.stores]
    stores_bytes = sum(getattr(kind, "process_bytes", 0) for kind in kinds)
    affordable = MEMORY_BYTES // (PROCESS_BYTES + stores_bytes + plan.records * RECORD_BYTES)
    return max(1, min(len(plan.scenarios), os.cpu_count() or 1, affordable))


@dataclass(frozen=True)
class SideBySide:
    """An engine.Runner. Each process makes the plan again by ``plan_again``, as scenarios cannot be sent to it."""

    plan_again: Callable[[], Plan]
    processes: int

    def __call__(self, plan: Plan, history: Appends, evidence: Evidence, progress: Progress) -> datetime:
        # Spawned and not forked: the progress display keeps threads, and a fork would copy their locks as held.
        context = multiprocessing.get_context("spawn")
        lines = context.SimpleQueue()
        ended = plan.drill.started
        with (
            _passed_on(lines, progress),
            ProcessPoolExecutor(self.processes, mp_context=context, initializer=_begin, initargs=(lines,)) as pool,
        ):
            futures = {
                index: pool.submit(_one, self.plan_again, plan.drill.id, index, evidence)
                for index in longest_first(plan.scenarios)
            }
            try:
                for index, use in enumerate(plan.scenarios):
                    ended = _appended(history, plan, use, futures[index])
            finally:
                for future in futures.values():
                    future.cancel()
        return ended


def longest_first(uses: Sequence[ScenarioUse]) -> list[int]:
    """In which order they are begun, so that no process is left with the longest when the others have ended.

    The more people can still reach, the more paths are tried; writes that continue have to be told from the damage.
    """

    def reach(index: int) -> tuple[bool, bool]:
        scenario = uses[index].scenario
        return scenario.respond_from == "production", scenario.writes_continue

    return sorted(range(len(uses)), key=reach, reverse=True)


def _appended(history: Appends, plan: Plan, use: ScenarioUse, future: Future[tuple[Told, datetime]]) -> datetime:
    try:
        told, ended = future.result()
    except Exception as error:  # noqa: BLE001 - a process that died is told; what the others told is kept.
        tell_error(history, use, plan.drill.started, error)
        return plan.drill.started
    for kind, at, data in told.events:
        history.append(kind, at, **data)
    return ended


@contextmanager
def _passed_on(lines: Any, progress: Progress) -> Iterator[None]:
    def listen() -> None:
        while (line := lines.get()) is not None:
            progress(line)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        lines.put(None)
        listener.join()


_tell: Callable[[str], None] = print


def _begin(lines: Any) -> None:
    global _tell
    _tell = lines.put
    collect_rarely()


def _one(plan_again: Callable[[], Plan], drill_id: str, index: int, evidence: Evidence) -> tuple[Told, datetime]:
    plan = plan_again()
    if plan.drill.id != drill_id:
        raise RuntimeError(
            f"the drill was planned as {drill_id} and is {plan.drill.id} now: the estate or a scenario was changed "
            "meanwhile. Run the drill again."
        )
    told = Told()
    ended = run_scenario(plan, plan.scenarios[index], told, evidence, _tell)
    return told, ended
