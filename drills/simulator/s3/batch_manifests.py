"""What a batch job works on, from a list of the user's or made from the bucket, and its report.

Source: S3 user guide, Specifying a manifest for a Batch Replication job; Completion reports (their layout); S3 Control
API reference, S3JobManifestGenerator, JobManifestGeneratorFilter.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import orjson

from drills.simulator.s3 import changes, replication
from drills.simulator.s3.batch_job import Failure, Job, Task
from drills.simulator.s3.calls import aware
from drills.simulator.s3.documents import Document
from drills.simulator.s3.rights import RoleOfService
from drills.simulator.s3.versions import Marker, Version

CSV = "S3BatchOperations_CSV_20180820"
GENERATED = "S3InventoryReport_CSV_20211130"
REPORT = "Report_CSV_20180820"


def tasks(job: Job, role: RoleOfService) -> list[Task]:
    """The versions that the job is about. Raises Denied and Failure."""
    if "Manifest" in job.given:
        return _listed(job.given["Manifest"], role)
    return _generated(job.given["ManifestGenerator"]["S3JobManifestGenerator"], role, job)


def _bucket(arn: str) -> Any:
    bucket = changes.bucket_named(arn.rpartition(":::")[2])
    if bucket is None:
        raise Failure("NoSuchBucket", f"The bucket {arn} does not exist")
    return bucket


def _check_owner(bucket: Any, expected: str | None) -> None:
    if expected and str(bucket.account_id) != expected:
        raise Failure("AccessDenied", f"The bucket {bucket.name} is not of account {expected}")


# --- A list of the user's --------------------------------------------------------------------------------------------


def _listed(manifest: Document, role: RoleOfService) -> list[Task]:
    location = manifest["Location"]
    name, _, key = str(location["ObjectArn"]).rpartition(":::")[2].partition("/")
    bucket = _bucket(name)
    identifier = location.get("ObjectVersionId")
    action = "s3:GetObjectVersion" if identifier else "s3:GetObject"
    role.must((action,), f"arn:{bucket.partition}:s3:::{name}/{key}")
    found: Any = bucket.keys.find(key, identifier) if identifier else bucket.keys.latest(key)
    if not isinstance(found, Version):
        raise Failure("ManifestNotFound", f"The manifest {location['ObjectArn']} does not exist")
    if str(location.get("ETag", "")).strip('"') != str(found.etag).strip('"'):
        raise Failure("ManifestETagMismatch", f"The manifest {location['ObjectArn']} has another ETag: {found.etag}")
    fields = manifest["Spec"].get("Fields") or []
    return [_task(dict(zip(fields, row, strict=False))) for row in _rows(found.value) if row]


def _rows(body: bytes) -> Iterator[list[str]]:
    yield from csv.reader(io.StringIO(body.decode()))


def _task(row: dict[str, str]) -> Task:
    if not row.get("Bucket") or not row.get("Key"):
        raise Failure("ManifestInvalid", "Each row of the manifest needs a Bucket and a Key, as its Fields say")
    key, identifier = unquote(row["Key"]), row.get("VersionId") or None
    bucket = changes.bucket_named(row["Bucket"])
    version: Any = None
    if bucket is not None:
        version = bucket.keys.find(key, identifier) if identifier else bucket.keys.latest(key)
    return Task(row["Bucket"], key, identifier, version.size if version is not None else 0)


# --- A list made from the bucket -------------------------------------------------------------------------------------


def _generated(generator: Document, role: RoleOfService, job: Job) -> list[Task]:
    bucket = _bucket(str(generator["SourceBucket"]))
    _check_owner(bucket, generator.get("ExpectedBucketOwner"))
    if str(bucket.region_name) != job.region:
        raise Failure("InvalidSourceBucket", f"The bucket {bucket.name} is not in {job.region}, where the job is")
    arn = f"arn:{bucket.partition}:s3:::{bucket.name}"
    role.must(("s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"), arn)
    chosen = generator.get("Filter") or {}
    found = [
        Task(str(bucket.name), version.name, version.version_id, version.size)
        for key in bucket.keys.names
        for version in bucket.keys.of(key)
        if _fits(bucket, version, chosen)
    ]
    if generator.get("EnableManifestOutput"):
        _write_manifest(job, generator["ManifestOutputLocation"], found, role)
    return found


def _fits(bucket: Any, version: Version | Marker, chosen: Document) -> bool:
    if chosen.get("EligibleForReplication") and not _eligible(bucket, version):
        return False
    statuses = chosen.get("ObjectReplicationStatuses")
    if statuses and (version.replication_status or "NONE") not in statuses:
        return False
    written = aware(version.last_modified)
    if "CreatedAfter" in chosen and written <= chosen["CreatedAfter"]:
        return False
    if "CreatedBefore" in chosen and written >= chosen["CreatedBefore"]:
        return False
    return _fits_name(version.name, chosen.get("KeyNameConstraint") or {}) and _fits_size(version, chosen)


def _eligible(bucket: Any, version: Version | Marker) -> bool:
    configuration = replication.configuration_of(bucket)
    return configuration is not None and bool(replication.rules_for(configuration, version))


def _fits_name(name: str, chosen: Document) -> bool:
    tests = (
        ("MatchAnyPrefix", name.startswith),
        ("MatchAnySuffix", name.endswith),
        ("MatchAnySubstring", lambda part: part in name),
    )
    return all(any(test(part) for part in chosen[field]) for field, test in tests if chosen.get(field))


def _fits_size(version: Version | Marker, chosen: Document) -> bool:
    more, less = chosen.get("ObjectSizeGreaterThanBytes"), chosen.get("ObjectSizeLessThanBytes")
    classes = chosen.get("MatchAnyStorageClass")
    return (
        (more is None or version.size > more)
        and (less is None or version.size < less)
        and (not classes or getattr(version, "storage_class", None) in classes)
    )


def _write_manifest(job: Job, location: Document, found: Iterable[Task], role: RoleOfService) -> None:
    body = _csv([task.bucket, quote(task.key), task.version_id or ""] for task in found)
    prefix = str(location.get("ManifestPrefix") or "").strip("/")
    key = f"{prefix}/{job.id}/manifest.csv".lstrip("/")
    version = _write(str(location["Bucket"]), key, body, role, location.get("ExpectedManifestBucketOwner"))
    where = {"ObjectArn": f"{location['Bucket']}/{key}", "ETag": str(version.etag).strip('"')}
    job.generated = {"Format": GENERATED, "Location": {**where, "ObjectVersionId": version.version_id}}


# --- The report ------------------------------------------------------------------------------------------------------


def report(job: Job, role: RoleOfService) -> None:
    """Write what came of each task, where a report was asked for. Raises Denied and Failure."""
    asked = job.given.get("Report") or {}
    if not asked.get("Enabled"):
        return
    folder = f"{str(asked.get('Prefix') or '').strip('/')}/job-{job.id}".lstrip("/")
    rows = {"succeeded": [task for task in job.tasks if task.error is None]}
    rows["failed"] = [task for task in job.tasks if task.error is not None]
    if asked.get("ReportScope") == "FailedTasksOnly":
        rows.pop("succeeded")
    results = []
    for status, chosen in rows.items():
        if not chosen:
            continue
        body = _csv(_row(task, status) for task in chosen)
        key = f"{folder}/results/{hashlib.sha1(body, usedforsecurity=False).hexdigest()}.csv"
        _write(str(asked["Bucket"]), key, body, role, asked.get("ExpectedBucketOwner"))
        checksum = hashlib.md5(body, usedforsecurity=False).hexdigest()
        results.append(
            {
                "TaskExecutionStatus": status,
                "Bucket": str(asked["Bucket"]).rpartition(":::")[2],
                "MD5Checksum": checksum,
                "Key": key,
            }
        )
    schema = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
    told = {"Format": REPORT, "ReportCreationDate": "", "Results": results, "ReportSchema": schema}
    told["ReportCreationDate"] = job.created.isoformat()
    _write(str(asked["Bucket"]), f"{folder}/manifest.json", orjson.dumps(told), role, asked.get("ExpectedBucketOwner"))


def _row(task: Task, status: str) -> list[str]:
    code, _, message = (task.error or "").partition(": ")
    http = "200" if task.error is None else "403" if code == "AccessDenied" else "400"
    return [task.bucket, quote(task.key), task.version_id or "", status, code, http, message or "Successful"]


def _csv(rows: Iterable[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return written.getvalue().encode()


def _write(bucket_arn: str, key: str, body: bytes, role: RoleOfService, owner: str | None) -> Version:
    bucket = _bucket(bucket_arn)
    _check_owner(bucket, owner)
    role.must(("s3:PutObject",), f"arn:{bucket.partition}:s3:::{bucket.name}/{key}")
    version = Version(bucket, key, body)
    changes.encrypt(bucket, version, None, None)
    return changes.write(bucket, version)
