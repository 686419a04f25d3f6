"""The recovery of one store after one failure: every path that survives is restored and proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from drills.clock import microseconds
from drills.cut_over import cut_over
from drills.errors import PointUnreachable
from drills.evidence import Evidence
from drills.findings import crashed, finding_as_json
from drills.measure import LOADED, UNLOADED
from drills.model import JSON, AccountRole, Finding, Location, Place, ProtectionUse, RecoveryPoint
from drills.plugins import lacking, load_protection
from drills.protections import Hold
from drills.scenario import Scenario
from drills.stores import Load
from drills.workload import StoreWorkload
from drills.world_site import Calls, Stopwatch, WorldSite

OUT_OF_REACH = (PointUnreachable, ClientError, BotoCoreError)
"""What a path raises when the responders cannot reach a recovery point any more."""

ERASURE_MARGIN = timedelta(minutes=15)
"""Erasures are replayed from this long before a point: one shard of a copy may lag behind the newest record applied."""


def respond_from(site: WorldSite, scenario: Scenario) -> Place:
    """From where people respond, and so where a store is restored into."""
    role: AccountRole = "recovery" if scenario.respond_from == "recovery" else "production"
    region = site.region("production" if scenario.respond_from == "production" else "recovery")
    return Place(role, region)


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier process of the drill had done of one attempt.

    ``ended``: it stands, ``cut_over`` if it got that far. Otherwise it is tried again, for the so-manieth time
    ``again``, and its time counts from ``began``; None for now, where nothing is left of what was done before.
    """

    ended: bool
    cut_over: bool
    again: int
    began: datetime | None


NOTHING_BEFORE = Before(ended=False, cut_over=False, again=0, began=None)


class Recovery:
    """All attempts at one store of one scenario."""

    def __init__(
        self,
        workload: StoreWorkload,
        scenario: Scenario,
        label: str,
        *,
        decided: datetime,
        settings: Mapping[str, JSON],
        evidence: Evidence,
        calls: Calls,
        progress: Callable[[str], None],
        before: Mapping[str, Before],
    ) -> None:
        self.before = before
        self.workload = workload
        self.site = workload.site
        self.scenario = scenario
        self.label = label
        self.decided = decided
        self.settings = settings
        self.evidence = evidence
        self.calls = calls
        self.progress = progress
        self.respond = respond_from(self.site, scenario)
        self.to_come = [
            use
            for use in self.site.store.protections
            if not before.get(use.name, NOTHING_BEFORE).ended and not self._lacking(use)
        ]

    def attempt_all(self, paths: Literal["all", "preferred"], hold: Callable[[], None]) -> None:
        """Try the protections in the estate's order; with ``preferred`` only until one has been cut over.

        ``hold`` is called right before each attempt.
        """
        done = False
        for use in self.site.store.protections:
            before = self.before.get(use.name, NOTHING_BEFORE)
            if before.ended:
                done |= before.cut_over
                continue
            if self._lacking(use):
                continue
            if done and paths == "preferred":
                self.site.attempting(use.name)
                self.site.note(
                    "skipped", reason="an earlier path was cut over and only the preferred one was asked for"
                )
            else:
                hold()
                self.to_come.remove(use)
                self.site.attempting(use.name)
                done |= self._attempt(use, before)
            self.site.attempting(None)
        self.to_come.clear()

    def hold(self) -> None:
        """Hold what the paths that have not had their turn would restore from.

        Paths are tried one after the other and stand for paths that all begin at the decision: what is pruned while
        they wait for their turn, they would have had.
        """
        before = self._go_back_before()
        for use in self.to_come:
            hold: Hold | None = getattr(load_protection(use.name), "hold", None)
            if hold is not None:
                try:
                    hold(self.site, use.options, before, self.respond, self._name(use))
                except Exception as error:  # noqa: BLE001 - whatever breaks on a path, its turn tells.
                    self.site.note("hold.refused", warning=_first_line(error))

    def _lacking(self, use: ProtectionUse) -> bool:
        return bool(lacking(use.name, self.site.capabilities, to_go_back=self.scenario.mangles_data))

    def _go_back_before(self) -> datetime | None:
        """Only what is from before this moment will do; None where nothing was mangled."""
        return self.site.failed_at() if self.scenario.mangles_data else None

    def _attempt(self, use: ProtectionUse, before: Before) -> bool:
        """One recovery path from finding a point to the cut-over; whether it got that far."""
        self.progress(f"{self.label}: {self.site.store.name}: restoring by {use.name}")
        self.site.note("attempt.started")
        clock = self.site.clock
        self.site.stopwatch = Stopwatch(clock, self.decided, before.began or clock.now())
        self._phase_now = "find_point"
        try:
            point = self._find_point(use)
            if point is None:
                return False
            at = self._restore(use, point)
            self._reconfigure(at, point)
            self._verify(at)
            with self._phase("cut_over"):
                self._check(cut_over(self.site, at, self.respond))
            self._load(at)
        except Exception as error:  # noqa: BLE001 - whatever breaks on a path is that path's result.
            kind = "attempt.failed" if not isinstance(error, OUT_OF_REACH) else "attempt.refused"
            self.site.note(
                "attempt.failed", phase=self._phase_now, error=f"{type(error).__name__}: {error}", cause=kind
            )
            return False
        else:
            return True
        finally:
            self.site.stopwatch = None

    @contextmanager
    def _phase(self, phase: str) -> Iterator[None]:
        self._phase_now = phase
        stopwatch = self.site.stopwatch
        assert stopwatch is not None
        began = stopwatch.now()
        modelled_before = len(self.site.world.modelled_durations())
        self.calls.take()
        try:
            yield
        finally:
            for duration in self.site.world.modelled_durations()[modelled_before:]:
                self.site.note(
                    "modelled",
                    phase=phase,
                    began=_iso(duration.at),
                    operation=duration.operation,
                    resource=duration.resource,
                    seconds=duration.seconds,
                    p50_seconds=duration.p50_seconds,
                    p95_seconds=duration.p95_seconds,
                    assumed=duration.assumed,
                )
            self._tell_calls(phase)
            self.site.note("phase", phase=phase, began=_iso(began), ended=_iso(stopwatch.now()))

    def _tell_calls(self, phase: str) -> None:
        for call in self.calls.take():
            self.site.note("call", phase=phase, **call)

    def _find_point(self, use: ProtectionUse) -> RecoveryPoint | None:
        before = self._go_back_before()
        with self._phase("find_point"):
            try:
                points = load_protection(use.name).recovery_points(self.site, use.options, before)
            except OUT_OF_REACH as error:
                self.site.note("point.none", reason=_first_line(error))
                return None
        usable = [point for point in points if before is None or point.as_of < before]
        if not usable:
            self.site.note("point.none", reason=_why_none(points, before))
            return None
        point = max(usable, key=lambda p: p.as_of)
        self.site.note(
            "point",
            point={
                "id": point.id,
                "account": point.account,
                "region": point.region,
                "as_of": _iso(point.as_of),
                "lag_seconds": point.lag_seconds,
                "handle": dict(point.handle),
            },
        )
        return point

    def _restore(self, use: ProtectionUse, point: RecoveryPoint) -> Location:
        with self._phase("restore"):
            return load_protection(use.name).restore(self.site, use.options, point, self.respond, self._name(use))

    def _name(self, use: ProtectionUse) -> str:
        """What is restored by this path is called."""
        # What was deleted is not always free to be made again at once: another try takes another name.
        again = self.before.get(use.name, NOTHING_BEFORE).again
        suffix = f"from-{use.name.replace('_', '-')}{f'-{again + 1}' if again else ''}"
        return self.workload.kind.physical_name(
            self.site.name(suffix), self.site.account_id(self.respond.role), self.respond.region
        )

    def _reconfigure(self, at: Location, point: RecoveryPoint) -> None:
        """Make it usable: settings put back, erasures made since the point replayed, what has expired removed.

        The erasures come from the ledger, which stands for the erasure register that a team keeps outside production.
        """
        kind = self.workload.kind
        with self._phase("reconfigure"):
            kind.reconfigure(self.site, at, self.settings)
            since = microseconds(point.as_of - ERASURE_MARGIN)
            kind.erase(self.site, at, self.workload.ledger.erasures(since))
            self.purged_at = self.site.clock.now()
            kind.purge_expired(self.site, at)

    def _verify(self, at: Location) -> None:
        kind = self.workload.kind
        with self._phase("verify"):
            self.site.modelled(f"{kind.name}.verify")
            read_at = self.site.clock.now()
            written = self.evidence.write_inventory(
                self.label, self.site.store.name, self.site.attempted, kind.inventory(self.site, at)
            )
            self.site.note("inventory", read_at=_iso(read_at), purged_at=_iso(self.purged_at), **written.as_json())
            self.site.note("settings.observed", settings=dict(kind.settings(self.site, at)))
            if held := kind.unlisted(self.site, at):
                self.site.note("unlisted.observed", held=dict(held))
            for finding in self._probed(at):
                self._check(finding)

    def _probed(self, at: Location) -> Sequence[Finding]:
        try:
            found = self.workload.kind.probe(self.site, at)
        except Exception as error:  # noqa: BLE001 - a check that crashes is unknown, whatever it crashed on.
            return [crashed("probe", self.site.store.name, error)]
        nothing = Finding("probe", "unknown", self.site.store.name, "answers to the application's questions", "none")
        return found or [nothing]

    def _load(self, at: Location) -> None:
        """Have all of a store that loads lazily read, once it is in use and in no phase any more: it is at full speed
        when that has been done, and the path stands whether it can be or not.

        In simulated drills the timing model says when, as the data of a drill is no measure of production's.
        """
        load: Load | None = getattr(self.workload.kind, "load", None)
        stopwatch = self.site.stopwatch
        if load is None or stopwatch is None or not self.site.loads_lazily or self.site.clock.kind != "wall":
            return
        self.progress(f"{self.label}: {self.site.store.name}: reading all of what was restored")
        self.calls.take()
        try:
            told = load(self.site, at)
        except Exception as error:  # noqa: BLE001 - a figure that is lacking is no failure of the path.
            self.site.note(UNLOADED, reason=_first_line(error))
        else:
            self.site.note(LOADED, ended=_iso(stopwatch.now()), **told)
        finally:
            self._tell_calls("load")

    def _check(self, finding: Finding) -> None:
        self.site.note("check", finding=finding_as_json(finding))


def attempt_each(recoveries: Sequence[Recovery], paths: Literal["all", "preferred"]) -> None:
    """One store after the other; what any of them has still to be restored from is held before each attempt."""

    def hold() -> None:
        for one in recoveries:
            one.hold()

    for one in recoveries:
        one.attempt_all(paths, hold)


def _why_none(points: object, before: datetime | None) -> str:
    if before is not None and points:
        return f"every recovery point in reach is from after the failure began ({_iso(before)})"
    return "no recovery point is within the responders' reach"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
