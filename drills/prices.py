"""What a drill costs, reckoned from how often it calls what. An estimate that is meant to be too high.

Prices are those of us-east-1 in US dollars, on demand, without free tiers, as ``SOURCES`` had them at ``AS_OF`` or
later; ``ELSEWHERE`` allows for dearer regions. They are data: check them before relying on them, AWS changes them
without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from drills import guard_databases as databases
from drills.deeds import Done
from drills.guard_rules import Resource
from drills.model import AccountRole

AS_OF = "2025-01-15"
"""No price in the tables is older."""
SOURCES: Mapping[str, str] = {
    "DynamoDB": "aws.amazon.com/dynamodb/pricing/on-demand (requests as halved on 2024-11-01)",
    "S3": "aws.amazon.com/s3/pricing, Requests & data retrievals; Management & insights, Batch Operations",
    "KMS": "aws.amazon.com/kms/pricing",
    "CloudWatch": "aws.amazon.com/cloudwatch/pricing, Alarms",
    "Lambda": "aws.amazon.com/lambda/pricing",
    "RDS": "aws.amazon.com/rds/postgresql/pricing, Single-AZ, gp3 storage and backup storage",
    "Aurora": "aws.amazon.com/rds/aurora/pricing, Aurora Standard",
    "Secrets Manager": "aws.amazon.com/secrets-manager/pricing",
    "data transfer": "aws.amazon.com/ec2/pricing/on-demand, Data transfer; us-east-1 to another region",
}
"""Where each service publishes its prices."""
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
    # What takes a database to another region takes all of it: $0.02 a GB of the smallest storage that gp3 has.
    ("rds", "CopyDBSnapshot"): 20 * 0.02,
    ("rds", "CopyDBClusterSnapshot"): 20 * 0.02,
    ("rds", "CreateDBInstanceReadReplica"): 20 * 0.02,
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): 20 * 0.02,
}
OTHER_CALL = 1e-6
"""Whatever is not listed: control-plane calls are free, and this is for those that are not."""
ONCE = frozenset(
    {
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
        "CreateJob",
        "CopyDBSnapshot",
        "CopyDBClusterSnapshot",
        "CreateDBInstanceReadReplica",
        "StartDBInstanceAutomatedBackupsReplication",
    }
)
"""Calls of which more records do not need more."""

PER_RESOURCE_MONTH: Mapping[str, float] = {
    "key": 1.0,
    "alarm": 0.10,
    "table": 0.25 + 0.20,
    "backup": 0.10,
    "bucket": 0.05,
    "secret": 0.40,
}
"""A month of one: a key, an alarm; a GB of table with point-in-time recovery; a GB of backup; two GB of a bucket; a
secret."""
MONTH_SECONDS = 30 * 86_400.0

# --- Databases

HOUR_OF_LARGE: Mapping[bool, Mapping[str, float]] = {
    # Not Aurora, PostgreSQL.
    False: {
        "t3": 0.145,
        "t4g": 0.129,
        "m5": 0.178,
        "m6g": 0.159,
        "m6i": 0.178,
        "m7g": 0.168,
        "r5": 0.250,
        "r6g": 0.225,
        "r6i": 0.250,
        "r7g": 0.239,
    },
    # Aurora PostgreSQL, Aurora Standard.
    True: {"t3": 0.164, "t4g": 0.146, "r5": 0.290, "r6g": 0.260, "r6i": 0.290, "r7g": 0.276},
}
"""An hour of a family's ``large``, by whether it is Aurora's: other sizes cost in proportion."""
HOUR_OF_UNKNOWN_LARGE = 0.60
"""Dearer than any family's that is listed, for those that are not."""
OF_LARGE: Mapping[str, float] = {"micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1.0, "xlarge": 2.0}
"""``2xlarge`` and so on: twice the number."""
LARGEST = 48.0
MONTH_HOURS = MONTH_SECONDS / 3_600
GP3_GB_MONTH = 0.115
AURORA_GB_MONTH = 0.10
AURORA_MILLION_IO = 0.20
"""Reads and writes of Aurora's storage, and writes replicated by a global database, each."""
SNAPSHOT_GB_MONTH = 0.095
"""A database's snapshot or automated backup; Aurora's are cheaper, 0.021."""
ACROSS_REGIONS_GB = 0.02
"""A GB that a snapshot, a replica or a global database takes to another region."""
SHORTEST_SECONDS = 600.0
"""An instance is charged for ten minutes at least. Source: RDS user guide, On-Demand DB instances."""
DEFAULT_CLASS = "db.t4g.medium"
DEFAULT_GB = 20
"""The smallest that gp3 has."""
COPIES_KEPT = 7
"""How many snapshots a copy keeps on either side, by default, and the most that a drill makes."""


def instance_hour_usd(instance_class: str, *, aurora: bool) -> float:
    """``db.r6g.2xlarge`` → US dollars an hour, in one availability zone."""
    _, family, size = ["", "", *instance_class.split(".")][-3:]
    many = size.removesuffix("xlarge")
    times = OF_LARGE.get(size) or (2.0 * float(many) if many.isdigit() else LARGEST)
    return HOUR_OF_LARGE[aurora].get(family, HOUR_OF_UNKNOWN_LARGE) * times


def database_month_usd(name: str, instance_class: str = DEFAULT_CLASS, gigabytes: float = DEFAULT_GB) -> float:
    """A month of an RDS resource, named by the word of its ARN and its name: ``db:orders``, ``cluster:orders``.

    Whether an instance is Aurora's its name does not tell, so that it is the dearer of both, with storage of its own.
    """
    word = name.partition(":")[0]
    if word == "db":
        hour = max(instance_hour_usd(instance_class, aurora=aurora) for aurora in (False, True))
        return hour * MONTH_HOURS + gigabytes * GP3_GB_MONTH
    if word == "cluster":
        return gigabytes * AURORA_GB_MONTH + AURORA_MILLION_IO
    if word in ("snapshot", "cluster-snapshot", "auto-backup"):
        return gigabytes * SNAPSHOT_GB_MONTH
    return 0.0


def month_usd(resource: Resource) -> float:
    """A month of one resource, a database's taken for one of ``DEFAULT_CLASS`` with ``DEFAULT_GB``."""
    if resource.kind in databases.WORDS:
        return database_month_usd(f"{databases.WORDS[resource.kind]}:{resource.name}")
    if resource.kind == databases.COPIES:
        return COPIES_KEPT * database_month_usd(f"snapshot:{resource.name}")
    if resource.kind == databases.ANY:
        return database_month_usd(resource.name)
    return PER_RESOURCE_MONTH.get(resource.kind, 0.0)


def _month_usd(one: Done) -> float:
    """The same, an instance by its class and size, as far as the call that made it said."""
    if one.resource.kind != databases.INSTANCE or not one.instance_class:
        return month_usd(one.resource)
    alone = database_month_usd("db:", one.instance_class, one.storage_gb or DEFAULT_GB)
    return alone * (2.0 if one.multi_az else 1.0)


# --- All together


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars; ``calls_usd`` is for API calls, ``resources_usd`` for what exists meanwhile."""

    calls_usd: float
    resources_usd: float

    @property
    def usd(self) -> float:
        return self.calls_usd + self.resources_usd


def cost(
    calls: Mapping[tuple[AccountRole, str, str], int],
    done: Iterable[Done],
    seconds: float,
    more_records: float = 1.0,
    month_of: Callable[[Resource], float] | None = None,
) -> Cost:
    """The cost of one scenario that takes ``seconds``. ``more_records``: how many times as many as were counted.

    ``month_of``: US dollars that a month of a resource costs, for who knows more of it than the call that made it said.
    """
    called = sum(
        count * PER_CALL.get((service, operation), OTHER_CALL) * (1.0 if operation in ONCE else max(1.0, more_records))
        for (_, service, operation), count in calls.items()
    )
    made = sum(
        (_month_usd(one) if month_of is None else month_of(one.resource))
        * (max(seconds, SHORTEST_SECONDS) if _is_instance(one.resource) else seconds)
        for one in done
        if one.what != "destroy"
    )
    return Cost(called * ELSEWHERE, made / MONTH_SECONDS * ELSEWHERE)


def _is_instance(resource: Resource) -> bool:
    return resource.kind == databases.INSTANCE or resource.name.startswith("db:")
