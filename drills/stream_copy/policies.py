"""Who may do what: the policies of a copy, as documents. Nothing here calls AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drills.handlers.stream_copy import METRIC_NAMESPACE
from drills.stream_copy.model import StreamCopy

VERSION = "2012-10-17"
Document = Mapping[str, Any]


def function_trust() -> Document:
    return _document({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})


def function_policy(copy: StreamCopy) -> Document:
    """Read its one stream, write its logs and metric, use the one role of the vault, send to its one queue."""
    here = f"{copy.source_region}:{copy.source_account}"
    logs = f"arn:aws:logs:{here}:log-group:/aws/lambda/{copy.function}"
    return _document(
        {
            "Effect": "Allow",
            "Action": [
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ],
            "Resource": f"arn:aws:dynamodb:{here}:table/{copy.source_table}/stream/*",
        },
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
        {"Effect": "Allow", "Action": "lambda:ListEventSourceMappings", "Resource": "*"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": copy.vault_role_arn},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": copy.queue_arn},
    )


def vault_trust(copy: StreamCopy) -> Document:
    """Only the function's role, and only for this copy."""
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": copy.production_role_arn},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": copy.external_id}},
        }
    )


def vault_policy(copy: StreamCopy) -> Document:
    """Write items and markers, set records aside. Nothing that deletes a table, a backup or the recovery window.

    A transaction needs the permissions of its actions. Source: DynamoDB developer guide, IAM and transactions.
    """
    tables = f"arn:aws:dynamodb:{copy.vault_region}:{copy.vault_account}:table"
    return _document(
        {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:DeleteItem"],
            "Resource": f"{tables}/{copy.copy_table}",
        },
        {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"],
            "Resource": f"{tables}/{copy.marker_table}",
        },
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{copy.bucket}/{copy.aside_prefix}*",
        },
    )


def _document(*statements: Mapping[str, Any]) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
