"""From the words a user gives (a command line, a test) to a judged drill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from drills import engine
from drills.errors import UsageError
from drills.judge import judge
from drills.model import Report
from drills.plugins import load_estate, load_scenario, scenario_names
from drills.providers.interface import Provider
from drills.report import write_all
from drills.side_by_side import SideBySide, processes_for


def provider_named(on: str) -> Provider:
    """``simulated``, or a provider file."""
    if on != "simulated":
        raise UsageError(
            f"--on {on}: only 'simulated' can be run with this version; drills in sandbox accounts are not there yet"
        )
    from drills.providers.simulated import SimulatedProvider

    return SimulatedProvider()


def plan_drill(
    scenarios: Sequence[str],
    *,
    on: str = "simulated",
    estate: str = "shop",
    stores: Sequence[str] | None = None,
    paths: Literal["all", "preferred"] = "all",
    seed: int = 0,
    records: int = 2000,
) -> engine.Plan:
    """The plan for what was asked; ``scenarios`` as ``name`` or ``name:variant``, all of them when empty."""
    provider = provider_named(on)
    uses = [_use(word) for word in scenarios or scenario_names()]
    return engine.plan(load_estate(estate), uses, provider, seed, stores=stores, paths=paths, records=records)


def _use(word: str) -> engine.ScenarioUse:
    name, _, variant = word.partition(":")
    scenario = load_scenario(name)
    if variant and variant not in scenario.variants:
        known = ", ".join(scenario.variants) or "none"
        raise UsageError(f"{word}: the scenario {name} has no variant {variant!r}; it has: {known}")
    return engine.ScenarioUse(name, variant or next(iter(scenario.variants), ""), scenario)


def run_drill(
    scenarios: Sequence[str],
    *,
    out: Path,
    progress: Callable[[str], None] = lambda _: None,
    on: str = "simulated",
    estate: str = "shop",
    stores: Sequence[str] | None = None,
    paths: Literal["all", "preferred"] = "all",
    seed: int = 0,
    records: int = 2000,
) -> tuple[Report, Path]:
    """Plan, run, judge and file the report; returns it with the drill's folder."""
    plan_again = partial(
        plan_drill,
        tuple(scenarios),
        on=on,
        estate=estate,
        stores=tuple(stores or ()),
        paths=paths,
        seed=seed,
        records=records,
    )
    plan = plan_again()
    processes = processes_for(plan)
    runner = SideBySide(plan_again, processes) if processes > 1 else engine.one_after_another
    folder = engine.run(plan, out, progress, runner)
    report = judge(folder)
    write_all(report, folder)
    return report, folder
