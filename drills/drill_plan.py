"""The plan of a drill as data: which scenarios, over which estate, where, and with how much."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from drills.asked import Paths
from drills.model import JSON, DrillInfo, Estate
from drills.plugins import load_store_kind
from drills.providers.interface import Provider
from drills.scenario import Scenario

ORDINALS = string.ascii_lowercase + string.digits
SIMULATED_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday morning. Simulated drills all begin here, so that a seed reproduces a report to the byte."""


@dataclass(frozen=True, slots=True)
class ScenarioUse:
    """A scenario as the user asked for it; ``variant`` is empty where the scenario has none."""

    name: str
    variant: str
    scenario: Scenario

    @property
    def label(self) -> str:
        """``bulk_erase`` for a default variant, ``bulk_erase:overwrite`` for another."""
        default = next(iter(self.scenario.variants), "")
        return self.name if self.variant in ("", default) else f"{self.name}:{self.variant}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One drill, decided: what runs is exactly this."""

    drill: DrillInfo
    estate: Estate
    scenarios: tuple[ScenarioUse, ...]
    provider: Provider
    paths: Paths
    records: int

    def as_json(self) -> Mapping[str, JSON]:
        """The plan as evidence: everything the judge needs to know that did not happen."""
        return {
            "drill": {
                "id": self.drill.id,
                "seed": self.drill.seed,
                "version": self.drill.version,
                "provider": self.drill.provider,
                "grade": self.drill.grade,
                "estate": self.drill.estate,
                "started": self.drill.started.isoformat(),
                "clock": self.drill.clock,
            },
            "paths": self.paths,
            "records": self.records,
            "scenarios": [
                {
                    "name": use.label,
                    "summary": use.scenario.summary,
                    "respond_from": use.scenario.respond_from,
                    "mangles_data": use.scenario.mangles_data,
                    "writes_continue": use.scenario.writes_continue,
                }
                for use in self.scenarios
            ],
            "estate": _estate_as_json(self.estate),
        }

    def prefix_of(self, use: ScenarioUse, run: int = 1) -> str:
        """How the names of everything begin that this scenario makes, when it is run for the so-manieth time.

        Simulated scenarios have accounts of their own; in real ones each has names of its own, as what one deleted may
        not be made again at once.
        """
        if self.drill.grade == "simulated":
            return f"{self.provider.prefix}-{self.drill.id[-6:]}"
        return f"{self.prefix}{ORDINALS[self.scenarios.index(use)]}{'' if run == 1 else run}"

    @property
    def prefix(self) -> str:
        """How the names of everything begin that this drill makes."""
        return f"{self.provider.prefix}-{self.drill.id[-5:]}"

    def describe(self) -> list[str]:
        """What would be done, destroyed and checked, a line each."""
        stores = self.estate.stores
        accounts = ", ".join(f"{a.role} {a.id} in {a.region}" for a in self.estate.accounts.values())
        lines = [
            f"drill {self.drill.id}: {len(self.scenarios)} scenarios × {len(stores)} stores of the estate "
            f"{self.estate.name}, {self.drill.grade}, seed {self.drill.seed}",
            f"accounts: {accounts}",
        ]
        for store, count in zip(stores, record_counts(self.estate, self.records), strict=True):
            kind = load_store_kind(store.kind)
            protections = ", then ".join(use.name for use in store.protections)
            lines.append(
                f"make {store.name} ({kind.name}) with {count:,} records, reckoned as {store.production.size_gb:,g} GB"
                f"; protect it by {protections}; write {store.workload.writes_per_minute:g} times a minute "
                f"for {self.estate.workload_minutes:g} minutes"
            )
        for use in self.scenarios:
            variant = use.scenario.variants.get(use.variant)
            how = f" ({variant})" if variant else ""
            lines.append(f"destroy, by {use.label}{how}: {use.scenario.summary}")
            lines.append(
                f"restore from {use.scenario.respond_from.replace('_', ' ')} by "
                f"{'every path that survives' if self.paths == 'all' else 'the first path that survives'}"
            )
        for store in stores:
            lines.append(
                f"check {store.name}: every record against the ledger, every setting, key and index queries, a canary; "
                f"RTO within {store.objectives.rto_seconds:,g} s, RPO within {store.objectives.rpo_seconds:,g} s"
            )
        for reference in self.estate.references:
            lines.append(f"check that every {reference.store}.{reference.attribute} is found in {reference.to}")
        return lines


def record_counts(estate: Estate, records: int) -> list[int]:
    """How many of ``records`` each store gets, by its share; at least one each."""
    total = sum(store.share for store in estate.stores)
    return [max(1, round(records * store.share / total)) for store in estate.stores]


def _estate_as_json(estate: Estate) -> Mapping[str, JSON]:
    return {
        "name": estate.name,
        "summary": estate.summary,
        "accounts": {role: {"id": account.id, "region": account.region} for role, account in estate.accounts.items()},
        "response": {
            "detect_seconds": dict(estate.response.detect_seconds),
            "decide_seconds": estate.response.decide_seconds,
            "cut_over_seconds": estate.response.cut_over_seconds,
        },
        "stores": [
            {
                "name": store.name,
                "kind": store.kind,
                "protections": [use.name for use in store.protections],
                "objectives": {
                    "rto_seconds": store.objectives.rto_seconds,
                    "rpo_seconds": store.objectives.rpo_seconds,
                },
                "production": {"size_gb": store.production.size_gb, "items": store.production.items},
            }
            for store in estate.stores
        ],
        "references": [
            {"store": reference.store, "attribute": reference.attribute, "to": reference.to}
            for reference in estate.references
        ],
        "source": estate.source,
    }
