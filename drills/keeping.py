"""What a drill in real accounts keeps while it runs: its intentions on disk, and what stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from drills.clean_up import Ask, CleanUp, Progress, clean_up
from drills.clock import Clock
from drills.deeds import Deeds, Done
from drills.guard_rules import Resource
from drills.intentions import Header, Intentions, Made, Told, read_intentions
from drills.model import AccountRole
from drills.prices import cost
from drills.providers.interface import Call
from drills.sandbox_file import SandboxFile
from drills.stopping import Stop, alarm, cost_limit, stop_file, time_limit


@dataclass
class Keeping:
    """The record and the stop of one drill, and what it has called and made so far, over all of its scenarios.

    ``so_far``: what earlier processes of the drill made.
    """

    folder: Path
    record: Intentions
    stop: Stop
    clock: Clock
    so_far: Mapping[Resource, Made] = field(default_factory=dict)
    calls: Counter[tuple[AccountRole, str, str]] = field(default_factory=Counter)
    deeds: list[Deeds] = field(default_factory=list)

    def heard(self, call: Call) -> None:
        self.calls[call.role, call.service, call.operation] += 1

    def spent_usd(self, seconds: float) -> float:
        """By the price table, for what was called and made up to now."""
        return cost(self.calls, [*self._made_so_far(), *(done for one in self.deeds for done in one.done)], seconds).usd

    def _made_so_far(self) -> Iterator[Done]:
        for there, made in self.so_far.items():
            if (role := self.record.header.role_of(made.account)) is not None:
                yield Done("make", role, there)

    def clean_up(self, ask: Ask, progress: Progress = lambda _: None) -> CleanUp:
        """Delete all that the drill made up to now. ``ask`` gives clients that nobody watches yet."""
        thorough = self.record.header.endpoint_url is not None
        return clean_up(self.record, read_intentions(self.folder), ask, self.clock, progress, thorough=thorough)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a drill took until it was cut off: the seconds in which it ran, since when what it made has been there, and
    what its record tells. Calls that only read are not in the record, and count for nothing."""

    seconds: float
    since: datetime
    told: Told


@contextmanager
def keep(
    given: SandboxFile, folder: Path, header: Header, clock: Clock, cloudwatch: Callable[[], Any]
) -> Iterator[Keeping]:
    """Keep one drill's record in its folder, and listen to what stops it. ``cloudwatch``: a client in production."""
    spent = Spent(0.0, clock.now(), Told(header))
    with (
        Intentions.begin(folder, header) as record,
        keep_on(given, folder, record, clock, cloudwatch, spent) as keeping,
    ):
        yield keeping


@contextmanager
def keep_on(
    given: SandboxFile,
    folder: Path,
    record: Intentions,
    clock: Clock,
    cloudwatch: Callable[[], Any],
    before: Spent,
) -> Iterator[Keeping]:
    """The same with a record that is open. ``before``: what the drill took until it was cut off."""
    stop = Stop([stop_file(folder), time_limit(given.time_limit_seconds, before.seconds)])
    with stop.on_signals():
        keeping = Keeping(folder, record, stop, clock, before.told.made, Counter(before.told.calls))
        stop.add(
            cost_limit(given.cost_limit_usd, lambda: keeping.spent_usd((clock.now() - before.since).total_seconds()))
        )
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
