"""CloudWatch metrics that AWS services write about themselves, kept by minute beside those that clients put.

Source: CloudWatch user guide, Metrics concepts: standard resolution is one minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatum, cloudwatch_backends

from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of one account in one region. ``dimensions`` in the order of their names."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions

    @classmethod
    def of(cls, account: str, region: str, namespace: str, name: str, dimensions: Dimensions) -> Metric:
        return cls(account, region, namespace, name, tuple(sorted(dimensions)))


@dataclass(slots=True)
class Statistics:
    """What a metric was within some time."""

    count: float = 0.0
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, count: float, total: float, low: float, high: float) -> None:
        self.count += count
        self.total += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)

    def value(self, statistic: str) -> float:
        """``Sum``, ``Average``, ``Minimum``, ``Maximum`` or ``SampleCount``."""
        match statistic:
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.low
            case "Maximum":
                return self.high
            case _:
                return self.count


_series: dict[Metric, dict[int, Any]] = {}
_listeners: list[Callable[[Metric, datetime], None]] = []


def begin(_: Simulation) -> None:
    _series.clear()
    _listeners.clear()


def on_datum(listener: Callable[[Metric, datetime], None]) -> None:
    """Tell ``listener`` of each new datum: its metric and its time."""
    _listeners.append(listener)


def count(
    account: str, region: str, namespace: str, name: str, dimensions: Dimensions, value: float, unit: str
) -> None:
    """One datum, now."""
    now = current().clock.now()
    metric = Metric.of(account, region, namespace, name, dimensions)
    minutes = _series.setdefault(metric, {})
    minute = int(now.timestamp()) // 60 * 60
    datum = minutes.get(minute)
    if isinstance(datum, MetricAggregatedDatum):
        datum.sample_count += 1
        datum.sum += value
        datum.min = min(datum.min, value)
        datum.max = max(datum.max, value)
    else:
        datum = MetricAggregatedDatum(
            namespace,
            name,
            value,
            value,
            1.0,
            value,
            [{"Name": key, "Value": content} for key, content in metric.dimensions],
            datetime.fromtimestamp(minute, UTC).replace(tzinfo=None),
            unit,
        )
        minutes[minute] = datum
        cloudwatch_backends[account][region].metric_data.append(datum)
    _tell(metric, now)


def _tell(metric: Metric, at: datetime) -> None:
    for listener in tuple(_listeners):
        listener(metric, at)


def between(metric: Metric, start: datetime, end: datetime) -> Statistics | None:
    """The metric from ``start`` to before ``end``, None where there is no datum. Whole minutes."""
    found: Statistics | None = None
    minutes = _series.get(metric, {})
    for minute in range(int(start.timestamp()) // 60 * 60, int(end.timestamp()), 60):
        datum = minutes.get(minute)
        if datum is not None:
            found = found or Statistics()
            found.add(datum.sample_count, datum.sum, datum.min, datum.max)
    return found


# --- What clients put


_put_metric_data = CloudWatchBackend.put_metric_data


def put_metric_data(self: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    """moto's; then alarms hear of it."""
    before = len(self.metric_data)
    _put_metric_data(self, namespace, metric_data)
    heard = [
        _kept(Metric.of(self.account_id, self.region_name, namespace, datum.name, _pairs(datum)), datum)
        for datum in self.metric_data[before:]
    ]
    for metric, at in heard:
        _tell(metric, at)


def _pairs(datum: Any) -> Dimensions:
    return tuple((dimension.name, dimension.value) for dimension in datum.dimensions)


def _kept(metric: Metric, datum: Any) -> tuple[Metric, datetime]:
    """Add the datum to its minute, in a series of our own: moto keeps it as it was put."""
    at: datetime = datum.timestamp
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    minutes = _series.setdefault(metric, {})
    statistics = next(_of_datum(datum))
    minute = int(at.timestamp()) // 60 * 60
    kept = minutes.setdefault(minute, _Minute())
    kept.sample_count += statistics.count
    kept.sum += statistics.total
    kept.min = min(kept.min, statistics.low)
    kept.max = max(kept.max, statistics.high)
    return metric, at


@dataclass(slots=True)
class _Minute:
    """As moto's aggregated datum, for data that moto keeps one by one."""

    sample_count: float = 0.0
    sum: float = 0.0
    min: float = float("inf")
    max: float = float("-inf")


def _of_datum(datum: Any) -> Iterator[Statistics]:
    if isinstance(datum, MetricDatum):
        yield Statistics(1.0, datum.value, datum.value, datum.value)
    else:
        yield Statistics(datum.sample_count, datum.sum, datum.min, datum.max)


REPLACEMENTS = (
    Replacement(
        "moto.cloudwatch.models:CloudWatchBackend.put_metric_data",
        put_metric_data,
        "moto's alarms never hear of a metric",
        digest="300dda002442",
    ),
)
