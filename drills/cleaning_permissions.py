"""What cleaning up after a drill needs to be allowed: for each thing that it makes, to find it and to delete it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drills.accounts_file import ALL_ROLES
from drills.deeds import Done
from drills.deleters import OF_A_KIND
from drills.guard_rules import Resource
from drills.intentions import Told
from drills.rehearsal import Permission

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
}
SWEEPING = (
    "cloudwatch:DescribeAlarms",
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
OBJECTS = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")


LOCKING, BYPASSING = "s3:PutBucketObjectLockConfiguration", "s3:BypassGovernanceRetention"


FINDING: Mapping[str, tuple[str, ...]] = {
    "backup": ("dynamodb:ListBackups",),
    "event source mapping": ("lambda:ListEventSourceMappings",),
    "queue": ("sqs:GetQueueAttributes",),
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
    sweeping = {Permission(role, action, "*") for role in ALL_ROLES for action in SWEEPING}
    return frozenset(sweeping | {permission for one in made for permission in _deleting(one)})


def _deleting(one: Done) -> Iterable[Permission]:
    arn = _arn(one.resource)
    for action in DELETING.get(one.resource.kind, ()):
        yield Permission(one.role, action, arn)
    if one.resource.kind == "bucket":
        for action in OBJECTS:
            yield Permission(one.role, action, f"{arn}/*")


def _arn(resource: Resource) -> str:
    kind, account, region, name = resource
    where = f"{region}:{account}"
    return {
        "table": f"arn:aws:dynamodb:{where}:table/{name}",
        "backup": name,
        "bucket": f"arn:aws:s3:::{name}",
        "function": f"arn:aws:lambda:{where}:function:{name}",
        "event source mapping": f"arn:aws:lambda:{where}:event-source-mapping:{name}",
        "role": f"arn:aws:iam::{account}:role/{name}",
        "queue": f"arn:aws:sqs:{where}:{name}",
        "rule": f"arn:aws:events:{where}:rule/{name}",
        "alarm": f"arn:aws:cloudwatch:{where}:alarm:{name}",
        "parameter": f"arn:aws:ssm:{where}:parameter/{name.lstrip('/')}",
        "key": f"arn:aws:kms:{where}:key/{name}",
        "alias": f"arn:aws:kms:{where}:{name}",
    }.get(kind, "*")
