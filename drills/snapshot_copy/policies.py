"""Who may do what: the policies of a copy, as documents. Nothing here calls AWS.

Source: service authorization reference, Amazon RDS; RDS user guide, Sharing encrypted snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.handlers.snapshot_copy import COPY_TAG, METRIC_NAMESPACE, VAULT_TAG
from drills.snapshot_copy.model import Side, SnapshotCopy

VERSION = "2012-10-17"
Document = Mapping[str, Any]
READ = (
    "rds:DescribeDBClusters",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshots",
    "rds:DescribeOptionGroups",
    "rds:ListTagsForResource",
)
USE_OF_A_KEY = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
)


def function_trust() -> Document:
    return _document({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})


def production_policy(copy: SnapshotCopy) -> Document:
    """Take snapshots of anything, copy, share and delete those of this copy alone, by way of RDS use its account's
    keys."""
    here = f"arn:aws:rds:{copy.source_region}:{copy.source_account}"
    ours = _own_snapshots(copy, copy.source_account, copy.source_region, copy.vault_region)
    return _document(
        {"Effect": "Allow", "Action": [*READ, *_attributes()], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["rds:CreateDBSnapshot", "rds:CreateDBClusterSnapshot"],
            "Resource": [f"{here}:db:*", f"{here}:cluster:*", *ours],
        },
        {
            "Effect": "Allow",
            "Action": ["rds:CopyDBSnapshot", "rds:CopyDBClusterSnapshot"],
            "Resource": [
                *ours,
                f"{here}:snapshot:rds:*",
                f"{here}:cluster-snapshot:rds:*",
                *_option_groups(copy, copy.source_account),
            ],
        },
        {
            "Effect": "Allow",
            "Action": [
                "rds:AddTagsToResource",
                "rds:ModifyDBSnapshotAttribute",
                "rds:ModifyDBClusterSnapshotAttribute",
                "rds:DeleteDBSnapshot",
                "rds:DeleteDBClusterSnapshot",
            ],
            "Resource": ours,
        },
        _making_groups(copy, copy.source_account),
        _keys(f"arn:aws:kms:{copy.source_region}:{copy.source_account}:key/*"),
        _keys(f"arn:aws:kms:{copy.vault_region}:{copy.source_account}:key/*"),
        *_telling(copy, "production"),
    )


def vault_policy(copy: SnapshotCopy) -> Document:
    """Copy what production shares, delete and share those of this copy alone, ask production by its reader role."""
    ours = _own_snapshots(copy, copy.vault_account, copy.vault_region)
    offered = _own_snapshots(copy, copy.source_account, copy.vault_region)
    return _document(
        {"Effect": "Allow", "Action": [*READ, *_attributes()], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["rds:CopyDBSnapshot", "rds:CopyDBClusterSnapshot"],
            "Resource": [*ours, *offered, *_option_groups(copy, copy.vault_account)],
        },
        {
            "Effect": "Allow",
            "Action": [
                "rds:AddTagsToResource",
                "rds:ModifyDBSnapshotAttribute",
                "rds:ModifyDBClusterSnapshotAttribute",
                "rds:DeleteDBSnapshot",
                "rds:DeleteDBClusterSnapshot",
            ],
            "Resource": ours,
        },
        _making_groups(copy, copy.vault_account),
        _keys(f"arn:aws:kms:{copy.vault_region}:{copy.vault_account}:key/*"),
        _keys(f"arn:aws:kms:{copy.vault_region}:{copy.source_account}:key/*"),
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": copy.reader_role_arn},
        *_telling(copy, "vault"),
    )


def reader_trust(copy: SnapshotCopy) -> Document:
    """Only the vault's function, and only for this copy."""
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": copy.role_arn("vault")},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": copy.external_id}},
        }
    )


def reader_policy(copy: SnapshotCopy) -> Document:
    """See databases and snapshots with their tags, and mark a snapshot of this copy with what the vault does."""
    return _document(
        {"Effect": "Allow", "Action": list(READ), "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "rds:AddTagsToResource",
            "Resource": _own_snapshots(copy, copy.source_account, copy.vault_region),
            "Condition": {
                "StringEquals": {f"aws:ResourceTag/{COPY_TAG}": copy.name},
                "ForAllValues:StringEquals": {"aws:TagKeys": [VAULT_TAG]},
            },
        },
    )


def key_policy(copy: SnapshotCopy, side: Side) -> Document:
    """The account itself, and who has to read what is encrypted with it: the vault, or who restores from the vault."""
    account, _ = copy.place(side)
    others = [copy.vault_account] if side == "production" else list(copy.readers)
    others = [one for one in dict.fromkeys(others) if one != account]
    root = {"Effect": "Allow", "Principal": {"AWS": _root(account)}, "Action": "kms:*", "Resource": "*"}
    if not others:
        return _document(root)
    principals = {"AWS": [_root(one) for one in others]}
    return _document(
        root,
        {
            "Effect": "Allow",
            "Principal": principals,
            "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:ReEncryptFrom"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Principal": principals,
            "Action": "kms:CreateGrant",
            "Resource": "*",
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    )


def _root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def _own_snapshots(copy: SnapshotCopy, account: str, *regions: str) -> list[str]:
    return [
        f"arn:aws:rds:{region}:{account}:{word}:{copy.prefix}-*"
        for region in dict.fromkeys(regions)
        for word in ("snapshot", "cluster-snapshot")
    ]


def _option_groups(copy: SnapshotCopy, account: str) -> list[str]:
    """Those that copies can be bound to: its own, and those that it was told."""
    names = (f"{copy.prefix}-*", *copy.options.option_groups.values())
    return [f"arn:aws:rds:{copy.vault_region}:{account}:og:{name}" for name in names]


def _making_groups(copy: SnapshotCopy, account: str) -> Mapping[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [
            "rds:AddTagsToResource",
            "rds:CreateOptionGroup",
            "rds:DeleteOptionGroup",
            "rds:ModifyOptionGroup",
        ],
        "Resource": f"arn:aws:rds:{copy.vault_region}:{account}:og:{copy.prefix}-*",
    }


def _attributes() -> tuple[str, ...]:
    return ("rds:DescribeDBSnapshotAttributes", "rds:DescribeDBClusterSnapshotAttributes")


def _keys(resource: str) -> Mapping[str, Any]:
    """Keys by way of RDS and no other."""
    region = resource.split(":")[3]
    return {
        "Effect": "Allow",
        "Action": list(USE_OF_A_KEY),
        "Resource": resource,
        "Condition": {"StringEquals": {"kms:ViaService": f"rds.{region}.amazonaws.com"}},
    }


def _telling(copy: SnapshotCopy, side: Side) -> list[Mapping[str, Any]]:
    account, region = copy.place(side)
    logs = f"arn:aws:logs:{region}:{account}:log-group:/aws/lambda/{copy.function(side)}"
    return [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [logs, f"{logs}:*"],
        },
        {
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACE}},
        },
    ]


def _document(*statements: Mapping[str, Any]) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
