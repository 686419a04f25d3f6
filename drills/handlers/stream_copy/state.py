"""How far the copy has come, and when it was last at work: told to the vault, which can tell from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from .changes import Change

CONTINUITY_SECONDS = 23 * 3600
"""A stream keeps 24 h: a copy that was not seen at work for longer than this may have missed records."""
STATE_ROW = "state"


def tell_state(client: Any, marker_table: str, newest: Change) -> None:
    """Write how far the copy has come, so that the vault alone can tell. One call; two after a long silence."""
    now = datetime.now(UTC)
    try:
        answer = client.update_item(
            TableName=marker_table,
            Key={"id": {"S": STATE_ROW}},
            UpdateExpression="SET newest_version = :v, newest_source_at = :t, seen_at = :now",
            ConditionExpression="attribute_not_exists(newest_version) OR newest_version < :v",
            ExpressionAttributeValues={
                ":v": {"S": newest.version},
                ":t": {"N": str(newest.source_at)},
                ":now": {"N": str(int(now.timestamp()))},
            },
            ReturnValues="UPDATED_OLD",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return
    _tell_silence(client, marker_table, answer, now)


def _tell_silence(client: Any, marker_table: str, answer: Mapping[str, Any], now: datetime) -> None:
    seen_before = int(answer.get("Attributes", {}).get("seen_at", {"N": "0"})["N"])
    if seen_before and now.timestamp() - seen_before > CONTINUITY_SECONDS:
        client.update_item(
            TableName=marker_table,
            Key={"id": {"S": STATE_ROW}},
            UpdateExpression="SET unseen_from = if_not_exists(unseen_from, :from), unseen_to = :to",
            ExpressionAttributeValues={":from": {"N": str(seen_before)}, ":to": {"N": str(int(now.timestamp()))}},
        )


def tell_seen(client: Any, marker_table: str) -> None:
    """Note that the copy is at work though nothing was written: tells a quiet table from a copy that stopped."""
    now = datetime.now(UTC)
    answer = client.update_item(
        TableName=marker_table,
        Key={"id": {"S": STATE_ROW}},
        UpdateExpression="SET seen_at = :now",
        ExpressionAttributeValues={":now": {"N": str(int(now.timestamp()))}},
        ReturnValues="UPDATED_OLD",
    )
    _tell_silence(client, marker_table, answer, now)
