"""Drills in real accounts on the command line: telling the plan, and asking whether it is to be run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from drills.drill_plan import Plan
    from drills.sandbox_plan import SandboxPlan


def told_plan(plan: Plan, permissions: bool) -> Iterable[str]:
    """The lines that ``drills plan`` prints."""
    from drills.errors import UsageError
    from drills.running import rehearsed

    planned = rehearsed(plan)
    if permissions:
        if planned is None:
            raise UsageError("--permissions: the simulated AWS needs none; name a provider file with --on")
        return [json.dumps(planned.permissions(), indent=2)]
    return plan.describe() if planned is None else planned.describe()


def check_approval(on: str, digest: str | None) -> None:
    """Raises UsageError for an approval of what needs none: whoever gave it expected real accounts."""
    from drills.errors import UsageError

    if on == "simulated" and digest is not None:
        raise UsageError(
            f"--approve {digest}: expected a provider file with --on beside it, found a drill in the simulated AWS, "
            "which needs no approval. Add --on FILE, or leave --approve out. Nothing was done."
        )


def approval(digest: str | None) -> Callable[[SandboxPlan], None]:
    """How a plan is approved: by its digest, or by typing the production account's id at a terminal."""

    def approve(planned: SandboxPlan) -> None:
        if digest is not None:
            planned.approve(digest)
        else:
            _ask(planned)

    return approve


def _ask(planned: SandboxPlan) -> None:
    from drills.errors import UsageError

    production = planned.plan.estate.accounts["production"].id
    for line in planned.describe():
        click.echo(line, err=True)
    if not sys.stdin.isatty():
        raise UsageError(
            f"this drill destroys in the account {production}, and there is no terminal to ask at: give --approve "
            f"{planned.digest}, once you have read the plan. Nothing was done."
        )
    try:
        typed = click.prompt("Type the production account's id to go on", default="", show_default=False, err=True)
    except click.Abort:
        typed = ""
    if typed.strip() != production:
        raise UsageError(
            f"expected the production account's id {production} to be typed, found {typed!r}. Nothing was done."
        )
