"""A real Site on the simulated AWS with one small store, as an estate file describes it: what all kinds have of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from drills.clock import microseconds
from drills.estate import parse_estate
from drills.history import History
from drills.model import Finding, Location
from drills.plugins import load_store_kind
from drills.providers.simulated import SimulatedProvider, SimulatedWorld
from drills.simulator import SimulatedAWS
from drills.workload import StoreWorkload
from drills.world_site import WorldSite
from tests import kept_clients

PRODUCTION, VAULT, RECOVERY = "101010101010", "202020202020", "303030303030"


def estate_of(kind: str, name: str, described: str, *, updates: int, protections: str) -> str:
    """An estate file with this one store."""
    return f"""
accounts:
  production: {{id: "{PRODUCTION}", region: eu-west-1}}
  vault: {{id: "{VAULT}", region: eu-central-1}}
  recovery: {{id: "{RECOVERY}", region: eu-north-1}}
stores:
  - name: {name}
    kind: {kind}
{described}
    workload: {{writes_per_minute: 6, inserts: 3, updates: {updates}, deletes: 1, erasures: 1}}
    protections: {protections}
    objectives: {{rto: 8h, rpo: 5m}}
    production: {{size_gb: 1, items: 1000000}}
"""


@contextmanager
def small_site(folder: Path, text: str) -> Iterator[WorldSite]:
    """The site, with nothing provisioned yet."""
    estate = parse_estate(text, file="test.yaml", name="test", folder=folder)
    (store,) = estate.stores
    folder.mkdir(exist_ok=True)
    with SimulatedProvider().open(estate, 1) as world, History.create(folder) as history:
        yield WorldSite(
            world,
            estate,
            store,
            drill_id="test-1",
            prefix="drill-test",
            history=history,
            context={"scenario": "test", "store": store.name},
            capabilities=SimulatedAWS.capabilities,
        )


def aws(site: WorldSite) -> SimulatedAWS:
    """The simulated AWS under a site."""
    assert isinstance(site.world, SimulatedWorld)
    return site.world._aws


def client_of(site: WorldSite, at: Location, service: str) -> Any:
    """A client of the store's account that is not the site's own: nothing of the drill sees what it calls."""
    return kept_clients.client_of(aws(site), at.account, service, at.region)


def filled(site: WorldSite, records: int = 20) -> StoreWorkload:
    """The store provisioned and seeded, and the workload that writes to it."""
    kind = load_store_kind(site.store.kind)
    at = kind.provision(site)
    workload = StoreWorkload(site, kind, at, 1, site.clock.now())
    workload.seed(records)
    return workload


def write_for_a_while(workload: StoreWorkload, writes: int = 40, seconds: float = 7.3) -> None:
    """So many writes, so many seconds apart."""
    for _ in range(writes):
        workload.write_once()
        workload.site.clock.sleep(seconds)


def as_of(workload: StoreWorkload, moment: datetime) -> dict[str, bytes]:
    """What the ledger says the store held then: key → canonical item."""
    held: dict[str, bytes] = {}
    for write in workload.ledger:
        if write.acknowledged_us is not None and write.acknowledged_us <= microseconds(moment):
            held.pop(write.key, None)
            if write.item is not None:
                held[write.key] = write.item
    return held


def as_ledger_says(workload: StoreWorkload) -> dict[str, bytes]:
    """What the ledger says the store holds: key → canonical item."""
    held: dict[str, bytes] = {}
    for write in workload.ledger:
        if write.item is None:
            held.pop(write.key, None)
        else:
            held[write.key] = write.item
    return held


def inventory(workload: StoreWorkload, at: Location | None = None) -> dict[str, bytes]:
    """What the store's kind finds in it: key → canonical item."""
    return {found.key: found.item for found in workload.kind.inventory(workload.site, at or workload.at)}


def by_check(findings: Sequence[Finding]) -> Mapping[str, Finding]:
    return {finding.check: finding for finding in findings}
