"""Production's side of a copy: versioning, the role, and the replication rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from drills.bucket_copy.model import RULE, BucketCopy, Clients
from drills.bucket_copy.policies import role_policy, role_trust
from drills.errors import ProtectionError
from drills.presence import exists

POLICY = "copy"
RTC_MINUTES = 15
KMS = ("aws:kms", "aws:kms:dsse")


def describe_source(copy: BucketCopy, clients: Clients) -> Mapping[str, Any]:
    """What a restore must know of the source: Object Lock, and by what it encrypts."""
    s3 = clients("production", "s3")
    locked = exists(lambda: s3.get_object_lock_configuration(**copy.source))
    encryption = exists(lambda: s3.get_bucket_encryption(**copy.source))
    rules = encryption["ServerSideEncryptionConfiguration"]["Rules"] if encryption else []
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
    return {
        "bucket": copy.source_bucket,
        "object_lock": locked is not None,
        "kms": default.get("SSEAlgorithm") in KMS,
        "kms_key": default.get("KMSMasterKeyID"),
    }


def switch_versioning_on(copy: BucketCopy, clients: Clients) -> None:
    clients("production", "s3").put_bucket_versioning(**copy.source, VersioningConfiguration={"Status": "Enabled"})


def make_role(copy: BucketCopy, clients: Clients, source: Mapping[str, Any], replica_key: str | None) -> None:
    iam = clients("production", "iam")
    trust = json.dumps(role_trust())
    try:
        iam.create_role(RoleName=copy.role, AssumeRolePolicyDocument=trust, Tags=copy.tag_list)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=copy.role, PolicyDocument=trust)
    key = source.get("kms_key")
    policy = role_policy(copy, key if key and str(key).startswith("arn:") else None, replica_key)
    iam.put_role_policy(RoleName=copy.role, PolicyName=POLICY, PolicyDocument=json.dumps(policy))


def wanted_rule(copy: BucketCopy, replica_key: str | None) -> dict[str, Any]:
    """The rule as S3 takes it. Delete markers are not followed."""
    destination: dict[str, Any] = {
        "Bucket": copy.copy_arn,
        "Account": copy.vault_account,
        "AccessControlTranslation": {"Owner": "Destination"},
    }
    rule: dict[str, Any] = {
        "ID": RULE,
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": copy.options.prefix},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": destination,
    }
    if copy.options.replication_time:
        minutes = {"Minutes": RTC_MINUTES}
        destination["ReplicationTime"] = {"Status": "Enabled", "Time": minutes}
        destination["Metrics"] = {"Status": "Enabled", "EventThreshold": minutes}
    if replica_key:
        destination["EncryptionConfiguration"] = {"ReplicaKmsKeyID": replica_key}
        rule["SourceSelectionCriteria"] = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    return rule


def put_rule(copy: BucketCopy, clients: Clients, replica_key: str | None) -> None:
    """Add the rule to those that the bucket has. They share one role, so another's cannot be joined."""
    s3 = clients("production", "s3")
    found = replication_of(copy, s3)
    others = [rule for rule in found.get("Rules", []) if rule.get("ID") != RULE]
    if others and found["Role"] != copy.role_arn:
        raise ProtectionError(
            f"bucket {copy.source_bucket}: expected no replication by another role, found {len(others)} rules by "
            f"{found['Role']}. A bucket has one role for all its rules: let those rules use {copy.role_arn} (which "
            "then needs their permissions), or take them away."
        )
    rule = wanted_rule(copy, replica_key)
    taken = {other.get("Priority") for other in others}
    rule["Priority"] = next(number for number in range(1, 1_002) if number not in taken)
    s3.put_bucket_replication(**copy.source, ReplicationConfiguration={"Role": copy.role_arn, "Rules": [*others, rule]})


def replication_of(copy: BucketCopy, s3: Any) -> Mapping[str, Any]:
    """The source's replication, empty where it has none."""
    try:
        found: Mapping[str, Any] = s3.get_bucket_replication(**copy.source)["ReplicationConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ReplicationConfigurationNotFoundError":
            return {}
        raise
    return found


def remove_production_side(copy: BucketCopy, clients: Clients) -> Iterator[Callable[[], Any]]:
    """The steps that take away the rule and the role; versioning stays."""
    s3, iam = clients("production", "s3"), clients("production", "iam")

    def without_rule() -> None:
        found = replication_of(copy, s3)
        others = [rule for rule in found.get("Rules", []) if rule.get("ID") != RULE]
        if others:
            s3.put_bucket_replication(**copy.source, ReplicationConfiguration={"Role": found["Role"], "Rules": others})
        elif found:
            s3.delete_bucket_replication(**copy.source)

    yield without_rule
    yield lambda: iam.delete_role_policy(RoleName=copy.role, PolicyName=POLICY)
    yield lambda: iam.delete_role(RoleName=copy.role)
