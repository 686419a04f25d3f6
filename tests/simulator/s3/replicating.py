"""Buckets that replicate, made through plain boto3 clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drills.simulator import SimulatedAWS
from tests.simulator.policies import ONE, TWO, allow, document, role

HERE, THERE = "eu-west-1", "eu-north-1"
LAG_SECONDS = 11.0
TRUSTED = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
READING = (
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
)
WRITING = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner")


class Replicated:
    """Bucket ``here`` of account ONE, which replicates to bucket ``there``, of TWO unless told otherwise."""

    def __init__(
        self,
        aws: SimulatedAWS,
        *,
        to: str = TWO,
        region: str = THERE,
        locked: bool = False,
        rules: Sequence[Mapping[str, Any]] | None = (),
        statements: Sequence[Mapping[str, Any]] | None = None,
        source_locked: bool = False,
        ownership: str = "BucketOwnerEnforced",
    ) -> None:
        self.aws = aws
        self.to = to
        self.source: Any = aws.session(ONE, HERE).client("s3")
        self.target: Any = aws.session(to, region).client("s3")
        make(self.source, "here", HERE, source_locked)
        make(self.target, "there", region, locked, ownership)
        granted = statements if statements is not None else [allow([*READING, *WRITING, "kms:*"])]
        self.role = role(aws, "replicator", *granted, trusts=TRUSTED)
        if to != ONE:
            self.let_in([*WRITING])
        if rules is not None:
            self.put_rules(*(rules or [v2()]))

    def let_in(self, actions: Sequence[str]) -> None:
        statement = {
            **allow(list(actions), "arn:aws:s3:::there/*"),
            "Principal": {"AWS": self.role},
        }
        self.target.put_bucket_policy(Bucket="there", Policy=document(statement))

    def put_rules(self, *rules: Mapping[str, Any]) -> None:
        self.source.put_bucket_replication(
            Bucket="here", ReplicationConfiguration={"Role": self.role, "Rules": list(rules)}
        )

    def put(self, key: str, body: bytes = b"x", **more: Any) -> str:
        return str(self.source.put_object(Bucket="here", Key=key, Body=body, **more)["VersionId"])

    def later(self, seconds: float = LAG_SECONDS) -> None:
        self.aws.clock.sleep(seconds)

    def status(self, key: str, **more: Any) -> str | None:
        found = self.source.head_object(Bucket="here", Key=key, **more).get("ReplicationStatus")
        return None if found is None else str(found)

    def there(self) -> dict[str, list[tuple[str, str]]]:
        """Of each key in the destination its versions, newest first: version id, and what it is."""
        return contents(self.target, "there")

    def keys_there(self) -> set[str]:
        return set(self.there())


def contents(s3: Any, bucket: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        entries = [(one["Key"], one["LastModified"], one["VersionId"], one["ETag"]) for one in page.get("Versions", ())]
        entries += [
            (one["Key"], one["LastModified"], one["VersionId"], "marker") for one in page.get("DeleteMarkers", ())
        ]
        for key, _, version, what in entries:
            found.setdefault(key, []).append((version, what))
    return found


def make(s3: Any, name: str, region: str, locked: bool = False, ownership: str = "BucketOwnerEnforced") -> None:
    s3.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": region},
        ObjectLockEnabledForBucket=locked,
        ObjectOwnership=ownership,
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def v2(
    *,
    priority: int = 1,
    markers: str = "Disabled",
    choose: Mapping[str, Any] | None = None,
    bucket: str = "there",
    destination: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "ID": f"rule-{priority}",
        "Priority": priority,
        "Status": "Enabled",
        "Filter": choose if choose is not None else {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": markers},
        "Destination": {"Bucket": f"arn:aws:s3:::{bucket}", **(destination or {})},
        **more,
    }


def v1(prefix: str = "", **more: Any) -> dict[str, Any]:
    return {
        "ID": f"v1-{prefix}",
        "Prefix": prefix,
        "Status": "Enabled",
        "Destination": {"Bucket": "arn:aws:s3:::there"},
        **more,
    }
