"""The vault's side of a copy: two tables, the bucket for what is set aside, and the role the function writes with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from drills.presence import exists
from drills.stream_copy.model import Clients, StreamCopy, Wait
from drills.stream_copy.policies import vault_policy, vault_trust

SETTINGS_ROW = "settings"
POLICY = "copy"
REMEMBERED = ("KeySchema", "AttributeDefinitions", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
INDEX_FIELDS = ("IndexName", "KeySchema", "Projection")
MARKER_KEYS = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}
MARKER_EXPIRY = {"Enabled": True, "AttributeName": "expires_at"}
PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


def table_definition(description: Mapping[str, Any]) -> dict[str, Any]:
    """A DescribeTable answer → what CreateTable needs for an empty table with the same keys and indexes."""
    definition: dict[str, Any] = {name: description[name] for name in REMEMBERED if description.get(name)}
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if kind in definition:
            definition[kind] = [{name: index[name] for name in INDEX_FIELDS} for index in definition[kind]]
    return definition


def without_indexes(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The same table with its key schema only. CreateTable refuses attribute definitions that no key uses."""
    names = {part["AttributeName"] for part in definition["KeySchema"]}
    used = [entry for entry in definition["AttributeDefinitions"] if entry["AttributeName"] in names]
    return {"KeySchema": definition["KeySchema"], "AttributeDefinitions": used}


def make_vault_tables(copy: StreamCopy, clients: Clients, wait: Wait, source: Mapping[str, Any]) -> None:
    """Both tables, protected from deletion, the copy with point-in-time recovery; and what the source looks like."""
    dynamodb = clients("vault", "dynamodb")
    _make_table(copy, dynamodb, wait, copy.copy_table, without_indexes(table_definition(source)))
    _make_table(copy, dynamodb, wait, copy.marker_table, MARKER_KEYS)
    _recovery_window(copy, dynamodb, wait)
    _expire_tombstones(copy, dynamodb)
    remember_source(copy, clients, source)


def _make_table(copy: StreamCopy, dynamodb: Any, wait: Wait, name: str, definition: Mapping[str, Any]) -> None:
    found = exists(lambda: dynamodb.describe_table(TableName=name))
    if found is None:
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            **({"Tags": copy.tag_list} if copy.tags else {}),
            **definition,
        )
    elif found["Table"]["KeySchema"] != definition["KeySchema"]:
        raise ValueError(
            f"the vault already has a table {name} with the keys {found['Table']['KeySchema']}; expected "
            f"{definition['KeySchema']}. Remove it or give the copy another name."
        )
    elif not found["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=True)
    wait(f"table {name}", lambda: table_is_active(dynamodb, name), every_seconds=2, limit_seconds=600)


def table_is_active(dynamodb: Any, name: str) -> bool:
    found = exists(lambda: dynamodb.describe_table(TableName=name))
    return found is not None and found["Table"]["TableStatus"] == "ACTIVE"


def _recovery_window(copy: StreamCopy, dynamodb: Any, wait: Wait) -> None:
    if recovery_is_on(dynamodb, copy.copy_table):
        return
    specification = {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": copy.options.recovery_period_days,
    }

    def turned_on() -> bool:
        try:
            dynamodb.update_continuous_backups(
                TableName=copy.copy_table, PointInTimeRecoverySpecification=specification
            )
        except dynamodb.exceptions.ContinuousBackupsUnavailableException:
            return False
        return True

    what = f"point-in-time recovery of {copy.copy_table}"
    wait(what, turned_on, every_seconds=5, limit_seconds=600)
    wait(what, lambda: recovery_is_on(dynamodb, copy.copy_table), every_seconds=2, limit_seconds=600)


def recovery_is_on(dynamodb: Any, table: str) -> bool:
    answer = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return bool(answer.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED")


def _expire_tombstones(copy: StreamCopy, dynamodb: Any) -> None:
    found = dynamodb.describe_time_to_live(TableName=copy.marker_table)["TimeToLiveDescription"]
    if found["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        dynamodb.update_time_to_live(TableName=copy.marker_table, TimeToLiveSpecification=MARKER_EXPIRY)


def remember_source(copy: StreamCopy, clients: Clients, source: Mapping[str, Any]) -> None:
    """Keep the source's keys and indexes in the vault: local indexes can only be made together with their table."""
    document = json.dumps(table_definition(source), sort_keys=True)
    clients("vault", "dynamodb").put_item(
        TableName=copy.marker_table, Item={"id": {"S": SETTINGS_ROW}, "document": {"S": document}}
    )


def remembered_source(copy: StreamCopy, clients: Clients) -> dict[str, Any]:
    """What a new table in the source's place is created with; from the vault alone."""
    row = clients("vault", "dynamodb").get_item(
        TableName=copy.marker_table, Key={"id": {"S": SETTINGS_ROW}}, ConsistentRead=True
    )
    definition: dict[str, Any] = json.loads(row["Item"]["document"]["S"])
    return definition


def make_bucket(copy: StreamCopy, clients: Clients) -> None:
    """A private bucket that keeps what is overwritten."""
    s3 = clients("vault", "s3")
    if exists(lambda: s3.head_bucket(Bucket=copy.bucket)) is None:
        place = {} if copy.vault_region == "us-east-1" else {"LocationConstraint": copy.vault_region}
        s3.create_bucket(Bucket=copy.bucket, **({"CreateBucketConfiguration": place} if place else {}))
    s3.put_public_access_block(Bucket=copy.bucket, PublicAccessBlockConfiguration=PRIVATE)
    s3.put_bucket_versioning(Bucket=copy.bucket, VersioningConfiguration={"Status": "Enabled"})
    if copy.tags:
        s3.put_bucket_tagging(Bucket=copy.bucket, Tagging={"TagSet": copy.tag_list})


def make_vault_role(copy: StreamCopy, clients: Clients, wait: Wait) -> None:
    """The role that the function's role, and it alone, may use. IAM takes a while to know a new principal."""
    iam = clients("vault", "iam")
    trust = json.dumps(vault_trust(copy))

    def made() -> bool:
        try:
            if exists(lambda: iam.get_role(RoleName=copy.vault_role)) is None:
                iam.create_role(RoleName=copy.vault_role, AssumeRolePolicyDocument=trust, Tags=copy.tag_list)
            else:
                # A trusted role that is deleted and made again is another principal: the trust must be put anew.
                iam.update_assume_role_policy(RoleName=copy.vault_role, PolicyDocument=trust)
        except iam.exceptions.MalformedPolicyDocumentException:
            return False
        return True

    wait(f"role {copy.vault_role} in the vault", made, every_seconds=3, limit_seconds=120)
    iam.put_role_policy(RoleName=copy.vault_role, PolicyName=POLICY, PolicyDocument=json.dumps(vault_policy(copy)))


def remove_vault_side(copy: StreamCopy, clients: Clients) -> list[Callable[[], Any]]:
    """The steps that delete the vault's side, copy included; the caller runs each and goes on past failures."""
    dynamodb, s3, iam = (clients("vault", service) for service in ("dynamodb", "s3", "iam"))

    def drop(table: str) -> None:
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)

    def empty() -> None:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=copy.bucket):
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=copy.bucket, Key=entry["Key"], VersionId=entry["VersionId"])
        s3.delete_bucket(Bucket=copy.bucket)

    return [
        lambda: iam.delete_role_policy(RoleName=copy.vault_role, PolicyName=POLICY),
        lambda: iam.delete_role(RoleName=copy.vault_role),
        lambda: drop(copy.copy_table),
        lambda: drop(copy.marker_table),
        empty,
    ]
