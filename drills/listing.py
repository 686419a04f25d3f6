"""What ``drills list`` shows: everything that can be named on a command line or in an estate file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from drills import plugins
from drills.errors import DrillError


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can be named. ``error`` says why it cannot be loaded."""

    name: str
    summary: str
    origin: str = "built in"
    error: str = ""


def sections() -> Iterator[tuple[str, list[Row]]]:
    """Headings with their rows, in order."""
    yield "scenarios", [_row(found, _scenario_summary) for found in plugins.scenarios().values()]
    yield "estates", [_row(found, _estate_summary) for found in plugins.estates().values()]
    yield "protections", [Row(name, plugins.load_protection(name).summary) for name in plugins.protection_names()]
    yield "providers", [_simulated()]


def _row(found: plugins.Found, summary: Callable[[plugins.Found], str]) -> Row:
    try:
        return Row(found.name, summary(found), found.origin)
    except DrillError as error:
        return Row(found.name, f"cannot be loaded; {found.where}", found.origin, str(error))


def _scenario_summary(found: plugins.Found) -> str:
    scenario = plugins.load_scenario(found.name)
    variants = f" Variants: {', '.join(scenario.variants)}." if scenario.variants else ""
    return f"{scenario.summary}{variants}"


def _estate_summary(found: plugins.Found) -> str:
    estate = plugins.load_estate(found.name)
    stores = ", ".join(store.name for store in estate.stores)
    return f"{estate.summary} Stores: {stores}." if estate.summary else f"Stores: {stores}."


def _simulated() -> Row:
    try:
        from drills.providers.simulated import SimulatedProvider
    except ImportError:
        return Row("simulated", "not installed; run: pip install 'dr-drills[simulated]'")
    return Row(SimulatedProvider.name, SimulatedProvider.summary)
