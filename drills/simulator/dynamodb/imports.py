"""Imports of DynamoDB JSON from S3 into a new table.

Of several items with one key the last that is read stays; items that do not fit are counted and left out.
Source: DynamoDB API reference, ImportTable; developer guide, "DynamoDB data import from Amazon S3".
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from moto.core.exceptions import JsonRESTError

from drills.simulator.dynamodb.answers import (
    Body,
    Refused,
    Request,
    backend,
    check_name,
    invalid,
    operation,
)
from drills.simulator.dynamodb.history import microseconds
from drills.simulator.dynamodb.materialised import dumps
from drills.simulator.dynamodb.objects import OutOfReach, bucket_region, check_bucket, read_objects
from drills.simulator.dynamodb.rows import Key, Row, compact
from drills.simulator.dynamodb.table import SimulatedTable
from drills.simulator.dynamodb.underway import later
from drills.simulator.replaced import Replacement
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

BESIDE_THE_DATA = ("_started", "manifest-summary.json", "manifest-files.json", ".md5", ".checksum")
CONCURRENT_IMPORTS = 50
IMPORTS_PER_PAGE = 25


@dataclass(eq=False)
class Import:
    """One import and the table that it fills."""

    arn: str
    table: SimulatedTable
    body: Body
    account: str
    region: str
    start: datetime
    status: str = "IN_PROGRESS"
    end: datetime | None = None
    failure: OutOfReach | None = None
    processed: int = 0
    processed_bytes: int = 0
    imported: int = 0
    errors: int = 0

    @property
    def source(self) -> tuple[str, str, str]:
        """Bucket, owner, prefix."""
        source = self.body["S3BucketSource"]
        return source["S3Bucket"], source.get("S3BucketOwner") or self.account, source.get("S3KeyPrefix", "")

    def summary(self) -> Body:
        ended = {} if self.end is None else {"EndTime": self.end}
        return {
            "ImportArn": self.arn,
            "ImportStatus": self.status,
            "TableArn": self.table.table_arn,
            "S3BucketSource": self.body["S3BucketSource"],
            "InputFormat": self.body["InputFormat"],
            "StartTime": self.start,
            **ended,
        }

    def description(self) -> Body:
        failed = {}
        if self.failure is not None:
            failed = {"FailureCode": self.failure.code, "FailureMessage": self.failure.message}
        return {
            "ImportTableDescription": {
                **self.summary(),
                "TableId": self.table.id,
                "ClientToken": self.body.get("ClientToken", ""),
                "InputCompressionType": self.body.get("InputCompressionType", "NONE"),
                "TableCreationParameters": self.body["TableCreationParameters"],
                "ProcessedItemCount": self.processed,
                "ProcessedSizeBytes": self.processed_bytes,
                "ImportedItemCount": self.imported,
                "ErrorCount": self.errors,
                **failed,
            }
        }


_imports: dict[str, Import] = {}


def begin(_: Simulation) -> None:
    _imports.clear()


@operation
def import_table(request: Request, body: Body) -> Body:
    """Make a table and fill it; it is CREATING until the modelled time is up."""
    if body["InputFormat"] != "DYNAMODB_JSON":
        raise invalid("The simulated DynamoDB imports DYNAMODB_JSON only: CSV and ION are not simulated")
    if body.get("InputCompressionType", "NONE") not in ("NONE", "GZIP"):
        raise invalid("The simulated DynamoDB imports plain and GZIP objects only: ZSTD is not simulated")
    running = sum(one.end is None and one.account == request.account for one in _imports.values())
    if running >= CONCURRENT_IMPORTS:
        raise Refused("LimitExceededException", f"There is a limit of {CONCURRENT_IMPORTS} concurrent imports")
    table = _created(request, body["TableCreationParameters"])
    simulation = current()
    now = simulation.clock.now()
    suffix = f"{simulation.rng('dynamodb.imports').getrandbits(32):08x}"
    arn = f"{table.table_arn}/import/{microseconds(now) // 1000:014d}-{suffix}"
    one = Import(arn, table, body, request.account, request.region, now)
    _imports[arn] = one
    bucket, _, _ = one.source
    modelled = simulation.begin("dynamodb.import", table.table_arn, _size(one))
    where = frozenset({request.region, bucket_region(bucket) or request.region})
    later(request.account, where, modelled.seconds, lambda: _finish(one))
    return one.description()


def _created(request: Request, parameters: Body) -> SimulatedTable:
    name = parameters["TableName"]
    check_name(name, "tableCreationParameters.tableName")
    tables = backend(request.account, request.region)
    if name in tables.tables:
        raise Refused("ResourceInUseException", f"Table already exists: {name}")
    indexes = parameters.get("GlobalSecondaryIndexes") or []
    used = {part["AttributeName"] for one in (parameters, *indexes) for part in one["KeySchema"]}
    defined = {one["AttributeName"] for one in parameters["AttributeDefinitions"]}
    if used != defined:
        raise invalid(
            "One or more parameter values were invalid: AttributeDefinitions must name the key attributes and no "
            f"others. Keys: {sorted(used)}, AttributeDefinitions: {sorted(defined)}"
        )
    table: SimulatedTable = tables.create_table(
        name,
        schema=parameters["KeySchema"],
        throughput=parameters.get("ProvisionedThroughput"),
        attr=parameters["AttributeDefinitions"],
        global_indexes=indexes,
        indexes=None,
        streams=None,
        billing_mode=parameters.get("BillingMode", "PROVISIONED"),
        sse_specification=parameters.get("SSESpecification"),
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    table.status = "CREATING"
    return table


def _size(one: Import) -> Size:
    try:
        objects = read_objects(*one.source)
    except OutOfReach:
        return Size(0, 0)
    return Size(sum(len(content) for _, content in objects) / 1e9, 0)


def _finish(one: Import) -> None:
    one.end = current().clock.now()
    try:
        check_bucket(*one.source[:2])
        rows: dict[Key, Row] = {}
        for line in _lines(one):
            _take(one, line, rows)
    except OutOfReach as failure:
        one.status, one.failure = "FAILED", failure
        backend(one.account, one.region).tables.pop(one.table.name, None)
        return
    one.table.load(rows.values())
    one.table.status = "ACTIVE"
    one.status = "COMPLETED"


def _lines(one: Import) -> Iterator[bytes]:
    for key, content in read_objects(*one.source):
        if key.endswith(BESIDE_THE_DATA):
            continue
        try:
            plain = gzip.decompress(content) if one.body.get("InputCompressionType") == "GZIP" else content
        except (OSError, EOFError) as error:
            raise OutOfReach("ItemValidationError", f"{key} is not a GZIP object: {error}") from error
        one.processed_bytes += len(plain)
        yield from filter(None, plain.split(b"\n"))


def _take(one: Import, line: bytes, rows: dict[Key, Row]) -> None:
    one.processed += 1
    try:
        item: dict[str, Any] = orjson.loads(line)["Item"]
        key, size = one.table.checked(item)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, JsonRESTError):
        one.errors += 1
        return
    one.imported += 1
    rows[key] = Row(key, compact(dumps(item)), size)


@operation
def describe_import(request: Request, body: Body) -> Body:
    """One import of the caller's, by its ARN."""
    one = _imports.get(body["ImportArn"])
    if one is None or (one.account, one.region) != (request.account, request.region):
        raise Refused("ImportNotFoundException", f"Import not found: {body['ImportArn']}")
    return one.description()


@operation
def list_imports(request: Request, body: Body) -> Body:
    """The caller's imports in this region, newest first."""
    here = [
        one
        for one in reversed(_imports.values())
        if (one.account, one.region) == (request.account, request.region)
        and body.get("TableArn") in (None, one.table.table_arn)
    ]
    limit, token = body.get("PageSize", IMPORTS_PER_PAGE), str(body.get("NextToken") or "0")
    if not 1 <= limit <= IMPORTS_PER_PAGE or not token.isdigit():
        raise invalid(f"PageSize must be 1 to {IMPORTS_PER_PAGE} and NextToken one that a list ended with")
    start = int(token)
    page: Body = {"ImportSummaryList": [one.summary() for one in here[start : start + limit]]}
    if len(here) > start + limit:
        page["NextToken"] = str(start + limit)
    return page


OPERATIONS = {
    "dynamodb:ImportTable": import_table,
    "dynamodb:DescribeImport": describe_import,
    "dynamodb:ListImports": list_imports,
}
REPLACEMENTS: tuple[Replacement, ...] = ()
