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
        "faults",
        "iam.identity_policies",
        "lambda.event_sources",
        "regions.outage",
    }
)
MISSING = MappingProxyType(
    {
        "iam.organization_policies": "service and resource control policies of an organization are stored, not judged",
        "iam.resource_policies": "of resource policies the trust of roles is judged; a bucket's as in moto, without "
        "its principals and conditions; those of queues, keys, functions and tables are stored only",
        "s3.ownership": "a bucket is open to every account whose own policies allow it, as in moto",
        "iam.conditions": "source addresses, resource tags, session tags and keys of services that drills do not use "
        "are not known; such a condition never allows and always denies",
        "iam.resources": "for services that drills do not use, the resource is what the call's first ARN names, else *",
        "iam.aws_managed_policies": "policies that AWS itself provides are not there to be attached",
        "iam.principal_ids": "a role or user that is deleted and made again under its name is trusted again",
        "sts.federation": "the trust that web identities and SAML rest on is not judged; session tags are forgotten",
        "s3.partial_denial": "a deletion of several objects of which one is denied is refused as a whole",
        "accounts.signatures": "signatures and session tokens are not verified; a call without one, or with an access "
        "key that nobody issued here, is that of an administrator of moto's default account",
        "accounts.closing": "a closed account is never deleted for good, and has no bill, domains or subscriptions",
        "regions.partial": "a region is up or down as a whole; one impaired service is simulated by faults by rate",
        "kms.grants": "key policies and grants are not judged; a closed account's keys are out of reach with it",
        "dynamodb.mrsc": "global tables with strong consistency, and global tables across accounts, are refused",
        "dynamodb.export_formats": "exports are full and in DynamoDB JSON; incremental ones, Ion and CSV are refused",
        "dynamodb.partiql": "statements are carried out as in moto: conditions on number keys find nothing or fail; "
        "INSERT replaces an item that is there",
        "dynamodb.transitions": "tables are created, changed and deleted at once, except by restores, imports and "
        "replicas, which take their time",
        "dynamodb.metrics": "DynamoDB writes no CloudWatch metrics; functions, queues and PutMetricData do",
        "dynamodb.capacity": "a table has no throughput limit of its own; throttling is injected by rate",
        "events.cron": "of EventBridge schedules only rate(...) fires, and only at functions",
        "lambda.runtimes": "functions run on the Python at hand, without layers; other languages and images do not run",
        "lambda.other_sources": "queues and Kinesis invoke functions at once, without batches, retries or states",
        "lambda.tumbling_windows": "a mapping with a tumbling window is refused",
        "s3.replication": "buckets do not replicate",
        "s3.lifecycle": "lifecycle rules, inventories and batch operations are stored, not carried out",
        "s3.versioning": "as in moto, suspending the versioning of a bucket and writing again destroys older versions, "
        "and deleting while listing versions skips some",
        "s3.object_lock": "as in moto, retention can be shortened and versioning suspended in a locked bucket",
        "rds": "databases and snapshots are moto's: available at once, without rows, sharing rules, windows or keys",
        "backup.jobs": "AWS Backup has vaults and plans, but no jobs, copies or restores",
        "cloudformation": "as in moto, stacks leave out S3 versioning and replication, point-in-time recovery and "
        "more, and say they are complete",
    }
)
