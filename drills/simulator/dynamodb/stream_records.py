"""A stream's record as JSON: as GetRecords gives it, and as a function's event has it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from drills.simulator.dynamodb.rows import loads
from drills.simulator.dynamodb.validation import item_size

if TYPE_CHECKING:
    from drills.simulator.dynamodb.shards import Stream
    from drills.simulator.dynamodb.table import Change

OLD_IMAGES = frozenset(("OLD_IMAGE", "NEW_AND_OLD_IMAGES"))
NEW_IMAGES = frozenset(("NEW_IMAGE", "NEW_AND_OLD_IMAGES"))
EXPIRED_FOR_API = b',"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}'
EXPIRED_FOR_FUNCTION = b',"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}'


def event_name(change: Change) -> str:
    if change.old is None:
        return "INSERT"
    return "REMOVE" if change.new is None else "MODIFY"


def record_json(stream: Stream, sequence: int, change: Change, *, for_function: bool = False) -> tuple[bytes, int]:
    """The record and its size in bytes as the stream counts it: keys and images.

    Source: DynamoDB Streams API reference, Record and StreamRecord; Lambda developer guide, example DynamoDB event.
    """
    new = change.new if stream.view_type in NEW_IMAGES else None
    old = change.old if stream.view_type in OLD_IMAGES else None
    image = change.new if change.new is not None else change.old
    assert image is not None
    attributes = loads(image)
    keys = {name: attributes[name] for name in stream.key_names}
    size = item_size(keys)
    if new is not None:
        size += item_size(attributes)
    if old is not None:
        size += item_size(attributes if old is image else loads(old))
    parts = [
        b'{"eventID":"%b","eventName":"%b","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"%b",'
        b'"dynamodb":{"ApproximateCreationDateTime":%d,"Keys":%b,'
        % (
            event_id(stream, sequence).encode(),
            event_name(change).encode(),
            stream.region.encode(),
            change.at.timestamp(),
            orjson.dumps(keys),
        )
    ]
    if new is not None:
        parts += (b'"NewImage":', new, b",")
    if old is not None:
        parts += (b'"OldImage":', old, b",")
    parts.append(
        b'"SequenceNumber":"%d","SizeBytes":%d,"StreamViewType":"%b"}' % (sequence, size, stream.view_type.encode())
    )
    if change.cause == "ttl":
        parts.append(EXPIRED_FOR_FUNCTION if for_function else EXPIRED_FOR_API)
    parts.append(b',"eventSourceARN":"%b"}' % stream.arn.encode() if for_function else b"}")
    return b"".join(parts), size


def event_id(stream: Stream, sequence: int) -> str:
    """32 hexadecimal digits, the same for the same record whenever it is read."""
    return blake2b(f"{stream.arn}/{sequence}".encode(), digest_size=16).hexdigest()
