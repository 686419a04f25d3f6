"""What the simulated AWS can do for a drill, and what it declares missing."""

from __future__ import annotations

from types import MappingProxyType

CAPABILITIES = frozenset(
    {
        "accounts.close",
        "accounts.roles",
        "dynamodb",
        "dynamodb.backup",
        "dynamodb.export",
        "dynamodb.global_tables",
        "dynamodb.pitr",
        "dynamodb.streams",
        "dynamodb.system_backup",
        "dynamodb.ttl",
        "lambda.event_sources",
        "regions.outage",
    }
)
MISSING = MappingProxyType(
    {
        "iam.boundaries": "permission boundaries, service control policies and most conditions are not judged",
        "iam.resource_policies": "of resource policies only the trust policies of roles are judged",
        "kms.grants": "key policies and grants are not judged; a closed account's keys are out of reach with it",
        "dynamodb.mrsc": "global tables with strong consistency, and global tables across accounts, are refused",
        "dynamodb.export_formats": "exports are full and in DynamoDB JSON; incremental ones, Ion and CSV are refused",
        "dynamodb.capacity": "a table has no throughput limit of its own; throttling is injected by rate",
        "s3.replication": "buckets do not replicate",
        "rds.rows": "databases hold no rows",
    }
)
