"""What protections have in common that make a recovery point at an interval and keep so many of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from drills.durations import written
from drills.model import JSON, Finding
from drills.protections.options import duration_seconds, only, whole_number
from drills.site import Site

BUSY_SECONDS = 120.0
"""How soon a turn is taken again for which the store was busy."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the options ``every`` and ``keep`` may say, and what they say when they are left out."""

    every: str
    least: str
    most: str
    keep: int
    most_kept: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """``every_seconds`` between two recovery points, of which ``keep`` stay."""

    every_seconds: float
    keep: int

    @classmethod
    def parse(cls, given: Mapping[str, JSON], bounds: Bounds) -> Schedule:
        """Raises ValueError naming the option, what is expected and what was found."""
        only(given, "every", "keep")
        return cls(
            duration_seconds(given, "every", bounds.every, bounds.least, bounds.most),
            whole_number(given, "keep", bounds.keep, 1, bounds.most_kept),
        )

    def reach(self, site: Site, check: str) -> Finding:
        """Whether one from before a failure is still kept when the failure is detected."""
        # The newest may be from just after the failure, so that it is the others that have to reach back.
        needed, kept = max(site.estate.response.detect_seconds.values()), (self.keep - 1) * self.every_seconds
        return Finding(
            check=check,
            verdict="pass" if kept >= needed else "fail",
            subject=site.store.name,
            expected=f"kept for the {written(needed)} that a failure may take to be detected",
            observed=f"{self.keep} of them, {written(self.every_seconds)} apart: {written(kept)} at the least",
        )

    def begin(self, site: Site, turn: Callable[[], None], failed: str, busy: frozenset[str] = frozenset()) -> None:
        """Take turns for as long as the site does. One that AWS refuses is noted as ``failed`` and seen by its age.

        For one of the error codes ``busy`` the turn is taken again soon: something is being done with the store, and
        who takes turns in step with another would meet it busy each time.
        """
        late = False

        def take() -> None:
            nonlocal late
            late = False
            try:
                turn()
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error.response["Error"]["Code"] in busy:
                    late = True
                else:
                    site.note(failed, error=f"{type(error).__name__}: {error}")

        site.every(self.every_seconds, take)
        if busy:
            site.every(BUSY_SECONDS, lambda: take() if late else None)
