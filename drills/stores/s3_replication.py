"""Replication as a setting of a bucket: read without what names its place, and put back with a role of that place.

A role lies in the account of the bucket that it replicates from, and a bucket in another account must let it in. Both
are made anew for a restored bucket, from its rules alone, so that nothing is needed from an account that was lost.
Source: S3 user guide, Setting up permissions for live replication.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

from botocore.exceptions import ClientError

from drills.model import JSON, AccountRole, Location
from drills.ownership import owner_tag
from drills.site import Site
from drills.stores.s3_buckets import client, error_code, is_own, tag_list

ROLES: tuple[AccountRole, ...] = ("production", "vault", "recovery")
ARN = "arn:aws:s3:::"
REPLICATE = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"]


def replication_of(s3: Any, bucket: str) -> JSON:
    """The rules, by their ids, without the role that carries them out: ``{id: rule as S3 gives it}``."""
    try:
        found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    except ClientError as error:
        if error_code(error) == "ReplicationConfigurationNotFoundError":
            return {}
        raise
    return {rule.get("ID", ""): {name: rule[name] for name in sorted(rule) if name != "ID"} for rule in found["Rules"]}


def put_replication(site: Site, at: Location, rules: JSON) -> None:
    """Make the bucket replicate by these rules; a bucket that replicates already keeps its role.

    A rule into the bucket itself, as when a copy is put to use, has nothing to do any more and is left out.
    """
    s3 = client(site, at)
    left = {name: rule for name, rule in rules.items() if _destination(rule) != at.name}
    if not left:
        s3.delete_bucket_replication(Bucket=at.name)
        return
    role = _present_role(s3, at.name) or _make_role(site, at, left)
    configuration = {"Role": role, "Rules": [{"ID": name, **rule} if name else rule for name, rule in left.items()]}

    def taken() -> bool:
        try:
            s3.put_bucket_replication(Bucket=at.name, ReplicationConfiguration=configuration)
        except ClientError as error:
            # A role that was made just now is known everywhere only after some seconds.
            if error_code(error) == "InvalidRequest" and "role" in str(error).lower():
                return False
            raise
        return True

    site.wait(f"replication of {at.name} to be taken", taken, every_seconds=5, limit_seconds=120)


def _destination(rule: Mapping[str, Any]) -> str:
    return str(rule["Destination"]["Bucket"]).removeprefix(ARN)


def _present_role(s3: Any, bucket: str) -> str | None:
    with suppress(ClientError):
        return str(s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Role"])
    return None


def _make_role(site: Site, at: Location, rules: Mapping[str, Any]) -> str:
    """The role that replicates from this bucket, and leave for it in the buckets it replicates to."""
    iam = site.client("iam", at.role, at.region)
    name = f"{at.name[:40].rstrip('-')}-{hashlib.sha256(at.name.encode()).hexdigest()[:8]}-replication"
    trust = _policy({"Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"})
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tag_list(site.tags))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    destinations = sorted({_destination(rule) for rule in rules.values()})
    iam.put_role_policy(
        RoleName=name, PolicyName="replicate", PolicyDocument=_policy(*_permissions(at.name, destinations))
    )
    for rule in rules.values():
        account = rule["Destination"].get("Account", at.account)
        if account != at.account:
            _let_in(site, account, _destination(rule), str(arn))
    return str(arn)


def _permissions(bucket: str, destinations: list[str]) -> Iterator[Mapping[str, Any]]:
    yield {"Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": ARN + bucket}
    read = ["ForReplication", "Acl", "Tagging"]
    retention = ["s3:GetObjectRetention", "s3:GetObjectLegalHold"]
    yield {
        "Action": [*(f"s3:GetObjectVersion{what}" for what in read), *retention],
        "Resource": f"{ARN}{bucket}/*",
    }
    yield {"Action": REPLICATE, "Resource": [f"{ARN}{destination}/*" for destination in destinations]}


def _let_in(site: Site, account: str, bucket: str, role: str) -> None:
    """Add the role to the policy of a bucket of ours in another account; others' buckets are left alone."""
    owner = next((name for name in ROLES if site.account_id(name) == account), None)
    if owner is None:
        return
    s3 = _client_of(site, owner, bucket)
    if not is_own(site, s3, bucket):
        return
    try:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error_code(error) != "NoSuchBucketPolicy":
            raise
        policy = {"Version": "2012-10-17", "Statement": []}
    sid = f"Replication{hashlib.sha256(f'{owner_tag(site)}{role}'.encode()).hexdigest()[:12]}"
    if any(statement.get("Sid") == sid for statement in policy["Statement"]):
        return
    policy["Statement"].append(
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"AWS": role},
            "Action": REPLICATE,
            "Resource": f"{ARN}{bucket}/*",
        }
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def _client_of(site: Site, owner: AccountRole, bucket: str) -> Any:
    """A client of the region in which the bucket lies."""
    found = site.client("s3", owner).get_bucket_location(Bucket=bucket)["LocationConstraint"]
    return site.client("s3", owner, cast(str, found or "us-east-1"))


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]})
