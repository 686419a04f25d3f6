"""How long AWS takes: medians and spreads, per operation, by size.

T = median · exp(σ·z). A figure that rests on an assumption rather than on a published or measured one says so.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

Z95 = 1.6448536269514722
MINUTE = 60.0
UNITS_COLD = 4_000.0
UNITS_LIMIT = 40_000.0
DOUBLING_SECONDS = 30 * MINUTE
KB_PER_GB = 1e6


@dataclass(frozen=True, slots=True)
class Size:
    """How big a resource is reckoned to be."""

    size_gb: float
    items: int


@dataclass(frozen=True, slots=True)
class Modelled:
    """One duration, in seconds: the one to use, and the median and 95th percentile it comes from."""

    seconds: float
    p50_seconds: float
    p95_seconds: float
    assumed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One operation: its median by size and details, its spread, and whether it rests on an assumption."""

    median_seconds: Callable[[Size, dict[str, float]], float]
    sigma: float
    assumed: bool
    basis: str


def _table_restore(size: Size, details: dict[str, float]) -> float:
    gigabytes = size.size_gb
    skew, indexes = details.get("skew", 1.0), details.get("gsis", 0.0)
    minutes = 20 + 17 * (min(gigabytes, 10) / 10) * skew * (1 + 0.5 * indexes)
    return (minutes + 5 * math.log10(max(1.0, gigabytes / 10))) * MINUTE


def _refill(size: Size, details: dict[str, float]) -> float:
    """Seconds to write the table anew at one write unit per KB, the rate doubling until the table's limit."""
    units = max(size.size_gb * KB_PER_GB, float(size.items))
    if details.get("warm", 0.0):
        return units / UNITS_LIMIT
    seconds, rate = 0.0, UNITS_COLD
    while rate < UNITS_LIMIT and units > rate * DOUBLING_SECONDS:
        units -= rate * DOUBLING_SECONDS
        seconds += DOUBLING_SECONDS
        rate = min(rate * 2, UNITS_LIMIT)
    return seconds + units / rate


def _read_through(size: Size, _: dict[str, float]) -> float:
    # One read unit is 8 KB when read eventually consistently, which a comparison after the writes have ended may be.
    return max(size.size_gb * KB_PER_GB / 8, float(size.items) / 2) / UNITS_LIMIT


COPIES_A_SECOND = 3_500.0
READS_A_SECOND = 5_500.0
"""What one prefix of a bucket takes at least. Source: S3 user guide, Performance guidelines for Amazon S3."""
UNDELETED_A_SECOND = 5_600.0
GB_COPIED_A_SECOND = 2.0


def _undelete(size: Size, details: dict[str, float]) -> float:
    """Fitted to AWS's figures: thousands of objects within 15 minutes, 10 million in an hour, 100 million in five.

    ``stale_inventory``: an inventory has to be made first, as for anyone who does not list the versions himself.
    """
    waiting = 86_400.0 if details.get("stale_inventory", 0.0) and size.items > 10_000_000 else 0.0
    return 15 * MINUTE + size.items / UNDELETED_A_SECOND + waiting


def _bucket_copy(size: Size, _: dict[str, float]) -> float:
    return 5 * MINUTE + max(size.items / COPIES_A_SECOND, size.size_gb / GB_COPIED_A_SECOND)


GB_BACKED_UP_A_SECOND = 0.06
GB_LOADED_A_SECOND = 0.1


def _backup(minutes: float) -> Callable[[Size, dict[str, float]], float]:
    return lambda size, _details: minutes * MINUTE + size.size_gb / GB_BACKED_UP_A_SECOND


def _replica(size: Size, details: dict[str, float]) -> float:
    copied = _backup(5)(size, details) if details.get("cross_region", 0.0) else 0.0
    return _backup(3)(size, details) + copied + 12 * MINUTE


def _flat(seconds: float) -> Callable[[Size, dict[str, float]], float]:
    return lambda _size, _details: seconds


ROWS: dict[str, Row] = {
    "dynamodb.restore": Row(_table_restore, 0.5, True, "AWS: at least about 20 minutes, 95 % under an hour; shape (A)"),
    "dynamodb.restore_cross_region": Row(
        lambda size, details: 1.3 * _table_restore(size, details), 0.5, True, "as a restore, × 1.3 (A)"
    ),
    "dynamodb.backup": Row(_flat(2 * MINUTE), 0.5, False, "AWS: minutes, whatever the size"),
    "dynamodb.refill": Row(_refill, 0.1, False, "computed from the write units of an on-demand table"),
    "dynamodb.verify": Row(_read_through, 0.1, True, "computed: one scan at the table's read limit (A)"),
    "dynamodb.stream_poll": Row(_flat(0.125), 0.0, False, "Lambda developer guide: four polls a second"),
    "lambda.event_source_state": Row(_flat(5.0), 0.4, True, "AWS: seconds up to a minute; typical (A)"),
    "dynamodb.global_table_lag": Row(_flat(0.8), 0.8, False, "AWS: typically within a second"),
    "dynamodb.ttl_deletion": Row(_flat(30 * MINUTE), 0.8, True, "AWS: within days; typical (A)"),
    "dynamodb.export": Row(
        lambda size, _: (10 + size.size_gb / 100 * 5) * MINUTE, 0.5, True, "AWS: minutes and up; shape (A)"
    ),
    "dynamodb.import": Row(
        lambda size, _: (10 + size.size_gb / 100 * 10) * MINUTE, 0.5, True, "AWS: minutes and up; shape (A)"
    ),
    "s3.undelete": Row(_undelete, 0.4, False, "fitted to AWS's figures for undeleting at scale"),
    "s3.copy": Row(
        _bucket_copy, 0.4, True, "5 minutes (A) + objects at AWS's least rate for one prefix, at most 2 GB a second (A)"
    ),
    "s3.verify": Row(
        lambda size, _: size.items / READS_A_SECOND, 0.2, True, "computed: one read each at the least rate (A)"
    ),
    "s3.replication_lag": Row(_flat(10.0), 1.21, True, "AWS: 99.99 % within 15 minutes (RTC); median (A)"),
    "s3.batch_replication": Row(
        lambda size, _: 10 * MINUTE + size.items / 1_000, 0.5, True, "AWS: minutes to hours; shape and rate (A)"
    ),
    "s3.restore_expedited": Row(_flat(3 * MINUTE), 0.3, False, "AWS: 1 to 5 minutes"),
    "s3.restore_standard": Row(_flat(240 * MINUTE), 0.15, False, "AWS: 3 to 5 hours"),
    "s3.restore_bulk": Row(_flat(510 * MINUTE), 0.25, False, "AWS: 5 to 12 hours"),
    "s3.restore_deep_standard": Row(_flat(720 * MINUTE), 0.05, False, "AWS: within 12 hours"),
    "s3.restore_deep_bulk": Row(_flat(2_880 * MINUTE), 0.05, False, "AWS: within 48 hours"),
    "rds.snapshot": Row(_backup(3), 0.6, True, "3 minutes (A) + 60 MB a second of what is to be saved (A)"),
    "rds.snapshot_copy": Row(_backup(5), 0.6, True, "AWS: hours at size; 5 minutes (A) + 60 MB a second (A)"),
    "rds.restore": Row(
        _flat(12 * MINUTE), 0.4, True, "measured by others: 21 to 25 minutes with making the source (A)"
    ),
    "rds.replay": Row(
        lambda _, details: details.get("hours", 0.0) / 10 * 60 * MINUTE, 0.7, True, "an hour of log in six minutes (A)"
    ),
    "rds.backing_up": Row(
        lambda size, details: min(_backup(3)(size, details), 180 * MINUTE),
        0.5,
        True,
        "reported: hours at size; shape (A)",
    ),
    "rds.full_speed": Row(
        lambda size, _: size.size_gb / GB_LOADED_A_SECOND,
        0.6,
        True,
        "EBS loads 100 to 300 MiB a second; rate (A)",
    ),
    "rds.create": Row(_flat(6 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "rds.modify": Row(_flat(3 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "rds.storage": Row(
        lambda size, _: 6 * MINUTE + size.size_gb * 3.0, 0.5, True, "AWS: minutes to hours by size; shape (A)"
    ),
    "rds.password": Row(_flat(30.0), 0.4, True, "AWS: as soon as possible; typical (A)"),
    "rds.rename": Row(_flat(90.0), 0.4, True, "AWS: minutes; typical (A)"),
    "rds.reboot": Row(_flat(60.0), 0.4, True, "AWS: a momentary outage; typical (A)"),
    "rds.stop": Row(_flat(3 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "rds.start": Row(_flat(5 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "rds.delete": Row(_flat(4 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "rds.promotion": Row(_flat(5 * MINUTE), 0.5, True, "AWS: several minutes; typical (A)"),
    "rds.verify": Row(
        lambda size, _: size.size_gb / GB_LOADED_A_SECOND, 0.3, True, "computed: every block once at the lazy rate (A)"
    ),
    "rds.backup_replication_lag": Row(_flat(5 * MINUTE), 0.4, True, "AWS: near real time, after each log file; (A)"),
    "aurora.create": Row(_flat(2 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "aurora.create_instance": Row(_flat(6 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "aurora.modify": Row(_flat(60.0), 0.4, True, "AWS: minutes; typical (A)"),
    "aurora.stop": Row(_flat(5 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "aurora.start": Row(_flat(8 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "aurora.delete": Row(_flat(2 * MINUTE), 0.4, True, "AWS: minutes; typical (A)"),
    "aurora.restore": Row(
        lambda size, _: (12 + 20 * math.sqrt(size.size_gb / 100)) * MINUTE, 0.5, True, "AWS: a few hours; shape (A)"
    ),
    "rds.replica": Row(_replica, 0.5, True, "a snapshot, for another region its copy, and a restore (A)"),
    "rds.replica_lag": Row(_flat(1.0), 0.8, True, "AWS: usually seconds, without a promise; median (A)"),
    "aurora.secondary": Row(_replica, 0.5, True, "as a replica in another region (A)"),
    "aurora.global_lag": Row(_flat(0.5), 0.6, False, "AWS: typically under a second"),
    "aurora.reader_lag": Row(_flat(0.02), 0.4, False, "AWS: usually well under 100 ms"),
    "aurora.global_failover": Row(_flat(1.5 * MINUTE), 0.5, True, "AWS: minutes; median (A)"),
    "aurora.failover": Row(_flat(30.0), 0.3, False, "AWS: typically within 30 seconds"),
    "dynamodb.replica_creation": Row(_table_restore, 0.5, True, "as a restore (A)"),
}


class TimingModel:
    """Durations by operation. ``draw`` None: medians; else each duration is drawn."""

    def __init__(self, rows: dict[str, Row] | None = None, draw: random.Random | None = None) -> None:
        self._rows = {**ROWS, **(rows or {})}
        self._draw = draw

    def duration(self, operation: str, size: Size, **details: float) -> Modelled:
        """The duration of one operation. KeyError names an operation the model does not have."""
        row = self._rows[operation]
        median = row.median_seconds(size, details)
        p95 = median * math.exp(Z95 * row.sigma)
        z = self._draw.gauss(0, 1) if self._draw else 0.0
        return Modelled(median * math.exp(row.sigma * z), median, p95, row.assumed)

    def duration_by(self, chance: random.Random, operation: str, size: Size, **details: float) -> float:
        """Seconds, drawn from a chance of the caller's own: how often it is asked changes no other duration."""
        row = self._rows[operation]
        z = chance.gauss(0, 1) if self._draw else 0.0
        return row.median_seconds(size, details) * math.exp(row.sigma * z)
