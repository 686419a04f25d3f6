"""Exports of a table as of a moment of its recovery window into S3.

Source: DynamoDB API reference, ExportTableToPointInTime; developer guide, "DynamoDB table export output format". Full
exports in DynamoDB JSON only; whether a bucket's policy allows the write is not judged.
"""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from drills.simulator.dynamodb import recovery
from drills.simulator.dynamodb.answers import Body, Refused, Request, find_table, invalid, operation, table_name
from drills.simulator.dynamodb.history import microseconds
from drills.simulator.dynamodb.images import TableImage, image_of
from drills.simulator.dynamodb.objects import OutOfReach, bucket_region, check_bucket, write_object
from drills.simulator.dynamodb.rows import Row
from drills.simulator.dynamodb.shards import HASHES, hash_of
from drills.simulator.dynamodb.underway import later
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current

FILES = 4
"""Data files of one export: AWS writes at least one for each partition, and empty ones for empty partitions."""

CONCURRENT_EXPORTS = 300
EXPORTS_PER_PAGE = 25
TOKEN_HOURS = timedelta(hours=8)


@dataclass(eq=False)
class Export:
    """One export. ``end`` is None while it is under way."""

    arn: str
    image: TableImage
    moment: datetime
    body: Body
    bucket_owner: str
    start: datetime
    status: str = "IN_PROGRESS"
    end: datetime | None = None
    failure: OutOfReach | None = None

    @property
    def folder(self) -> str:
        prefix = str(self.body.get("S3Prefix", "")).strip("/")
        return f"{prefix}/AWSDynamoDB" * bool(prefix) or "AWSDynamoDB"

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    def key(self, name: str) -> str:
        return f"{self.folder}/{self.id}/{name}"

    def description(self) -> Body:
        described: Body = {
            "ExportArn": self.arn,
            "ExportStatus": self.status,
            "StartTime": self.start,
            "TableArn": self.image.arn,
            "TableId": self.image.table_id,
            "ExportTime": self.moment,
            "ClientToken": self.body.get("ClientToken"),
            "S3Bucket": self.body["S3Bucket"],
            "S3BucketOwner": self.bucket_owner,
            "S3Prefix": self.body.get("S3Prefix"),
            "S3SseAlgorithm": self.body.get("S3SseAlgorithm", "AES256"),
            "S3SseKmsKeyId": self.body.get("S3SseKmsKeyId"),
            "ExportFormat": "DYNAMODB_JSON",
            "ExportType": "FULL_EXPORT",
        }
        if self.end is not None:
            described["EndTime"] = self.end
        if self.failure is not None:
            described.update(FailureCode=self.failure.code, FailureMessage=self.failure.message)
        if self.status == "COMPLETED":
            described.update(
                ExportManifest=self.key("manifest-summary.json"),
                BilledSizeBytes=self.image.size_bytes,
                ItemCount=len(self.image.rows),
            )
        return {"ExportDescription": {part: value for part, value in described.items() if value is not None}}


_exports: dict[str, Export] = {}


def begin(_: Simulation) -> None:
    _exports.clear()


@operation
def export_table_to_point_in_time(request: Request, body: Body) -> Body:
    """Export a table as of a second of its window, now by default; the files are there when the modelled time is up."""
    if body.get("ExportFormat", "DYNAMODB_JSON") != "DYNAMODB_JSON":
        raise invalid("The simulated DynamoDB exports DYNAMODB_JSON only: ExportFormat ION is not simulated")
    if body.get("ExportType", "FULL_EXPORT") != "FULL_EXPORT":
        raise invalid("The simulated DynamoDB makes full exports only: INCREMENTAL_EXPORT is not simulated")
    same = _same_token(request, body)
    if same is not None:
        return same.description()
    table, history = _source(request, body["TableArn"])
    moment = _moment(body, history)
    running = sum(one.end is None and one.image.account == request.account for one in _exports.values())
    if running >= CONCURRENT_EXPORTS:
        raise Refused("LimitExceededException", f"There is a limit of {CONCURRENT_EXPORTS} concurrent exports")
    image = image_of(table, history.state_at(moment))
    export = _begin(image, moment, body, request.account)
    return export.description()


def _source(request: Request, arn: str) -> tuple[Any, Any]:
    table = find_table(request.account, request.region, arn)
    if table is None:
        raise Refused("TableNotFoundException", f"Table not found: {table_name(arn)}")
    history = recovery.history_of(table)
    if history is None:
        raise Refused(
            "PointInTimeRecoveryUnavailableException",
            f"Point in time recovery is not enabled for table '{table.name}'",
        )
    return table, history


def _same_token(request: Request, body: Body) -> Export | None:
    token, now = body.get("ClientToken"), current().clock.now()
    for export in _exports.values():
        if token is None or export.body.get("ClientToken") != token or export.image.account != request.account:
            continue
        if now - export.start > TOKEN_HOURS:
            continue
        if export.body != body:
            raise Refused("ExportConflictException", f"Export with token {token} has other parameters: {export.arn}")
        return export
    return None


def _moment(body: Body, history: Any) -> datetime:
    now = current().clock.now()
    given = body.get("ExportTime")
    if given is None:
        return now
    moment = datetime.fromtimestamp(float(given), UTC).replace(microsecond=0)
    if not history.earliest <= moment <= now:
        raise Refused(
            "InvalidExportTimeException",
            "The specified ExportTime is outside of the point in time recovery window",
        )
    return moment


def _begin(image: TableImage, moment: datetime, body: Body, account: str) -> Export:
    simulation = current()
    now = simulation.clock.now()
    suffix = f"{simulation.rng('dynamodb.exports').getrandbits(32):08x}"
    arn = f"{image.arn}/export/{microseconds(now) // 1000:014d}-{suffix}"
    owner = str(body.get("S3BucketOwner") or account)
    export = Export(arn, image, moment, dict(body), owner, now)
    _exports[arn] = export
    modelled = simulation.begin("dynamodb.export", image.arn, image.size)
    try:
        check_bucket(body["S3Bucket"], owner)
        write_object(body["S3Bucket"], owner, export.key("_started"), b"")
    except OutOfReach as failure:
        _fail(export, failure)
        return export
    where = frozenset({image.region, bucket_region(body["S3Bucket"]) or image.region})
    later(image.account, where, modelled.seconds, lambda: _finish(export))
    return export


def _fail(export: Export, failure: OutOfReach) -> None:
    export.status, export.end, export.failure = "FAILED", current().clock.now(), failure


def _finish(export: Export) -> None:
    try:
        lines = [_data_file(export, number, rows) for number, rows in enumerate(_partitions(export.image.rows))]
        files = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        _with_checksum(export, "manifest-files", files)
        export.end = current().clock.now()
        _with_checksum(export, "manifest-summary", orjson.dumps(_summary(export)))
    except OutOfReach as failure:
        _fail(export, failure)
        return
    export.status = "COMPLETED"


def _partitions(rows: tuple[Row, ...]) -> Iterator[list[Row]]:
    parts: list[list[Row]] = [[] for _ in range(FILES)]
    for row in rows:
        parts[hash_of(row.key[0]) * FILES // HASHES].append(row)
    yield from parts


def _data_file(export: Export, number: int, rows: list[Row]) -> Body:
    plain = b"".join(b'{"Item":' + row.raw + b"}\n" for row in rows)
    content = gzip.compress(plain, compresslevel=6, mtime=0)
    name = hashlib.sha256(f"{export.arn}/{number}".encode()).hexdigest()[:26]
    key = export.key(f"data/{name}.json.gz")
    etag = _write(export, key, content)
    return {"itemCount": len(rows), "md5Checksum": md5(content), "etag": etag, "dataFileS3Key": key}


def _write(export: Export, key: str, content: bytes) -> str:
    return write_object(export.body["S3Bucket"], export.bucket_owner, key, content)


def _with_checksum(export: Export, name: str, content: bytes) -> None:
    _write(export, export.key(f"{name}.json"), content)
    _write(export, export.key(f"{name}.md5"), md5(content).encode())


def md5(content: bytes) -> str:
    """The checksum as the manifests have it: base64."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _summary(export: Export) -> Body:
    assert export.end is not None
    return {
        "version": "2020-06-30",
        "exportArn": export.arn,
        "startTime": _iso(export.start),
        "endTime": _iso(export.end),
        "tableArn": export.image.arn,
        "tableId": export.image.table_id,
        "exportTime": _iso(export.moment),
        "s3Bucket": export.body["S3Bucket"],
        "s3Prefix": export.body.get("S3Prefix"),
        "s3SseAlgorithm": export.body.get("S3SseAlgorithm", "AES256"),
        "s3SseKmsKeyId": export.body.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": export.key("manifest-files.json"),
        "billedSizeBytes": export.image.size_bytes,
        "itemCount": len(export.image.rows),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@operation
def describe_export(request: Request, body: Body) -> Body:
    """One export of the caller's, by its ARN."""
    export = _exports.get(body["ExportArn"])
    if export is None or (export.image.account, export.image.region) != (request.account, request.region):
        raise Refused("ExportNotFoundException", f"Export not found: {body['ExportArn']}")
    return export.description()


@operation
def list_exports(request: Request, body: Body) -> Body:
    """The caller's exports in this region, oldest first, of one table or of all."""
    here = [
        export
        for export in _exports.values()
        if (export.image.account, export.image.region) == (request.account, request.region)
        and body.get("TableArn") in (None, export.image.arn)
    ]
    limit, token = body.get("MaxResults", EXPORTS_PER_PAGE), str(body.get("NextToken") or "0")
    if not 1 <= limit <= EXPORTS_PER_PAGE or not token.isdigit():
        raise invalid(f"MaxResults must be 1 to {EXPORTS_PER_PAGE} and NextToken one that a list ended with")
    start = int(token)
    page: Body = {
        "ExportSummaries": [
            {"ExportArn": export.arn, "ExportStatus": export.status, "ExportType": "FULL_EXPORT"}
            for export in here[start : start + limit]
        ]
    }
    if len(here) > start + limit:
        page["NextToken"] = str(start + limit)
    return page


OPERATIONS = {
    "dynamodb:ExportTableToPointInTime": export_table_to_point_in_time,
    "dynamodb:DescribeExport": describe_export,
    "dynamodb:ListExports": list_exports,
}
REPLACEMENTS: tuple[Replacement, ...] = ()
