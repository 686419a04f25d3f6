"""What a drill may rely on where it runs, by name. AWS has all of it; an endpoint of the user's own may not.

A protection says which it needs (``needs``). Where one is missing, the path is not tried and its verdict is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping

CAPABILITIES: Mapping[str, str] = {
    "accounts.close": "an account that is lost is out of everybody's reach",
    "regions.outage": "a region that is down answers nobody",
    "dynamodb": "tables, items, indexes, tags",
    "dynamodb.autoscaling": "scaling of tables and their indexes",
    "dynamodb.backup": "on-demand backups of tables",
    "dynamodb.global_tables": "replicas of tables in other regions",
    "dynamodb.pitr": "point-in-time recovery that has every second of the last days",
    "dynamodb.streams": "streams of a table's changes",
    "dynamodb.system_backup": "the backup that AWS keeps when a table with point-in-time recovery is deleted",
    "lambda.event_sources": "functions that run, invoked by streams",
    "lambda.schedules": "functions that run, invoked on a schedule",
    "organizations": "an account tells whether it is in an organization, and which is its management account",
    "rds": "PostgreSQL instances that hold rows and take connections",
    "rds.aurora": "Aurora clusters that hold rows and take connections",
    "rds.aurora_global_database": "clusters in other regions that follow, and can be failed over to",
    "rds.pitr": "automated backups that have every second of the last days",
    "rds.read_replicas": "replicas in other regions that follow, and can be promoted",
    "rds.sharing": "snapshots that other accounts may copy, as far as their keys let them",
    "rds.snapshots": "snapshots that hold the rows",
    "s3.bucket_policies": "policies of buckets that are enforced",
    "s3.replication": "replication of objects to another bucket",
    "s3.batch_replication": "replication of what was there before, by a batch job",
    "s3.versioning": "versions of objects",
    "sts.session_policies": "a session has no more permissions than its inline policy gives it",
}

SAFETY: frozenset[str] = frozenset({"organizations"})
"""What the checks before the first write rely on: a provider file cannot say that it is lacking."""
