"""The copy of a bucket in another account: what ``drills.bucket_copy.deploy`` makes, as two stacks.

Not in them, as it belongs to the user's own bucket or is data: its versioning and its replication rule, which
production's stack gives as an output for ``aws s3api put-bucket-replication``, and bringing in what it held before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from drills.bucket_copy.model import RULE, BucketCopy, Options
from drills.bucket_copy.policies import copy_policy, key_policy, role_policy, role_trust
from drills.bucket_copy.production_side import POLICY, wanted_rule
from drills.bucket_copy.vault_side import LIFECYCLE_RULE, PUBLIC_ACCESS, key_description, lock_configuration
from drills.model import JSON
from drills.site import Site
from drills.templates import common
from drills.templates.structure import (
    KEPT,
    Bundle,
    Parameter,
    Structure,
    Template,
    filled,
    placeholder,
    resource,
)

KEY_ARN = r"(arn:aws:kms:.+:key/.+)?"
SOURCE_KEY, REPLICA_KEY = placeholder("SourceKeyArn"), placeholder("ReplicaKeyArn")


class BucketCopyTemplate:
    """See drills.templates.CopyTemplate."""

    summary = "a bucket's copy in the vault account: replication into a locked bucket"
    protection = "s3_replication"

    def of_any(self, options: Mapping[str, JSON]) -> Bundle:
        copy = BucketCopy(
            **common.ANY_WAY,
            source_bucket=placeholder("SourceBucket"),
            copy_bucket=placeholder("CopyBucket"),
            readers=(placeholder("RecoveryAccount"),),
            options=Options.parse(options),
        )
        return _bundle(copy)

    def of_store(self, site: Site, options: Mapping[str, JSON]) -> Bundle:
        from drills.protections.s3_replication import copy_of

        return _bundle(copy_of(site, options))


def _bundle(copy: BucketCopy) -> Bundle:
    given_key = copy.options.kms_key
    copy = replace(copy, options=replace(copy.options, kms_key=""))
    parameters = (
        common.name_parameter(),
        Parameter("SourceBucket", "The bucket that is copied.", pattern=common.BUCKET),
        common.account_parameter("SourceAccount", "the account of the bucket that is copied"),
        common.region_parameter("SourceRegion", "the bucket that is copied"),
        Parameter("CopyBucket", "What the copy's bucket in the vault account is called.", pattern=common.BUCKET),
        common.account_parameter("VaultAccount", "the vault account, which holds the copy"),
        common.region_parameter("VaultRegion", "the copy in the vault account"),
        common.account_parameter("RecoveryAccount", "the account that restores from the copy and may read it"),
        Parameter(
            "ReplicaKeyArn",
            "Where the bucket encrypts by KMS: ARN of the vault's key for the replicas, which the vault's stack gives. "
            "Empty where it does not, and until the vault's stack is there.",
            default=given_key,
            pattern=KEY_ARN,
        ),
        Parameter(
            "SourceKeyArn",
            "Where the bucket encrypts by KMS: ARN of its own key. Empty for any key of the account.",
            default="",
            pattern=KEY_ARN,
        ),
        Parameter(
            "MakeKey",
            "Whether to make a key for the replicas: true where the bucket encrypts by KMS and the vault has none.",
            default="false",
            allowed=("true", "false"),
        ),
        common.alarm_topic_parameter(""),
    )
    return Bundle((_production(copy, parameters), _vault(copy, parameters)), {}, _steps(copy))


# --- Production ------------------------------------------------------------------------------------------------------


def _production(copy: BucketCopy, parameters: tuple[Parameter, ...]) -> Template:
    meanings = {
        "SourceAccount": placeholder("AWS::AccountId"),
        "SourceRegion": placeholder("AWS::Region"),
        "SourceKeyArn": {"Fn::If": ["HasSourceKey", {"Ref": "SourceKeyArn"}, filled(_any_key(copy), {}, {})]},
    }
    resources = {
        "ReplicationRole": common.role(copy.role, role_trust(), POLICY, _role_policy(copy), copy.tags),
        **common.alarm_resources(_alarms(copy), copy.name, copy.tags),
    }
    made = filled(resources, meanings, {})
    has_key = {"Fn::Not": [{"Fn::Equals": [{"Ref": "SourceKeyArn"}, ""]}]}
    conditions = {"Encrypted": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReplicaKeyArn"}, ""]}]}, "HasSourceKey": has_key}
    return Template(
        name="production",
        account=common.said(copy.source_account, "the account of the bucket"),
        region=common.said(copy.source_region, "the bucket's region"),
        description="A copy of a bucket in another account, production's side: the role of its replication, which "
        "cannot delete anything. Its output is the replication rule, to be put on the bucket once the vault's stack is "
        "there.",
        parameters=parameters,
        conditions={**conditions, **(common.HAS_ALARM_TOPIC if copy.options.replication_time else {})},
        resources=made,
        outputs={
            "ReplicationRoleArn": ("The role of the replication.", {"Fn::GetAtt": ["ReplicationRole", "Arn"]}),
            "ReplicationConfiguration": (
                "What aws s3api put-bucket-replication is given. Where the bucket has rules already, add this one to "
                "them and give it a priority of its own.",
                {
                    "Fn::If": [
                        "Encrypted",
                        *(filled(replication(copy, key), meanings, {}) for key in (REPLICA_KEY, None)),
                    ]
                },
            ),
        },
    )


def _any_key(copy: BucketCopy) -> str:
    """The keys that may have encrypted the source where none is named, as its role's policy has them."""
    return next(
        str(one["Resource"])
        for one in role_policy(_here(copy), None, REPLICA_KEY)["Statement"]
        if one["Action"] == "kms:Decrypt"
    )


def _here(copy: BucketCopy) -> BucketCopy:
    """The copy as production's stack knows it: its own account and region are CloudFormation's to fill in."""
    account = copy.source_account.replace(placeholder("SourceAccount"), placeholder("AWS::AccountId"))
    region = copy.source_region.replace(placeholder("SourceRegion"), placeholder("AWS::Region"))
    return replace(copy, source_account=account, source_region=region)


def _role_policy(copy: BucketCopy) -> Structure:
    """With the statements about keys only where there is a key."""
    return {"Fn::If": ["Encrypted", role_policy(copy, SOURCE_KEY, REPLICA_KEY), role_policy(copy, None, None)]}


def replication(copy: BucketCopy, replica_key: str | None) -> str:
    """What PutBucketReplication is given for a bucket without other rules, as JSON."""
    configuration = {"Role": copy.role_arn, "Rules": [wanted_rule(copy, replica_key)]}
    return json.dumps(configuration, separators=(",", ":"))


def _alarms(copy: BucketCopy) -> Sequence[Mapping[str, Any]]:
    """Only where S3 gives its promise does it tell how late it is. Source: S3 user guide, Replication metrics."""
    if not copy.options.replication_time:
        return ()
    dimensions = {"SourceBucket": copy.source_bucket, "DestinationBucket": copy.copy_bucket, "RuleId": RULE}
    return [
        {
            "AlarmName": f"{copy.name}-{name}",
            "Namespace": "AWS/S3",
            "MetricName": metric,
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Statistic": statistic,
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": float(threshold),
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "ActionsEnabled": True,
            "AlarmActions": [placeholder("AlarmTopic")],
        }
        for name, metric, statistic, threshold in (
            ("lag", "ReplicationLatency", "Maximum", copy.options.maximum_lag_seconds),
            ("failed", "OperationsFailedReplication", "Sum", 0),
        )
    ]


# --- The vault -------------------------------------------------------------------------------------------------------


def _vault(copy: BucketCopy, parameters: tuple[Parameter, ...]) -> Template:
    bucket: Structure = {"Ref": "CopyBucketResource"}
    resources = {
        "CopyBucketResource": resource("AWS::S3::Bucket", _bucket(copy), **KEPT),
        "CopyBucketPolicy": resource(
            "AWS::S3::BucketPolicy", {"Bucket": bucket, "PolicyDocument": copy_policy(copy)}, **KEPT
        ),
        "ReplicaKey": resource(
            "AWS::KMS::Key",
            {"Description": key_description(copy), "KeyPolicy": key_policy(copy), "Tags": copy.tag_list},
            Condition="MakesKey",
            **KEPT,
        ),
        "ReplicaKeyAlias": resource(
            "AWS::KMS::Alias",
            {"AliasName": copy.key_alias, "TargetKeyId": {"Ref": "ReplicaKey"}},
            Condition="MakesKey",
            **KEPT,
        ),
    }
    meanings = {"VaultAccount": placeholder("AWS::AccountId"), "VaultRegion": placeholder("AWS::Region")}
    return Template(
        name="vault",
        account=common.said(copy.vault_account, "the vault account"),
        region=common.said(copy.vault_region, "the copy's region"),
        description="A copy of a bucket in another account, the vault's side: the locked bucket, open to nobody but "
        "production's replication and those who restore, and the key of its replicas. Make production's stack first: "
        "the role that is let in must be there.",
        parameters=parameters,
        conditions={"MakesKey": {"Fn::Equals": [{"Ref": "MakeKey"}, "true"]}},
        resources=filled(resources, meanings, {}),
        outputs={
            "CopyBucketArn": ("The copy.", {"Fn::GetAtt": ["CopyBucketResource", "Arn"]}),
            "ReplicaKeyArn": (
                "The key of the replicas, which production's stack is given; empty where there is none.",
                {"Fn::If": ["MakesKey", {"Fn::GetAtt": ["ReplicaKey", "Arn"]}, ""]},
            ),
        },
    )


def _bucket(copy: BucketCopy) -> Structure:
    days = copy.options.noncurrent_days
    expiry = {
        "Id": LIFECYCLE_RULE,
        "Status": "Enabled",
        "Prefix": "",
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }
    return {
        "BucketName": copy.copy_bucket,
        "VersioningConfiguration": {"Status": "Enabled"},
        "ObjectLockEnabled": True,
        "ObjectLockConfiguration": lock_configuration(copy),
        "PublicAccessBlockConfiguration": dict.fromkeys(PUBLIC_ACCESS, True),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {"Rules": [expiry]} if days else {},
        "Tags": copy.tag_list,
    }


# --- Words -----------------------------------------------------------------------------------------------------------


def _steps(copy: BucketCopy) -> tuple[str, ...]:
    bucket = common.said(copy.source_bucket, "BUCKET")
    return (
        f"switch the bucket's versioning on: aws s3api put-bucket-versioning --bucket {bucket} "
        "--versioning-configuration Status=Enabled",
        "make the stack of production.EXT in production (--capabilities CAPABILITY_NAMED_IAM)",
        "make the stack of vault.EXT in the vault account, with MakeKey=true if the bucket encrypts by KMS; then give "
        "production's stack its output ReplicaKeyArn",
        f"put the rule on the bucket: aws s3api put-bucket-replication --bucket {bucket} --replication-configuration "
        "with production's output ReplicationConfiguration",
        "bring in what the bucket held before and prove the copy: drills protect, then drills status, with the store "
        "in an estate file; repeat drills protect on a schedule, as it registers production's deletions",
    )


copy_template = BucketCopyTemplate()
