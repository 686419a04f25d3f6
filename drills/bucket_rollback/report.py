"""What a roll-back did, or would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from drills.bucket_rollback.deciding import DEEDS, Deed

NAMED = 1_000
"""So many keys of each kind stand in the report itself; all of them go to ``tell``."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one key. ``version_id``: the version it is about; ``detail`` says why where that needs saying."""

    key: str
    deed: Deed
    version_id: str = ""
    detail: str = ""


Tell = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Report:
    """Counts by deed, and the first keys of each but ``kept``.

    ``undeleted``: delete markers taken away. ``copied``: the version of then copied onto the key. ``set_aside``: a
    delete marker laid over what came later, whose ``version_id`` is still there. ``lost``: what the key held then is or
    may be gone for good. ``archived``: to be restored from its archive first. ``failed``: S3 refused.
    """

    bucket: str
    prefix: str
    to: datetime
    dry_run: bool
    resumed_after: str
    keys: int
    counts: Mapping[Deed, int]
    named: Mapping[Deed, tuple[Outcome, ...]]

    @property
    def whole(self) -> bool:
        """Whether every key is, as far as the versions tell, as it was."""
        return not any(self.counts[deed] for deed in ("lost", "archived", "failed"))


class Tally:
    """Counts outcomes as they come in."""

    def __init__(self, tell: Tell | None) -> None:
        self.keys = 0
        self._tell = tell
        self._counts: Counter[Deed] = Counter()
        self._named: dict[Deed, list[Outcome]] = {deed: [] for deed in DEEDS}

    def kept(self, count: int) -> None:
        self._counts["kept"] += count

    def add(self, outcome: Outcome) -> None:
        self._counts[outcome.deed] += 1
        if len(self._named[outcome.deed]) < NAMED:
            self._named[outcome.deed].append(outcome)
        if self._tell is not None:
            self._tell(outcome)

    def report(self, bucket: str, prefix: str, to: datetime, dry_run: bool, resumed_after: str) -> Report:
        return Report(
            bucket,
            prefix,
            to,
            dry_run,
            resumed_after,
            self.keys,
            {deed: self._counts[deed] for deed in DEEDS},
            {deed: tuple(named) for deed, named in self._named.items()},
        )
