"""What a drill in real accounts keeps while it runs: its intentions on disk, and what stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills.clean_up import Ask, CleanUp, Progress, clean_up
from drills.clock import Clock
from drills.deeds import Deeds
from drills.intentions import Header, Intentions, read_intentions
from drills.model import Account, AccountRole
from drills.prices import cost
from drills.providers.interface import Call
from drills.sandbox_file import SandboxFile
from drills.stopping import Stop, alarm, cost_limit, stop_file, time_limit


@dataclass
class Keeping:
    """The record and the stop of one drill, and what it has called and made so far, over all of its scenarios."""

    folder: Path
    record: Intentions
    stop: Stop
    clock: Clock
    calls: Counter[tuple[AccountRole, str, str]] = field(default_factory=Counter)
    deeds: list[Deeds] = field(default_factory=list)

    def heard(self, call: Call) -> None:
        self.calls[call.role, call.service, call.operation] += 1

    def spent_usd(self, seconds: float) -> float:
        """By the price table, for what was called and made up to now."""
        return cost(self.calls, [done for deeds in self.deeds for done in deeds.done], seconds).usd

    def clean_up(self, ask: Ask, progress: Progress = lambda _: None) -> CleanUp:
        """Delete all that the drill made up to now. ``ask`` gives clients that nobody watches yet."""
        thorough = self.record.header.endpoint_url is not None
        return clean_up(self.record, read_intentions(self.folder), ask, self.clock, progress, thorough=thorough)


@contextmanager
def keep(
    given: SandboxFile,
    folder: Path,
    drill_id: str,
    accounts: Mapping[AccountRole, Account],
    clock: Clock,
    cloudwatch: Callable[[], Any],
) -> Iterator[Keeping]:
    """Keep one drill's record in its folder, and listen to what stops it. ``cloudwatch``: a client in production."""
    header = Header(drill_id, accounts, str(Path(given.file).resolve()), given.endpoint_url)
    stop = Stop([stop_file(folder), time_limit(given.time_limit_seconds)])
    with Intentions.begin(folder, header) as record, stop.on_signals():
        keeping = Keeping(folder, record, stop, clock)
        began = clock.now()
        stop.add(cost_limit(given.cost_limit_usd, lambda: keeping.spent_usd((clock.now() - began).total_seconds())))
        if given.stop_alarm is not None:
            stop.add(alarm(cloudwatch(), given.stop_alarm))
        yield keeping


def as_remark(found: CleanUp) -> Mapping[str, Any]:
    """What was found and done when cleaning up, for the history."""
    return {
        "deleted": len(found.deleted),
        "going": list(map(str, found.going)),
        "left": list(map(str, found.left)),
        "others": list(map(str, found.others)),
        "proof": found.proof,
        "gaps": found.gaps,
    }
