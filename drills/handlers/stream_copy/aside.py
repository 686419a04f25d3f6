"""What is set aside: where it lies, and how it reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .changes import SEQUENCE_DIGITS, stream_label


def aside_key(prefix: str, record: Mapping[str, Any]) -> str:
    """``<prefix><table>/<stream label>/<sequence>.json``, or a digest of the record where it has none of these."""
    try:
        table = str(record["eventSourceARN"]).split("/")[1]
        label = stream_label(record).replace(":", "-")
        return f"{prefix}{table}/{label}/{record['dynamodb']['SequenceNumber'].zfill(SEQUENCE_DIGITS)}.json"
    except Exception:  # noqa: BLE001 - the record may be anything.
        digest = hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()
        return f"{prefix}unreadable/{digest}.json"


def aside_document(record: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """What is set aside: why, the item as people read it, and the record itself, complete."""
    data = record.get("dynamodb", {}) if isinstance(record, Mapping) else {}
    return {
        "reason": f"{type(error).__name__}: {error}",
        "set_aside_at": datetime.now(UTC).isoformat(),
        "item": data.get("NewImage") if isinstance(data, Mapping) else None,
        "record": record,
    }
