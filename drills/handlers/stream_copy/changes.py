"""What the records of a stream say: which item became what, in which order."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any

from .errors import Poison

Item = Mapping[str, Mapping[str, Any]]
"""Attribute values as the low-level client takes them: numbers as their own text, binary as bytes."""
SEQUENCE_DIGITS = 40
CHANGES_PER_TRANSACTION = 50
"""Two actions a change. Source: DynamoDB API reference, TransactWriteItems: up to 100 actions."""
BYTES_PER_TRANSACTION = 3_500_000
"""Below the 4 MB of a transaction, which also counts the markers. Source: as above."""
LARGEST_ITEM_BYTES = 400 * 1024


def version_of(stream_label: str, sequence: str) -> str:
    """``label#sequence``, comparable as text: a re-enabled stream is newer than all of the one before it."""
    return f"{stream_label}#{sequence.zfill(SEQUENCE_DIGITS)}"


def marker_id(keys: Item) -> str:
    """The marker of the item with these key attributes: a digest, because a key may be as long as a key can be."""
    canonical = [[name, *_canonical_key(keys[name])] for name in sorted(keys)]
    return hashlib.sha256(json.dumps(canonical, separators=(",", ":")).encode()).hexdigest()


def _canonical_key(value: Mapping[str, Any]) -> tuple[str, str]:
    ((kind, content),) = value.items()
    if kind == "N":
        number = Decimal(content).normalize(Context(prec=SEQUENCE_DIGITS))
        return kind, "0" if number == 0 else str(number)
    if kind == "B":
        return kind, base64.b64encode(content).decode()
    return kind, content


def value_from_event(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """An attribute value of a Lambda event → the client's: binary comes as base64 text, the rest stays as it is."""
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64decode(content, validate=True)}
        case "BS":
            return {"BS": [base64.b64decode(member, validate=True) for member in content]}
        case "L":
            return {"L": [value_from_event(member) for member in content]}
        case "M":
            return {"M": {name: value_from_event(member) for name, member in content.items()}}
        case _:
            return value


def item_from_event(image: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: value_from_event(value) for name, value in image.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the stream, understood. ``image`` is None for a deletion; ``earlier`` is what it made needless."""

    position: int
    version: str
    keys: Item
    image: Item | None
    marker: str
    source_at: int
    size_bytes: int
    record: Mapping[str, Any]
    earlier: Change | None = None


def change_of(record: Mapping[str, Any], position: int) -> Change:
    """Raises whatever a malformed record provokes; the caller sets it aside."""
    data = record["dynamodb"]
    keys = item_from_event(data["Keys"])
    deleted = record["eventName"] == "REMOVE"
    if not deleted and "NewImage" not in data:
        raise Poison("no NewImage: the stream's view type must be NEW_IMAGE or NEW_AND_OLD_IMAGES")
    return Change(
        position=position,
        version=version_of(stream_label(record), data["SequenceNumber"]),
        keys=keys,
        image=None if deleted else item_from_event(data["NewImage"]),
        marker=marker_id(keys),
        source_at=int(data.get("ApproximateCreationDateTime", 0)),
        size_bytes=int(data.get("SizeBytes", LARGEST_ITEM_BYTES)),
        record=record,
    )


def stream_label(record: Mapping[str, Any]) -> str:
    """The label at the end of ``arn:…:table/<name>/stream/<label>``."""
    return str(record["eventSourceARN"]).rpartition("/")[2]


def waves(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Changes in the order of their item, no item twice in a wave. Puts that the next put replaces are left out."""
    by_marker: dict[str, list[Change]] = {}
    for change in changes:
        queue = by_marker.setdefault(change.marker, [])
        if queue and queue[-1].image is not None and change.image is not None:
            queue[-1] = replace(change, earlier=queue[-1])
        else:
            queue.append(change)
    depth = max(map(len, by_marker.values()), default=0)
    for level in range(depth):
        yield [queue[level] for queue in by_marker.values() if level < len(queue)]


def transactions(wave: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut a wave to what fits into one transaction."""
    chunk: list[Change] = []
    size = 0
    for change in wave:
        if chunk and (len(chunk) == CHANGES_PER_TRANSACTION or size + change.size_bytes > BYTES_PER_TRANSACTION):
            yield chunk
            chunk, size = [], 0
        chunk.append(change)
        size += change.size_bytes
    if chunk:
        yield chunk
