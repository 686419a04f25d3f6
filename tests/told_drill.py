"""Drills that are only told: their history and evidence are written as the engine writes them, and nothing ever ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drills.clock import microseconds
from drills.evidence import Evidence
from drills.findings import finding_as_json
from drills.history import History, canonical
from drills.ledger import Ledger
from drills.model import JSON, Finding, Observed, Write, WriteKind

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
FAILED = START + timedelta(hours=1)
DETECTED, DECIDED = FAILED + timedelta(minutes=10), FAILED + timedelta(minutes=15)
RTO_OBJECTIVE, RPO_OBJECTIVE = 8 * 3600.0, 300.0
SETTINGS: Mapping[str, JSON] = {
    "indexes": [{"name": "by-email", "keys": ["email"]}],
    "tags": {"team": "accounts", "data": "personal"},
    "ttl": {"attribute": "expires_at", "enabled": True},
}


def at_us(seconds: float) -> int:
    """So many seconds after the start of the drill, in microseconds since the epoch."""
    return microseconds(START + timedelta(seconds=seconds))


def person(name: str, **changed: JSON) -> bytes:
    """A record of a person, canonical."""
    record: dict[str, JSON] = {
        "name": {"S": name},
        "balance": {"N": "12345.678901234567890123456789"},
        "consents": {"SS": ["mail", "phone", "post"]},
    }
    return canonical({**record, **changed})


class Writes:
    """A ledger in the making. Moments are seconds after the start of the drill."""

    def __init__(self) -> None:
        self.all: list[Write] = []

    def put(
        self, key: str, item: bytes, at: float = 1, *, acknowledged: bool = True, expires: float | None = None
    ) -> None:
        expires_at = None if expires is None else int((START + timedelta(seconds=expires)).timestamp())
        self._enter(key, "put", item, at, acknowledged, expires_at)

    def delete(self, key: str, at: float, *, acknowledged: bool = True) -> None:
        self._enter(key, "delete", None, at, acknowledged, None)

    def erase(self, key: str, at: float, *, acknowledged: bool = True) -> None:
        self._enter(key, "erase", None, at, acknowledged, None)

    def _enter(
        self, key: str, kind: WriteKind, item: bytes | None, at: float, acknowledged: bool, expires_at: int | None
    ) -> None:
        sent = at_us(at)
        self.all.append(
            Write(len(self.all) + 1, key, kind, item, sent, sent + 1000 if acknowledged else None, expires_at)
        )

    def ledger(self) -> Ledger:
        ledger = Ledger()
        for write in self.all:
            ledger.append(write)
        return ledger


def sound_writes() -> Writes:
    """People who are there, one deleted, one erased late, one whose record expired, one updated."""
    writes = Writes()
    for number in range(8):
        writes.put(f"p{number}", person(f"person {number}"))
    writes.put("expired", person("gone by now", expires_at={"N": "1767605400"}), expires=1800)
    writes.put("updated", person("before"))
    writes.put("deleted", person("deleted"))
    writes.put("erased", person("erased"))
    writes.put("updated", person("after"), 600)
    writes.delete("deleted", 700)
    writes.erase("erased", 3500)
    return writes


def final(writes: Writes, *, without: Iterable[str] = ("expired",)) -> dict[str, bytes]:
    """What a restore that loses nothing brings back."""
    records: dict[str, bytes] = {}
    for write in writes.all:
        if write.item is None:
            records.pop(write.key, None)
        else:
            records[write.key] = write.item
    return {key: item for key, item in records.items() if key not in set(without)}


@dataclass
class Told:
    """One recovery path as it went. ``point`` is seconds after the start of the drill, None for none in reach."""

    protection: str
    records: Iterable[tuple[str, bytes]] = ()
    point: float | None = 3540.0
    lag_seconds: float = 0.0
    settings: Mapping[str, JSON] = field(default_factory=lambda: SETTINGS)
    checks: Sequence[Finding] = (Finding("probe.read", "pass", "people", "it answers", "it answers"),)
    health: Sequence[Finding] = ()
    set_up_failed: str | None = None
    skipped: bool = False
    lacking: bool = False
    """Whether where the drill ran could not do what it needs."""
    fails_in: str | None = None
    refused: bool = False
    restore_seconds: float = 1200.0
    modelled: Sequence[Mapping[str, JSON]] = ()
    stops_after: str | None = None
    again: Sequence[str] | None = None
    """What an interrupted try before this one had changed; None where there was none."""
    not_loaded: str | None = None
    """Why not all of it could be read once it had been cut over; None where nobody tried."""


class Telling:
    """Tells a drill of one store through the classes the engine writes with; ``without`` events of these kinds."""

    def __init__(
        self, folder: Path, scenarios: Sequence[str], paths: Sequence[Told], without: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.without = without
        self.paths = paths
        self.scenarios = scenarios
        self.evidence = Evidence.create(folder, self._plan())
        self.now = START
        self.history = History.create(folder)
        self.history.append("drill.started", START, drill=self._plan()["drill"], plan=self.evidence.plan.as_json())

    def _plan(self) -> dict[str, Any]:
        return {
            "drill": {
                "id": "told-1",
                "seed": 1,
                "version": "1",
                "provider": "told",
                "grade": "simulated",
                "estate": "told",
                "started": START.isoformat(),
                "clock": "simulated",
            },
            "scenarios": [{"name": name, "respond_from": "production"} for name in self.scenarios],
            "estate": {
                "accounts": {"production": {"id": "101010101010", "region": "eu-west-1"}},
                "stores": [
                    {
                        "name": "people",
                        "kind": "dynamodb",
                        "protections": [path.protection for path in self.paths],
                        "objectives": {"rto_seconds": RTO_OBJECTIVE, "rpo_seconds": RPO_OBJECTIVE},
                    }
                ],
            },
        }

    def note(self, kind: str, scenario: str, **data: Any) -> None:
        self._append(kind, self.now, scenario=scenario, store="people", **data)

    def _append(self, kind: str, at: datetime, **data: Any) -> None:
        if kind not in self.without:
            self.history.append(kind, at, **data)

    def scenario(self, scenario: str, writes: Writes, *, breaks: str | None = None, left: Sequence[str] = ()) -> None:
        """One scenario; ``breaks``: the error it broke by before the failure."""
        self.now = START
        self.history.append("scenario.started", self.now, scenario=scenario)
        self.note("settings.expected", scenario, settings=SETTINGS)
        for path in self.paths:
            if path.set_up_failed:
                self.note("protection.failed", scenario, protection=path.protection, error=path.set_up_failed)
            for finding in path.health:
                self.note("health", scenario, protection=path.protection, finding=finding_as_json(finding))
        if breaks:
            self.history.append("error", self.now, scenario=scenario, error=breaks, traceback="")
        else:
            for kind, moment in (("failure.began", FAILED), ("detected", DETECTED), ("decided", DECIDED)):
                self._append(kind, moment, scenario=scenario)
            self.now = DECIDED
            written = self.evidence.write_ledger(scenario, "people", writes.ledger())
            self.note("ledger", scenario, **written.as_json())
            for path in self.paths:
                self._attempt(scenario, path)
        self._append("cleanup", self.now, scenario=scenario, left=list(left))

    def _attempt(self, scenario: str, path: Told) -> None:
        def note(kind: str, **data: Any) -> None:
            self.note(kind, scenario, protection=path.protection, **data)

        if path.lacking:
            note("capability.missing", missing=["s3.replication"], reason="an endpoint cannot do s3.replication")
            return
        if path.skipped:
            note("skipped", reason="only the preferred path was asked for")
            return
        if path.again is not None:
            note("attempt.started")
            note("check", finding=finding_as_json(Finding("interrupted", "fail", "people", "nothing of it", "this")))
            note("attempt.restarted", began=_iso(self.now), changed=list(path.again), removed=[], left=[])
        note("attempt.started")
        began = self.now
        for phase, seconds in (
            ("find_point", 0.0),
            ("restore", path.restore_seconds),
            ("reconfigure", 60.0),
            ("verify", 120.0),
            ("cut_over", 30.0),
        ):
            start = self.now
            self.now += timedelta(seconds=seconds)
            if path.fails_in != phase:
                self._during(scenario, path, phase, note)
            for told in path.modelled:
                if told["phase"] == phase:
                    note("modelled", **{**told, "began": _iso(start + timedelta(seconds=told["began"]))})
            note("phase", phase=phase, began=_iso(DECIDED + (start - began)), ended=_iso(DECIDED + (self.now - began)))
            if path.fails_in == phase:
                cause = "attempt.refused" if path.refused else "attempt.failed"
                note("attempt.failed", phase=phase, error="RuntimeError: no", cause=cause)
            if path.fails_in == phase or path.stops_after == phase or path.point is None:
                return
        if path.not_loaded is not None:
            note("endpoint.unloaded", reason=path.not_loaded)

    def _during(self, scenario: str, path: Told, phase: str, note: Any) -> None:
        if phase == "find_point" and path.point is None:
            note("point.none", reason="no recovery point is within the responders' reach")
        elif phase == "find_point":
            assert path.point is not None
            point = {
                "id": f"{path.protection}@{path.point}",
                "account": "202020202020",
                "region": "eu-central-1",
                "as_of": _iso(START + timedelta(seconds=path.point)),
                "lag_seconds": path.lag_seconds,
                "handle": {},
            }
            note("point", point=point)
        elif phase == "verify":
            observed = (Observed(key, item) for key, item in path.records)
            written = self.evidence.write_inventory(scenario, "people", path.protection, observed)
            moments = {"read_at": _iso(self.now), "purged_at": _iso(self.now - timedelta(seconds=150))}
            note("inventory", **moments, **written.as_json())
            note("settings.observed", settings=path.settings)
            for finding in path.checks:
                note("check", finding=finding_as_json(finding))

    def end(self) -> Path:
        """The drill ran to its end; returns its folder."""
        self.history.append("drill.ended", self.now)
        return self.stop()

    def stop(self) -> Path:
        """The process was killed; returns the drill's folder."""
        with self.history:
            return self.folder


def told(folder: Path, writes: Writes, *paths: Told, scenario: str = "account_loss") -> Path:
    """The folder of a drill of one scenario that ran to its end."""
    telling = Telling(folder, [scenario], paths)
    telling.scenario(scenario, writes)
    return telling.end()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
