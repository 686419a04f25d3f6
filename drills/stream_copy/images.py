"""Items that do not come from a stream, as the changes and records a stream would have made of them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from drills.handlers.stream_copy import Change, Item, marker_id, version_of

OVERHEAD_BYTES = 100
BEGINNING = "0"
"""The sequence number before all others of a stream."""


def size_bytes(value: Any) -> int:
    """About what DynamoDB reckons for attribute values, never much less. Source: developer guide, item sizes."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Mapping):
        return sum(size_bytes(name) + size_bytes(member) for name, member in value.items())
    if isinstance(value, Sequence):
        return sum(map(size_bytes, value)) + len(value)
    return 1


def value_to_event(value: Mapping[str, Any]) -> dict[str, Any]:
    """The opposite of the function's ``value_from_event``."""
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": base64.b64encode(content).decode()}
        case "BS":
            return {"BS": [base64.b64encode(member).decode() for member in content]}
        case "L":
            return {"L": [value_to_event(member) for member in content]}
        case "M":
            return {"M": {name: value_to_event(member) for name, member in content.items()}}
        case _:
            return {kind: content}


def item_to_event(item: Item) -> dict[str, Any]:
    return {name: value_to_event(value) for name, value in item.items()}


def keys_of(item: Item, key_names: Sequence[str]) -> Item:
    return {name: item[name] for name in key_names}


def change_at_beginning(label: str, keys: Item, image: Item | None) -> Change:
    """What the item is, as of before the first record of the stream; None for image where it is not there at all."""
    return Change(
        position=0,
        version=version_of(label, BEGINNING),
        keys=keys,
        image=image,
        marker=marker_id(keys),
        source_at=0,
        size_bytes=OVERHEAD_BYTES + size_bytes(image or keys),
        record={},
    )


def record_of(change: Change, stream_arn: str) -> dict[str, Any]:
    """A stream record that would have made this change."""
    data: dict[str, Any] = {"Keys": item_to_event(change.keys), "SequenceNumber": BEGINNING}
    if change.image is not None:
        data["NewImage"] = item_to_event(change.image)
    return {
        "eventID": f"backfill-{change.marker}",
        "eventName": "REMOVE" if change.image is None else "INSERT",
        "eventSourceARN": stream_arn,
        "dynamodb": data,
    }
