"""Rows of the marker table other than markers: how far the copy has come, and how far a backfill has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drills.handlers.stream_copy import CONTINUITY_SECONDS, STATE_ROW

BACKFILL_ROW = "backfill"


def moment(row: Mapping[str, Any], name: str) -> datetime | None:
    """An attribute in epoch seconds, None where it is missing."""
    return datetime.fromtimestamp(int(row[name]["N"]), UTC) if name in row else None


def read_row(dynamodb: Any, table: str, row_id: str) -> Mapping[str, Any]:
    """A row's attributes, empty where there is none."""
    answer = dynamodb.get_item(TableName=table, Key={"id": {"S": row_id}}, ConsistentRead=True)
    found: Mapping[str, Any] = answer.get("Item", {})
    return found


@dataclass(frozen=True, slots=True)
class BackfillState:
    """The last backfill that was begun. Its version is that of the very beginning of the stream ``label``."""

    label: str
    segments: int
    started_at: datetime
    finished_at: datetime | None
    first: bool
    """Whether nothing was copied before it, so that there can be nothing to remove."""

    @classmethod
    def read(cls, dynamodb: Any, table: str) -> BackfillState | None:
        row = read_row(dynamodb, table, BACKFILL_ROW)
        started = moment(row, "started_at")
        if started is None:
            return None
        return cls(
            row["label"]["S"],
            int(row["segments"]["N"]),
            started,
            moment(row, "finished_at"),
            bool(row["first"]["BOOL"]),
        )

    def write(self, dynamodb: Any, table: str) -> None:
        item = {
            "id": {"S": BACKFILL_ROW},
            "label": {"S": self.label},
            "segments": {"N": str(self.segments)},
            "started_at": {"N": str(int(self.started_at.timestamp()))},
            "first": {"BOOL": self.first},
        }
        if self.finished_at is not None:
            item["finished_at"] = {"N": str(int(self.finished_at.timestamp()))}
        dynamodb.put_item(TableName=table, Item=item)


@dataclass(frozen=True, slots=True)
class SegmentState:
    """How far one segment of a backfill has come."""

    done: bool = False
    last_key: Mapping[str, Any] | None = None

    @staticmethod
    def row_id(label: str, segment: int, phase: str) -> str:
        return f"{BACKFILL_ROW}/{label}/{phase}/{segment}"

    @classmethod
    def read(cls, dynamodb: Any, table: str, row_id: str) -> SegmentState:
        row = read_row(dynamodb, table, row_id)
        return cls("done" in row, row["last_key"]["M"] if "last_key" in row else None)

    def write(self, dynamodb: Any, table: str, row_id: str) -> None:
        item: dict[str, Any] = {"id": {"S": row_id}}
        if self.done:
            item["done"] = {"BOOL": True}
        if self.last_key is not None:
            item["last_key"] = {"M": self.last_key}
        dynamodb.put_item(TableName=table, Item=item)


def covered_by(label: str, unseen_to: datetime | None) -> bool:
    """Whether a silence that ended then is covered by a backfill for the stream ``label``.

    A stream loses nothing in its first 24 hours, and whatever was missed before it began the backfill brings over.
    """
    if unseen_to is None:
        return True
    try:
        began = datetime.fromisoformat(label)
    except ValueError:
        return False
    return (unseen_to - began.replace(tzinfo=began.tzinfo or UTC)).total_seconds() < CONTINUITY_SECONDS


def forget_gap(dynamodb: Any, table: str, label: str) -> None:
    """Once a backfill for ``label`` is finished: drop the note of a silence that it covers."""
    silence = moment(read_row(dynamodb, table, STATE_ROW), "unseen_to")
    if silence is not None and covered_by(label, silence):
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": STATE_ROW}},
            UpdateExpression="REMOVE unseen_from, unseen_to",
            ConditionExpression="unseen_to = :to",
            ExpressionAttributeValues={":to": {"N": str(int(silence.timestamp()))}},
        )
