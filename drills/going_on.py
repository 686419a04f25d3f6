"""A drill in sandbox accounts that was cut off goes on: what ended stands, and the rest is done now.

Scenario by scenario, in the plan's order:

- one that was cleaned up after stands;
- one that was cut off before its response was decided and all ledgers were in the evidence is cleaned up after, and run
  anew under new names;
- one that was cut off later goes on with the attempts that have not ended. The stores, the settings they had, the
  ledgers, and when it failed come from the history and the evidence; what the guard knows, from the intentions. What
  the interrupted attempt had made is removed first, and the attempt begins again under another name. Lost accounts and
  regions that are down are enforced again before anything is tried;
- one that has not begun is run.

All marks of that are in the history before anything is done by them, so that a drill may be cut off again, and again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from drills.attempts import Before
from drills.clean_up import Ask, Cleaner
from drills.clock import Clock
from drills.drill_plan import Plan, ScenarioUse
from drills.engine import Progress, ScenarioRun, redacted, run_scenario
from drills.evidence import Evidence, EvidenceFile, read_ledger
from drills.guard import Guard
from drills.history import Appends, Event, History, read_history
from drills.in_force import ATTEMPT, SCENARIO, in_force
from drills.intentions import Intentions, Told, read_intentions
from drills.keeping import Keeping, Spent, as_remark
from drills.model import AccountRole, Location
from drills.providers.sandbox import SandboxProvider
from drills.standing import Standing, Try, standing_of


@dataclass(frozen=True, slots=True)
class CutOff:
    """A drill that was cut off: its folder, its history, and its record, both open to be added to.

    ``events`` and ``told`` are what they held; ``ask`` gives clients of its accounts that nobody watches yet.
    """

    folder: Path
    history: History
    events: Sequence[Event]
    record: Intentions
    told: Told
    ask: Ask


def go_on(plan: Plan, provider: SandboxProvider, cut_off: CutOff, clock: Clock, progress: Progress) -> list[str]:
    """Bring the drill to its end; returns what was done about each scenario. What breaks is in the history."""
    spent = Spent(seconds_run(cut_off.events), cut_off.events[0].at, cut_off.told)
    standings = [standing_of(cut_off.events, use.label, plan.estate) for use in plan.scenarios]
    cut_off.history.append("drill.resumed", clock.now(), cut_off=_iso(cut_off.events[-1].at))
    with provider.keep_on(cut_off.folder, cut_off.record, plan.estate, spent) as keeping:
        going = _GoingOn(plan, cut_off, keeping, clock, progress)
        for use, standing in zip(plan.scenarios, standings, strict=True):
            if keeping.stop.reason is None:
                going.on_with(use, standing)
    cut_off.history.append("drill.ended", clock.now())
    return going.lines


class _GoingOn:
    """One drill that goes on."""

    def __init__(self, plan: Plan, cut_off: CutOff, keeping: Keeping, clock: Clock, progress: Progress) -> None:
        self.plan = plan
        self.cut_off = cut_off
        self.keeping = keeping
        self.clock = clock
        self.progress = progress
        self.history: Appends = redacted(plan.provider, cut_off.history)
        told = cut_off.events[0].mapping("plan")
        file = EvidenceFile(str(told["file"]), 1, str(told["sha256"]))
        self.evidence = Evidence(cut_off.folder, file)
        self.lines: list[str] = []

    def on_with(self, use: ScenarioUse, standing: Standing) -> None:
        how: dict[str, Callable[[], None]] = {
            "finished": lambda: self._tell(standing, "stands: it had ended"),
            "not_begun": lambda: self._run(use, 1),
            "broken": lambda: self._end_broken(use, standing),
            "anew": lambda: self._anew(use, standing),
            "go_on": lambda: self._attempts(use, standing),
        }
        how[standing.how]()

    def _tell(self, standing: Standing, what: str) -> None:
        line = f"{standing.label}: {what}"
        self.lines.append(line)
        self.progress(line)

    def _run(self, use: ScenarioUse, run: int, steps: Callable[[ScenarioRun], None] | None = None) -> None:
        told = {event.text("file") for event in self._counting() if event.kind in ("ledger", "inventory")}
        self.evidence.keep_only(told)
        run_scenario(self.plan, use, self.history, self.evidence, self.progress, steps, run)

    def _counting(self) -> list[Event]:
        return in_force(read_history(self.cut_off.folder))

    def _end_broken(self, use: ScenarioUse, standing: Standing) -> None:
        self._tell(standing, "it broke by an error of its own, and is cleaned up after")
        self._run(use, standing.runs, lambda _: None)

    # --- Anew

    def _anew(self, use: ScenarioUse, standing: Standing) -> None:
        reason = f"{standing.why}{_last_word(standing)}"
        self._tell(standing, f"is run anew: {reason}")
        found = self.keeping.clean_up(self.cut_off.ask, self.progress)
        self.history.append(SCENARIO, self.clock.now(), scenario=use.label, reason=reason, **as_remark(found))
        self._run(use, standing.runs + 1)

    # --- On with the attempts

    def _attempts(self, use: ScenarioUse, standing: Standing) -> None:
        left = standing.to_try(self.plan.estate)
        if left:
            named = ", ".join(f"{store} by {protection}" for store, protection in left)
            self._tell(standing, f"goes on{_last_word(standing)}: {named}")
        else:
            self._tell(standing, "stands: every attempt had ended; it is cleaned up after")
        before = {store.name: {name: _before(one) for name, one in store.tries.items()} for store in standing.stores}
        if standing.interrupted is not None:
            store, one = standing.interrupted
            before[store][one.protection] = self._begin_again(use, store, one)

        def steps(scenario: ScenarioRun) -> None:
            self._rebuild(scenario, standing)
            if left:
                _enforce(scenario, standing.enforced)
                scenario.recover(before)

        self._run(use, standing.runs, steps)

    def _begin_again(self, use: ScenarioUse, store: str, one: Try) -> Before:
        """Remove what the interrupted attempt had made, and say what else it had changed."""
        told = read_intentions(self.cut_off.folder)
        changed = [str(there) for there in told.changed_since(one.began)]
        record, made = self.cut_off.record, told.made_since(one.began)
        self.progress(f"{use.label}: {store}: removing what was made by {one.protection} until it was interrupted")
        found = Cleaner(record, made, self.cut_off.ask, self.clock, self.progress).run()
        self.history.append(
            ATTEMPT,
            self.clock.now(),
            scenario=use.label,
            store=store,
            protection=one.protection,
            began=_iso(one.began),
            changed=changed,
            removed=list(map(str, found.deleted)),
            left=list(map(str, found.left)),
        )
        halfway = one.changed or bool(changed)
        return Before(ended=False, cut_over=False, again=one.again + 1, began=one.began if halfway else None)

    def _rebuild(self, scenario: ScenarioRun, standing: Standing) -> None:
        """The scenario as it was when its response was decided."""
        memory = read_intentions(self.cut_off.folder).memory
        keeping = self.keeping
        scenario.guard = Guard(self.plan.drill.id, keeping.record, memory, stop=keeping.stop)
        by_name = {store.name: store for store in standing.stores}
        for store in self.plan.estate.stores:
            known = by_name.get(store.name)
            if known is None:
                continue  # It cannot be where the drill runs.
            site = scenario.site_of(store)
            workload = scenario.workload(site, _location("production", known.provisioned.mapping("location")))
            for write in read_ledger(self.cut_off.folder, EvidenceFile.told_by(known.ledger)):
                workload.ledger.append(write)
            if standing.failed is not None:
                site.failure_began(standing.failed)
            site.writing = False
            scenario.settings[store.name] = known.settings.mapping("settings")
        if standing.decided is not None:
            scenario.decided = standing.decided


def _enforce(scenario: ScenarioRun, enforced: Sequence[Event]) -> None:
    """The failures that are enforced on this side of the wire; the others are as they were."""
    lost = dict.fromkeys(str(event.data["lost"]) for event in enforced if event.data.get("lost"))
    down = dict.fromkeys(str(event.data["down"]) for event in enforced if event.data.get("down"))
    roles: Mapping[str, AccountRole] = {role: role for role in scenario.plan.estate.accounts}
    for role in lost:
        scenario.world.close_account(roles[role])
    for region in down:
        scenario.world.region_down(region)
    scenario.tell_remarks()


def _before(one: Try) -> Before:
    return Before(one.ended, one.cut_over, one.again, one.began if one.changed else None)


def _location(role: AccountRole, told: Mapping[str, Any]) -> Location:
    return Location(role, str(told["account"]), str(told["region"]), str(told["name"]))


def seconds_run(events: Sequence[Event]) -> float:
    """For how long some process ran the drill; the time between two processes is nobody's."""
    began, seconds = events[0].at, 0.0
    for before, event in itertools.pairwise(events):
        if event.kind == "drill.resumed":
            seconds += (before.at - began).total_seconds()
            began = event.at
    return seconds + (events[-1].at - began).total_seconds()


def _last_word(standing: Standing) -> str:
    if standing.last is None:
        return ""
    return f" (its last word is {standing.last.kind!r} at {standing.last.at:%Y-%m-%d %H:%M:%S} UTC)"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
