"""What a scenario file says: one failure, and from where people respond to it.

A scenario file holds one module-level ``scenario``; the file's stem is its name::

    from drills.scenario import Incident, Scenario

    def fail(incident: Incident) -> None:
        incident.damage("all")

    scenario = Scenario(summary="…", fail=fail, respond_from="production", mangles_data=True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

RespondFrom = Literal["production", "recovery_region", "recovery"]


class Incident(Protocol):
    """What a scenario may do to the estate. Everything it names is of this drill's own making."""

    @property
    def variant(self) -> str: ...

    def damage(self, how: str) -> None:
        """Mangle the records of every store in the drill, as a bug would, through the application's own access."""
        ...

    def unlock_modules(self) -> None:
        """What comes before ``delete_modules``: deletion protection off, once whatever stands in its way has ended."""
        ...

    def delete_modules(self) -> None:
        """Delete every infrastructure module that manages a store of the drill, with all it manages."""
        ...

    def take_names(self) -> None:
        """Let an account outside the estate take the names of deleted stores, where all accounts share names."""
        ...

    def region_outage(self) -> None:
        """Take production's home region down, for every service; what was in flight is lost."""
        ...

    def account_loss(self) -> None:
        """Close the production account."""
        ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """One failure.

    ``respond_from``: ``production`` (same account and region), ``recovery_region`` (production's account, the
    recovery role's region), ``recovery`` (the recovery account). ``mangles_data``: a restore must go back to before
    the failure began; otherwise the newest state will do. ``writes_continue``: the workload goes on until the failure
    is detected. ``variants`` name the ways the failure can happen, each with one line; the first is the default,
    and ``drills run name:variant`` picks another. ``lead_up`` is what must have happened before the failure can begin:
    it takes nothing from anybody, no time that it needs is counted, and the workload writes on for as long as it waits
    (see drills.lead_up for its pace).
    """

    summary: str
    fail: Callable[[Incident], None]
    respond_from: RespondFrom
    mangles_data: bool = False
    writes_continue: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    lead_up: Callable[[Incident], None] | None = None
