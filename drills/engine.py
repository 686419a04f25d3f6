"""plan() and run(): the only control flow of a drill.

provision → seed → protect → write → *fail* → detect → decide → restore → reconfigure → verify → cut over, once for each
scenario, for all stores of the estate together. Each step only appends to the history and the evidence; what they mean
is for the judge.
"""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import drills
from drills.asked import Paths
from drills.attempts import Before, Recovery, attempt_each
from drills.deleters import DELETED_STORES
from drills.drill_plan import ORDINALS, SIMULATED_START, Plan, ScenarioUse, record_counts
from drills.errors import UsageError
from drills.evidence import Evidence
from drills.findings import crashed, finding_as_json
from drills.guard import Guard
from drills.history import Appends, History
from drills.incident import EngineIncident
from drills.lead_up import PACE, Waited, going_on_writing
from drills.model import JSON, DrillInfo, Estate, Finding, Location, Store
from drills.plugins import lacking, load_protection, load_store_kind, store_lacking
from drills.premises import failure_finding, unchanged_finding, workload_finding
from drills.providers.interface import Call, Provider, World
from drills.redaction import RedactedHistory
from drills.stopping import Stopping
from drills.stores import StoreKind
from drills.suggestions import nearest
from drills.workload import StoreWorkload, link, write_for
from drills.world_site import Calls, WorldSite

if TYPE_CHECKING:
    from drills.keeping import Keeping

Progress = Callable[[str], None]


def plan(
    estate: Estate,
    scenarios: Sequence[ScenarioUse],
    provider: Provider,
    seed: int,
    *,
    stores: Sequence[str] | None = None,
    paths: Paths = "all",
    records: int = 2000,
) -> Plan:
    """Decide a drill. Touches nothing. Raises UsageError for what cannot be done."""
    if records < len(estate.stores):
        raise UsageError(
            f"--records {records}: the estate {estate.name} has {len(estate.stores)} stores and each needs at least "
            f"one record. Give {len(estate.stores)} or more."
        )
    if not scenarios:
        raise UsageError("no scenario to run: name at least one; `drills list` shows them")
    if len(scenarios) > len(ORDINALS):
        raise UsageError(f"{len(scenarios)} scenarios: expected at most {len(ORDINALS)} in one drill")
    labels = [use.label for use in scenarios]
    for label in labels:
        if labels.count(label) > 1:
            raise UsageError(f"the scenario {label} is named {labels.count(label)} times: name it once")
    wanted = _chosen(estate, stores)
    for store in wanted.stores:
        if store.records is None:
            raise UsageError(
                f"store {store.name!r} of the estate {estate.name}: expected records, objectives and production, "
                f"without which it cannot be drilled; found only that it exists as {store.exists}. Add them, or name "
                "other stores with --store."
            )
        if provider.grade == "sandbox" and store.kind not in DELETED_STORES:
            raise UsageError(
                f"store {store.name!r} of the estate {estate.name} is of kind {store.kind}: in sandbox accounts "
                f"expected one of {', '.join(sorted(DELETED_STORES))}, as what a drill makes of other kinds cannot be "
                "cleaned up there yet. Name other stores with --store, or drill this one in the simulated AWS."
            )
    names = [store.name for store in wanted.stores]
    identity = [drills.__version__, estate.source, labels, provider.name, seed, names, paths, records]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    simulated = provider.grade == "simulated"
    started = SIMULATED_START if simulated else datetime.now(UTC)
    drill = DrillInfo(
        id=f"{estate.name}-{digest[:10]}" if simulated else f"{estate.name}-{started:%Y%m%d-%H%M%S}-{digest[:6]}",
        seed=seed,
        version=drills.__version__,
        provider=provider.name,
        grade=provider.grade,
        estate=estate.name,
        started=started,
        clock="simulated" if simulated else "wall",
    )
    return Plan(drill, wanted, tuple(scenarios), provider, paths, records)


def _chosen(estate: Estate, stores: Sequence[str] | None) -> Estate:
    if not stores:
        return estate
    known = {store.name for store in estate.stores}
    unknown = [name for name in stores if name not in known]
    if unknown:
        raise UsageError(
            f"--store {unknown[0]}: the estate {estate.name} has no such store; it has {', '.join(sorted(known))}"
            + (f"; did you mean {near[0]!r}?" if (near := nearest(unknown[0], known, 1)) else "")
        )
    chosen = set(stores)
    return replace(
        estate,
        stores=tuple(store for store in estate.stores if store.name in chosen),
        references=tuple(one for one in estate.references if one.store in chosen and one.to in chosen),
    )


Runner = Callable[[Plan, Appends, Evidence, Progress], datetime]
"""Runs all scenarios of a plan and returns when the last one ended."""


def run(plan: Plan, out: Path, progress: Progress, runner: Runner | None = None) -> Path:
    """Carry out a plan; returns the drill's folder. What breaks is in the history, and the folder can be judged."""
    folder = out / plan.drill.id
    evidence = Evidence.create(folder, plan.as_json())
    with History.create(folder) as own:
        history = redacted(plan.provider, own)
        history.append("drill.started", plan.drill.started, drill=plan.as_json()["drill"], plan=evidence.plan.as_json())
        # In real accounts what is intended is on disk before it is done, and the drill can be stopped.
        keep: Keep = getattr(plan.provider, "keep", _keeps_nothing)
        with keep(folder, plan.drill.id, plan.estate):
            ended = (runner or one_after_another)(plan, history, evidence, progress)
        history.append("drill.ended", ended)
    return folder


def redacted(provider: Provider, history: Appends) -> Appends:
    """The history, without the secrets that the provider knows, where it knows any."""
    redaction = getattr(provider, "redaction", None)
    return history if redaction is None else RedactedHistory(history, redaction)


Keep = Callable[[Path, str, Estate], AbstractContextManager[None]]


def _keeps_nothing(*_: object) -> AbstractContextManager[None]:
    return nullcontext()


def one_after_another(plan: Plan, history: Appends, evidence: Evidence, progress: Progress) -> datetime:
    """Run all scenarios in this process; returns when the last one ended."""
    ended = plan.drill.started
    for use in plan.scenarios:
        keeping = keeping_of(plan)
        if keeping is not None and keeping.stop.reason is not None:
            break
        ended = run_scenario(plan, use, history, evidence, progress)
    return ended


def keeping_of(plan: Plan) -> Keeping | None:
    """The record of the drill that is running, where it keeps one."""
    return getattr(plan.provider, "keeping", None)


def run_scenario(
    plan: Plan,
    use: ScenarioUse,
    history: Appends,
    evidence: Evidence,
    progress: Progress,
    steps: Callable[[ScenarioRun], None] | None = None,
    run: int = 1,
) -> datetime:
    """One scenario in a world of its own; returns when it ended. What breaks is told, and the next one still runs.

    ``steps``: those still to be done of a scenario that was cut off; all of them otherwise. ``run``: how many times it
    has been begun, this one included.
    """
    ended = plan.drill.started
    try:
        with plan.provider.open(plan.estate, plan.drill.seed) as world:
            scenario = ScenarioRun(plan, use, world, history, evidence, progress, run)
            try:
                (steps or ScenarioRun.run)(scenario)
            except Exception as error:  # noqa: BLE001 - a drill that breaks is a result, not a traceback.
                tell_error(history, use, world.clock.now(), error)
                progress(f"{use.label}: broke: {error}")
            except Stopping as stopping:
                history.append("stopped", world.clock.now(), scenario=use.label, reason=str(stopping))
                progress(f"{use.label}: stopped: {stopping}; cleaning up")
            left = list(world.close())
            scenario.tell_remarks()
            ended = world.clock.now()
            history.append("cleanup", ended, scenario=use.label, left=left)
    except Exception as error:  # noqa: BLE001 - clean-up runs on every path and must not hide the first error.
        tell_error(history, use, ended, error)
    return ended


def tell_error(history: Appends, use: ScenarioUse, at: datetime, error: Exception) -> None:
    """What broke a scenario, for the history."""
    text = f"{type(error).__name__}: {error}"
    history.append("error", at, scenario=use.label, error=text, traceback="".join(traceback.format_exception(error)))


class ScenarioRun:
    """The steps of one scenario, in order."""

    def __init__(
        self,
        plan: Plan,
        use: ScenarioUse,
        world: World,
        history: Appends,
        evidence: Evidence,
        progress: Progress,
        run: int = 1,
    ) -> None:
        self.plan = plan
        self.use = use
        self.world = world
        self.history = history
        self.evidence = evidence
        self.progress = progress
        self.prefix = plan.prefix_of(use, run)
        self.calls = Calls()
        keeping = keeping_of(plan)
        record, stop = (keeping.record, keeping.stop) if keeping is not None else (None, None)
        self.guard = Guard(plan.drill.id, record, stop=stop)
        self.workloads: list[StoreWorkload] = []
        self.settings: dict[str, Mapping[str, JSON]] = {}
        self.unlisted: dict[str, Mapping[str, str]] = {}
        self.decided = plan.drill.started
        self._remarks_told = 0
        world.listen(self._heard)

    def _heard(self, call: Call) -> None:
        self.calls.add(call)

    def run(self) -> None:
        self._note("scenario.started")
        self._provision_and_seed()
        if not self.workloads:
            return  # None of the stores can exist here.
        self._protect()
        self._write()
        self._fail_and_respond()
        # All of them before the first attempt: from here on a drill that is cut off goes on with its attempts.
        for workload in self.workloads:
            written = self.evidence.write_ledger(self.use.label, workload.site.store.name, workload.ledger)
            workload.site.note("ledger", **written.as_json())
        self.recover()

    def recover(self, before: Mapping[str, Mapping[str, Before]] | None = None) -> None:
        """Try every path of every store. ``before``: what became of those that were tried already, by store."""
        each = [
            Recovery(
                workload,
                self.use.scenario,
                self.use.label,
                decided=self.decided,
                settings=self.settings[workload.site.store.name],
                evidence=self.evidence,
                calls=self.calls,
                progress=self.progress,
                before=(before or {}).get(workload.site.store.name, {}),
            )
            for workload in self.workloads
        ]
        attempt_each(each, self.plan.paths)

    def tell_remarks(self) -> None:
        """What the history must tell of the world and was not told yet."""
        for kind, data in self.world.remarks()[self._remarks_told :]:
            self._note(kind, **data)
            self._remarks_told += 1

    def _note(self, kind: str, **data: Any) -> None:
        self.history.append(kind, self.world.clock.now(), scenario=self.use.label, **data)

    def _provision_and_seed(self) -> None:
        counts = record_counts(self.plan.estate, self.plan.records)
        for store, count in zip(self.plan.estate.stores, counts, strict=True):
            if missing := store_lacking(store, self.plan.provider.capabilities):
                for use in store.protections:
                    self._missing(missing, store=store.name, protection=use.name)
                continue
            self.progress(f"{self.use.label}: {store.name}: provisioning and seeding {count:,} records")
            site = self.site_of(store)
            at = load_store_kind(store.kind).provision(site)
            site.reckon(at)
            site.note("store.provisioned", location={"account": at.account, "region": at.region, "name": at.name})
            self.workload(site, at).seed(count)
        link(self.workloads, self.plan.estate.references)

    def site_of(self, store: Store) -> WorldSite:
        """Where a store of this scenario lives."""
        return WorldSite(
            self.world,
            self.plan.estate,
            store,
            drill_id=self.plan.drill.id,
            prefix=self.prefix,
            history=self.history,
            context={"scenario": self.use.label, "store": store.name},
            capabilities=self.plan.provider.capabilities,
            guard=self.guard,
        )

    def workload(self, site: WorldSite, at: Location) -> StoreWorkload:
        """The workload of a store that lies there, from now on one of this scenario's."""
        kind: StoreKind = load_store_kind(site.store.kind)
        self.workloads.append(StoreWorkload(site, kind, at, self.plan.drill.seed, self.plan.drill.started))
        return self.workloads[-1]

    def _protect(self) -> None:
        for workload in self.workloads:
            site = workload.site
            for use in site.store.protections:
                if missing := self._lacking(use.name):
                    self._missing(missing, store=site.store.name, protection=use.name)
                    continue
                self.progress(f"{self.use.label}: {site.store.name}: protecting by {use.name}")
                try:
                    load_protection(use.name).set_up(site, use.options)
                except Exception as error:  # noqa: BLE001 - a protection that cannot be set up is a finding.
                    site.note("protection.failed", protection=use.name, error=f"{type(error).__name__}: {error}")
                else:
                    site.note("protection.set_up", protection=use.name)
            self.settings[site.store.name] = workload.kind.settings(site, workload.at)
            site.note("settings.expected", settings=self.settings[site.store.name])
            self.unlisted[site.store.name] = workload.kind.unlisted(site, workload.at)

    def _write(self) -> None:
        minutes = self.plan.estate.workload_minutes
        self.progress(f"{self.use.label}: writing for {minutes:g} minutes")
        self._note("workload.started")
        write_for(self.workloads, minutes * 60, self.world.clock)
        for workload in self.workloads:
            self._premise(workload, "unchanged", self._unchanged)
            for use in workload.site.store.protections:
                if not self._lacking(use.name):
                    self._health(workload, use.name, use.options)

    def _missing(self, missing: Sequence[str], **which: str) -> None:
        self._note("capability.missing", **which, missing=missing, reason=self._why(missing))

    def _note_unlisted(self, workload: StoreWorkload) -> None:
        """What no record covers, as it was before and after the workload: what is the same is what must come back."""
        site, before = workload.site, self.unlisted[workload.site.store.name]
        now = workload.kind.unlisted(site, workload.at)
        if before or now:
            site.note("unlisted.expected", protected=dict(before), written=dict(now))

    def _lacking(self, protection: str) -> list[str]:
        capabilities = self.plan.provider.capabilities
        return lacking(protection, capabilities, to_go_back=self.use.scenario.mangles_data)

    def _why(self, missing: Sequence[str]) -> str:
        reasons: Mapping[str, str] = getattr(self.plan.provider, "lacks", {})
        told = [f"{name} ({reasons[name]})" if reasons.get(name) else name for name in missing]
        return f"{self.plan.provider.name} cannot do {', '.join(told)}"

    def _premise(self, workload: StoreWorkload, check: str, find: Callable[[StoreWorkload], Finding]) -> None:
        try:
            finding = find(workload)
        except Exception as error:  # noqa: BLE001 - a check that crashes is unknown, whatever it crashed on.
            finding = crashed(check, workload.site.store.name, error)
        workload.site.note("premise", finding=finding_as_json(finding))

    def _unchanged(self, workload: StoreWorkload) -> Finding:
        name = workload.site.store.name
        return unchanged_finding(self.settings[name], workload.kind.settings(workload.site, workload.at), name)

    def _health(self, workload: StoreWorkload, protection: str, options: Mapping[str, JSON]) -> None:
        site = workload.site
        try:
            findings = load_protection(protection).health(site, options)
        except Exception as error:  # noqa: BLE001 - a check that crashes is unknown, whatever it crashed on.
            findings = [crashed("health", f"{site.store.name}: the health of {protection}", error)]
        for finding in findings:
            site.note("health", protection=protection, finding=finding_as_json(finding))

    def _fail_and_respond(self) -> None:
        scenario = self.use.scenario
        self.progress(f"{self.use.label}: failing")
        incident = EngineIncident(self.plan.estate, self.world, self.workloads, self.use.variant)
        waited = self._lead_up(incident)
        for workload in self.workloads:
            self._premise(workload, "workload", lambda one: workload_finding(one.site.store.name, one.sent, waited))
            self._note_unlisted(workload)
        failed_at = self.world.clock.now()
        for workload in self.workloads:
            workload.site.failure_began(failed_at)
        self.history.append("failure.began", failed_at, scenario=self.use.label)
        if not scenario.writes_continue:
            self._stop_writing()
        scenario.fail(incident)
        self.tell_remarks()
        detect = self.plan.estate.response.detect(self.use.label)
        if scenario.writes_continue:
            write_for(self.workloads, detect, self.world.clock)
            self._stop_writing()
        else:
            # Whoever watches does not wait until the failure has run its course.
            gone_by = (self.world.clock.now() - failed_at).total_seconds()
            self.world.clock.sleep(max(0.0, detect - gone_by))
        self._note("detected")
        decided = self.world.clock.now() + timedelta(seconds=self.plan.estate.response.decide_seconds)
        for workload in self.workloads:
            self._premise(workload, "failure", lambda one: failure_finding(one, incident.damaged[one.site.store.name]))
        self.world.clock.sleep(max(0.0, (decided - self.world.clock.now()).total_seconds()))
        self.decided = self.world.clock.now()
        self.history.append("decided", self.decided, scenario=self.use.label)

    def _lead_up(self, incident: EngineIncident) -> Waited | None:
        """Wait until the failure can begin; how long that was, None for no time."""
        if self.use.scenario.lead_up is None:
            return None
        with going_on_writing(self.workloads, self.world, PACE[self.plan.drill.grade]) as waited:
            self.use.scenario.lead_up(incident)
        if not waited.seconds:
            return None
        self._note("failure.waited", seconds=waited.seconds, pace=waited.pace, writes=dict(waited.sent))
        return waited

    def _stop_writing(self) -> None:
        for workload in self.workloads:
            workload.site.writing = False
        self._note("workload.stopped")
