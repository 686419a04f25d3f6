"""What a run did and found, in words: its answer, its log and its metrics."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from .clients import own_client
from .settings import Settings

LOG = logging.getLogger("drills.snapshot_copy")
METRIC_NAMESPACE = "drills/snapshot-copy"


@dataclass
class Told:
    """What there is to tell of one run."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Snapshots that AWS could not make; they are deleted and tried again."""
    waiting: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ages: dict[str, float] = field(default_factory=dict)
    """By database, seconds since its newest good snapshot on this side."""
    excluded: dict[str, str] = field(default_factory=dict)

    def refused(self, what: str, error: Exception) -> None:
        """AWS did not do it: that may be other with the next run, or needs people."""
        (self.waiting if passes(error) else self.problems).append(f"{what}: {said(error)}")

    def as_answer(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def passes(error: Exception) -> bool:
    """Whether it may be other with the next run: throttling, and something that is being done with the
    database. If it goes on, the age tells."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    return "Throttl" in code or code.startswith(("InvalidDBInstanceState", "InvalidDBClusterState"))


def said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def tell(settings: Settings, told: Told, side: str) -> dict[str, Any]:
    """Log and count it; returns the function's answer."""
    for problem in told.problems:
        LOG.error("%s", problem)
    for line in (*told.failed, *told.waiting, *told.done):
        LOG.info("%s", line)
    dimensions = [{"Name": "Copy", "Value": settings.name}, {"Name": "Side", "Value": side}]
    data = [
        {"MetricName": name, "Value": value, "Unit": unit, "Dimensions": dimensions}
        for name, value, unit in (
            ("AgeSeconds", max(told.ages.values(), default=0.0), "Seconds"),
            ("Problems", float(len(told.problems)), "Count"),
            ("FailedSnapshots", float(len(told.failed)), "Count"),
        )
    ]
    own_client("cloudwatch").put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)
    return told.as_answer()
