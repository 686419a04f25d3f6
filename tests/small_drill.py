"""A small estate, and a provider whose AWS a test can reach into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from drills import engine
from drills.drill_plan import ScenarioUse
from drills.estate import parse_estate
from drills.judge import judge
from drills.model import JSON, Attempt, Cell, Estate, Finding, Location, Report
from drills.plugins import load_scenario, load_store_kind
from drills.providers.simulated import SimulatedProvider, SimulatedWorld
from drills.report import write_all
from drills.scenario import Incident
from drills.simulator import SimulatedAWS
from drills.site import Site
from tests.kept_clients import client_of

PRODUCTION, VAULT, RECOVERY = "101010101010", "202020202020", "303030303030"
TEXT = f"""
summary: One table of people with everything that a restore can forget.
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: people
    kind: dynamodb
    key: {{partition: person_id}}
    indexes:
      - {{name: by-email, partition: email}}
    ttl: expires_at
    stream: new_and_old_images
    tags: {{team: accounts, data: personal}}
    records:
      person_id: uuid
      email: {{template: "{{person_id}}@example.org"}}
      balance: {{decimal: {{digits: 38, places: 12}}}}
      consents: {{set: {{of: {{choice: [a, b, c, d]}}, size: [2, 3]}}}}
      portrait: {{bytes: 8}}
      visits: {{number: {{min: 0, max: 9}}}}
      nickname: {{const: ""}}
      addresses: {{list: {{of: {{map: {{street: street_address, city: city}}}}, size: [2, 3]}}}}
      expires_at: {{time: {{from: 30m, to: 20d}}, share: 0.2}}
    workload: {{writes_per_minute: 2, inserts: 3, updates: 4, deletes: 1, erasures: 2}}
    protections: [dynamodb_pitr, dynamodb_system_backup, dynamodb_stream_copy]
    objectives: {{rto: 8h, rpo: 5m}}
    production: {{size_gb: 20, items: 10_000_000}}
response:
  detect: {{default: 10m, bulk_erase: 45m}}
  decide: 10m
workload_minutes: 80
"""

Hook = Callable[[SimulatedAWS], None]


def estate(text: str = TEXT) -> Estate:
    return parse_estate(text, file="small.yaml", name="small", folder=Path("fixtures"))


class ReachableProvider(SimulatedProvider):
    """The simulated provider, with its AWS within reach; ``before`` and ``after`` run around all that a drill does."""

    def __init__(self, before: Hook | None = None, after: Hook | None = None) -> None:
        self.aws: SimulatedAWS | None = None
        self._before = before
        self._after = after

    @contextmanager
    def open(self, estate: Estate, seed: int) -> Iterator[SimulatedWorld]:
        with SimulatedAWS(seed=seed) as aws:
            self.aws = aws
            if self._before is not None:
                self._before(aws)
            yield SimulatedWorld(aws, estate)
            if self._after is not None:
                self._after(aws)


def drill(
    out: Path,
    scenario: str | Sequence[str],
    *,
    before: Hook | None = None,
    after: Hook | None = None,
    early: Hook | None = None,
    at_failure: Hook | None = None,
    text: str = TEXT,
    seed: int = 3,
    records: int = 40,
    paths: Literal["all", "preferred"] = "all",
) -> tuple[Report, Path]:
    """Run one drill on the small estate.

    ``before`` and ``after`` run around all of it, ``early`` ten minutes into the workload, ``at_failure`` just before
    the failure. A scenario is its name, or ``name:variant``.
    """
    provider = ReachableProvider(before, after)

    def progress(line: str) -> None:
        if early is not None and ": writing for" in line:
            assert provider.aws is not None
            later(600, early)(provider.aws)

    uses = []
    for asked in [scenario] if isinstance(scenario, str) else scenario:
        name, _, variant = asked.partition(":")
        found = load_scenario(name)
        use = ScenarioUse(name, variant or next(iter(found.variants), ""), found)
        if at_failure is not None:
            use = replace(use, scenario=replace(use.scenario, fail=_after(provider, at_failure, use.scenario.fail)))
        uses.append(use)
    plan = engine.plan(estate(text), uses, provider, seed, paths=paths, records=records)
    folder = engine.run(plan, out, progress)
    report = judge(folder)
    write_all(report, folder)
    return report, folder


def _after(provider: ReachableProvider, hook: Hook, fail: Callable[[Incident], None]) -> Callable[[Incident], None]:
    def both(incident: Incident) -> None:
        assert provider.aws is not None
        hook(provider.aws)
        fail(incident)

    return both


def later(seconds: float, hook: Hook) -> Hook:
    """The hook, so many seconds of simulated time later."""

    def wait(aws: SimulatedAWS) -> None:
        aws.clock.call_later(seconds, lambda: hook(aws))

    return wait


def cell(report: Report) -> Cell:
    (only,) = report.cells
    return only


def attempt(report: Report, protection: str) -> Attempt:
    return next(one for one in cell(report).attempts if one.protection == protection)


def failed(report: Report) -> dict[str, Finding]:
    """Every finding that did not pass, by its check's name."""
    attempts = [one for each in report.cells for one in each.attempts]
    findings = [*report.findings, *(finding for one in attempts for finding in one.findings)]
    return {finding.check: finding for finding in findings if finding.verdict != "pass"}


def change_restored(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any, str], None]) -> None:
    """Let ``change`` do something to every restored table, just after it was put in order; the application's client."""
    kind: Any = load_store_kind("dynamodb")
    purge = kind.purge_expired

    def purge_and_change(site: Site, at: Location) -> int:
        purged: int = purge(site, at)
        change(site.client("dynamodb", at.role, at.region), at.name)
        return purged

    monkeypatch.setattr(kind, "purge_expired", purge_and_change, raising=False)


def forget_setting(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Put every setting of a restored table back but this one."""
    kind: Any = load_store_kind("dynamodb")
    reconfigure = kind.reconfigure

    def forgetful(site: Site, at: Location, settings: Mapping[str, JSON]) -> None:
        reconfigure(site, at, {key: value for key, value in settings.items() if key != name})

    monkeypatch.setattr(kind, "reconfigure", forgetful, raising=False)


def table(client: Any, ending: str) -> str:
    """The one table of the drill whose name ends so."""
    names = [name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    (found,) = [name for name in names if name.startswith("drill-") and name.endswith(ending)]
    return str(found)


def production(aws: SimulatedAWS, service: str) -> Any:
    return client_of(aws, PRODUCTION, service, "eu-west-1")


def vault(aws: SimulatedAWS, service: str) -> Any:
    return client_of(aws, VAULT, service, "eu-central-1")
