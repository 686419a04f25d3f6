"""Batch Replication: jobs of S3 Control that replicate what a bucket held before its rules, and what has failed.

A job makes its list, waits for confirmation where that is asked for, works for the modelled time, and tells what came
of each object in a report. Source: S3 user guide, Replicating existing objects with Batch Replication; Managing S3
Batch Operations jobs; S3 Control API reference, CreateJob, DescribeJob, ListJobs, UpdateJobStatus, UpdateJobPriority.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.iam.policy_validation import BaseIAMPolicyValidator
from moto.moto_api._internal import mock_random

from drills.simulator.dynamodb.underway import later
from drills.simulator.needs.need import asked
from drills.simulator.replaced import Replacement
from drills.simulator.request import Request, Response
from drills.simulator.s3 import batch_manifests, changes, replication
from drills.simulator.s3.batch_job import ENDED, Failure, Job, Task
from drills.simulator.s3.documents import Document, Refused, answer, operation, read
from drills.simulator.s3.rights import BATCH, Denied, RoleOfService
from drills.simulator.state import Simulation, current
from drills.simulator.timing import Size

ROW = "s3.batch_replication"
PREPARING_SHARE = 0.5
"""Of the modelled time, how much passes before the first object is replicated (A)."""
GB = 1e9
LISTED = 1000

_JOB = re.compile(r"arn:[\w-]+:s3:[^:]+:[^:]*:job/")
_resource_format = BaseIAMPolicyValidator._validate_resource_format

_jobs: dict[str, Job] = {}


def begin(simulation: Simulation) -> None:
    _jobs.clear()
    simulation.on_exit.append(_jobs.clear)


# --- Calls -----------------------------------------------------------------------------------------------------------


@operation
def create_job(request: Request) -> Response | None:
    given = read(request.body, "CreateJobRequest", "s3control")
    _check(given)
    for job in _jobs.values():
        if job.given.get("ClientRequestToken") == given["ClientRequestToken"] and job.account == request.account:
            return _answer({"JobId": job.id}, "CreateJobResult")
    job = Job(
        id=str(mock_random.uuid4()), account=request.account, region=request.region, given=given,
        created=current().clock.now(),
    )  # fmt: skip
    _jobs[job.id] = job
    current().clock.call_later(0, lambda: _prepare(job))
    return _answer({"JobId": job.id}, "CreateJobResult")


def _check(given: Document) -> None:
    if "S3ReplicateObject" not in (given.get("Operation") or {}):
        raise _bad("The simulated S3 carries out jobs with the operation S3ReplicateObject only")
    if ("Manifest" in given) is ("ManifestGenerator" in given):
        raise _bad("Exactly one of Manifest and ManifestGenerator must be specified")
    if "Manifest" in given and given["Manifest"]["Spec"].get("Format") != batch_manifests.CSV:
        raise _bad(f"The simulated S3 reads manifests of the format {batch_manifests.CSV} only")
    if (given.get("Report") or {}).get("Enabled") and not given["Report"].get("Bucket"):
        raise _bad("Report bucket must be specified when the report is enabled")


@operation
def describe_job(request: Request) -> Response | None:
    return _answer({"Job": _named(request).description()}, "DescribeJobResult")


@operation
def list_jobs(request: Request) -> Response | None:
    given = asked(request)
    wanted = {value for name, value in _pairs(request) if name == "jobStatuses"}
    found = [
        job.listed()
        for job in reversed(_jobs.values())
        if (job.account, job.region) == (request.account, request.region) and (not wanted or job.status in wanted)
    ]
    start, most = int(given.get("nextToken") or 0), int(given.get("maxResults") or LISTED)
    page: Document = {"Jobs": found[start : start + most]}
    if len(found) > start + most:
        page["NextToken"] = str(start + most)
    return _answer(page, "ListJobsResult")


@operation
def update_job_status(request: Request) -> Response | None:
    job = _named(request)
    given = asked(request)
    wanted, reason = given.get("requestedJobStatus", ""), given.get("statusUpdateReason")
    if wanted == "Cancelled" and job.status not in ENDED:
        job.end("Cancelled")
    elif wanted == "Ready" and job.status == "Suspended":
        job.status = "Ready"
        _work(job)
    else:
        text = f"A job that is {job.status} cannot be made {wanted}"
        raise Refused("JobStatusException", text, 400)
    job.reason = reason
    return _answer({"JobId": job.id, "Status": job.status, "StatusUpdateReason": reason or ""}, "UpdateJobStatusResult")


@operation
def update_job_priority(request: Request) -> Response | None:
    job = _named(request)
    if job.status in ENDED:
        raise Refused("JobStatusException", f"A job that is {job.status} has no priority any more", 400)
    job.given["Priority"] = int(asked(request).get("priority") or 0)
    return _answer({"JobId": job.id, "Priority": job.given["Priority"]}, "UpdateJobPriorityResult")


def _named(request: Request) -> Job:
    parts = unquote(urlsplit(request.url).path).split("/")
    identifier = parts[parts.index("jobs") + 1]
    job = _jobs.get(identifier)
    if job is None or (job.account, job.region) != (request.account, request.region):
        raise Refused("NoSuchJob", f"The specified job does not exist: {identifier}", 404)
    return job


def _pairs(request: Request) -> list[tuple[str, str]]:
    query = urlsplit(request.url).query
    return [(name, unquote(value)) for name, _, value in (pair.partition("=") for pair in query.split("&"))]


def _answer(document: Document, shape: str) -> Response:
    return answer(document, shape, service="s3control")


def _bad(message: str) -> Refused:
    return Refused("InvalidRequest", message)


# --- Work ------------------------------------------------------------------------------------------------------------


def _then(job: Job, seconds: float, action: Callable[[], None]) -> None:
    """Go on with a job after a time in which its region is up and its account open, unless it has ended meanwhile."""
    later(job.account, frozenset({job.region}), seconds, lambda: None if job.status in ENDED else action())


def _prepare(job: Job) -> None:
    """Make the list of objects."""
    if job.status in ENDED:
        return
    job.status = "Preparing"
    try:
        role = RoleOfService(str(job.given["RoleArn"]), BATCH, job.region)
        job.tasks = batch_manifests.tasks(job, role)
    except (Denied, Failure) as why:
        code = why.code if isinstance(why, Failure) else "AccessDenied"
        job.fail(code, str(why))
        return
    seconds = _modelled(job) * PREPARING_SHARE
    _then(job, seconds, lambda: _prepared(job))


def _modelled(job: Job) -> float:
    if job.modelled_seconds is None:
        size = Size(sum(task.size for task in job.tasks) / GB, len(job.tasks))
        job.modelled_seconds = current().begin(ROW, job.arn, size).seconds
    return job.modelled_seconds


def _prepared(job: Job) -> None:
    if not job.tasks:
        job.fail("EmptyManifest", "The manifest has no objects that the job could replicate")
        return
    if job.given.get("ConfirmationRequired"):
        job.status, job.suspended = "Suspended", current().clock.now()
        return
    job.status = "Ready"
    _work(job)


def _work(job: Job) -> None:
    job.status, job.active = "Active", current().clock.now()
    _then(job, _modelled(job) * (1 - PREPARING_SHARE), lambda: _replicate(job))


def _replicate(job: Job) -> None:
    try:
        role = RoleOfService(str(job.given["RoleArn"]), BATCH, job.region)
    except Denied as why:
        job.fail("AccessDenied", str(why))
        return
    for task in job.tasks:
        task.error = _carried_out(task, role)
    try:
        batch_manifests.report(job, role)
    except (Denied, Failure) as why:
        job.fail("ReportFailed", str(why))
        return
    job.end("Complete")


def _carried_out(task: Task, role: RoleOfService) -> str | None:
    """Replicate one version to all destinations that rules of its bucket send it to. Gives the reason if that fails."""
    bucket = changes.bucket_named(task.bucket)
    version: Any = None
    if bucket is not None:
        version = bucket.keys.find(task.key, task.version_id) if task.version_id else bucket.keys.latest(task.key)
    if bucket is None or version is None:
        return "NoSuchKey: the version does not exist"
    configuration = replication.configuration_of(bucket)
    rules = replication.rules_for(configuration, version) if configuration is not None else []
    if configuration is None or not rules:
        return "PreconditionFailed: no rule of the bucket replicates the object"
    try:
        role.must(("s3:InitiateReplication",), f"arn:{bucket.partition}:s3:::{bucket.name}/{task.key}")
    except Denied as why:
        return f"AccessDenied: {why}"
    now = current().clock.now()
    failed = [
        replication.replicate(bucket, replication.Task(version, rule, configuration.role, now), again=True)
        for rule in rules
    ]
    return next((f"Failed: {why}" for why in failed if why is not None), None)


OPERATIONS = {
    "s3:CreateJob": create_job,
    "s3:DescribeJob": describe_job,
    "s3:ListJobs": list_jobs,
    "s3:UpdateJobStatus": update_job_status,
    "s3:UpdateJobPriority": update_job_priority,
}


def resource_format(self: BaseIAMPolicyValidator, resource: str) -> None:
    """A policy may name jobs, which lie in a region. Source: service authorization reference, Amazon S3."""
    if not _JOB.match(resource):
        _resource_format(self, resource)


REPLACEMENTS = (
    Replacement(
        "moto.iam.policy_validation:BaseIAMPolicyValidator._validate_resource_format",
        resource_format,
        "moto refuses a policy that names jobs of S3, as their ARNs have a region",
        digest="3640ce0c03cd",
    ),
)
