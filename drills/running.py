"""From the words a user gives (a command line, a test) to a judged drill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from drills import engine
from drills.asked import Asked
from drills.drill_plan import Plan, ScenarioUse
from drills.errors import UsageError
from drills.judge import judge
from drills.model import Report
from drills.plugins import load_estate, load_scenario, scenario_names
from drills.providers.interface import Provider
from drills.report import write_all
from drills.side_by_side import SideBySide, processes_for
from drills.suggestions import did_you_mean

if TYPE_CHECKING:
    from drills.sandbox_plan import SandboxPlan


def provider_named(on: str) -> Provider:
    """``simulated``, or what a provider file describes. Raises ConfigurationError with all that is wrong with it."""
    if on != "simulated":
        if not on.endswith((".yaml", ".yml")) and not Path(on).exists():
            raise UsageError(
                f"--on {on}: expected 'simulated' or a provider file, found neither{did_you_mean(on, ['simulated'])}. "
                "`drills init --sandbox` writes a provider file."
            )
        from drills.providers.sandbox import SandboxProvider
        from drills.sandbox_file import read_sandbox

        return SandboxProvider(read_sandbox(Path(on)))
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
) -> Plan:
    """The plan for what was asked; ``scenarios`` as ``name`` or ``name:variant``, all of them when empty."""
    provider = provider_named(on)
    uses = [_use(word) for word in scenarios or scenario_names()]
    found = load_estate(estate)
    place = getattr(getattr(provider, "given", None), "of", None)
    placed = found if place is None else place(found)
    return engine.plan(placed, uses, provider, seed, stores=stores, paths=paths, records=records)


def _use(word: str) -> ScenarioUse:
    name, _, variant = word.partition(":")
    scenario = load_scenario(name)
    if variant and variant not in scenario.variants:
        known = ", ".join(scenario.variants) or "none"
        raise UsageError(f"{word}: the scenario {name} has no variant {variant!r}; it has: {known}")
    return ScenarioUse(name, variant or next(iter(scenario.variants), ""), scenario)


def rehearsed(plan: Plan) -> SandboxPlan | None:
    """A plan for real accounts, rehearsed; None for a plan for the simulated AWS."""
    if plan.drill.grade == "simulated":
        return None
    from drills.providers.sandbox import SandboxProvider
    from drills.sandbox_plan import sandbox_plan

    assert isinstance(plan.provider, SandboxProvider)
    return sandbox_plan(plan, plan.provider)


def run_in_sandbox(
    planned: SandboxPlan, asked: Asked, out: Path, progress: Callable[[str], None]
) -> tuple[Report, Path]:
    """Prove the accounts safe, then run, judge and file a plan that was approved. ``asked`` is kept in its record.

    Raises UsageError before the first change where an account is not proven safe or the plan is over a limit.
    """
    planned.check_limits()
    progress("asking each account what it is")
    planned.provider.check(planned.plan.estate)
    planned.provider.asked = asked
    try:
        folder = engine.run(planned.plan, out, progress)
    except KeyboardInterrupt:
        progress(f"left at once, without cleaning up: run `drills cleanup {out / planned.plan.drill.id}`")
        raise
    report = judge(folder)
    write_all(report, folder)
    return report, folder


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
    approve: Callable[[SandboxPlan], None] | None = None,
) -> tuple[Report, Path]:
    """Plan, run, judge and file the report; returns it with the drill's folder.

    ``approve`` is shown the plan of a drill in real accounts before anything of it is done, and raises UsageError
    unless it is to be run.
    """
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
    if (planned := rehearsed(plan)) is not None:
        (approve or _nobody)(planned)
        asked = Asked.here(
            scenarios=tuple(use.label for use in plan.scenarios),
            estate=estate,
            stores=tuple(stores or ()),
            paths=paths,
            seed=seed,
            records=records,
            approved=planned.digest,
        )
        return run_in_sandbox(planned, asked, out, progress)
    processes = processes_for(plan)
    runner = SideBySide(plan_again, processes) if processes > 1 else engine.one_after_another
    folder = engine.run(plan, out, progress, runner)
    report = judge(folder)
    write_all(report, folder)
    return report, folder


def _nobody(planned: SandboxPlan) -> None:
    raise UsageError(
        f"the plan {planned.digest} destroys in the account {planned.plan.estate.accounts['production'].id}, and "
        "nobody approved it: give --approve with the digest that `drills plan --on` prints. Nothing was done."
    )
