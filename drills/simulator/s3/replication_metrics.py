"""What CloudWatch is told of replication: operations and bytes pending, the latency, and what failed.

Source: S3 user guide, Metrics and dimensions, Amazon S3 Replication metrics; told for rules with metrics enabled, every
minute while something is pending. In the source's account and region (A).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from drills.clock import Event
from drills.simulator import metrics
from drills.simulator.metrics import Dimensions
from drills.simulator.s3.rules import Rule
from drills.simulator.state import Simulation

NAMESPACE = "AWS/S3"
EVERY_SECONDS = 60.0


class Pending:
    """What one bucket has on its way to another, by rule."""

    def __init__(self, simulation: Simulation, account: str, region: str) -> None:
        self._simulation = simulation
        self._account = account
        self._region = region
        self._source = ""
        self._operations: Counter[Rule] = Counter()
        self._bytes: Counter[Rule] = Counter()
        self._since: dict[Rule, list[datetime]] = {}
        self._event: Event | None = None

    def add(self, source: str, rule: Rule, size: int) -> None:
        if not rule.metrics:
            return
        self._source = source
        self._operations[rule] += 1
        self._bytes[rule] += size
        self._since.setdefault(rule, []).append(self._simulation.clock.now())
        self._tell(rule)
        if self._event is None:
            self._event = self._simulation.clock.call_later(EVERY_SECONDS, self._tick)

    def remove(self, rule: Rule, size: int, since: datetime, failed: str | None) -> None:
        """One operation ended. ``since``: when it began; ``failed``: the reason, if it did."""
        if not rule.metrics:
            return
        self._operations[rule] -= 1
        self._bytes[rule] -= size
        self._since[rule].remove(since)
        if failed is not None:
            self._count(rule, "OperationsFailedReplication", 1, "Count")
        self._count(rule, "ReplicationLatency", (self._simulation.clock.now() - since).total_seconds(), "Seconds")
        self._tell(rule)

    def _tick(self) -> None:
        self._event = None
        waiting = [rule for rule, number in self._operations.items() if number]
        for rule in waiting:
            oldest = self._since[rule][0]
            self._count(rule, "ReplicationLatency", (self._simulation.clock.now() - oldest).total_seconds(), "Seconds")
            self._tell(rule)
        if waiting:
            self._event = self._simulation.clock.call_later(EVERY_SECONDS, self._tick)

    def _tell(self, rule: Rule) -> None:
        self._count(rule, "OperationsPendingReplication", self._operations[rule], "Count")
        self._count(rule, "BytesPendingReplication", self._bytes[rule], "Bytes")

    def _count(self, rule: Rule, name: str, value: float, unit: str) -> None:
        dimensions: Dimensions = (
            ("DestinationBucket", rule.destination),
            ("RuleId", rule.id),
            ("SourceBucket", self._source),
        )
        metrics.count(self._account, self._region, NAMESPACE, name, dimensions, value, unit)
