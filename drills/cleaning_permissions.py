"""What cleaning up after a drill needs to be allowed: for each thing that it makes, to find it and to delete it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drills import guard_databases as databases
from drills.accounts_file import ALL_ROLES
from drills.database_deleters import of_databases
from drills.deeds import Done
from drills.deleters import OF_A_KIND
from drills.guard_rules import Resource
from drills.intentions import Told
from drills.rehearsal import Permission


def _of_rds(*calls: str) -> tuple[str, ...]:
    return (*(f"rds:{call}" for call in calls), "rds:ListTagsForResource")


DELETING: Mapping[str, tuple[str, ...]] = {
    "table": (
        "dynamodb:DeleteTable",
        "dynamodb:DescribeTable",
        "dynamodb:ListTagsOfResource",
        "dynamodb:UpdateTable",
    ),
    "backup": ("dynamodb:DeleteBackup", "dynamodb:DescribeBackup"),
    "bucket": (
        "s3:DeleteBucket",
        "s3:GetBucketObjectLockConfiguration",
        "s3:GetBucketTagging",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ),
    "batch job": ("s3:DescribeJob", "s3:UpdateJobStatus"),
    "function": (
        "lambda:DeleteFunction",
        "lambda:GetFunction",
        "lambda:GetFunctionConfiguration",
        "lambda:ListTags",
    ),
    "log group": ("logs:DescribeLogGroups", "logs:DeleteLogGroup"),
    "scalable target": (
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DeregisterScalableTarget",
    ),
    "event source mapping": ("lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping"),
    "role": (
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoleTags",
    ),
    "queue": ("sqs:DeleteQueue", "sqs:GetQueueUrl", "sqs:ListQueueTags"),
    "rule": (
        "events:DeleteRule",
        "events:DescribeRule",
        "events:ListTagsForResource",
        "events:ListTargetsByRule",
        "events:RemoveTargets",
    ),
    "alarm": ("cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
    "parameter": ("ssm:DeleteParameter", "ssm:GetParameter", "ssm:ListTagsForResource"),
    "key": ("kms:ScheduleKeyDeletion", "kms:DescribeKey", "kms:ListResourceTags"),
    "alias": ("kms:DeleteAlias", "kms:DescribeKey"),
    "secret": ("secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret"),
    databases.INSTANCE: _of_rds("DeleteDBInstance", "DescribeDBInstances", "ModifyDBInstance"),
    databases.CLUSTER: _of_rds("DeleteDBCluster", "DescribeDBClusters", "ModifyDBCluster", "RemoveFromGlobalCluster"),
    databases.GLOBAL: _of_rds(
        "DeleteGlobalCluster", "DescribeGlobalClusters", "ModifyGlobalCluster", "RemoveFromGlobalCluster"
    ),
    databases.SNAPSHOT: _of_rds("DeleteDBSnapshot", "DescribeDBSnapshots"),
    databases.CLUSTER_SNAPSHOT: _of_rds("DeleteDBClusterSnapshot", "DescribeDBClusterSnapshots"),
    databases.BACKUP: _of_rds("DeleteDBInstanceAutomatedBackup", "DescribeDBInstanceAutomatedBackups"),
    databases.KINDS["pg"]: _of_rds("DeleteDBParameterGroup"),
    databases.KINDS["cluster-pg"]: _of_rds("DeleteDBClusterParameterGroup"),
    databases.KINDS["og"]: _of_rds("DeleteOptionGroup"),
}
SWEEPING = (
    "cloudwatch:DescribeAlarms",
    "dynamodb:ListBackups",
    "dynamodb:ListTables",
    "events:ListRules",
    "iam:ListRoles",
    "kms:ListKeys",
    "lambda:ListFunctions",
    "s3:ListAllMyBuckets",
    "sqs:ListQueues",
    "ssm:DescribeParameters",
    "tag:GetResources",
)
"""To prove that nothing is left, everything is listed: these know no narrower resource than all of them."""
SWEEPING_DATABASES = (
    "rds:DescribeDBClusterParameterGroups",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeDBParameterGroups",
    "rds:DescribeDBSnapshots",
    "rds:DescribeGlobalClusters",
    "rds:ListTagsForResource",
    "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecrets",
)
"""The same, after a drill that made databases."""
OBJECTS = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")


LOCKING, BYPASSING = "s3:PutBucketObjectLockConfiguration", "s3:BypassGovernanceRetention"


FINDING: Mapping[str, tuple[str, ...]] = {
    "batch job": ("s3:ListJobs",),
    "event source mapping": ("lambda:ListEventSourceMappings",),
    "queue": ("sqs:GetQueueAttributes",),
    databases.BACKUP: ("rds:DescribeDBInstanceAutomatedBackups",),
}
"""What finding needs that a drill that was killed was perhaps about to make, and telling its age."""


def cleaning_by_record(told: Told) -> frozenset[Permission]:
    """The permissions that deleting everything needs that a drill made or was about to make, by its record."""
    made = [(one.account, one.resource) for one in told.made.values()]
    made += [(one.account, resource) for one in told.uncertain for resource in one.makes]
    # What only the answer would have named has no name to narrow by.
    unnamed = [(one.account, OF_A_KIND.get((one.service, one.operation))) for one in told.uncertain]
    made += [(account, Resource(kind, account, "*", "*")) for account, kind in unnamed if kind is not None]
    done = [Done("make", role, there) for account, there in made if (role := told.header.role_of(account)) is not None]
    found = {Permission(one.role, action, "*") for one in done for action in FINDING.get(one.resource.kind, ())}
    buckets = (one for one in done if one.resource.kind == "bucket")
    bypassed = {Permission(one.role, BYPASSING, f"{_arn(one.resource)}/*") for one in buckets}
    return cleaning(done) | found | bypassed


def bypassing(called: Iterable[Permission]) -> frozenset[Permission]:
    """What deleting versions that Object Lock holds in GOVERNANCE mode needs, where a drill locks buckets."""
    return frozenset(Permission(one.role, BYPASSING, f"{one.resource}/*") for one in called if one.action == LOCKING)


def cleaning(done: Iterable[Done]) -> frozenset[Permission]:
    """The permissions that deleting everything needs that was made or restored."""
    made = [one for one in done if one.what != "destroy"]
    listed = [*SWEEPING, *(SWEEPING_DATABASES if of_databases(one.resource for one in made) else ())]
    sweeping = {Permission(role, action, "*") for role in ALL_ROLES for action in listed}
    if any(one.resource.kind == databases.BACKUP for one in made):
        # Called where the replica is, about the instance that it is of.
        made_instances = [one for one in made if one.resource.kind == databases.INSTANCE]
        stop = "rds:StopDBInstanceAutomatedBackupsReplication"
        sweeping |= {Permission(one.role, "rds:DescribeDBInstanceAutomatedBackups", "*") for one in made_instances}
        sweeping |= {Permission(one.role, stop, _arn(one.resource)) for one in made_instances}
    return frozenset(sweeping | {permission for one in made for permission in _deleting(one)})


def _deleting(one: Done) -> Iterable[Permission]:
    if one.resource.kind == databases.COPIES:
        yield from _deleting_copies(one)
        return
    arn = _arn(one.resource)
    for action in DELETING.get(one.resource.kind, ()):
        yield Permission(one.role, action, arn)
    if one.resource.kind == "bucket":
        for action in OBJECTS:
            yield Permission(one.role, action, f"{arn}/*")


def _deleting_copies(one: Done) -> Iterable[Permission]:
    _, account, region, name = one.resource
    for kind in (databases.SNAPSHOT, databases.CLUSTER_SNAPSHOT):
        for action in DELETING[kind]:
            snapshots = name.partition(" of ")[0]
            yield Permission(one.role, action, databases.arn("aws", region, account, kind, snapshots))


def _arn(resource: Resource) -> str:
    kind, account, region, name = resource
    if kind in databases.WORDS:
        return databases.arn("aws", region, account, kind, name)
    where = f"{region}:{account}"
    return {
        "table": f"arn:aws:dynamodb:{where}:table/{name}",
        "backup": name,
        "bucket": f"arn:aws:s3:::{name}",
        "batch job": f"arn:aws:s3:{where}:job/{name}",
        "function": f"arn:aws:lambda:{where}:function:{name}",
        "event source mapping": f"arn:aws:lambda:{where}:event-source-mapping:{name}",
        "role": f"arn:aws:iam::{account}:role/{name}",
        "queue": f"arn:aws:sqs:{where}:{name}",
        "rule": f"arn:aws:events:{where}:rule/{name}",
        "alarm": f"arn:aws:cloudwatch:{where}:alarm:{name}",
        "parameter": f"arn:aws:ssm:{where}:parameter/{name.lstrip('/')}",
        "key": f"arn:aws:kms:{where}:key/{name}",
        "secret": f"arn:aws:secretsmanager:{where}:secret:{name}-??????",
        "alias": f"arn:aws:kms:{where}:{name}",
    }.get(kind, "*")
