"""Who may do what: the policies of a copy, as documents. Nothing here calls AWS.

Source: S3 user guide, Setting up permissions for live replication; Configuring an IAM role for S3 Batch Replication.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.bucket_copy.model import BucketCopy

VERSION = "2012-10-17"
Document = dict[str, Any]
READ_OBJECTS = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"]
READ_LISTS = ["s3:ListBucket", "s3:ListBucketVersions"]


def role_trust() -> Document:
    services = ["s3.amazonaws.com", "batchoperations.s3.amazonaws.com"]
    return _document({"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"})


def role_policy(copy: BucketCopy, source_key: str | None, replica_key: str | None) -> Document:
    """Read versions of the one bucket, write replicas into the one copy. No deletion, not even of a marker."""
    objects = f"{copy.source_arn}/{copy.options.prefix}*"
    statements: list[Mapping[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration", "s3:ListBucket"],
            "Resource": copy.source_arn,
        },
        {
            "Effect": "Allow",
            "Action": [
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionTagging",
                "s3:GetObjectRetention",
                "s3:GetObjectLegalHold",
                "s3:InitiateReplication",
            ],
            "Resource": objects,
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
            "Resource": f"{copy.copy_arn}/*",
        },
    ]
    if replica_key:
        statements += [
            {
                "Effect": "Allow",
                "Action": "kms:Decrypt",
                "Resource": source_key or f"arn:aws:kms:{copy.source_region}:{copy.source_account}:key/*",
                "Condition": {"StringLike": {"kms:ViaService": f"s3.{copy.source_region}.amazonaws.com"}},
            },
            {
                "Effect": "Allow",
                "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
                "Resource": replica_key,
                "Condition": {"StringLike": {"kms:ViaService": f"s3.{copy.vault_region}.amazonaws.com"}},
            },
        ]
    return _document(*statements)


def copy_policy(copy: BucketCopy) -> Document:
    """Only the replication's role may write, only replicas; the readers may read. Whoever else is denied by default."""
    statements: list[Mapping[str, Any]] = [
        {
            "Sid": "Replicas",
            "Effect": "Allow",
            "Principal": {"AWS": copy.role_arn},
            "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
            "Resource": f"{copy.copy_arn}/*",
        },
        {
            "Sid": "ReplicasBucket",
            "Effect": "Allow",
            "Principal": {"AWS": copy.role_arn},
            "Action": ["s3:GetBucketVersioning", "s3:ListBucket"],
            "Resource": copy.copy_arn,
        },
    ]
    for account in copy.readers:
        statements += reading(copy.copy_bucket, account, f"Reader{account}")
    return _document(*statements)


def reading(bucket: str, account: str, sid: str) -> list[Document]:
    """Statements by which an account may read all versions of a bucket."""
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    arn = f"arn:aws:s3:::{bucket}"
    return [
        {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": READ_OBJECTS, "Resource": f"{arn}/*"},
        {"Sid": f"{sid}Lists", "Effect": "Allow", "Principal": principal, "Action": READ_LISTS, "Resource": arn},
    ]


def key_policy(copy: BucketCopy) -> Document:
    """The vault's own key: the vault manages it, replication encrypts with it, readers decrypt."""
    statements: list[Mapping[str, Any]] = [
        {
            "Sid": "Vault",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{copy.vault_account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Replicas",
            "Effect": "Allow",
            "Principal": {"AWS": copy.role_arn},
            "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
            "Resource": "*",
        },
    ]
    readers = sorted({*copy.readers, copy.source_account} - {copy.vault_account})
    statements.append(
        {
            "Sid": "Readers",
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in readers]},
            "Action": "kms:Decrypt",
            "Resource": "*",
        }
    )
    return _document(*statements)


def _document(*statements: Mapping[str, Any]) -> Document:
    return {"Version": VERSION, "Statement": [dict(statement) for statement in statements]}
