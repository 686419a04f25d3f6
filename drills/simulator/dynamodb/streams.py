"""DynamoDB Streams: switched on and off with the table, read through the Streams API.

Source: DynamoDB Streams API reference; DynamoDB developer guide, Change data capture for DynamoDB Streams.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import DynamoDBBackend

from drills.simulator.dynamodb.answers import Body, Refused, Request, Response, invalid, operation
from drills.simulator.dynamodb.shards import Sequences, Shard, Stream, StreamSettings
from drills.simulator.dynamodb.stream_records import record_json
from drills.simulator.dynamodb.table import SimulatedTable, table_deleted
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation

VIEW_TYPES = ("NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY")
ITERATOR_LIFE = timedelta(minutes=15)
RECORDS_PER_CALL = 1000
BYTES_PER_CALL = 1_000_000
SHARDS_PER_CALL = 100
STREAMS_PER_CALL = 100
ITERATOR_TYPES = ("TRIM_HORIZON", "LATEST", "AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")

settings = StreamSettings()
"""How new streams are cut into shards; as it was at the beginning of each simulated AWS."""

_streams: dict[str, Stream] = {}
_sequences = Sequences()


def begin(_: Simulation) -> None:
    """Forget the streams of an earlier simulated AWS."""
    global _sequences
    _streams.clear()
    _sequences = Sequences()
    settings.shards, settings.shard_hours, settings.children = 4, 4.0, 1


def stream_named(arn: str) -> Stream | None:
    """The stream with this ARN, its shards up to date; None if there is none or it went 24 hours after its end."""
    stream = _streams.get(arn)
    if stream is None:
        return None
    now = datetime.now(UTC)
    stream.refresh(now)
    if stream.gone(now):
        del _streams[arn]
        return None
    return stream


# --- On and off


def set_stream_specification(self: SimulatedTable, streams: dict[str, Any] | None) -> None:
    """In place of moto's: a new stream each time; moto's own shard stays away."""
    self.stream_shard = None
    wanted = bool(streams and (streams.get("StreamEnabled") or streams.get("StreamViewType")))
    if not wanted or streams is None:
        self.stream_specification = {"StreamEnabled": False}
        _end_stream(self)
        return
    view_type = streams.get("StreamViewType")
    if view_type not in VIEW_TYPES:
        raise MockValidationException(
            "One or more parameter values were invalid: StreamViewType is required and must be one of "
            f"{', '.join(VIEW_TYPES)} when the stream is enabled"
        )
    self.stream_specification = {"StreamEnabled": True, "StreamViewType": view_type}
    self.latest_stream_label = _new_label(self)
    stream = Stream(self, self.latest_stream_label, view_type, datetime.now(UTC), settings, _sequences)
    _streams[stream.arn] = stream
    self.observers.append(stream.observe)


def update_table_streams(self: DynamoDBBackend, table: SimulatedTable, stream_specification: dict[str, Any]) -> None:
    """In place of moto's, which cannot enable a stream a second time. Refuses what is so already."""
    is_on = bool(table.stream_specification and table.stream_specification["StreamEnabled"])
    wanted = bool(stream_specification.get("StreamEnabled") or stream_specification.get("StreamViewType"))
    if is_on == wanted:
        state = "an enabled" if is_on else "a disabled"
        raise MockValidationException(f"Table already has {state} stream: TableName: {table.name}")
    table.set_stream_specification(stream_specification)


def _new_label(table: SimulatedTable) -> str:
    """The moment to the millisecond, later than every label the table's name has had."""
    now = datetime.now(UTC).replace(tzinfo=None)
    earlier = {stream.label for stream in _streams.values() if stream.arn.startswith(f"{table.table_arn}/")}
    while (label := now.isoformat(timespec="milliseconds")) <= max(earlier, default=""):
        now += timedelta(milliseconds=1)
    return label


def _end_stream(table: SimulatedTable) -> None:
    stream = _streams.get(f"{table.table_arn}/stream/{table.latest_stream_label}")
    if stream is not None and stream.disabled is None:
        stream.disable(datetime.now(UTC))
        if stream.observe in table.observers:
            table.observers.remove(stream.observe)


# A deleted table's stream is disabled and stays for 24 hours. Source: DynamoDB API reference, DeleteTable.
table_deleted.append(_end_stream)


# --- Describing


def _stream_or_not_found(request: Request, arn: str) -> Stream:
    stream = stream_named(arn)
    if stream is None or (stream.account, stream.region) != (request.account, request.region):
        raise Refused("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")
    return stream


@operation
def list_streams(request: Request, body: Body) -> Body:
    """ListStreams, oldest first within a table."""
    here = [
        stream
        for arn in sorted(_streams)
        if (stream := stream_named(arn)) is not None
        and (stream.account, stream.region) == (request.account, request.region)
        and str(body.get("TableName") or stream.table_name).rpartition("/")[2] == stream.table_name
        and arn > body.get("ExclusiveStartStreamArn", "")
    ]
    limit = body.get("Limit", STREAMS_PER_CALL)
    page = here[:limit]
    result: Body = {
        "Streams": [
            {"StreamArn": stream.arn, "TableName": stream.table_name, "StreamLabel": stream.label} for stream in page
        ]
    }
    if len(here) > limit:
        result["LastEvaluatedStreamArn"] = page[-1].arn
    return result


@operation
def describe_stream(request: Request, body: Body) -> Body:
    """DescribeStream, its shards in the order of their creation."""
    stream = _stream_or_not_found(request, body["StreamArn"])
    after, limit = body.get("ExclusiveStartShardId", ""), body.get("Limit", SHARDS_PER_CALL)
    wanted = body.get("ShardFilter")
    shards = [
        shard
        for shard_id, shard in sorted(stream.shards.items())
        if shard_id > after and (wanted is None or shard.parent == wanted.get("ShardId"))
    ]
    page = shards[:limit]
    description: Body = {
        "StreamArn": stream.arn,
        "StreamLabel": stream.label,
        "StreamStatus": stream.status,
        "StreamViewType": stream.view_type,
        "CreationRequestDateTime": stream.created,
        "TableName": stream.table_name,
        "KeySchema": stream.key_schema,
        "Shards": [_described(shard) for shard in page],
    }
    if len(shards) > limit:
        description["LastEvaluatedShardId"] = page[-1].id
    return {"StreamDescription": description}


def _described(shard: Shard) -> Body:
    numbers = {"StartingSequenceNumber": str(shard.starting)}
    if shard.ending is not None:
        numbers["EndingSequenceNumber"] = str(shard.ending)
    described: Body = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parent is not None:
        described["ParentShardId"] = shard.parent
    return described


# --- Reading


@operation
def get_shard_iterator(request: Request, body: Body) -> Body:
    """GetShardIterator."""
    stream = _stream_or_not_found(request, body["StreamArn"])
    shard = stream.shards.get(body["ShardId"])
    if shard is None:
        raise Refused(
            "ResourceNotFoundException", f"Requested resource not found: Shard: {body['ShardId']} in {stream.arn}"
        )
    return {"ShardIterator": _iterator(stream, shard, _first_wanted(stream, shard, body))}


def _first_wanted(stream: Stream, shard: Shard, body: Body) -> int:
    kind = body["ShardIteratorType"]
    if kind == "TRIM_HORIZON":
        return shard.trimmed_through + 1
    if kind == "LATEST":
        return stream.latest
    if kind not in ITERATOR_TYPES:
        raise invalid(f"ShardIteratorType {kind!r} is not supported: expected one of {', '.join(ITERATOR_TYPES)}")
    if not str(body.get("SequenceNumber", "")).isdigit():
        raise invalid(f"{kind} needs a SequenceNumber, a decimal number")
    sequence: int = int(body["SequenceNumber"]) + (kind == "AFTER_SEQUENCE_NUMBER")
    if sequence < shard.starting or (shard.ending is not None and sequence > shard.ending + 1):
        raise invalid(f"Invalid SequenceNumber: {body['SequenceNumber']} is not of shard {shard.id}")
    if sequence <= shard.trimmed_through:
        raise _trimmed()
    return sequence


def _trimmed() -> Refused:
    return Refused(
        "TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard."
    )


def _iterator(stream: Stream, shard: Shard, sequence: int) -> str:
    content = orjson.dumps([shard.id, str(sequence), datetime.now(UTC).timestamp()])
    return f"{stream.arn}|1|{urlsafe_b64encode(content).decode()}"


def _understood(text: str) -> tuple[str, str, int, datetime]:
    """ARN, shard, sequence number and moment of issue of an iterator."""
    arn, _, content = text.rpartition("|1|")
    try:
        shard_id, sequence, issued = orjson.loads(urlsafe_b64decode(content))
        return arn, shard_id, int(sequence), datetime.fromtimestamp(issued, UTC)
    except (ValueError, TypeError) as error:
        raise invalid("Invalid ShardIterator") from error


@operation
def _get_records(request: Request, body: Body) -> Body:
    arn, shard_id, sequence, issued = _understood(body["ShardIterator"])
    limit = body.get("Limit", RECORDS_PER_CALL)
    if not 1 <= limit <= RECORDS_PER_CALL:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have "
            f"value {'greater' if limit < 1 else 'less'} than or equal to {1 if limit < 1 else RECORDS_PER_CALL}"
        )
    stream = _stream_or_not_found(request, arn)
    if datetime.now(UTC) - issued > ITERATOR_LIFE:
        raise Refused("ExpiredIteratorException", "The shard iterator has expired and can no longer be used.")
    shard = stream.shards.get(shard_id)
    if shard is None or sequence <= shard.trimmed_through:
        raise _trimmed()
    page = list(page_of(stream, shard, sequence, limit))
    following = page[-1][1] if page else sequence
    result: Body = {"Records": [orjson.Fragment(record) for record, _ in page]}
    if not shard.ends_before(following):
        result["NextShardIterator"] = _iterator(stream, shard, following)
    return result


def page_of(stream: Stream, shard: Shard, sequence: int, limit: int) -> Iterator[tuple[bytes, int]]:
    """Up to ``limit`` records or 1 MB from a sequence number on, each with the sequence number to go on from."""
    total = 0
    start = shard.index_of(sequence)
    for index in range(start, min(start + limit, len(shard.changes))):
        record, size = record_json(stream, shard.sequences[index], shard.changes[index])
        total += size
        if index > start and total > BYTES_PER_CALL:
            return
        yield record, shard.sequences[index] + 1


def get_records(request: Request) -> Response | None:
    """GetRecords. The records' JSON goes out as it is, without being parsed again."""
    return _get_records(request)


OPERATIONS = {
    "dynamodb:ListStreams": list_streams,
    "dynamodb:DescribeStream": describe_stream,
    "dynamodb:GetShardIterator": get_shard_iterator,
    "dynamodb:GetRecords": get_records,
}

REPLACEMENTS = (
    Replacement(
        "moto.dynamodb.models.table:Table.set_stream_specification",
        set_stream_specification,
        "moto's stream has one shard, keeps object trees, loses what was written when it is switched off",
        digest="40d64546dbe9",
    ),
    Replacement(
        "moto.dynamodb.models:DynamoDBBackend.update_table_streams",
        update_table_streams,
        "moto never lets a stream be enabled a second time",
        digest="4b36bdd96688",
    ),
)
