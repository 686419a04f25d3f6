"""What a drill costs, reckoned from how often it calls what. An estimate that is meant to be too high.

Prices are those of us-east-1 in US dollars, on demand, without free tiers, as published on the pricing pages of each
service and noted down on ``AS_OF``; ``ELSEWHERE`` allows for dearer regions. They are data: check them before relying
on them, AWS changes them without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drills.deeds import Done
from drills.model import AccountRole

AS_OF = "2025-01-15"
ELSEWHERE = 1.6
"""The dearest regions cost about this much of us-east-1's price (São Paulo for DynamoDB: 1.5)."""

PER_CALL: Mapping[tuple[str, str], float] = {
    # DynamoDB, on demand: $0.625 a million write units, $0.125 a million read units. A batch writes up to 25 items,
    # a transaction counts double, an index writes again, and a page of a scan is at most 128 units.
    ("dynamodb", "PutItem"): 4 * 0.625e-6,
    ("dynamodb", "UpdateItem"): 4 * 0.625e-6,
    ("dynamodb", "DeleteItem"): 4 * 0.625e-6,
    ("dynamodb", "BatchWriteItem"): 25 * 4 * 0.625e-6,
    ("dynamodb", "TransactWriteItems"): 25 * 4 * 2 * 0.625e-6,
    ("dynamodb", "GetItem"): 2 * 0.125e-6,
    ("dynamodb", "BatchGetItem"): 100 * 0.125e-6,
    ("dynamodb", "Query"): 128 * 0.125e-6,
    ("dynamodb", "Scan"): 128 * 2 * 0.125e-6,
    # Restores cost $0.15 a GB; what a drill restores is far below one.
    ("dynamodb", "RestoreTableFromBackup"): 0.15,
    ("dynamodb", "RestoreTableToPointInTime"): 0.15,
    # S3 standard: $0.005 a thousand writes and lists, $0.0004 a thousand reads; deletes are free.
    ("s3", "PutObject"): 5e-6,
    ("s3", "CopyObject"): 5e-6,
    ("s3", "UploadPart"): 5e-6,
    ("s3", "UploadPartCopy"): 5e-6,
    ("s3", "ListObjectsV2"): 5e-6,
    ("s3", "ListObjectVersions"): 5e-6,
    ("s3", "GetObject"): 0.4e-6,
    # A batch job costs $0.25, and $1 a million objects.
    ("s3-control", "CreateJob"): 0.26,
    ("lambda", "Invoke"): 5e-6,
}
OTHER_CALL = 1e-6
"""Whatever is not listed: control-plane calls are free, and this is for those that are not."""
ONCE = frozenset({"RestoreTableFromBackup", "RestoreTableToPointInTime", "CreateJob"})
"""Calls of which more records do not need more."""

PER_RESOURCE_MONTH: Mapping[str, float] = {
    "key": 1.0,
    "alarm": 0.10,
    "table": 0.25 + 0.20,
    "backup": 0.10,
    "bucket": 0.05,
}
"""A month of one: a key, an alarm; a GB of table with point-in-time recovery; a GB of backup; two GB of a bucket."""
MONTH_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars; ``calls_usd`` is for API calls, ``resources_usd`` for what exists meanwhile."""

    calls_usd: float
    resources_usd: float

    @property
    def usd(self) -> float:
        return self.calls_usd + self.resources_usd


def cost(
    calls: Mapping[tuple[AccountRole, str, str], int], done: Iterable[Done], seconds: float, more_records: float = 1.0
) -> Cost:
    """The cost of one scenario that takes ``seconds``. ``more_records``: how many times as many as were counted."""
    called = sum(
        count * PER_CALL.get((service, operation), OTHER_CALL) * (1.0 if operation in ONCE else max(1.0, more_records))
        for (_, service, operation), count in calls.items()
    )
    made = sum(PER_RESOURCE_MONTH.get(one.resource.kind, 0.0) for one in done if one.what != "destroy")
    return Cost(called * ELSEWHERE, made * seconds / MONTH_SECONDS * ELSEWHERE)
